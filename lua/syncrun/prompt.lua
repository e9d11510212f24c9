--- The prompt: lines of Lua, run as tasks, with the configured systems and a few helpers at hand.
local err = require "syncrun.err"
local exits = require "syncrun.flow.exits"
local host = require "syncrun.host"
local line = require "_syncrun.line"
local near = require "syncrun.near"
local visible = require "syncrun.visible"

local M = {}

-- What is at hand under a short name, and where it stands.
local MODULES = {
	config = "flow.config", crypto = "crypto", err = "err", http = "http", json = "json", log = "log",
	mapping = "model.mapping", postgres = "postgres", rows = "rows", sqlite = "sqlite", task = "task", time = "time",
}

local function sorted_keys(t)
	local keys = {}
	for k in pairs(t) do keys[#keys + 1] = k end
	table.sort(keys, function(a, b)
		if math.type(a) and math.type(b) then return a < b end
		return tostring(a) < tostring(b)
	end)
	return keys
end

-- A handle (a system, a client, a connection) holds what is not to be seen: it is shown by its own words only.
local function handle_words(value)
	local meta = debug.getmetatable(value)
	if not meta or not (meta.__tostring or meta.__index) then return nil end
	return meta.__tostring and tostring(value) or ("(%s)"):format(meta.__name or "a handle")
end

local function show(value, indent, seen)
	if type(value) == "string" then return ("%q"):format(visible.text(value)) end
	local words = type(value) ~= "table" and tostring(value) or handle_words(value)
	if words then return (words:gsub("[^\n]+", visible.text)) end
	if seen[value] then return "{…}" end
	if next(value) == nil then return "{}" end
	seen[value] = true
	local inner, out = indent .. "  ", {}
	for _, k in ipairs(sorted_keys(value)) do
		local name = type(k) == "string" and k:match "^[%a_][%w_]*$" or "[" .. show(k, inner, seen) .. "]"
		out[#out + 1] = ("%s%s = %s"):format(inner, name, show(value[k], inner, seen))
	end
	seen[value] = nil
	return "{\n" .. table.concat(out, ",\n") .. "\n" .. indent .. "}"
end

--- A value as readable text: tables with sorted keys, control characters spelled out.
---@param value any
---@return string
function M.show(value)
	return show(value, "", {})
end

-- ---- what is at hand

local HELP = [[
contact(id)    what every configured system holds of a contact
explain(id, field)
               the way of one value: source, mapping, each system's form of it, what each holds
validate(id)   what is wrong with it, by system (an empty list: equal)
%s
               the systems: source:check(), …; by label, as reports have it: systems[label]
Lua 5.4 works as always; these modules are at hand:
  %s]]

-- What gives the configured systems, opened at the first use, so that a prompt without settings works too; and what closes them.
local function lazily_opened()
	local inspection
	return function()
		inspection = inspection or require "syncrun.flow.inspect".open()
		return inspection
	end, function()
		if inspection then inspection.session:close() end
	end
end

-- A module of the same name wins: that system is in `systems`.
local function names_of_systems(inspection)
	local names = {}
	for _, name in ipairs(sorted_keys(inspection.named)) do names[#names + 1] = not MODULES[name] and name or nil end
	return names
end

local function help(opened)
	local inspection, e = err.try(opened)
	local systems = inspection and table.concat(names_of_systems(inspection), ", ") or ("(%s)"):format(e.message)
	print(HELP:format(systems, table.concat(sorted_keys(MODULES), ", ")))
end

local function by_label(inspection)
	local systems = { [inspection.source.label] = inspection.source }
	for _, target in ipairs(inspection.targets) do systems[target.label] = target end
	return systems
end

-- A name that is no variable: a system, or a slip.
local function find(name, opened, env)
	local inspection, e = err.try(opened)
	if name == "systems" then return by_label(inspection or opened()) end
	local system = inspection and inspection:system(name)
	if system then return system end
	local known = inspection and names_of_systems(inspection) or {}
	for _, words in ipairs { env, _G } do table.move(sorted_keys(words), 1, #sorted_keys(words), #known + 1, known) end
	local hint = near.hint(name, known)
	err.raisef("script", "undeclared global '%s'%s%s", name, hint,
		e and hint == "" and (" (the systems cannot be opened: %s)"):format(e.message) or "")
end

local function environment()
	local opened, close = lazily_opened()
	local env = {}
	for name, module in pairs(MODULES) do env[name] = require("syncrun." .. module) end
	function env.contact(id) return opened():contact(tostring(id)) end
	function env.explain(id, field) print(opened():explain(tostring(id), field)) end
	function env.validate(id) return opened():validate(tostring(id)) end
	function env.help() help(opened) end
	return setmetatable(env, { __index = function(_, name)
		local value = rawget(_G, name)
		if value == nil then return find(name, opened, env) end
		return value
	end }), close
end

-- ---- lines

local function compile(text, env)
	local chunk = load("return " .. text, "=prompt", "t", env)
	if chunk then return chunk end
	return load(text, "=prompt", "t", env)
end

local function incomplete(why)
	return why ~= nil and why:sub(-5) == "<eof>"
end

-- One statement or expression, over several lines when it needs them; nil at the end of input.
local function read_chunk(env)
	local text = line.read "syncrun> "
	if not text then return nil end
	local chunk, why = compile(text, env)
	while not chunk and incomplete(why) do
		local more = line.read "      >> "
		if not more then break end
		text = text .. "\n" .. more
		chunk, why = compile(text, env)
	end
	return chunk or function() err.raisef("usage", "%s", why) end
end

local function print_results(...)
	for i = 1, select("#", ...) do print(M.show((select(i, ...)))) end
end

-- Run one chunk; whether it ran without an error.
local function run_chunk(chunk)
	local _, e = err.try(function() print_results(chunk()) end)
	if not e then return true end
	if e.kind == "cancelled" then err.raise(e) end
	print("error: " .. visible.text(e.message))
	return false
end

--- Run the prompt until the end of input. Lines that do not come from a terminal are run the same way, without greeting and
--- prompts; when one of them fails, the exit code says so.
---@return integer the exit code
function M.run()
	local env, close = environment()
	local edited, failed = line.is_edited(), false
	if edited then print(("syncrun %s — help() shows what there is, Ctrl-D leaves"):format(host.version)) end
	for chunk in read_chunk, env do failed = not run_chunk(chunk) or failed end
	if edited then print "" end
	close()
	return failed and not edited and exits.script or 0
end

return M
