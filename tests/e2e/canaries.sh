#!/bin/bash
# Secrets of every kind are planted as canaries; runs succeed and fail in every phase; then every artefact, both streams and
# the command lines of our processes are searched for them.
. "$(dirname "$0")/lib/story.sh"
. "$lib/spoiled.sh"

planted=$work/planted # what holds canaries because we put them there
mkdir "$planted"
fresh_folder canaries
records "$work/contacts.ndjson" '[contact(i) for i in range(1, 21)]'
start_sandbox sandbox --load "$work/contacts.ndjson" --twenty-rate off
start_postgres
set_up
direct=$TWENTY_API_URL
login=${SUPABASE_DB_URL#*://} login=${login%%@*} place=${SUPABASE_DB_URL#*@}
user=${login%%:*} password=${login#*:} # a canary as well
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2>/dev/null >"$planted/private.pem"
"$python" "$lib/echo_server.py" >"$planted/echo" &
pids+=($!)
"$python" - $$ "$SYNCRUN" >"$planted/arguments" <<-'END' &
	import os, sys, time
	seen = set()
	while os.path.exists(f"/proc/{sys.argv[1]}"):
	    for pid in filter(str.isdigit, os.listdir("/proc")):
	        try:
	            if os.readlink(f"/proc/{pid}/exe") == os.path.realpath(sys.argv[2]):
	                line = open(f"/proc/{pid}/cmdline", "rb").read().replace(b"\0", b" ").decode()
	                if line not in seen: print(line, flush=True)
	                seen.add(line)
	        except OSError: pass
	    time.sleep(0.005)
END
pids+=($!)
until [ -s "$planted/echo" ]; do sleep 0.05; done
echo=$(cat "$planted/echo")

# What must be nowhere: each canary, the sandbox's own key, the lines of the private key, and what hides in base64.
{
	printf '%s\n' canary CANARY "$password" "$TWENTY_API_KEY" "${TWENTY_API_KEY##*.}"
	sed '/^---/d' "$planted/private.pem"
	for text in me:canary-proxy-password canary; do printf %s "$text" | base64 | cut -c 1-7; done
} >"$planted/canaries"

# unseen WHAT: no canary is in anything that was said or kept until now.
unseen() {
	local found
	found=$(grep -aFo -f "$planted/canaries" -r "$out" "$err" "$said" "$home" "$planted/arguments" | sort | uniq -c | head -n 5)
	[ -z "$found" ] || fail "$1: $found: $(grep -ahF -f "$planted/canaries" "$out" "$err" | head -c 600)"
	found=$(find "$home" -name '*canary*')
	[ -z "$found" ] || fail "$1: a file is named $found"
}

# tried CODES WHAT [NAME=VALUE]... ARGUMENTS...
tried() {
	local wanted=$1 what=$2
	shift 2
	run SYNCRUN_LOG=debug "$@"
	[[ $code =~ ^($wanted)$ ]] || fail "$what: exit code $code, want $wanted: $(head_of "$err")"
	unseen "$what"
}

sync=$scripts/full_sync.lua
without=postgresql://$user@$place
query=$without?password=$password
server=${place%%/*}
conninfo="host=${server%:*} port=${server#*:} dbname=${place#*/} user=$user password='$password'"

succeeds() {
	tried 0 "a run" SUPABASE_DB_URL="$query" "$sync" --report "$home/report" --json "$home/summary.json" --trace-folds
	expect_line "$out" "Validated: 20"
	tried 0 "a second run" SUPABASE_DB_URL="$without" PGPASSWORD="$password" "$sync" --skip-sync
	tried 0 "a dry run" SUPABASE_DB_URL="$conninfo" "$sync" --dry-run
	tried 0 "an estimate" "$sync" --estimate
	tried 0 "a plan" "$sync" --plan "$home/plan"
	tried 0 "a doctor" SUPABASE_DB_URL="$conninfo" "$scripts/doctor.lua"
	tried 0 "set-up" SUPABASE_DB_URL="$query" "$scripts/setup.lua"
	[ -s "$home/state/ledger.db" ] || fail "there is no ledger"
	grep -q full_sync.lua "$planted/arguments" || fail "no command line was seen"
}

refused() {
	tried 3 "a refused key" TWENTY_API_KEY=canary-key-of-twenty "$sync"
	tried 3 "a refused key in a URL with a token" TWENTY_API_KEY=canary-key TWENTY_API_URL="$direct/?token=canary-in-the-url" "$sync"
	tried 3 "an unreachable Twenty" TWENTY_API_KEY=canary-key TWENTY_API_URL=http://me:canary-of-basic@127.0.0.1:1 "$sync"
	tried 3 "a refused password" SUPABASE_DB_URL="postgresql://$user:canary-wrong@$place" "$sync"
	tried 3 "a refused PGPASSWORD" SUPABASE_DB_URL="$without" PGPASSWORD=canary-wrong "$sync"
	tried 3 "an unreachable Postgres by keywords" SUPABASE_DB_URL="host=127.0.0.1 port=1 dbname=x user=u password=canary-conninfo" "$sync"
	tried 3 "an unreachable Postgres" SUPABASE_DB_URL=postgresql://u:canary-uri-password@127.0.0.1:1/x "$sync"
	tried 3 "PGPASSWORD" PGPASSWORD=canary-pgpassword SUPABASE_DB_URL=postgresql://u@127.0.0.1:1/x "$sync"
	tried 3 "a local Postgres" LOCAL_DB="host=127.0.0.1 port=1 password='canary conninfo'" "$sync"
	tried 2 "a file named by a password" SUPABASE_DB_URL='postgresql://u:p/canary-slash@127.0.0.1:one/x' "$sync"
	tried "3|5" "a refusing proxy" TWENTY_API_KEY=canary-key TWENTY_API_URL=https://twenty.example NO_PROXY= \
		https_proxy=http://me:canary-proxy-password@127.0.0.1:1 "$sync" --deadline 5s
}

# A service that tells in its error what it was sent, before and after writing began.
echoed() {
	spoil echo 1
	tried "3|5" "an echo to the first reading" "$sync" --deadline 3s
	unspoil
	spoil echo 2
	run SYNCRUN_LOG=debug "$sync" --report "$home/report" --deadline 5s
	unspoil
	unseen "an echo in the middle"
	tried 3 "an echo of everything" TWENTY_API_KEY=canary-key TWENTY_API_URL="$echo" "$sync" --deadline 3s
	faults '{"status": 403, "reason": "accessDenied", "message": "sent: Authorization: Bearer ya29.canary-access-token-000000000", "times": -1}'
	tried 3 "an echo of BigQuery's" "$sync"
	sandbox_faults '{"faults": []}'
}

# google PATH JSON: BigQuery itself, with these credentials, behind a proxy that is not there.
google() {
	printf '%s' "$2" >"$planted/$1.json"
	chmod 600 "$planted/$1.json"
	tried "3|5" "$1" BIGQUERY_EMULATOR_HOST= GOOGLE_CLOUD_PROJECT=demo GOOGLE_APPLICATION_CREDENTIALS="$planted/$1.json" NO_PROXY=127.0.0.1 \
		https_proxy=http://me:canary-proxy-password@127.0.0.1:1 "$sync" --deadline 5s
}

credentials() {
	local pem
	pem=$(sed 's/$/\\n/' "$planted/private.pem" | tr -d '\n')
	google service_account '{"type": "service_account", "client_email": "a@b.iam", "private_key_id": "1", "private_key": "'"$pem"'", "token_uri": "'"$echo"'/token"}'
	google refused_assertion '{"type": "service_account", "client_email": "a@b.iam", "private_key_id": "1", "private_key": "'"$pem"'", "token_uri": "'"$echo"'/refused"}'
	google refresh_token '{"type": "authorized_user", "client_id": "id", "client_secret": "GOCSPX-canary-client-secret", "refresh_token": "1//canary-refresh-token", "token_uri": "'"$echo"'/refused"}'
}

# Whatever a script, a mapping or the prompt does with them.
printed() {
	cat >"$planted/mapping.lua" <<-END
		local mapping = assert(loadfile "$scripts/contacts/mapping.lua")()
		for _, field in ipairs(mapping.fields) do
			if field.name == "job_title" then field.transform = function() error(os.getenv "TWENTY_API_KEY" .. os.getenv "MY_SECRET") end end
		end
		return mapping
	END
	echo "return { mapping = '$planted/mapping.lua' }" >"$planted/config.lua"
	run MY_SECRET=canary-of-mine "$sync" --config "$planted/config.lua" --report "$home/report"
	unseen "a transform that raises secrets"
	tried 6 "code" MY_TOKEN=canary-token -e 'print(os.getenv "MY_TOKEN") require "syncrun.log".warn("%s", os.getenv "MY_TOKEN") error(os.getenv "MY_TOKEN")'
	cd "$repository" || return
	{
		echo 'print(os.getenv "TWENTY_API_KEY", os.getenv "PGPASSWORD")'
		echo 'crm crm.client crm.client.http crm.client.http.headers' | tr ' ' '\n'
		echo 'supabase supabase.url db bigquery { crm, supabase }' | tr ' ' '\n'
		printf '%s\n' '{ supabase.url, crm.client }' 'error(supabase.url)' 'supabase:check()' 'config.load {}' 'help()' 'validate "c0001"'
	} | env SYNCRUN_LOG=debug PGPASSWORD=canary-pgpassword timeout 60 "$SYNCRUN" -i >"$out" 2>"$err"
	cd "$home" || return
	expect_text "$out" "***"
	expect_text "$out" "CRM: twenty at"
	unseen "the prompt"
}

story "runs that succeed, a plan, an estimate, doctor, set-up" succeeds
story "refused, unreachable, behind a proxy" refused
story "services that echo what they were sent" echoed
story "BigQuery's keys and tokens" credentials
story "scripts, mappings, the prompt" printed
finish
