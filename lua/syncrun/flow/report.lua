--- The report: totals and lines on stdout to the letter of the founding document, and the files with all of it. Every
--- byte goes through the redacting writer; text from outside cannot steer a terminal.
local file = require "syncrun.file"
local host = require "syncrun.host"
local json = require "syncrun.json"
local report_contacts = require "syncrun.flow.report_contacts"
local report_csv = require "syncrun.flow.report_csv"
local report_values = require "syncrun.flow.report_values"
local reports = require "syncrun.report"

local M = {}

local SHOWN = 10 -- contacts a block on stdout; the files have all

--- See syncrun.flow.report_values.
M.line = report_values.line

--- The head of the output.
function M.head(say)
	say:title "COMPLETE SYNC AND VALIDATION"
	say ""
end

--- A counter that prints `Progress: …` every ten contacts, at most some hundred lines; on a terminal a live bar instead.
---@param say syncrun.Report
---@param total integer
---@param quiet boolean?
---@return fun(done: integer, errors: integer)
function M.progress(say, total, quiet)
	local step = math.max(10, math.ceil(total / 100 / 10) * 10)
	local shown, bar = 0, not quiet and host.terminal(2) and file.standard "stderr" or nil
	return function(done, errors)
		if bar then
			local width = total > 0 and done * 30 // total or 30
			bar:write(("\r[%s%s] %d/%d (errors: %d)"):format(("#"):rep(width), ("."):rep(30 - width), done, total,
				errors))
			if done >= total then bar:write "\r\27[K" end
			return
		end
		while shown + step <= done do
			shown = shown + step
			say("Progress: %d/%d (synced: %d, errors: %d)", shown, total, shown - math.min(errors, shown), errors)
		end
	end
end

-- ---- what was found

local function contact_line(db, snapshot, pos)
	local sql = ("SELECT %s AS id, %s AS name FROM source WHERE pos = ?"):format(snapshot.key, snapshot.name_field)
	local row = db:one(sql, pos)
	local again = db:one("SELECT reason FROM bad WHERE pos = ?", pos)
	local nth = again and again.reason:match "row %d+ of %d+$"
	local name = row.name and row.name ~= "" and row.name or "(no name)"
	return ("%s (ID: %s%s)"):format(name, row.id or "null", nth and ", " .. nth or "")
end

-- Systems that were lost: nothing is known of any contact there, which is neither an error nor an issue of its.
local function say_lost(say, snapshot)
	local lost = { snapshot:lost "sync", snapshot:lost "validate" }
	if #lost[1] + #lost[2] == 0 then return end
	say:title("NOT CHECKED")
	say "  ⚠️  Every contact"
	for _, phase in ipairs(lost) do
		for _, one in ipairs(phase) do say("     - %s", one.reason) end
	end
	say ""
end

local function block(say, snapshot, phase, title, bullet, limit)
	local db, n, total = snapshot.db, 0, snapshot:contacts(phase)
	if total == 0 then return end
	say:title(title)
	local last
	for row in db:each("SELECT pos, reason FROM finding WHERE phase = ? ORDER BY pos, system, rowid", phase) do
		if row.pos ~= last then
			n, last = n + 1, row.pos
			if n <= limit then say("  " .. bullet .. " %s", contact_line(db, snapshot, row.pos)) end
		end
		if n <= limit then say("     - %s", row.reason) else break end
	end
	if total > limit then say("  ... and %d more", total - limit) end
	say ""
end

--- The totals of a run, counted from what was found. Where a system was lost no contact counts as synced or validated; those
--- of which nothing else is wrong are not checked.
---@param snapshot syncrun.Snapshot
---@param skip_sync boolean
---@return { total: integer, synced: integer|string, errors: integer, validated: integer, issues: integer,
--- unchecked: integer?, deleted: integer } unchecked: only where a system was lost
function M.totals(snapshot, skip_sync)
	local total, errors, issues = snapshot.total, snapshot:contacts "sync", snapshot:contacts "validate"
	local unsynced, unchecked = #snapshot:lost "sync" > 0, #snapshot:lost "validate" > 0
	return {
		total = total, errors = errors, issues = issues, validated = unchecked and 0 or total - snapshot:unvalidated(),
		deleted = (snapshot:deleted()),
		synced = skip_sync and "not run" or unsynced and 0 or total - errors, unchecked = unchecked and total - issues or nil,
	}
end

local function say_totals(say, t)
	say:title "VALIDATION REPORT"
	say ""
	say("Total Contacts: %d", t.total)
	say("✅ Successfully Synced: %s", tostring(t.synced))
	say("✅ Validated in All Systems: %d", t.validated)
	say("❌ Errors: %d", t.errors)
	say("⚠️  Missing/Mismatched: %d", t.issues)
	if t.deleted > 0 then say("⚠️  Deleted There, Left So: %d", t.deleted) end
	if t.unchecked then say("⚠️  Not Checked: %d", t.unchecked) end
	say ""
end

-- Those that carry a key of the source first: they were contacts once; people without one were made by hand.
local EXTRAS = [[SELECT system, k, name, ours FROM extra WHERE ? IS NULL OR system = ?1
	ORDER BY system, k = '', k, rowid LIMIT ?]]

local ORIGIN = { [0] = "not created by us", "created by us" }

local function say_extras(say, snapshot, limit)
	for row in snapshot.db:each "SELECT system, count(*) AS n FROM extra GROUP BY system ORDER BY system" do
		say("Extra in %s (not in %s; listed, never deleted): %d", row.system, snapshot.label, row.n)
		for extra in snapshot.db:each(EXTRAS, row.system, limit) do
			local id = extra.k == "" and "none" or extra.k
			say("     - %s(ID: %s), %s", extra.name and extra.name .. " " or "", id, ORIGIN[extra.ours])
		end
		if row.n > limit and limit > 0 then say("  ... and %d more", row.n - limit) end
	end
end

-- Contacts of a system that are named after a run, whether it went well or not.
local OF_SOME = {
	{ title = 'Deleted in %s, and left so (on_deleted = "respect"): %d',
		rows = "(SELECT system, pos, reason AS how FROM finding WHERE kind = 'deleted')" },
	{ title = "Revived in %s (were soft-deleted there): %d", rows = "(SELECT system, pos, NULL AS how FROM revived)" },
	{ title = "Made anew in %s (had been merged there): %d", rows = "merged" },
}

local function say_some(say, snapshot, kind, limit)
	for row in snapshot.db:each(("SELECT system, count(*) AS n FROM %s GROUP BY system"):format(kind.rows)) do
		say(kind.title, row.system, row.n)
		for r in snapshot.db:each(("SELECT pos, how FROM %s WHERE system = ? ORDER BY pos LIMIT ?"):format(kind.rows),
			row.system, limit) do
			local how = r.how and ": " .. r.how or ""
			say("     - %s%s", contact_line(snapshot.db, snapshot, r.pos), how)
		end
	end
end

local function say_notes(say, run, limit, extras)
	local snapshot, notes = run.snapshot, run.result.notes
	local before = snapshot.db:one([[SELECT (SELECT count(*) FROM extra) + (SELECT count(*) FROM revived)
		+ (SELECT count(*) FROM owned) + (SELECT count(*) FROM merged) AS n]]).n + run.result.totals.deleted
	if #notes == 0 and before == 0 then return end
	for _, note in ipairs(notes) do say("%s", note) end
	for _, kind in ipairs(OF_SOME) do say_some(say, snapshot, kind, limit) end
	say_extras(say, snapshot, extras)
	report_values.say_owned(say, snapshot.db)
	say ""
end

-- Where not all of the usual systems are configured, the last words say which were: " (CRM, Local; skipped: Supabase)".
local function targets_covered(session)
	if session.has_usual then return nil end
	local done, skipped = {}, {}
	for _, target in ipairs(session.targets) do
		local list = target.skipped and skipped or done
		list[#list + 1] = target.label
	end
	local left_out = #skipped > 0 and "; skipped: " .. table.concat(skipped, ", ") or ""
	return table.concat(done, ", ") .. left_out
end

-- What a success is a success of: said where it is less than every contact in all of the usual systems.
local function covered(run)
	local words = { targets_covered(run.session) }
	for _, row in ipairs(select(2, run.snapshot:deleted())) do
		words[#words + 1] = ("%d deleted in %s"):format(row.n, row.system)
	end
	return #words > 0 and (" (%s)"):format(table.concat(words, "; ")) or ""
end

local function say_incomplete(say, run)
	say "⚠️  INCOMPLETE - RUN THE SAME COMMAND AGAIN TO GO ON"
	say:rule()
	say ""
	for _, target in ipairs(run.targets) do say("%s: %s", target.label, target:progress()) end
end

local function say_end(say, run, systems)
	local t, good = run.result.totals, run.result.good
	say:rule()
	if run.result.incomplete then return say_incomplete(say, run) end
	say("%s", good and "✅ SUCCESS - ALL CONTACTS SYNCED AND VALIDATED" .. systems or "❌ ISSUES FOUND")
	say:rule()
	say ""
	if good then
		say("Total Contacts: %d", t.total)
		say("Synced: %s", tostring(t.synced))
		say("Validated: %d", t.validated)
		say ""
		say("%s", "✅ NO EXCEPTIONS - ALL DATA IN SYNC" .. systems)
	else
		say("Errors: %d", t.errors)
		say("Validation Issues: %d", t.issues)
	end
end

-- After a success the extras are one line; who they are is in the files, and where they were asked about.
local function extras_shown(run)
	return run.result.good and 0 or SHOWN
end

--- The validation report: totals, the two blocks, notes, and the last word.
---@param say syncrun.Report
---@param run syncrun.Run
---@param all boolean? every contact of a block, not ten
function M.body(say, run, all)
	local limit = all and math.maxinteger or SHOWN
	say_totals(say, run.result.totals)
	say_lost(say, run.snapshot)
	block(say, run.snapshot, "sync", "SYNC ERRORS", "❌", limit)
	block(say, run.snapshot, "validate", "VALIDATION ISSUES", "⚠️ ", limit)
	say_notes(say, run, limit, all and limit or extras_shown(run))
	say_end(say, run, covered(run))
end

-- ---- files

local function write_issues(writer, run)
	local snapshot = run.snapshot
	local sql = ([[SELECT %s AS id, %s AS name, system, phase, kind, field, actual, expected, stored, reason
		FROM finding JOIN source USING (pos) ORDER BY pos, system, finding.rowid]]):format(snapshot.key, snapshot.name_field)
	for row in snapshot.db:each(sql) do
		local line = {}
		for key, value in pairs(row) do line[key] = value end
		line.contact_id, line.id = row.id or json.null, nil
		line.name = row.name or json.null
		if row.kind == "mismatched" then
			line.actual, line.expected = row.actual or json.null, row.expected or json.null
		end
		writer:write(M.line(line))
	end
	for row in snapshot.db:each "SELECT system, phase, reason FROM lost ORDER BY system, rowid" do
		writer:write(M.line { kind = "failed", system = row.system, phase = row.phase, reason = row.reason,
			contacts = snapshot.total - snapshot.nbad })
	end
	for row in snapshot.db:each(EXTRAS, nil, -1) do
		writer:write(M.line { kind = "extra", system = row.system, contact_id = row.k, name = row.name,
			origin = row.ours == 1 and "ours" or "others" })
	end
end

--- The run in one JSON object.
---@param run syncrun.Run
---@return string
function M.summary(run)
	local r = run.result
	return json.encode({
		version = host.version, started_at = r.started_at, finished_at = r.finished_at, exit_code = r.exit,
		total = r.totals.total, synced = r.totals.synced, validated = r.totals.validated, errors = r.totals.errors,
		issues = r.totals.issues, deleted = r.totals.deleted, unchecked = r.totals.unchecked or 0,
		success = r.good, incomplete = r.incomplete,
		notes = json.array(r.notes), systems = json.array(r.systems),
		owned = json.array(report_values.owned(run.snapshot.db)), source = r.source, options = run.options,
		peak_memory_bytes = host.peak_memory(),
	}, { pretty = true, spell = true }) .. "\n"
end

--- Write a file of ours (0600, masked) through f(writer).
---@param path string
---@param f fun(writer: userdata)
function M.file(path, f)
	local writer <close> = file.create(path)
	f(writer)
	writer:close()
end

--- Raise now, not after hours, when this file cannot be written later. An existing one is left as it is.
---@param path string
---@param folder string? made when it is not there
function M.try_file(path, folder)
	if folder then file.make_folder(folder) end
	file.check(path)
	local probe = path .. ".new"
	file.create(probe):close()
	os.remove(probe)
end

local function write_report(writer, run)
	local say = reports.to(writer)
	M.body(say, run, true)
	local source = run.session.source
	local bill = source.bill and source:bill()
	if bill then say("%s", bill) end
	report_values.say_fates(say, run.snapshot.label, run.result.systems)
end

--- All report files into a folder: report.txt, report.json, contacts.jsonl, issues.jsonl, issues.csv; values.jsonl when folds
--- were traced; owned.jsonl when people changed what is theirs.
---@param dir string
---@param run table
function M.files(dir, run)
	file.make_folder(dir)
	M.file(dir .. "/report.txt", function(w) write_report(w, run) end)
	M.file(dir .. "/contacts.jsonl", function(w) report_contacts.write(w, run) end)
	M.file(dir .. "/issues.jsonl", function(w) write_issues(w, run) end)
	M.file(dir .. "/issues.csv", function(w) report_csv.write(w, run.snapshot) end)
	if run.options.trace_folds then
		M.file(dir .. "/values.jsonl", function(w) report_values.write_fates(w, run.snapshot) end)
	end
	if run.snapshot.db:one "SELECT count(*) AS n FROM owned".n > 0 then
		M.file(dir .. "/owned.jsonl", function(w) report_values.write_owned(w, run.snapshot) end)
	end
	M.file(dir .. "/report.json", function(w) w:write(M.summary(run)) end)
end

return M
