"""Compares a run's report with what the generator of odd contacts foretold: python3 odd.py ODD.jsonl REPORT-FOLDER STDOUT."""

import collections
import json
import re
import sys

LABEL = {"postgres": "Supabase", "sqlite": "Local", "twenty": "CRM"}


def read(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def main(odd_path, report, stdout):
    problems, contacts = [], read(report + "/contacts.jsonl")
    by_id = collections.defaultdict(list)
    for c in contacts:
        by_id[c["contact_id"]].append(c)
    for o in read(odd_path):
        found = by_id[o["id"]]
        if not found:
            problems.append("%r is not in the report" % o["what"])
            continue
        if o["id"] is None or len(found) > 1:  # no identity: in no system
            for c in found:
                if not c["errors"] or set(c["systems"].values()) == {"verified"}:
                    problems.append("%r is not an error: %r" % (o["what"], c))
            continue
        c = found[0]
        for system, verdict in o["verdict"].items():
            state, bad = c["systems"][LABEL[system]], verdict in ("lost", "rejected")
            if bad == (state == "verified"):
                problems.append("%r in %s: foretold %s, is %s: %s" % (o["what"], system, verdict, state, c["errors"] + c["issues"]))
            said = any(e.startswith(LABEL[system] + ":") for e in c["errors"])
            if bad != said:
                problems.append("%r in %s: foretold %s, errors: %r" % (o["what"], system, verdict, c["errors"]))
        if o["fails"] and not c["issues"]:
            problems.append("%r fails no check" % o["what"])
    with open(stdout, encoding="utf-8") as f:
        text = f.read()
    total, synced, validated, errors, issues = (int(re.search(p + r": (\d+)", text).group(1)) for p in (
        "Total Contacts", "Successfully Synced", "Validated in All Systems", "Errors", "Missing/Mismatched"))
    if total != len(contacts) or synced + errors != total or validated + issues != total:
        problems.append("the totals do not add up: %d, %d + %d, %d + %d" % (total, synced, errors, validated, issues))
    if errors != sum(bool(c["errors"]) for c in contacts) or issues != sum(bool(c["issues"]) for c in contacts):
        problems.append("the totals are not those of contacts.jsonl")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


sys.exit(main(*sys.argv[1:]))
