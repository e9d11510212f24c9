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

story "a first load is signed for" first_run_is_refused_nothing
story "its roots are those of the rows in all four systems" roots_agree
story "its proof, leaves, log and checkpoint hold" first_state_holds
story "what differs has roots of its own, which are right too" roots_part
story "the head that was kept is continued" later_state_holds
story "a row that was changed since is found out" verifier_can_fail
finish
