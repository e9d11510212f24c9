#!/bin/bash
# Ctrl-C, SIGTERM and --deadline, twelve of each at seeded instants over the whole of a first load: each ends with its exit
# code, a partial report and a ledger that can be gone on with; the next run completes it. `make torture` does it with 20,000
# contacts, a hundred of each, and holds them to two seconds.
cd "$(dirname "$0")/../.." || exit 1
command -v python3 psql >/dev/null || {
	echo "skipped stops: there is no python3 or no psql"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
}
exec python3 tests/torture/torture.py --how stop --runs 36 --contacts 1000 --batch 40 --complete-every 12
