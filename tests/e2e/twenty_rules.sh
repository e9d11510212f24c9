#!/bin/bash
# The rules of writing to Twenty (lua/README.md): addresses that two people would share, people made by hand, soft-deleted
# people, and what each setting changes.
. "$(dirname "$0")/lib/story.sh"

# ground NAME PYTHON-RECORDS SETTINGS: a fresh sandbox with these contacts, and a config.lua with these settings of twenty.
ground() {
	fresh_folder "$1"
	LOCAL_DB=off
	records "$work/$1.ndjson" "$2"
	start_sandbox "$1-sandbox" --load "$work/$1.ndjson" --twenty-rate off
	set_up
	settings "${3:-}"
}

settings() {
	echo "return { local_db = false, twenty = { rate = false, $1 } }" >config.lua
}

sync_crm() {
	full_sync --config config.lua "$@"
}

writes() {
	reader stat twenty.writes
}

update() {
	reader bigquery "UPDATE \`sandbox.identity.contacts_master\` SET $1"
}

# by_hand EMAIL: a person without a contactId; its id.
by_hand() {
	reader twenty POST /rest/people \
		"{\"name\":{\"firstName\":\"By\",\"lastName\":\"Hand\"},\"emails\":{\"primaryEmail\":\"$1\",\"additionalEmails\":[\"x@y.zz\"]}}" |
		sed 's/.*"id": "\([^"]*\)".*/\1/'
}

line() {
	expect_line "$out" "     - CRM: emails.primaryEmail: $1"
}

# ---- one address, two contacts

shared='[contact(1), contact(2, email="P1@example.com"), contact(3), contact(4, email="p3@Example.com")]'

kept_as_additional() {
	ground additional "$shared" 'duplicate_email = "additional"'
	sync_crm
	expect_exit 0
	expect_text "$err" "CRM: 2 e-mails are kept as additional ones, for another contact has them"
	expect_eq "$(reader person c0001 emails.primaryEmail)" p1@example.com "the first keeps it"
	expect_eq "$(reader person c0002 emails.primaryEmail)" "" "the second's e-mail"
	expect_eq "$(reader person c0002 emails.additionalEmails)" '["p1@example.com"]' "the second's additional one"
	local before=$(writes)
	sync_crm
	expect_exit 0
	expect_eq "$(writes)" "$before" "writes of a second run"
	sync_crm --skip-sync
	expect_exit 0
	run --lua "$scripts" -e 'local look = require "syncrun.flow.inspect".open { config = "config.lua" }
		print(#look:validate("c0002").CRM, look:explain("c0002", "email").systems[1].verdict)'
	expect_line "$out" "0	equal"
	sync_crm --only c0002
	expect_exit 0
	expect_eq "$(writes)" "$before" "writes of a run over the one"
	update "job_title = 'Painter' WHERE contact_id = 'c0002'"
	sync_crm
	expect_exit 0
	expect_eq "$(reader person c0002 jobTitle) $(reader person c0002 emails.additionalEmails)" 'Painter ["p1@example.com"]' "after"
	reader patch c0002 '{"emails":{"primaryEmail":"","additionalEmails":[]}}'
	sync_crm --skip-sync
	expect_exit 1
	settings 'duplicate_email = "reject"'
	sync_crm
	expect_exit 1
	line "p1@example.com is the e-mail of contact c0001, who keeps it"
	stop_sandbox
}

holder_keeps() {
	ground holder '[contact(1, email=None), contact(2, email="p1@example.com"), contact(3)]'
	sync_crm
	expect_exit 0
	update "email = 'p1@example.com', job_title = 'Late' WHERE contact_id = 'c0001'"
	sync_crm
	expect_exit 1
	expect_totals 3 2 2 1 1
	line "p1@example.com is the e-mail of contact c0002, who keeps it"
	expect_eq "$(reader person c0002 emails.primaryEmail)" p1@example.com "the holder's"
	sync_crm --only c0001
	expect_exit 1
	line "p1@example.com is the e-mail of contact c0002, who keeps it"
	stop_sandbox
}

# ---- addresses that move

addresses_move() {
	ground moves '[contact(i) for i in range(1, 8)]'
	sync_crm
	expect_exit 0
	update "email = 'p2@example.com' WHERE contact_id = 'c0001'"
	update "email = 'p1@example.com' WHERE contact_id = 'c0002'"
	update "email = 'p4@example.com' WHERE contact_id = 'c0003'"
	update "email = 'new@example.com' WHERE contact_id = 'c0004'"
	sync_crm
	expect_exit 0
	expect_eq "$(for i in 1 2 3 4; do reader person c000$i emails.primaryEmail; done | tr '\n' ' ')" \
		"p2@example.com p1@example.com p4@example.com new@example.com " "exchanged and handed on"
	# who cannot get a new one keeps the old one, so the next in the chain is refused too, and nobody loses theirs
	update "email = 'p6@example.com' WHERE contact_id = 'c0005'"
	update "email = 'p7@example.com' WHERE contact_id = 'c0006'"
	sync_crm
	expect_exit 1
	line "p6@example.com is the e-mail of contact c0006, who keeps it"
	line "p7@example.com is the e-mail of contact c0007, who keeps it"
	expect_eq "$(for i in 5 6 7; do reader person c000$i emails.primaryEmail; done | tr '\n' ' ')" \
		"p5@example.com p6@example.com p7@example.com " "of the refused"
	stop_sandbox
}

# ---- people made by hand, people of nobody

by_hand_left() {
	ground hand '[contact(1), contact(2)]'
	person=$(by_hand p1@example.com)
	sync_crm
	expect_exit 1
	line "p1@example.com is the e-mail of a person without a contactId (ID $person), who is not adopted"
	expect_text "$out" "Extra in CRM (not in BigQuery; listed, never deleted): 1"
	expect_eq "$(reader total_count)" 2 "people"
	sync_crm --only c0001
	expect_exit 1
	line "p1@example.com is the e-mail of a person without a contactId (ID $person), who is not adopted"
}

by_hand_adopted() {
	settings 'adopt = true'
	sync_crm --only c0001
	expect_exit 0
	expect_eq "$(reader person c0001)" "$person" "the adopted person"
	expect_eq "$(reader person c0001 emails.additionalEmails)" '["x@y.zz"]' "their additional e-mail"
	expect_eq "$(reader total_count)" 2 "people"
	reader bigquery "UPDATE \`sandbox.identity.contacts_master\` SET email = 'q@example.com' WHERE contact_id = 'c0002'"
	reader destroy c0002
	person=$(by_hand q@example.com)
	sync_crm
	expect_exit 0
	expect_eq "$(reader person c0002) $(reader total_count)" "$person 2" "the second adopted, and people"
	expect_no_text "$out" "Extra in CRM"
	stop_sandbox
}

of_nobody() {
	ground nobody '[contact(1), contact(2)]' 'adopt = true'
	reader twenty POST /rest/people '{"contactId":"zz","emails":{"primaryEmail":"p1@example.com"}}' >/dev/null
	reader twenty POST /rest/people '{"contactId":"yy","emails":{"primaryEmail":"p2@example.com"}}' >/dev/null
	reader soft_delete yy
	sync_crm
	expect_exit 1
	line "p1@example.com is the e-mail of another person (contactId zz, not in BigQuery)"
	line "p2@example.com is the e-mail of another person (contactId yy, not in BigQuery, soft-deleted)"
	stop_sandbox
}

# ---- soft-deleted people

revived() {
	ground revive '[contact(1), contact(2), contact(3)]' 'revive = "never"'
	reader twenty POST /rest/people '{"contactId":"c0003","emails":{"primaryEmail":"p3@example.com"}}' >/dev/null
	reader soft_delete c0003
	sync_crm
	expect_exit 1
	expect_line "$out" "     - CRM: deletedAt: it is soft-deleted there, and twenty.revive is never"
	reader soft_delete c0002
	settings 'revive = "ours"'
	sync_crm
	expect_exit 1
	expect_totals 3 2 2 1 1
	expect_line "$out" "     - CRM: deletedAt: it is soft-deleted there, and not ours to revive (syncrun did not write it)"
	expect_line "$out" "Revived in CRM (were soft-deleted there): 1"
	expect_line "$out" "     - Name2 Person (ID: c0002)"
	expect_eq "$(reader total_count)" 2 "people"
	settings 'revive = "all"'
	sync_crm
	expect_exit 0
	expect_line "$out" "     - Name3 Person (ID: c0003)"
	expect_eq "$(reader total_count)" 3 "people"
	stop_sandbox
}

# Two people of one contactId, as a workspace has them whose field became unique too late; the second is made behind the
# sandbox's back.
one_key_twice() {
	ground twice '[contact(1), contact(2, email=None)]'
	sync_crm
	"$python" - "$work/twice-sandbox/twenty.db" <<-'END'
		import sqlite3, sys
		db = sqlite3.connect(sys.argv[1])
		for name, in db.execute("select name from sqlite_master where name like 'unique_person_x%'").fetchall():
		    db.execute('drop index "%s"' % name)
		db.commit()
	END
	reader twenty POST /rest/people '{"contactId":"c0002","name":{"firstName":"Second"}}' >/dev/null
	local before=$(writes)
	sync_crm --skip-sync
	expect_exit 1
	expect_totals 2 "not run" 1 0 1
	expect_line "$out" "     - CRM: exists more than once"
	expect_eq "$(writes)" "$before" "writes"
	stop_sandbox
}

bad_settings() {
	ground settings '[contact(1)]' 'revive = "some"'
	sync_crm
	expect_refused 2 "the setting 'twenty.revive' in 'config.lua' is 'all', 'ours' or 'never', not 'some'"
	stop_sandbox
}

story "two contacts with one e-mail: the second has it as an additional one, where the settings say so" kept_as_additional
story "two contacts with one e-mail: who holds it keeps it" holder_keeps
story "e-mails are exchanged and handed on in one run" addresses_move
story "a person made by hand is left alone" by_hand_left
story "a person made by hand is adopted where the settings say so" by_hand_adopted
story "an e-mail of a person who is not in BigQuery is not taken" of_nobody
story "a soft-deleted person is revived as the settings say" revived
story "two people with one contactId are reported" one_key_twice
story "an unknown choice is refused" bad_settings
finish
