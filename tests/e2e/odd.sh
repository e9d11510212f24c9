#!/bin/bash
# The sandbox's odd contacts: each states beforehand what becomes of its value in every system, and the report agrees in
# every cell. What one system cannot hold is in the others; on_loss = "write" sends it and still says so.
. "$(dirname "$0")/lib/story.sh"

fresh_folder odd
start_sandbox sandbox --odd --twenty-rate off
start_postgres
set_up
total=202

# The lines of a file of the report for which the Python expression of `r` is true.
in_report() {
	reader jsonl "$work/report/$1" "($2)"
}

agrees() {
	run --lua "$scripts" "$lib/odd_verdicts.lua" "$work/report" "$scripts/contacts/mapping.lua"
	expect_exit 0
	expect_text "$out" " 0 differ"
}

table_holds() {
	full_sync --trace-folds --report "$work/report"
	expect_exit 1
	expect_line "$out" "Total Contacts: $total"
	agrees
}

again_nothing_new() {
	local before=$(fingerprint)
	full_sync --trace-folds --report "$work/report"
	expect_exit 1
	agrees
	expect_eq "$(fingerprint | grep -v '^twenty')" "$(echo "$before" | grep -v '^twenty')" "what the systems hold"
}

others_hold_it() {
	local big=$(in_report values.jsonl 'r["contact_id"] if r["field"] == "llmContext" and "12345678901234567000" in r.get("stored", "") else None')
	expect_text "$work/report/report.txt" "     - CRM: llmContext: number beyond what JavaScript can hold, would be stored as {\"id\":12345678901234567000}"
	expect_eq "$(sql "select llm_context->>'id' from public.contacts_master where contact_id = '$big'")" 12345678901234567890 \
		"the number in Postgres"
	expect_eq "$(local_sql "select llm_context from contacts_master where contact_id = '$big'")" '{"id":1234567890123456789e1}' \
		"the number in SQLite"
	expect_eq "$(in_report contacts.jsonl "r['systems']['CRM'] + r['systems']['Local'] + r['systems']['Supabase']
		if r['contact_id'] == '$big' else None")" rejectedverifiedverified "its verdicts"
	expect_eq "$(in_report issues.jsonl "r['system'] + ' ' + r['field'] + ' ' + r['kind'] + ' ' + r['stored']
		if r.get('contact_id') == '$big' and r['phase'] == 'sync' else None")" \
		'CRM llmContext lost {"id":12345678901234567000}' "its error"
}

counts_are_of_contacts() {
	expect_text "$work/report/report.txt" "Not told apart there: null and \"\" (in nameNormalized, firstNamePart,"
	expect_eq "$(reader json "$work/report/report.json" systems.1.fates.llmContext |
		"$python" -c 'import json, sys; print(sum(json.loads(sys.stdin.read().replace("\x27", "\"")).values()))')" 196 \
		"contacts with a fate for llmContext"
}

# The same with on_loss = "write" for all fields: a number that JavaScript cannot hold arrives changed, and is reported.
written_and_said() {
	cat >"$home/write.lua" <<-END
		local mapping = assert(loadfile "$scripts/contacts/mapping.lua")()
		for _, field in ipairs(mapping.fields) do field.on_loss = "write" end
		return mapping
	END
	echo "return { mapping = '$home/write.lua' }" >"$home/config.lua"
	local id
	for _ in 1 2; do
		full_sync --config "$home/config.lua" --report "$work/report"
		expect_exit 1
		id=$(in_report issues.jsonl 'r["contact_id"] if r["kind"] == "lost" and r["phase"] == "sync" and
			r.get("stored") == "{\"id\":12345678901234567000}" else None')
		expect_eq "$(reader person "$id" llmContext.id)" 12345678901234567000 "what is stored"
		expect_eq "$(in_report contacts.jsonl "r['systems']['CRM'] if r['contact_id'] == '$id' else None")" mismatched "its verdict"
		expect_text "$work/report/report.txt" "     - CRM: llmContext: number beyond what JavaScript can hold, stored as {\"id\":12345678901234567000}"
	done
}

# What a transform of the mapping itself would lose keeps a contact from every system, unless it may be written.
mapping_loses() {
	cat >"$home/strict.lua" <<-END
		local mapping = assert(loadfile "$scripts/contacts/mapping.lua")()
		for _, field in ipairs(mapping.fields) do
			if field[1] == "notes" then field.transform = "no_nul" end
			if field[1] == "notes" then field.on_loss = os.getenv "ON_LOSS" end
		end
		return mapping
	END
	echo "return { mapping = '$home/strict.lua' }" >"$home/config.lua"
	full_sync ON_LOSS=reject --config "$home/config.lua" --report "$work/report"
	expect_exit 1
	expect_text "$work/report/report.txt" '     - BigQuery: notes: NUL character removed, would be stored as "beforeafter"'
	expect_eq "$(in_report contacts.jsonl 'r["systems"]["BigQuery"] if any("notes: NUL" in e for e in r["errors"]) else None')" \
		"rejected
rejected" "the verdicts of both"
	full_sync ON_LOSS=write --config "$home/config.lua" --report "$work/report"
	expect_exit 1
	expect_text "$work/report/report.txt" '     - BigQuery: notes: NUL character removed, stored as "beforeafter"'
	expect_eq "$(sql "select count(*) from public.contacts_master where notes = 'beforeafter'")" 1 "sent to Postgres"
}

# With a default region a telephone without + is folded to it; country codes are Twenty's guess and never compared.
default_region() {
	local ids=$(in_report values.jsonl 'r["contact_id"] if r["note"] == "phone without country code " +
		"\x272025550123\x27" else None' | tr '\n' ',')
	echo "return { twenty = { default_region = 'US' } }" >"$home/config.lua"
	full_sync --config "$home/config.lua" --only "${ids%,}" --trace-folds --report "$work/region"
	expect_exit 0
	expect_totals 2 2 2 0 0
	expect_eq "$(reader person "${ids%%,*}" phones.primaryPhoneCallingCode) $(reader person "${ids%%,*}" phones.primaryPhoneNumber)" \
		"+1 2025550123" "its telephone"
	expect_eq "$(reader jsonl "$work/region/values.jsonl" '(r["fate"] + " " + r["note"] + " " + r["stored"]
		if r["field"] == "phones.primaryPhoneNumber" else None)' | sort -u)" \
		"folded default region's calling code put before the phone +12025550123" "what the report says"
	echo "return { twenty = { default_region = 'USA' } }" >"$home/config.lua"
	full_sync --config "$home/config.lua"
	expect_exit 2
	expect_text "$err" "twenty.default_region is 'USA'; give a country like \"US\", or a calling code like \"+1\""
}

story "the report agrees with the table in every cell" table_holds
story "so does the report of a second run, which changes nothing" again_nothing_new
story "what one system cannot hold is in the others; its line names system and field" others_hold_it
story "values are counted once a contact; merged ones are said not to be told apart" counts_are_of_contacts
story "a telephone without + is folded to the default region" default_region
story "on_loss = write: sent, reported, never validated" written_and_said
story "what the mapping itself would lose is an error of the source" mapping_loses
finish
