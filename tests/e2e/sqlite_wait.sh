#!/bin/bash
# Locks that other programs hold on the local database, or on the ledger, are waited for: said after five seconds, ended by the
# deadline and by Ctrl-C. A statement that runs long ends by a signal too.
. "$(dirname "$0")/lib/story.sh"

fresh_folder wait
start_sandbox sandbox --contacts 150 --twenty-rate off
export TWENTY_API_URL=
full_sync
[ "$code" -eq 0 ] || { echo "FAILED  the first run: $(head_of "$err")"; exit 1; }

# locked FILE [SQL]...: another program locks it, until released.
locked() {
	rm -f locked release
	local file=$1
	shift
	"$python" "$lib/lock.py" "$file" locked release "$@" &
	locker=$!
	pids+=("$locker")
	appears locked
}

released() {
	touch release
	wait "$locker"
}

waits_for_the_file() {
	local_sql "delete from contacts_master where contact_id = (select min(contact_id) from contacts_master)"
	locked "$LOCAL_DB" "pragma journal_mode = delete" # readers are locked out too
	beside "$scripts/full_sync.lua"
	appears "$err" "waiting for '$LOCAL_DB', which another program or handle has locked; at most 60 s"
	released
	ends
	expect_exit 0
	expect_totals 150 150 150 0 0
	expect_text "$err" "'$LOCAL_DB' is free again"
}

waits_for_the_ledger() {
	locked "$SYNCRUN_STATE/ledger.db"
	beside "$scripts/full_sync.lua"
	sleep 0.5
	released
	ends
	expect_exit 0
	expect_totals 150 150 150 0 0
}

deadline_ends_it() {
	local_sql "delete from contacts_master"
	locked "$LOCAL_DB"
	full_sync --deadline 1s
	released
	expect_exit 5
	expect_eq "$(local_sql "select count(*) from contacts_master")" 0 "rows in SQLite"
}

signals_end_it() {
	local signal
	for signal in INT TERM; do
		locked "$LOCAL_DB"
		beside "$scripts/full_sync.lua"
		sleep 0.5
		kill -$signal "$runner"
		ends
		released
		expect_exit "$([ $signal = INT ] && echo 130 || echo 143)"
	done
	full_sync
	expect_exit 0
}

signals_end_a_statement() {
	local signal
	for signal in INT TERM; do
		beside -e 'local db = require "syncrun.sqlite".open(":memory:")
			io.stdout:write("begins\n"):flush()
			db:one "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS n FROM n"'
		appears "$out" begins
		kill -$signal "$runner"
		ends
		expect_exit "$([ $signal = INT ] && echo 130 || echo 143)"
	done
}

story "a locked local database is waited for, and that is said" waits_for_the_file
story "so is a locked ledger" waits_for_the_ledger
story "the deadline ends the waiting" deadline_ends_it
story "Ctrl-C and SIGTERM end the waiting" signals_end_it
story "Ctrl-C and SIGTERM end a statement that runs long" signals_end_a_statement
finish
