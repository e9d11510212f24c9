#!/bin/bash
# The doctor: what it says of systems that are as we rely on, of one that is not, and of one that is away; its probe leaves
# nothing behind.
. "$(dirname "$0")/lib/story.sh"
. "$lib/spoiled.sh"

fresh_folder doctor
LOCAL_DB=off
start_sandbox sandbox --contacts 3
start_postgres
set_up

only_looks() {
	run "$scripts/doctor.lua"
	expect_exit 0
	expect_same "$out" "BigQuery: 'sandbox.identity.contacts_master', 3 rows
BigQuery: in reach, and fit for the mapping
CRM: in reach, and fit for the mapping
Supabase: in reach, and fit for the mapping
Local: not configured (LOCAL_DB is off)"
	expect_eq "$(reader stat twenty.writes)" 1 "writes: the trial of the key's rights, which is refused"
	nothing_left
}

probe_is_well() {
	run "$scripts/doctor.lua" --probe
	expect_exit 0
	expect_line "$out" "CRM: ok      control characters are kept (nameSuffix)"
	expect_line "$out" "CRM: ok      a second person with the same contactId is refused"
	expect_line "$out" "CRM: ok      additional e-mails stay when the whole composite is sent"
	expect_line "$out" "CRM: ok      an upsert revives a soft-deleted person"
	expect_line "$out" "CRM: ok      it is removed again"
	expect_text "$out" "CRM: 40 of 40 things are as we rely on"
	expect_line "$out" "Supabase: ok      it is removed again"
	expect_no_text "$out" BROKEN
	nothing_left
}

nothing_left() {
	expect_eq "$(reader total_count)" 0 "people in Twenty"
	expect_eq "$(reader twenty GET '/rest/people?filter=deletedAt%5Bis%5D:NOT_NULL' | grep -c probe)" 0 "soft-deleted probes"
	expect_eq "$(sql "select count(*) from public.contacts_master")" 0 "rows in Postgres"
}

probe_names_what_breaks() {
	local direct=$TWENTY_API_URL
	spoil 'bell=>Bell' 1
	run "$scripts/doctor.lua" --probe
	unspoil
	expect_exit 1
	expect_line "$out" 'CRM: BROKEN  control characters are kept (nameSuffix): "Bell\u0007 esc\u001b del\u007f", expected "bell\u0007 esc\u001b del\u007f"'
	expect_line "$out" "CRM: ok      it is removed again"
	expect_no_text "$out" "Supabase: BROKEN"
	nothing_left
}

source_is_looked_at() {
	local script
	for script in "$scripts/doctor.lua" "$scripts/setup.lua"; do
		run BIGQUERY_WHERE="is_me IS NOT TRUE" "$script"
		expect_exit 0
		expect_line "$out" "BigQuery: 'sandbox.identity.contacts_master', 3 rows, filtered by (is_me IS NOT TRUE)"
		run BIGQUERY_WHERE="is_mee IS NOT TRUE" "$script"
		expect_exit 2
		expect_text "$err" "BigQuery: BigQuery does not accept the query (Unrecognized name: is_mee"
		expect_text "$err" "check the row filter, BIGQUERY_WHERE"
		run BIGQUERY_TABLE=identity.contacts_masters "$script"
		expect_exit 2
		expect_text "$err" "table 'sandbox.identity.contacts_masters' was not found"
		run BIGQUERY_EMULATOR_HOST=127.0.0.1:1 "$script"
		expect_exit 3
		expect_text "$err" "cannot connect to 'BigQuery'"
		run BIGQUERY_EMULATOR_HOST= GOOGLE_APPLICATION_CREDENTIALS="$home/none.json" "$script"
		expect_exit 2
		expect_text "$err" "'$home/none.json' cannot be read"
	done
}

out_of_reach() {
	run TWENTY_API_URL=http://127.0.0.1:9 "$scripts/doctor.lua" --probe
	expect_exit 3
	expect_text "$err" "CRM: cannot connect to 'twenty'"
	expect_line "$out" "Supabase: ok      it is removed again"
}

story "without --probe it looks, and nothing is made" only_looks
story "the source's table, columns, filter and credentials are looked at, by the set-up too" source_is_looked_at
story "the probe of well-behaved systems says so, and leaves nothing" probe_is_well
story "a server that keeps something otherwise is named, with both values" probe_names_what_breaks
story "a system out of reach is named, the others are tried" out_of_reach
finish
