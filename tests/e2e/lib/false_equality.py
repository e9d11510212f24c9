"""A table of pairs that a careless comparison takes for equal, or for different: each case is one contact, or two, as they are
synced, and what becomes of them afterwards, in every target or in the source. It says in which systems that is still equal.

  load                     the contacts before, as newline-delimited JSON
  postgres | sqlite        SQL that makes them what they become; `twenty` and `source` do it by the API
  cases                    how many there are
  expect                   "contact system differs" of each that must be noticed
  found FOLDER STATE       the same, of a report; and every leaf of the run's proof must agree with its verdict
  named SYSTEM             the same, of the lines of verify_proof.lua --system on standard input"""

import json
import os
import re
import sys

import reader
import verifier

PS = "Local Supabase"
ALL = "CRM Local Supabase"
NONE = ""


class Raw(str):
    """JSON as it is spelled."""


def text(before, after, equal=NONE, field="notes"):
    return [({field: before}, {field: after})], equal


def doc(before, after, equal=NONE):
    return [({"llm_context": before and Raw(before)}, {"llm_context": after and Raw(after)})], equal


def one(before, after, equal=NONE):
    return [(before, after)], equal


def two(first, second, equal=NONE):
    return [first, second], equal


def cases():
    # NULL, the empty text, and texts that look like NULL somewhere
    yield text(None, "", "CRM")
    yield text("", None, "CRM")
    for like_null in "null", "NULL", "-", "0", "false", "{}", "\\N", "None", " ", "0:":
        yield text(None, like_null)
    yield text("a", "")
    yield text("a", None)
    # blanks and what cannot be seen
    for a, b in (("a", "a "), (" a", "a"), ("a", "a\t"), ("a\n", "a"), ("a\r\nb", "a\nb"), ("a  b", "a b"),
                 ("a\u00a0b", "a b"), ("a\u200bb", "ab"), ("\ufeffa", "a"), ("a\u00adb", "ab"), ("a\u2028b", "a\nb"),
                 ("a\u202eb", "ab"), ("a\u2003b", "a b")):
        yield text(a, b)
    # forms of Unicode
    for a, b in (("\u00e9", "e\u0301"), ("\u00c5", "\u212b"), ("\uac00", "\u1100\u1161"), ("\ufb01", "fi"), ("\uff21", "A"),
                 ("\u2460", "1"), ("\u00df", "ss"), ("\u017f", "s"), ("\u0130", "i\u0307"), ("\u0131", "i"), ("\u0430", "a"),
                 ("\u2126", "\u03a9"), ("\u2010", "-"), ("\u2019", "'"), ("\u2026", "..."), ("\u0663", "3"),
                 ("e\u0301\u0323", "e\u0323\u0301"), ("\u263a\ufe0f", "\u263a"), ("\U0001f469\u200d\U0001f4bb", "\U0001f469\U0001f4bb"),
                 ("\U0001f600", "\U0001f601"), ("A", "a"), ("\u00c9", "\u00e9"), ("\u03c3", "\u03c2")):
        yield text(a, b)
    # numbers, where they are text
    for b in "1.0", "01", "+1", "1e0", " 1", "\uff11":
        yield text("1", b)
    # quoting, lengths, one bit
    for a, b in (("'", "''"), ("\\", "\\\\"), ("%", "%%"), ('"a"', "a"), ("a\\nb", "a\nb"), ("\\u0061", "a"), ("a", "c"),
                 ("x" * 5000, "x" * 4999 + "y"), ("x" * 5000, "x" * 5001), ("a,b", "a;b")):
        yield text(a, b)
    # a boundary between two columns shifted, values exchanged, the frame's own signs in values
    for a, b in ((("ab", "c"), ("a", "bc")), (("a", ""), ("", "a")), ((None, "x"), ("x", None)), (("-", None), (None, "-")),
                 (("x", "y"), ("y", "x")), (("1:a", "b"), ("1", ":ab")), (("a1:b", "c"), ("a", "b1:c")),
                 (("a", "1:b1:c"), ("a1:b", "1:c")), (("abc", None), ("ab", "c")), (("", "0:"), ("0:", ""))):
        yield one(dict(zip(("middle_name", "nickname"), a)), dict(zip(("middle_name", "nickname"), b)),
                  "CRM" if {v or "" for v in a} == {v or "" for v in b} and [v or "" for v in a] == [v or "" for v in b] else NONE)
    yield one({"title": "a", "department": "b", "organization": "c"}, {"title": "b", "department": "c", "organization": "a"})
    yield one({"notes": "ab", "job_title": "ba"}, {"notes": "ba", "job_title": "ab"})  # cancel under XOR
    yield one({"first_name": "a", "last_name": "b"}, {"first_name": "b", "last_name": "a"})
    # flags, dates, times
    for a, b in ((True, False), (False, None), (None, False), (True, None)):
        yield one({"is_business": a}, {"is_business": b})
    yield one({"is_business": True, "is_me": False}, {"is_business": False, "is_me": True})
    for a, b in (("1980-02-29", "1980-02-28"), ("1980-02-29", None), (None, "1970-01-01"), ("1999-12-31", "2000-01-01"),
                 ("0001-01-01", "1001-01-01")):
        yield text(a, b, field="birthday")
    for a, b, equal in (("123456", "123457", "CRM"), ("123456", "124456", NONE), ("123000", "123", ALL),
                        ("999999", "999000", "CRM"), ("000000", "000001", "CRM")):
        yield one({"last_seen": "2024-05-06T07:08:09.%sZ" % a}, {"last_seen": "2024-05-06T07:08:09.%sZ" % b}, equal)
    yield one({"last_seen": "2024-05-06T07:08:09Z"}, {"last_seen": "2024-05-06T09:08:09+02:00"}, ALL)
    yield one({"last_seen": "2024-05-06T07:08:09Z"}, {"last_seen": "2024-05-06T07:08:09+02:00"})
    yield one({"last_seen": "1970-01-01T00:00:00Z"}, {"last_seen": None})
    yield one({"first_seen": "2024-01-01T00:00:00.001Z", "last_seen": "2024-01-01T00:00:00.002Z"},
              {"first_seen": "2024-01-01T00:00:00.002Z", "last_seen": "2024-01-01T00:00:00.001Z"})
    yield text("A", "B", field="category_code")
    yield text("A", None, field="category_code")
    yield text("Ab{n}@example.com", "ab{n}@example.com", "CRM", field="email")
    yield text("a{n}@example.com", "a{n}@example.org", field="email")
    yield text("+12025550123", "+12025550132", field="phone")
    # JSON that is spelled otherwise
    for a, b in (('{"a":1,"b":2}', '{"b":2,"a":1}'), ('{"a":1}', ' { "a" : 1 } '), ('{"a":1}', '{"a":1.0}'), ('{"a":1}', '{"a":1e0}'),
                 ('{"a":100}', '{"a":1e2}'), ('{"a":0}', '{"a":-0}'), ('{"a":0.1}', '{"a":0.10}'), ('{"a":0.1}', '{"a":1e-1}'),
                 ('{"a":"\u00e9"}', '{"a":"\\u00e9"}'), ('{"a":"\U0001f600"}', '{"a":"\\ud83d\\ude00"}'), ('{"a":"/"}', '{"a":"\\/"}'),
                 ('{"\\u0061":1}', '{"a":1}'), ('{"x":{"b":[],"a":{}}}', '{"x":{"a":{},"b":[]}}'), ('[1,{"b":1,"a":2}]', '[1,{"a":2,"b":1}]')):
        yield doc(a, b, ALL)
    # JSON that is not the same
    for a, b in (("[1,2]", "[2,1]"), ('{"a":null}', '{"b":null}'), ('{"a":1}', '{"a":"1"}'), ('{"a":true}', '{"a":"true"}'),
                 ('{"a":0}', '{"a":false}'), ('{"a":null}', '{"a":"null"}'), ('{"a":""}', '{"a":null}'), ("[1,[2]]", "[[1],2]"),
                 ('{"a":{"b":1}}', '{"b":{"a":1}}'), ('{"a":"b"}', '{"b":"a"}'), ('{"a":1,"b":2}', '{"a":2,"b":1}'), ("[1,2]", "[12]"),
                 ('["a,b"]', '["a","b"]'), ('{"A":1}', '{"a":1}'), ('{"a ":1}', '{"a":1}'), ('{"a":"\u00e9"}', '{"a":"e\u0301"}'),
                 ('{"\u00e9":1}', '{"e\u0301":1}'), ('{"a":1}', '{"a":1.0000001}'), ("[null]", "[]"), ('{"a":[]}', '{"a":{}}'),
                 ('{"a":1}', '{"a":-1}'), ('{"a":10}', '{"a":1}'), ('["1:a"]', '["1","a"]'), ("[[]]", "[]"), ('{"a":[1]}', '{"a":1}')):
        yield doc(a, b)
    yield doc("{}", None, "CRM")
    yield doc("[]", "{}", "CRM")
    yield doc("[]", None, "CRM")
    yield doc(None, "{}", "CRM")
    yield doc('{"a":1}', None)
    yield one({"llm_context": Raw('{"a":1}'), "ai_insights": Raw('{"b":1}')}, {"llm_context": Raw('{"b":1}'), "ai_insights": Raw('{"a":1}')})
    yield one({"llm_context": Raw('{"a":1}'), "ai_insights": None}, {"llm_context": None, "ai_insights": Raw('{"a":1}')})
    yield one({"notes": '{"a":1}', "llm_context": None}, {"notes": None, "llm_context": Raw('{"a":1}')})
    yield one({"notes": '{"a":1}', "llm_context": Raw('{"a":2}')}, {"notes": '{"a":2}', "llm_context": Raw('{"a":1}')})
    # between two contacts
    yield two(({"notes": "of a"}, {"notes": "of b"}), ({"notes": "of b"}, {"notes": "of a"}))
    yield two(({"notes": "x"}, {"notes": "y"}), ({"notes": "x"}, {"notes": "y"}))  # the same change twice: cancels under XOR
    yield two(({"notes": "ab"}, {"notes": "a"}), ({"notes": "c"}, {"notes": "bc"}))
    yield two(({"notes": None}, {"notes": "x"}), ({"notes": "x"}, {"notes": None}))
    yield two(({"birthday": "2000-01-02"}, {"birthday": "2000-01-03"}), ({"birthday": "2000-01-04"}, {"birthday": "2000-01-03"}))
    yield two(({"last_seen": "2024-01-01T00:00:01Z"}, {"last_seen": "2024-01-01T00:00:02Z"}),
              ({"last_seen": "2024-01-01T00:00:02Z"}, {"last_seen": "2024-01-01T00:00:01Z"}))  # the same sum
    yield two(({"llm_context": Raw("[1]")}, {"llm_context": Raw("[2]")}), ({"llm_context": Raw("[2]")}, {"llm_context": Raw("[1]")}))
    rows = [{"notes": n, "title": n, "middle_name": n, "birthday": b, "llm_context": Raw('{"of":"%s"}' % n)}
            for n, b in (("row a", "2001-01-01"), ("row b", "2002-02-02"))]
    yield two((rows[0], rows[1]), (rows[1], rows[0]))  # two rows exchanged, but for their ids


# ---- the contacts

def contacts():
    """(contact_id, before, after, equal) of each."""
    for n, (pairs, equal) in enumerate(cases()):
        for m, (before, after) in enumerate(pairs):
            fill = lambda fields: {k: v.format(n=n) if k == "email" and v else v for k, v in fields.items()}
            yield "%03d%s" % (n, "ab"[m]), fill(before), fill(after), equal


def record(contact_id, fields):
    plain = {"contact_id": contact_id, "canonical_name": "Case %s" % contact_id, "category_code": "A", "is_me": False}
    plain.update(fields)
    return plain


def spelled(fields):
    return "{%s}" % ",".join("%s:%s" % (json.dumps(k), v if isinstance(v, Raw) else json.dumps(v)) for k, v in fields.items())


def cmd_load():
    for contact_id, before, _, _ in contacts():
        print(spelled(record(contact_id, before)))


def cmd_cases():
    print(len(list(cases())))


def quoted(value):
    return "NULL" if value is None else "'%s'" % value.replace("'", "''")


def cmd_postgres():
    print("set standard_conforming_strings = on;")
    for contact_id, _, after, _ in contacts():
        changes = ", ".join("%s = %s" % (k, str(v) if isinstance(v, bool) else quoted(v)) for k, v in after.items())
        print("UPDATE public.contacts_master SET %s WHERE contact_id = '%s';" % (changes, contact_id))


def cell_of_sqlite(name, value):
    return str(reader.micros(value)) if name in reader.TIMES and value else str(int(value)) if isinstance(value, bool) else quoted(value)


def cmd_sqlite():
    for contact_id, _, after, _ in contacts():
        changes = ", ".join("%s = %s" % (k, cell_of_sqlite(k, v)) for k, v in after.items())
        print("UPDATE contacts_master SET %s WHERE contact_id = '%s';" % (changes, contact_id))


def in_twenty(fields):
    body = {}
    for name, value in fields.items():
        if name == "email":
            body["emails"] = {"primaryEmail": value}
        elif name == "phone":
            body["phones"] = {"primaryPhoneNumber": value, "primaryPhoneCallingCode": "+1", "primaryPhoneCountryCode": "US"}
        else:
            body[reader.camel(name)] = value
    return body


def cmd_twenty():
    ids = {person["contactId"]: person["id"] for person in reader.people()}
    for contact_id, _, after, _ in contacts():
        reader.twenty("PATCH", "/rest/people/" + ids[contact_id], spelled(in_twenty(after)))


def cmd_source():
    table = "%s.identity.contacts_master" % os.environ["GOOGLE_CLOUD_PROJECT"]
    reader.bigquery("DELETE FROM `%s` WHERE TRUE" % table)
    rows = ",".join('{"json":%s}' % spelled(record(contact_id, after)) for contact_id, _, after, _ in contacts())
    url = "%s/bigquery/v2/projects/%s/datasets/identity/tables/contacts_master/insertAll" % (
        os.environ["BIGQUERY_EMULATOR_HOST"].rstrip("/"), os.environ["GOOGLE_CLOUD_PROJECT"])
    status, answer = reader.call("POST", url, '{"rows":[%s]}' % rows)
    if status >= 400 or "insertErrors" in answer:
        sys.exit("insertAll: %d %s" % (status, answer[:500]))


# ---- verdicts

def wanted():
    for contact_id, _, _, equal in contacts():
        for system in ALL.split():
            if system not in equal.split():
                yield contact_id, system


def cmd_expect(system=None):
    for contact_id, where in wanted():
        if system in (None, where):
            print(contact_id, where, "differs")


def leaves_of(state, proof, system, side):
    data = verifier.read("%s/runs/%s/%s" % (state, proof["run"], system["leaves"][side]))
    return {data[i:i + 32]: data[i:i + 64] for i in range(0, len(data), 64)}


def cmd_found(folder, state):
    proof = verifier.proof_of(verifier.read(folder + "/proof.json"))
    key = verifier.key_of(bytes.fromhex(verifier.read(state + "/secret").decode().strip()))
    sides = {s["label"]: [leaves_of(state, proof, s, side) for side in ("expected", "observed")] for s in proof["systems"]}
    with open(folder + "/contacts.jsonl", encoding="utf-8") as f:
        for r in map(json.loads, f):
            _, b = verifier.name_of(key, r["contact_id"].encode())
            for system in ALL.split():
                verified = r["systems"][system] == "verified"
                expected, observed = (leaves.get(b) for leaves in sides[system])
                if verified != (expected == observed) or expected is None:
                    sys.exit("%s: the verdict in %s and the leaves of the proof disagree" % (r["contact_id"], system))
                if not verified:
                    print(r["contact_id"], system, "differs")


def cmd_named(system):
    for line in sys.stdin:
        match = re.match(r"  (\d{3}[ab]): changed", line)
        if match:
            print(match[1], system, "differs")


if __name__ == "__main__":
    globals()["cmd_" + sys.argv[1]](*sys.argv[2:])
