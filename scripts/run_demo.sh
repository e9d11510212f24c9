#!/bin/sh
# What `make run` does: a sandbox BigQuery and Twenty with 150 contacts, a private PostgreSQL as Supabase and a SQLite file; set up,
# synced, read back and compared. Everything is in a temporary folder and stopped again; the report stays in build/report.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd -P)
syncrun=${SYNCRUN:-build/syncrun}
case $syncrun in /*) ;; *) syncrun=$root/$syncrun ;; esac
report=$root/build/report
sandbox=''
dir=$(mktemp -d)
chmod 711 "$dir" # the server's own user enters it

fail() {
	echo "run_demo.sh: $*" >&2
	exit 1
}

clean_up() {
	trap '' INT TERM
	if [ -n "$sandbox" ]; then
		kill "$sandbox" 2>/dev/null || true
		wait "$sandbox" 2>/dev/null || true
	fi
	"$root/scripts/private_postgres.sh" stop "$dir/postgres" || true
	rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Nobody's real accounts, whatever the caller's environment says; a .env file of the clone is not read from $dir either.
forget_accounts() {
	unset BIGQUERY_WHERE BIGQUERY_LOCATION GOOGLE_APPLICATION_CREDENTIALS GCLOUD_PROJECT GOOGLE_CLOUD_QUOTA_PROJECT \
		CLOUDSDK_CONFIG GCE_METADATA_HOST TWENTY_CRM_API_KEY SYNCRUN_TABLE SYNCRUN_LUA SYNCRUN_LOG SYNCRUN_LOG_JSON
	unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
}

start_sandbox() {
	"$syncrun" "$root/scripts/sandbox.lua" --dir "$dir/sandbox" --contacts 150 >"$dir/sandbox.log" 2>&1 &
	sandbox=$!
	tries=0
	while [ ! -f "$dir/sandbox/env" ]; do
		tries=$((tries + 1))
		if [ "$tries" -gt 300 ] || ! kill -0 "$sandbox" 2>/dev/null; then
			cat "$dir/sandbox.log" >&2
			fail "the sandbox did not start"
		fi
		sleep 0.1
	done
	. "$dir/sandbox/env"
}

[ -x "$syncrun" ] || fail "there is no $syncrun; run make first"
forget_accounts
cd "$dir"
echo "Starting a sandbox BigQuery and Twenty, and a private PostgreSQL, in $dir"
start_sandbox
SUPABASE_DB_URL=$("$root/scripts/private_postgres.sh" start --fast "$dir/postgres")
LOCAL_DB=$dir/contacts.db
SYNCRUN_STATE=$dir/state
export SUPABASE_DB_URL LOCAL_DB SYNCRUN_STATE

echo "Making what the mapping needs: syncrun scripts/setup.lua --apply"
"$syncrun" "$root/scripts/setup.lua" --apply
echo
echo "Syncing and validating: syncrun scripts/full_sync.lua --report build/report"
status=0
"$syncrun" "$root/scripts/full_sync.lua" --report "$report" || status=$?
echo
echo "The report files are in $report:"
ls "$report" 2>/dev/null | sed 's/^/  /'
cat <<'END'

That was the sandbox. With your own accounts: set BIGQUERY_TABLE, GOOGLE_APPLICATION_CREDENTIALS, TWENTY_API_URL, TWENTY_API_KEY and SUPABASE_DB_URL, then run 'build/syncrun scripts/setup.lua' and 'build/syncrun scripts/full_sync.lua --limit 10'.
END
exit "$status"
