#!/bin/bash
# What stands in BigQuery's place or on the way to it: each is named, in one line, and nothing is written.
. "$(dirname "$0")/lib/story.sh"

records "$work/contacts.ndjson" '[contact(i) for i in range(1, 6)]'
start_sandbox sandbox --load "$work/contacts.ndjson" --twenty-rate off
unset TWENTY_API_URL TWENTY_API_KEY # the local database alone is enough here
fresh_folder home

# expect_one_line CODE TEXT: refused, and stderr holds one line, notes included.
expect_one_line() {
	expect_refused "$@"
	expect_eq "$(wc -l <"$err")" 1 "lines on stderr ($(head_of "$err"))"
}

dead() {
	full_sync BIGQUERY_EMULATOR_HOST=127.0.0.1:1
	expect_one_line 3 "syncrun: BigQuery: cannot connect to 'BigQuery' (connection refused by 127.0.0.1:1); is the server up?"
}

dead_proxy() {
	full_sync NO_PROXY= http_proxy=http://me:secret@127.0.0.1:1
	expect_one_line 3 "cannot connect to the proxy for 'BigQuery' (connection refused by 127.0.0.1:1); is http_proxy right?"
	expect_no_text "$err" secret
}

foreign_page() {
	faults '{"times": -1, "status": 403, "headers": {"Content-Type": "text/html", "Server": "cloudflare"},
		"body": "<!DOCTYPE html><title>Just a moment...</title>"}'
	full_sync
	expect_one_line 3 "answers 403 (an HTML page titled 'Just a moment...' by cloudflare): a proxy or firewall, not BigQuery"
}

odd_answers() {
	local odd
	for odd in '{\"schema\": {\"fields\": [7]}}' '{\"schema\": [], \"etag\": {}}' '[1]' '7' 'null' '\"x\"'; do
		faults "{\"path\": \"/tables/\", \"times\": -1, \"body\": \"$odd\"}"
		full_sync
		expect_one_line 3 "BigQuery's answer about table 'sandbox.identity.contacts_master'"
	done
	for odd in '{\"jobComplete\": {}}' '{\"jobComplete\": true, \"schema\": {\"fields\": {\"a\": 1}}, \"totalRows\": []}' '[]'; do
		faults "{\"path\": \"/queries\", \"times\": -1, \"body\": \"$odd\"}"
		full_sync
		expect_one_line 3 "BigQuery"
	done
	faults ''
	full_sync
	expect_exit 0
	faults '{"path": "/tables/", "after": 3, "times": -1, "body": "{\"etag\": 7, \"schema\": {\"fields\": []}}"}'
	full_sync --report "$home/odd"
	expect_exit 5
	expect_totals 5 5 5 0 0
	expect_text "$out" "Not known whether BigQuery changed during the run (BigQuery's answer about table"
	expect_text "$out" "has a 'etag' that is no text; is the URL right?)"
	expect_eq "$(wc -l <"$home/odd/contacts.jsonl")" 5 "contacts in the report"
}

story "a dead BigQuery: one line, exit 3" dead
story "a dead proxy is named as the proxy" dead_proxy
story "a firewall's page is not BigQuery's refusal" foreign_page
story "values of a wrong type: exit 3, in the second look exit 5, always with whole reports" odd_answers

finish
