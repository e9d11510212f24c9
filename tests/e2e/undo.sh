#!/bin/bash
# Undo over the real systems: after a first load they are as they were before; after a person's edit everything but that is.
. "$(dirname "$0")/lib/story.sh"

fresh_folder undo
start_sandbox sandbox --contacts 60 --odd --twenty-rate off
start_postgres
set_up
full_sync --limit 1 # the local file is made

contents() { # what the systems hold, without what changes with every write
	sql "select * from public.contacts_master order by contact_id"
	local_sql "select * from contacts_master order by contact_id" | tr '\0' '0'
	reader twenty GET "/rest/people?limit=200&order_by=id" | "$python" -c 'import json, sys
for p in json.load(sys.stdin)["data"]["people"]:
    for name in ("updatedAt", "updatedBy", "position", "searchVector"): p.pop(name, None)
    print(json.dumps(p, sort_keys=True))'
}

run_number() {
	reader sqlite "$SYNCRUN_STATE/ledger.db" "select max(id) from run"
}

first_load() {
	local before first
	before=$(contents)
	full_sync
	first=$(run_number)
	run "$scripts/undo.lua" "$first"
	expect_exit 2
	expect_text "$err" "--yes says that this is meant"
	run "$scripts/undo.lua" "$first" --yes
	expect_exit 0
	expect_text "$out" "UNDO OF RUN $first"
	expect_eq "$(contents)" "$before" "what the systems hold"
}

edited() {
	local before id other
	full_sync # revives those whom Twenty keeps as soft-deleted
	id=$(local_sql "select min(contact_id) from contacts_master where contact_id like 'people/%'")
	other=$(local_sql "select max(contact_id) from contacts_master where contact_id like 'people/%'")
	sql "update public.contacts_master set job_title = 'before', notes = null, updated_at = '2001-01-01' where contact_id = '$id'"
	local_sql "update contacts_master set job_title = 'before' where contact_id in ('$id', '$other')"
	reader patch "$id" '{"jobTitle":"before","name":{"firstName":"Two Words","lastName":"Of A Name"}}'
	before=$(contents)
	full_sync
	local_sql "update contacts_master set job_title = 'by a person' where contact_id = '$other'"
	run "$scripts/undo.lua" "$(run_number)" --yes
	expect_exit 1
	expect_text "$out" "  ⚠️  (ID: $other)"
	expect_eq "$(local_sql "select job_title from contacts_master where contact_id = '$other'")" "by a person" "the person's edit"
	local_sql "update contacts_master set job_title = 'before' where contact_id = '$other'"
	expect_eq "$(contents)" "$before" "what the systems hold, but for that"
}

story "a first load is undone, exactly" first_load
story "a run is undone but for what a person edited since" edited
finish
