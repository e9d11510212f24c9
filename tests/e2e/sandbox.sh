#!/bin/bash
# The sandbox as a user starts it: one a folder, on the ports it had, with a Postgres of its own when asked for.
. "$(dirname "$0")/lib/story.sh"

fresh_folder sandbox_user
chmod 711 "$work" # the user of a private Postgres enters it

again() { # again ARGUMENTS...: stop it and start it anew
	stop_sandbox 2>/dev/null
	start_sandbox box "$@"
}

start_sandbox box --contacts 5 --twenty-rate off

one_a_folder() {
	local first=$sandbox env=$(cat "$work/box/env")
	run "$scripts/sandbox.lua" --dir "$work/box"
	expect_refused 2 "another sandbox (pid $first) serves '$work/box'; stop it, or give another --dir"
	expect_eq "$(cat "$work/box/env")" "$env" "the first one's env"
	expect_eq "$(reader stat twenty.people)" 0 "people of the first one"
}

same_ports() {
	local twenty=$TWENTY_API_URL bigquery=$BIGQUERY_EMULATOR_HOST
	again --twenty-rate off
	expect_eq "$TWENTY_API_URL $BIGQUERY_EMULATOR_HOST" "$twenty $bigquery" "the addresses"
	stop_sandbox 2>/dev/null
	"$python" -c "import socket, sys, time
listener = socket.create_server(('127.0.0.1', int(sys.argv[1]))) # has it though a connection's end still waits there
print('taken', flush=True)
time.sleep(60)" "${twenty##*:}" >taken &
	pids+=($!)
	local taker=$!
	wait_until 10 [ -s taken ] || return
	run "$scripts/sandbox.lua" --dir "$work/box" --port-twenty "${twenty##*:}"
	expect_exit 2
	expect_text "$err" "cannot listen on '127.0.0.1:${twenty##*:}' (Address already in use); is the port taken?"
	expect_no_text "$err" "traceback"
	start_sandbox box --twenty-rate off
	[ "$TWENTY_API_URL" != "$twenty" ] || fail "it has the taken port"
	expect_eq "$BIGQUERY_EMULATOR_HOST" "$bigquery" "the other address"
	expect_text "$work/box.log" "port ${twenty##*:} of twenty is taken; it has ${TWENTY_API_URL##*:} now"
	kill "$taker"
	twenty=$TWENTY_API_URL
	again --twenty-rate off
	expect_eq "$TWENTY_API_URL" "$twenty" "the address it has now"
}

with_postgres() {
	again --twenty-rate off --postgres
	[ -n "${SUPABASE_DB_URL:-}" ] || fail "no SUPABASE_DB_URL in the env"
	set_up
	full_sync
	expect_exit 0
	expect_totals 5 5 5 0 0
	expect_eq "$(sql "select count(*) from contacts_master")" 5 "rows in Postgres"
	stop_sandbox 2>/dev/null
	expect_eq "$(sql "select 1" 2>/dev/null)" "" "an answer of the Postgres that was stopped"
	start_sandbox box --twenty-rate off --postgres
	expect_eq "$(sql "select count(*) from contacts_master")" 5 "rows after the next start"
	stop_sandbox 2>/dev/null
	"$scripts/private_postgres.sh" stop "$work/box/postgres" # whatever went wrong
}

story "a second sandbox on one folder is refused" one_a_folder
story "the ports stay the same, unless they are taken" same_ports
story "--postgres: a Postgres of its own, stopped with it" with_postgres
finish
