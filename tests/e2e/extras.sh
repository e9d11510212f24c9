#!/bin/bash
# Extras: contacts that the systems have and BigQuery has not any more are listed with who created them, and deleted only with
# --delete-extras, only those that we created; in Twenty softly.
. "$(dirname "$0")/lib/story.sh"

fresh_folder extras
start_sandbox sandbox --contacts 60 --twenty-rate off
start_postgres
set_up
listed() {
	full_sync
	expect_exit 0
	gone=$(local_sql "select max(contact_id) from contacts_master")
	reader bigquery "DELETE FROM \`sandbox.identity.contacts_master\` WHERE contact_id = '$gone'"
	sql "insert into public.contacts_master (contact_id, canonical_name) values ('x-1', 'By Hand')"
	reader twenty POST /rest/people '{"name":{"firstName":"Hand","lastName":"Made"}}' >/dev/null
	full_sync --strict-extras
	expect_exit 1
	expect_line "$out" "     - (ID: $gone), created by us"
	expect_line "$out" "     - (ID: x-1), not created by us"
	expect_line "$out" "     - Hand Made (ID: none), not created by us"
	expect_eq "$(sql "select count(*) from public.contacts_master")" 61 "rows in Postgres"
}

deleted() {
	full_sync --delete-extras --dry-run
	expect_line "$out" "CRM: 0 would be created, 0 changed, 0 revived, 59 left alone, 0 refused, 1 deleted"
	expect_eq "$(sql "select count(*) from public.contacts_master")" 61 "rows in Postgres"
	full_sync --delete-extras --limit 5
	expect_exit 2
	full_sync BIGQUERY_WHERE=TRUE --delete-extras
	expect_exit 4
	expect_text "$err" "is not proven complete (its filter leaves contacts out)"
	full_sync --delete-extras
	expect_exit 0
	local system
	for system in CRM Local Supabase; do
		expect_text "$out" "Deleted in $system (we created them, and BigQuery has them no more): 1 ($gone)"
	done
	expect_eq "$(sql "select count(*) from public.contacts_master where contact_id in ('$gone', 'x-1')")" 1 "the other's in Postgres"
	expect_eq "$(local_sql "select count(*) from contacts_master")" 59 "rows in SQLite"
	reader twenty GET "/rest/people?filter=deletedAt[is]:NOT_NULL" >deleted
	expect_text deleted "$gone"
	full_sync --delete-extras
	expect_exit 0
	expect_no_text "$out" "Deleted in"
}

story "extras are listed with who created them" listed
story "--delete-extras deletes those that we created, in Twenty softly" deleted
finish
