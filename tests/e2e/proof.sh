#!/bin/bash
# What a run proves, recomputed by a stranger: lib/verifier.py was written from lua/README.md alone, and reads every system by
# a path of its own. CONTACTS=100000 tests/e2e/proof.sh does the same with so many generated contacts.
. "$(dirname "$0")/lib/story.sh"

data=$shared/data/contacts.ndjson
if [ -n "${CONTACTS:-}" ]; then
	export RUN_TIMEOUT=580
	fill=(--contacts "$CONTACTS")
elif [ -f "$data" ]; then
	fill=(--load "$data")
else
	skip proof "there is no $data"
	finish
fi

fresh_folder proof
start_sandbox sandbox "${fill[@]}" --twenty-rate off
start_postgres
set_up

verifier() {
	"$python" "$lib/verifier.py" "$@" >"$out" 2>"$err"
	code=$?
}

first_run_is_refused_nothing() {
	run "$scripts/proof_key.lua" example.com/crm
	expect_exit 0
	key=$(cat "$out")
	full_sync
	expect_exit 0
	contacts=$(sed -n 's/^Total Contacts: //p' "$out" | head -n 1)
}

roots_agree() {
	verifier roots "$SYNCRUN_STATE"
	expect_exit 0
	expect_same "$out" "CRM: $contacts contacts, both roots are equal
Supabase: $contacts contacts, both roots are equal
Local: $contacts contacts, both roots are equal"
}

state_holds() {
	verifier state "$SYNCRUN_STATE" "$key"
	expect_exit 0
	expect_same "$out" "$1"
}

first_state_holds() {
	state_holds "1 runs, 6 files of leaves: all hold"
	cp "$SYNCRUN_STATE/checkpoint" "$home/kept"
}

# One contact changed in each system, and two that it does not have there: the roots part, and are those of what is there.
roots_part() {
	local ids=($(sql "select contact_id from public.contacts_master order by contact_id collate \"C\" limit 8"))
	reader patch "${ids[1]}" '{"jobTitle":"\u200b"}'
	reader destroy "${ids[2]}"
	sql "update public.contacts_master set notes = 'x' where contact_id = '${ids[3]}'"
	sql "update public.contacts_master set contact_id = 'of nobody' where contact_id = '${ids[4]}'"
	local_sql "delete from contacts_master where contact_id = '${ids[5]}'"
	full_sync --skip-sync
	expect_exit 1
	verifier roots "$SYNCRUN_STATE"
	expect_exit 0
	expect_same "$out" "CRM: $contacts contacts, both roots agree
Supabase: $contacts contacts, both roots agree
Local: $contacts contacts, both roots agree"
	expect_eq "$(reader json "$(ls -d "$SYNCRUN_STATE"/runs/* | tail -n 1)/proof.json" systems.1.extras_size)" 1 "extras in Supabase"
}

# What was read is what the roots are of: a run is not believed about anything that is no longer there.
verifier_can_fail() {
	sql "update public.contacts_master set notes = 'y' where notes = 'x'"
	verifier roots "$SYNCRUN_STATE"
	expect_exit 1
	expect_text "$err" "broken: Supabase: observed_root is not that of the $((contacts - 1)) rows there"
}

later_state_holds() {
	verifier state "$SYNCRUN_STATE" "$key" "$home/kept"
	expect_exit 0
	expect_same "$out" "2 runs, 13 files of leaves: all hold"
}

# ---- scripts/verify_proof.lua, and what it gives away, checked by the stranger

verify() {
	run "$scripts/verify_proof.lua" "$@"
}

last_proof() {
	echo "$SYNCRUN_STATE/runs/$(ls "$SYNCRUN_STATE/runs" | tail -n 1)/proof.json"
}

verified() {
	verify --checkpoint "$home/kept" --key "$key" --max-age 1h
	expect_exit 0 # the first run, which found all equal, is not older than that
	expect_line "$out" "log: 2 runs, its checkpoint holds, signed by 'example.com/crm'"
	expect_line "$out" "  it continues the head of 1 runs in '$home/kept'"
	expect_text "$out" "  Supabase: NOT EQUAL; $contacts contacts expected, $((contacts - 1)) read, 1 extras; root "
}

# After a run that repaired all: what the run before it wrote is ours, what came after it is not.
differences_are_named() {
	local ids=($(sql "select contact_id from public.contacts_master order by contact_id collate \"C\" limit 8"))
	full_sync
	expect_exit 0
	local system
	for system in CRM Supabase Local; do
		verify --system $system
		expect_exit 0
		expect_text "$out" "$system now: as that run read it; $contacts contacts, root "
	done
	reader patch "${ids[6]}" '{"jobTitle":"changed by hand"}'
	verify --system CRM
	expect_exit 1
	expect_text "$out" "CRM now: 1 contacts are not as that run read them; $contacts contacts, root "
	expect_line "$out" "  ${ids[6]}: changed"
	verify "$(ls "$SYNCRUN_STATE/runs" | tail -n 2 | head -n 1)" --system Supabase # before it was repaired
	expect_exit 1
	expect_line "$out" "  ${ids[3]}: changed, last written by our run $(ls "$SYNCRUN_STATE/runs" | tail -n 1)"
}

proved_contacts() {
	local some=($(sql "select contact_id from public.contacts_master where contact_id <> 'of nobody'
		order by contact_id collate \"C\" limit 40")) id proof=$(last_proof)
	for id in "${some[30]}" "${some[35]}"; do
		verify --contact "$id"
		expect_exit 0
		cp "$out" "$home/given"
		"$python" - "$home/given" <<-'END' || fail "a proof of 2 KiB or more"
			import json, sys
			for line in open(sys.argv[1]):
			    given = json.loads(line)
			    del given["row"]
			    if len(json.dumps(given)) >= 2048: sys.exit(1)
		END
		verifier contact "$proof" "$home/given" "$id"
		expect_exit 0
		expect_same "$out" "CRM included
Supabase included
Local included"
		run SYNCRUN_STATE="$home/none" "$scripts/verify_proof.lua" "$proof" --contact "$id" --given "$home/given"
		expect_exit 0
		expect_eq "$(grep -c 'there, with the values of this row' "$out")" 3 "systems in which the contact was proved"
		run "$scripts/verify_proof.lua" "$proof" --contact "${some[31]}" --given "$home/given"
		expect_exit 7
	done
}

proved_absence() {
	local proof=$(last_proof)
	verify --contact 'nobody at all'
	expect_exit 0
	cp "$out" "$home/given"
	[ "$(wc -L <"$home/given")" -lt 4096 ] || fail "a proof of 4 KiB or more"
	expect_no_text "$home/given" nobody
	verifier contact "$proof" "$home/given" 'nobody at all'
	expect_exit 0
	expect_same "$out" "CRM absent
Supabase absent
Local absent"
	verify --contact 'of nobody' # an extra of Supabase
	expect_exit 1
	expect_text "$err" "Supabase: the contact is there, but the source did not have it"
}

# What stands in the proofs about some contacts, in base64 too, of any other: nothing.
nothing_of_others() {
	local id=$(sql "select contact_id from public.contacts_master order by contact_id collate \"C\" limit 1 offset 37")
	verify --contact "$id"
	cp "$out" "$home/given"
	verify --contact 'nobody at all'
	"$python" "$lib/disclosed.py" "$id" "$home/given" "$out" >"$work/found" 2>&1 || fail "$(head -c 300 "$work/found")"
}

others_tools_read_it() {
	verify --inclusion "$(ls "$SYNCRUN_STATE/runs" | head -n 1)"
	expect_exit 0
	expect_eq "$(head -n 2 "$out" | tail -n 1)" "index 0" "the index of the first run"
	verify --consistency 1
	expect_exit 0
	expect_eq "$(head -n 1 "$out")" "old 1" "the head of an add-checkpoint"
	verifier state "$SYNCRUN_STATE" "$key" "$home/kept"
	expect_exit 0
}

changed_by_hand() {
	local proof=$(last_proof)
	sed -i 's/"status": "finished"/"status": "finishes"/' "$proof"
	verify
	expect_refused 7 "the proof '$proof' was changed (its digest is another)"
	verifier state "$SYNCRUN_STATE" "$key"
	expect_exit 1
	sed -i 's/"status": "finishes"/"status": "finished"/' "$proof"
	verify
	expect_exit 0
}

story "a first load is signed for" first_run_is_refused_nothing
story "its roots are those of the rows in all four systems" roots_agree
story "its proof, leaves, log and checkpoint hold" first_state_holds
story "what differs has roots of its own, which are right too" roots_part
story "the head that was kept is continued" later_state_holds
story "a row that was changed since is found out" verifier_can_fail
if [ -z "${CONTACTS:-}" ]; then
	story "verify_proof.lua holds the log to a kept head, and says how old the last full proof is" verified
	story "--system names who differs now" differences_are_named
	story "--contact proves a row, to the program and to the stranger" proved_contacts
	story "--contact proves that somebody is not there, and names nobody" proved_absence
	story "a proof about one contact holds nothing of another" nothing_of_others
	story "tlog-proof and add-checkpoint are given" others_tools_read_it
	story "a proof changed by hand is exit code 7" changed_by_hand
fi
finish
