#!/bin/sh
# Rates and peak memory of a full sync: generated contacts through the sandbox's BigQuery and Twenty, a private PostgreSQL and
# SQLite; written and validated, then once more with nothing to write. CONTACTS="10000 100000" says how many.
set -eu
cd "$(dirname "$0")/../.."
root=$PWD
syncrun=${SYNCRUN:-build/syncrun}
case $syncrun in /*) ;; *) syncrun=$root/$syncrun ;; esac
time_program=/usr/bin/time
[ -x "$time_program" ] || { echo "bench: $time_program is needed (the package time)" >&2; exit 2; }
dir='' sandbox=''

clean_up() {
	[ -z "$sandbox" ] || kill "$sandbox" 2>/dev/null || true
	[ -z "$sandbox" ] || wait "$sandbox" 2>/dev/null || true
	sandbox=''
	[ -z "$dir" ] || "$root/scripts/private_postgres.sh" stop "$dir/postgres" || true
	[ -z "$dir" ] || rm -rf "$dir"
	dir=''
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

start_systems() {
	dir=$(mktemp -d)
	chmod 711 "$dir"
	"$syncrun" scripts/sandbox.lua --dir "$dir/sandbox" --contacts "$1" --twenty-rate off >"$dir/sandbox.log" 2>&1 &
	sandbox=$!
	tries=0
	while [ ! -f "$dir/sandbox/env" ]; do
		tries=$((tries + 1))
		if [ "$tries" -gt 3000 ] || ! kill -0 "$sandbox" 2>/dev/null; then
			cat "$dir/sandbox.log" >&2
			exit 1
		fi
		sleep 0.1
	done
	. "$dir/sandbox/env"
	SUPABASE_DB_URL=$(scripts/private_postgres.sh start "$dir/postgres")
	LOCAL_DB=$dir/contacts.db
	SYNCRUN_STATE=$dir/state
	export SUPABASE_DB_URL LOCAL_DB SYNCRUN_STATE
}

# measure N NAME ARGUMENT...: one full_sync, and a line of figures.
measure() {
	n=$1 name=$2
	shift 2
	status=0
	(cd "$dir" && "$time_program" -v -o "$dir/time" "$syncrun" "$root/scripts/full_sync.lua" --report "$dir/report" "$@" \
		>"$dir/output" 2>&1) || status=$?
	[ "$status" = 0 ] || tail -n 20 "$dir/output" >&2
	awk -F ': ' -v n="$n" -v name="$name" -v status="$status" '
		/Elapsed/ { k = split($NF, t, ":"); s = t[k] + 60 * t[k - 1] + (k > 2 ? 3600 * t[1] : 0) }
		/Maximum resident/ { kb = $NF }
		/User time/ { cpu += $NF }
		/System time/ { cpu += $NF }
		END { printf "%7d contacts  %-28s %8.1f s %8.0f contacts/s  cpu %7.1f s  peak %5.1f MiB  exit %d\n",
			n, name, s, n / (s > 0 ? s : 1), cpu, kb / 1024, status }' "$dir/time"
}

for contacts in ${CONTACTS:-10000 100000}; do
	start_systems "$contacts"
	(cd "$dir" && "$syncrun" "$root/scripts/setup.lua" --apply >"$dir/setup.log" 2>&1) || { cat "$dir/setup.log" >&2; exit 1; }
	measure "$contacts" "first run, all written"
	measure "$contacts" "again, nothing to write"
	measure "$contacts" "--skip-sync" --skip-sync
	clean_up
done
