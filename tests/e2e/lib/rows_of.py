"""The rows of the usual systems as texts of cells, by paths that are not the program's: BigQuery's and Twenty's REST, psql,
Python's sqlite3. `columns` are those of a proof, (field, type, column). For the mapping that ships. The standard library only."""

import json
import os
import re
import sqlite3
import subprocess
import urllib.parse

import canon
import reader

# ---- the source, and what each system should hold of it


def bigquery(fields):
    base = "%s/bigquery/v2/projects/%s/queries" % (os.environ["BIGQUERY_EMULATOR_HOST"].rstrip("/"),
                                                  os.environ["GOOGLE_CLOUD_PROJECT"])
    table = os.environ.get("BIGQUERY_TABLE", "sandbox.identity.contacts_master")
    query = {"query": "SELECT %s FROM `%s`" % (", ".join(fields), table), "useLegacySql": False,
             "maxResults": 10000, "formatOptions": {"useInt64Timestamp": True}}
    status, text = reader.call("POST", base, query)
    while True:
        page = json.loads(text)
        if status >= 400:
            raise RuntimeError(text)
        for row in page.get("rows", []):
            yield {name: cell["v"] for name, cell in zip(fields, row["f"])}
        if not page.get("pageToken"):
            return
        status, text = reader.call("GET", "%s/%s?formatOptions.useInt64Timestamp=true&maxResults=10000&pageToken=%s" % (
            base, page["jobReference"]["jobId"], urllib.parse.quote(page["pageToken"], safe="")))


def name_of(row):
    return row["canonical_name"] or row["full_name"] or " ".join(filter(None, (row["first_name"], row["last_name"]))) or None


def in_twenty(name, kind, value):
    """What Twenty makes of a value, as lua/README.md says."""
    if kind == "text" and name != "category_code":
        return (value or "").lower() if name == "email" else value or ""
    if kind == "json" and value is not None:
        return None if canon.canonical("json", value) in ("{}", "[]", "null") else value
    if kind == "timestamp" and value is not None:
        return str(int(value) // 1000 * 1000)
    return value


def in_sql(name, kind, value):
    return value


def expected(system, columns):
    fold = in_twenty if system == "twenty" else in_sql
    fields = [field for field, _, _ in columns]
    more = [name for name in ("full_name", "first_name", "last_name") if name not in fields]
    for row in bigquery(fields + more):
        row["canonical_name"] = name_of(row)
        yield [fold(field, kind, row[field]) for field, kind, _ in columns]


# ---- what they hold

def members(value):
    """A value of json.loads with its numbers as they were spelled, as canon.py takes it."""
    if isinstance(value, dict):
        return [(canon.Members, [(k, members(v)) for k, v in value.items()])]
    return [members(v) for v in value] if isinstance(value, list) else value


def person_cell(person, kind, column):
    value = person
    for part in column.split("."):
        value = value[part]
    if column == "name":
        return " ".join(part for part in (value["firstName"], value["lastName"]) if part)
    if column == "phones.primaryPhoneNumber":
        return person["phones"]["primaryPhoneCallingCode"] + value
    if value is None:
        return None
    if kind == "json":
        return canon.value_form(members(value))
    if kind == "timestamp":
        return str(reader.micros(value))
    return {True: "true", False: "false"}[value] if kind == "bool" else value


def twenty(columns):
    reader.NUMBERS = {"parse_float": canon.Number, "parse_int": canon.Number}
    for person in reader.people():
        if person["contactId"]:
            yield [person_cell(person, kind, column) for _, kind, column in columns]


POSTGRES = {"json": "%s::text", "bool": "%s::text", "date": "to_char(%s, 'YYYY-MM-DD')",
            "timestamp": "(extract(epoch from %s) * 1000000)::bigint"}
ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def copied(cell):
    """A cell of COPY's text format."""
    return None if cell == "\\N" else re.sub(r"\\(.)", lambda m: ESCAPES.get(m[1], m[1]), cell, flags=re.S)


def postgres(columns):
    cells = ", ".join(POSTGRES.get(kind, "%s") % ('"%s"' % column) for _, kind, column in columns)
    text = subprocess.run(["psql", "-qX", os.environ["SUPABASE_DB_URL"], "-c",
                           "copy (select %s from public.contacts_master) to stdout" % cells],
                          check=True, capture_output=True).stdout.decode()
    for line in text.split("\n")[:-1]:
        yield [copied(cell) for cell in line.split("\t")]


def sqlite(columns):
    db = sqlite3.connect("file:%s?mode=ro" % os.environ["LOCAL_DB"], uri=True)
    names = ", ".join('"%s"' % column for _, _, column in columns)
    for row in db.execute("select %s from contacts_master" % names):
        yield [None if cell is None else ["false", "true"][cell] if kind == "bool" else str(cell)
               for (_, kind, _), cell in zip(columns, row)]


def observed(system, columns):
    return {"twenty": twenty, "postgres": postgres, "sqlite": sqlite}[system](columns)
