"""Another program that holds a write lock on a SQLite file until the file RELEASE is there; LOCKED appears when it has it.
lock.py DB LOCKED RELEASE [SQL]...: the SQL runs before, outside of the transaction."""

import os
import sqlite3
import sys
import time

path, locked, release, *before = sys.argv[1:]
db = sqlite3.connect(path, timeout=60, isolation_level=None)
for sql in before:
    db.execute(sql).fetchall()
db.execute("begin exclusive")
with open(locked, "w", encoding="utf-8"):
    pass
while not os.path.exists(release):
    time.sleep(0.01)
db.execute("commit")
db.close()
