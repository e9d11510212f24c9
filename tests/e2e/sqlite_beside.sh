#!/bin/bash
# Other programs use the local database while a run goes on: they read and write unharmed, and so does the run. POSIX drops all
# locks of a process when it closes any descriptor of the file, so nothing but SQLite may open it.
# BESIDE_CONTACTS=20000 makes it a large one.
. "$(dirname "$0")/lib/story.sh"

contacts=${BESIDE_CONTACTS:-1500}
fresh_folder beside
start_sandbox sandbox --contacts "$contacts" --twenty-rate off
export TWENTY_API_URL= # the locks are the local file's
full_sync
[ "$code" -eq 0 ] || { echo "FAILED  the first run: $(head_of "$err")"; exit 1; }

# beside ARGUMENTS...: another program (beside.py) uses a file until beside_ends, which says what it did.
beside() {
	local file=$1
	shift
	rm -f stop
	"$python" "$lib/beside.py" "$file" stop "$@" >beside.txt 2>&1 &
	other=$!
	pids+=("$other")
}

beside_ends() {
	touch stop
	wait "$other"
	read -r reads _ writes _ kept _ <beside.txt
	echo "# beside the run: $(head_of beside.txt)"
	expect_text beside.txt " kept, ok; no errors"
	[ "${reads:-0}" -gt 20 ] || fail "only $reads readings beside the run: $(head_of beside.txt)"
}

people="select 1 from contacts_master limit 1"

beside_the_people_ends() {
	beside_ends
	expect_eq "$kept" "$(local_sql "select count(*) from theirs")" "rows of the other program"
	total=$((${total:-0} + writes))
	expect_eq "$kept" "$total" "rows that the other program wrote"
}

first_load() {
	local_sql "delete from contacts_master"
	beside "$LOCAL_DB" "$people"
	full_sync
	beside_the_people_ends
	expect_exit 0
	expect_totals "$contacts" "$contacts" "$contacts" 0 0
	expect_eq "$(local_sql "select count(*) from contacts_master")" "$contacts" "rows in SQLite"
}

nothing_changed() {
	beside "$LOCAL_DB" "$people"
	full_sync
	beside_the_people_ends
	expect_exit 0
	expect_totals "$contacts" "$contacts" "$contacts" 0 0
}

ledger_reader() {
	beside "$SYNCRUN_STATE/ledger.db" "select count(*) from contact where state <> 'verified'" read
	full_sync
	beside_ends
	expect_exit 0
	expect_totals "$contacts" "$contacts" "$contacts" 0 0
}

report_over_it() {
	full_sync --json "$LOCAL_DB"
	expect_exit 2
	expect_text "$err" "'$LOCAL_DB' is a database in use; name another file"
	expect_eq "$(local_sql "select count(*) from contacts_master")" "$contacts" "rows in SQLite"
	full_sync --report "$LOCAL_DB"
	expect_exit 2
	expect_eq "$(local_sql "pragma integrity_check")" ok "the file"
}

story "a reader and a writer beside a first load" first_load
story "a reader and a writer beside a run that changes nothing" nothing_changed
story "a reader of the ledger" ledger_reader
story "a report is not written over it" report_over_it
finish
