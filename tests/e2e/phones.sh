#!/bin/bash
# Telephones as address books, web pages and spreadsheets give them: what Twenty's library would refuse is known before anything
# is sent, costs no request, and is named with its invisible characters shown.
. "$(dirname "$0")/lib/story.sh"

fresh_folder phones
LOCAL_DB=off
records "$work/phones.ndjson" '[contact(i, phone=p) for i, p in enumerate([
	"\u202a+12025550123\u202c", "\u2068+442079460123\u2069", "\u200e+12025550124", "+1\ufe0d-202-555-0125", "+1\u00a0202 555 0126",
	"+1 202\u2011555\u20110127", "+1 202\u2009555 0128", "\u200b+12025550129", "+1 202 555 0130\u200f", "\ufeff+12025550131",
	"+1", "+999 123456", "+4412345678901234567890", "1.2025550123E+10", "12025550123.0", "202 555 0123", "tel:+1-202-555-0132",
	"\u0661\u0662\u0663", "+\u0661 202 555 0133", "+86 179 51 10 1234 5678"], 1)]'
start_sandbox sandbox --load "$work/phones.ndjson" --twenty-rate off
set_up

# Twenty's words of a refused number.
twenty() { echo "(Twenty: Provided phone number is invalid $1)"; }

refused() {
	local before=$(reader stat twenty.writes) phone="     - CRM: phones.primaryPhoneNumber:"
	full_sync
	expect_exit 1
	expect_totals 20 10 10 10 10
	expect_eq "$(($(reader stat twenty.writes) - before))" 2 "requests that write, the trial of the key's rights among them"
	expect_line "$out" "$phone not a phone number '+1\\ufe0d-202-555-0125' $(twenty '+1\ufe0d-202-555-0125')"
	expect_line "$out" "$phone not a phone number '+1 202\\u2009555 0128' $(twenty '+1 202\u2009555 0128')"
	expect_line "$out" "$phone too short or too long for a phone '+1' $(twenty '+1')"
	expect_line "$out" "$phone no country has the calling code of the phone '+999123456' $(twenty '+999123456')"
	expect_line "$out" "$phone not a phone number '1.2025550123E+10' $(twenty 1.2025550123E+10)"
	expect_line "$out" "$phone a phone that a spreadsheet made a decimal number of '12025550123.0'"
	expect_line "$out" "$phone phone without country code '2025550123' $(twenty 2025550123)"
	expect_line "$out" "$phone a phone that would be read as another number '+861795110123456""78'"
}

held() {
	expect_eq "$(for i in 01 02 03 05 06 08 09 10 17 19; do reader person "c00$i" phones.primaryPhoneNumber; done | tr '\n' ' ')" \
		"2025550123 2079460123 2025550124 2025550126 2025550127 2025550129 2025550130 2025550131 2025550132 2025550133 " "in Twenty"
	full_sync
	expect_exit 1
	expect_totals 20 10 10 10 10
}

story "telephones that Twenty's library refuses are named before they are sent" refused
story "those that it takes are there, whatever stands between their digits" held
finish
