#!/bin/bash
# A password of Postgres stands nowhere, in whatever form it was given: not on the screen, not in the ledger, not in a file's
# name.
. "$(dirname "$0")/lib/story.sh"

fresh_folder secrets_postgres
start_sandbox sandbox --contacts 3 --twenty-rate off
canary=canary-7zQ
TWENTY_API_URL="$TWENTY_API_URL/?token=$canary-twenty#$canary-fragment"

# given VARIABLE VALUE: a run with it ends in an error, and says nothing of the password.
given() {
	full_sync "$1=$2" SYNCRUN_LOG=debug
	case $code in 2 | 3) ;; *) fail "$2: exit code $code: $(head_of "$err")" ;; esac
	expect_no_text "$err" "$canary"
	expect_no_text "$out" "$canary"
	expect_eq "$(grep -rlaF -e "$canary" .)" "" "files that hold the password ($2)"
	expect_eq "$(find . -name "*$canary*")" "" "files named by the password ($2)"
}

# forms VARIABLE
forms() {
	local rest=127.0.0.1:1/x
	given "$1" "postgresql://u:$canary-a@$rest"
	given "$1" "postgresql://u@$rest?password=$canary-b&sslmode=disable"
	given "$1" "host=127.0.0.1 port=1 user=u password=$canary-c"
	given "$1" "host=127.0.0.1 port=1 password = '$canary-d is \\'long\\'"
	given "$1" "postgresql://u:$canary-e@127.0.0.1:one/x"
	given "$1" "postgresql://u:p/$canary-f@$rest"
	given "$1" "postgresql://u@$rest?password=$canary-g&nonsense=1"
	given "$1" "postgresql://u:%zz$canary-h@$rest"
}

of_supabase() {
	LOCAL_DB=off
	forms SUPABASE_DB_URL
}

of_local() {
	forms LOCAL_DB
}

kept() {
	local rows="select json_extract(settings, '\$.$1') from run order by id desc"
	reader sqlite "$SYNCRUN_STATE/ledger.db" "$rows"
}

what_is_kept() {
	expect_eq "$(kept twenty.url | sort -u)" "${TWENTY_API_URL%%/\?*}/" "Twenty's address"
	expect_eq "$(kept twenty.key | sort -u)" "" "Twenty's key"
	expect_eq "$(kept bigquery.table | sort -u)" "identity.contacts_master" "BigQuery's table"
	expect_eq "$(kept supabase.url | grep -c .)" 8 "runs with Supabase"
	expect_eq "$(kept supabase.url | sort | uniq -c | sed 's/^ *//' | head -n 3)" \
		"$(kept local_db.path | grep -v '^off$' | sort | uniq -c | sed 's/^ *//' | head -n 3)" "both kinds"
	kept supabase.url >seen
	expect_line seen "127.0.0.1:1, database 'x', user 'u'"
	expect_line seen "(not readable)"
}

story "Supabase's password, in every form" of_supabase
story "a local Postgres' password, in every form" of_local
story "addresses are kept without what is secret in them" what_is_kept
finish
