#!/bin/bash
# A Twenty whose answers are refused, lost, cut, late or doubled on the way: every contact ends there exactly once, and the
# run says so. FAULT_CONTACTS=5000 for the whole measure.
. "$(dirname "$0")/lib/story.sh"
. "$lib/spoiled.sh"

contacts=${FAULT_CONTACTS:-700}
export RUN_TIMEOUT=300

# A fresh sandbox with a proxy before its Twenty that makes the fault in every third record request.
spoiled_by() {
	fresh_folder "$1"
	LOCAL_DB=off
	start_sandbox "$1-sandbox" --contacts "$contacts" --twenty-rate off
	set_up
	direct=$TWENTY_API_URL
	spoil "$@"
	cat >config.lua <<-'END'
		return { local_db = false, twenty = { rate = { tokens = 1000, every = 0.001 }, timeout = 3, page_rows = 400 } }
	END
}

arrives_once() {
	spoiled_by "$@"
	full_sync --config config.lua
	expect_exit 0
	expect_totals "$contacts" "$contacts" "$contacts" 0 0
	unspoil
	expect_eq "$(reader total_count)" "$contacts" "people in Twenty"
	expect_eq "$(reader people | cut -f1 | sort | uniq -d | wc -l)" 0 "contactIds that are there twice"
	stop_sandbox
}

# 413 is no fault of every third request: it is met by all that are too large.
for fault in 429 limit 500 502 502-after reset-before reset-after silent slow half twice 413; do
	arrives() { arrives_once "$fault" "$([ "$fault" = 413 ] && echo 1 || echo 3)"; }
	story "fault $fault: all arrive exactly once" arrives
done
finish
