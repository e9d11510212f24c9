#!/bin/bash
# What cannot work is refused before anything is written, with one clear message that holds no secret: systems that are
# down, wrong credentials, missing tables and columns, bad files, mistyped settings and options.
. "$(dirname "$0")/lib/story.sh"

fresh_folder start_up
start_sandbox sandbox --contacts 20 --twenty-rate off
start_postgres
set_up
full_sync
[ "$code" -eq 0 ] || fail "the first sync: exit code $code"
# Something to write is waiting in every system all along: no refused run may do it.
reader bigquery "UPDATE \`sandbox.identity.contacts_master\` SET nickname = 'Waiting' WHERE contact_id IS NOT NULL"
before=$(fingerprint)
pg_rest=${SUPABASE_DB_URL#*@}
pg_password=${SUPABASE_DB_URL%%@*}
pg_password=${pg_password##*:}

untouched() {
	expect_eq "$(fingerprint)" "$before" "what the systems hold"
}

# refused CODE ENVIRONMENT-AND-OPTIONS... -- TEXTS...
refused() {
	local wanted=$1 arguments=()
	shift
	while [ "$1" != -- ]; do
		arguments+=("$1")
		shift
	done
	shift
	full_sync "${arguments[@]}"
	expect_refused "$wanted" "$@"
	untouched
}

twenty_down() {
	refused 3 TWENTY_API_URL=http://127.0.0.1:1 -- \
		"CRM: cannot connect to 'twenty' (connection refused by 127.0.0.1:1); is the server up?"
}

bigquery_down() {
	refused 3 BIGQUERY_EMULATOR_HOST=http://127.0.0.1:1 -- \
		"BigQuery: cannot connect to 'BigQuery' (connection refused by 127.0.0.1:1)"
}

postgres_down() {
	refused 3 SUPABASE_DB_URL=postgresql://postgres:canary-pg-password@127.0.0.1:1/postgres -- \
		"Supabase: cannot connect to 'Supabase' (connection refused" "127.0.0.1:1, database 'postgres'"
}

several_down() {
	full_sync TWENTY_API_URL=http://127.0.0.1:1 SUPABASE_DB_URL=postgresql://postgres:canary-pg-password@127.0.0.1:1/postgres
	expect_exit 3
	expect_empty "$out"
	expect_eq "$(wc -l <"$err")" 2 "lines on stderr"
	untouched
}

wrong_password() {
	refused 3 "SUPABASE_DB_URL=postgresql://postgres:canary-pg-password@$pg_rest" -- \
		'password authentication failed for user "postgres"' "check the user and the password"
}

wrong_database() {
	refused 3 "SUPABASE_DB_URL=${SUPABASE_DB_URL}_not_there" -- "does not exist" "check the name of the database"
}

wrong_key() {
	refused 3 TWENTY_API_KEY=canary-twenty-key -- "CRM: 'twenty' refused the API key" "check TWENTY_API_KEY"
	refused 2 TWENTY_API_KEY= -- "set TWENTY_API_KEY"
}

missing_table() {
	refused 2 BIGQUERY_TABLE=identity.not_there -- "BigQuery: table 'sandbox.identity.not_there' was not found" "BIGQUERY_TABLE"
	refused 2 BIGQUERY_TABLE=nonsense -- "'nonsense' is not a BigQuery table"
	refused 2 SYNCRUN_TABLE=not_there LOCAL_DB=off -- "Supabase: table public.not_there is missing; $missing"
}

bad_filter() {
	refused 2 "BIGQUERY_WHERE=nonsense = 1" -- "BigQuery does not accept the query" "nonsense" "BIGQUERY_WHERE"
}

missing_source_column() {
	cat >mapping.lua <<-END
		local mapping = dofile "$scripts/contacts/mapping.lua"
		mapping.fields[#mapping.fields + 1] = { "shoe_size", "text", to = { twenty = false } }
		return mapping
	END
	echo 'return { mapping = "mapping.lua" }' >config.lua
	full_sync --config config.lua
	expect_exit 2
	expect_empty "$out"
	expect_text "$err" "BigQuery: table 'sandbox.identity.contacts_master' has no column 'shoe_size'"
	expect_line "$err" "syncrun: Supabase: column public.contacts_master.shoe_size is missing; $missing"
	untouched
}

missing_target_column() {
	sql "alter table contacts_master rename column notes to remarks"
	refused 2 -- "Supabase: column public.contacts_master.notes is missing; $missing"
	sql "alter table contacts_master rename column remarks to notes"
	sql "alter table contacts_master add column must text not null default 'x'"
	full_sync --skip-sync
	expect_text "$out" "VALIDATION REPORT"
	sql "alter table contacts_master alter column must drop default"
	refused 2 -- "column public.contacts_master.must needs a value"
	sql "alter table contacts_master drop column must"
	sql "alter table contacts_master rename column notes to remarks; alter table contacts_master add column notes int"
	refused 2 -- "column public.contacts_master.notes is of type int4, the mapping needs text"
	sql "alter table contacts_master drop column notes; alter table contacts_master rename column remarks to notes"
	local_sql "alter table contacts_master rename column notes to remarks"
	full_sync --skip-sync
	expect_refused 2 "Local: column contacts_master.notes is missing"
	local_sql "alter table contacts_master rename column remarks to notes"
	before=$(fingerprint)
}

bad_key_file() {
	echo '{"type":"service_account","private_key":"canary-key-file"' >key.json
	refused 2 BIGQUERY_EMULATOR_HOST= "GOOGLE_APPLICATION_CREDENTIALS=$PWD/key.json" -- "key file '$PWD/key.json' is not JSON"
	printf '{"type":"service_account","client_email":"a@b.example","token_uri":"https://127.0.0.1:1/","private_key":"%s"}' \
		'-----BEGIN PRIVATE KEY-----\ncanary-key-file\n-----END PRIVATE KEY-----\n' >key.json
	refused 2 BIGQUERY_EMULATOR_HOST= "GOOGLE_APPLICATION_CREDENTIALS=$PWD/key.json" -- "has an unusable 'private_key'"
	refused 2 BIGQUERY_EMULATOR_HOST= "GOOGLE_APPLICATION_CREDENTIALS=$PWD/none.json" -- "key file '$PWD/none.json' cannot be read"
	rm key.json
}

bad_config() {
	refused 2 --config none.lua -- "cannot read the config file 'none.lua' (No such file or directory)"
	refused 2 --config "$PWD" -- "config file"
	echo 'return {' >config.lua
	refused 2 --config config.lua -- "the config file is not valid Lua (config.lua:2:"
	echo 'error "boom"' >config.lua
	refused 2 --config config.lua -- "the config file 'config.lua' failed (config.lua:1: boom)"
	echo 'return 1' >config.lua
	refused 2 --config config.lua -- "the config file 'config.lua' does not return a table"
	echo 'return { twenty = 5 }' >config.lua
	refused 2 --config config.lua -- "the setting 'twenty' in 'config.lua' is a table"
	echo 'return { mapping = "nowhere" }' >config.lua
	refused 2 --config config.lua -- "cannot load the mapping 'nowhere' (module 'nowhere' not found)"
	echo 'return { mapping = "nowhere.lua" }' >config.lua
	refused 2 --config config.lua -- "cannot load the mapping 'nowhere.lua' (No such file or directory); a relative path is looked for beside the config file"
	rm config.lua
}

bad_mapping() {
	echo 'return { mapping = "broken.lua" }' >config.lua
	local text
	while IFS='~' read -r text wanted; do
		echo "$text" >broken.lua
		refused 2 --config config.lua -- "$wanted"
	done <<-'END'
		return { key = "id", fields = { { "contact_id", "text" } } }~the key 'id' is not a field of the mapping
		return { key = "id", fields = { { "id", "txt" } } }~field 'id' of the mapping: unknown type 'txt'
		return { key = "id", fields = { { "id", "text", requird = true } } }~field 'id' of the mapping: unknown key 'requird'
		return { key = "id", fields = { { "id", "text" }, { "id", "text" } } }~field 'id' of the mapping: declared twice
		return 7~does not return a table
	END
	cat >broken.lua <<-END
		local mapping = dofile "$scripts/contacts/mapping.lua"
		mapping.fields[3].transform = "frobnicate"
		return mapping
	END
	refused 2 --config config.lua -- "name_normalized" "frobnicate"
	rm config.lua broken.lua
}

mistyped() {
	echo 'return { twenty = { kye = "canary-twenty-key" } }' >config.lua
	refused 2 --config config.lua -- "unknown setting 'twenty.kye' in 'config.lua', did you mean 'key'?"
	refused 2 --limt 3 -- "unknown option '--limt', did you mean '--limit'?"
	refused 2 --limit x -- "'--limit' takes a whole number of at least 1, not 'x'"
	refused 2 --limit 0 -- "'--limit' takes a whole number of at least 1, not '0'"
	refused 2 --limit -- "a value is missing after '--limit'"
	refused 2 stray -- "unexpected argument 'stray'"
	refused 2 --quiet=yes -- "'--quiet' takes no value"
	rm config.lua
}

unwritable() {
	refused 3 LOCAL_DB=/nonexistent/contacts.db -- "Local: cannot create '/nonexistent/contacts.db'"
	echo "this is no database" >text
	refused 3 "LOCAL_DB=$PWD/text" -- "file is not a database"
	expect_eq "$(cat text)" "this is no database" "the file"
	refused 2 SYNCRUN_STATE=/proc/nowhere -- "cannot make the folder '/proc/nowhere"
	refused 2 --json /nonexistent/summary.json -- "cannot write the file '/nonexistent/summary.json"
	refused 2 --report /proc/nowhere -- "cannot make the folder '/proc/nowhere'"
}

setup_refuses_too() {
	run TWENTY_API_URL=http://127.0.0.1:1 "$scripts/setup.lua"
	expect_exit 3
	expect_text "$err" "CRM: cannot connect to 'twenty'"
	run TWENTY_API_KEY=canary-twenty-key "$scripts/setup.lua" --apply
	expect_exit 3
	run --config none.lua "$scripts/setup.lua"
	expect_exit 2
	run "$scripts/setup.lua" --aply
	expect_refused 2 "did you mean '--apply'?"
	untouched
}

setup_asks_all_first() {
	sql "alter table contacts_master rename column notes to remarks"
	run TWENTY_API_URL=http://127.0.0.1:1 "$scripts/setup.lua" --apply
	expect_exit 3
	expect_line "$out" "Supabase: column public.contacts_master.notes is missing"
	expect_eq "$(sql "select count(*) from pg_attribute where attname = 'notes'")" 0 "columns made"
	sql "alter table contacts_master alter column remarks type int using 0; alter table contacts_master rename nickname to nick;
		alter table contacts_master rename remarks to notes"
	run "$scripts/setup.lua" --apply
	expect_exit 2
	expect_line "$out" "Supabase: column public.contacts_master.notes is of type int4, the mapping needs text"
	expect_eq "$(sql "select count(*) from pg_attribute where attname = 'nickname'")" 0 "columns made"
	run "$scripts/doctor.lua"
	expect_exit 2
	sql "alter table contacts_master rename nick to nickname; alter table contacts_master alter column notes type text"
}

no_secret_is_told() {
	full_sync SYNCRUN_LOG=debug --allow-mass-change
	expect_exit 0
	run SYNCRUN_LOG=debug -e 'local c = require "syncrun.flow.config".load {}; error(c.twenty.key .. c.supabase.url)'
	expect_exit 6
	local secret
	for secret in canary "$TWENTY_API_KEY" "$pg_password"; do
		[ ${#secret} -ge 6 ] || fail "'$secret' is too short to look for"
		expect_eq "$(grep -c -F -e "$secret" "$said")" 0 "times that '${secret:0:12}…' was said ($(grep -m 1 -F -e "$secret" "$said" | head -c 200))"
		expect_eq "$(grep -rl -F -e "$secret" "$SYNCRUN_STATE" "$LOCAL_DB")" "" "files that hold '${secret:0:12}…'"
	done
}

story "Twenty is down: exit 3" twenty_down
story "BigQuery is down: exit 3" bigquery_down
story "Postgres is down: exit 3" postgres_down
story "two systems are down: a line for each" several_down
story "a wrong password: exit 3" wrong_password
story "a database that does not exist: exit 3" wrong_database
story "a wrong or no key for Twenty" wrong_key
story "a missing table: exit 2" missing_table
story "a row filter that BigQuery refuses: exit 2, nothing on stdout" bad_filter
story "a column that the source lacks: exit 2" missing_source_column
story "a column that a target lacks or wants: exit 2" missing_target_column
story "a bad key file: exit 2" bad_key_file
story "an unreadable or broken config file: exit 2" bad_config
story "a mapping that makes no sense: exit 2" bad_mapping
story "mistyped settings and options: exit 2, with what may be meant" mistyped
story "files that cannot be written are refused before anything is done" unwritable
story "setup refuses the same way" setup_refuses_too
story "setup asks every system before it makes anything" setup_asks_all_first
story "no secret is told anywhere" no_secret_is_told
finish
