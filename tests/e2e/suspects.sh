#!/bin/bash
# What validation calls a difference: one that is still there a little later; whose row in BigQuery changed, or whose record a
# person edited in the CRM, is named so.
. "$(dirname "$0")/lib/story.sh"

fresh_folder suspects
start_sandbox sandbox --contacts 300 --twenty-rate off
start_postgres
set_up
full_sync
[ "$code" -eq 0 ] || { echo "FAILED  the first run: $(head_of "$err")"; exit 1; }
id=$(sql "select contact_id from public.contacts_master where job_title <> '' order by 1 limit 1 offset 12")
title=$(sql "select job_title from public.contacts_master where contact_id = '$id'")

set_title() { # set_title VALUE: in Postgres, beside the run
	sql "update public.contacts_master set job_title = '$1' where contact_id = '$id'"
}

gone_when_looked_at_again() {
	set_title "in between"
	echo 'return { recheck_after = 3 }' >recheck.lua
	"$SYNCRUN" "$scripts/full_sync.lua" --skip-sync --config recheck.lua >"$out" 2>"$err" </dev/null &
	local beside=$! tries=0
	# the pass is over once its reading has a duration; then the time before the second look runs
	until [ "$(reader sqlite "$SYNCRUN_STATE/ledger.db" "select count(*) from attempt where system = 'postgres' and duration_ms is not null
		and run = (select max(id) from run where status = 'running')" 2>/dev/null)" = 1 ]; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || break
		sleep 0.01
	done
	set_title "${title//\'/\'\'}"
	wait $beside
	code=$?
	expect_exit 0
	expect_totals 300 "not run" 300 0 0
}

still_there_when_looked_at_again() {
	set_title "it stays"
	full_sync --skip-sync
	expect_exit 1
	expect_totals 300 "not run" 299 0 1
	expect_text "$out" "     - Supabase: job_title is \"it stays\", expected "
	full_sync
	expect_exit 0
}

person_is_named() {
	reader patch "$id" '{"jobTitle":"By hand"}'
	reader sqlite "$work/sandbox/twenty.db" "update person set updatedBySource = 'MANUAL', updatedByName = 'Grace Hopper'
		where id = '$(reader person "$id" id)'"
	full_sync --skip-sync
	expect_exit 1
	expect_text "$out" "     - CRM: jobTitle is \"By hand\", expected "
	expect_text "$out" " (edited there by Grace Hopper, 20"
	full_sync
	expect_exit 0
}

key_is_no_person() {
	reader patch "$id" '{"jobTitle":"By a program"}'
	full_sync --skip-sync
	expect_exit 1
	expect_text "$out" "     - CRM: jobTitle is \"By a program\", expected "
	expect_no_text "$out" "edited there"
	full_sync
	expect_exit 0
}

changed_source_is_named() {
	set_title "other"
	echo 'return { recheck_after = 3 }' >recheck.lua
	"$SYNCRUN" "$scripts/full_sync.lua" --skip-sync --config recheck.lua >"$out" 2>"$err" </dev/null &
	local beside=$! tries=0
	until [ "$(reader sqlite "$SYNCRUN_STATE/ledger.db" "select count(*) from attempt where system = 'postgres'
		and run = (select max(id) from run where status = 'running')" 2>/dev/null)" = 1 ]; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || break
		sleep 0.01
	done
	reader bigquery "UPDATE \`sandbox.identity.contacts_master\` SET job_title = 'newer' WHERE contact_id = '$id'"
	wait $beside
	code=$?
	expect_exit 1
	expect_text "$out" "(its row in BigQuery was changed after it was read)"
	expect_text "$out" "Changed in BigQuery during the run: 1 contacts"
	full_sync
	expect_exit 0
}

story "a difference that is gone a little later is none" gone_when_looked_at_again
story "one that stays is named" still_there_when_looked_at_again
story "an edit by a person in the CRM is named, with both values" person_is_named
story "an edit by a program is not a person's" key_is_no_person
story "a row of BigQuery that changed after it was read is named so" changed_source_is_named
finish
