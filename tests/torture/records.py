"""Do a state folder's records agree? Written from lua/README.md, sharing no code with the program: the audit trail's chain, its
copy in the ledger, what opens its commitments, the log of runs, the proofs and the before-images. python3's standard library
only. By hand: records.py STATE."""

import base64
import glob
import hashlib
import hmac
import json
import os
import re
import sqlite3
import sys

LINE = re.compile(r'\{"hash":"([0-9a-f]{64})","record":(\{.*\})\}')
ENTRY = re.compile(r"([0-9a-f]{64})  runs/([\w-]+)/proof\.json")


def frame(value):
    data = value if isinstance(value, bytes) else str(value).encode()
    return b"%d:%s" % (len(data), data)


def chain(path, problems):
    """The records of the trail and their hashes."""
    found, before = [], b"\0" * 32
    with open(path, encoding="utf-8") as f:
        lines = f.read().split("\n")
    if lines.pop() != "":
        problems.append("the trail has a torn last line")
    for n, line in enumerate(lines, 1):
        match = LINE.fullmatch(line)
        if not match:
            problems.append("line %d of the trail is none" % n)
            return found
        digest = hashlib.sha256(before + match[2].encode()).hexdigest()
        record = json.loads(match[2])
        if digest != match[1] or record["n"] != n:
            problems.append("line %d of the trail does not go on from the one before" % n)
            return found
        found.append((digest, match[2], record))
        before = bytes.fromhex(digest)
    return found


def check_values(db, trail, problems):
    items = {}
    for n, i, key, field, r, value in db.execute("select record, i, key, field, r, value from audit_value"):
        if n not in items:
            items[n] = base64.b64decode(trail[n - 1][2].get("items", ""))
        value = value if isinstance(value, bytes) else value.encode()
        made = hmac.new(r, frame(n) + frame(i) + frame(field) + frame(key) + frame(value), "sha256").digest()
        if items[n][32 * (i - 1):32 * i] != made:
            problems.append("item %d of record %d does not open" % (i, n))


def check_log(state, runs, trail, problems):
    """Every run that the ledger knows is in the log, which has each proof's digest; the last proof tells of the trail."""
    with open(state + "/log", encoding="utf-8") as f:
        entries = [ENTRY.fullmatch(line).groups() for line in f.read().splitlines()]
    for digest, run in entries:
        with open("%s/runs/%s/proof.json" % (state, run), "rb") as f:
            text = f.read()
        if hashlib.sha256(text).hexdigest() != digest:
            problems.append("the proof of %s is not that of the log" % run)
        told = json.loads(text).get("audit")
        if told and (told["length"] > len(trail) or trail[told["length"] - 1][0] != told["head"]):
            problems.append("the proof of %s tells of another trail" % run)
    for run in runs:
        if run not in [entry[1] for entry in entries]:
            problems.append("the run %s is not in the log" % run)
    return len(entries)


def check_images(db, state, problems):
    """Each request that was answered has its before-images."""
    kept = 0
    for path in glob.glob(state + "/runs/*/undo.db"):
        folder = os.path.dirname(path)
        images = sqlite3.connect(path)
        there = set(images.execute("select system, attempt, key from change"))
        kept += len(there)
        images.close()
        for system, attempt, key in db.execute(
                "select a.system, a.id, k.value from attempt a join run on run.id = a.run, json_each(a.keys) k "
                "where a.mode <> 'read' and a.status <> 'sent' and run.folder like '%/' || ?", (os.path.basename(folder),)):
            if (system, attempt, key) not in there:
                problems.append("no before-image of %s in request %d to %s" % (key, attempt, system))
    return kept


def check(state, problems):
    """Adds what does not agree to problems; returns how much was looked at."""
    trail = chain(state + "/audit.jsonl", problems)
    db = sqlite3.connect(state + "/ledger.db")
    table = db.execute("select hash, record from audit order by n").fetchall()
    if table != [(digest, text) for digest, text, _ in trail]:
        problems.append("the ledger's %d records are not the trail's %d" % (len(table), len(trail)))
    else:
        check_values(db, trail, problems)
    for attempt, in db.execute("select id from attempt where mode <> 'read'"):
        if not any(r["kind"] == "write" and r["attempt"] == attempt for _, _, r in trail):
            problems.append("no record of request %d" % attempt)
    runs = [os.path.basename(folder) for folder, in db.execute("select folder from run")]
    looked = {"records of trails": len(trail), "runs in logs": check_log(state, runs, trail, problems),
              "before-images": check_images(db, state, problems)}
    db.close()
    return looked


def main():
    problems = []
    looked = check(sys.argv[1], problems)
    print("\n".join(problems) or ", ".join("%d %s" % (n, name) for name, n in looked.items()))
    return len(problems) > 0


if __name__ == "__main__":
    sys.exit(main())
