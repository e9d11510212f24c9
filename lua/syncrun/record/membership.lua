--- That a contact stood in a system in a run, with these very values, or that it did not: a few hundred bytes that are
--- checked against the run's proof.json, and tell of no other contact. lua/README.md says what they convince whom of.
---
--- Both hold the contact's own k and the b that follows from it and the contact_id.
---   inclusion   the path of its leaf in the observed tree, and beside it the row
---   exclusion   the neighbours between which it would stand, in the observed tree and in that of the extras: leaves, which
---               name nobody without a k of their own
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local json = require "syncrun.json"
local tree = require "syncrun.tree"

local M = {}

M.FORMAT = "syncrun-contact/1"

local LEAF, NAME = 64, 32

local function broken(...)
	err.raise { kind = "check", code = "broken", exit = 7, message = string.format(...) }
end

local function frame(form)
	return form and ("%d:%s"):format(#form, form) or "-"
end

local function sha(bytes)
	return crypto.sha256(bytes, "raw")
end

--- A contact's own key, which tells of no other contact.
---@param proof_key string
---@param id string
---@return string 32 raw bytes
function M.key(proof_key, id)
	return crypto.hmac_sha256(proof_key, id, "raw")
end

--- What a contact's leaf begins with.
---@param k string the contact's key
---@param id string
---@return string 32 raw bytes
function M.name(k, id)
	return sha("b" .. k .. frame(id))
end

--- The leaf of one row.
---@param k string the contact's key
---@param columns string[] of the proof: "field type column", the key's first
---@param cells table<integer, string?> canonical forms in their order, the contact_id first
---@return string 64 raw bytes
function M.leaf(k, columns, cells)
	local plain, documents = {}, {}
	for i, column in ipairs(columns) do
		local list = column:match "^[^ ]+ ([^ ]+) " == "json" and documents or plain
		list[#list + 1] = frame(cells[i])
	end
	local d = sha(sha(table.concat(plain)) .. sha(table.concat(documents)))
	return M.name(k, cells[1]) .. crypto.hmac_sha256(k, d, "raw")
end

-- ---- making

local function head_of(about, k, name)
	return { format = M.FORMAT, run = about.run, proof = about.proof, system = about.label,
		k = crypto.base64_encode(k), b = crypto.base64_encode(name) }
end

local function stretch(leaves, from, to)
	local bytes = {}
	for i = from, to - 1 do bytes[#bytes + 1] = leaves:at(i) end
	return { from = from, leaves = crypto.base64_encode(table.concat(bytes)),
		path = crypto.base64_encode(leaves:range(from, to)) }
end

-- The leaves next to where a name would stand; nil in an empty tree.
local function neighbours(leaves, name)
	if not leaves or #leaves == 0 then return nil end
	local at = leaves:find(name)
	return stretch(leaves, math.max(at - 1, 0), math.min(at + 1, #leaves))
end

local function is_in(leaves, name)
	if not leaves or #leaves == 0 then return false end
	local at = leaves:find(name)
	return at < #leaves and leaves:at(at):sub(1, NAME) == name, at
end

---@class syncrun.MembershipOf what a proof of a contact is about
---@field run string
---@field proof string hex, the SHA-256 of the whole proof.json
---@field label string of the system

--- The proof about a contact in one system: of inclusion where it is among the observed leaves, else of exclusion; nil where
--- it is among the extras (its row is not in the proof).
---@param about syncrun.MembershipOf
---@param k string the contact's key
---@param id string
---@param observed syncrun.TreeLeaves
---@param extras syncrun.TreeLeaves?
---@return table?
function M.of(about, k, id, observed, extras)
	local name = M.name(k, id)
	local document = head_of(about, k, name)
	local there, at = is_in(observed, name)
	if there then
		document.index, document.path = at, crypto.base64_encode(observed:inclusion(at))
		return document, observed:at(at)
	end
	if is_in(extras, name) then return nil end
	document.observed, document.extras = neighbours(observed, name), neighbours(extras, name)
	return document
end

--- Its text: one line of JSON.
---@param document table
---@return string
function M.text(document)
	return json.encode(json.object(document)) .. "\n"
end

-- ---- checking

local function bytes_of(text, what)
	local bytes = type(text) == "string" and err.try(crypto.base64_decode, text)
	return bytes or broken("the proof about a contact is damaged (%s)", what)
end

local function number_of(value, what)
	if math.type(value) == "integer" and value >= 0 then return value end
	broken("the proof about a contact is damaged (%s)", what)
end

local function check_included(document, k, id, cells, system)
	if type(cells) ~= "table" or cells[1] ~= id then broken("the row is not that of the contact '%s'", id) end
	if #cells ~= #system.columns then broken("the row has %d cells, not %d", #cells, #system.columns) end
	local values = {}
	for i, cell in ipairs(cells) do values[i] = cell ~= json.null and cell or nil end
	local leaf = M.leaf(k, system.columns, values)
	if not tree.check_inclusion(leaf, number_of(document.index, "index"), system.observed_size,
		bytes_of(document.path, "path"), crypto.unhex(system.observed_root)) then
		broken("%s: this row of the contact is not in the run's proof", system.label)
	end
end

-- The stretch of leaves is in the tree, and the name would stand between two of its leaves, or at an end of the tree.
local function check_between(span, name, size, root, what)
	if size == 0 then return end
	if type(span) ~= "table" then broken("the neighbours are missing (%s)", what) end
	local from, leaves = number_of(span.from, what), bytes_of(span.leaves, what)
	local n = #leaves // LEAF
	if #leaves % LEAF ~= 0 or n < 1 or n > 2
		or not tree.check_range(leaves, LEAF, from, size, bytes_of(span.path, what), crypto.unhex(root)) then
		broken("the neighbours are not in the run's proof (%s)", what)
	end
	local first, last = leaves:sub(1, NAME), leaves:sub(-LEAF, NAME - LEAF - 1)
	local between = n == 2 and first < name and name < last
	if not (between or n == 1 and from == 0 and name < first or n == 1 and from == size - 1 and last < name) then
		broken("the contact does not stand between these neighbours (%s)", what)
	end
end

--- Check a proof about a contact against the run's proof.json, whose own digest was checked. Raises kind check (exit 7).
---@param document table as M.of made it
---@param cells table? of an inclusion: the row, canonical forms in the order of the proof's columns, json.null for NULL
---@param id string the contact
---@param fields table of the proof.json
---@param digest string hex, of the whole proof.json
---@return boolean included
function M.check(document, cells, id, fields, digest)
	if document.format ~= M.FORMAT then broken("it is no proof about a contact") end
	if document.proof ~= digest or document.run ~= fields.run then broken("it is about another proof.json") end
	local system
	for _, candidate in ipairs(fields.systems) do
		if candidate.label == document.system and candidate.state == "compared" then system = candidate end
	end
	if not system then broken("the run's proof has no roots of the system '%s'", tostring(document.system)) end
	local k = bytes_of(document.k, "k")
	local name = M.name(k, id)
	if bytes_of(document.b, "b") ~= name then broken("it is not about the contact '%s'", id) end
	if document.index then
		check_included(document, k, id, cells, system)
		return true
	end
	check_between(document.observed, name, system.observed_size, system.observed_root, "observed")
	check_between(document.extras, name, system.extras_size, system.extras_root, "extras")
	return false
end

return M
