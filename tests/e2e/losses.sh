#!/bin/bash
# Postgres ends every connection, or restarts, five times at seeded instants of a first load: the run ends complete without a
# person. `make torture` does it fifty times with 20,000 contacts.
cd "$(dirname "$0")/../.." || exit 1
command -v python3 psql >/dev/null || {
	echo "skipped losses: there is no python3 or no psql"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
}
exec python3 tests/torture/torture.py --how loss --runs 1 --losses 5 --contacts 3000 --batch 100
