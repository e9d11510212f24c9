#!/bin/bash
# Scripts, -e, standard input, the prompt: what they print, their exit codes, what a signal does to a run.
. "$(dirname "$0")/lib/story.sh"

fresh_folder scripts

code_and_input() {
	run -e 'print(1 + 1)' -e 'return 4'
	expect_exit 4
	expect_same "$out" 2
	run -e 'os.exit(9)'
	expect_exit 9
	echo 'print("hi", ...); return 3' | "$SYNCRUN" - a b >"$out" 2>"$err"
	expect_eq "$?" 3 "exit code of standard input"
	expect_same "$out" "hi	a	b"
	echo 'print(arg[0], #arg)' | "$SYNCRUN" >"$out" 2>"$err"
	expect_eq "$?" 0 "exit code of standard input without a dash"
	cat >mine.lua <<-'END'
		local sum = 0
		for _, a in ipairs(arg) do sum = sum + tonumber(a) end
		print(sum, select("#", ...), (require "helper"))
		return 5
	END
	echo 'return "helped"' >helper.lua
	run "$PWD/mine.lua" 1 2 3
	expect_exit 5
	expect_same "$out" "6	3	helped"
}

script_errors() {
	echo 'local function inner() error "boom" end inner()' >bad.lua
	run bad.lua
	expect_exit 6
	expect_empty "$out"
	expect_line "$err" "syncrun: bad.lua:1: boom"
	expect_line "$err" "stack traceback:"
	expect_line "$err" "	bad.lua:1: in local 'inner'"
	expect_no_text "$err" "syncrun/"
	run SYNCRUN_LOG=debug bad.lua
	expect_text "$err" "syncrun/boot.lua"
	echo 'local x = = 1' >bad.lua
	run bad.lua
	expect_refused 6 "syncrun: bad.lua:1: unexpected symbol near '='"
	echo 'local task = require "syncrun.task"
task.map({ 1, 2 }, function(n) return n end)' >bad.lua
	run bad.lua
	expect_refused 6 "syncrun: bad.lua:2: task.map: the options are a table, not a function"
	run -e 'require "syncrun.http".get("http://127.0.0.1:1", { timeot = 1 })'
	expect_refused 6 "syncrun: -e:1: http.get: unknown option 'timeot', did you mean 'timeout'?"
	echo 'local json = require "syncrun.json"
json.encode(print)' >bad.lua
	run bad.lua
	expect_exit 6
	expect_same "$err" "syncrun: cannot encode as json (a value of type function)
stack traceback:
	bad.lua:2: in local 'script'"
	run -e 'undeclared = 1'
	expect_exit 6
	expect_text "$err" "assignment to the undeclared global 'undeclared'"
	run -e 'x ='
	expect_exit 6
	expect_text "$err" "-e:1: unexpected symbol near <eof>"
	run nowhere.lua
	expect_exit 2
	expect_text "$err" "cannot open the script 'nowhere.lua"
	run --nonsense
	expect_refused 2 "unknown option '--nonsense'"
	run -e
	expect_refused 2 "an argument is missing after '-e'"
	"$SYNCRUN" -e 'print(1)' >/dev/full 2>"$err"
	expect_eq "$?" 6 "exit code when the output is lost"
	expect_text "$err" "cannot write to standard output"
}

# Lines that do not come from a terminal.
piped_lines() {
	timeout 20 "$SYNCRUN" -i </dev/null >"$out" 2>"$err"
	expect_eq "$?" 0 "exit code of an empty input"
	expect_empty "$out"
	printf '1 + 1\nfor i = 1, 2 do\n\tprint("line", i)\nend\n"no newline at the end"' | timeout 20 "$SYNCRUN" -i >"$out" 2>"$err"
	expect_eq "$?" 0 "exit code of a pipe"
	expect_same "$out" '2
line	1
line	2
"no newline at the end"'
	echo 'return "of the script"' >before.lua
	printf 'error "boom"\n"goes on"\nfor i = 1, 2 do\n' >lines
	timeout 20 "$SYNCRUN" -e 'print "first"' -i before.lua <lines >"$out" 2>"$err"
	expect_eq "$?" 6 "exit code of lines that fail"
	expect_same "$out" "first
error: prompt:1: boom
\"goes on\"
error: prompt:1: 'end' expected near <eof>"
	(echo '"early"'; until grep -q early "$out"; do sleep 0.05; done; echo '"late"') | timeout 20 "$SYNCRUN" -i >"$out" 2>"$err"
	expect_same "$out" '"early"
"late"'
	head -c 17000000 /dev/zero | tr '\0' x | timeout 20 "$SYNCRUN" -i >"$out" 2>"$err"
	expect_text "$err" "a line of standard input is longer than 16 MiB"
}

# Without standard streams nothing that is opened takes their place; nohup is heeded.
odd_starts() {
	timeout 20 "$SYNCRUN" -i <&-
	expect_eq "$?" 0 "exit code without standard input"
	timeout 20 "$SYNCRUN" -e 'local f = assert(io.open("kept", "w")) print "lost" f:write "kept" f:close() return 3' >&- 2>&- <&-
	expect_eq "$?" 3 "exit code without any stream"
	expect_eq "$(cat kept)" kept "what a script wrote without any stream"
	(
		trap '' HUP
		exec "$SYNCRUN" -e 'print "ready" io.stdout:flush() require "syncrun.task".sleep(0.5) return 4' >"$out" 2>"$err"
	) &
	local pid=$!
	until grep -q ready "$out" 2>/dev/null || ! kill -0 $pid 2>/dev/null; do sleep 0.02; done
	kill -HUP $pid
	wait $pid
	expect_eq "$?" 4 "exit code under nohup"
}

help_texts() {
	local name
	run --help
	expect_exit 0
	expect_line "$out" "usage: syncrun [options] [SCRIPT [arguments]]"
	expect_empty "$err"
	run --version
	expect_text "$out" "syncrun "
	for name in full_sync setup sandbox; do
		run "$scripts/$name.lua" --help
		expect_exit 0
		expect_line "$out" "usage: syncrun scripts/$name.lua [options]"
		expect_text "$out" "  --help"
		expect_empty "$err"
	done
	run "$scripts/full_sync.lua" --help
	for name in --limit --skip-sync --only --config --report --json --quiet --strict-extras; do expect_text "$out" "  $name"; done
}

# ---- with the systems

start_sandbox sandbox --contacts 1200 --twenty-rate 30/5
start_postgres
set_up

# interrupted SIGNAL PEOPLE ARGUMENTS...: full_sync, sent the signal when Twenty holds so many people.
interrupted() {
	local signal=$1 people=$2
	shift 2
	code=$("$python" "$lib/driver.py" interrupt "$signal" "$people" "$out" "$err" "$SYNCRUN" "$scripts/full_sync.lua" "$@" 2>&1)
}

stopped_and_resumed() {
	interrupted SIGINT 200
	expect_exit 130
	expect_text "$err" "run the same command again"
	expect_no_text "$out" "SUCCESS"
	local held=$(reader stat twenty.people)
	[ "$held" -lt 1200 ] || fail "it was not interrupted in the middle ($held people)"
	interrupted SIGTERM $((held + 200))
	expect_exit 143
	expect_no_text "$out" "SUCCESS"
	RUN_TIMEOUT=120 full_sync
	expect_exit 0
	expect_totals 1200 1200 1200 0 0
	expect_eq "$(reader total_count) $(reader people | sort -u | wc -l)" "1200 1200" "people, none twice"
	expect_eq "$(sql "select count(*) from contacts_master")" 1200 "rows in Postgres"
	expect_eq "$(find "$SYNCRUN_STATE" -name 'spool*' -o -name 'again*')" "" "scratch files left behind"
}

prompt() {
	local id
	id=$(sql "select contact_id from contacts_master order by contact_id limit 1 offset 7")
	sql "update contacts_master set nickname = 'Tampered' where contact_id = '$id'"
	cd "$repository" || return # the prompt looks for the mapping in ./scripts
	"$python" "$lib/driver.py" terminal "$SYNCRUN" >"$out" <<-END
		1 + 1
		help()
		validate("$id").CRM
		validate("$id").Supabase
		contact("$id").Supabase[1].nickname
		validate("nobody")
		for i = 1, 2 do
		print("line " .. i)
		end
		error "boom"
		"still here"
	END
	cd "$home" || return
	expect_text "$out" "help() shows what there is"
	expect_line "$out" "2"
	expect_line "$out" "{}"
	expect_text "$out" 'nickname is \"Tampered\", expected '
	expect_line "$out" '"Tampered"'
	expect_text "$out" "Missing in BigQuery"
	expect_line "$out" "line 2"
	expect_text "$out" "error: prompt:1: boom"
	expect_line "$out" '"still here"'
	expect_line "$out" "exit code 0"
}

# What the systems are called at the prompt.
names_at_the_prompt() {
	cd "$repository" || return
	printf 'crm == twenty, source == bigquery, systems.Local == local_db\nhelp()\nlocal_db\nsupabse\nfoo\n' >"$work/lines"
	timeout 20 "$SYNCRUN" -i <"$work/lines" >"$out" 2>"$err"
	expect_eq "$(head -n 3 "$out" | tr '\n' ' ')" "true true true " "the names"
	expect_line "$out" "bigquery, crm, local_db, source, supabase, twenty"
	expect_text "$out" "Local: sqlite, table contacts_master of "
	expect_line "$out" "error: undeclared global 'supabse', did you mean 'supabase'?"
	expect_line "$out" "error: undeclared global 'foo'"
	echo 'supabase' | SUPABASE_DB_URL='' timeout 20 "$SYNCRUN" -i >"$out" 2>"$err"
	expect_line "$out" "error: Supabase is not configured (SUPABASE_DB_URL is not set)"
	cd "$home" || return
	echo 'return { targets = { { kind = "sqlite", label = "EU copy", path = "x.db" },
		{ kind = "sqlite", label = "Repeat", path = "y.db" } } }' >targets.lua
	run --lua "$scripts" -e "local named = require 'syncrun.flow.inspect'.open { config = 'targets.lua' }.named
		for _, name in ipairs { 'eu_copy', 'repeat_', 'source', 'bigquery' } do print(named[name].label) end"
	expect_same "$out" "EU copy
Repeat
BigQuery
BigQuery"
}

# The modules that a script of one's own uses.
own_script() {
	cat >own.lua <<-END
		package.path = package.path .. ";$scripts/?.lua"
		local session = require "syncrun.flow.inspect".open()
		local wrong = session:validate(arg[1])
		for _, label in ipairs { "BigQuery", "CRM", "Supabase", "Local" } do print(label, #wrong[label]) end
		session:close()
		return 0
	END
	run own.lua "$(sql "select contact_id from contacts_master where nickname = 'Tampered'")"
	expect_exit 0
	expect_same "$out" "BigQuery	0
CRM	0
Supabase	1
Local	0"
}

story "-e, a script, standard input: output and exit codes" code_and_input
story "a script's error: exit 6 with a traceback; mistakes of use: exit 2" script_errors
story "lines from a pipe, a file, nowhere" piped_lines
story "closed standard streams, nohup" odd_starts
story "--help of each script" help_texts
story "SIGINT and SIGTERM in the middle; a following run completes, nothing twice" stopped_and_resumed
story "the prompt on a terminal" prompt
story "the systems at the prompt have the names of the registry; a slip is answered with what was meant" names_at_the_prompt
story "a script of one's own validates a contact" own_script
finish
