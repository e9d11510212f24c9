--- May the role of the key write people? Tried by a create that cannot succeed: two people of one id and one contactId. Where
--- the role may write every field and read the answer it is refused as a duplicate, else as denied; nothing is made either way
--- (seen on 2.21; tests/recordings/twenty-roles.jsonl). An upsert asks for no more: it needs the same right, and writes
--- deletedAt, which the trial names too.
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local json = require "syncrun.json"
local rights = require "syncrun.systems.twenty.rights"

local M = {}

local CREATE = "mutation($data:[PersonCreateInput!]!){createPeople(data:$data){%s}}"
local DESTROY = "mutation($id:UUID!){destroyPerson(id:$id){id}}"

-- A composite without its parts would name no column.
local EMPTY = {
	FULL_NAME = { firstName = "", lastName = "" },
	EMAILS = { primaryEmail = "", additionalEmails = json.array {} },
	PHONES = { primaryPhoneNumber = "", additionalPhones = json.array {} },
}

-- A person of whom every field that a run writes is named.
local function person(columns, id, without)
	local data = { deletedAt = json.null }
	for _, column in ipairs(columns) do
		if column.own ~= "target" then data[column.twenty] = EMPTY[column.kind] or json.null end
	end
	for name in pairs(without) do data[name] = nil end
	data.id, data[columns[1].twenty] = id, "syncrun-trial-" .. id
	return data
end

local function taken(client, id)
	err.try(client.graphql, client, DESTROY, { id = id }, { read = true })
	local message = "took two people of one id, so no write to it is safe (contactId syncrun-trial-%s)"
	err.raise(client:odd("trial", message:format(id)))
end

-- Raises unless it was refused for what it is: a duplicate.
local function try(client, columns, selection, without)
	local id = crypto.uuid()
	local one = person(columns, id, without)
	local body, e = err.try(client.graphql, client, CREATE:format(selection), { data = json.array { one, one } },
		{ read = true })
	if body then taken(client, id) end
	if not e.reject then err.raise(e) end
end

--- Try it: the error that says what is denied, or nil. Raises when Twenty is out of reach.
---@param client syncrun.TwentyClient
---@param columns syncrun.TwentyColumn[] the key first
---@param selection string what of a person is read
---@return syncrun.Error?
function M.run(client, columns, selection)
	local function ask(without) try(client, columns, selection, without) end
	local _, e = err.try(ask, {})
	if not e then return nil end
	if not e.denied then err.raise(e) end
	return rights.explain(client.name, e, "write", ask)
end

return M
