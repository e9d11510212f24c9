#!/bin/bash
# What the settings change: systems that are not configured, a local Postgres, parts of the contacts, where the report goes,
# ids that cannot be synced or are larger than a double, the row filter, and which setting wins.
. "$(dirname "$0")/lib/story.sh"

fresh_folder settings
records "$work/contacts.ndjson" '
	[contact(i) for i in range(1, 121)]
	+ [contact(500, contact_id=None, canonical_name="No Id"), contact(501, contact_id=None, canonical_name=None, first_name=None, last_name=None),
	   contact(502, contact_id="c0502", canonical_name="Twice One"), contact(503, contact_id="c0502", canonical_name="Twice Two"),
	   contact(504, is_me=True), contact(505, is_me=None)]'
start_sandbox sandbox --load "$work/contacts.ndjson" --twenty-rate off
start_postgres
set_up

bad_ids() {
	full_sync
	expect_exit 1
	expect_totals 126 122 122 4 4
	expect_block "$out" "SYNC ERRORS" "  ❌ No Id (ID: null)
     - BigQuery: contact_id is null
  ❌ (no name) (ID: null)
     - BigQuery: contact_id is null
  ❌ Twice One (ID: c0502, row 1 of 2)
     - BigQuery: contact_id is repeated, row 1 of 2
  ❌ Twice Two (ID: c0502, row 2 of 2)
     - BigQuery: contact_id is repeated, row 2 of 2"
	expect_eq "$(reader total_count)" 122 "people in Twenty"
	expect_eq "$(sql "select count(*) from contacts_master where contact_id in ('c0502', 'null', '')")" 0 "bad ids in Postgres"
	expect_eq "$(local_sql "select count(*) from contacts_master")" 122 "rows in SQLite"
}

filtered() {
	full_sync "BIGQUERY_WHERE=contact_id IS NOT NULL AND contact_id <> 'c0502'"
	expect_exit 0
	expect_line "$out" "Filtered out by the source filter: 4 of 126 rows"
	full_sync "BIGQUERY_WHERE=is_me IS NOT TRUE AND contact_id <> 'c0502'"
	expect_exit 0
	expect_totals 121 121 121 0 0
	expect_line "$out" "Filtered out by the source filter: 5 of 126 rows"
	expect_line "$out" "Extra in CRM (not in BigQuery; listed, never deleted): 1"
}

good="BIGQUERY_WHERE=contact_id IS NOT NULL AND contact_id <> 'c0502'"

first_ten() {
	local before=$(reader stat twenty.requests)
	full_sync "$good" --limit 10
	expect_exit 0
	expect_totals 10 10 10 0 0
	expect_no_text "$out" "Extra in"
	[ $(($(reader stat twenty.requests) - before)) -le 4 ] || fail "$(($(reader stat twenty.requests) - before)) requests to Twenty"
	expect_eq "$(tail -n 9 "$out")" "$(success_block 10)" "the last lines"
	full_sync "$good" --limit 500
	expect_totals 122 122 122 0 0
}

limit_of_an_empty_target() {
	sql "truncate contacts_master"
	full_sync "$good" --limit 3
	expect_exit 0
	expect_eq "$(sql "select string_agg(contact_id, ' ' order by contact_id) from contacts_master")" "c0001 c0002 c0003" "in Postgres"
	full_sync "$good" --only c0007,c0005,c0007
	expect_exit 0
	expect_totals 2 2 2 0 0
	expect_eq "$(sql "select count(*) from contacts_master")" 5 "rows in Postgres"
	full_sync "$good" --only c0007,nobody
	expect_exit 1
	expect_line "$out" "Not in BigQuery: nobody"
	expect_line "$out" "❌ ISSUES FOUND"
	full_sync "$good"
	expect_exit 0
	expect_totals 122 122 122 0 0
}

quiet_and_files() {
	full_sync "$good" --quiet --json "$home/summary.json" --report "$home/report/new"
	expect_exit 0
	expect_empty "$out"
	expect_eq "$(ls "$home/report/new" | tr '\n' ' ')" "contacts.jsonl issues.csv issues.jsonl proof.json report.json report.txt " "the report's folder"
	expect_eq "$(reader json "$home/summary.json" total)" 122 "the summary's total"
	expect_eq "$(reader json "$home/summary.json" systems.1.label)" CRM "the summary's first target"
	expect_eq "$(find "$home" -name '*.new')" "" "files left behind"
	expect_no_text "$err" "the report is in"
	full_sync --quiet --skip-sync
	expect_exit 1
	expect_empty "$out"
	expect_text <(tail -n 1 "$err") "the report is in '$(ls -d "$SYNCRUN_STATE"/runs/* | tail -n 1)'"
	full_sync "$good" --report "$home/report/new"
	expect_text <(tail -n 1 "$err") "the report is in '$home/report/new'"
}

not_configured() {
	full_sync "$good" TWENTY_API_URL= SUPABASE_DB_URL=
	expect_exit 0
	expect_totals 122 122 122 0 0
	expect_line "$out" "Skipped: CRM (not configured: TWENTY_API_URL is not set)"
	expect_line "$out" "Skipped: Supabase (not configured: SUPABASE_DB_URL is not set)"
	expect_eq "$(tail -n 9 "$out")" "$(success_block 122 " (Local; skipped: CRM, Supabase)")" "the last lines"
	local file=$(ls -d "$SYNCRUN_STATE"/runs/* | tail -n 1)/contacts.jsonl
	expect_eq "$(reader jsonl "$file" 'r["contact_id"] == "c0001" and r["systems"]')" \
		'{"BigQuery": "verified", "CRM": "skipped", "Local": "verified", "Supabase": "skipped"}' "verdicts"
	run TWENTY_API_URL= "$scripts/setup.lua"
	expect_line "$out" "CRM: not configured (TWENTY_API_URL is not set)"
}

twenty_only() {
	rm -f "$LOCAL_DB"
	full_sync "$good" LOCAL_DB=off SUPABASE_DB_URL=
	expect_exit 0
	expect_line "$out" "Skipped: Local (not configured: LOCAL_DB is off)"
	expect_eq "$(tail -n 1 "$out")" "✅ NO EXCEPTIONS - ALL DATA IN SYNC (CRM; skipped: Supabase, Local)" "the last line"
	[ ! -e "$LOCAL_DB" ] || fail "a local database was made"
	expect_eq "$(ls off 2>/dev/null)" "" "a file named off"
}

# A name that is almost ours is a system that nobody looks at: it is said, and `require` refuses to go on without.
mistyped_variable() {
	local url=$SUPABASE_DB_URL
	unset SUPABASE_DB_URL
	full_sync "$good" "SUPABSE_DB_URL=$url"
	expect_exit 0
	expect_text "$err" "the variable 'SUPABSE_DB_URL' in the environment is not read; did you mean 'SUPABASE_DB_URL'?"
	expect_eq "$(tail -n 1 "$out")" "✅ NO EXCEPTIONS - ALL DATA IN SYNC (CRM, Local; skipped: Supabase)" "the last line"
	printf 'SUPABASE_DATABASE_URL=x\nTWENTY_CRM_URL=ignored\nDATABASE_URL=x\n' >.env
	full_sync "$good" --quiet
	expect_exit 0
	expect_text "$err" "the variable 'SUPABASE_DATABASE_URL' in '.env' is not read; did you mean 'SUPABASE_DB_URL'?"
	expect_eq "$(grep -c "is not read" "$err")" 1 "warnings"
	rm .env
	echo 'return { require = { "twenty", "supabase", "local" } }' >config.lua
	full_sync "$good" --config config.lua
	expect_refused 2 "'config.lua' requires 'supabase', which is not configured (SUPABASE_DB_URL is not set)"
	run --lua "$scripts" "$scripts/setup.lua" --config config.lua
	expect_refused 2 "'config.lua' requires 'supabase'"
	echo 'return { require = { "twenty", "supbase" } }' >config.lua
	full_sync "$good" --config config.lua
	expect_refused 2 "the setting 'require[2]' in 'config.lua' is 'local', 'local_db', 'supabase' or 'twenty', not 'supbase', did you mean 'supabase'?"
	export SUPABASE_DB_URL=$url
	echo 'return { require = { "twenty", "supabase", "local" } }' >config.lua
	full_sync "$good" --config config.lua
	expect_exit 0
	expect_eq "$(tail -n 9 "$out")" "$(success_block 122)" "the last lines"
	rm config.lua
}

# No target at all: nothing would be checked anywhere, so this is no success.
no_target() {
	full_sync "$good" LOCAL_DB=off SUPABASE_DB_URL= TWENTY_API_URL=
	expect_refused 2 "none is configured; set TWENTY_API_URL, SUPABASE_DB_URL or LOCAL_DB"
}

local_postgres() {
	local supabase=$SUPABASE_DB_URL
	start_postgres
	local mine=$SUPABASE_DB_URL
	SUPABASE_DB_URL=$supabase
	full_sync "$good" "LOCAL_DB=$mine"
	expect_refused 2 "Local: table public.contacts_master is missing; $missing"
	run "LOCAL_DB=$mine" "$scripts/setup.lua" --apply
	expect_exit 0
	full_sync "$good" "LOCAL_DB=$mine"
	expect_exit 0
	expect_totals 122 122 122 0 0
	SUPABASE_DB_URL=$mine
	expect_eq "$(sql "select count(*) from contacts_master")" 122 "rows in the local Postgres"
	sql "delete from contacts_master where contact_id = 'c0004'"
	SUPABASE_DB_URL=$supabase
	full_sync "$good" "LOCAL_DB=$mine" --skip-sync
	expect_exit 1
	expect_block "$out" "VALIDATION ISSUES" "  ⚠️  Name4 Person (ID: c0004)
     - Missing in Local"
}

# Ids beyond 2^53 that differ in the last digit, in a column of integers.
big_integers() {
	local base=$BIGQUERY_EMULATOR_HOST/bigquery/v2/projects/sandbox/datasets/identity/tables
	"$python" - "$base" <<-'END'
		import sys, json, urllib.request
		body = {"tableReference": {"tableId": "numbered"}, "schema": {"fields": [
		    {"name": "contact_id", "type": "INTEGER"}, {"name": "canonical_name", "type": "STRING"}]}}
		urllib.request.urlopen(urllib.request.Request(sys.argv[1], json.dumps(body).encode(), {"Content-Type": "application/json"}))
	END
	reader bigquery "INSERT INTO \`sandbox.identity.numbered\` (contact_id, canonical_name) VALUES
		(9007199254740993, 'Odd One'), (9007199254740992, 'Even One'), (9223372036854775807, 'Last One'), (-5, 'Negative'), (12, 'Small')"
	cat >numbered.lua <<-'END'
		return {
			key = "contact_id", name = "canonical_name",
			fields = {
				{ "contact_id", "text", required = true, to = { twenty = { "contactId", "TEXT", unique = true } } },
				{ "canonical_name", "text", to = { twenty = { "name", "FULL_NAME" } } },
			},
		}
	END
	echo 'return { fields = true }' >no_checks.lua
	echo 'return { mapping = "numbered.lua", checks = "no_checks.lua", table = "numbered" }' >config.lua
	run BIGQUERY_TABLE=identity.numbered "$scripts/setup.lua" --apply --config config.lua
	expect_exit 0
	full_sync BIGQUERY_TABLE=identity.numbered --config config.lua
	expect_exit 0
	expect_totals 5 5 5 0 0
	local wanted="-5=Negative 12=Small 9007199254740992=Even One 9007199254740993=Odd One 9223372036854775807=Last One"
	expect_eq "$(sql "select string_agg(contact_id || '=' || canonical_name, ' ' order by contact_id collate \"C\") from numbered")" \
		"$wanted" "in Postgres"
	expect_eq "$(local_sql "select group_concat(contact_id || '=' || canonical_name, ' ') from
		(select * from numbered order by contact_id)")" "$wanted" "in SQLite"
	expect_eq "$(reader person 9007199254740993 name.firstName) $(reader person 9007199254740992 name.firstName)" "Odd Even" "in Twenty"
	full_sync BIGQUERY_TABLE=identity.numbered --config config.lua --only 9007199254740993,-5
	expect_exit 0
	expect_totals 2 2 2 0 0
	reader destroy 9007199254740993
	full_sync BIGQUERY_TABLE=identity.numbered --config config.lua --skip-sync
	expect_exit 1
	expect_block "$out" "VALIDATION ISSUES" "  ⚠️  Odd One (ID: 9007199254740993)
     - Missing in CRM"
	rm config.lua
}

# Flags > environment > .env > config file > defaults.
which_wins() {
	local state=$SYNCRUN_STATE local=$LOCAL_DB
	unset SYNCRUN_STATE LOCAL_DB
	mkdir -p precedence
	cd precedence || return
	run "$good" TWENTY_API_URL= SUPABASE_DB_URL= "$scripts/full_sync.lua" --quiet
	expect_exit 0
	expect_eq "$(echo .syncrun/runs/*/report.json contacts.db | wc -w)" 2 "the default state folder and local database"
	[ -f contacts.db ] || fail "no contacts.db: $(ls -A | tr '\n' ' ')"
	echo 'return { local_db = { path = "of_config.db" }, state = "state_of_config", twenty = false, supabase = false }' >config.lua
	full_sync "$good" --config config.lua --quiet
	expect_exit 0
	[ -f of_config.db ] && [ -d state_of_config ] || fail "the config file was not followed: $(ls -A | tr '\n' ' ')"
	printf '# mine\nexport LOCAL_DB="of_env_file.db" # comment\nSYNCRUN_STATE='"'state of env file'"'\n' >.env
	full_sync "$good" --config config.lua --quiet
	expect_exit 0
	[ -f of_env_file.db ] && [ -d "state of env file" ] || fail ".env did not win over the config file: $(ls -A | tr '\n' ' ')"
	full_sync "$good" LOCAL_DB=of_environment.db --config config.lua --quiet
	expect_exit 0
	[ -f of_environment.db ] || fail "the environment did not win over .env: $(ls -A | tr '\n' ' ')"
	full_sync "$good" --config config.lua --quiet --report of_flag
	[ -f of_flag/report.json ] || fail "--report was not followed"
	cd ..
	export SYNCRUN_STATE=$state LOCAL_DB=$local
}

# A .env file as other programs share it, with line ends behind values.
shared_env_file() {
	local key=$TWENTY_API_KEY url=$TWENTY_API_URL supabase=$SUPABASE_DB_URL
	unset TWENTY_API_KEY TWENTY_API_URL SUPABASE_DB_URL
	printf '\xef\xbb\xbf# shared\r\nexport TWENTY_API_KEY="%s"\r\nMY-VAR=x\r\nCERT="-----BEGIN\r\nTWENTY_API_URL=http://127.0.0.1:1\r\n-----END"\r\n' \
		"$key" >.env
	printf "TWENTY_API_URL: %s # tail\r\nDB_HOST=%s\r\nSUPABASE_DB_URL='%s'\r\nsomething else\r\n" "$url" "x y" "$supabase" >>.env
	full_sync "$good" --limit 3
	expect_exit 0
	expect_eq "$(tail -n 9 "$out")" "$(success_block 3)" "the last lines"
	expect_eq "$(grep -vc "the report is in" "$err")" 0 "other lines on stderr ($(head_of "$err"))"
	rm .env
	full_sync "$good" "TWENTY_API_KEY=$key"$'\n' "TWENTY_API_URL=$url"$'\r\n' "SUPABASE_DB_URL=$supabase"$'\n' --limit 3
	expect_exit 0
	expect_eq "$(tail -n 9 "$out")" "$(success_block 3)" "the last lines"
	export TWENTY_API_KEY=$key TWENTY_API_URL=$url SUPABASE_DB_URL=$supabase
}

other_key_variable() {
	local key=$TWENTY_API_KEY
	unset TWENTY_API_KEY
	full_sync "$good" "TWENTY_CRM_API_KEY=$key" --limit 1
	expect_exit 0
	full_sync "$good" "TWENTY_API_URL=$TWENTY_API_URL/" "TWENTY_CRM_API_KEY=$key" --limit 1
	expect_exit 0
	export TWENTY_API_KEY=$key
}

story "null and repeated ids are errors, none of them is synced" bad_ids
story "the row filter's line counts what it left out" filtered
story "--limit takes the first in byte order, by key, without extras" first_ten
story "--limit and --only write only these contacts" limit_of_an_empty_target
story "--quiet, --json and --report" quiet_and_files
story "systems that are not configured are skipped and said so" not_configured
story "Twenty only, LOCAL_DB=off" twenty_only
story "a mistyped variable is named; require makes its absence exit 2" mistyped_variable
story "no target is no success" no_target
story "the local database may be a Postgres" local_postgres
story "integer ids beyond 2^53 stay apart" big_integers
story "flags win over environment, .env, config file, defaults" which_wins
story "a .env file as other programs write it; a line end behind a value" shared_env_file
story "TWENTY_CRM_API_KEY and a URL that ends in a slash" other_key_variable
finish
