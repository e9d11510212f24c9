--- The leaves of a proof: collected while a system is compared, page by page in C, and written to files with their roots.
--- lua/README.md says what a leaf is.
local c = require "_syncrun.leaves"
local rows = require "syncrun.rows"
local task = require "syncrun.task"

local M = {}

---@class syncrun.LeafMemo
---@field seal fun(self, bad: integer[]) the source is read; bad: the numbers of its rows that are not synced, from 1, rising
---@field forget fun(self) the source is read anew
---@field close fun(self) legal twice, and at the end of a scope

local DIGESTS = rows.schema { { "key", "text" }, { "digest", "bytes" } }

--- A page of the source, as it comes: what is to be known of its rows. Returns their keys and short digests, as
--- rows.digests does.
---@param memo syncrun.LeafMemo
---@param page syncrun.Rows of the model
---@return syncrun.Rows
function M.see(memo, page) return memo:see(page, DIGESTS) end

--- What is known of each contact from its model row, shared by the systems of a run: computed when the source is read, or
--- else by the system that comes first.
---@param key string the proof key, 32 raw bytes
---@param schema syncrun.Schema of the model
---@param column string the key's
---@param scratch string path of a scratch file that is nameless at once
---@return syncrun.LeafMemo
function M.memo(key, schema, column, scratch) return c.memo(key, schema, column, scratch) end

---@class syncrun.Leaves
---@field restart fun(self) a pass begins anew: what was collected is forgotten
---@field expected fun(self, page: syncrun.Rows, model: syncrun.Rows, except: integer[], skip: integer[]?) the next page of
--- expected rows and the model rows it was made of, which were all found equal but the excepted ones; some may be left out
---@field observed fun(self, page: syncrun.Rows, rows: integer[]) rows read of expected contacts: that differ, or are repeated
---@field extra fun(self, page: syncrun.Rows, rows: integer[]) rows read of contacts that are not expected
---@field revised fun(self, expected: syncrun.Rows, i: integer, page: syncrun.Rows?, rows: integer[]?) looked at again: what is
--- expected of it now, and all rows there are of it
---@field close fun(self) legal twice, and at the end of a scope

--- A collection for one system.
---@param memo syncrun.LeafMemo
---@param plan syncrun.Plan that makes the expected rows
---@param like syncrun.Schema the columns of them that count
---@param column string the key's
---@param scratch string path of a scratch file that is nameless at once
---@return syncrun.Leaves
function M.new(memo, plan, like, column, scratch) return c.new(memo, plan, like, column, scratch) end

---@class syncrun.LeafSide
---@field size integer
---@field root string 32 raw bytes

local STEP = 50000 -- leaves written before others get their turn

--- The pass is over: write the leaves, 64 bytes each, rising. The file of the observed side is made only when the sides differ,
--- that of the extras only when there are some. On the disk when this returns.
---@param leaves syncrun.Leaves
---@param paths { expected: string, observed: string, extras: string }
---@return { expected: syncrun.LeafSide, observed: syncrun.LeafSide, extras: syncrun.LeafSide, equal: boolean,
--- repeated: integer } repeated: contacts that the system holds more than once
function M.write(leaves, paths)
	leaves:write(paths.expected, paths.observed, paths.extras)
	while true do
		local sides = leaves:step(STEP)
		if sides then return sides end
		task.sleep(0)
	end
end

return M
