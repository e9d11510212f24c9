#!/bin/bash
# The disk is full under the local database, or under the ledger: said, the other systems go on, and the next run completes.
. "$(dirname "$0")/lib/story.sh"

fresh_folder full
start_sandbox sandbox --contacts 700 --twenty-rate off
start_postgres
export TWENTY_API_URL=
set_up
library=$work/fulldisk.so
${CC:-cc} -std=c11 -O1 -fPIC -shared -o "$library" "$lib/fulldisk.c" -ldl || exit 1

# filled PREFIX: a run on a disk that has room for 300,000 bytes a file of this prefix
filled() {
	full_sync "LD_PRELOAD=$library" "FULLDISK_FILES=$1" FULLDISK_BYTES=300000
}

under_the_local_database() {
	filled "$LOCAL_DB"
	expect_exit 5
	expect_text "$err" "Local was lost: "
	expect_text "$err" "(database or disk is full); make room and run again"
	expect_eq "$(sql "select count(*) from contacts_master")" 700 "rows in Postgres"
	expect_line "$out" "✅ Validated in All Systems: 0"
	full_sync
	expect_exit 0
	expect_totals 700 700 700 0 0
}

under_the_ledger() {
	local_sql "delete from contacts_master"
	sql "truncate contacts_master"
	rm -r "$SYNCRUN_STATE"
	filled "$SYNCRUN_STATE/ledger.db"
	expect_exit 5
	expect_text "$err" "(database or disk is full); make room and run again"
	full_sync
	expect_exit 0
	expect_totals 700 700 700 0 0
}

story "under the local database" under_the_local_database
story "under the ledger" under_the_ledger
finish
