#!/bin/bash
# Guards: what a run must not go on from without a word, exit code 4.
. "$(dirname "$0")/lib/story.sh"

records "$work/contacts.ndjson" '[contact(i) for i in range(1, 31)]'
start_sandbox sandbox --load "$work/contacts.ndjson" --twenty-rate off
unset TWENTY_API_URL TWENTY_API_KEY # the local database alone is enough here
fresh_folder home
everything='select group_concat(contact_id || canonical_name || updated_at) from contacts_master'

# lie ROWS: every result has so many rows, and says so.
lie() {
	faults "{\"path\": \"/queries\", \"times\": -1, \"rows\": $1}"
}

short_source() {
	local before
	before=$(local_sql "$everything")
	for rows in 20 0; do
		lie "$rows"
		full_sync
		expect_exit 4
		expect_text "$err" "BigQuery's table 'sandbox.identity.contacts_master' has 30 rows, but reading it gave $rows"
		expect_text "$err" "nothing was written. If that is right, --allow-short-source lets it pass"
		full_sync --skip-sync
		expect_exit 4
	done
	expect_eq "$(local_sql "$everything")" "$before" "what the local database holds"
	lie 20
	full_sync --allow-short-source --allow-shrunken-source
	expect_exit 0
	expect_totals 20 20 20 0 0
	expect_text "$out" "but reading it gave 20 (a row access policy that hides some, or somebody on the way who answers for"
	full_sync --limit 20 # part of the table is what was asked for
	expect_exit 0
}

empty_source() {
	lie 0
	full_sync --allow-short-source
	expect_exit 4
	expect_text "$err" "gives no contact at all (it gave 20 when all was last proven), but Local holds people (as c0001, c0002, c0003,"
	expect_text "$err" "c0010); nothing was written. If that is right, --allow-empty-source lets it pass"
	faults ''
	full_sync BIGQUERY_WHERE=FALSE
	expect_exit 4
	expect_text "$err" "gives no contact at all through its filter, but Local holds people (as c0001,"
	full_sync BIGQUERY_WHERE=FALSE --allow-empty-source
	expect_exit 0
	expect_totals 0 0 0 0 0
	full_sync BIGQUERY_WHERE=FALSE LOCAL_DB="$home/new.db" # nobody anywhere: nothing to guard
	expect_exit 0
}

shrunken_source() {
	local before
	full_sync
	expect_exit 0 # 30 contacts are proven
	before=$(local_sql "$everything")
	reader bigquery "DELETE FROM \`sandbox.identity.contacts_master\` WHERE contact_id > 'c0026'"
	full_sync
	expect_exit 4
	expect_text "$err" "gives 26 contacts, 4 fewer than when all was last proven (gone are c0027, c0028, c0029, c0030); nothing"
	expect_text "$err" "--allow-shrunken-source lets it pass"
	expect_eq "$(local_sql "$everything")" "$before" "what the local database holds"
	full_sync --skip-sync
	expect_exit 4
	full_sync BIGQUERY_WHERE="contact_id > 'c0010'" # another question has never been proven
	expect_exit 0
	full_sync --allow-shrunken-source
	expect_exit 0
	full_sync # that was proven too
	expect_exit 0
	reader bigquery "DELETE FROM \`sandbox.identity.contacts_master\` WHERE contact_id = 'c0026'"
	full_sync # one of 26 is less than a tenth
	expect_exit 0
}

endless_source() {
	faults '{"path": "/tables/", "times": -1, "numRows": "3"}'
	full_sync
	expect_exit 4
	expect_text "$err" "has 3 rows, but reading it gave 25"
	full_sync BIGQUERY_WHERE=TRUE
	expect_exit 4
	expect_text "$err" "has 3 rows, but reading it gave 25"
	faults ''
}

set_up
full_sync
[ "$code" -eq 0 ] || echo "FAILED  the first run: exit code $code: $(head_of "$err")"
story "a source that lies consistently: a result shorter than its table, exit 4" short_source
story "a source without anybody while a target holds people: exit 4" empty_source
story "a source that shrank by more than a tenth since all was proven: exit 4" shrunken_source
story "a source that gives more than it has: exit 4" endless_source
finish
