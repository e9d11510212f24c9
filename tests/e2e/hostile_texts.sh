#!/bin/bash
# Texts from outside, of servers and of contacts: none steers a terminal or deceives a reader, on no way out; and what a server
# says of every contact, however long, is kept once. HOSTILE=1000 tries so many contacts.
. "$(dirname "$0")/lib/story.sh"
. "$lib/spoiled.sh"

fresh_folder hostile
total=${HOSTILE:-40}
LOCAL_DB=$work/contacts.db # the contacts themselves are not what is looked at here
RUN_TIMEOUT=600
steering='\u001b]0;owned\u0007\u001b[2J\u009b31m\r\nsyncrun: all is well\u202e\u200b\ufeff\u00ad '
records "$work/contacts.ndjson" "[contact(i, job_title='Boss\x1b[31m\u202e\u200b', canonical_name='Na\u200bme%d Per\u202eson' % i)
	for i in range(1, $total)] + [contact($total, contact_id='c\u202e\"9')]"
odd_id=$'c\xe2\x80\xae"9'
start_sandbox sandbox --load "$work/contacts.ndjson" --twenty-rate off
start_postgres
set_up
direct=$TWENTY_API_URL

# harmless MEGABYTES: all that was said and kept is, and it is not more than that.
harmless() {
	local found
	found=$("$python" "$lib/harmless.py" "$out" "$err" "$home") || fail "not harmless: $found"
	[ "$(du -sm "$home" | cut -f 1)" -le "$1" ] || fail "$(du -sm "$home" | cut -f 1) MB are kept, want at most $1"
}

# Twenty and Postgres refuse each contact with 4 MB of words.
shouted_at() {
	sql "create function shout() returns trigger language plpgsql as \$\$ begin
			raise exception '%', E'\x1b]0;owned\x07\x1b[2J\u009b31m\u202e\u200b' || repeat('no ', 1400000) using hint = E'a\x1bb'; end \$\$;
		create trigger shout before insert or update on public.contacts_master for each row execute function shout()" >/dev/null
	spoil shout 1
	full_sync SYNCRUN_LOG=debug --report "$home/report" --json "$home/summary.json" --trace-folds
	unspoil
	expect_exit 1
	expect_line "$out" "❌ Errors: $total"
	expect_text "$out" 'CRM: \x1b]0;owned\x07\x1b[2J\u009b31m\x0d\x0asyncrun: all is well\u202e\u200b'
	expect_text "$out" "Supabase: query on 'Supabase' failed (\x1b]0;owned\x07"
	expect_text "$home/report/contacts.jsonl" 'Na\u200bme1 Per\u202eson'
	harmless $((8 + total / 100))
	local peak=$(reader json "$home/summary.json" peak_memory_bytes)
	[ "$peak" -le 150000000 ] || fail "a peak of $peak bytes"
	sql "drop trigger shout on public.contacts_master" >/dev/null
}

# A source, a token server or a target that shouts at the run as a whole.
lost() {
	faults "{\"status\": 400, \"reason\": \"invalidQuery\", \"message\": \"$steering\", \"times\": -1}"
	full_sync
	expect_exit 2
	expect_text "$err" '\x1b]0;owned'
	harmless 8
	sandbox_faults '{"faults": []}'
	full_sync BIGQUERY_TABLE=$'no\e[31m\xe2\x80\xae.such'
	harmless 8
	run "$scripts/full_sync.lua" $'--no\e[31m\xe2\x80\xae'
	expect_exit 2
	harmless 8
	full_sync "TWENTY_API_URL=http://127.0.0.1:1/"$'\e[31m'
	harmless 8
}

# Differences, plans, and all that looks at contacts by name.
shown() {
	full_sync
	expect_exit 0
	sql "update public.contacts_master set job_title = E'\x1b]0;owned\x07\u202e\u200b' || repeat('x', 1000000)" >/dev/null
	local arguments
	for arguments in "full_sync.lua --skip-sync --report $home/report" "full_sync.lua --dry-run" "full_sync.lua --plan $home/plan" \
		"setup.lua" "doctor.lua"; do
		run "$scripts/"$arguments # shellcheck disable=SC2086
		harmless $((10 + total / 20))
	done
	expect_text "$home/plan" '\u001b]0;owned\u0007\u202e\u200b'
	expect_text "$home/report/issues.jsonl" '"c\u202e\"9"'
	expect_text "$home/report/issues.csv" '"c\u202e""9","Name'
	run "$scripts/forget.lua" "$odd_id"
	expect_exit 0
	expect_text "$out" "Forgotten: 3 states"
	expect_eq "$(grep -rlF -e 'c\u202e' "$home/report" "$home/state/runs")" "" "files that still name who is forgotten"
	expect_eq "$("$python" -c 'import csv, sys; print({len(row) for row in csv.reader(open(sys.argv[1], newline=""))})' \
		"$home/report/issues.csv")" "{9}" "columns of issues.csv"
	expect_eq "$(grep -c '^"(forgotten)",' "$home/report/issues.csv")" 1 "lines of issues.csv that were of the one forgotten"
	harmless $((10 + total / 20))
	run -e $'error("\e[31m\xe2\x80\xae\xe2\x80\x8b")'
	expect_exit 6
	expect_text "$err" '\x1b[31m\u202e\u200b'
	harmless $((10 + total / 20))
}

story "a Twenty and a Postgres that refuse every contact with 4 MB of steering text" shouted_at
story "a source that shouts, arguments that steer" lost
story "differences, plans, doctor, forget, tracebacks" shown
finish
