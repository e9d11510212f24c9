--- Erasing a contact from what syncrun keeps of its own: the ledger, and the files of the reports. In a report the contact
--- stays as a line without values, so that its counts still add up.
local config_of = require "syncrun.flow.config"
local err = require "syncrun.err"
local file = require "syncrun.file"
local forgotten_of = require "syncrun.record.forgotten"
local images = require "syncrun.record.images"
local json = require "syncrun.json"
local ledger_of = require "syncrun.record.ledger"
local lock = require "syncrun.record.lock"
local log = require "syncrun.log"
local report = require "syncrun.flow.report"
local report_csv = require "syncrun.flow.report_csv"
local visible = require "syncrun.visible"

local M = {}

local FORGOTTEN = "(forgotten)"
local SPELLED = { spell = true } -- as reports are

-- ---- lines

-- A line of a report or plan in JSON: nil when it is not about the contact.
local function json_line(line, key)
	if not line:find(json.encode(key, SPELLED), 1, true) then return nil end
	local value = err.try(json.decode, line)
	if type(value) ~= "table" or (value.contact_id ~= key and value.id ~= key) then return nil end
	return json.encode({ contact_id = FORGOTTEN, kind = value.kind, system = value.system, field = value.field,
		systems = value.systems, change = value.change }, SPELLED)
end

-- A note that names the contact at its end, and not because a number is the same; nil for any other.
local function note_without(note, key)
	local said = note:match "^(Not in .-: )" or note:match "^(In the plan, and not in .-: )"
	return said and note == said .. key and said .. FORGOTTEN or nil
end

-- The lines of a report in text: those of the contact's own block, and any other that names it.
local function text_lines(key)
	local mark, inside = ("(ID: %s)"):format(visible.text(key)), false
	local again = ("(ID: %s, row "):format(visible.text(key))
	return function(line)
		local detail = line:match "^     %- "
		if line:find(mark, 1, true) or line:find(again, 1, true) then
			inside = not detail
			return (detail or line:match "^%s*[^%w%s(]+%s+" or "") .. FORGOTTEN
		end
		if detail and inside then return detail .. FORGOTTEN end
		inside = inside and detail ~= nil
		return note_without(line, visible.text(key))
	end
end

-- ---- files

-- Another text in a file's place, or none.
local function replace(path, write)
	report.file(path .. ".new", write)
	local ok, why = os.rename(path .. ".new", path)
	if not ok then err.raisef("config", "cannot replace '%s' (%s)", path, why) end
end

-- The file with every line through f (nil: as it is); how many changed. Replaced as a whole, or not at all.
local function rewrite(path, f)
	local changed, lines = 0, {}
	local old = io.open(path, "rb")
	if not old then return 0 end
	for line in old:lines "L" do
		local new = f(line:gsub("\n$", ""))
		changed = changed + (new and 1 or 0)
		lines[#lines + 1] = new and new .. "\n" or line
	end
	old:close()
	if changed == 0 then return 0 end
	replace(path, function(writer)
		for _, line in ipairs(lines) do writer:write(line) end
	end)
	return changed
end

-- The texts of a list through f (nil: as it is); how many changed.
local function change_list(list, f)
	local n = 0
	for i, text in ipairs(type(list) == "table" and list or {}) do
		local new = f(text)
		list[i], n = new or text, n + (new and 1 or 0)
	end
	return n
end

-- A document of JSON: its options and notes may name the contact.
local function rewrite_document(path, key)
	local value = err.try(json.decode, file.read(path) or "")
	if type(value) ~= "table" then return 0 end
	local only = type(value.options) == "table" and value.options.only
	local changed = change_list(only, function(id) return id == key and FORGOTTEN or nil end)
		+ change_list(value.notes, function(note) return note_without(note, key) end)
	if changed == 0 then return 0 end
	replace(path, function(writer) writer:write(json.encode(value, { pretty = true, spell = true }) .. "\n") end)
	return changed
end

-- The folders of all reports of the ledger's runs, the files of --json, and those of --plan.
local function reports(ledger)
	local folders, files, plans = {}, {}, {}
	for row in ledger.db:each "SELECT folder, report, options ->> 'json' AS json, options ->> 'plan' AS plan FROM run" do
		folders[row.folder or ""], folders[row.report or ""] = true, true
		files[row.json or ""], plans[row.plan or ""] = true, true
	end
	folders[""], files[""], plans[""] = nil, nil, nil
	return folders, files, plans
end

local function rewrite_lines(path, key)
	return rewrite(path, function(line) return json_line(line, key) end)
end

local function forget_in_folder(folder, key)
	local n = 0
	for _, name in ipairs { "contacts.jsonl", "issues.jsonl", "values.jsonl", "owned.jsonl", "plan.jsonl",
		"undone.jsonl" } do
		n = n + rewrite_lines(folder .. "/" .. name, key)
	end
	n = n + rewrite(folder .. "/issues.csv", function(line) return report_csv.without(line, key, FORGOTTEN) end)
	for _, name in ipairs { "spool.db", "again.db" } do os.remove(folder .. "/" .. name) end -- of a run that was killed
	local kept = images.of_run(folder, "rw")
	if kept then
		n = n + kept:forget(key)
		kept:close()
	end
	return n + rewrite(folder .. "/report.txt", text_lines(key)) + rewrite_document(folder .. "/report.json", key)
end

-- What was kept of a contact, in counts; none of it is any more.
local function erase(ledger, id)
	local lines, folders, files, plans = 0, reports(ledger)
	for folder in pairs(folders) do lines = lines + forget_in_folder(folder, id) end
	for path in pairs(files) do lines = lines + rewrite_document(path, id) end
	for path in pairs(plans) do lines = lines + rewrite_lines(path, id) end
	local done = ledger:forget(id)
	ledger:export()
	done.lines = lines
	return done
end

local function say_erased(done)
	file.standard "stdout":write(("Forgotten: %d states, %d attempts and %d runs of the ledger, %d lines of reports\n")
		:format(done.states, done.attempts, done.runs, done.lines))
end

local function open_state(options)
	local state = config_of.load { file = options.config }.state
	if file.kind(state) ~= "folder" then err.raisef("config", "there is no state folder '%s'", state) end
	return state
end

-- The ledger with its audit trail, which tells of the erasure without a name.
local function open_ledger(state)
	local ledger = ledger_of.open(state)
	ledger:open_trail(state)
	return ledger
end

--- Erase a contact. Returns the exit code: 1 when nothing was kept of it, which may be a slip in the id.
---@param options { id: string, config: string? }
---@return integer
function M.run(options)
	local state = open_state(options)
	local _ <close> = lock.take(state)
	local ledger <close> = open_ledger(state)
	local done = erase(ledger, options.id)
	if done.states + done.attempts + done.runs + done.lines == 0 then
		log.complain("nothing is kept of the contact '%s' in '%s'; is the id right?", options.id, state)
		return 1
	end
	say_erased(done)
	return 0
end

--- Erase a contact and keep it away from now on.
---@param options { id: string, config: string? }
---@return string state the state folder
function M.for_good(options)
	local state = open_state(options)
	local _ <close> = lock.take(state)
	local ledger <close> = open_ledger(state)
	say_erased(erase(ledger, options.id))
	forgotten_of.open(state):add(options.id)
	return state
end

return M
