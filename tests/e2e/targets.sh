#!/bin/bash
# Targets are a list, sources a choice: two Postgres databases and a system of the user's own (the example that ships) in one
# run of the 537 real people; the same report from a Postgres table and from a SQLite file as from BigQuery.
. "$(dirname "$0")/lib/story.sh"

fresh_folder targets
people=$shared/data/contacts.ndjson
if [ -f "$people" ]; then
	start_sandbox sandbox --load "$people" --twenty-rate off
	total=537
else
	skip "the 537 real people" "there is no $people; 200 generated ones instead"
	start_sandbox sandbox --contacts 200 --twenty-rate off
	total=200
fi
unset TWENTY_API_URL TWENTY_API_KEY
start_postgres
first=$SUPABASE_DB_URL
start_postgres
second=$SUPABASE_DB_URL
unset SUPABASE_DB_URL LOCAL_DB
mkdir -p systems
cp "$scripts/examples/systems/csv.lua" systems/
cat >config.lua <<-END
	return {
		targets = {
			{ kind = "postgres", label = "Warehouse", url = "$first" },
			{ kind = "postgres", label = "Reports", url = "$second", table = "people" },
			{ kind = "csv", label = "Sheet", path = "contacts.csv" },
		},
	}
END

in_first() { psql -qXAt "$first" -c "$1"; }
in_second() { psql -qXAt "$second" -c "$1"; }

all_three() {
	run "$scripts/setup.lua" --config config.lua --apply
	expect_exit 0
	full_sync --config config.lua --report first
	expect_exit 0
	expect_totals $total $total $total 0 0
	expect_eq "$(in_first "select count(*) from contacts_master")" $total "in the first database"
	expect_eq "$(in_second "select count(*) from people")" $total "in the second database"
	expect_eq "$("$python" -c 'import csv; print(len(list(csv.DictReader(open("contacts.csv", newline="")))))')" $total "in the file"
	expect_eq "$(reader jsonl first/contacts.jsonl 'sorted(r["systems"].items())' | sort -u)" \
		'[["BigQuery", "verified"], ["Reports", "verified"], ["Sheet", "verified"], ["Warehouse", "verified"]]' "the states"
	full_sync --config config.lua
	expect_exit 0
	[ ! -e contacts.db ] || fail "the default local file was made beside a list of targets"
}

# Each is tampered with by another way than the program's.
tampered() {
	local id
	id=$(in_first "select contact_id from contacts_master order by contact_id collate \"C\" limit 1 offset 7")
	in_first "update contacts_master set notes = 'tampered' where contact_id = '$id'"
	in_second "delete from people where contact_id = '$id'"
	"$python" - "$id" <<-'END'
		import csv, sys
		rows = list(csv.DictReader(open("contacts.csv", newline="")))
		for row in rows:
		    if row["contact_id"] == sys.argv[1]:
		        row["first_name"] = "tampered"
		with open("contacts.csv", "w", newline="") as f:
		    w = csv.DictWriter(f, rows[0].keys())
		    w.writeheader()
		    w.writerows(rows)
	END
	full_sync --config config.lua --skip-sync --report second
	expect_exit 1
	expect_totals $total "not run" $((total - 1)) 0 1
	expect_eq "$(reader jsonl second/contacts.jsonl "r['contact_id'] == '$id' and sorted(r['systems'].items())" | grep -v False)" \
		'[["BigQuery", "verified"], ["Reports", "missing"], ["Sheet", "mismatched"], ["Warehouse", "mismatched"]]' "its states"
	full_sync --config config.lua
	expect_exit 0
	expect_totals $total $total $total 0 0
}

# The report's contacts from another source: the source's own name apart, they are the same.
states() { # states FILE
	reader jsonl "$1" "[r['contact_id'], r['name'], {k: v for k, v in r['systems'].items() if k == 'Copy'}, r['errors'], r['issues']]"
}

other_sources() {
	cat >to_file.lua <<-END
		return { targets = { { kind = "sqlite", label = "Copy", path = "copy.db" } } }
	END
	run "$scripts/setup.lua" --config to_file.lua --apply
	full_sync --config to_file.lua --report from_bigquery
	expect_exit 0
	sed "s|^return {|return { source = { kind = 'postgres', url = '$first' },|" to_file.lua >from_postgres.lua
	full_sync --config from_postgres.lua --report from_postgres
	expect_exit 0
	expect_totals $total $total $total 0 0
	expect_eq "$(states from_postgres/contacts.jsonl | cksum)" "$(states from_bigquery/contacts.jsonl | cksum)" "the report from Postgres"
	cp copy.db source.db
	sed "s|^return {|return { source = { kind = 'sqlite', path = 'source.db' },|" to_file.lua >from_sqlite.lua
	full_sync --config from_sqlite.lua --report from_sqlite
	expect_exit 0
	expect_totals $total $total $total 0 0
	expect_eq "$(states from_sqlite/contacts.jsonl | cksum)" "$(states from_bigquery/contacts.jsonl | cksum)" "the report from SQLite"
}

part_of_them() {
	full_sync --config from_postgres.lua --limit 3
	expect_exit 0
	expect_totals 3 3 3 0 0
	local id
	id=$(in_first "select max(contact_id) from contacts_master")
	full_sync --config from_sqlite.lua --only "$id"
	expect_exit 0
	expect_totals 1 1 1 0 0
	sed "s|url = |where = \"contact_id <> '$id'\", url = |" from_postgres.lua >filtered.lua
	full_sync --config filtered.lua
	expect_totals $((total - 1)) $((total - 1)) $((total - 1)) 0 0
	expect_line "$out" "Filtered out by the source filter: 1 of $total rows"
}

wrong_lists() {
	echo 'return { targets = { { kind = "postgress", url = "x" } } }' >wrong.lua
	full_sync --config wrong.lua
	expect_refused 2 "there is no system of the kind 'postgress', did you mean 'postgres'?"
	echo 'return { targets = { { kind = "csv", path = "a" }, { kind = "csv", path = "b" } } }' >wrong.lua
	full_sync --config wrong.lua
	expect_refused 2 "two targets are called 'csv'; give each a label of its own"
	echo 'return { targets = { { kind = "postgres", url = "x" }, { kind = "csv", label = "S", pth = "a" } } }' >wrong.lua
	full_sync --config wrong.lua
	expect_refused 2 "unknown setting 'targets[2].pth' of the config, did you mean 'path'?"
	echo 'return { targets = { { kind = "twenty", rate = 95 } } }' >wrong.lua
	full_sync --config wrong.lua
	expect_refused 2 "the setting 'targets[1].rate' of the config is a table like { tokens = 95, every = 0.61 }, or false"
	echo 'return { source = { kind = "sqlite", path = "x", were = "y" } }' >wrong.lua
	full_sync --config wrong.lua
	expect_refused 2 "unknown setting 'source.were' of the config, did you mean 'where'?"
	echo 'return { require = { "local" }, targets = { { kind = "sqlite", path = "x" } } }' >wrong.lua
	full_sync --config wrong.lua
	expect_refused 2 "every entry of 'targets' is required already"
	echo 'return { targets = { { kind = "bigquery" } } }' >wrong.lua
	full_sync --config wrong.lua
	expect_refused 2 "a system of the kind 'bigquery' cannot be a target"
	echo 'return { source = { kind = "twenty" } }' >wrong.lua
	full_sync --config wrong.lua
	expect_refused 2 "a system of the kind 'twenty' cannot be a source"
	echo 'return { new = function() return { label = "x" } end }' >systems/half.lua
	echo 'return { targets = { { kind = "half" } } }' >wrong.lua
	full_sync --config wrong.lua
	expect_refused 2 "the system 'half' does not keep to systems/contract.lua: it has no method projection"
	echo 'return { key = "contact_id", fields = { { "contact_id", "text" }, { "notes", "text", to = { warehouse = false } } } }' \
		>byname.lua
	echo 'return { mapping = "byname.lua", targets = { { kind = "postgres", label = "Warehouse", url = "x" } } }' >wrong.lua
	full_sync --config wrong.lua
	expect_refused 2 "field 'notes' of the mapping: 'to' names the unknown system 'warehouse'"
}

story "two Postgres targets and the example system hold all contacts" all_three
story "tampering is found in each of them" tampered
story "a Postgres source and a SQLite source give the report of BigQuery" other_sources
story "parts of them: a limit, ids, a filter" part_of_them
story "a list that is wrong is refused by name" wrong_lists
finish
