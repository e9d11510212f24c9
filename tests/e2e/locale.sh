#!/bin/bash
# No value passes through a locale, a double or lua-cjson: in a locale with a decimal comma and without lua-cjson the odd
# contacts meet the same verdicts, and every test of values and of their way between C and Lua passes.
. "$(dirname "$0")/lib/story.sh"

mkdir "$work/locales"
if ! localedef -i de_DE -f UTF-8 "$work/locales/de_DE.UTF-8" 2>/dev/null; then
	skip "a locale with a decimal comma" "localedef cannot make one"
	finish
fi
fresh_folder locale
start_sandbox sandbox --odd --twenty-rate off
start_postgres
set_up

foreign() {
	run LOCPATH="$work/locales" LC_ALL=de_DE.UTF-8 --lua "$scripts" "$lib/foreign.lua" "$@"
}

odd_contacts() {
	local before
	foreign "$scripts/full_sync.lua" --trace-folds --report "$work/report"
	expect_exit 1
	run --lua "$scripts" "$lib/odd_verdicts.lua" "$work/report" "$scripts/contacts/mapping.lua"
	expect_exit 0
	expect_text "$out" " 0 differ"
	before=$(fingerprint)
	full_sync --report "$work/report" # at home it finds nothing to change
	expect_exit 1
	expect_eq "$(fingerprint | grep -v '^twenty')" "$(echo "$before" | grep -v '^twenty')" "what the systems hold"
	expect_eq "$(sql "select llm_context from public.contacts_master where llm_context->>'x' like '0.30000%'")" \
		'{"x": 0.30000000000000004}' "17 digits in Postgres"
}

tests_of_values() {
	local name
	cd "$repository" || return
	for name in border canon_vectors json rows page plan merge time; do
		SYNCRUN_TEST_PG=$SUPABASE_DB_URL foreign tests/run.lua "tests/lua/${name}_test.lua"
		expect_exit 0
		expect_text "$out" " 0 failed"
	done
	cd "$home" || return
}

story "the odd contacts meet their verdicts in a locale with a decimal comma and without lua-cjson" odd_contacts
story "so do the tests of values" tests_of_values
finish
