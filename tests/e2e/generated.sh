#!/bin/bash
# Generated contacts in quantity, with Twenty's default rate limit, and odd ones that no system or not every system can hold.
. "$(dirname "$0")/lib/story.sh"

fresh_folder generated

many() {
	start_sandbox many --contacts 2000 --twenty-rate off
	start_postgres
	set_up
	full_sync --json summary.json
	expect_exit 0
	expect_totals 2000 2000 2000 0 0
	expect_eq "$(grep -c '^Progress: ' "$out")" 100 "progress lines"
	expect_line "$out" "Progress: 2000/2000 (synced: 2000, errors: 0)"
	expect_eq "$(reader total_count) $(sql "select count(*) from contacts_master") $(local_sql "select count(*) from contacts_master")" \
		"2000 2000 2000" "in the systems"
	# Postgres and SQLite against each other, and Twenty's names against Postgres's
	expect_eq "$(sql "select contact_id, canonical_name, email, phone, birthday from contacts_master order by contact_id collate \"C\"" | cksum)" \
		"$(local_sql "select contact_id, canonical_name, email, phone, birthday from contacts_master order by contact_id" | cksum)" \
		"Postgres and SQLite"
	expect_eq "$(reader people | LC_ALL=C sort | cksum)" \
		"$(sql "select contact_id from contacts_master" | LC_ALL=C sort | cksum)" "ids in Twenty and Postgres"
	local memory=$(reader json summary.json peak_memory_bytes)
	[ "$memory" -lt 104857600 ] || fail "peak memory $memory bytes"
	local before=$(fingerprint)
	full_sync --quiet
	expect_exit 0
	expect_eq "$(fingerprint)" "$before" "what the systems hold"
	stop_sandbox
}

# The generator says beforehand what becomes of each odd contact in each system; the report must agree.
odd_ones() {
	local verdict='[r["contact_id"], r["name"], r["systems"], len(r["errors"]), len(r["issues"])]'
	fresh_folder odd_ones
	start_sandbox odd --contacts 40 --odd --twenty-rate off
	start_postgres
	set_up
	full_sync --report report
	expect_exit 1
	"$SYNCRUN" -e 'local json = require "syncrun.json"
		for _, odd in ipairs(require "sandbox.people".odd()) do
			print(json.encode { id = odd.id or json.null, what = odd.what, verdict = odd.verdict, fails = odd.fails_check })
		end' >odd.jsonl
	"$python" "$lib/odd.py" odd.jsonl report "$out" >differences 2>&1 || fail "$(head -n 5 differences | tr '\n' '~')"
	expect_no_text "$err" "traceback"
	local before=$(fingerprint | tail -n 2) people=$(reader stat twenty.people)
	full_sync --report again
	expect_exit 1
	expect_eq "$(reader jsonl again/contacts.jsonl "$verdict" | cksum)" "$(reader jsonl report/contacts.jsonl "$verdict" | cksum)" \
		"the second run's verdicts"
	expect_eq "$(fingerprint | tail -n 2)" "$before" "what Postgres and SQLite hold"
	expect_eq "$(reader stat twenty.people)" "$people" "people in Twenty"
	stop_sandbox
}

# 100 calls a minute, as Twenty ships: refusals are waited for, none is an error.
rate_limited() {
	fresh_folder rate_limited
	start_sandbox limited --contacts 300
	start_postgres
	set_up
	full_sync
	expect_exit 0
	expect_totals 300 300 300 0 0
	full_sync --limit 5
	expect_exit 0
	expect_totals 5 5 5 0 0
	stop_sandbox
	fresh_folder refused_calls
	start_sandbox refusing --contacts 900 --twenty-rate 3/3
	full_sync SUPABASE_DB_URL= LOCAL_DB=off
	expect_exit 2 # a fresh workspace
	set_up
	full_sync SUPABASE_DB_URL= LOCAL_DB=off
	expect_exit 0
	expect_totals 900 900 900 0 0
	[ "$(reader stat twenty.refused)" -gt 0 ] || fail "no call was refused: the story shows nothing"
	stop_sandbox
}

story "2,000 contacts through all systems" many
story "odd contacts end as foretold, system by system, and nothing crashes" odd_ones
story "Twenty's rate limit is waited for" rate_limited
finish
