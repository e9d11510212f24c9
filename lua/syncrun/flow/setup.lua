--- Set-up of the configured systems: what the mapping needs and does not find is shown, or made.
local config_of = require "syncrun.flow.config"
local err = require "syncrun.err"
local file = require "syncrun.file"
local mapping_of = require "syncrun.model.mapping"
local report = require "syncrun.flow.report"
local systems = require "syncrun.systems.registry"

local M = {}

local function show(say, system, found)
	if #found == 0 then
		say("%s: all there", system.label)
		return 0
	end
	local open = 0
	for _, item in ipairs(found) do
		say("%s: %s%s", system.label, report.plain(item.what), item.done and "" or item.sql == nil and item.fix or "")
		if not item.done then open = open + 1 end
	end
	return open
end

--- Run the set-up. Returns the exit code: 0 nothing is missing any more, 1 something is, 2 or 3 as always.
---@param options { apply: boolean?, config: string? }
---@return integer
function M.run(options)
	local config = config_of.load { file = options.config }
	local mapping = mapping_of.load(config.mapping)
	local _, targets = systems.open(config, mapping)
	local say, open, code = report.stdout(false), 0, nil
	local list = systems.configured(targets)
	local found, errors = systems.each(list, function(system) return system:setup(options.apply == true) end)
	for i, system in ipairs(list) do
		if found[i] then open = open + show(say, system, found[i]) end
		err.try(system.close, system)
	end
	for _, target in ipairs(targets) do
		if target.skipped then say("%s: not configured (%s)", target.label, target.skipped) end
	end
	for _, failed in ipairs(errors) do
		file.standard "stderr":write(("syncrun: %s: %s\n"):format(failed.system.label, report.plain(failed.error.message)))
		code = math.max(code or 0, failed.error.exit or 3)
	end
	if code then return code end
	if open > 0 and not options.apply then say "run again with --apply to make what is missing" end
	return open > 0 and 1 or 0
end

return M
