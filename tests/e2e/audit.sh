#!/bin/bash
# The audit trail from outside: verify_proof.lua --audit, and tests/torture/records.py, which shares no code with the program;
# a byte that was changed ends in exit code 7; forgetting empties what opens it; trace tells a contact's story.
. "$(dirname "$0")/lib/story.sh"

fresh_folder audit
start_sandbox sandbox --contacts 40 --twenty-rate off
unset TWENTY_API_URL TWENTY_API_KEY # the local database alone is enough here
set_up
id=''

verify() {
	run "$scripts/verify_proof.lua" --audit
}

verified() {
	full_sync
	expect_exit 0
	id=$(local_sql "select min(contact_id) from contacts_master")
	local_sql "update contacts_master set job_title = 'Quite Private' where contact_id = '$id'"
	full_sync
	expect_exit 0
	verify
	expect_exit 0
	expect_text "$out" "audit trail: 10 records, head "
	expect_text "$out" "42 commitments open, 2 proofs tell of it"
	expect_eq "$("$python" "$repository/tests/torture/records.py" "$SYNCRUN_STATE")" \
		"10 records of trails, 2 runs in logs, 41 before-images" "by another program"
	expect_no_text "$SYNCRUN_STATE/audit.jsonl" "Quite Private"
}

traced() {
	run "$scripts/trace.lua" "$id" --offline
	expect_exit 0
	expect_text "$out" "run 1: created in Local"
	expect_text "$out" '     - job_title: "Quite Private" -> '
	expect_text "$out" "  Local: verified, read in run 2"
}

forgotten() {
	run "$scripts/forget.lua" "$id"
	expect_exit 0
	verify
	expect_exit 0
	expect_text "$out" "audit trail: 11 records, head "
	expect_text "$out" "39 commitments open"
	run "$scripts/trace.lua" "$id" --offline
	expect_exit 1
	if grep -rqa "Quite Private" "$SYNCRUN_STATE"; then fail "the value is still in the state folder"; fi
}

changed() {
	cp -r "$SYNCRUN_STATE" whole
	sed -i '3s/"rejected":0/"rejected":1/' "$SYNCRUN_STATE/audit.jsonl"
	verify
	expect_exit 7
	expect_text "$err" "line 3 of the audit trail"
	rm -rf "$SYNCRUN_STATE"
	cp -r whole "$SYNCRUN_STATE"
	sed -i '$d' "$SYNCRUN_STATE/audit.jsonl"
	reader sqlite "$SYNCRUN_STATE/ledger.db" "delete from audit where n = 11"
	verify
	expect_exit 0 # nothing told of the last record yet: the next proof will
	sed -i '$d' "$SYNCRUN_STATE/audit.jsonl"
	reader sqlite "$SYNCRUN_STATE/ledger.db" "delete from audit where n = 10"
	verify
	expect_exit 7
	expect_text "$err" "tells of 10 records of the audit trail, with another head"
}

story "two runs are on record, and an outsider agrees" verified
story "trace tells a contact's story" traced
story "who is forgotten cannot be opened any more, and the chain holds" forgotten
story "a record that was changed or cut off: exit code 7" changed
finish
