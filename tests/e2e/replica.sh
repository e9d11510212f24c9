#!/bin/bash
# A hot standby, fed by streaming replication, as a target: a run that writes is refused before anything is written anywhere; one
# that only reads validates there.
. "$(dirname "$0")/lib/story.sh"

basebackup=$(command -v pg_basebackup || ls /usr/lib/postgresql/*/bin/pg_basebackup 2>/dev/null | tail -n 1)
if [ -z "$basebackup" ]; then
	skip "$(basename "$0")" "there is no pg_basebackup"
	finish
fi

# cluster VARIABLE FOLDER: start the cluster there; the variable gets its URI.
cluster() {
	local uri
	uri=$("$scripts/private_postgres.sh" start --fast --tcp 0 "$2") || { echo "FAILED  no cluster in $2"; exit 1; }
	printf -v "$1" %s "$uri"
}

fresh_folder replica
start_sandbox sandbox --contacts 12 --twenty-rate off
LOCAL_DB=off
first=$(mktemp -d) standby=$(mktemp -d)
clusters+=("$first" "$standby")
cluster SUPABASE_DB_URL "$first"
export SUPABASE_DB_URL
set_up
full_sync
[ "$code" -eq 0 ] || { echo "FAILED  the first sync: $(head_of "$err")"; exit 1; }
"$basebackup" -d "$SUPABASE_DB_URL" -D "$standby/data" -R -X stream --no-sync -c fast >"$work/backup" 2>&1 ||
	{ echo "FAILED  pg_basebackup: $(head_of "$work/backup")"; exit 1; }
cp "$first/password" "$standby/password"
[ "$(id -u)" -ne 0 ] || chown -R postgres: "$standby"
cluster replica "$standby"

# Something to write is waiting all along.
reader bigquery "UPDATE \`sandbox.identity.contacts_master\` SET nickname = 'Waiting' WHERE contact_id IS NOT NULL"

held() {
	reader stat twenty.writes
	sql "select count(*), max(xmin::text::bigint) from contacts_master"
}

refused() {
	local before=$(held)
	full_sync "SUPABASE_DB_URL=$replica"
	expect_refused 3 "Supabase: database 'postgres' is a replica, which takes no writes; connect to the primary"
	expect_eq "$(held)" "$before" "what the systems hold"
	run "SUPABASE_DB_URL=$replica" "$scripts/setup.lua" --apply
	expect_exit 3
	expect_text "$out" "Supabase: database 'postgres' is a replica"
}

validates() {
	local tries=0
	full_sync "SUPABASE_DB_URL=$replica" --skip-sync
	expect_exit 1
	expect_text "$out" "CRM: nickname is"
	expect_text "$out" "Supabase: nickname is"
	full_sync --allow-mass-change
	expect_exit 0
	until [ "$(psql -qXAt "$replica" -c "select count(*) from contacts_master where nickname = 'Waiting'")" = 12 ]; do
		tries=$((tries + 1))
		[ $tries -lt 1000 ] || { fail "the standby does not follow"; return; }
		sleep 0.01
	done
	full_sync "SUPABASE_DB_URL=$replica" --skip-sync
	expect_exit 0
}

story "a standby as a target: exit 3, set-up too; nothing is written anywhere" refused
story "a run that only reads validates on a standby" validates
finish
