"""`disclosed.py ID FILE...`: does a proof about the contact ID hold an id or a value of another one, as it stands or in base64?
Searched for is every value of every contact of BigQuery that the contact itself has not. The standard library only."""

import base64
import re
import sys

import reader
import rows_of

FIELDS = ["contact_id", "canonical_name"] + reader.TEXTS + reader.DOCUMENTS + reader.TIMES


def texts(paths):
    for path in paths:
        with open(path, "rb") as f:
            data = f.read()
        yield data
        for piece in re.findall(rb'"([A-Za-z0-9+/]+=*)"', data):
            try:
                yield base64.b64decode(piece, validate=True)
            except ValueError:
                pass


def main(contact_id, *paths):
    rows = list(rows_of.bigquery(FIELDS))
    own = " ".join(str(v) for row in rows if row["contact_id"] == contact_id for v in row.values())
    found, searched = list(texts(paths)), 0
    for row in rows:
        for name, value in row.items():
            # Shorter ones stand in any base64 by chance; a text that is in the contact's own row is no other's.
            if value is None or len(value) < 5 or value in own:
                continue
            searched += 1
            for data in found:
                if value.encode() in data:
                    sys.exit("%s of %s stands in it: %s" % (name, row["contact_id"], value))
    if searched < 10 * len(rows):
        sys.exit("only %d values were searched for" % searched)


main(*sys.argv[1:])
