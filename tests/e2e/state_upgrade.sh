#!/bin/bash
# A state folder as the first release (3a66c77) wrote it is taken over in place: what it knew is still known, the next run goes
# on with it; and a ledger of a newer program is refused. tests/state/3a66c77 holds that ledger as SQL text.
. "$(dirname "$0")/lib/story.sh"

fresh_folder upgrade
start_sandbox sandbox --contacts 30 --twenty-rate off
set_up

ledger() { # ledger SQL
	reader sqlite "$SYNCRUN_STATE/ledger.db" "$1"
}

restore() {
	rm -rf "$SYNCRUN_STATE"
	mkdir -p "$SYNCRUN_STATE"
	"$python" -c 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(open(sys.argv[2]).read())' \
		"$SYNCRUN_STATE/ledger.db" "$repository/tests/state/3a66c77/ledger.sql"
	cp "$repository/tests/state/3a66c77/last_full.json" "$SYNCRUN_STATE/"
}

known_again() {
	restore
	local failed
	failed=$(ledger "select key from state where state <> 'verified'")
	run "$scripts/retry.lua" --list
	expect_exit 0
	expect_eq "$(cat "$out")" "$failed" "what the last run left failed"
	full_sync
	expect_exit 0
	expect_totals 30 30 30 0 0
	expect_eq "$(ledger "select group_concat(id || ' ' || status, ', ') from run where id < 3")" "1 finished, 2 finished" "its runs"
	expect_eq "$(ledger "select count(*) from state where state = 'verified'")" 60 "contacts verified in two systems"
	expect_eq "$(ledger "select group_concat(version, ' ') from (select version from meta order by version)" | cut -c1)" 1 \
		"the first version is still on record"
}

changed_goes_on() {
	restore
	full_sync --changed
	expect_exit 0
	expect_text "$out" "delta run, not a proof"
}

newer_is_refused() {
	restore
	ledger "insert into meta values (1000, '2099-01-01')"
	full_sync
	expect_refused 2 "it was written by a newer syncrun (version 1000"
}

story "a state folder of the first release is taken over" known_again
story "a delta run goes on from the full run that it remembers" changed_goes_on
story "a ledger of a newer program is refused" newer_is_refused
finish
