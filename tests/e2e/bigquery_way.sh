#!/bin/bash
# What stands in BigQuery's place or on the way to it: each is named, in one line, and nothing is written.
. "$(dirname "$0")/lib/story.sh"

records "$work/contacts.ndjson" '[contact(i) for i in range(1, 6)]'
start_sandbox sandbox --load "$work/contacts.ndjson" --twenty-rate off
unset TWENTY_API_URL TWENTY_API_KEY # the local database alone is enough here
fresh_folder home

faults() {
	curl -sf -X POST "$BIGQUERY_EMULATOR_HOST/_sandbox/faults" -d "{\"faults\": [$1]}" >/dev/null ||
		fail "the sandbox takes no faults"
}

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

story "a dead BigQuery: one line, exit 3" dead
story "a dead proxy is named as the proxy" dead_proxy
story "a firewall's page is not BigQuery's refusal" foreign_page
finish
