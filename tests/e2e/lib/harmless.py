"""Finds what would steer a terminal or deceive a reader in files and folders: control characters but line ends and tabs, direction
overrides, characters without a shape. Of SQLite files the texts; a contact's key is what the source says, and stays, as do the
values in undo.db, which are put back as they were.

usage: harmless.py PATH...    exit 1 when something is found, exit 2 when there was nothing to look into
"""

import os
import re
import sqlite3
import sys

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
KEYS = {("state", "key"), ("audit_value", "key")}


def database(path):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            cursor = db.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in cursor.description]
            for row in cursor:
                for name, value in zip(names, row):
                    if isinstance(value, str) and (table, name) not in KEYS:
                        yield f"{path} {table}.{name}", value


def texts(path):
    with open(path, "rb") as file:
        data = file.read()
    if path.endswith("/undo.db"):
        return
    if data.startswith(b"SQLite format 3"):
        yield from database(path)
    elif not path.endswith(("-wal", "-shm")) and "/leaves/" not in path:
        text = data.decode(errors="surrogateescape")
        yield path, text.replace("\r\n", "\n") if path.endswith(".csv") else text  # RFC 4180 ends its lines so


def files(path):
    if not os.path.isdir(path):
        return [path]
    return [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]


looked, found = 0, 0
for file in [file for path in sys.argv[1:] for file in files(path)]:
    for place, text in texts(file):
        looked += len(text)
        for hit in STEERING.finditer(text):
            found += 1
            if found <= 5:
                print(f"{place}: {hit.group()!r} in {text[max(0, hit.start() - 40):hit.start() + 40]!r}")
sys.exit(1 if found else 0 if looked else 2)
