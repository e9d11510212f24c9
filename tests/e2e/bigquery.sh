#!/bin/bash
# What only BigQuery has: the dry run, the cap, delta runs, reading a table as it lies, and a service that misbehaves.
. "$(dirname "$0")/lib/story.sh"

records "$work/contacts.ndjson" '[contact(i, updated_at="2026-01-%02dT00:00:00.000001Z" % (i % 28 + 1)) for i in range(1, 61)]'
start_sandbox sandbox --load "$work/contacts.ndjson" --twenty-rate off
start_postgres
fresh_folder home
table='`sandbox.identity.contacts_master`'

dry_run_before() {
	local before
	before=$(fingerprint)
	full_sync --estimate
	expect_exit 2
	expect_line "$out" "ESTIMATE: no query runs, nothing is written"
	expect_line "$out" "  and be billed as 10,485,760 bytes (10.0 MiB), unless BigQuery still has its result"
	expect_line "$out" "Supabase: not ready:"
	expect_line "$out" "Local: would be made:"
	expect_eq "$(fingerprint)" "$before" "what the systems hold"
	expect_eq "$(find "$home" -type f)" "" "files"
}

needs_full_run() {
	full_sync --changed
	expect_refused 2 "needs a full run before it"
	full_sync --changed --limit 3
	expect_refused 2 "leave out --only and --limit"
}

full_run() {
	set_up
	full_sync --estimate
	expect_exit 0
	expect_line "$out" "CRM: ready; contacts that differ would be written there"
	full_sync --report "$home/report"
	expect_exit 0
	expect_totals 60 60 60 0 0
	expect_text "$home/report/report.txt" "BigQuery billed 10485760 bytes (10.0 MiB) for 1 queries, which processed"
	expect_eq "$(reader json "$home/report/report.json" source.bytes_billed)" 10485760 "bytes billed in report.json"
}

cap() {
	echo 'return { bigquery = { max_bytes_billed = 20971520, where = "TRUE" } }' >"$home/wide.lua"
	full_sync --estimate --config "$home/wide.lua"
	expect_exit 0
	expect_line "$out" "  at most 20,971,520 bytes (20.0 MiB) may be billed: it would run"
	full_sync --skip-sync --config "$home/wide.lua"
	expect_exit 0
	echo 'return { bigquery = { max_bytes_billed = 5 } }' >"$home/narrow.lua"
	full_sync --config "$home/narrow.lua"
	expect_refused 2 "max_bytes_billed"
}

delta() {
	full_sync --changed
	expect_exit 0
	expect_text "$out" "delta run, not a proof"
	expect_totals 2 2 2 0 0 # the last day of the 28 has two contacts, both as they were
	reader bigquery "UPDATE $table SET job_title = 'Told', updated_at = TIMESTAMP '2026-02-01T00:00:00Z' WHERE contact_id = 'c0003'"
	reader bigquery "UPDATE $table SET job_title = 'Not told' WHERE contact_id = 'c0004'"
	full_sync --changed --report "$home/delta"
	expect_exit 0
	expect_totals 3 3 3 0 0
	expect_eq "$(reader person c0003 jobTitle) $(reader person c0004 jobTitle)" "Told Engineer" "job titles"
	expect_eq "$(sql "select job_title from contacts_master where contact_id = 'c0003'")" Told "in Postgres"
	full_sync BIGQUERY_WHERE=TRUE --changed
	expect_refused 2 "of another table or filter"
}

full_counts() {
	full_sync
	expect_exit 0
	expect_line "$out" "Missed by the 2 delta runs before this run: 1"
	expect_eq "$(reader person c0004 jobTitle)" "Not told" "job title"
	full_sync
	expect_exit 0
	expect_no_text "$out" "Missed by"
}

# The request that is answered late is under way.
ranges_are_read() {
	curl -sf "$BIGQUERY_EMULATOR_HOST/_sandbox/faults" | grep -q '"left":0'
}

as_it_lies() {
	echo 'return { bigquery = { read = "table", page_rows = 5 } }' >"$home/table.lua"
	full_sync --estimate --config "$home/table.lua"
	expect_exit 0
	expect_line "$out" "  the table is read as it lies: nothing would be billed"
	full_sync --config "$home/table.lua" --report "$home/table"
	expect_exit 0
	expect_totals 60 60 60 0 0
	expect_text "$home/table/report.txt" "BigQuery billed 0 bytes"
	# the table changes while ranges of it are read: it is read again, by tokens
	sandbox_faults '{"faults": [{"path": "/data", "after": 5, "delay": 1.5}]}'
	(
		wait_until 60 ranges_are_read
		reader bigquery "UPDATE $table SET nickname = 'late' WHERE contact_id = 'c0009'"
	) &
	local writer=$!
	full_sync --config "$home/table.lua"
	wait "$writer"
	expect_exit 0
	expect_totals 60 60 60 0 0
	expect_text "$err" "changed while it was read"
	expect_eq "$(reader person c0009 nickname)" late "nickname"
}

misbehaving() {
	local before requests
	sandbox_faults '{"page_bytes": 3000, "faults": [{"method": "POST", "path": "/queries", "incomplete": true},
		{"method": "GET", "path": "/queries/", "incomplete": true, "times": 2},
		{"method": "GET", "path": "/queries/", "after": 2, "truncate": 100},
		{"method": "GET", "path": "/queries/", "after": 3, "drop": true},
		{"method": "GET", "path": "/queries/", "after": 4, "status": 502, "body": "<html>Bad Gateway</html>"}]}'
	full_sync
	expect_exit 0
	expect_totals 60 60 60 0 0
	requests=$(find "$home" -name requests.jsonl -newer "$home/wide.lua" | xargs -r ls -t | head -n 1)
	expect_eq "$(grep -c '"attempt":1,' "${requests:-/dev/null}" | awk '{ print ($1 > 3) }')" 1 "requests on record"
	expect_eq "$(grep -c '"status":502' "${requests:-/dev/null}")" 1 "the refused attempt on record"
	# the dropped connection may be repeated inside libcurl, unseen
	expect_eq "$(grep -c '"attempt":2,' "${requests:-/dev/null}" | awk '{ print ($1 >= 2) }')" 1 "the repeats on record"
	before=$(fingerprint)
	sandbox_faults '{"faults": [{"method": "GET", "path": "/queries/", "after": 1, "times": -1, "reason": "quotaExceeded"}]}'
	full_sync
	expect_exit 3
	expect_text "$err" "a quota of BigQuery is used up (quotaExceeded); try again in ten minutes or later"
	sandbox_faults '{"faults": [{"method": "GET", "path": "/queries/", "after": 1, "times": -1, "body": "{\"jobComplete\":true,\"totalRows\":\"60\"}"}]}'
	full_sync
	expect_exit 3
	sandbox_faults '{"faults": []}'
	expect_eq "$(fingerprint)" "$before" "what the systems hold"
}

story "a dry run before anything is there writes nothing" dry_run_before
story "a delta run needs a full run before it" needs_full_run
story "a full run; its report says what was billed" full_run
story "a cap on what may be billed" cap
story "a delta run syncs what says that it changed" delta
story "the next full run counts what the deltas missed" full_counts
story "a table is read as it lies, free of charge" as_it_lies
story "a misbehaving BigQuery: the right set or an error" misbehaving
finish
