#!/bin/bash
# Single contacts that Postgres refuses or swallows, each its own way: the others arrive, each odd one is named with its reason,
# the next run says the same and writes nothing.
. "$(dirname "$0")/lib/story.sh"

fresh_folder rows_refused
records "$work/contacts.ndjson" '[contact(i) for i in range(1, 301)]'
start_sandbox sandbox --load "$work/contacts.ndjson" --twenty-rate off
start_postgres
LOCAL_DB=off
set_up
role=app_$$
sql "create role $role login password 'canary-app'; grant select, insert, update on contacts_master to $role;
	create policy reading on contacts_master for select using (true);
	create policy making on contacts_master for insert with check (contact_id <> 'c0020');
	create policy changing on contacts_master for update using (true) with check (contact_id <> 'c0020');
	create function refuse() returns trigger language plpgsql as \$\$ begin
		if new.contact_id = 'c0010' then raise exception 'this one is not welcome'; end if;
		if new.contact_id in ('c0030', 'c0031') then return null; end if;
		return new;
	end \$\$;
	create trigger refuse before insert or update on contacts_master for each row execute function refuse();
	alter table contacts_master add constraint no_forty check (contact_id <> 'c0040')"
owner=$SUPABASE_DB_URL
SUPABASE_DB_URL=postgresql://$role:canary-app@${SUPABASE_DB_URL#*@}
errors="  ❌ Name10 Person (ID: c0010)
     - Supabase: query on 'Supabase' failed (this one is not welcome)
  ❌ Name20 Person (ID: c0020)
     - Supabase: query on 'Supabase' failed (new row violates row-level security policy for table \"contacts_master\")
  ❌ Name30 Person (ID: c0030)
     - Supabase: the server took the statement, and not this row (a trigger of the table swallowed it)
  ❌ Name31 Person (ID: c0031)
     - Supabase: the server took the statement, and not this row (a trigger of the table swallowed it)
  ❌ Name40 Person (ID: c0040)
     - Supabase: query on 'Supabase' failed (new row for relation \"contacts_master\" violates check constraint \"no_forty\")"

each_alone() {
	full_sync
	expect_exit 1
	expect_totals 300 295 295 5 5
	expect_block "$out" "SYNC ERRORS" "$errors"
	expect_no_text "$err" traceback
	expect_eq "$(sql "select count(*) from contacts_master")" 295 "rows in Postgres"
	expect_eq "$(reader total_count)" 300 "people in Twenty"
}

again() {
	local before=$(sql "select max(xmin::text::bigint) from contacts_master")
	full_sync
	expect_exit 1
	expect_block "$out" "SYNC ERRORS" "$errors"
	expect_eq "$(sql "select max(xmin::text::bigint) from contacts_master")" "$before" "the last write to Postgres"
}

story "each refused contact is one contact's error" each_alone
story "the next run says the same, and writes nothing" again
SUPABASE_DB_URL=$owner
sql "drop owned by $role; drop role $role"
finish
