#!/bin/bash
# Situations from the field (../shared/cases) that meet Twenty: who is refused there and why is known beforehand, to the letter; all
# others are there exactly, as a second reader finds them. The same 117 contacts came to the same against a real Twenty 2.21.
. "$(dirname "$0")/lib/story.sh"

cases=$shared/cases
if [ ! -d "$cases" ]; then
	skip "the cases" "no $cases"
	finish
fi

# The ids of every case but 10-ids get its number before them.
"$python" - "$cases" >"$work/in.ndjson" <<'END'
import sys
for case in "01-phone-invisible 03-mail-shapes 05-birthdays 06-names 08-json 10-ids 14-twin-names".split():
    for line in open("%s/%s/in.ndjson" % (sys.argv[1], case), encoding="utf-8"):
        if case != "10-ids":
            line = line.replace('"contact_id": "', '"contact_id": "%s-' % case[:2], 1)
        sys.stdout.write(line)
END
fresh_folder cases
start_sandbox sandbox --load "$work/in.ndjson" --twenty-rate off
start_postgres
set_up

# Who is refused where: id, system, the beginning of why.
cat >"$work/refused" <<'END'
01-p004 CRM phones.primaryPhoneNumber: not a phone number '+1\ufe0d-202-555-0125'
01-p007 CRM phones.primaryPhoneNumber: not a phone number '+1\u2009202\u2009555\u20090128'
03-p001 CRM emails.primaryEmail: not an e-mail address 'a.one@example.com; b.one@example.com'
03-p002 CRM emails.primaryEmail: not an e-mail address 'c@example.com ::: d@example.com'
03-p004 CRM emails.primaryEmail: not an e-mail address 'Frank Example <frank@example.com>'
03-p006 CRM emails.primaryEmail: not an e-mail address 'h@example.com\xa0'
03-p011 CRM emails.primaryEmail: not an e-mail address 'l@example.com\r\n'
03-p012 CRM emails.primaryEmail: not an e-mail address '\ufeffm@example.com'
03-p020 CRM emails.primaryEmail: not an e-mail address 'N/A'
03-p021 CRM emails.primaryEmail: not an e-mail address 'none'
03-p022 CRM emails.primaryEmail: not an e-mail address '-'
08-p004 CRM llmContext: number beyond what JavaScript can hold, would be stored as {"id":12345678901234568}
08-p007 CRM llmContext: NUL character removed, would be stored as {"k":1}
08-p007 Supabase llm_context: NUL character removed, would be stored as {"k":1}
08-p013 CRM llmContext: number beyond what JavaScript can hold, would be stored as {"n":1.2345678901234568e+29}
14-p004 CRM emails.primaryEmail: not an e-mail address 'SAM@ONE.example '
END

refused_as_foreseen() {
	full_sync --report "$work/report"
	expect_exit 1
	expect_totals 117 98 98 19 19
	reader jsonl "$work/report/issues.jsonl" "(r['contact_id'] + ' '
		+ ascii(r['reason'].split(' (Twenty: ')[0].replace(': ', ' ', 1))[1:-1]
		if r['phase'] == 'sync' and r['system'] != 'BigQuery' else None)" | LC_ALL=C sort >"$work/found"
	expect_eq "$(diff "$work/refused" "$work/found")" "" "who is refused"
	expect_eq "$(reader jsonl "$work/report/issues.jsonl" "(r['contact_id'] + ' ' + r['reason']
		if r['phase'] == 'sync' and r['system'] == 'BigQuery' else None)" | LC_ALL=C sort)" \
		" BigQuery: contact_id is empty
06-p021 BigQuery: canonical_name is required
06-p023 BigQuery: canonical_name is required
06-p024 BigQuery: canonical_name is required" "who goes to no system"
}

# A second reader: what Twenty and the local table hold of everybody else, against the input.
held_exactly() {
	curl -sf -H "Authorization: Bearer $TWENTY_API_KEY" "$TWENTY_API_URL/rest/people?limit=200" >"$work/people.json" ||
		fail "Twenty does not list its people"
	"$python" - "$work" "$LOCAL_DB" >"$work/differences" <<-'END'
		import json, sqlite3, sys
		work, local = sys.argv[1:]
		people = {p["contactId"]: p for p in json.load(open(work + "/people.json"))["data"]["people"]}
		refused = {line.split(" ")[0] for line in open(work + "/refused")}
		none = {"", "06-p021", "06-p023", "06-p024"}
		rows = {r[0]: r[1:] for r in sqlite3.connect(local).execute(
		    "select contact_id, canonical_name, birthday, email, phone from contacts_master")}
		source = [json.loads(line) for line in open(work + "/in.ndjson", encoding="utf-8")]
		for c in source:
		    key = c["contact_id"]
		    if key in none:
		        if key in people or key in rows: print("there", repr(key))
		        continue
		    name = c.get("canonical_name") or c.get("full_name")
		    if rows.get(key) != (name, c.get("birthday"), c.get("email"), c.get("phone")): print("local", repr(key), rows.get(key))
		    p = people.get(key)
		    if (p is None) != (key in refused): print("person", repr(key))
		    if p is None: continue
		    whole = (p["name"]["firstName"] + " " + p["name"]["lastName"]).strip(" ")
		    if whole != name.strip(" ") and name not in (whole, p["name"]["firstName"] + " " + p["name"]["lastName"]):
		        print("name", repr(key), repr(name), repr(whole))
		    if p["birthday"] != c.get("birthday"): print("birthday", key, p["birthday"])
		    if p["emails"]["primaryEmail"] != (c.get("email") or "").lower(): print("email", key, p["emails"])
		    if (p["llmContext"] or None) != (c.get("llm_context") or None): print("json", key, p["llmContext"])
		    digits = "".join(d for d in c.get("phone") or "" if d in "+0123456789")
		    phones = p["phones"]
		    if (phones["primaryPhoneCallingCode"] or "") + (phones["primaryPhoneNumber"] or "") != digits: print("phone", key, phones)
		print(len(source), len(people), len(rows))
	END
	expect_eq "$(cat "$work/differences")" "117 98 113" "differences to the input, and how many each holds"
}

again_nothing() {
	local before=$(reader stat twenty.writes)
	full_sync
	expect_exit 1
	expect_totals 117 98 98 19 19
	expect_eq "$(reader stat twenty.writes)" "$before" "writes of a second run"
}

story "who is refused, where and why, is as foreseen; everybody else is validated" refused_as_foreseen
story "a second reader finds all others exactly: telephones, e-mails, birthdays, names, JSON, ids" held_exactly
story "the same again writes nothing" again_nothing
finish
