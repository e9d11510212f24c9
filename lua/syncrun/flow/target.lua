--- One target of a run: its system, what the mapping makes for it, and what became of it so far. What happens in one look
--- at the system is flow/pass.lua's; this stays for the whole run. Knows no system by name.
local evidence = require "syncrun.flow.evidence"
local images = require "syncrun.record.images"
local judge = require "syncrun.model.judge"
local pass = require "syncrun.flow.pass"
local rows = require "syncrun.rows"
local server_changes = require "syncrun.flow.server_changes"
local second_look = require "syncrun.flow.second_look"
local values = require "syncrun.model.values"

local M = {}

---@class syncrun.Target
---@field system syncrun.System
---@field label string
---@field snapshot syncrun.Snapshot
---@field ledger syncrun.Ledger
---@field images syncrun.Images what the run changes, as it was before
---@field judge syncrun.Judge
---@field tally syncrun.Tally of the values of the last pass
---@field changes syncrun.Changes? what the plan found to do
---@field merged table<string, string> who was merged into another contact there, in words, by key
---@field wrote boolean? something was sent
---@field evidence syncrun.Evidence
---@field server_changes syncrun.ServerChanges
---@field write_again boolean? also what the server changed when it was written last
---@field lost syncrun.Error? why the system is not looked at any more
local Target = {}
Target.__index = Target

local RECHECK_AFTER = 0.2 -- seconds before a difference is looked at again

local function plan_for(model_schema, projection, wanted)
	local columns = {}
	for _, column in ipairs(projection) do
		if wanted[column.own] then columns[#columns + 1] = column end
	end
	return rows.plan(model_schema, columns)
end

--- The plan from the model's rows to the expected row: the fields that the source rules.
---@param system syncrun.System
---@param model_schema syncrun.Schema
---@return syncrun.Plan
function M.expected_plan(system, model_schema)
	return plan_for(model_schema, system:projection(), { source = true })
end

local function owned_plan(schema, projection, own)
	local columns = values.owned_columns(projection, own)
	return columns and rows.plan(schema, columns)
end

---@class syncrun.TargetOptions
---@field write_again boolean? also what the server changed when it was written last
---@field by_key boolean only some contacts are looked at, each by its key
---@field checks syncrun.Checks
---@field trace_folds boolean?
---@field recheck_after number? seconds before a second look
---@field images syncrun.Images?
---@field on_progress fun()?

--- A target of a run.
---@param system syncrun.System
---@param snapshot syncrun.Snapshot
---@param ledger syncrun.Ledger
---@param options syncrun.TargetOptions
---@return syncrun.Target
function M.new(system, snapshot, ledger, options)
	local projection, schema = system:projection(), snapshot.schema
	local self = setmetatable({
		system = system, label = system.label, snapshot = snapshot, ledger = ledger, key = projection[1].name,
		key_field = projection[1].field.name, projection = projection, by_key = options.by_key,
		write_again = options.write_again, trace_folds = options.trace_folds,
		recheck_after = options.recheck_after or RECHECK_AFTER,
		judge = judge.new(system, options.checks), evidence = evidence.none(), merged = {},
		images = options.images or images.none(),
		on_progress = options.on_progress or function() end,
		plans = {
			expected = M.expected_plan(system, schema), write = plan_for(schema, projection, { source = true, once = true }),
			once = owned_plan(schema, projection, "once"), owned = owned_plan(schema, projection),
		},
		counts = { same = 0, created = 0, updated = 0, revived = 0, rejected = 0, failed = 0, extra = 0, lost = 0 },
	}, Target)
	self.field_of = self.judge.field_of
	self.server_changes = server_changes.of(self)
	self.tally = values.tally(self.plans.expected:schema():names())
	return self
end

--- Record something about a contact: a line of the report.
---@param key string
---@param phase "sync"|"validate"|"tolerated"
---@param kind string
---@param reason string
---@param more table? field, actual, expected, stored, state (of the ledger, that this makes of the contact)
function Target:note(key, phase, kind, reason, more)
	local finding = more or {}
	finding.key, finding.system, finding.phase, finding.kind, finding.reason = key, self.label, phase, kind, reason
	self.snapshot:note(finding)
end

--- Record a verdict: a line for each thing that is wrong.
---@param key string
---@param v syncrun.Verdict
---@param page syncrun.Rows? what was read
---@param made boolean? the server made what differs
function Target:note_verdict(key, v, page, made)
	if v.state == "verified" then return end
	if v.passes then
		self:note(key, "tolerated", v.kind, judge.words(v, self.label), { state = v.state })
	elseif v.kind == "mismatched" then
		local by = made and server_changes.WORDS or self.system.edited and self.system:edited(page, v.row)
		for _, d in ipairs(v.differences) do
			self:note(key, "validate", "mismatched", ("%s: %s%s"):format(self.label, d.text, by and (" (%s)"):format(by) or ""),
				{ field = d.column, actual = d.actual, expected = d.expected, state = v.state })
		end
	elseif v.kind == "missing" or v.kind == "repeated" then
		self:note(key, "validate", v.kind, judge.words(v, self.label), { state = v.state })
	end -- a lost value is noted with the page, and once more when the pass is over
end

--- A page of the model as it should be in this system, and what became of its values.
---@param model syncrun.Rows
---@return syncrun.Rows, syncrun.Counts
function Target:expected(model)
	return self.plans.expected:apply(model)
end

--- How far this target is, in words.
---@return string
function Target:progress()
	if self.judged then return "done" end
	local written = self.counts.created + self.counts.updated
	local looked = self.synced and self.snapshot.total or math.max(self.pass and self.pass.seen or 0, written)
	return ("%d of %d contacts looked at, %d written, not read back%s"):format(looked, self.snapshot.total, written,
		self.lost and (" (%s)"):format(self.lost.message) or "")
end

--- A rule of the system may change what is expected of a contact, seeing what is there.
---@param expected syncrun.Rows its row i may be changed
---@param i integer
---@param found syncrun.Rows
---@param j integer
---@return boolean whether it was changed
function Target:amend(expected, i, found, j)
	return self.system.amend ~= nil and self.system:amend(expected, i, found, j)
end

--- How many of the good contacts this target is through with.
---@return integer
function Target:done()
	return self.finished or (self.pass and self.pass:done() or 0)
end

--- Look what this run would change. Where nothing differs that is the validation already.
function Target:plan()
	pass.run(self, "plan")
	if self.on_planned then self.on_planned() end
	if self.changes.n == 0 then self:finish() end
end

--- Write what differs, as planned. A pass that then wrote nothing is the validation already.
function Target:write()
	if self.changes.n == 0 then return end
	self.snapshot:forget(self.label, true)
	pass.run(self, "write")
	self:finish()
end

--- Compare only.
function Target:look()
	pass.run(self, "validate")
	self:finish()
end

--- This target is through with every contact.
function Target:finish()
	self.finished, self.synced = self.snapshot.total, true
end

--- Step 2: read back, whole, what was written to; look again at what differs; judge every contact.
function Target:validate()
	if self.wrote then
		self.snapshot:forget(self.label)
		pass.run(self, "validate")
	end
	second_look.run(self)
	self.snapshot:find_lost(self.label)
	self.ledger:judge(self.system.name, self.reading, self.snapshot:wrong(self.label))
	self.server_changes:keep()
	self.judged = true
end

--- The system was lost: every contact of it that was not confirmed is an error, none counts as checked.
---@param e syncrun.Error
function Target:lose(e)
	self.lost = e
	self.snapshot:forget(self.label)
	if not self.synced then
		self.snapshot:note_lost(self.label, "sync", ("%s: %s"):format(self.label, e.message))
	end
	self.snapshot:note_lost(self.label, "validate", ("Not checked in %s"):format(self.label))
end

return M
