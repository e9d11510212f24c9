#!/bin/bash
# Columns of other types than the mapping's fields: a misfit is named before anything is read, cast = true lets BigQuery cast.
. "$(dirname "$0")/lib/story.sh"

records "$work/contacts.ndjson" '[contact(i) for i in range(1, 3)]'
start_sandbox sandbox --load "$work/contacts.ndjson" --twenty-rate off
unset TWENTY_API_URL TWENTY_API_KEY # the local database alone is enough here
export BIGQUERY_TABLE=identity.odd
fresh_folder home

# make_table NAME FIELDS ROWS: in the sandbox's dataset.
make_table() {
	local tables=$BIGQUERY_EMULATOR_HOST/bigquery/v2/projects/sandbox/datasets/identity/tables
	curl -sf -X POST "$tables" -d "{\"tableReference\": {\"projectId\": \"sandbox\", \"datasetId\": \"identity\",
		\"tableId\": \"$1\"}, \"schema\": {\"fields\": [{\"name\": \"id\", \"type\": \"STRING\"}, $2]}}" >/dev/null &&
		curl -sf -X POST "$tables/$1/insertAll" -d "{\"rows\": [$3]}" | grep -qv insertErrors || fail "no table $1"
}

# map FIELDS: the mapping of these, and a config that names it.
map() {
	echo "return { key = 'id', fields = { { 'id', 'text' }, $1 } }" >"$home/map.lua"
	echo "return { bigquery = {}, mapping = '$home/map.lua', checks = '$home/checks.lua', table = 'odd' }" >"$home/config.lua"
	echo "return {}" >"$home/checks.lua"
}

# expect_misfit TEXT: exit 2 in one line, for the run and for the doctor.
expect_misfit() {
	full_sync --config "$home/config.lua"
	expect_refused 2 "BigQuery: table 'sandbox.identity.odd': the column $1"
	run "$scripts/doctor.lua" --config "$home/config.lua"
	expect_exit 2
	expect_text "$err" "the column $1"
}

misfits() {
	make_table odd '{"name": "at", "type": "DATETIME"}, {"name": "born", "type": "TIMESTAMP"}, {"name": "me", "type": "STRING"},
		{"name": "said", "type": "STRING"}, {"name": "tags", "type": "STRING", "mode": "REPEATED"}' \
		'{"json": {"id": "a", "at": "2024-05-01T10:00:00.25", "born": "1980-02-29T23:59:59.999999Z", "me": "FALSE",
			"said": "2024-05-01 10:00:00 UTC", "tags": ["x"]}},
		{"json": {"id": "b", "me": "True", "said": "yesterday"}}, {"json": {"id": "c", "me": "maybe"}}'
	map "{ 'at', 'timestamp' }"
	expect_misfit "'at' is DATETIME, which is no timestamp for the mapping's field 'at'; cast = true in that field lets"
	map "{ 'born', 'date' }"
	expect_misfit "'born' is TIMESTAMP, which is no date for the mapping's field 'born'; cast = true in that field lets"
	map "{ 'tags', 'text' }"
	expect_misfit "'tags' is REPEATED STRING, which is no text for the mapping's field 'tags'; give the field another type"
	map "{ 'labels', 'bool', source = 'tags', cast = true }"
	expect_misfit "'tags' is REPEATED STRING, which BigQuery cannot cast to BOOL as the mapping's field 'labels' asks"
}

spelled() { # what needs no cast, and what says that one would help
	map "{ 'me', 'bool' }, { 'said', 'timestamp' }"
	full_sync --config "$home/config.lua" --report "$home/spelled"
	expect_exit 1
	expect_text "$out" "said: does not fit the column's type '2024-05-01 10:00:00 UTC' (cast = true in the mapping's field lets the"
	expect_text "$out" "me: does not fit the column's type 'maybe'"
}

casts() {
	local read
	map "{ 'at', 'timestamp', cast = true }, { 'born', 'date', cast = true }, { 'me', 'bool', cast = true },
		{ 'said', 'timestamp', cast = true }, { 'tags', 'json' }"
	for read in query table; do
		sed -i "s/bigquery = {/bigquery = { read = '$read',/" "$home/config.lua"
		full_sync --config "$home/config.lua" --report "$home/cast"
		expect_exit 1
		expect_totals 3 1 1 2 2 # one odd value is one contact's error
	done
	expect_text "$out" "said: does not fit the column's type 'yesterday'"
	expect_text "$out" "me: does not fit the column's type 'maybe'"
	expect_no_text "$out" "cast = true"
	expect_eq "$(local_sql "select id, at, born, me, said, tags from odd")" \
		'a | 1714557600250000 | 1980-02-29 | 0 | 1714557600000000 | ["x"]' "the local row"
}

story "a misfit of type or mode is exit 2 and names the column and the way" misfits
story "BigQuery's spellings of bool are taken; a time it cannot read points to cast" spelled
story "cast = true: BigQuery's own casts, in UTC; what cannot be cast is that contact's error" casts
finish
