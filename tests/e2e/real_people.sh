#!/bin/bash
# 537 real people through all systems: set-up asked for first, synced, proved, unchanged by a second run; then damaged in
# every system, each damage named, repaired by a normal run.
. "$(dirname "$0")/lib/story.sh"

data=$shared/data/contacts.ndjson
if [ ! -f "$data" ]; then
	skip real_people "there is no $data"
	finish
fi

fresh_folder people
start_sandbox sandbox --load "$data" --twenty-rate off
start_postgres

refused_before_set_up() {
	full_sync
	expect_exit 2
	expect_empty "$out"
	expect_line "$err" "syncrun: CRM: field person.contactId is missing and 27 more; $missing"
	expect_line "$err" "syncrun: Supabase: table public.contacts_master is missing; $missing"
	expect_eq "$(wc -l <"$err")" 2 "lines on stderr"
	expect_eq "$(reader stat twenty.writes) $(reader stat twenty.people) $(reader stat bigquery.writes)" "0 0 0" "written"
	expect_eq "$(sql "select count(*) from pg_class where relnamespace = 'public'::regnamespace")" 0 "made in Postgres"
	expect_eq "$(cd "$SYNCRUN_STATE/runs" && ls -- */ | tr '\n' ' ')" "proof.json proof.tlog-proof " "the refused run's folder"
}

shown_by_setup() {
	run "$scripts/setup.lua"
	expect_exit 1
	expect_line "$out" "CRM: field person.contactId is missing"
	expect_line "$out" "Supabase: table public.contacts_master is missing"
	expect_line "$out" "run again with --apply to make what is missing"
	expect_eq "$(reader stat twenty.writes)" 0 "writes to Twenty"
	expect_eq "$(sql "select count(*) from pg_class where relnamespace = 'public'::regnamespace")" 0 "made in Postgres"
}

made_by_setup() {
	set_up
	expect_line "$out" "CRM: field person.contactId made (TEXT, unique)"
	expect_line "$out" "Supabase: table public.contacts_master made with 32 columns"
	expect_eq "$(sql "select relrowsecurity from pg_class where relname = 'contacts_master'")" t "row level security"
	expect_eq "$(sql "select format_type(atttypid, atttypmod) || ' ' || collname from pg_attribute
		join pg_collation c on c.oid = attcollation
		where attrelid = 'public.contacts_master'::regclass and attname = 'contact_id'")" "text C" "the key's column"
	expect_eq "$(reader twenty GET /rest/metadata/objects | "$python" -c '
import json, sys
person = next(o for o in json.load(sys.stdin)["data"]["objects"] if o["nameSingular"] == "person")
key = next(f for f in person["fields"] if f["name"] == "contactId")
print(key["type"], key["isUnique"])')" "TEXT True" "Twenty's contactId"
}

setup_again_changes_nothing() {
	local before=$(reader stat twenty.requests)
	set_up
	expect_same "$out" "BigQuery: 'sandbox.identity.contacts_master', 537 rows
CRM: all there
Supabase: all there
Local: all there"
	[ $(($(reader stat twenty.requests) - before)) -lt 5 ] || fail "it asks Twenty more than it needs"
	run "$scripts/setup.lua"
	expect_exit 0
}

all_people() {
	full_sync --json "$home/summary.json"
	expect_exit 0
	expect_same "$out" "$rule
COMPLETE SYNC AND VALIDATION
$rule

Step 1: Syncing all contacts...

$(for n in $(seq 10 10 530); do echo "Progress: $n/537 (synced: $n, errors: 0)"; done)

Step 2: Generating validation report...

$rule
VALIDATION REPORT
$rule

Total Contacts: 537
✅ Successfully Synced: 537
✅ Validated in All Systems: 537
❌ Errors: 0
⚠️  Missing/Mismatched: 0

$(success_block 537)"
	expect_text "$err" ' info  CRM: 4 requests at 100 a minute: about 3 s'
	expect_eq "$(grep -vc -e ' info  not in the mapping, so not synced: apple_unique_id, website$' -e ' info  CRM: 4 requests' \
		-e ' info  the report is in ' "$err")" \
		0 "lines on stderr"
}

all_there() {
	expect_eq "$(sql "select count(*), sum(length(canonical_name)) from public.contacts_master")" \
		"$(local_sql "select count(*), sum(length(canonical_name)) from contacts_master")" "count and sum of lengths"
	expect_eq "$(sql "select count(*) from public.contacts_master")" 537 "rows in Postgres"
	expect_eq "$(reader total_count)" 537 "Twenty's totalCount"
	reader same_as "$data" "$LOCAL_DB" >"$work/differences" 2>&1 || fail "$(tr '\n' '~' <"$work/differences")"
}

report_files() {
	local folder=$(ls -d "$SYNCRUN_STATE"/runs/* | tail -n 1)
	expect_eq "$(ls "$folder" | tr '\n' ' ')" "contacts.jsonl issues.csv issues.jsonl leaves proof.json proof.tlog-proof \
report.json report.txt requests.jsonl undo.db " "the run's folder"
	expect_eq "$(wc -l <"$folder/contacts.jsonl")" 537 "lines of contacts.jsonl"
	expect_eq "$(reader jsonl "$folder/contacts.jsonl" 'set(r["systems"].values()) != {"verified"} or len(r["systems"]) != 4')" "" \
		"contacts that are not verified everywhere"
	expect_empty "$folder/issues.jsonl"
	cmp -s "$folder/report.json" "$home/summary.json" || fail "--json differs from report.json"
	expect_eq "$(reader json "$home/summary.json" total) $(reader json "$home/summary.json" exit_code)" "537 0" "the summary"
	expect_eq "$(find "$SYNCRUN_STATE" "$LOCAL_DB" -type f -perm /077)" "" "files that others may read"
	expect_line "$folder/report.txt" "✅ NO EXCEPTIONS - ALL DATA IN SYNC"
}

again_writes_nothing() {
	local before=$(fingerprint)
	full_sync
	expect_exit 0
	expect_eq "$(tail -n 9 "$out")" "$(success_block 537)" "the last lines"
	expect_eq "$(fingerprint)" "$before" "what the systems hold"
}

# ---- damage

ids=($("$python" -c '
import json, sys
for line in open(sys.argv[1], encoding="utf-8"):
    r = json.loads(line)
    if all(r.get(k) for k in ("job_title", "organization", "last_name", "notes")): print(r["contact_id"])' "$data" | LC_ALL=C sort))
destroyed=${ids[5]} soft=${ids[20]} titled=${ids[40]} renamed=${ids[60]} no_row=${ids[80]} no_local=${ids[100]} nulled=${ids[120]}
doubly=${ids[140]} # damaged in two systems: one contact, two lines

of() {
	"$python" -c '
import json, sys
for line in open(sys.argv[1], encoding="utf-8"):
    r = json.loads(line)
    if r["contact_id"] == sys.argv[2]: print(r[sys.argv[3]])' "$data" "$1" "$2"
}

head_line() {
	echo "  ⚠️  $(of "$1" canonical_name) (ID: $1)"
}

damage() {
	reader destroy "$destroyed" && reader soft_delete "$soft" && reader patch "$titled" '{"jobTitle":"Enginer \"x\""}' &&
		reader patch "$doubly" '{"organization":"Elsewhere"}'
	sql "update public.contacts_master set canonical_name = 'Some Body' where contact_id = '$renamed'"
	sql "delete from public.contacts_master where contact_id = '$no_row'"
	local_sql "delete from contacts_master where contact_id = '$no_local'"
	local_sql "update contacts_master set notes = null where contact_id in ('$nulled', '$doubly')"
}

quoted() {
	"$python" -c '
import json, sys
text = sys.argv[1]
print(json.dumps(text if len(text.encode()) <= 200 else sys.exit("too long for this story"), ensure_ascii=False))' "$1"
}

damage_is_named() {
	damage
	local before=$(fingerprint)
	full_sync --skip-sync
	expect_exit 1
	expect_line "$out" "Step 1: Skipped (--skip-sync)"
	expect_no_text "$out" "Progress:"
	expect_no_text "$out" "SYNC ERRORS"
	expect_totals 537 "not run" 529 0 8
	expect_block "$out" "VALIDATION ISSUES" "$(head_line "$destroyed")
     - Missing in CRM
$(head_line "$soft")
     - Missing in CRM (soft-deleted there)
$(head_line "$titled")
     - CRM: jobTitle is \"Enginer \\\"x\\\"\", expected $(quoted "$(of "$titled" job_title)")
$(head_line "$renamed")
     - Supabase: canonical_name is \"Some Body\", expected $(quoted "$(of "$renamed" canonical_name)")
$(head_line "$no_row")
     - Missing in Supabase
$(head_line "$no_local")
     - Missing in Local
$(head_line "$nulled")
     - Local: notes is null, expected $(quoted "$(of "$nulled" notes)")
$(head_line "$doubly")
     - CRM: organization is \"Elsewhere\", expected $(quoted "$(of "$doubly" organization)")
     - Local: notes is null, expected $(quoted "$(of "$doubly" notes)")"
	expect_eq "$(tail -n 6 "$out")" "$rule
❌ ISSUES FOUND
$rule

Errors: 0
Validation Issues: 8" "the last lines"
	expect_eq "$(fingerprint)" "$before" "what the systems hold"
	local issues=$(ls -d "$SYNCRUN_STATE"/runs/* | tail -n 1)/issues.jsonl
	expect_eq "$(wc -l <"$issues")" 9 "lines of issues.jsonl"
	expect_eq "$(reader jsonl "$issues" "r['contact_id'] == '$renamed' and [r['system'], r['field'], r['actual'], r['kind']]")" \
		'["Supabase", "canonical_name", "Some Body", "mismatched"]' "the finding of $renamed"
}

one_damage_by_key() {
	full_sync --skip-sync --only "$titled,$no_row"
	expect_exit 1
	expect_totals 2 "not run" 0 0 2
	full_sync --skip-sync --only "${ids[1]}"
	expect_exit 0
	expect_totals 1 "not run" 1 0 0
}

damage_is_repaired() {
	local before=$(reader stat twenty.writes)
	full_sync
	expect_exit 0
	expect_totals 537 537 537 0 0
	expect_line "$out" "Revived in CRM (were soft-deleted there): 1"
	expect_line "$out" "     - $(of "$soft" canonical_name) (ID: $soft)"
	expect_eq "$(tail -n 9 "$out")" "$(success_block 537)" "the last lines"
	[ $(($(reader stat twenty.writes) - before)) -le 3 ] || fail "more writes to Twenty than the damage needs"
	all_there
	full_sync --skip-sync
	expect_exit 0
	expect_totals 537 "not run" 537 0 0
	expect_no_text "$out" "Revived"
}

extras_are_listed() {
	local gone=${ids[33]} name
	name=$(of "$gone" canonical_name)
	reader bigquery "DELETE FROM \`sandbox.identity.contacts_master\` WHERE contact_id = '$gone'"
	local before=$(fingerprint)
	full_sync
	expect_exit 0
	expect_totals 536 536 536 0 0
	local system
	for system in CRM Local Supabase; do
		expect_line "$out" "Extra in $system (not in BigQuery; listed, never deleted): 1"
	done
	expect_no_text "$out" "(ID: $gone)"
	local folder=$SYNCRUN_STATE/runs/$(ls "$SYNCRUN_STATE/runs" | tail -n 1)
	expect_eq "$(grep -c "(ID: $gone)" "$folder/report.txt")" 3 "lines of the extra in report.txt"
	expect_eq "$(reader jsonl "$folder/issues.jsonl" "r['kind'] == 'extra' and r['contact_id'] == '$gone' and r['system']" | sort | tr '\n' ' ')" \
		"CRM Local Supabase " "extras in issues.jsonl"
	expect_eq "$(fingerprint)" "$before" "what the systems hold"
	full_sync --strict-extras
	expect_exit 1
	expect_eq "$(grep -c "(ID: $gone)" "$out")" 3 "lines of the extra where extras are an issue"
	expect_eq "$(sql "select count(*) from public.contacts_master")" 537 "rows in Postgres"
	expect_eq "$(reader total_count)" 537 "people in Twenty"
}

deleted_during_nothing_else() {
	# A person made by hand in Twenty, without a contactId, is an extra there, never touched.
	reader twenty POST /rest/people '{"name":{"firstName":"Hand","lastName":"Made"}}' >/dev/null
	full_sync
	expect_exit 0
	expect_line "$out" "Extra in CRM (not in BigQuery; listed, never deleted): 2"
	expect_no_text "$out" "Hand Made"
	full_sync --strict-extras
	expect_eq "$(grep -A2 "^Extra in CRM" "$out" | tail -n 2)" "     - (ID: ${ids[33]}), created by us
     - Hand Made (ID: none), not created by us" "who was a contact comes first"
}

story "full_sync refuses before setup and writes nothing" refused_before_set_up
story "setup shows what is missing and makes nothing" shown_by_setup
story "setup --apply makes it" made_by_setup
story "setup again changes nothing" setup_again_changes_nothing
story "537 people are synced, with the success block to the letter" all_people
story "every field of every person reads back equal, by other ways" all_there
story "the report files hold every contact" report_files
story "a second run writes nothing anywhere" again_writes_nothing
story "each damage is named under its contact, system and field, and nothing else" damage_is_named
story "--only looks at the named ones" one_damage_by_key
story "a normal run repairs all and revives the soft-deleted person" damage_is_repaired
story "a row deleted in BigQuery is an extra in each target, never deleted" extras_are_listed
story "a person made by hand is an extra in the CRM" deleted_during_nothing_else
finish
