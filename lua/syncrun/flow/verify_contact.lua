--- Proofs about one contact: made for each system that a run compared, checked at once, and checked again by who is given
--- them. Knows no system by name.
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local exits = require "syncrun.flow.exits"
local file = require "syncrun.file"
local json = require "syncrun.json"
local live = require "syncrun.flow.verify_live"
local membership = require "syncrun.record.membership"
local proof = require "syncrun.record.proof"
local tree = require "syncrun.tree"

local M = {}

local LEAF = 64

local function refuse(...)
	err.raise { kind = "config", exit = exits.usage, message = string.format(...) }
end

-- ---- a row as JSON: bytes that are no text stand in base64

local function to_json(cells, n)
	local list = json.array {}
	for i = 1, n do
		local cell = cells[i]
		list[i] = cell == nil and json.null or utf8.len(cell) and cell
			or json.object { base64 = crypto.base64_encode(cell) }
	end
	return list
end

local function from_json(list)
	local cells = {}
	for i, cell in ipairs(list or {}) do
		cells[i] = type(cell) == "table" and cell.base64 and crypto.base64_decode(cell.base64) or cell
	end
	return cells
end

-- ---- making

local function open_side(verification, fields, proved, side)
	local path = verification:leaves(fields, proved, side)
	return path and tree.open(path, LEAF)
end

--- The proof about a contact in one system, without its row; nil where the contact is an extra there.
---@param verification syncrun.Verification
---@param fields table of the run's proof
---@param digest string hex, of the whole proof.json
---@param proved table what it says of the system
---@param k string the contact's key
---@param id string
---@return table? document, string? leaf of an inclusion
function M.document(verification, fields, digest, proved, k, id)
	local observed <close> = open_side(verification, fields, proved, "observed")
		or refuse("the leaves of the run '%s' are no longer kept (those of the last three runs are)", fields.run)
	local extras <close> = open_side(verification, fields, proved, "extras")
	return membership.of({ run = fields.run, proof = digest, label = proved.label }, k, id, observed, extras)
end

local WORDS = {
	extra = "the contact is there, but the source did not have it: its values are not in the proof",
	changed = "it was there, but the row that is there now is another; a row that is gone cannot be proved",
	unread = "it was there, but the system is not configured here, so its row cannot be read",
	absent = "not there: neither among the contacts of the source nor beside them",
	included = "there, with the values of this row",
}

local function is_configured(session, label)
	for _, system in ipairs(session:configured()) do
		if system.label == label then return true end
	end
end

local function one(verification, fields, digest, session, proved, k, id)
	local document, leaf = M.document(verification, fields, digest, proved, k, id)
	if not document then return "extra" end
	if not leaf then
		membership.check(document, nil, id, fields, digest)
		return "absent", { proof = document }
	end
	if not is_configured(session, proved.label) then return "unread" end
	local cells = live.row(session, live.system(session, proved.label), proved, id)
	if not cells or membership.leaf(k, proved.columns, cells) ~= leaf then return "changed" end
	local row = to_json(cells, #proved.columns)
	membership.check(document, from_json(row), id, fields, digest)
	return "included", { proof = document, row = row }
end

--- A proof about a contact for every system that the run compared: a line of JSON each, { proof =, row = }.
---@param verification syncrun.Verification
---@param fields table of the run's proof
---@param digest string hex, of the whole proof.json
---@param session syncrun.Session
---@param k string the contact's key
---@param id string
---@param label string? only of this system
---@return { label: string, found: "included"|"absent"|"extra"|"changed"|"unread", words: string, line: string? }[]
function M.make(verification, fields, digest, session, k, id, label)
	local list = {}
	for _, proved in ipairs(fields.systems) do
		if proved.state == "compared" and (not label or proved.label == label) then
			local found, given = one(verification, fields, digest, session, proved, k, id)
			list[#list + 1] = { label = proved.label, found = found, words = WORDS[found],
				line = given and json.encode(given) .. "\n" }
		end
	end
	return list
end

-- ---- checking what was given

local function check_line(line, number, path, id, fields, digest)
	local given = err.try(json.decode, line)
	if type(given) ~= "table" or type(given.proof) ~= "table" then
		refuse("line %d of '%s' is no proof about a contact", number, path)
	end
	local included = membership.check(given.proof, from_json(given.row), id, fields, digest)
	return { label = given.proof.system, found = included and "included" or "absent",
		words = WORDS[included and "included" or "absent"] }
end

--- Check proofs about a contact that were given: no state folder is needed, only the run's proof.json. Raises kind check
--- (exit 7) when one does not hold.
---@param path string of the lines of JSON
---@param id string
---@param proof_path string
---@return { label: string, found: string, words: string }[], table fields
function M.check(path, id, proof_path)
	local fields, digest = proof.read(proof_path)
	local text = file.read(path) or refuse("there is no file '%s'", path)
	local list = {}
	for line in text:gmatch "[^\n]+" do
		list[#list + 1] = check_line(line, #list + 1, path, id, fields, digest)
	end
	if #list == 0 then refuse("'%s' holds no proof about a contact", path) end
	return list, fields
end

return M
