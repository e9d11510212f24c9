"""Another program beside a run: until the file STOP is there, open DB, read, close; every fifth time also write to a table
of its own. Prints what it read and wrote, and the errors it met. beside.py DB STOP"""

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
    path, stop = sys.argv[1:]
    reads = writes = 0
    errors = []
    once(path, "create table if not exists theirs (n integer primary key)")
    while not os.path.exists(stop) and len(errors) < 5:
        try:
            once(path, "select 1 from contacts_master limit 1")
            reads += 1
            if reads % 5 == 0:
                once(path, "insert into theirs default values")
                writes += 1
        except sqlite3.Error as e:
            errors.append(str(e))
    kept = once(path, "select count(*) from theirs")[0][0]
    health = once(path, "pragma integrity_check")[0][0]
    print("%d reads, %d writes, %d kept, %s; %s" % (reads, writes, kept, health, ", ".join(errors) or "no errors"))


main()
