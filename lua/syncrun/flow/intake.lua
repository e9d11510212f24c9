--- The source's contacts on their way into the run's snapshot: mapped, judged by the mapping and the user's checks, counted.
--- And, at the end, whether the source still is what it was. Knows no system by name.
local err = require "syncrun.err"
local log = require "syncrun.log"
local rows = require "syncrun.rows"
local snapshot_of = require "syncrun.flow.snapshot"
local values = require "syncrun.model.values"

local M = {}

---@class syncrun.Intake
---@field session syncrun.Session
---@field snapshot syncrun.Snapshot
---@field ledger syncrun.Ledger
---@field prover syncrun.Prover
---@field selection syncrun.Selection
---@field trace_folds boolean?
---@field forgotten syncrun.Forgotten whom to keep out
---@field kept_out integer rows of theirs in the source
---@field on_too_long fun(n: integer, count: integer) told of more rows than the source has; it may raise
---@field tally syncrun.Tally what the mapping made of the values
---@field described table the source as it was before it was read
---@field described_after table and after that
local Intake = {}
Intake.__index = Intake

--- What reads the source for a run.
---@param o { session: syncrun.Session, snapshot: syncrun.Snapshot, ledger: syncrun.Ledger, prover: syncrun.Prover,
--- selection: syncrun.Selection, trace_folds: boolean?, forgotten: syncrun.Forgotten,
--- on_too_long: fun(n: integer, count: integer)? }
---@return syncrun.Intake
function M.new(o)
	local self = setmetatable({ on_too_long = function() end, kept_out = 0 }, Intake)
	for name, value in pairs(o) do self[name] = value end
	self.label, self.mapping = o.session.source.label, o.session.mapping
	return self
end

-- ---- one page

local function is_without_value(page, i, field)
	local text = page:text(i, field.name)
	return text == nil or (text == "" and field.type == "text")
end

-- A required value is judged once, before anything is sent: the contact goes to no system.
local function reject_without_required(self, page, first, failed)
	for _, field in ipairs(self.mapping.fields) do
		if field.required and field.name ~= self.mapping.key then
			for i = 1, #page do
				if not failed[i] and is_without_value(page, i, field) then
					self.snapshot:reject(first + i, ("%s is required"):format(field.name))
				end
			end
		end
	end
end

-- The user's own rules judge, they never stop a run.
local function judge_by_checks(self, page, first, failed)
	local checks = self.session.checks
	if #checks.contact == 0 then return end
	for i, contact in page:each() do
		for _, wrong in ipairs(failed[i] and {} or checks:issues(contact)) do
			self.snapshot:note { pos = first + i, system = self.label, phase = "validate", kind = "check",
				reason = ("%s: %s"):format(self.label, wrong) }
		end
	end
end

-- What the mapping itself folds, or cannot carry over: the latter keeps a contact from every system, unless it is declared
-- that it may be written.
local function note_fate(self, page, i, pos, fate)
	local field = self.mapping.by_name[fate.column]
	local on_loss, hint = field.on_loss, fate.fate == "rejected" and field.cast_hint or ""
	local what, stored = values.reason(page, i, fate, on_loss) .. hint, page:text(i, fate.column)
	local reason = ("%s: %s"):format(self.label, what)
	self.snapshot:note_fate { pos = pos, system = self.label, field = fate.column, fate = fate.fate, note = fate.note,
		stored = stored, reason = reason }
	if fate.fate == "rejected" or (fate.fate == "lost" and on_loss == "reject") then
		self.snapshot:reject(pos, what)
	elseif fate.fate == "lost" then
		self.snapshot:note { pos = pos, system = self.label, phase = "validate", kind = "lost", field = fate.column,
			stored = stored, reason = reason }
	end
end

-- What the mapping makes of a page of the source, without those who must stay away since they were erased.
local function admit(self, page, to_model)
	local model, counts, failed = to_model(page)
	local others = self.forgotten:others(model, self.mapping.key)
	if not others then return model, counts, failed end
	return to_model(page:pick(others))
end

-- failed: the rows of which a transform failed. They go to no system, and what is left of them is not judged.
local function take_page(self, first, model, counts, failed)
	self.tally:add(#model, counts)
	self.snapshot:add(model)
	self.ledger:see(self.prover:see(model))
	values.each_fate(model, counts, self.trace_folds, function(i, fate) note_fate(self, model, i, first + i, fate) end)
	for i, reason in pairs(failed) do self.snapshot:reject(first + i, reason) end
	reject_without_required(self, model, first, failed)
	judge_by_checks(self, model, first, failed)
end

-- ---- all of them

-- A result that is longer than its table: it may have grown since it was looked at, else reading on leads nowhere.
local function check_length(self, n)
	local source, o, most = self.session.source, self.selection, self.described.count
	if not most or n <= most or source.filter or o.only or o.since or o.limit then return end
	self.described = source:describe()
	if self.described.count and n > self.described.count then self.on_too_long(n, self.described.count) end
end

local function take(self, on_begin)
	local source, n, to_model = self.session.source, 0, nil
	self.described, self.kept_out = source:describe(), 0
	self.tally = values.tally(self.mapping:schema():names())
	local next_page, _, _, _ <close> = source:scan(self.selection)
	local page = next_page()
	if page then to_model = self.mapping:to_model(page:schema()) end
	on_begin() -- not earlier: a refused query or a bad mapping prints nothing
	while page do
		local model, counts, failed = admit(self, page, to_model)
		take_page(self, n, model, counts, failed)
		n, self.kept_out = n + #model, self.kept_out + #page - #model
		check_length(self, n + self.kept_out)
		page = next_page()
	end
	self.snapshot:seal()
	self.prover:seal(self.snapshot:bad())
	self.described_after = source:describe()
end

--- Read the source into the snapshot. A table that changes meanwhile is read once more, from one state of it; so is one whose
--- source was lost in the middle and says that it may be.
---@param on_begin fun() called when the first page is there
function Intake:take(on_begin)
	local _, e = err.try(function()
		take(self, on_begin)
		return true
	end)
	if not e then return end
	if e.code ~= "changed" and not e.anew then err.raise(e) end
	log.info("%s%s", e.message, e.anew and "; it is read anew" or "")
	self.selection.chain = e.code == "changed" or nil
	self.snapshot:clear()
	self.ledger:unsee()
	self.prover:unsee()
	take(self, function() end)
end

-- ---- the source afterwards

local function read_again(self, folder)
	local again, to_model = snapshot_of.open(folder .. "/again.db", self.mapping, self.label), nil
	for page in self.session.source:scan(self.selection) do
		to_model = to_model or self.mapping:to_model(page:schema())
		again:add((admit(self, page, to_model)))
	end
	again:seal()
	return again
end

-- What changed between two snapshots: remarked where something is wrong with it; how many there are.
local function note_changes(self, again)
	local key, changed = self.mapping.key, 0
	for found, page, _, now in rows.merge(self.snapshot:pages(), again:pages(), key) do
		changed = changed + #found.differ
		for _, j in ipairs(found.extra) do -- a row that was set aside is no new one
			if not self.snapshot:has(now:text(j, key)) then changed = changed + 1 end
		end
		for _, pair in ipairs(found.differ) do
			self.snapshot:remark(page:text(pair.e, key), (" (its row in %s was changed after it was read)"):format(self.label))
		end
		for _, i in ipairs(found.missing) do
			self.snapshot:note { key = page:text(i, key), system = self.label, phase = "validate", kind = "missing",
				reason = ("Missing in %s (deleted there during the run)"):format(self.label) }
		end
	end
	return changed
end

--- Has the source changed since it was read? Then it is read again, and what is gone or changed there is named. Returns a
--- note for the report, or nil.
---@param folder string for scratch
---@return string?
function Intake:look_back(folder)
	local source, version = self.session.source, self.described.version
	if not version or source:version() == version then return nil end
	local again = read_again(self, folder)
	local changed = note_changes(self, again)
	again:close()
	if changed == 0 then return nil end
	return ("Changed in %s during the run: %d contacts (the next run syncs them)"):format(self.label, changed)
end

--- The source's columns that the mapping does not read.
---@return string[]
function Intake:unmapped()
	local used, unmapped = {}, {}
	for _, name in ipairs(self.mapping:source_columns()) do used[name] = true end
	for _, column in ipairs(self.described.columns) do
		if not used[column.name] then unmapped[#unmapped + 1] = column.name end
	end
	return unmapped
end

return M
