#!/bin/bash
# A Twenty whose answers are no Twenty's: it leads in a circle, gives values of other types, or never lifts its rate limit. The
# run ends, says what is wrong with it, and never by a fault of its own.
. "$(dirname "$0")/lib/story.sh"
. "$lib/spoiled.sh"

fresh_folder answers
LOCAL_DB=off
start_sandbox sandbox --contacts 150 --twenty-rate off
set_up
direct=$TWENTY_API_URL
echo 'return { local_db = false, twenty = { rate = false } }' >config.lua

# ends_in CODE FAULT WORDS: the run over a Twenty with this fault in every record request.
ends_in() {
	spoil "$2" 1
	full_sync --config config.lua
	expect_exit "$1"
	expect_text "$err" "$3"
	expect_no_text "$err" "traceback"
	unspoil
}

types() {
	ends_in 3 '"hasNextPage":false=>"hasNextPage":"no"' "does not say whether there are more people"
	ends_in 3 '"totalCount":0=>"totalCount":null' "does not say how many people there are"
	ends_in 3 '"edges":[]=>"edges":{}' "an object where an array was expected"
	expect_eq "$(reader total_count)" 0 "people in Twenty"
}

limited() {
	spoil "$1" 1
	full_sync --config config.lua --deadline 2s
	unspoil
	expect_exit 5
	cat "$out" >>"$err"
	expect_text "$err" "the deadline of 2s came"
	expect_eq "$(reader total_count)" 0 "people in Twenty"
}

limited_records() { limited 429; }

limited_metadata() { limited 429-all; }

after_writing() {
	ends_in 5 '"emails":{"primaryEmail":=>"emails":{"primaryEmail":[],"x":' "an array where"
	expect_eq "$(reader total_count)" 150 "people in Twenty"
}

circle() {
	ends_in 3 circle "CRM was lost: 'twenty' leads in a circle"
	full_sync --config config.lua
	expect_exit 0
}

strangers() {
	ends_in 3 403-page-all "syncrun: CRM: somebody else answers for 'twenty' (HTTP 403, an HTML page titled 'Just a moment...'): a proxy,"
	expect_no_text "$err" "API key"
	ends_in 3 403-page "CRM was lost: somebody else answers for 'twenty' (HTTP 403, an HTML page titled 'Just a moment...'): a proxy,"
	expect_eq "$(reader total_count)" 0 "people in Twenty"
}

story "a firewall's page is not told as a refusal of the key" strangers
story "values of other types: Twenty is lost, nothing is written" types
story "a rate limit that never lifts is ended by the deadline" limited_records
story "the same before anything else was asked" limited_metadata
story "values of other types after writing: incomplete" after_writing
story "a Twenty that does not heed the cursor is lost at once; all is well without the fault" circle
finish
