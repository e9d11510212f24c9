#!/bin/bash
# A key whose role may not do what a run is going to do is found before anything is written in any system: exit 3, the right
# and the remedy named. What only reads asks for no more than reading, and takes no hidden field for an empty one.
. "$(dirname "$0")/lib/story.sh"

fresh_folder roles
start_sandbox sandbox --contacts 8 --twenty-rate off
start_postgres
LOCAL_DB=off

# role JSON: of the key, from now on
role() {
	curl -sf -X POST "$TWENTY_API_URL/_sandbox/role" -d "$1" >/dev/null || fail "the sandbox takes no role"
}

# what CRM (contacts made or changed) and Supabase hold
held() {
	sql "select count(*), max(xmin::text::bigint), sum(xmin::text::bigint) from contacts_master"
	reader stat twenty.people
}

# refused ROLE TEXT...: nothing was written anywhere
refused() {
	local before=$(held)
	role "$1"
	shift
	full_sync
	expect_exit 3
	expect_eq "$(held)" "$before" "what the systems hold"
	local text
	for text in "$@"; do expect_text "$err" "$text"; done
	expect_no_text "$err" traceback
	role '{}'
}

settings='in Twenty'"'"'s Settings, Roles, let it'

may_not_set_up() {
	role '{"model": false}'
	run "$scripts/setup.lua" --apply
	expect_exit 3
	expect_text "$out" "CRM: field person.contactId is missing, and the role of the API key may not make it"
	expect_text "$out" "let it change the Data Model, or use an admin's key"
	role '{}'
	set_up
}

needs_no_model() {
	role '{"model": false}'
	full_sync
	expect_exit 0
	expect_totals 8 8 8 0 0
	role '{}'
	reader bigquery "UPDATE \`sandbox.identity.contacts_master\` SET nickname = 'Waiting' WHERE contact_id IS NOT NULL"
}

may_not_write() {
	refused '{"update": false}' "CRM: the role of the API key may not write people in 'twenty'" "$settings edit records of People"
}

may_not_write_fields() {
	refused '{"locked": ["jobTitle", "emails", "phones"]}' \
		"CRM: the role of the API key may not write these fields of people in 'twenty' (" \
		"emails" "jobTitle" "phones" "$settings edit records of People with these fields"
	refused '{"locked": ["createdBy"]}' "these fields of people in 'twenty' (createdBy)"
	refused '{"locked": ["deletedAt"]}' "these fields of people in 'twenty' (deletedAt)"
}

may_not_read() {
	refused '{"read": false}' "CRM: a right is missing there, so nothing was written in any system" \
		"the role of the API key may not read people in 'twenty'" "$settings see records of People"
	refused '{"hidden": ["notes", "deletedAt"]}' "may not read these fields of people in 'twenty' (deletedAt, notes)"
	refused '{"hidden": ["updatedBy"]}' "may not read these fields of people in 'twenty' (updatedBy)"
}

# A hidden field is no empty one; and reading asks for no right to write.
reads_only() {
	role '{"model": false, "update": false, "delete": false}'
	full_sync --skip-sync
	expect_exit 1
	expect_totals 8 "not run" 0 0 8
	expect_text "$out" "CRM: nickname is"
	role '{"hidden": ["nickname"]}'
	full_sync --skip-sync
	expect_exit 3
	expect_text "$err" "may not read these fields of people in 'twenty' (nickname)"
	expect_no_text "$out" "CRM: nickname is"
	role '{}'
}

others_say_it_too() {
	role '{"locked": ["notes"]}'
	run "$scripts/doctor.lua"
	expect_exit 3
	expect_text "$out" "CRM: the role of the API key may not write these fields of people in 'twenty' (notes)"
	run "$scripts/setup.lua"
	expect_exit 3
	expect_text "$out" "CRM: the role of the API key may not write these fields of people in 'twenty' (notes)"
	role '{}'
}

# The trial leaves nobody behind, and a run that changes nothing does not make it.
leaves_nothing() {
	full_sync
	expect_exit 0
	expect_totals 8 8 8 0 0
	expect_eq "$(reader stat twenty.people)" 8 "people in Twenty"
	local before=$(reader stat twenty.writes)
	full_sync
	expect_exit 0
	expect_eq "$(reader stat twenty.writes)" "$before" "mutations sent"
}

story "a role that may not change the model: set-up says so, exit 3" may_not_set_up
story "a run needs no right to the model" needs_no_model
story "a role that may not write people: exit 3, nothing written anywhere" may_not_write
story "fields that it may not write are named, those that Twenty fills itself too" may_not_write_fields
story "a role that may not read people, or fields: exit 3, nothing written anywhere" may_not_read
story "validation asks for no right to write; a hidden field is not taken for an empty one" reads_only
story "doctor and set-up say it" others_say_it_too
story "with every right all is well; the trial leaves nobody, and is made only where something is to be sent" leaves_nothing
finish
