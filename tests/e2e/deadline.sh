#!/bin/bash
# A BigQuery that would keep a run for ever: --deadline ends every wait, in every phase.
. "$(dirname "$0")/lib/story.sh"

records "$work/contacts.ndjson" '[contact(i) for i in range(1, 31)]'
start_sandbox sandbox --load "$work/contacts.ndjson" --twenty-rate off
unset TWENTY_API_URL TWENTY_API_KEY # the local database alone is enough here
fresh_folder home

# silent_server: takes connections and never says a word; its port is in $port.
silent_server() {
	"$python" -uc 'import socket, time
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1])
time.sleep(600)' >"$work/port" &
	pids+=($!)
	wait_until 10 [ -s "$work/port" ] || exit 1
	port=$(cat "$work/port")
}

# expect_late TEXT...: the deadline ended the run before anything was written.
expect_late() {
	expect_exit 5
	expect_line "$err" "syncrun: the deadline of 1s came; run again to go on"
	[ ! -e "$LOCAL_DB" ] || expect_eq "$(local_sql 'select count(*) from contacts_master')" 0 "rows written"
}

deadline_in_preflight() {
	faults '{"path": "/tables/", "times": -1, "delay": 60}'
	full_sync --deadline 1s
	expect_late
}

deadline_at_the_token() {
	silent_server
	"$python" - "$port" "$(openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2>/dev/null)" >"$work/key.json" <<-'END'
		import json, sys
		print(json.dumps({"type": "service_account", "client_email": "a@b.c", "private_key": sys.argv[2] + "\n",
			"private_key_id": "k", "project_id": "p", "token_uri": "http://127.0.0.1:" + sys.argv[1]}))
	END
	echo 'return { bigquery = { base_url = "http://127.0.0.1:1" } }' >"$home/token.lua"
	full_sync BIGQUERY_EMULATOR_HOST= GOOGLE_APPLICATION_CREDENTIALS="$work/key.json" --config "$home/token.lua" --deadline 1s
	expect_late
}

deadline_in_the_snapshot() {
	faults '{"path": "/queries", "times": -1, "delay": 60}'
	full_sync --deadline 1s
	expect_late
	faults '{"path": "/queries", "times": -1, "incomplete": true}'
	full_sync --deadline 1s
	expect_late
	faults '{"path": "/queries", "times": -1, "status": 429, "reason": "rateLimitExceeded", "headers": {"Retry-After": "900"}}'
	full_sync --deadline 1s
	expect_late
}

deadline_in_the_reread() {
	faults ''
	full_sync
	expect_exit 0
	faults '{"path": "/tables/", "after": 3, "times": -1, "delay": 60}' # the check, the version, the columns; then the version
	full_sync --deadline 3s
	expect_exit 5
	expect_text "$out" "Not known whether BigQuery changed during the run (the deadline of 3s came; run again to go on)"
	expect_totals 30 30 30 0 0
}

story "a deadline ends the preflight" deadline_in_preflight
story "a deadline ends the wait for a token" deadline_at_the_token
story "a deadline ends the wait for the query, its polls and its rate limit" deadline_in_the_snapshot
story "a deadline ends the second look at the source, with a report" deadline_in_the_reread
finish
