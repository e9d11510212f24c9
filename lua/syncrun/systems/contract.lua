--- What a system is to the flow. BigQuery, Twenty, Postgres, SQLite, and whatever a user puts beside their config meet it; it
--- is checked when a system is opened. A system knows this page and the primitives, nothing of flow or record; the flow
--- knows no system by its name, columns or label.
---
--- A system's module returns { new = function(settings, mapping), source = function(settings, mapping)? }: `new` makes
--- a target, `source` what contacts are read from; `settings` may declare what of the config they know (syncrun.shape by
--- name): others are then refused with what may be meant. A target's have `source_label`, what the source is called. Both
--- only look at their settings (raising kind config, exit 2); nothing is connected before it is asked for.
---
--- Every method may raise. The flow understands of an error e: e.exit (2 a misfit, 3 out of reach or not allowed),
--- e.retryable (the same may work a little later), e.reject (what was sent is refused for its content: it is halved until
--- the culprit stands alone), e.denied (a right is missing: found before anything is written, it ends the run), e.unknown
--- (no answer came: it is read before it is sent again), e.exists (what was to be created is there), e.split (with e.reject:
--- more than it takes at once, so it is sent in parts), e.limited (a wait that had its time: a rate limit, a lock), e.anew
--- (of a source, in the middle of a scan: it may be begun anew).
local err = require "syncrun.err"

local M = {}

---@class syncrun.ProjectedColumn one column of the expected row; a plan's column with its field
---@field name string in this system
---@field type syncrun.ColumnType
---@field from string the field of the model
---@field steps (string|table)[] the mapping's transforms for this system, then its own folds
---@field own "source"|"once"|"target"
---@field field syncrun.Field

---@class syncrun.Intent what a check is asked for
---@field write boolean the run writes there; false: it only reads, and asks for no more
---@field source boolean? false: the source is not asked

---@class syncrun.Problem something in the way
---@field what string
---@field exit integer? 2 unless given; 3 a missing right, or not writable now; 0 only worth saying
---@field sql string[]? what set-up would run
---@field request table? what set-up would send
---@field whole boolean? there is nothing of the table yet

---@class syncrun.Batch what is written at once
---@field rows syncrun.Rows the written columns of the projection
---@field model syncrun.Rows the model's rows they were made of
---@field actual syncrun.Rows? of an update: what was read under these keys

---@class syncrun.Outcome of one contact of a batch, in its order
---@field state "written"|"revived"|"rejected" revived: it was a tombstone
---@field reason string? of a rejected one

---@class syncrun.System a target
---@field kind string what the mapping calls it in `to`
---@field name string of its own, short; the ledger knows it by this
---@field label string for people
---@field ordered boolean scan delivers rows in byte order of the key
---@field limits { rows: integer, bytes: integer } of one batch
---@field gone string? the column of its pages that is not null where a row is a tombstone: there, and deleted
---@field on_deleted ("restore"|"respect")? what becomes of a contact whose row is a tombstone: it is written and alive again (the
---  default), or left deleted; for a system with `gone`
---@field name_column string? the column that names a row without a key for people
---@field editor_column string? the column that names who changed a row last
---@field file string? the file of this machine that it stands in
---@field place (fun(self): string?)? where it stands: two systems that say the same are one table
---@field makes_itself boolean? a run that writes may set it up without being asked: a file of our own
---@field projection fun(self): syncrun.ProjectedColumn[] the expected row, the key first
---@field check fun(self, intent: syncrun.Intent): syncrun.Problem[] in reach, allowed, fit for the mapping?
---@field setup fun(self, apply: boolean): table[] the problems; with apply those that can be are mended (done = true)
---@field scan fun(self): fun(): syncrun.Rows? every row, tombstones too where it has them, as pages
---@field fetch fun(self, keys: string[]): syncrun.Rows the rows of these keys, tombstones too
---@field write fun(self, batch: syncrun.Batch, mode: "create"|"update"): syncrun.Outcome[], table?
---  one outcome per contact; and the evidence { request=, response= } where it is worth keeping
---@field close fun(self) let go of what is held; the next call connects anew
---@field ready (fun(self): syncrun.Problem[])? asked where something is to be written, before anything is written in any
---  system: what is in its way that check does not ask for
---@field delete (fun(self, keys: string[]))? for good; only when asked for by name
---@field retire (fun(self, keys: string[]))? the same, but so that people there can put them back; it is preferred
---@field restore (fun(self, page: syncrun.Rows, mode: "create"|"update"))? put rows back that were read: "update" of contacts
---  that are there, or soft-deleted there (the fields that a write sets), "create" of those that are not (all fields)
---@field as_written (fun(self, page: syncrun.Rows))? what a write of these rows will leave there, where that is another: the
---  page is changed
---@field foresee (fun(self, snapshot: syncrun.Snapshot, o: table): table)? a look ahead: { change = fun(self, mode, page,
---  rows), finish = fun(self): table<string, table>, table<string, string>?, commit = fun(self)? }; finish gives what would
---  be refused, by key, and who of those that are missing was merged into another there, in words; commit is called once it
---  is going to be written
---@field amend (fun(self, expected: syncrun.Rows, i: integer, found: syncrun.Rows, j: integer): boolean)? a rule of this
---  system changes what is expected of this contact: the expected row is changed, and true returned
---@field edited (fun(self, page: syncrun.Rows, j: integer): string?)? who changed this row there, in words
---@field announce (fun(self, requests: integer, contacts: integer, why: string))? a batch was refused: up to so many further
---  requests find the first culprit of so many contacts
---@field words (fun(self, fate: table, value: string?): string?)? what the system itself says of such a value
---@field probe (fun(self, model: syncrun.Rows, key: string): table[])? further things for the doctor to try

---@class syncrun.Selection what is asked of a source
---@field columns string[]
---@field only string[]? these keys
---@field since { column: string, at: integer }? rows whose timestamp is not before `at` (microseconds since 1970)
---@field limit integer?
---@field chain boolean? from one state of the table, whatever it costs

---@class syncrun.Description
---@field columns { name: string, type: syncrun.ColumnType? }[]
---@field rows integer? as far as known
---@field count integer? rows, where that is certain
---@field version string? a text that changes whenever the rows do; nil: nothing tells

---@class syncrun.Source what contacts are read from
---@field kind string
---@field label string for people
---@field file string? the file of this machine that it stands in
---@field place (fun(self): string?)? as a target's
---@field filter string? the condition that leaves rows out, as configured
---@field check fun(self, columns: string[]) raises when it cannot be read or lacks one of the columns
---@field scan fun(self, selection: syncrun.Selection): fun(): syncrun.Rows? in byte order of the key, as pages; the
---  fourth value it returns closes what is under way
---@field describe fun(self): syncrun.Description as it is now
---@field title fun(self): string what is read, for messages
---@field subject fun(self): table<string, string> what is read, in scalars: two runs over the same say the same
---@field close fun(self)
---@field version (fun(self): string?)? what describe says of it now
---@field count (fun(self): integer)? rows before the filter
---@field estimate (fun(self, selection: syncrun.Selection): table)? what a scan would cost
---@field cost table? what was used up so far; `last`: of the scan that ended last
---@field who (fun(self): string?)? whose credentials are used, in words
---@field bill (fun(self): string?)? the cost in a line for the report

local TARGET = { "projection", "check", "setup", "scan", "fetch", "write", "close" }
local SOURCE = { "check", "scan", "describe", "subject", "title", "close" }
local OPTIONAL = { "place", "ready", "delete", "retire", "restore", "as_written", "foresee", "amend", "announce",
	"edited", "words", "probe", "version", "count", "estimate", "who", "bill" }

local function breach(kind, ...)
	err.raise { kind = "config", exit = 2,
		message = ("the system '%s' does not keep to systems/contract.lua: %s"):format(kind, string.format(...)) }
end

local function is_callable(value)
	return type(value) == "function" or type(getmetatable(value)) == "table" and getmetatable(value).__call ~= nil
end

local function check_methods(kind, system, needed)
	if type(system) ~= "table" then breach(kind, "what it makes is a %s", type(system)) end
	for _, name in ipairs(needed) do
		if not is_callable(system[name]) then breach(kind, "it has no method %s", name) end
	end
	for _, name in ipairs(OPTIONAL) do
		if system[name] ~= nil and not is_callable(system[name]) then breach(kind, "its %s is no method", name) end
	end
end

local function check_fields(kind, system, fields)
	for name, wanted in pairs(fields) do
		if type(system[name]) ~= wanted then breach(kind, "its %s is not a %s", name, wanted) end
	end
end

--- Hold a target to the contract. Raises kind config (exit 2), naming what is missing.
---@param kind string
---@param system any
---@return syncrun.System
function M.target(kind, system)
	check_methods(kind, system, TARGET)
	check_fields(kind, system, { name = "string", label = "string", ordered = "boolean", limits = "table" })
	if system.on_deleted == "respect" and not system.gone then
		breach(kind, 'on_deleted is "respect", but it tells of no deleted rows (gone)')
	end
	local columns = system:projection()
	if type(columns) ~= "table" or #columns == 0 then breach(kind, "its projection has no column") end
	for _, column in ipairs(columns) do
		if not (column.name and column.type and column.from and column.field and column.own) then
			breach(kind, "a column of its projection lacks name, type, from, field or own")
		end
	end
	return system
end

--- Hold a source to the contract. Raises kind config (exit 2), naming what is missing.
---@param kind string
---@param source any
---@return syncrun.Source
function M.source(kind, source)
	check_methods(kind, source, SOURCE)
	check_fields(kind, source, { label = "string" })
	return source
end

return M
