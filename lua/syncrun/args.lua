--- Command-line arguments of scripts: declared in one table, checked, explained by --help.
local err = require "syncrun.err"
local near = require "syncrun.near"
local time = require "syncrun.time"

local M = {}

---@class syncrun.Option
---@field [1] string the name, as "dry-run" for --dry-run
---@field type "string"|"integer"|"number"|"flag"|"list"|"duration" list: separated by commas, may be repeated; duration: with
--- its unit, as "10m", which is also the value
---@field help string
---@field metavar string? what stands for the value in the help text
---@field default any?
---@field required boolean?
---@field min number?
---@field max number?

---@class syncrun.Arguments
---@field name string the script's name, for messages
---@field summary string one line
---@field options syncrun.Option[]
---@field positional { name: string, help: string, required: boolean? }[]?
---@field examples string[]?

local function usage_error(spec, format, ...)
	err.raise { kind = "usage", message = format:format(...) .. ("; see '%s --help'"):format(spec.name) }
end

local function find(spec, name)
	for _, option in ipairs(spec.options) do
		if option[1] == name then return option end
	end
	local names = { "help" }
	for _, option in ipairs(spec.options) do names[#names + 1] = option[1] end
	local meant = near.nearest(name, names)
	usage_error(spec, "unknown option '--%s'%s", name, meant and (", did you mean '--%s'?"):format(meant) or "")
end

local convert = {
	string = function(text) return text end,
	integer = function(text) return math.tointeger(tonumber(text)) end,
	number = function(text) return tonumber(text) end,
	duration = function(text) return time.duration(text) and text end,
	list = function(text)
		local list = {}
		for item in text:gmatch "[^,]+" do list[#list + 1] = item end
		return #list > 0 and list or nil
	end,
}

local WORDS = {
	integer = "a whole number", number = "a number", list = "a list separated by commas",
	duration = "a duration with its unit, like 90s, 10m, 2h or 90d",
}

local function store(spec, values, option, text)
	local key = option[1]:gsub("-", "_")
	local value = convert[option.type](text)
	if value == nil or (option.min and value < option.min) or (option.max and value > option.max) then
		usage_error(spec, "'--%s' takes %s%s%s, not '%s'", option[1],
			WORDS[option.type],
			option.min and (" of at least %g"):format(option.min) or "",
			option.max and (" up to %d"):format(option.max) or "", text)
	end
	if option.type == "list" and values[key] then
		table.move(value, 1, #value, #values[key] + 1, values[key])
	else
		values[key] = value
	end
end

local function shown(option)
	if option.type == "flag" then return "--" .. option[1] end
	return ("--%s %s"):format(option[1], option.metavar or option.type:upper())
end

--- The help text of a script.
---@param spec syncrun.Arguments
---@return string
function M.help(spec)
	local out, width = { "usage: syncrun " .. spec.name }, 0
	for _, p in ipairs(spec.positional or {}) do out[1] = out[1] .. (p.required and " %s" or " [%s]"):format(p.name) end
	out[1] = out[1] .. " [options]"
	out[#out + 1] = "\n" .. spec.summary
	if spec.examples then
		out[#out + 1] = "\nexamples:"
		for _, example in ipairs(spec.examples) do out[#out + 1] = "  " .. example end
	end
	for _, option in ipairs(spec.options) do width = math.max(width, #shown(option)) end
	out[#out + 1] = "\noptions:"
	for _, option in ipairs(spec.options) do
		local default = option.default ~= nil and (" (default %s)"):format(option.default) or ""
		out[#out + 1] = ("  %-" .. width .. "s  %s%s"):format(shown(option), option.help, default)
	end
	out[#out + 1] = ("  %-" .. width .. "s  %s"):format("--help", "this text")
	return table.concat(out, "\n") .. "\n"
end

-- One argument that begins with --; returns how many words it took.
local function read_option(spec, values, argv, i)
	local name, inline = argv[i]:match "^%-%-([^=]+)=(.*)$"
	name = name or argv[i]:sub(3)
	if name == "help" then
		io.stdout:write(M.help(spec))
		os.exit(0)
	end
	local option = find(spec, name)
	if option.type == "flag" then
		if inline then usage_error(spec, "'--%s' takes no value", name) end
		values[name:gsub("-", "_")] = true
		return 1
	end
	local text = inline or argv[i + 1]
	if not text then usage_error(spec, "a value is missing after '--%s'", name) end
	store(spec, values, option, text)
	return inline and 1 or 2
end

local function check_complete(spec, values, positional)
	for _, option in ipairs(spec.options) do
		local key = option[1]:gsub("-", "_")
		if values[key] == nil then values[key] = option.default end
		if option.required and values[key] == nil then usage_error(spec, "'--%s' is required", option[1]) end
	end
	local declared = spec.positional or {}
	for i, p in ipairs(declared) do
		values[p.name:lower()] = positional[i]
		if p.required and not positional[i] then usage_error(spec, "%s is required", p.name) end
	end
	if #positional > #declared then usage_error(spec, "unexpected argument '%s'", positional[#declared + 1]) end
end

--- Read the arguments. --help prints the help text and ends the program; a mistake raises kind "usage" (exit 2).
---@param argv string[]
---@param spec syncrun.Arguments
---@return table values by name, dashes turned into underscores; positional ones by lower-case name
function M.parse(argv, spec)
	local values, positional, i = {}, {}, 1
	while i <= #argv do
		if argv[i] == "--" then
			table.move(argv, i + 1, #argv, #positional + 1, positional)
			break
		elseif argv[i]:sub(1, 2) == "--" then
			i = i + read_option(spec, values, argv, i)
		elseif argv[i]:match "^%-." then
			usage_error(spec, "unknown option '%s'", argv[i])
		else
			positional[#positional + 1] = argv[i]
			i = i + 1
		end
	end
	check_complete(spec, values, positional)
	return values
end

return M
