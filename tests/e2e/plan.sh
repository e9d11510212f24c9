#!/bin/bash
# Plan and apply over the real systems: a dry run writes nothing anywhere, not even the local file; a plan is applied exactly;
# a mass change stops the run before anything is written.
. "$(dirname "$0")/lib/story.sh"

fresh_folder plan
start_sandbox sandbox --contacts 120 --twenty-rate off
start_postgres
set_up
rm -f "$LOCAL_DB"

dry_run() {
	local before
	before=$(fingerprint)
	full_sync --dry-run
	expect_exit 1
	expect_line "$out" "CRM: 120 would be created, 0 changed, 0 revived, 0 left alone, 0 refused"
	expect_line "$out" "Local: 120 would be created, 0 changed, 0 revived, 0 left alone, 0 refused"
	expect_eq "$(fingerprint)" "$before" "what the systems hold"
	[ ! -e "$LOCAL_DB" ] || fail "a dry run made the local file"
}

applied() {
	local id
	full_sync --plan first.jsonl
	expect_exit 1
	expect_eq "$(wc -l <first.jsonl)" 361 "lines of the plan"
	id=$("$python" -c 'import json; print(json.loads(list(open("first.jsonl"))[5])["contact_id"])')
	reader bigquery "UPDATE \`sandbox.identity.contacts_master\` SET job_title = 'Since' WHERE contact_id = '$id'"
	full_sync --apply first.jsonl
	expect_exit 1
	expect_totals 120 119 119 1 1
	expect_text "$out" "     - Supabase: it changed in the source since the plan"
	expect_eq "$(sql "select count(*) from public.contacts_master")" 119 "in Supabase"
	full_sync
	expect_exit 0
	full_sync --dry-run
	expect_exit 0
}

mass_change() {
	sql "update public.contacts_master set job_title = 'all the same'"
	full_sync
	expect_exit 4
	expect_text "$err" "Supabase: fields (job_title of 120) of 120 of the 120 contacts that are there would change (as "
	expect_text "$err" "--allow-mass-change lets it pass"
	expect_eq "$(sql "select count(*) from public.contacts_master where job_title = 'all the same'")" 120 "left as it was"
	full_sync --allow-mass-change
	expect_exit 0
}

# Both values of a change: no value is not the text "null", and bytes that are no UTF-8 do not end the look.
both_values() {
	local id
	id=$(sql "select contact_id from public.contacts_master where nickname is null order by contact_id limit 1")
	sql "update public.contacts_master set nickname = 'null' where contact_id = '$id'"
	local_sql "update contacts_master set notes = cast(x'41ff' as text) where contact_id = '$id'"
	full_sync --dry-run
	expect_exit 1
	expect_line "$out" "  ~ $id"
	expect_line "$out" '     - nickname: "null" -> null'
	expect_text "$out" '     - notes: "A\xff" -> '
	full_sync
	expect_exit 0
}

story "a dry run shows what would be done and does nothing" dry_run
story "a plan is applied exactly, but for what changed since" applied
story "each change is shown with both values" both_values
story "a mass change stops the run before anything is written" mass_change
finish
