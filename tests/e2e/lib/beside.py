"""Another program beside a run: until the file STOP is there, open DB, read, close; every fifth time also write to a table
of its own, unless it is to read only. Prints what it read and wrote, and the errors it met. beside.py DB STOP SQL [read]"""

import os
import sqlite3
import sys


def once(path, sql):
    db = sqlite3.connect(path, timeout=60)
    try:
        with db:
            return db.execute(sql).fetchall()
    finally:
        db.close()


def main():
    path, stop, sql = sys.argv[1:4]
    writing = sys.argv[4:] != ["read"]
    reads = writes = kept = 0
    errors = []
    if writing:
        once(path, "create table if not exists theirs (n integer primary key)")
    while not os.path.exists(stop) and len(errors) < 5:
        try:
            once(path, sql)
            reads += 1
            if writing and reads % 5 == 0:
                once(path, "insert into theirs default values")
                writes += 1
        except sqlite3.Error as e:
            errors.append(str(e))
    if writing:
        kept = once(path, "select count(*) from theirs")[0][0]
    health = once(path, "pragma integrity_check")[0][0]
    print("%d reads, %d writes, %d kept, %s; %s" % (reads, writes, kept, health, ", ".join(errors) or "no errors"))


main()
