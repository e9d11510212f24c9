#!/bin/bash
# Fields that belong to the people of a system: own = "target" is never written, own = "once" only with a new contact. A
# hundred runs leave their edits alone, and every report says how many differ and who edited them last.
. "$(dirname "$0")/lib/story.sh"

fresh_folder owned
records "$work/contacts.ndjson" '[contact(i, nickname="Nick%d" % i) for i in range(1, 4)]'
start_sandbox sandbox --load "$work/contacts.ndjson" --twenty-rate off
start_postgres
cat >"$home/mapping.lua" <<END
local mapping = assert(loadfile "$scripts/contacts/mapping.lua")()
for _, field in ipairs(mapping.fields) do
	if field[1] == "job_title" then field.own = "target" end
	if field[1] == "nickname" then field.own = "once" end
end
return mapping
END
echo "return { mapping = '$home/mapping.lua' }" >"$home/config.lua"
set_up --config "$home/config.lua"

sync() {
	full_sync --config "$home/config.lua" --report "$work/report" "$@"
}

# once is written with a new contact, target is not; the other systems are ruled by the same.
created() {
	sync
	expect_exit 0
	expect_eq "$(reader person c0001 nickname),$(reader person c0001 jobTitle)" "Nick1," "in Twenty"
	expect_eq "$(sql "select nickname || ',' || coalesce(job_title, 'null') from public.contacts_master where contact_id = 'c0001'")" \
		"Nick1,null" "in Postgres"
	expect_eq "$(local_sql "select nickname, job_title from contacts_master where contact_id = 'c0001'")" "Nick1 | " "in SQLite"
	expect_line "$out" "Kept in CRM, field jobTitle (own = target): 3 contacts differ; last edited by $(reader person c0001 updatedBy.name) (3)"
	expect_no_text "$out" "field nickname"
}

hundred_runs() {
	local n before
	reader patch c0001 '{"jobTitle":"Her own title","nickname":"Her own name"}'
	reader patch c0002 '{"nickname":"His own name"}'
	sql "update public.contacts_master set job_title = 'Theirs' where contact_id = 'c0003'"
	before=$(fingerprint)
	for n in $(seq 100); do
		sync --quiet
		[ "$code" -eq 0 ] || break
	done
	expect_exit 0
	expect_eq "$(fingerprint)" "$before" "what the systems hold after $n runs"
	expect_eq "$(reader person c0001 jobTitle),$(reader person c0001 nickname)" "Her own title,Her own name" "her edits"
}

shown() {
	sync
	expect_exit 0
	expect_totals 3 3 3 0 0
	local who=$(reader person c0001 updatedBy.name)
	expect_line "$out" "Kept in CRM, field jobTitle (own = target): 3 contacts differ; last edited by $who (3)"
	expect_line "$out" "Kept in CRM, field nickname (own = once): 2 contacts differ; last edited by $who (2)"
	expect_line "$out" "Kept in Supabase, field job_title (own = target): 3 contacts differ"
	expect_eq "$(reader jsonl "$work/report/owned.jsonl" '(r["expected"] + " -> " + r["actual"]
		if r["contact_id"] == "c0001" and r["system"] == "CRM" else None)' | sort | tr '\n' ';')" \
		"Engineer -> Her own title;Nick1 -> Her own name;" "what is listed"
}

# A change at the source reaches neither; one of another field of the same contact does, and leaves them alone.
source_changes() {
	reader bigquery "UPDATE \`sandbox.identity.contacts_master\` SET job_title = 'New', nickname = 'New', department = 'New'
		WHERE contact_id = 'c0001'"
	sync
	expect_exit 0
	expect_eq "$(reader person c0001 jobTitle),$(reader person c0001 nickname),$(reader person c0001 department)" \
		"Her own title,Her own name,New" "in Twenty"
	expect_eq "$(sql "select nickname || ',' || department from public.contacts_master where contact_id = 'c0001'")" "Nick1,New" \
		"in Postgres"
}

story "once is written with a new contact, target never" created
story "a hundred runs leave their people's edits untouched" hundred_runs
story "they are shown: how many differ, and who edited last" shown
story "a change at the source reaches neither" source_changes
finish
