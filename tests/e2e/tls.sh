#!/bin/bash
# A password goes to a Postgres on another machine over TLS only, unless a setting says otherwise. "Another machine" is
# 0.0.0.0: it leads to this one, and is no loopback address.
. "$(dirname "$0")/lib/story.sh"

fresh_folder tls
start_sandbox sandbox --contacts 3 --twenty-rate off
LOCAL_DB=off
set_up # Twenty alone
told=$home/passwords
"$python" "$lib/plain_postgres.py" "$told" >"$home/port" &
pids+=($!)
while [ ! -s "$home/port" ]; do sleep 0.05; done
port=$(cat "$home/port")
plain=postgresql://postgres:canary-tls@0.0.0.0:$port/postgres

no_password_is_told() {
	expect_eq "$(grep -c . "$told" 2>/dev/null)" "${1:-}" "passwords that the server was told"
	rm -f "$told"
}

refused_without_tls() {
	local url
	for url in "$plain" "$plain?sslmode=prefer" "$plain?sslmode=allow" \
		"host=localhost hostaddr=0.0.0.0 port=$port user=u password=canary-tls"; do
		full_sync "SUPABASE_DB_URL=$url"
		expect_refused 3 "Supabase: cannot connect to 'Supabase'" "SSL was required" "to another machine TLS is needed" \
			"insecure = true"
	done
	full_sync SUPABASE_DB_URL= "LOCAL_DB=$plain"
	expect_refused 3 "Local: cannot connect to 'Local'" "to another machine TLS is needed"
	no_password_is_told
}

service_without_sslmode() {
	printf '[far]\nhost=0.0.0.0\nport=%s\nuser=u\npassword=canary-tls\n' "$port" >services
	full_sync "PGSERVICEFILE=$PWD/services" SUPABASE_DB_URL="postgresql:///x?service=far"
	expect_refused 2 "the service of 'Supabase' is on another machine and has no sslmode"
	full_sync "PGSERVICEFILE=$PWD/services" PGSERVICE=far "SUPABASE_DB_URL=postgresql:///x"
	expect_refused 3 "to another machine TLS is needed"
	no_password_is_told
}

told_where_a_setting_says_so() {
	full_sync "SUPABASE_DB_URL=$plain?sslmode=disable"
	expect_refused 3 "no entry"
	no_password_is_told 1
	echo 'return { supabase = { insecure = true } }' >config.lua
	full_sync "SUPABASE_DB_URL=$plain" --config config.lua
	expect_refused 3 "no entry"
	no_password_is_told 1
	full_sync "SUPABASE_DB_URL=${plain/0.0.0.0/127.0.0.1}"
	expect_refused 3 "no entry"
	no_password_is_told 1
}

# A server of our own, and where it is by way of "another machine".
real_server() {
	clusters+=("$(mktemp -d)")
	SUPABASE_DB_URL=$("$scripts/private_postgres.sh" start --fast --tcp 0 "${clusters[-1]}") || exit 1
	export SUPABASE_DB_URL
	far=${SUPABASE_DB_URL/127.0.0.1/0.0.0.0}
}

warned_in_the_clear() {
	run "SUPABASE_DB_URL=$far?sslmode=disable" "$scripts/setup.lua" --apply
	expect_exit 0
	expect_eq "$(grep -c "Supabase: the connection is not encrypted (sslmode=disable)" "$err")" 1 "warnings"
	full_sync "SUPABASE_DB_URL=$far" --config config.lua
	expect_exit 0
	expect_eq "$(grep -c "Supabase: the connection is not encrypted (insecure = true)" "$err")" 1 "warnings"
	full_sync
	expect_exit 0
	expect_no_text "$err" "not encrypted"
}

has_tls() {
	[ "$(sql "show ssl")" = on ]
}

over_tls() {
	local data=${clusters[-1]}/data
	openssl req -new -x509 -days 2 -nodes -subj /CN=localhost -newkey rsa:2048 -keyout "$data/server.key" \
		-out "$data/server.crt" 2>/dev/null
	chmod 600 "$data/server.key"
	chown --reference="$data" "$data/server.key" "$data/server.crt"
	sql "alter system set ssl = on"
	sql "select pg_reload_conf()" >/dev/null
	wait_until 10 has_tls || return
	full_sync "SUPABASE_DB_URL=$far"
	expect_exit 0
	expect_totals 3 3 3 0 0
	expect_no_text "$err" "not encrypted"
}

story "a server without TLS on another machine is refused before the password" refused_without_tls
story "a service that may go in the clear is refused" service_without_sslmode
story "sslmode=disable and insecure = true are taken at their word" told_where_a_setting_says_so
real_server
story "an unencrypted connection is warned about, once" warned_in_the_clear
if command -v openssl >/dev/null; then
	story "with TLS nothing has to be set" over_tls
else
	skip "with TLS nothing has to be set" "there is no openssl"
fi
finish
