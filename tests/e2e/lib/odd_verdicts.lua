-- Holds a run's report to the verdicts that the sandbox's odd contacts state beforehand: odd_verdicts.lua REPORT_DIR
-- MAPPING.lua. Prints every cell that differs; exit code 1 when there is one. A contact's value went through the mapping and then
-- the system's projection: the worse of both counts, and a refusal by the server itself as rejected.
local json = require "syncrun.json"
local mapping = require "syncrun.model.mapping".load(arg[2])
local odd = require "sandbox.people.odd"

local LABELS = { postgres = "Supabase", sqlite = "Local", twenty = "CRM" }
local RANK = { exact = 0, folded = 1, lost = 2, rejected = 3 }
local TWENTY = { canonical_name = "name", email = "emails.primaryEmail", phone = "phones.primaryPhoneNumber" }
local problems, cells = {}, 0

local function lines_of(name)
	local list = {}
	for line in io.lines(arg[1] .. "/" .. name) do list[#list + 1] = json.decode(line) end
	return list
end

local function column_of(system, field)
	if system ~= "twenty" then return field end
	return TWENTY[field] or mapping.by_name[field].targets.twenty.name
end

local function key_of(id, system, field)
	return table.concat({ id, system, field }, "\0")
end

-- What the report says: by contact, system and field; and the contacts that a server refused, by contact and system.
local said, refused, unfit = {}, {}, {}
for _, line in ipairs(lines_of "values.jsonl") do
	local id = line.contact_id == json.null and "" or line.contact_id
	said[key_of(id, line.system, line.field)] = line.fate
	if line.fate ~= "folded" then unfit[#unfit + 1] = { id = id, label = line.system, field = line.field } end
end
for _, line in ipairs(lines_of "issues.jsonl") do
	if line.phase == "sync" and line.kind == "rejected" then refused[line.contact_id .. "\0" .. line.system] = true end
	if line.phase == "sync" and line.kind == "source" then
		refused[line.contact_id == json.null and "" or line.contact_id] = true
	end
end

local function worse(a, b)
	return RANK[a or "exact"] >= RANK[b or "exact"] and a or b
end

local function found(entry, system)
	local id, label = entry.id or "", LABELS[system]
	if refused[id] or refused[id .. "\0" .. label] then return "rejected" end
	return worse(said[key_of(id, "BigQuery", entry.field)], said[key_of(id, label, column_of(system, entry.field))])
		or "exact"
end

local expected = {} -- cells that may be lost or rejected
for _, entry in ipairs(odd.list()) do
	for system in pairs(LABELS) do
		local got, want = found(entry, system), entry.verdict[system]
		cells = cells + 1
		expected[key_of(entry.id or "", LABELS[system], column_of(system, entry.field))] = true
		if got ~= want then
			problems[#problems + 1] = ("%s (%s) in %s: the report says %s, the table %s"):format(entry.what,
				entry.id or "null", LABELS[system], got, want)
		end
	end
end
for _, cell in ipairs(unfit) do
	if not expected[key_of(cell.id, cell.label, cell.field)] then
		problems[#problems + 1] = ("%s: %s of %s is unfit, which no verdict says"):format(cell.label, cell.field, cell.id)
	end
end

for _, problem in ipairs(problems) do print(problem) end
print(("%d cells, %d differ"):format(cells, #problems))
return #problems == 0 and 0 or 1
