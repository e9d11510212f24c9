#!/bin/bash
# A mapping and checks of one's own: changing them changes the next run, nothing is compiled. Who owns a field decides what
# is written and judged.
. "$(dirname "$0")/lib/story.sh"

fresh_folder mapping
records "$work/contacts.ndjson" '
	[contact(i, organization="Acme", nickname="Nick %d" % i, department="Sales", notes="from the source") for i in range(1, 31)]
	+ [contact(40, organization=None, job_title=None)]'
start_sandbox sandbox --load "$work/contacts.ndjson" --twenty-rate off
start_postgres

echo 'return { mapping = "my_mapping.lua", checks = "my_checks.lua", guards = { field = 1 } }' >config.lua
echo 'return {}' >my_checks.lua

# my_mapping CODE: the shipped mapping, changed by the code; `field` finds one by its name.
my_mapping() {
	cat >my_mapping.lua <<-END
		local mapping = dofile "$scripts/contacts/mapping.lua"
		local function field(name)
			for _, f in ipairs(mapping.fields) do
				if f[1] == name then return f end
			end
		end
		$1
		return mapping
	END
}

own_fields='
	field("job_title").transform = function(value, contact)
		if value == nil then return nil end
		return value:upper() .. " at " .. (contact.organization or "nowhere")
	end
	field("nickname").to = { postgres = "alias", sqlite = "alias", twenty = { "alias", "TEXT" } }
	field("department").own = "once"
	field("notes").own = "target"
	field("relationship_category").to = { postgres = false, sqlite = false, twenty = false }
	field("email").transform = { "lower" }'

my_own_mapping() {
	my_mapping "$own_fields"
	full_sync --config config.lua
	expect_exit 2
	set_up --config config.lua
	expect_eq "$(sql "select count(*) from pg_attribute where attrelid = 'contacts_master'::regclass
		and attname in ('alias', 'nickname', 'relationship_category') and not attisdropped")" 1 "columns of the renamed and left out"
	full_sync --config config.lua
	expect_exit 0
	expect_totals 31 31 31 0 0
	local wanted="ENGINEER at Acme | Nick 1"
	expect_eq "$(sql "select job_title, alias from contacts_master where contact_id = 'c0001'")" "$wanted" "in Postgres"
	expect_eq "$(local_sql "select job_title, alias from contacts_master where contact_id = 'c0001'")" "$wanted" "in SQLite"
	expect_eq "$(reader person c0001 jobTitle) | $(reader person c0001 alias)" "$wanted" "in Twenty"
	expect_eq "$(sql "select job_title is null from contacts_master where contact_id = 'c0040'")" t "a null through the transform"
}

a_change_changes_the_run() {
	full_sync --config config.lua
	local before=$(fingerprint)
	full_sync --config config.lua
	expect_exit 0
	expect_eq "$(fingerprint)" "$before" "what the systems hold"
	my_mapping "${own_fields/value:upper()/value:lower()}"
	full_sync --config config.lua --skip-sync
	expect_exit 1
	expect_totals 31 "not run" 1 0 30
	expect_text "$out" '     - CRM: jobTitle is "ENGINEER at Acme", expected "engineer at Acme"'
	full_sync --config config.lua
	expect_exit 0
	expect_eq "$(reader person c0001 jobTitle)" "engineer at Acme" "in Twenty"
	expect_eq "$(sql "select count(*) from contacts_master where job_title = 'engineer at Acme'")" 30 "in Postgres"
}

owned_by_the_crm() {
	expect_eq "$(reader person c0002 department) | $(reader person c0002 notes)" "Sales | " "when created"
	expect_eq "$(sql "select department, notes from contacts_master where contact_id = 'c0002'")" "Sales | " "when created in Postgres"
	reader patch c0002 '{"department":"Mine now","notes":"a person wrote this"}'
	sql "update contacts_master set department = 'Mine too', notes = 'and this' where contact_id = 'c0002'"
	local before=$(fingerprint)
	full_sync --config config.lua
	expect_exit 0
	expect_totals 31 31 31 0 0
	expect_eq "$(fingerprint)" "$before" "what the systems hold"
	# a write to another field of the contact leaves them alone, too
	reader bigquery "UPDATE \`sandbox.identity.contacts_master\` SET title = 'Dr', department = 'Law', notes = 'x' WHERE contact_id = 'c0002'"
	full_sync --config config.lua
	expect_exit 0
	expect_eq "$(reader person c0002 nameTitle) | $(reader person c0002 department) | $(reader person c0002 notes)" \
		"Dr | Mine now | a person wrote this" "in Twenty"
	expect_eq "$(sql "select title, department, notes from contacts_master where contact_id = 'c0002'")" \
		"Dr | Mine too | and this" "in Postgres"
	expect_eq "$(local_sql "select title, department, notes from contacts_master where contact_id = 'c0002'")" \
		"Dr | Sales | " "in SQLite"
}

# A mapping beside the config file is found from any working folder.
beside_the_config() {
	mkdir -p elsewhere conf
	cp my_mapping.lua my_checks.lua config.lua conf/
	sed -i 's/organization or "nowhere"/department or "nowhere"/' conf/my_mapping.lua
	full_sync --config conf/config.lua --skip-sync
	expect_exit 1
	expect_text "$out" 'expected "engineer at Sales"'
	expect_eq "$(local_sql "select count(*) from contacts_master where job_title like '%Sales'")" 0 "rows that were written"
	(cd elsewhere && full_sync --config ../conf/config.lua --skip-sync && exit "$code")
	expect_eq $? 1 "exit code from another folder"
	expect_text "$out" 'expected "engineer at Sales"'
	rm conf/my_checks.lua
	(cd elsewhere && full_sync --config ../conf/config.lua --skip-sync && exit "$code")
	expect_eq $? 2 "exit code without the checks"
	expect_text "$err" "cannot load the checks 'my_checks.lua' (No such file or directory); a relative path is looked for beside"
}

my_own_check() {
	cat >my_checks.lua <<-'END'
		return {
			contact = {
				function(contact)
					if contact.contact_id == "c0007" then return ("%s is not welcome"):format(contact.canonical_name) end
				end,
				function(contact)
					if contact.organization:find "^Nothing" then return "never" end
				end,
			},
		}
	END
	reader bigquery "UPDATE \`sandbox.identity.contacts_master\` SET nickname = 'Seven' WHERE contact_id = 'c0007'"
	full_sync --config config.lua
	expect_exit 1
	expect_totals 31 31 29 0 2
	expect_line "$out" "     - BigQuery: Name7 Person is not welcome"
	expect_line "$out" "  ⚠️  Name40 Person (ID: c0040)"
	expect_text "$out" "     - BigQuery: a check failed ("
	expect_eq "$(reader person c0007 alias)" Seven "written all the same"
	echo 'return {}' >my_checks.lua
	full_sync --config config.lua
	expect_exit 0
}

# A slip of a check that could hide a difference is refused before anything is done, or is an issue.
slips_in_checks() {
	local before=$(fingerprint) text wanted
	while IFS='~' read -r text wanted; do
		echo "$text" >my_checks.lua
		full_sync --config config.lua
		expect_refused 2 "the checks 'my_checks.lua': $wanted"
		full_sync --config config.lua --estimate
		expect_exit 2
	done <<-'END'
		return { exist = false }~unknown key 'exist', did you mean 'exists'?
		return { fields = { "emial" } }~the mapping has no field 'emial', did you mean 'email'?
		return { contact = function() end }~'contact' is a list of functions, not a function
	END
	expect_eq "$(fingerprint)" "$before" "what the systems hold"
	echo 'return { contact = { function(c) if c.contact_id == "c0009" then return false end end } }' >my_checks.lua
	full_sync --config config.lua
	expect_exit 1
	expect_line "$out" "     - BigQuery: the check at my_checks.lua:1 returned false; it returns nil, or a text that says what is wrong"
	echo 'return { contact = { function(c) return c.contact_id == "c0009" and "caf\xe9" or nil end } }' >my_checks.lua
	full_sync --config config.lua
	expect_exit 1
	expect_line "$out" '     - BigQuery: caf\xe9'
	echo 'return {' >my_checks.lua
	full_sync --config config.lua
	expect_refused 2 "cannot load the checks 'my_checks.lua' (my_checks.lua:2:"
	echo 'return {}' >my_checks.lua
}

# A contact whose transform fails is not sent anywhere, is no extra where it was before, and the others are synced.
failing_transform() {
	my_mapping "${own_fields/value:upper()/value:lower()}
		field('title').transform = function(value, contact)
			if contact.contact_id == 'c0005' then return value.nothing.at_all end
			if contact.contact_id == 'c0006' then return {} end
			if contact.contact_id == 'c0008' then return 'caf\\xe9' end
			return 'Dr. ' .. contact.contact_id
		end"
	full_sync --config config.lua
	expect_exit 1
	expect_totals 31 28 28 3 3
	expect_block "$out" "SYNC ERRORS" "  ❌ Name5 Person (ID: c0005)
     - BigQuery: title: its transform failed (my_mapping.lua:18: attempt to index a nil value (local 'value'))
  ❌ Name6 Person (ID: c0006)
     - BigQuery: title: its transform failed (the column 'title' is text and cannot hold this table)
  ❌ Name8 Person (ID: c0008)
     - BigQuery: title: its transform failed (it returned a text that is not UTF-8)"
	expect_no_text "$out" "Extra in"
	expect_no_text "$err" "traceback"
	expect_eq "$(sql "select count(*) from contacts_master where title = 'Dr. ' || contact_id")" 28 "titles in Postgres"
	expect_eq "$(reader person c0009 nameTitle)" "Dr. c0009" "in Twenty"
	my_mapping "$own_fields
		field('title').transform = function() error('not today', 0) end"
	local before=$(fingerprint)
	full_sync --config config.lua
	expect_exit 1
	expect_totals 31 0 0 31 31
	expect_eq "$(fingerprint)" "$before" "what the systems hold"
	my_mapping "$own_fields"
	full_sync --config config.lua
	expect_exit 0
}

# A declaration that no system would read is refused.
slips_in_the_mapping() {
	local before=$(fingerprint) text wanted
	while IFS='~' read -r text wanted; do
		my_mapping "$own_fields
			$text"
		full_sync --config config.lua
		expect_refused 2 "$wanted"
		run --lua "$scripts" "$scripts/setup.lua" --config config.lua
		expect_exit 2
	done <<-'END'
		field("notes").to = { twentee = "x" }~'notes' of the mapping: 'to' names the unknown system 'twentee', did you mean 'twenty'?
		field("notes").to = { supabase = "x" }~'notes' of the mapping: 'to' names the unknown system 'supabase', did you mean 'postgres'?
		field("notes").to = { bigquery = "x" }~'notes' of the mapping: 'to' names 'bigquery', which is no target
		field("notes").to = { twenty = { "notes", "TEXTT" } }~'notes' of the mapping: type of what it is in 'twenty' is
		field("notes").to = { twenty = { "notes", "TEXT", uniqe = true } }~'notes' of the mapping: unknown key 'uniqe' in what it is in 'twenty', did you mean 'unique'?
		field("notes").to = { postgres = "title" }~'notes' of the mapping: it and field 'title' are both 'title' in 'postgres'
		field("notes").transform = { "lowr" }~'notes' names the unknown step 'lowr'
	END
	expect_eq "$(fingerprint)" "$before" "what the systems hold"
	my_mapping "$own_fields"
}

on_loss_write() {
	my_mapping "${own_fields/value:upper()/value:lower()}
		field('phone').on_loss = 'write'"
	reader bigquery "UPDATE \`sandbox.identity.contacts_master\` SET phone = '+12025550123 ext. 9' WHERE contact_id = 'c0003'"
	full_sync --config config.lua
	expect_exit 1
	expect_totals 31 30 30 1 1
	expect_text "$out" "  ⚠️  Name3 Person (ID: c0003)"
	expect_text "$out" "     - CRM: phones.primaryPhoneNumber"
	expect_eq "$(sql "select phone from contacts_master where contact_id = 'c0003'")" "+12025550123 ext. 9" "in Postgres"
}

checks_switched_off() {
	my_mapping "$own_fields"
	full_sync --config config.lua
	expect_exit 0
	sql "update contacts_master set organization = 'Elsewhere', canonical_name = 'Somebody' where contact_id = 'c0001';
		delete from contacts_master where contact_id = 'c0002'"
	full_sync --config config.lua --skip-sync
	expect_exit 1
	expect_totals 31 'not run' 29 0 2
	echo 'return { fields = { "job_title" } }' >my_checks.lua
	full_sync --config config.lua --skip-sync
	expect_line "$out" '     - Supabase: canonical_name is "Somebody", expected "Name1 Person"'
	expect_no_text "$out" 'Supabase: organization is "Elsewhere", expected "Acme"'
	expect_text "$out" "Not compared, by the checks: name_normalized, first_name, "
	echo 'return { fields = false, name = false, exists = false }' >my_checks.lua
	full_sync --config config.lua --skip-sync
	expect_exit 0
	expect_line "$out" "Not compared, by the checks: whether a contact is there, and only once"
	expect_text "$out" "Not compared, by the checks: canonical_name, name_normalized, "
	expect_text "$SYNCRUN_STATE/runs/$(ls "$SYNCRUN_STATE/runs" | tail -n 1)/report.json" "Not compared, by the checks"
	echo 'return {}' >my_checks.lua
	full_sync --config config.lua
	expect_exit 0
}

story "a mapping of one's own: a Lua transform, renamed and left out columns" my_own_mapping
story "a changed transform changes the next run" a_change_changes_the_run
story "once and target fields are people's" owned_by_the_crm
story "a mapping and checks are found beside the config file" beside_the_config
story "a check of one's own judges and stops nothing" my_own_check
story "a slip in the checks hides nothing" slips_in_checks
story "checks may leave out absence, the name, or fields" checks_switched_off
story "a transform that fails is an error of its contact, not of the run" failing_transform
story "on_loss = write: sent, reported, exit 1" on_loss_write
story "a slip in the mapping is refused by name" slips_in_the_mapping
finish
