#!/bin/bash
# Locks that others hold in Postgres are waited for: who holds them is said after five seconds, lock_wait, the deadline and Ctrl-C
# end it, in Supabase, a local Postgres and a source. A connection that stops delivering is noticed and replaced.
. "$(dirname "$0")/lib/story.sh"

fresh_folder wait
start_sandbox sandbox --contacts 150 --twenty-rate off
start_postgres
export TWENTY_API_URL=
LOCAL_DB=off
set_up
full_sync
[ "$code" -eq 0 ] || { echo "FAILED  the first run: $(head_of "$err")"; exit 1; }
name=${SUPABASE_DB_URL##*/}

# locked SQL: somebody's transaction, idle after this, until released.
locked() {
	rm -f locked
	mkfifo keys
	PGAPPNAME=SomeGUI psql -qX "$SUPABASE_DB_URL" <keys >locked 2>&1 &
	locker=$!
	pids+=("$locker")
	exec 7>keys
	rm keys
	echo "begin; $1; select 'held';" >&7
	appears locked held
}

released() {
	echo "rollback;" >&7
	exec 7>&-
	wait "$locker"
}

# Every contact's row is to be written, and one of them is held.
held_row() {
	sql "update contacts_master set nickname = 'to be written'"
	locked "update contacts_master set nickname = 'held' where contact_id = (select min(contact_id) from contacts_master)"
}

said_after_five_seconds() {
	held_row
	beside "$scripts/full_sync.lua" --allow-mass-change
	appears "$err" "waiting for a lock on 'Supabase' that process "
	expect_text "$err" "('SomeGUI', role '"
	expect_text "$err" "', idle in transaction for "
	expect_text "$err" "at most 60 s (lock_wait)"
	released
	ends
	expect_exit 0
	expect_text "$err" "the lock on 'Supabase' is free again"
	expect_totals 150 150 150 0 0
}

limited() {
	echo "return { local_db = { path = '$SUPABASE_DB_URL', lock_wait = 1 }, supabase = false }" >limited.lua
	held_row
	full_sync LOCAL_DB= SUPABASE_DB_URL= --allow-mass-change --config limited.lua
	released
	expect_exit 5
	expect_text "$err" "Local was lost: a statement on 'Local' waited 1 s for a lock that process "
	expect_text "$err" "; end that transaction, or raise lock_wait"
	expect_eq "$(sql "select count(*) from pg_stat_activity where datname = '$name' and wait_event_type = 'Lock'")" 0 \
		"statements that still wait"
	full_sync LOCAL_DB= SUPABASE_DB_URL= --allow-mass-change --config limited.lua
	expect_exit 0
}

source_limited() {
	echo "return { source = { kind = 'postgres', url = '$SUPABASE_DB_URL', lock_wait = 1 }, supabase = false }" >source.lua
	locked "lock table contacts_master"
	full_sync SUPABASE_DB_URL= LOCAL_DB="$home/copy.db" --config source.lua
	released
	expect_exit 3
	expect_text "$err" "waited 1 s for a lock that process "
	full_sync SUPABASE_DB_URL= LOCAL_DB="$home/copy.db" --config source.lua
	expect_exit 0
}

ended_from_outside() {
	local tries=0
	held_row
	full_sync --allow-mass-change --deadline 1s
	expect_exit 5
	beside "$scripts/full_sync.lua" --allow-mass-change
	until [ "$(sql "select count(*) from pg_stat_activity where datname = '$name' and wait_event_type = 'Lock'")" -gt 0 ]; do
		tries=$((tries + 1))
		[ $tries -lt 500 ] || { fail "it never waits"; break; }
	done
	kill -INT "$runner"
	ends
	expect_exit 130
	released
}

# proxy BYTES|TEXT: a proxy before the server is begun; $address is the database by it.
proxy() {
	local server=${SUPABASE_DB_URL#*@} tries=0
	"$python" "$lib/stall_proxy.py" "${server%%/*}" "$1" >port &
	pids+=($!)
	until [ -s port ] || [ $tries -gt 500 ]; do tries=$((tries + 1)) && sleep 0.01; done
	address=${SUPABASE_DB_URL%@*}@127.0.0.1:$(cat port)/$name
	rm port
}

# stalled BYTES|TEXT: a run through a proxy that forwards so many bytes of one connection's answers, or up to a text, and then
# nothing.
stalled() {
	proxy "$1"
	echo "return { supabase = { url = '$address', stall_wait = 1 } }" >stalled.lua
	full_sync SUPABASE_DB_URL= --allow-mass-change --config stalled.lua
	expect_exit 0
	expect_totals 150 150 150 0 0
	expect_text "$err" "connection to 'Supabase' was lost (nothing came for "
}

stops_delivering() {
	sql "update contacts_master set nickname = 'to be written'"
	stalled 30000 # in the middle of the scan
	sql "delete from contacts_master"
	stalled "INSERT 0 " # the answer to a write
}

source_stops_delivering() {
	sql "create table many as select 'c' || n as contact_id, 'x' as canonical_name, repeat('y', 500) as full_name
		from generate_series(1, 4000) n"
	cat >three.lua <<-END
		return { key = "contact_id", name = "full_name", fields = {
			{ "contact_id", "text", required = true }, { "canonical_name", "text" }, { "full_name", "text" } } }
	END
	echo "return {}" >none.lua
	proxy 1500000
	cat >many.lua <<-END
		return { source = { kind = "postgres", url = "$address", table = "many", stall_wait = 1, label = "Source" },
			mapping = "$PWD/three.lua", checks = "$PWD/none.lua", supabase = false }
	END
	full_sync SUPABASE_DB_URL= LOCAL_DB="$home/many.db" SYNCRUN_STATE="$home/many" --config many.lua
	expect_exit 0
	expect_totals 4000 4000 4000 0 0
	expect_text "$err" "connection to 'Source' was lost (nothing came for "
	expect_text "$err" "; it is read anew"
}

story "who holds a lock is said after five seconds; when it is let go the run goes on" said_after_five_seconds
story "lock_wait ends the wait, in a local Postgres too: exit 5, the next run goes on" limited
story "a lock on the source: exit 3" source_limited
story "the deadline and Ctrl-C end the wait at once" ended_from_outside
story "a connection that stops delivering is noticed and replaced" stops_delivering
story "a source that stops delivering is read anew" source_stops_delivering
finish
