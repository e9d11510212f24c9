#!/bin/bash
# What a run leaves on record and how the next one uses it: one writer, resume, deadline, retry, forget, systems that go away
# in the middle, and the states of the ledger under which nothing may be written.
. "$(dirname "$0")/lib/story.sh"

contacts=2000
retry() { run "$scripts/retry.lua" "$@"; }
forget() { run "$scripts/forget.lua" "$@"; }

book() { # book SQL: the ledger, by another tool
	reader sqlite "$SYNCRUN_STATE/ledger.db" "$1"
}

# Run full_sync beside; its pid is in $beside.
start_beside() {
	"$SYNCRUN" "$scripts/full_sync.lua" "$@" >"$out" 2>"$err" </dev/null &
	beside=$!
}

end_beside() {
	wait "$beside"
	code=$?
}

# Until the ledger has an attempt like this (an SQL condition), at most some seconds.
wait_for() {
	local tries=0
	until [ -f "$SYNCRUN_STATE/ledger.db" ] && [ "$(book "select count(*) from attempt where $1" 2>/dev/null)" -gt 0 ] 2>/dev/null; do
		tries=$((tries + 1))
		[ $tries -lt 400 ] && kill -0 "$beside" 2>/dev/null || { fail "never seen: $1"; return 1; }
		sleep 0.01
	done
}

own_postgres() { # a cluster of our own, for it is stopped
	cluster=$(mktemp -d /tmp/syncrun-pg-XXXXXX)
	clusters+=("$cluster")
	SUPABASE_DB_URL=$("$scripts/private_postgres.sh" start --fast "$cluster") || exit 1
	export SUPABASE_DB_URL
}

restart_sandbox() { # with its data, on its ports
	"$SYNCRUN" "$scripts/sandbox.lua" --dir "$work/sandbox" --twenty-rate off --port-twenty "${TWENTY_API_URL##*:}" \
		--port-bigquery "${BIGQUERY_EMULATOR_HOST##*:}" >>"$work/sandbox.log" 2>&1 &
	sandbox=$!
	pids+=("$sandbox")
}

everyone_is_gone() { # an empty state folder, empty systems
	rm -rf "$SYNCRUN_STATE" "$LOCAL_DB" "$LOCAL_DB"-*
	sql "truncate public.contacts_master"
	reader sqlite "$work/sandbox/twenty.db" "delete from person" >/dev/null
}

fresh_folder ledger
start_sandbox sandbox --contacts $contacts --twenty-rate off
own_postgres
set_up
cat >small.lua <<'END'
return { twenty = { rate = { tokens = 1, every = 0.05 }, batch = 50 } }
END
# The batches alone take 20 seconds, so that a deadline falls among them on any machine.
echo 'return { twenty = { rate = { tokens = 1, every = 0.5 }, batch = 50 } }' >slow.lua

first_run_is_recorded() {
	full_sync
	expect_exit 0
	expect_eq "$(book "select status, exit, totals ->> 'validated' from run")" "finished | 0 | $contacts" "the run"
	expect_eq "$(book "select system, state, count(*) from state group by 1, 2")" "postgres | verified | $contacts
sqlite | verified | $contacts
twenty | verified | $contacts" "the states"
	expect_eq "$(book "select count(*) from attempt where status not in ('written', 'read')")" 0 "other attempts"
	expect_eq "$(book "select count(*) from run where length(script_digest) = 64 and length(mapping_digest) = 64
		and length(checks_digest) = 64")" 1 "digests"
	expect_no_text <(book "select settings from run") "$TWENTY_API_KEY"
}

unchanged_run_adds_a_handful() {
	local before=$(book "select count(*) from attempt") states=$(book "select max(read), min(read) from state")
	full_sync
	expect_exit 0
	expect_eq "$(($(book "select count(*) from attempt") - before))" 3 "attempts of a run without changes"
	expect_eq "$(book "select max(read), min(read) from state")" "$states" "what the states rest on"
}

one_writer() {
	everyone_is_gone
	start_beside --config small.lua
	wait_for "system = 'twenty' and mode = 'create'"
	run "$scripts/full_sync.lua"
	expect_refused 2 "another run (pid $beside) holds '$SYNCRUN_STATE'"
	kill -9 "$beside"
	end_beside
	retry --list
	expect_exit 0
	full_sync
	expect_exit 0
	expect_text "$err" "Resuming: run 1 was interrupted; "
	expect_eq "$(book "select group_concat(status) from run")" "interrupted,finished" "the runs"
	full_sync
	expect_no_text "$err" "Resuming"
}

# expect_incomplete CODE: the last run's report says so, and how it ended.
expect_incomplete() {
	expect_line "$out" "⚠️  INCOMPLETE - RUN THE SAME COMMAND AGAIN TO GO ON"
	expect_no_text "$out" "SUCCESS"
	local folder=$(book "select folder from run order by id desc limit 1")
	expect_text "$folder/report.json" "\"exit_code\": $1"
	expect_text "$folder/report.json" '"success": false'
	expect_eq "$(grep -c '"kind":"failed"' "$folder/issues.jsonl")" "$(grep -c '^     - ' "$out")" "lines of systems not through"
	expect_eq "$(wc -l <"$folder/contacts.jsonl")" "$contacts" "lines of contacts.jsonl"
}

deadline_is_kept() {
	everyone_is_gone
	full_sync --config slow.lua --deadline 8s
	expect_exit 5
	expect_line "$out" "Total Contacts: $contacts"
	expect_totals $contacts 0 0 0 0
	expect_line "$out" "⚠️  Not Checked: $contacts"
	expect_text "$out" "INCOMPLETE"
	expect_no_text "$out" "ISSUES FOUND"
	expect_text "$out" "     - CRM: the deadline of 8s came; run again to go on"
	expect_incomplete 5
	expect_text "$out" " of $contacts contacts looked at, "
	expect_eq "$(book "select status, exit from run")" "incomplete | 5" "the run"
	local sent=$(reader total_count)
	[ "$sent" -gt 0 ] && [ "$sent" -lt $contacts ] || fail "$sent people in Twenty"
	full_sync
	expect_exit 0
	expect_totals $contacts $contacts $contacts 0 0
	full_sync --deadline soon
	expect_refused 2 "'--deadline' takes a duration with its unit"
	full_sync --deadline 90
	expect_refused 2 "'--deadline' takes a duration with its unit"
}

ctrl_c_says_how_to_go_on() {
	everyone_is_gone
	# a shell's background job ignores SIGINT, so the run is started by Python
	"$python" - "$SYNCRUN" "$scripts/full_sync.lua" "$out" "$err" "$SYNCRUN_STATE/ledger.db" <<-'END'
		import os, signal, sqlite3, subprocess, sys, time
		program, script, out, err, path = sys.argv[1:]
		signal.signal(signal.SIGINT, signal.default_int_handler)
		p = subprocess.Popen([program, script, "--config", "small.lua"], stdout=open(out, "w"), stderr=open(err, "w"))
		for _ in range(500):
		    time.sleep(0.01)
		    try:
		        if sqlite3.connect(path).execute("select count(*) from attempt where system = 'twenty' and mode = 'create'").fetchone()[0]:
		            break
		    except sqlite3.Error:
		        pass
		p.send_signal(signal.SIGINT)
		sys.exit(p.wait(20) & 255)
	END
	code=$?
	expect_exit 130
	expect_text "$err" "interrupted; what was done is on record: run the same command again to go on"
	expect_incomplete 130
	expect_line "$out" "  ⚠️  Every contact"
	expect_line "$out" "     - CRM: stopped by SIGINT; run again to go on"
	expect_eq "$(book "select status, exit from run")" "interrupted | 130" "the run"
	full_sync
	expect_exit 0
	expect_text "$err" "Resuming: run 1 was interrupted"
}

# ---- systems that go away

postgres_restarts() {
	everyone_is_gone
	start_beside --config small.lua
	wait_for "system = 'twenty' and mode = 'create' and status = 'written'"
	"$scripts/private_postgres.sh" stop "$cluster"
	sleep 0.3
	"$scripts/private_postgres.sh" start --fast "$cluster" >/dev/null
	end_beside
	expect_exit 0
	expect_totals $contacts $contacts $contacts 0 0
}

twenty_restarts() {
	everyone_is_gone
	start_beside --config small.lua
	wait_for "system = 'twenty' and mode = 'create' and status = 'written'"
	stop_sandbox 2>/dev/null
	sleep 0.3
	restart_sandbox
	end_beside
	expect_exit 0
	expect_totals $contacts $contacts $contacts 0 0
	expect_eq "$(reader total_count)" $contacts "people in Twenty"
}

twenty_stays_away() {
	everyone_is_gone
	start_beside --config small.lua --deadline 8s
	wait_for "system = 'twenty' and mode = 'create' and status = 'written'"
	stop_sandbox 2>/dev/null
	end_beside
	expect_exit 5
	expect_text "$out" "Not checked in CRM"
	restart_sandbox
	while [ "$(reader stat twenty.people 2>/dev/null || echo x)" = x ]; do sleep 0.05; done
	full_sync
	expect_exit 0
	expect_totals $contacts $contacts $contacts 0 0
	expect_eq "$(reader total_count)" $contacts "people in Twenty"
}

# ---- retry and forget

refused_contacts() { # two people whose job title Twenty has otherwise, made by a filter of its own: repaired by nobody
	book "select key from state where system = 'twenty' order by key limit 2 offset 7"
}

retry_takes_the_failed() {
	full_sync
	retry
	expect_exit 0
	expect_empty "$out"
	expect_text "$err" "left no contact failed"
	local ids=($(refused_contacts))
	sql "delete from public.contacts_master where contact_id in ('${ids[0]}', '${ids[1]}')"
	full_sync --skip-sync
	expect_exit 1
	retry --list
	expect_same "$out" "${ids[0]}
${ids[1]}"
	retry
	expect_exit 0
	expect_totals 2 2 2 0 0
	retry
	expect_text "$err" "left no contact failed"
	full_sync
	expect_exit 0
}

forgotten_everywhere() {
	local ids=($(refused_contacts)) name
	name=$(sql "select canonical_name from public.contacts_master where contact_id = '${ids[0]}'")
	sql "update public.contacts_master set notes = 'quite-private-note' where contact_id in ('${ids[0]}', '${ids[1]}')"
	full_sync --skip-sync --report "$home/elsewhere" --json "$home/summary.json"
	full_sync --skip-sync --only "${ids[0]},nobody-$RANDOM"
	full_sync --dry-run
	full_sync --plan "$home/plan.jsonl"
	expect_text "$home/plan.jsonl" "quite-private-note"
	local issues=$(cat "$SYNCRUN_STATE"/runs/*/issues.jsonl | wc -l)
	grep -rqF "${ids[0]}" "$SYNCRUN_STATE" || fail "it was nowhere before"
	forget "${ids[0]}"
	expect_exit 0
	expect_text "$out" "Forgotten: 3 states"
	if grep -rlF -e "${ids[0]}" "$SYNCRUN_STATE" "$home/elsewhere" "$home/summary.json" "$home/plan.jsonl"; then fail "the id is still there"; fi
	if grep -rlF -e "$name (ID" "$SYNCRUN_STATE" "$home/elsewhere"; then fail "the name is still there"; fi
	grep -rqF -e "${ids[1]}" "$home/elsewhere" || fail "the other one is gone too"
	expect_eq "$(cat "$SYNCRUN_STATE"/runs/*/issues.jsonl | wc -l)" "$issues" "lines of issues.jsonl"
	forget "${ids[0]}"
	expect_refused 1 "nothing is kept of the contact '${ids[0]}' in '$SYNCRUN_STATE'; is the id right?"
	expect_eq "$(grep -c quite-private "$home/elsewhere/report.txt")" 1 "lines with the other one's note"
	expect_eq "$(grep -c quite-private "$home/plan.jsonl")" 1 "lines of the plan with it"
	local before=$(find "$SYNCRUN_STATE/runs" -type f -exec cksum {} + | sort | cksum) slip
	for slip in 1 '' CRM; do # texts that stand in every report, and are nobody's id
		forget "$slip"
		expect_refused 1 "nothing is kept of the contact '$slip'"
	done
	expect_eq "$(find "$SYNCRUN_STATE/runs" -type f -exec cksum {} + | sort | cksum)" "$before" "the reports"
	expect_eq "$(book "pragma integrity_check")" ok "the ledger"
	full_sync
	expect_exit 0
}

old_runs_are_pruned() {
	book "update run set started_at = '2020-01-01T00:00:00.000Z' where id <= 2" >/dev/null
	local folder=$(book "select folder from run where id = 2")
	[ -d "$folder" ] || fail "there is no $folder"
	echo '{"contact_id":"x"}' >"$folder/plan.jsonl" # as --dry-run leaves it
	full_sync --keep 90
	expect_refused 2 "'--keep' takes a duration with its unit, like 90s, 10m, 2h or 90d, not '90'"
	change_something
	full_sync --skip-sync --keep 90d # not a good run: nothing is removed
	expect_exit 1
	[ -d "$folder" ] || fail "$folder is gone"
	full_sync --keep 90d
	expect_exit 0
	expect_eq "$(ls "$folder" | grep -v '^proof\.')" "" "what is left beside the proof"
	(cd "$SYNCRUN_STATE" && sha256sum --quiet -c log) || fail "a proof is gone"
	expect_eq "$(book "select count(*) from run where id <= 2")" 0 "old runs"
}

# ---- nothing is written

nothing_written() { # nothing_written BEFORE CODE TEXT...
	local before=$1
	shift
	expect_exit "$1"
	local text
	for text in "${@:2}"; do expect_text "$err" "$text"; done
	expect_eq "$(fingerprint)" "$before" "what the systems hold"
}

change_something() {
	sql "update public.contacts_master set notes = 'changed $RANDOM' where contact_id = (select min(contact_id) from public.contacts_master)"
}

damaged_ledger() {
	change_something
	local before=$(fingerprint) state=$SYNCRUN_STATE
	cp -r "$state" "$home/kept"
	head -c 20000 /dev/urandom >"$state/ledger.db"
	rm -f "$state"/ledger.db-*
	full_sync
	nothing_written "$before" 2 "cannot use the ledger" "Move it away and run again"
	cp "$home/kept/ledger.db" "$state/ledger.db"
	dd if=/dev/urandom of="$state/ledger.db" bs=4096 seek=5 count=20 conv=notrunc status=none
	full_sync
	nothing_written "$before" 2 "cannot use the ledger"
	cp "$home/kept/ledger.db" "$state/ledger.db"
	book "insert into meta values (1000, 'x')"
	full_sync
	nothing_written "$before" 2 "it was written by a newer syncrun (version 1000; this one knows "
	rm -rf "$state/ledger.db"*
	full_sync
	expect_exit 0
	expect_eq "$(book "select count(*) from state where state = 'verified'")" $((3 * contacts)) "verified anew, by reading"
}

read_only_state() {
	change_something
	local before=$(fingerprint)
	full_sync SYNCRUN_STATE="$home/summary.json/state"
	nothing_written "$before" 2 "cannot make the folder"
	mkdir -p "$work/ro" && mount -t tmpfs -o ro,size=1m none "$work/ro" 2>/dev/null || return 0
	full_sync SYNCRUN_STATE="$work/ro"
	umount "$work/ro"
	nothing_written "$before" 2 "cannot write '$work/ro/lock'" "Read-only file system"
}

full_disk() {
	change_something
	local before=$(fingerprint)
	mkdir -p "$work/small"
	mount -t tmpfs -o size=1m none "$work/small" 2>/dev/null || return 0
	full_sync SYNCRUN_STATE="$work/small"
	nothing_written "$before" 2 "make room and run again"
	rm -rf "$work/small"/* && head -c 1020000 /dev/zero >"$work/small/other"
	full_sync SYNCRUN_STATE="$work/small"
	umount "$work/small"
	nothing_written "$before" 2 "is there room on the disk"
}

private_files() {
	expect_eq "$(find "$home" -newer small.lua \( -type f -o -type d \) -path "$SYNCRUN_STATE*" -perm /077)" "" "files that others may read"
	expect_eq "$(stat -c %a "$SYNCRUN_STATE" "$SYNCRUN_STATE/ledger.db" "$SYNCRUN_STATE/lock" | tr '\n' ' ')" "700 600 600 " "modes"
}

no_secrets() {
	local secret
	for secret in "$TWENTY_API_KEY"; do
		if grep -rlF -e "$secret" "$SYNCRUN_STATE" "$out" "$err"; then fail "the API key is there"; fi
	done
}

story "a run, its attempts and every contact's state are on record" first_run_is_recorded
story "a run without changes adds a handful of rows" unchanged_run_adds_a_handful
story "one writer a state folder; killed, it holds nothing, and the next run goes on" one_writer
story "--deadline ends in time with a report, exit code 5, and the next run completes it" deadline_is_kept
story "Ctrl-C says how to go on, and the next run does" ctrl_c_says_how_to_go_on
story "Postgres restarts in the middle: the run ends complete" postgres_restarts
story "Twenty and BigQuery restart in the middle: the run ends complete" twenty_restarts
story "Twenty stays away: exit code 5, and the next run completes it" twenty_stays_away
story "retry takes the failed contacts of the last run only" retry_takes_the_failed
story "a forgotten contact is in no ledger and no report, the rest is as it was" forgotten_everywhere
story "--keep removes old runs and their reports" old_runs_are_pruned
story "a damaged ledger, or one of a newer version: nothing is written" damaged_ledger
story "a state folder that cannot be written: nothing is written" read_only_state
story "a full disk: nothing is written" full_disk
story "what is kept is its owner's only" private_files
story "no secret is kept" no_secrets
finish
