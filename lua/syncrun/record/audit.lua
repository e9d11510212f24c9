--- The form of the audit trail: records in a chain, and what they commit to. A record is one JSON object; its hash is
--- SHA-256(hash of the one before ‖ its bytes), the first one's before is 32 zero bytes. A line of the trail is
--- {"hash":"<hex>","record":<the record>}, so that a record's bytes are plain to see.
---
--- Whom a record is about, and with which values, stands in none: its member `items` holds a commitment for each of them,
--- HMAC-SHA256(r, frame(n) ‖ frame(i) ‖ frame(field) ‖ frame(key) ‖ frame(value)) with a random r, one behind the other, in
--- base64. frame(x) is the decimal length of x in bytes, ":", x; n is the record's number and i the item's, from 1. Who has r
--- and the value can check it; without r nothing can be guessed. Knows no database: record/ledger_audit.lua keeps it.
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local json = require "syncrun.json"
local rows = require "syncrun.rows"

local M = {}

--- What the first record's hash goes on from, in hex.
M.ZERO = ("0"):rep(64)

local R_BYTES, HASH_BYTES = 16, 32

local function frame(value)
	local text = tostring(value)
	return #text .. ":" .. text
end

-- What of a commitment's message is the record's, and what is the item's.
local function message(of_record, i, item)
	return ("%s%s%d:%s%d:%s%d:%s"):format(of_record, frame(i), #item.field, item.field, #item.key, item.key, #item.value,
		item.value)
end

---@class syncrun.AuditItem
---@field field string "contact", or a field whose value changed
---@field key string the contact
---@field value string

-- As the ledger keeps them beside their record.
local KEPT = rows.schema { { "i", "int64" }, { "key", "text" }, { "field", "text" }, { "r", "bytes" },
	{ "value", "bytes" } }

--- Commit to items. Returns the text for the record, and a page of what opens it: i, key, field, r, value.
---@param n integer the record's number
---@param items syncrun.AuditItem[]
---@return string, syncrun.Rows
function M.commit(n, items)
	local random, hashes, page = crypto.random(R_BYTES * #items), {}, rows.new(KEPT)
	local of_record = frame(n)
	for i, item in ipairs(items) do
		local r = random:sub(R_BYTES * (i - 1) + 1, R_BYTES * i)
		hashes[i] = crypto.hmac_sha256(r, message(of_record, i, item), "raw")
		page:add { i = i, key = item.key, field = item.field, r = r, value = item.value }
	end
	return crypto.base64_encode(table.concat(hashes)), page
end

--- Whether a record commits to this item by this r.
---@param record { n: integer, items: string? }
---@param i integer
---@param item syncrun.AuditItem
---@param r string
---@return boolean
function M.opens(record, i, item, r)
	local hashes = record.items and err.try(crypto.base64_decode, record.items) or ""
	local hash = hashes:sub(HASH_BYTES * (i - 1) + 1, HASH_BYTES * i)
	return hash == crypto.hmac_sha256(r, message(frame(record.n), i, item), "raw")
end

--- The bytes of a record.
---@param record table
---@return string
function M.text(record)
	return json.encode(json.object(record))
end

--- A record's hash, in hex.
---@param before string the hash of the one before, in hex
---@param text string
---@return string
function M.hash(before, text)
	return crypto.sha256(crypto.unhex(before) .. text)
end

--- A record's line, with its line end.
---@param hash string
---@param text string
---@return string
function M.line(hash, text)
	return ('{"hash":"%s","record":%s}\n'):format(hash, text)
end

-- How many bytes of a line are not the record's.
local AROUND = #M.line(M.ZERO, "")

--- How long a record's line is, in bytes.
---@param text string
---@return integer
function M.line_length(text)
	return #text + AROUND
end

local LINE = '^{"hash":"(' .. ("[0-9a-f]"):rep(64) .. ')","record":({.*})}$'

--- The hash and the record of a line without its end; nil when it is none.
---@param line string
---@return string? hash, string? text
function M.read_line(line)
	return line:match(LINE)
end

return M
