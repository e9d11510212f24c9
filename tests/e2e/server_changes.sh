#!/bin/bash
# A server that changes what is written to it, by a trigger: said so, written once and not on every run, never called equal.
. "$(dirname "$0")/lib/story.sh"

fresh_folder changes
start_sandbox sandbox --contacts 10 --twenty-rate off
start_postgres
LOCAL_DB=off
set_up
full_sync
[ "$code" -eq 0 ] || { echo "FAILED  the first sync: $(head_of "$err")"; exit 1; }
mark="(changed by the server on write)"
sql "create function shout() returns trigger language plpgsql as \$\$ begin
		if new.organization is not null then new.organization := upper(new.organization) || '!'; end if; return new; end \$\$;
	create trigger shout before insert or update on contacts_master for each row execute function shout()"
reader bigquery "UPDATE \`sandbox.identity.contacts_master\` SET organization = 'Acme ' || contact_id WHERE contact_id IS NOT NULL"

versions() {
	sql "select sum(xmin::text::bigint) from contacts_master"
}

# Nothing is written to the table, and every contact is called different for that.
left_alone() {
	local before=$(versions)
	full_sync "$@"
	expect_exit 1
	expect_eq "$(versions)" "$before" "versions of the rows"
	expect_eq "$(grep -c -F "$mark" "$out")" 10 "lines with $mark"
	expect_totals 10 10 0 0 10
}

written_once() {
	full_sync --allow-mass-change
	expect_exit 1
	expect_eq "$(grep -c -F "Supabase: organization is \"ACME " "$out")" 10 "lines about the organization"
	expect_eq "$(grep -c -F "$mark" "$out")" 10 "lines with $mark"
	left_alone
	expect_line "$out" "Not written again in Supabase: 10 contacts that it changes on write (scripts/retry.lua writes them)"
	left_alone
}

what_else_differs_is_written() {
	reader bigquery "UPDATE \`sandbox.identity.contacts_master\` SET nickname = 'New' WHERE contact_id IS NOT NULL"
	full_sync --allow-mass-change
	expect_exit 1
	expect_eq "$(sql "select count(*) from contacts_master where nickname = 'New'")" 10 "rows with the new nickname"
	left_alone
}

mended() {
	sql "drop trigger shout on contacts_master"
	left_alone
	run "$scripts/retry.lua"
	expect_exit 0
	full_sync
	expect_exit 0
	expect_totals 10 10 10 0 0
	sql "update contacts_master set organization = upper(organization) || '!'" # somebody's edit, which looks the same
	full_sync --allow-mass-change
	expect_exit 0
	expect_eq "$(sql "select count(*) from contacts_master where organization like '%!'")" 0 "rows that are left as edited"
}

story "what a trigger changes is said to be the server's, and written once" written_once
story "what else differs is written" what_else_differs_is_written
story "once the trigger is gone retry.lua writes it, and nothing is left of it" mended
finish
