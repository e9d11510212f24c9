"""Reads and tampers with what the systems hold, by other ways than syncrun's: REST where it uses GraphQL, Python's own
sqlite3, psql's JSON. Called by the stories; python3's standard library only."""

import datetime
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from decimal import Decimal

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
NUMBERS = {"parse_float": Decimal} # how numbers of Twenty are read


def call(method, url, body=None, headers=None):
    data = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    if data is not None:
        request.add_header("Content-Type", "application/json")
    try:
        with OPENER.open(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def twenty(method, path, body=None):
    headers = {"Authorization": "Bearer " + os.environ["TWENTY_API_KEY"]}
    status, text = call(method, os.environ["TWENTY_API_URL"] + path, body, headers)
    if status >= 400:
        sys.exit("%s %s: %d %s" % (method, path, status, text))
    return json.loads(text, **NUMBERS)


def dig(value, path):
    for name in path.split("."):
        value = value[int(name) if isinstance(value, list) else name]
    return value


def shown(value):
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def people(deleted=False):
    """All people by REST, in pages; the deleted ones when asked for."""
    found, cursor = [], None
    while True:
        query = {"limit": 200}
        if cursor:
            query["starting_after"] = cursor
        if deleted:
            query["filter"] = "deletedAt[is]:NOT_NULL"
        page = twenty("GET", "/rest/people?" + urllib.parse.urlencode(query))
        found += page["data"]["people"]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        cursor = page["pageInfo"]["endCursor"]


def person(contact_id, deleted=False):
    found = [p for p in people(deleted) if p["contactId"] == contact_id]
    if len(found) != 1:
        sys.exit("%d people have the contactId %s" % (len(found), contact_id))
    return found[0]


def bigquery(sql):
    base = os.environ["BIGQUERY_EMULATOR_HOST"].rstrip("/")
    url = "%s/bigquery/v2/projects/%s/queries" % (base, os.environ["GOOGLE_CLOUD_PROJECT"])
    status, text = call("POST", url, {"query": sql, "useLegacySql": False})
    if status >= 400:
        sys.exit("%d %s" % (status, text))
    return json.loads(text)


def micros(text):
    """An RFC 3339 time as microseconds since 1970."""
    at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return (at - epoch) // datetime.timedelta(microseconds=1)


# ---- what each system must hold of a record of the canonical table

TEXTS = ("name_normalized first_name last_name middle_name nickname name_suffix title full_name organization job_title "
         "department category_code subcategory_code relationship_category notes birthday email phone").split()
FLAGS = ["is_business", "is_me"]
DOCUMENTS = "llm_context communication_stats social_network ai_insights recommendations sync_metadata".split()
TIMES = "created_at updated_at first_seen last_seen".split()
IN_TWENTY = {"first_name": "firstNamePart", "last_name": "lastNamePart", "title": "nameTitle",
             "full_name": "fullNamePart", "created_at": "contactCreatedAt", "updated_at": "contactUpdatedAt"}


def camel(name):
    head, *rest = name.split("_")
    return IN_TWENTY.get(name, head + "".join(word.capitalize() for word in rest))


def expected_in_sql(record, times=micros):
    want = {"contact_id": record["contact_id"], "canonical_name": record["canonical_name"]}
    for name in TEXTS + FLAGS + DOCUMENTS:
        want[name] = record.get(name)
    for name in TIMES:
        want[name] = None if record.get(name) is None else times(record[name])
    return want


def from_postgres(row):
    for name in TIMES:
        row[name] = None if row[name] is None else micros(row[name])
    return row


def from_sqlite(row):
    for name in FLAGS:
        row[name] = None if row[name] is None else {0: False, 1: True}[row[name]]
    for name in DOCUMENTS:
        row[name] = None if row[name] is None else json.loads(row[name], parse_float=Decimal)
    return row


def expected_in_twenty(record):
    want = {"contactId": record["contact_id"], "name": record["canonical_name"]}
    for name in TEXTS:
        value = record.get(name)
        want[camel(name)] = value if name in ("category_code", "birthday") else value or ""
    want["email"] = (record.get("email") or "").lower()
    for name in FLAGS:
        want[camel(name)] = record.get(name)
    for name in DOCUMENTS:
        want[camel(name)] = record.get(name) or None
    for name in TIMES:
        want[camel(name)] = None if record.get(name) is None else micros(record[name]) // 1000
    return want


def from_twenty(person):
    row = {key: person[key] for key in expected_in_twenty({"contact_id": "", "canonical_name": ""})
           if key not in ("name", "email", "phone")}
    name, phone = person["name"], person["phones"]
    row["name"] = " ".join(part for part in (name["firstName"], name["lastName"]) if part)
    row["email"] = person["emails"]["primaryEmail"]
    row["phone"] = phone["primaryPhoneCallingCode"] + phone["primaryPhoneNumber"]
    for name in TIMES:
        value = row[camel(name)]
        row[camel(name)] = None if value is None else micros(value) // 1000
    return row


def postgres_rows():
    text = subprocess.run(
        ["psql", "-qXAt", os.environ["SUPABASE_DB_URL"], "-c",
         "set timezone = 'UTC'; select row_to_json(t) from public.contacts_master t"],
        check=True, capture_output=True, text=True).stdout
    return [from_postgres(json.loads(line, parse_float=Decimal)) for line in text.splitlines()]


def sqlite_rows(path):
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    db.row_factory = sqlite3.Row
    return [from_sqlite(dict(row)) for row in db.execute("select * from contacts_master")]


def compare(label, key, wanted, found):
    wanted, problems = {row[key]: row for row in wanted}, []
    seen = {row[key]: row for row in found}
    if len(found) != len(seen):
        problems.append("%s: %d rows, %d keys" % (label, len(found), len(seen)))
    for k in sorted(wanted.keys() ^ seen.keys()):
        problems.append("%s: %s is %s" % (label, k, "missing" if k in wanted else "extra"))
    for k in wanted.keys() & seen.keys():
        for name, value in wanted[k].items():
            if seen[k].get(name) != value:
                problems.append("%s: %s %s is %r, want %r" % (label, k, name, seen[k].get(name), value))
    return problems


# ---- commands

def cmd_stat(path):
    print(shown(dig(json.loads(call("GET", os.environ["TWENTY_API_URL"] + "/_sandbox/stats")[1]), path)))


def cmd_twenty(method, path, body=None):
    print(json.dumps(twenty(method, path, body), ensure_ascii=False, default=str))


def cmd_person(contact_id, path="id"):
    print(shown(dig(person(contact_id), path)))


def cmd_people():
    for p in people():
        print(p["contactId"])


def cmd_total_count():
    answer = twenty("POST", "/graphql", {"query": "{people(first:1){totalCount}}"})
    print(answer["data"]["people"]["totalCount"])


def cmd_destroy(contact_id):
    twenty("DELETE", "/rest/people/" + person(contact_id)["id"])


def cmd_soft_delete(contact_id):
    twenty("DELETE", "/rest/people/%s?soft_delete=true" % person(contact_id)["id"])


def cmd_patch(contact_id, body):
    twenty("PATCH", "/rest/people/" + person(contact_id)["id"], body)


def cmd_bigquery(sql):
    for row in bigquery(sql).get("rows", []):
        print("\t".join("null" if cell["v"] is None else cell["v"] for cell in row["f"]))


def cmd_sqlite(path, sql):
    db = sqlite3.connect(path, isolation_level=None)
    for row in db.execute(sql):
        print(" | ".join("" if value is None else str(value) for value in row))


def cmd_state(path):
    """What was written to the sandbox; what the file holds and its change counter, which every commit moves."""
    stats = json.loads(call("GET", os.environ["TWENTY_API_URL"] + "/_sandbox/stats")[1])
    print("twenty", stats["twenty"]["writes"], stats["twenty"]["people"], "bigquery", stats["bigquery"]["writes"])
    if not os.path.exists(path):
        print("no file")
        return
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    text = "\n".join(db.iterdump()) if db.execute("select count(*) from sqlite_master").fetchone()[0] else ""
    size = os.path.getsize(path + "-wal") if os.path.exists(path + "-wal") else 0
    with open(path, "rb") as f:
        print("sqlite", hashlib.sha256(text.encode()).hexdigest()[:16], f.read(28)[24:].hex(), size)


def cmd_json(path, where):
    with open(path, encoding="utf-8") as f:
        print(shown(dig(json.load(f), where)))


def cmd_jsonl(path, code):
    """The lines for which the Python expression of `r` is true, as JSON with sorted keys."""
    with open(path, encoding="utf-8") as f:
        for r in map(json.loads, f):
            value = eval(code, {"r": r})  # pylint: disable=eval-used
            if value is True:
                print(json.dumps(r, ensure_ascii=False, sort_keys=True))
            elif value not in (False, None):
                print(shown(value))


def cmd_same_as(ndjson, sqlite_path):
    """Every system holds exactly the file's records, each field as its projection says; says what differs."""
    with open(ndjson, encoding="utf-8") as f:
        records = [json.loads(line, parse_float=Decimal) for line in f]
    in_sql = [expected_in_sql(r) for r in records]
    problems = compare("Postgres", "contact_id", in_sql, postgres_rows())
    problems += compare("SQLite", "contact_id", in_sql, sqlite_rows(sqlite_path))
    in_twenty = [expected_in_twenty(r) for r in records]
    problems += compare("Twenty", "contactId", in_twenty, [from_twenty(p) for p in people()])
    for problem in problems[:10]:
        print(problem)
    if problems:
        sys.exit("%d differences" % len(problems))


if __name__ == "__main__":
    globals()["cmd_" + sys.argv[1]](*sys.argv[2:])
