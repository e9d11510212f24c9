#!/bin/bash
# Where systems stand: how the local file may be named, files that are syncrun's own, two systems that are one table, too few
# file descriptors.
. "$(dirname "$0")/lib/story.sh"

fresh_folder places
mkdir -p "$HOME"
start_sandbox sandbox --contacts 6 --twenty-rate off
start_postgres
export TWENTY_API_URL=

# refused PATH TEXT: as the local database, and nothing was made here
refused() {
	local before=$(find . "$HOME" | sort)
	full_sync SUPABASE_DB_URL= "LOCAL_DB=$1" SYNCRUN_STATE="$work/refused"
	expect_refused 2 "$2"
	expect_eq "$(find . "$HOME" | sort)" "$before" "files after $1"
}

names() {
	refused "sqlite:///contacts.db" "Local: 'sqlite:///contacts.db' is a URL; write the file's path alone: contacts.db or /contacts.db"
	refused "sqlite:////var/lib/contacts.db" "write the file's path alone: /var/lib/contacts.db"
	refused "sqlite3:contacts.db" "write the file's path alone: contacts.db"
	refused "file:./contacts.db?mode=rwc" "'file:./contacts.db?mode=rwc' is a URL; write the file's path alone: ./contacts.db"
	refused "mysql://ada:canary-mysql@db.example/x" "Local: a file is wanted, not a URL (mysql:…)"
	refused ":memory:" "Local: ':memory:' is gone when the run ends, and proves nothing; name a file"
	refused "file::memory:?cache=shared" "':memory:' is gone when the run ends"
	refused "~ada/contacts.db" "'~ada/contacts.db' is not understood"
	refused "$PWD" "Local: '$PWD' is a folder; name a file in it"
	refused /dev/null "Local: '/dev/null' is no file; name one"
	expect_no_text "$said" canary-mysql
}

home() {
	printf 'LOCAL_DB="~/people.db"\nSYNCRUN_STATE="~/state"\n' >.env
	full_sync SUPABASE_DB_URL= LOCAL_DB= SYNCRUN_STATE=
	rm .env
	expect_exit 0
	expect_eq "$(LOCAL_DB=$HOME/people.db local_sql "select count(*) from contacts_master")" 6 "rows in ~/people.db"
	[ -f "$HOME/state/ledger.db" ] || fail "no ledger in ~/state"
	[ ! -e '~' ] || fail "a folder named ~"
	full_sync SUPABASE_DB_URL= "LOCAL_DB=$PWD/odd:name.db"
	expect_exit 0
	full_sync SUPABASE_DB_URL= "LOCAL_DB=odd:name.db" # it is there: no URL
	expect_exit 0
}

own_files() {
	refused "$work/refused/ledger.db" "Local: '$work/refused/ledger.db' is syncrun's own file of the state folder; name another"
	full_sync SUPABASE_DB_URL=
	expect_exit 0
	ln -s "$SYNCRUN_STATE/ledger.db" link.db
	full_sync SUPABASE_DB_URL= LOCAL_DB=link.db
	expect_refused 2 "Local: 'link.db' is syncrun's own file of the state folder; name another"
	run SUPABASE_DB_URL= "LOCAL_DB=$SYNCRUN_STATE/ledger.db" "$scripts/setup.lua" --apply
	expect_exit 2
	expect_eq "$(reader sqlite "$SYNCRUN_STATE/ledger.db" "select count(*) from sqlite_schema where name = 'contacts_master'")" 0 "tables in the ledger"
}

twins() {
	run "LOCAL_DB=$SUPABASE_DB_URL" "$scripts/setup.lua" --apply
	expect_exit 0
	full_sync "LOCAL_DB=$SUPABASE_DB_URL"
	expect_exit 0
	expect_text "$err" "Supabase and Local are one table: what is said of both is proved of one"
	full_sync "LOCAL_DB=${SUPABASE_DB_URL/127.0.0.1/localhost}" --skip-sync
	expect_exit 0
	expect_text "$err" "Supabase and Local are one table"
	ln -f "$LOCAL_DB" twin.db
	echo "return { targets = { { kind = 'sqlite', label = 'One', path = '$LOCAL_DB' }, { kind = 'sqlite', label = 'Two', path = 'twin.db' } } }" >twins.lua
	full_sync --config twins.lua --skip-sync
	expect_exit 0
	expect_text "$err" "One and Two are one table"
	rm twin.db
	full_sync
	expect_exit 0
	expect_no_text "$err" "are one table"
}

source_is_no_target() {
	echo "return { source = { kind = 'sqlite', path = '$LOCAL_DB', label = 'Source' } }" >source.lua
	full_sync SUPABASE_DB_URL= --config source.lua
	expect_exit 2
	expect_text "$err" "syncrun: Local is the table that Source is read from; name another"
	echo "return { source = { kind = 'postgres', url = '$SUPABASE_DB_URL', label = 'Source' }, local_db = false }" >source.lua
	full_sync --config source.lua
	expect_exit 2
	expect_text "$err" "syncrun: Supabase is the table that Source is read from; name another"
}

few_descriptors() {
	local n refused=0
	for n in 8 10 12 14 16 20; do
		(ulimit -n $n && SUPABASE_DB_URL='' timeout -k 5 120 "$SYNCRUN" "$scripts/full_sync.lua" >"$out" 2>"$err" </dev/null)
		code=$?
		[ "$code" -ne 0 ] || continue
		refused=$((refused + 1))
		expect_text "$err" "Too many open files"
		[ $n -ne 10 ] || expect_text "$err" "allow more open files (ulimit -n)"
	done
	[ $refused -gt 0 ] || fail "eight descriptors are enough?"
}

story "how the local file may be named, and what is said of other ways" names
story "~ is the home folder, in .env too; a colon alone makes no URL" home
story "a file of the state folder is no local database" own_files
story "two systems that are one table are warned about, and set up once" twins
story "a target that is the source is refused" source_is_no_target
story "too few file descriptors are named as the cause" few_descriptors
finish
