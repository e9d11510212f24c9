--- What a run, the prompt and every other script over the systems begin with: settings, mapping, checks, and the systems
--- that they name. Nothing is connected before it is asked for. Knows no system by name.
local checks_of = require "syncrun.model.checks"
local config_of = require "syncrun.flow.config"
local err = require "syncrun.err"
local mapping_of = require "syncrun.model.mapping"
local places = require "syncrun.flow.places"
local registry = require "syncrun.systems.registry"

local M = {}

---@class syncrun.Session
---@field config table
---@field mapping syncrun.Mapping
---@field checks syncrun.Checks
---@field source syncrun.Source
---@field has_usual boolean all of the usual systems are among the targets
---@field targets (syncrun.System|{ label: string, skipped: string })[] those that are not configured say why
local Session = {}
Session.__index = Session
M.Session = Session

--- Open the configured systems.
---@param options { config: string?, on_attempt: fun(info: table)? }? on_attempt is told every request of the source
---@return syncrun.Session
function M.open(options)
	options = options or {}
	local self = setmetatable({ config = config_of.load { file = options.config } }, Session)
	self.mapping = mapping_of.load(self.config.mapping)
	self.checks = checks_of.load(self.config.checks, self.mapping)
	self.source, self.targets = registry.open(self.config, self.mapping, { on_attempt = options.on_attempt })
	self.has_usual = registry.has_usual(self.targets)
	places.check_files({ self.source, table.unpack(self:configured()) }, self.config.state)
	return self
end

--- The targets that are configured.
---@return syncrun.System[]
function Session:configured()
	local list = {}
	for _, target in ipairs(self.targets) do
		if not target.skipped then list[#list + 1] = target end
	end
	return list
end

--- Let go of every connection. Legal at the end of a scope.
function Session:close()
	for _, system in ipairs { self.source, table.unpack(self:configured()) } do err.try(system.close, system) end
end

Session.__close = Session.close

return M
