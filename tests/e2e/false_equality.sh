#!/bin/bash
# None that differs passes as equal, none that is equal fails: the cases of lib/false_equality.py in Postgres, SQLite and Twenty,
# then in the source; by the verdicts of the report, by the leaves and roots of the proof, by verify_proof.lua, and by the
# stranger's computation of both roots.
. "$(dirname "$0")/lib/story.sh"

table() {
	"$python" "$lib/false_equality.py" "$@"
}

fresh_folder false_equality
table load >"$work/contacts.ndjson" || exit 1
start_sandbox sandbox --load "$work/contacts.ndjson" --twenty-rate off
start_postgres
set_up
contacts=$(wc -l <"$work/contacts.ndjson")

synced() {
	full_sync
	expect_exit 0
	expect_totals "$contacts" "$contacts" "$contacts" 0 0
	clean=$(ls "$SYNCRUN_STATE/runs" | tail -n 1)
	[ "$(table cases)" -ge 100 ] || fail "only $(table cases) cases"
}

# The verdicts, the leaves and the roots of a run that only looks.
judged() {
	full_sync --skip-sync --report "$work/report"
	expect_exit 1
	table found "$work/report" "$SYNCRUN_STATE" >"$work/unsorted" 2>"$err" || fail "$(head_of "$err")"
	sort "$work/unsorted" >"$work/found"
	cmp -s "$work/wanted" "$work/found" || fail "wanted and found: $(diff "$work/wanted" "$work/found" | head -n 20 | tr '\n' '~')"
	"$python" "$lib/verifier.py" roots "$SYNCRUN_STATE" >"$out" 2>"$err" || fail "$(head_of "$err")"
	expect_eq "$(grep -c 'both roots agree' "$out")" 3 "systems whose roots differ, and are those of what is there"
}

changed_in_the_targets() {
	table expect | sort >"$work/wanted"
	table postgres | psql -qX -v ON_ERROR_STOP=1 "$SUPABASE_DB_URL" >"$out" 2>&1 || fail "$(head_of "$out")"
	"$python" -c '
import sqlite3, sys
sqlite3.connect(sys.argv[1]).executescript(sys.stdin.read())' "$LOCAL_DB" < <(table sqlite)
	table twenty >"$out" 2>&1 || fail "$(head_of "$out")"
	judged
}

named_by_verification() {
	local system
	for system in CRM Supabase Local; do
		run "$scripts/verify_proof.lua" "$clean" --system $system
		expect_exit 1
		table named $system <"$out" | sort >"$work/found"
		table expect $system | sort >"$work/wanted"
		cmp -s "$work/wanted" "$work/found" || fail "$system: $(diff "$work/wanted" "$work/found" | head -n 20 | tr '\n' '~')"
	done
}

repaired() {
	full_sync --allow-mass-change
	expect_exit 0
	run "$scripts/verify_proof.lua" "$clean" --system Supabase
	expect_exit 0 # spelled otherwise or not: the same root again
}

changed_in_the_source() {
	table expect | sort >"$work/wanted"
	table source >"$out" 2>&1 || fail "$(head_of "$out")"
	judged
	expect_eq "$(sql_of_ledger "select count(distinct key) from state where state <> 'verified'")" \
		"$(cut -d ' ' -f 1 "$work/wanted" | sort -u | wc -l)" "contacts that the ledger calls other than verified"
}

sql_of_ledger() {
	reader sqlite "$SYNCRUN_STATE/ledger.db" "$1"
}

# A column of theirs more is nothing of ours; a row doubled under another id is an extra, and the roots say so.
added() {
	full_sync --allow-mass-change
	expect_exit 0
	local before=$(reader json "$SYNCRUN_STATE/runs/$(ls "$SYNCRUN_STATE/runs" | tail -n 1)/proof.json" systems.1.observed_root)
	sql "alter table public.contacts_master add column theirs text default 'x'"
	local_sql "alter table contacts_master add column theirs text default 'x'"
	full_sync --skip-sync --report "$work/report"
	expect_exit 0
	expect_eq "$(reader json "$work/report/proof.json" systems.1.observed_root)" "$before" "the root with a column more"
	sql "insert into public.contacts_master (contact_id, canonical_name, notes) select contact_id || ' ', canonical_name, notes
		from public.contacts_master where contact_id = '000a'"
	full_sync --skip-sync --report "$work/report" --strict-extras
	expect_exit 1
	expect_eq "$(reader json "$work/report/proof.json" systems.1.extras_size)" 1 "extras"
	expect_eq "$(reader json "$work/report/proof.json" systems.1.observed_root)" "$before" "the root with a row more"
}

story "the contacts are synced" synced
story "changed in the targets: each difference is one, each other spelling is none" changed_in_the_targets
story "verify_proof.lua names the same ones" named_by_verification
story "repaired, the roots are those of before" repaired
story "changed in the source: the same verdicts" changed_in_the_source
story "a column added is no difference, a row doubled under another id is an extra" added
finish
