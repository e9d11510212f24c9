#!/bin/bash
# 20,000 new contacts at Twenty's 100 requests a minute need at most 110 requests, none of which is refused; the same again
# at most 4.
. "$(dirname "$0")/lib/story.sh"

first_load() {
	fresh_folder budget
	LOCAL_DB=off
	start_sandbox budget-sandbox --contacts 20000
	set_up
	before=$(reader stat twenty.requests)
	full_sync
	expect_exit 0
	expect_text "$err" "CRM: 103 requests at 100 a minute: about 1 min"
	expect_eq "$(reader stat twenty.people)" 20000 "people"
	expect_eq "$(reader stat twenty.refused)" 0 "refused"
	local used=$(($(reader stat twenty.requests) - before))
	[ $used -le 110 ] || fail "$used requests"
}

nothing_to_do() {
	before=$(reader stat twenty.requests)
	full_sync
	expect_exit 0
	local used=$(($(reader stat twenty.requests) - before))
	[ $used -le 4 ] || fail "$used requests"
	expect_eq "$(reader stat twenty.refused)" 0 "refused"
}

story "20,000 new contacts in at most 110 requests, none refused" first_load
story "the same again in at most 4 requests" nothing_to_do
finish
