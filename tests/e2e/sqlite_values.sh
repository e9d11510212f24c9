#!/bin/bash
# Values in SQLite files that are none of ours: texts that are no UTF-8, BLOBs, numbers. Each is one contact's difference, or one
# contact's error where the file is the source; reports are always completed.
. "$(dirname "$0")/lib/story.sh"

fresh_folder values
start_sandbox sandbox --contacts 12 --twenty-rate off
export TWENTY_API_URL=
full_sync
[ "$code" -eq 0 ] || { echo "FAILED  the first run: $(head_of "$err")"; exit 1; }
mapfile -t ids < <(local_sql "select contact_id from contacts_master order by 1")

in_the_target() {
	local_sql "update contacts_master set notes = cast(x'41ff42' as text) where contact_id = '${ids[0]}'"
	local_sql "update contacts_master set notes = x'41ff42' where contact_id = '${ids[1]}'"
	local_sql "update contacts_master set notes = cast(x'410042' as text) where contact_id = '${ids[2]}'"
	local_sql "update contacts_master set llm_context = cast(x'7bff7d' as text) where contact_id = '${ids[3]}'"
	local_sql "update contacts_master set canonical_name = cast(canonical_name as blob) where contact_id = '${ids[4]}'"
	local_sql "update contacts_master set created_at = 'soon', is_me = 7 where contact_id = '${ids[5]}'"
	local_sql "insert into contacts_master (contact_id, canonical_name) values (cast(x'61ff62' as text), cast(x'ff' as text))"
	local_sql "insert into contacts_master (contact_id, canonical_name) values (x'61ff62', 'Blob')"
	full_sync --skip-sync --report report --json summary.json
	expect_exit 1
	expect_totals 12 "not run" 6 0 6
	expect_text "$out" '     - Local: notes is "A\xffB", expected '
	expect_text "$out" "     - Local: notes is \"X'41FF42'\", expected "
	expect_text "$out" '     - Local: notes is "A\u0000B", expected '
	expect_text "$out" '     - Local: llm_context is {\xff}, expected '
	expect_text "$out" "     - Local: canonical_name is \"X'"
	expect_text "$out" '     - Local: created_at is "soon", expected '
	expect_line "$out" '     - (ID: a\xffb), not created by us'
	expect_line "$out" "     - (ID: X'61FF62'), not created by us"
	expect_text report/issues.jsonl '{"actual":"A\\xffB","contact_id":"'
	expect_eq "$(reader json summary.json issues)" 6 "in the summary"
	run "$scripts/forget.lua" "${ids[0]}"
	expect_exit 0
}

and_mended() {
	full_sync
	expect_exit 0
	expect_totals 12 12 12 0 0
	expect_eq "$(local_sql "select count(*) from contacts_master where typeof(canonical_name) = 'blob'")" 0 "BLOBs left"
}

in_the_source() {
	cp "$LOCAL_DB" source.db
	LOCAL_DB=$PWD/source.db
	local_sql "delete from contacts_master where contact_id not in ('${ids[0]}', '${ids[1]}', '${ids[2]}')"
	local_sql "update contacts_master set notes = cast(x'41ff42' as text) where contact_id = '${ids[0]}'"
	local_sql "update contacts_master set notes = cast('blob' as blob) where contact_id = '${ids[1]}'"
	local_sql "alter table contacts_master drop column nickname"
	local_sql "alter table contacts_master add column nickname text as (upper(contact_id))"
	LOCAL_DB=$PWD/target.db
	echo 'return { source = { kind = "sqlite", path = "source.db", label = "Source" } }' >config.lua
	full_sync --config config.lua
	expect_exit 1
	expect_totals 3 2 2 1 1
	expect_text "$out" "     - Source: notes: "
	expect_eq "$(local_sql "select notes from contacts_master where contact_id = '${ids[1]}'")" blob "the BLOB's text"
	expect_eq "$(local_sql "select count(*) from contacts_master where nickname = upper(contact_id)")" 2 "generated texts"
}

story "in the target: each is one contact's difference" in_the_target
story "the next run mends them" and_mended
story "in the source: one contact's error" in_the_source
finish
