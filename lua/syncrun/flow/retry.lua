--- The failed contacts of the last run, synced again. Which they are is read in the ledger.
local config_of = require "syncrun.flow.config"
local err = require "syncrun.err"
local file = require "syncrun.file"
local ledger_of = require "syncrun.record.ledger"
local lock = require "syncrun.record.lock"
local log = require "syncrun.log"

local M = {}

local BY_KEY = 5000 -- more are looked at in a whole run

-- The last run that looked at contacts, and the keys it left failed.
local function look(state)
	if file.kind(state .. "/ledger.db") ~= "file" then
		err.raisef("config", "there is no ledger in '%s': nothing was run yet; run scripts/full_sync.lua", state)
	end
	local _ <close> = lock.take(state)
	local ledger <close> = ledger_of.open(state)
	local last = ledger:last_run()
	if not last then err.raisef("config", "the ledger in '%s' knows no run; run scripts/full_sync.lua", state) end
	return last, ledger:failures(last.id)
end

--- Choose what a run is to look at: options.only becomes the failed contacts, or stays nil for all. Returns the exit code
--- when there is nothing to run.
---@param options table list, config, report, json, deadline, quiet
---@return integer?
function M.choose(options)
	local last, keys = look(config_of.load { file = options.config }.state)
	if options.list then
		local out = file.standard "stdout"
		for _, key in ipairs(keys) do out:write(key .. "\n") end
		return 0
	end
	options.list = nil
	options.again = true -- what a server changes on write too: it may have been mended
	if last.status ~= "finished" then
		log.info("run %d did not come to its end: all contacts are looked at", last.id)
	elseif #keys == 0 then
		log.info("run %d left no contact failed: nothing to do", last.id)
		return 0
	elseif #keys <= BY_KEY then
		options.only = keys
	end
	return nil
end

return M
