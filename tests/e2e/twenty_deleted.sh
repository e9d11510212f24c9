#!/bin/bash
# Somebody deletes or merges a person in Twenty: on_deleted = "restore" (the default) brings them back, "respect" leaves them
# deleted, names them, and never counts them as validated.
. "$(dirname "$0")/lib/story.sh"

fresh_folder deleted
records "$work/in.ndjson" '[contact(1), contact(2), contact(3), contact(4)]'
start_sandbox sandbox --load "$work/in.ndjson" --twenty-rate off
start_postgres
set_up
full_sync
[ "$code" -eq 0 ] || fail "the first sync: exit code $code"

setting() {
	echo "return { twenty = { rate = false, on_deleted = '$1' } }" >config.lua
}

# merge LOSER WINNER: as mergePeople of Twenty 2.21 leaves it: the loser is destroyed, its address is an additional one of
# the winner, who keeps id and contactId.
merge() {
	local address=$(reader person "$1" emails.primaryEmail)
	reader twenty DELETE "/rest/people/$(reader person "$1" id)" >/dev/null
	reader twenty PATCH "/rest/people/$(reader person "$2" id)" \
		"{\"emails\":{\"primaryEmail\":\"$(reader person "$2" emails.primaryEmail)\",\"additionalEmails\":[\"$address\"]}}" >/dev/null
}

state_of() {
	reader jsonl "$work/report/contacts.jsonl" "r['systems']['CRM'] if r['contact_id'] == '$1' else None"
}

left_alone() {
	setting respect
	reader soft_delete c0002
	local before=$(reader stat twenty.writes)
	for _ in 1 2; do
		full_sync --config config.lua --report "$work/report"
		expect_exit 0
		expect_totals 4 4 3 0 0
		expect_line "$out" "⚠️  Deleted There, Left So: 1"
		expect_line "$out" 'Deleted in CRM, and left so (on_deleted = "respect"): 1'
		expect_line "$out" "     - Name2 Person (ID: c0002): Deleted in CRM, and left so (soft-deleted there)"
		expect_line "$out" "✅ NO EXCEPTIONS - ALL DATA IN SYNC (1 deleted in CRM)"
		expect_eq "$(state_of c0002) $(state_of c0001)" "missing verified" "the verdicts"
		expect_eq "$(reader json "$work/report/report.json" deleted)" 1 "deleted in report.json"
	done
	expect_eq "$(reader stat twenty.writes)" "$before" "writes"
	expect_eq "$(reader total_count)" 3 "people"
}

# Others are written, and the deleted one is not, whatever its contact becomes.
others_go_on() {
	reader bigquery "UPDATE \`sandbox.identity.contacts_master\` SET nickname = 'New' WHERE contact_id IS NOT NULL"
	full_sync --config config.lua
	expect_exit 0
	expect_totals 4 4 3 0 0
	expect_line "$out" 'Deleted in CRM, and left so (on_deleted = "respect"): 1'
	expect_eq "$(reader total_count)" 3 "people"
	expect_eq "$(reader person c0001 nickname)" New "another one"
	expect_eq "$(sql "select nickname from contacts_master where contact_id = 'c0002'")" New "the deleted one in Supabase"
	full_sync --config config.lua --only c0002
	expect_exit 0
	expect_totals 1 1 0 0 0
	full_sync --config config.lua --skip-sync
	expect_exit 0
	expect_totals 4 "not run" 3 0 0
}

# Only what the server shows is respected: who is simply not there is made.
merged_left() {
	merge c0003 c0004
	full_sync --config config.lua
	expect_exit 0
	expect_totals 4 4 2 0 0
	expect_line "$out" \
		"     - Name3 Person (ID: c0003): Deleted in CRM, and left so (merged into contact c0004, who has its e-mail now)"
	expect_line "$out" "✅ NO EXCEPTIONS - ALL DATA IN SYNC (2 deleted in CRM)"
	reader twenty DELETE "/rest/people/$(reader person c0001 id)" >/dev/null
	full_sync --config config.lua
	expect_exit 0
	expect_eq "$(reader person c0001 nickname)" New "one that was destroyed and not merged"
}

all_restored() {
	setting restore
	full_sync --config config.lua
	expect_exit 0
	expect_totals 4 4 4 0 0
	expect_line "$out" "Revived in CRM (were soft-deleted there): 1"
	expect_line "$out" "Made anew in CRM (had been merged there): 1"
	expect_line "$out" "     - Name3 Person (ID: c0003): merged into contact c0004, who has its e-mail now"
	expect_line "$out" "✅ NO EXCEPTIONS - ALL DATA IN SYNC"
	expect_eq "$(reader total_count)" 4 "people"
	full_sync --config config.lua
	expect_exit 0
	expect_no_text "$out" "merged"
}

# An additional address of one's own is no sign of a merge: who lost its primary one to another contact keeps it there.
own_address() {
	reader bigquery "UPDATE \`sandbox.identity.contacts_master\` SET email = 'p1@example.com' WHERE contact_id = 'c0002'"
	echo "return { twenty = { rate = false, on_deleted = 'respect', duplicate_email = 'additional' } }" >config.lua
	full_sync --config config.lua
	expect_exit 0
	reader twenty DELETE "/rest/people/$(reader person c0001 id)" >/dev/null
	full_sync --config config.lua
	expect_no_text "$out" "merged"
	expect_eq "$(reader person c0001 nickname)" New "the one who holds the address"
}

unknown_choice() {
	setting revive
	full_sync --config config.lua
	expect_refused 2 "the setting 'twenty.on_deleted' in 'config.lua' is 'restore' or 'respect', not 'revive'"
}

story "respect: a deleted person stays deleted, is named, and is not validated; exit 0" left_alone
story "respect: the others are written, with --only and --skip-sync too" others_go_on
story "respect: who was merged into another is left so; who is simply not there is made" merged_left
story "restore: all are brought back, and who was merged is named" all_restored
story "an additional address of one's own is no sign of a merge" own_address
story "an unknown choice is refused" unknown_choice
finish
