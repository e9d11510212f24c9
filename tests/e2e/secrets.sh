#!/bin/bash
# Secrets: whatever is put where by mistake, and whatever a script, the prompt or an error prints, no secret is seen.
. "$(dirname "$0")/lib/story.sh"

fresh_folder secrets
pem='-----BEGIN PRIVATE KEY-----\nMIIEcanaryAAAAAAAAAAAAAAAAA\nMIIEcanaryBBBBBBBBBBBBBBBBB\n-----END PRIVATE KEY-----\n'
key_json='{"type": "service_account", "client_email": "a@b.iam", "private_key": "'$pem'"}'

# The text of a key where its path belongs, in each spelling that people paste.
key_in_variable() {
	local value
	for value in "$key_json" "$(echo "$key_json" | tr -d ' ')" "$(echo "$key_json" | python3 -m json.tool)" \
		"$(printf '%s' "$key_json" | base64 -w 0)" "$(printf '%s' "$key_json" | base64)" "$(printf -- "$pem")" "$pem"; do
		full_sync "GOOGLE_APPLICATION_CREDENTIALS=$value"
		expect_exit 2
		expect_empty "$out"
		expect_line "$err" "syncrun: GOOGLE_APPLICATION_CREDENTIALS (bigquery.credentials) holds the text of a key, not the path of its file; write the text to a file that only you can read, and give the path of that"
		expect_eq "$(wc -l <"$err")" 1 "lines on stderr"
		expect_no_text "$said" canary
		expect_no_text "$said" MIIE
		expect_no_text "$said" "${value:0:20}"
	done
}

# Every way of a script to the terminal, with secrets that nobody registered by hand, whole and in pieces.
printed() {
	cat >printing.lua <<-'END'
		local key, password = os.getenv "TWENTY_API_KEY", os.getenv "PGPASSWORD"
		print(key, password)
		io.write(key:sub(1, 5)) io.write(key:sub(6), "\n")
		io.stdout:write(password, "\n")
		io.stderr:write(key:sub(1, 5)) io.stderr:write(key:sub(6), " to stderr\n")
		warn("a warning with ", password)
		print(os.getenv "SUPABASE_DB_URL", os.getenv "MY_OTHER_SECRET", os.getenv "https_proxy")
		require "syncrun.log".error("logged %s", key)
		print(pcall(error, "caught " .. key))
		print(debug.traceback("trace of " .. key))
		print(require "syncrun.json".encode { key = key, list = { password } })
		error("raised with " .. key)
	END
	run TWENTY_API_KEY='canary"key\1' PGPASSWORD=canary-password SUPABASE_DB_URL=postgres://u:canary%40p@h/d \
		MY_OTHER_SECRET=canary-secret https_proxy=http://me:canary-proxy@proxy:3128 printing.lua
	expect_exit 6
	expect_no_text "$said" canary
	expect_line "$out" "***	***"
	expect_line "$out" "***"
	expect_line "$out" "postgres://u:***@h/d	***	http://me:***@proxy:3128"
	expect_line "$out" "false	caught ***"
	expect_line "$out" '{"key":"***","list":["***"]}'
	expect_line "$err" "*** to stderr"
	expect_text "$err" "warn  a warning with ***"
	expect_text "$err" "error logged ***"
	expect_line "$err" "syncrun: printing.lua:12: raised with ***"
	run TWENTY_API_KEY=canary-key -e 'io.write(os.getenv "TWENTY_API_KEY", "\n") os.exit(3)'
	expect_exit 3
	expect_same "$out" "***"
}

# The settings of a config file, also when it fails.
config_file() {
	cat >config.lua <<-'END'
		return { twenty = { url = "http://127.0.0.1:1", key = "canary-key" }, supabase = { url = "postgres://u:canary-pw@127.0.0.1:1/d" } }
	END
	run -e 'local c = require "syncrun.flow.config".load { file = "config.lua" } print(c.twenty.key, c.supabase.url)'
	expect_exit 0
	expect_same "$out" "***	postgres://u:***@127.0.0.1:1/d"
	echo 'return { twenty = { key = "canary-key" "canary-key" } }' >config.lua
	run -e 'require "syncrun.flow.config".load { file = "config.lua" }'
	expect_exit 2
	expect_text "$err" "the config file is not valid Lua"
	expect_no_text "$said" canary
	echo 'local key = "canary-key" error(key)' >config.lua
	run -e 'require "syncrun.flow.config".load { file = "config.lua" }'
	expect_exit 2
	expect_text "$err" "the config file 'config.lua' failed"
	expect_no_text "$said" canary
	rm config.lua
	printf 'TWENTY_API_URL=http://127.0.0.1:1\nTWENTY_API_KEY=canary-key\nANOTHER_TOKEN=canary-other\n' >.env
	run -e 'local v = require "syncrun.flow.variables".open ".env" print(v.file.TWENTY_API_KEY, v.file.ANOTHER_TOKEN)'
	expect_same "$out" "***	***"
	rm .env
}

# Handles are shown by their own words; a string is masked.
prompt() {
	cd "$repository" || return # the prompt looks for the mapping in ./scripts
	BIGQUERY_EMULATOR_HOST=127.0.0.1:1 TWENTY_API_URL=http://127.0.0.1:1 TWENTY_API_KEY=canary-key-of-twenty \
		SUPABASE_DB_URL=postgres://u:canary-pw@127.0.0.1:1/d LOCAL_DB=$home/c.db \
		"$python" "$lib/driver.py" terminal "$SYNCRUN" >"$out" <<-'END'
			crm
			crm.client
			supabase
			supabase.url
			local_db
			bigquery
			{ crm, client = crm.client.http }
			crm.client.http.headers
			error(supabase.url)
			print(supabase.url) io.write(supabase.url, "\n")
			config.load {}
			http.client { headers = { Authorization = "Bearer canary" } }
			supabase:check()
			supabase.url:upper()
	END
	cd "$home" || return
	expect_line "$out" "exit code 0"
	expect_line "$out" "CRM: twenty at http://127.0.0.1:1"
	expect_line "$out" "Supabase: postgres, table public.contacts_master"
	expect_line "$out" '"postgres://u:***@127.0.0.1:1/d"'
	expect_line "$out" "Local: sqlite, table contacts_master of '$home/c.db'"
	expect_line "$out" "BigQuery: table identity.contacts_master"
	expect_text "$out" 'Authorization = "Bearer ***"'
	expect_text "$out" "error: prompt:1: postgres://u:***@127.0.0.1:1/d"
	expect_text "$out" 'key = "***"'
	expect_text "$out" "error: cannot connect to 'Supabase'"
	expect_line "$out" '"POSTGRES://U:***@127.0.0.1:1/D"'
	sed '/^syncrun> /d' "$out" >shown # but for what was typed
	expect_no_text shown canary
	expect_no_text shown CANARY
}

# A crash leaves no core file, whatever the shell allows; a collector of dumps is not given one either: of a process that
# may not be dumped the kernel gives the files in /proc/PID to root. Root's own is, anyhow, so that is tried as nobody.
no_core() {
	cp "$SYNCRUN" "$work/program"
	chmod 755 "$work" "$work/program"
	"$python" - "$work/program" >"$out" 2>"$err" <<-'END'
		import os, resource, signal, subprocess, sys
		resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
		child = subprocess.Popen([sys.argv[1], "-e", "print 'ready' io.stdout:flush() io.read()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/",
		    user=65534 if os.getuid() == 0 else None)
		child.stdout.readline()
		print("owner of its environ:", os.stat(f"/proc/{child.pid}/environ").st_uid)
		for line in open(f"/proc/{child.pid}/limits"):
		    if line.startswith("Max core file size"): print(*line.split()[4:6])
		child.send_signal(signal.SIGSEGV)
		_, status = os.waitpid(child.pid, 0)
		print(os.WTERMSIG(status), os.WCOREDUMP(status))
	END
	expect_same "$out" "owner of its environ: 0
0 0
11 False"
}

# public FILE WHAT ARGUMENTS...: a run warns of the file as long as everybody can read it.
public() {
	local file=$1 what=$2
	shift 2
	chmod 644 "$file"
	run "$@"
	expect_text "$err" "every user of this machine can read the $what '$file'; chmod 600 it"
	chmod 640 "$file"
	run "$@"
	expect_no_text "$err" "every user"
	chmod 644 "$file"
	chmod 700 .
	run "$@"
	expect_no_text "$err" "every user"
	chmod 755 .
}

readable_by_all() {
	local key='-----BEGIN PRIVATE KEY-----\nMIIEcanary\n-----END PRIVATE KEY-----\n' load='require "syncrun.flow.config".load'
	chmod 755 "$work" .
	echo "{\"type\": \"service_account\", \"client_email\": \"a@b.iam\", \"private_key\": \"$key\"}" >key.json
	public key.json "key file" -e 'require "syncrun.systems.bigquery.google".find { credentials = "key.json" }'
	echo 'return { twenty = { key = "canary-key" } }' >config.lua
	public config.lua "config file" -e "$load { file = 'config.lua' }"
	echo 'return { state = "x" }' >config.lua
	run -e "$load { file = 'config.lua' }"
	expect_empty "$err"
	echo 'SUPABASE_DB_URL=postgres://u:canary-pw@h/d' >.env
	public .env "file of variables" -e "$load {} $load {}"
	expect_eq "$(wc -l <"$err")" 0 "lines"
	echo 'LOCAL_DB=x.db' >.env
	run -e "$load {}"
	expect_empty "$err"
	rm .env key.json config.lua
}

story "a key's text in GOOGLE_APPLICATION_CREDENTIALS is named, not shown" key_in_variable
story "print, io.write, io.stderr, warn, the log, errors and tracebacks" printed
story "a config file and .env, also with mistakes" config_file
story "systems, clients and strings at the prompt" prompt
story "no core dump" no_core
story "a file with secrets that everybody can read is warned about" readable_by_all
finish
