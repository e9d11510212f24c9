--- The doctor: are the systems in reach and fit for the mapping, and do they treat values as we rely on? The probe is one
--- contact whose every field holds a value that some system is known to change; what comes back is compared with what the
--- system's projection promises. It is removed again whatever happens.
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local exits = require "syncrun.flow.exits"
local log = require "syncrun.log"
local problems = require "syncrun.flow.problems"
local reports = require "syncrun.report"
local rows = require "syncrun.rows"
local session_of = require "syncrun.flow.session"
local survey = require "syncrun.flow.survey"
local task = require "syncrun.task"
local values = require "syncrun.model.values"

local M = {}

-- What we rely on, by the model's type: {words, value}. A field of the type gets the next one.
local PROBES = {
	text = {
		{ "a null text is told as promised", nil },
		{ "blanks around a text, quotes, backslashes and line breaks are kept", "  \"q\" 'x' \\ a\r\nb\tc  " },
		{ "emoji, combining marks and right-to-left text are kept", "👩‍🚀 Zoe\u{308} שלום \u{202B}x\u{202C}" },
		{ "an empty text stays empty", "" },
		{ "a text that looks like markup, JSON or SQL is kept", "<b>&amp;</b> {\"a\":1} NULL '; -- %s $1" },
		{ "control characters are kept", "bell\a esc\27 del\127" },
		{ "a text of 20,000 bytes is kept", ("0123456789"):rep(2000) },
		{ "a text beyond the basic plane and noncharacters are kept", "\u{10FFFD}\u{FFFD}\u{FEFF}x" },
	},
	json = {
		{ "JSON numbers are stored by value", '{"d":1.10,"e":1e3,"i":9007199254740991,"n":-0.5,"s":5e-324}' },
		{ "an empty JSON object is told as promised", "{}" },
		{ "JSON names and texts of any characters are kept", '{"z":1,"é":"\\u00e9\\ud83e\\udd84\\n","":{"a":[]},"b":null}' },
		{ "nested JSON lists are kept", '[1,[2,[]],{"a":null},"",true]' },
		{ "a null JSON is null", nil },
	},
	timestamp = {
		{ "microseconds are kept or cut off as promised", 1767323045123456 },
		{ "a time before 1970 is kept", -1 },
		{ "a time of year 1 is kept", -62135596800000000 },
		{ "a null time is null", nil },
	},
	date = { { "a date before 1970 is kept", "1815-12-10" }, { "a null date is null", nil } },
	bool = { { "true is true", true }, { "a null flag is null", nil }, { "false is false", false } },
	int64 = { { "a whole number is kept", 9007199254740991 } },
	float64 = { { "a number is kept to its last digit", 0.1 } },
	decimal = { { "a decimal is kept", "12.5" } },
}

-- Composites of a CRM take their own kind of value.
local BY_KIND = {
	EMAILS = function(id) return "an e-mail is stored as promised", "Syncrun.Probe+" .. id .. "@Example.COM" end,
	PHONES = function() return "a telephone is stored as promised", "+33 6 12 34 56 78" end,
	FULL_NAME = function() return "a name is stored as promised", "Probe  O'Neil de la Ünï" end,
	SELECT = function(_, target) return "an option is kept", target.options[#target.options] end,
}

local function special(field, id)
	for _, target in pairs(field.targets) do
		local of_kind = target and BY_KIND[target.type]
		if of_kind then return of_kind(id, target) end
	end
end

-- The probe's model row, and the words of what each field tries.
local function make_probe(mapping, id)
	local fields, words, turn = { [mapping.key] = "syncrun-probe-" .. id }, {}, {}
	words[mapping.key] = "the key is kept"
	for _, field in ipairs(mapping.fields) do
		if field.name ~= mapping.key then
			local text, value = special(field, id)
			if not text then
				local list = PROBES[field.type] or {}
				turn[field.type] = (turn[field.type] or 0) % math.max(#list, 1) + 1
				text, value = table.unpack(list[turn[field.type]] or { "a null is null", nil })
			end
			words[field.name], fields[field.name] = text, value
		end
	end
	local model = rows.new(mapping:schema())
	model:add(fields)
	return model, words
end

local function plan_of(model, projection, wanted)
	local columns = {}
	for _, column in ipairs(projection) do
		if wanted[column.own] then columns[#columns + 1] = column end
	end
	return rows.plan(model:schema(), columns):apply(model)
end

-- ---- one system

---@class syncrun.Check one thing that was tried: words, whether it holds, what was seen
---@field what string
---@field ok boolean
---@field seen string?

-- What came back, column by column.
local function compare(expected, found, projection, words)
	local checks, differs = {}, {}
	for _, name in ipairs(rows.diff(expected, 1, found, 1)) do differs[name] = true end
	local types = expected:schema()
	for _, column in ipairs(projection) do
		local name = column.name
		if types:index(name) then
			local function shown(page) return values.shown(page:text(1, name), types:type(name)) end
			checks[#checks + 1] = { what = ("%s (%s)"):format(words[column.field.name], name), ok = not differs[name],
				seen = differs[name] and ("%s, expected %s"):format(shown(found), shown(expected)) or nil }
		end
	end
	return checks
end

local function write_one(system, model, projection)
	local outcomes, e = err.try(system.write, system, { model = model,
		rows = plan_of(model, projection, { source = true, once = true }) }, "create")
	if e then
		if e.exit then err.raise(e) end
		return { what = "the contact is taken", ok = false, seen = e.message }
	end
	return { what = "the contact is taken", ok = outcomes[1].state == "written", seen = outcomes[1].reason }
end

local function try_values(system, model, words, key)
	local projection = system:projection()
	local checks = { write_one(system, model, projection) }
	if not checks[1].ok then return checks end
	local found = system:fetch { key }
	checks[2] = { what = "it is there once", ok = #found == 1, seen = ("%d times"):format(#found) }
	if #found ~= 1 then return checks end
	local compared = compare(plan_of(model, projection, { source = true, once = true }), found, projection, words)
	table.move(compared, 1, #compared, #checks + 1, checks)
	if system.probe then
		local more = system:probe(model, key)
		table.move(more, 1, #more, #checks + 1, checks)
	end
	return checks
end

local function remove(system, key)
	local _, e = err.try(function()
		system:delete { key }
		return #system:fetch { key } == 0 or err.raisef("internal", "it is still there")
	end)
	return { what = "it is removed again", ok = not e,
		seen = e and ("%s; remove the contact %s by hand"):format(e.message, key) }
end

local function probe_system(system, mapping)
	local id = crypto.uuid():sub(1, 8)
	local model, words = make_probe(mapping, id)
	local key = model:text(1, mapping.key)
	local checks, e = err.try(try_values, system, model, words, key)
	local removed = task.shielded(remove, system, key)
	if e then
		if not removed.ok then e.message = ("%s; and then: %s"):format(e.message, removed.seen) end
		err.raise(e)
	end
	checks[#checks + 1] = removed
	return checks
end

-- ---- all of them

local function say_checks(say, system, checks)
	local broken = 0
	for _, check in ipairs(checks) do
		if not check.ok then broken = broken + 1 end
		say("%s: %s  %s%s", system.label, check.ok and "ok    " or "BROKEN", check.what,
			check.ok and "" or ": " .. tostring(check.seen))
	end
	say("%s: %d of %d things are as we rely on", system.label, #checks - broken, #checks)
	return broken
end

-- What a run that writes would find in its way.
local function obstacles(system)
	local found = system:check { write = true }
	if not system.ready or problems.worst(found) > 0 then return found end
	local more = system:ready()
	return table.move(more, 1, #more, #found + 1, found)
end

local function look(say, system, options, mapping)
	local found = obstacles(system)
	for _, problem in ipairs(found) do say("%s: %s", system.label, problem.what) end
	if problems.worst(found) > 0 then return problems.worst(found) end
	say("%s: in reach, and fit for the mapping", system.label)
	if not options.probe or not system.delete then return 0 end
	return say_checks(say, system, probe_system(system, mapping)) > 0 and 1 or 0
end

local function say_error(system, e)
	log.complain("%s: %s", system.label, e.message)
end

local function look_at_source(say, session)
	local source = session.source
	local words, e = err.try(survey.source, source, session.mapping)
	if e then
		if e.kind == "cancelled" then err.raise(e) end
		say_error(source, e)
		return exits.of(e)
	end
	say("%s: %s", source.label, words)
	say("%s: in reach, and fit for the mapping", source.label)
	return 0
end

--- Run the doctor. Returns the exit code.
---@param options { probe: boolean?, config: string? }
---@return integer
function M.run(options)
	local session = session_of.open { config = options.config }
	local say, mapping = reports.stdout(), session.mapping
	local code = look_at_source(say, session)
	for _, system in ipairs(session.targets) do
		if system.skipped then
			say("%s: not configured (%s)", system.label, system.skipped)
		else
			local found, e = err.try(look, say, system, options, mapping)
			if e then say_error(system, e) end
			code = math.max(code, found or e.exit or 3)
			err.try(system.close, system)
		end
	end
	return code
end

return M
