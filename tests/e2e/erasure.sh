#!/bin/bash
# A person who asks to be erased: here at once, from the systems by who may, proved by a certificate that names nobody, and kept
# out by every later run although the source still has the row.
. "$(dirname "$0")/lib/story.sh"

fresh_folder erasure
start_sandbox sandbox --contacts 60 --twenty-rate off
start_postgres
set_up
run "$scripts/proof_key.lua" example.com/crm
key=$(cat "$out")
full_sync
id=$(sql "select contact_id from public.contacts_master order by contact_id collate \"C\" limit 1 offset 20")
name=$(sql "select canonical_name from public.contacts_master where contact_id = '$id'")
file=$home/certificate.json
person=$(reader person "$id")

certify() {
	run "$scripts/forget.lua" "$id" --certificate "$file"
}

# Nothing in the state folder names the contact, but what other stories' requests may have in common with its id.
expect_forgotten() {
	expect_eq "$(grep -rlF -e "(ID: $id)" -e "\"$id\"" "$SYNCRUN_STATE" | tr '\n' ' ')" "" "files that name the contact"
	expect_eq "$(reader sqlite "$SYNCRUN_STATE/ledger.db" "select count(*) from state where key = '$id'")" 0 "states of the contact"
}

still_there() {
	certify
	expect_exit 1
	expect_line "$err" "syncrun: the contact is still in CRM, Supabase, Local; delete it there and run this again; no certificate was written"
	[ ! -e "$file" ] || fail "there is a certificate"
	expect_forgotten
}

no_system_no_certificate() {
	certify_without() {
		run TWENTY_API_URL=http://127.0.0.1:9 "$scripts/forget.lua" "$id" --certificate "$file"
	}
	certify_without
	expect_exit 3
	[ ! -e "$file" ] || fail "there is a certificate"
}

# Twenty's bin still has the values.
in_the_bin() {
	reader soft_delete "$id"
	sql "delete from public.contacts_master where contact_id = '$id'"
	local_sql "delete from contacts_master where contact_id = '$id'"
	certify
	expect_exit 1
	expect_line "$err" "syncrun: the contact is still in CRM (deleted there, but still kept); delete it there and run this again; no certificate was written"
	[ ! -e "$file" ] || fail "there is a certificate"
}

certified() {
	reader twenty DELETE "/rest/people/$person" >/dev/null
	certify
	expect_exit 0
	expect_text "$out" "The contact is in none of 3 systems"
	expect_line "$out" "BigQuery still has it; runs from now on keep it out"
	expect_no_text "$file" "\"$id\""
	expect_no_text "$file" "$name"
	"$python" "$lib/verifier.py" certificate "$file" "$id" "$key" >"$out" 2>"$err" || fail "$(head_of "$err")"
	expect_same "$out" "CRM absent
Supabase absent
Local absent"
	expect_forgotten
}

given_to_others() {
	run SYNCRUN_STATE="$home/none" "$scripts/verify_proof.lua" --contact "$id" --given "$file" --key "$key"
	expect_exit 0
	expect_text "$out" ": the contact is in none of CRM, Supabase, Local; signed by 'example.com/crm'"
	run "$scripts/verify_proof.lua" --contact "$id " --given "$file"
	expect_exit 7
	sed 's/\\"validated\\": 59/\\"validated\\": 60/' "$file" >"$home/changed"
	if cmp -s "$file" "$home/changed"; then fail "nothing was changed"; fi
	run "$scripts/verify_proof.lua" --contact "$id" --given "$home/changed"
	expect_exit 7
}

kept_out() {
	full_sync
	expect_exit 0
	expect_totals 59 59 59 0 0
	expect_line "$out" "Kept out, for they were erased (forget.lua --certificate): 1 rows of BigQuery"
	expect_eq "$(sql "select count(*) from public.contacts_master") $(local_sql "select count(*) from contacts_master") $(reader total_count)" \
		"59 59 59" "in the systems"
	expect_eq "$(reader json "$(ls -d "$SYNCRUN_STATE"/runs/* | tail -n 1)/proof.json" counts.kept_out)" 1 "in the proof"
	expect_forgotten
	# the rest is synced as ever
	reader bigquery "UPDATE \`sandbox.identity.contacts_master\` SET notes = 'told' WHERE contact_id <> '$id'"
	full_sync --allow-mass-change
	expect_exit 0
	expect_eq "$(sql "select count(*) from public.contacts_master where notes = 'told'")" 59 "contacts that were changed"
}

not_without_the_secret() {
	mv "$SYNCRUN_STATE/secret" "$home/secret"
	full_sync
	expect_exit 2
	expect_text "$err" "was made with another secret, so nobody can tell whom to keep out"
	mv "$home/secret" "$SYNCRUN_STATE/secret"
	full_sync
	expect_exit 0
}

gone_from_the_source() {
	reader bigquery "DELETE FROM \`sandbox.identity.contacts_master\` WHERE contact_id = '$id'"
	certify
	expect_exit 0
	expect_no_text "$out" "still has it"
	full_sync
	expect_exit 0
	expect_no_text "$out" "Kept out"
	run "$scripts/verify_proof.lua" --key "$key"
	expect_exit 0
}

story "no certificate while a system has the contact; nothing here names it" still_there
story "no certificate without a look at every system" no_system_no_certificate
story "no certificate while it is only in Twenty's bin" in_the_bin
story "deleted everywhere: a certificate that names nobody, and holds for a stranger" certified
story "who is given it checks it with nothing else, a changed one does not hold" given_to_others
story "later runs keep the contact out, say so, and do the rest" kept_out
story "without the secret no run brings it back" not_without_the_secret
story "deleted in the source too, nothing is kept out" gone_from_the_source
finish
