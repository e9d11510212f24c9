#!/bin/bash
# The specification of canonical forms is enough for a stranger: another implementation, made from the page alone, agrees
# with every vector of it.
. "$(dirname "$0")/lib/story.sh"

vectors_hold() {
	"$python" "$lib/canon.py" check "$repository/lua/README.md" >"$out" 2>"$err"
	code=$?
	expect_exit 0
	expect_text "$out" " 0 differ"
}

random_values() {
	local seed=${SEED:-$RANDOM}
	"$python" "$lib/canon.py" random "$seed" >"$work/values"
	"$SYNCRUN" "$lib/canon.lua" <"$work/values" >"$work/page" 2>"$err" || fail "$(head_of "$err")"
	"$python" "$lib/canon.py" check "$work/page" >"$out" 2>"$err"
	code=$?
	expect_exit 0
	expect_text "$out" "12000 vectors, 0 differ"
	[ ${#problems[@]} -eq 0 ] || fail "SEED=$seed"
}

story "an implementation made from lua/README.md agrees with its vectors" vectors_hold
story "and with this program on random values" random_values
finish
