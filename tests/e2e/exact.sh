#!/bin/bash
# Equal means equal to the last byte: the smallest change of any field in any system is found and named, and nothing else
# is. What a system only spells differently is never called a mismatch.
. "$(dirname "$0")/lib/story.sh"

fresh_folder exact
tamper() {
	"$python" "$lib/tamper.py" "$@"
}
tamper contacts >"$work/contacts.ndjson"
fields=$(wc -l <"$work/contacts.ndjson")
start_sandbox sandbox --load "$work/contacts.ndjson" --twenty-rate off
start_postgres
set_up

found() {
	reader jsonl "$work/report/issues.jsonl" '(" ".join([r["contact_id"], r["system"], r["kind"], str(r.get("field"))])
		if r.get("phase") == "validate" else None)' | sort
}

every_change_is_named() {
	full_sync
	expect_exit 0
	tamper postgres | psql -qX "$SUPABASE_DB_URL" >"$out" 2>&1 || fail "$(head_of "$out")"
	"$python" -c '
import sqlite3, sys
sqlite3.connect(sys.argv[1]).executescript(sys.stdin.read())' "$LOCAL_DB" < <(tamper sqlite)
	tamper twenty
	local before=$(fingerprint)
	full_sync --skip-sync --report "$work/report"
	expect_exit 1
	expect_totals "$fields" "not run" 0 0 "$fields"
	tamper expect | sort >"$work/wanted"
	found >"$work/found"
	cmp -s "$work/wanted" "$work/found" || fail "found: $(diff "$work/wanted" "$work/found" | head -n 20 | tr '\n' '~')"
	expect_eq "$(reader jsonl "$work/report/issues.jsonl" '(1 if r["kind"] == "mismatched"
		and not ("actual" in r and "expected" in r) else None)' | wc -l)" 0 "mismatches without both values"
	expect_text "$work/report/report.txt" '     - CRM: contactCreatedAt is "2024-05-06T07:08:09.124000Z", expected "2024-05-06T07:08:09.123000Z"'
	expect_text "$work/report/report.txt" '     - Supabase: created_at is "2024-05-06T07:08:09.123457Z", expected "2024-05-06T07:08:09.123456Z"'
	expect_text "$work/report/report.txt" 'Extra in CRM (not in BigQuery; listed, never deleted): 1'
	expect_eq "$(fingerprint)" "$before" "what the systems hold"
}

# But for the person who lost the contactId: that one is in the way of the contact with the same e-mail.
every_change_is_undone() {
	reader destroy t00z
	full_sync
	expect_exit 0
	full_sync --skip-sync
	expect_exit 0
}

spelling_is_no_difference() {
	sql "ALTER TABLE public.contacts_master ALTER COLUMN llm_context TYPE json
		USING (' { \"s\" : \"llm\\u005fcontext\", \"k\":' || (llm_context->>'k') || '.0e0 }')::json"
	sql "UPDATE public.contacts_master SET ai_insights = ('{\"s\":\"ai_insights\",\"k\":' || (ai_insights->>'k') || '.0}')::jsonb"
	local_sql "UPDATE contacts_master SET llm_context = ' { \"s\":\"\\u006Clm_context\" , \"k\" : ' || printf('%d', json_extract(llm_context, '\$.k')) || '.00}'"
	expect_eq "$(sql "select llm_context from public.contacts_master where contact_id = 't001'")" \
		' { "s" : "llm\u005fcontext", "k":1.0e0 }' "what Postgres holds"
	local before=$(fingerprint)
	full_sync --skip-sync
	expect_exit 0
	full_sync
	expect_exit 0
	expect_eq "$(fingerprint)" "$before" "what the systems hold"
}

# Twenty reads '' for a text that is NULL, null for {}, and keeps milliseconds; none of it is a difference.
folds_are_no_difference() {
	reader bigquery "UPDATE \`sandbox.identity.contacts_master\` SET notes = NULL, nickname = '', email = UPPER(email),
		communication_stats = JSON '{}' WHERE TRUE"
	full_sync --allow-mass-change
	expect_exit 0
	expect_eq "$(reader person t001 notes)$(reader person t001 nickname)" "" "texts"
	expect_eq "$(reader person t001 emails.primaryEmail)" "p1@example.com" "its e-mail"
	expect_eq "$(reader person t001 contactCreatedAt)" 2024-05-06T07:08:09.123Z "a time"
	expect_eq "$(sql "select coalesce(notes, 'NULL') || '|' || nickname || '|' || email from public.contacts_master
		where contact_id = 't001'")" "NULL||P1@EXAMPLE.COM" "in Postgres"
	local before=$(fingerprint)
	full_sync
	expect_exit 0
	expect_eq "$(fingerprint)" "$before" "what the systems hold"
}

story "the smallest change of every field in every system is found and named, and nothing else" every_change_is_named
story "a sync undoes them all" every_change_is_undone
story "another spelling of the same JSON is no difference" spelling_is_no_difference
story "neither is what Twenty folds" folds_are_no_difference
finish
