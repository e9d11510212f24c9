#!/bin/bash
# Rows without a contact_id in a Postgres table, as other programs leave them where the column is unique and may be null: extras,
# listed and left alone; what else is there is synced and proven.
. "$(dirname "$0")/lib/story.sh"

fresh_folder keyless
start_sandbox sandbox --contacts 12 --twenty-rate off
start_postgres
export TWENTY_API_URL=
LOCAL_DB=off
sql 'create table contacts_master (contact_id text collate "C" unique)'
set_up
keyless="insert into contacts_master (contact_id, full_name, canonical_name)"

# Each kind of an empty key, before the first load and after it.
extras() {
	sql "$keyless values (null, 'Nobody', 'x'), (null, 'No one', 'y'), ('', 'Empty', 'z')"
	full_sync
	expect_exit 0
	expect_totals 12 12 12 0 0
	expect_line "$out" "Extra in Supabase (not in BigQuery; listed, never deleted): 3"
	full_sync --skip-sync --strict-extras
	expect_exit 1
	expect_eq "$(grep -c -x -F -e '     - (ID: none), not created by us' "$out")" 3 "lines of extras without an id"
	expect_eq "$(sql "select count(*), count(nullif(contact_id, '')) from contacts_master")" "15 | 12" "rows, and those with an id"
}

# A page of them and more: none is lost between the two readings.
many() {
	sql "$keyless select null, 'Nobody ' || n, 'x' from generate_series(1, 2500) n"
	full_sync --skip-sync
	expect_exit 0
	expect_totals 12 "not run" 12 0 0
	expect_line "$out" "Extra in Supabase (not in BigQuery; listed, never deleted): 2503"
}

story "rows without a contact_id are extras: listed, left alone, in nobody's way" extras
story "however many they are" many
finish
