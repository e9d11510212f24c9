#!/bin/bash
# Contacts that Twenty refuses, among 250 that it takes: the others arrive, the refused are in the other systems and named
# with the reason; on_loss decides about what a system cannot hold.
. "$(dirname "$0")/lib/story.sh"

fresh_folder rejected
records "$work/contacts.ndjson" '
	[contact(i) for i in range(1, 251)]
	+ [contact(900, canonical_name="Bad Mail", email="not an e-mail"),
	   contact(901, canonical_name="Odd Category", category_code="Q", subcategory_code=None),
	   contact(902, canonical_name="Lost Extension", phone="+12025550123 ext. 9"),
	   dict(contact(60, canonical_name="Same Mail", email="P10@example.com"), contact_id="c0060b")]'
start_sandbox sandbox --load "$work/contacts.ndjson" --twenty-rate off
start_postgres
set_up

errors="  ❌ Same Mail (ID: c0060b)
     - CRM: emails.primaryEmail: p10@example.com is the e-mail of contact c0010, who keeps it
  ❌ Bad Mail (ID: c0900)
     - CRM: emails.primaryEmail: not an e-mail address 'not an e-mail' (Twenty: Invalid string value 'not an e-mail' for email field \"emails.primaryEmail\")
  ❌ Odd Category (ID: c0901)
     - CRM: categoryCode: unknown option 'Q'
  ❌ Lost Extension (ID: c0902)
     - CRM: phones.primaryPhoneNumber: phone's extension removed, would be stored as \"+12025550123\""
issues="  ⚠️  Same Mail (ID: c0060b)
     - Missing in CRM
  ⚠️  Bad Mail (ID: c0900)
     - Missing in CRM
  ⚠️  Odd Category (ID: c0901)
     - BigQuery: category_code is \"Q\", not one of A to H or X
     - Missing in CRM
  ⚠️  Lost Extension (ID: c0902)
     - Missing in CRM"

others_arrive() {
	full_sync
	expect_exit 1
	expect_totals 254 250 250 4 4
	expect_block "$out" "SYNC ERRORS" "$errors"
	expect_block "$out" "VALIDATION ISSUES" "$issues"
	expect_eq "$(reader total_count)" 250 "people in Twenty"
	expect_eq "$(reader people | grep -c 'c0060b\|c0900\|c0901\|c0902')" 0 "refused people in Twenty"
	expect_eq "$(reader person c0010 emails.primaryEmail)" p10@example.com "the first holder's e-mail"
	expect_eq "$(sql "select email from public.contacts_master where contact_id >= 'c0900' or contact_id = 'c0060b' order by 1" |
		tr '\n' ' ')" "P10@example.com not an e-mail p901@example.com p902@example.com " "in Postgres"
	expect_eq "$(local_sql "select count(*) from contacts_master")" 254 "rows in SQLite"
	expect_eq "$(tail -n 2 "$out")" "Errors: 4
Validation Issues: 4" "the last lines"
}

again_the_same() {
	local before=$(sql "select max(xmin::text::bigint) from public.contacts_master") held=$(reader stat twenty.people)
	full_sync
	expect_exit 1
	expect_totals 254 250 250 4 4
	expect_block "$out" "SYNC ERRORS" "$errors"
	expect_eq "$(sql "select max(xmin::text::bigint) from public.contacts_master")" "$before" "the last write to Postgres"
	expect_eq "$(reader stat twenty.people)" "$held" "people"
}

only_validated() {
	local before=$(fingerprint)
	full_sync --skip-sync
	expect_exit 1
	expect_totals 254 "not run" 250 0 4
	expect_block "$out" "VALIDATION ISSUES" "$issues"
	expect_no_text "$out" "SYNC ERRORS"
	expect_eq "$(fingerprint)" "$before" "what the systems hold"
}

# An update that Twenty refuses leaves the others of its batch updated and the person as it was.
refused_update() {
	reader bigquery "UPDATE \`sandbox.identity.contacts_master\` SET job_title = 'Painter' WHERE job_title IS NOT NULL"
	reader bigquery "UPDATE \`sandbox.identity.contacts_master\` SET email = 'p7@example.com' WHERE contact_id = 'c0008'"
	full_sync --allow-mass-change
	expect_exit 1
	expect_totals 254 249 249 5 5
	expect_text "$out" "  ❌ Name8 Person (ID: c0008)"
	expect_text "$out" "     - CRM: emails.primaryEmail is \"p8@example.com\", expected \"p7@example.com\""
	expect_eq "$(reader person c0008 emails.primaryEmail)" p8@example.com "its e-mail in Twenty"
	expect_eq "$(reader person c0007 contactId) $(reader person c0007 jobTitle)" "c0007 Painter" "the e-mail's holder"
	expect_eq "$(sql "select count(*) from public.contacts_master where job_title = 'Painter'")" 254 "updated in Postgres"
	reader bigquery "UPDATE \`sandbox.identity.contacts_master\` SET email = 'p8@example.com' WHERE contact_id = 'c0008'"
	full_sync
	expect_totals 254 250 250 4 4
	expect_eq "$(reader person c0008 jobTitle)" Painter "its job in Twenty"
}

repaired_at_the_source() {
	reader bigquery "UPDATE \`sandbox.identity.contacts_master\` SET email = CONCAT(contact_id, '@example.com'), phone = NULL,
		category_code = 'B', subcategory_code = NULL WHERE contact_id >= 'c0900' OR contact_id = 'c0060b'"
	full_sync
	expect_exit 0
	expect_totals 254 254 254 0 0
	expect_eq "$(reader total_count)" 254 "people in Twenty"
}

# What only Twenty knows to refuse: an id too long for its index. Two of 200 may take 2 * (8 + 2) + 1 requests.
found_by_halves() {
	fresh_folder halves
	stop_sandbox
	LOCAL_DB=off
	records "$work/halves.ndjson" '[contact(i) for i in range(1, 201) if i not in (50, 177)] + [dict(contact(i),
		contact_id="c%04d" % i + __import__("random").Random(i).randbytes(2000).hex()) for i in (50, 177)]'
	start_sandbox halves-sandbox --load "$work/halves.ndjson" --twenty-rate off
	set_up
	local before=$(reader stat twenty.writes) used
	full_sync SUPABASE_DB_URL=
	expect_exit 1
	expect_totals 200 198 198 2 2
	expect_text "$err" \
		"CRM: 200 contacts were refused together (Data validation error.); to find which takes up to 10 requests at 100 a minute: about 6 s"
	used=$(($(reader stat twenty.writes) - before))
	[ $used -le 21 ] || fail "$used requests"
	expect_eq "$(grep -cxF '     - CRM: Data validation error.' "$out")" 2 "refused contacts in the report"
}

story "the others of a batch arrive, each refused contact is named with the reason" others_arrive
story "a second run says the same and writes nothing" again_the_same
story "--skip-sync finds them missing in the CRM" only_validated
story "a refused update harms no other person" refused_update
story "repaired at the source, all is well" repaired_at_the_source
story "who is refused by Twenty alone is found by halves, announced before" found_by_halves
finish
