#!/bin/bash
# A dozen runs ended in the middle by SIGKILL, by Ctrl-C and by a power cut, each followed by one that completes it: every
# system as if nothing had happened. `make torture` does some hundreds.
set -u
cd "$(dirname "$0")/../.." || exit 1
passed=0 failed=0
if ! command -v python3 >/dev/null || ! command -v psql >/dev/null; then
	echo "skipped kill.sh: there is no python3 or psql"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
fi
for how in ${KILL_HOW:-kill int power}; do
	runs=${KILL_RUNS:-12}
	[ "$how" = kill ] || runs=$((runs / 2))
	output=$(python3 tests/torture/torture.py --how "$how" --runs "$runs" --seed "${KILL_SEED:-1}")
	echo "$output" | grep -v ' passed, '
	line=$(echo "$output" | grep ' passed, ')
	read -r p _ f _ <<<"${line:-0 passed, 1 failed}"
	passed=$((passed + p)) failed=$((failed + f))
	[ "$f" != 0 ] || echo "ok      $how: $p runs ended in the middle, each completed by the next"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
