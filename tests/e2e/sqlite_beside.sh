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

# beside: the other program runs until beside_ends, which prints what it did.
beside() {
	rm -f stop
	"$python" "$lib/beside.py" "$LOCAL_DB" stop >beside.txt 2>&1 &
	other=$!
	pids+=("$other")
}

beside_ends() {
	touch stop
	wait "$other"
	local reads writes kept
	read -r reads _ writes _ kept _ <beside.txt
	expect_text beside.txt " kept, ok; no errors"
	[ "${reads:-0}" -gt 20 ] || fail "only $reads readings beside the run: $(head_of beside.txt)"
	expect_eq "$kept" "$(local_sql "select count(*) from theirs")" "rows of the other program"
	echo "# beside the run: $(head_of beside.txt)"
	total=$((${total:-0} + writes))
	expect_eq "$kept" "$total" "rows that the other program wrote"
}

first_load() {
	local_sql "delete from contacts_master"
	beside
	full_sync
	beside_ends
	expect_exit 0
	expect_totals "$contacts" "$contacts" "$contacts" 0 0
	expect_eq "$(local_sql "select count(*) from contacts_master")" "$contacts" "rows in SQLite"
}

nothing_changed() {
	beside
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
story "a report is not written over it" report_over_it
finish
