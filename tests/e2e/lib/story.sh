# The ground of the end-to-end stories, sourced by them: a private sandbox and database under one temporary folder, the
# program run as a user runs it, and expectations about what it said, did and left alone. It knows no story.
#
#   story "name" function     run the function; every expectation of it that fails is collected, one line is printed
#   finish                    the last line of a story file: the counts and the exit code

set -u
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd -P)
python=python3
lib=$repository/tests/e2e/lib
scripts=$repository/scripts
shared=${SHARED:-$repository/../shared}
SYNCRUN=${SYNCRUN:-$repository/build/syncrun}
case $SYNCRUN in /*) ;; *) SYNCRUN=$PWD/$SYNCRUN ;; esac
umask 022
work=$(mktemp -d "${TMPDIR:-/tmp}/syncrun-e2e-XXXXXX")
out=$work/stdout err=$work/stderr said=$work/said code=0 # said: all that every run has said
passed=0 failed=0 skipped=0
problems=()
pids=()      # of what runs beside: only these are ended
databases='' # made in the cluster that the caller gave us
clusters=()  # of our own
rule='============================================================'
missing="run 'syncrun scripts/setup.lua' to see, with --apply to make it"

clean_up() {
	local pid folder name
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
	for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
	for folder in "${clusters[@]}"; do
		"$scripts/private_postgres.sh" stop "$folder"
		rm -rf "$folder"
	done
	for name in $databases; do
		psql -qX "$SYNCRUN_TEST_PG" -c "drop database if exists $name with (force)" >/dev/null 2>&1
	done
	[ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Nobody's real systems, whatever the caller's environment says.
forget_accounts() {
	local name
	unset BIGQUERY_EMULATOR_HOST BIGQUERY_TABLE BIGQUERY_WHERE BIGQUERY_LOCATION GOOGLE_APPLICATION_CREDENTIALS \
		GOOGLE_CLOUD_PROJECT GCLOUD_PROJECT GOOGLE_CLOUD_QUOTA_PROJECT CLOUDSDK_CONFIG GCE_METADATA_HOST TWENTY_API_URL \
		TWENTY_API_KEY TWENTY_CRM_API_KEY SUPABASE_DB_URL LOCAL_DB SYNCRUN_TABLE SYNCRUN_STATE SYNCRUN_LOG SYNCRUN_LOG_JSON
	for name in $(compgen -e PG) http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY; do unset "$name"; done
	export HOME=$work/home NO_PROXY='*'
}

# ---- stories

# story NAME FUNCTION
story() {
	problems=()
	"$2"
	if [ ${#problems[@]} -eq 0 ]; then
		passed=$((passed + 1))
		echo "ok      $1"
		return 0
	fi
	failed=$((failed + 1))
	echo "FAILED  $1: ${problems[0]:0:900}"
	local problem
	for problem in "${problems[@]:1:4}"; do echo "        ${problem:0:300}"; done
	[ ${#problems[@]} -le 5 ] || echo "        and $((${#problems[@]} - 5)) more"
	return 1
}

skip() {
	skipped=$((skipped + 1))
	echo "skipped $1: $2"
}

fail() {
	problems+=("$*")
	return 1
}

finish() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ $failed -eq 0 ]
	exit
}

# wait_until SECONDS COMMAND...: until the command succeeds; what never comes is a failure, not a test that hangs.
wait_until() {
	local tries=$(($1 * 50))
	shift
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || { fail "never came: $*"; return 1; }
		sleep 0.02
	done
}

is_there() {
	if [ $# -eq 1 ]; then [ -e "$1" ]; else grep -qsF -e "$2" "$1"; fi
}

# appears FILE [TEXT]: wait for the file, or a text in it.
appears() {
	wait_until 30 is_there "$@" || fail "$1: $(head_of "$1")"
}

# ---- the systems

# start_sandbox NAME ARGUMENTS...: in $work/NAME; its variables are exported, as a user's shell would have them.
start_sandbox() {
	local dir=$work/$1 tries=0
	shift
	"$SYNCRUN" "$scripts/sandbox.lua" --dir "$dir" "$@" >"$dir.log" 2>&1 &
	sandbox=$!
	pids+=("$sandbox")
	while [ ! -f "$dir/env" ]; do
		tries=$((tries + 1))
		if [ $tries -gt 600 ] || ! kill -0 "$sandbox" 2>/dev/null; then
			echo "FAILED  the sandbox does not start: $(tail -n 3 "$dir.log")"
			exit 1
		fi
		sleep 0.05
	done
	. "$dir/env"
}

stop_sandbox() {
	kill "$sandbox" && wait "$sandbox"
}

# sandbox_faults JSON: the sandbox's BigQuery behaves like this from now on.
sandbox_faults() {
	curl -sf -X POST "$BIGQUERY_EMULATOR_HOST/_sandbox/faults" -d "$1" >/dev/null || fail "the sandbox takes no faults"
}

# faults FAULT,…: the same, with a list of faults.
faults() {
	sandbox_faults "{\"faults\": [$1]}"
}

# start_postgres: a database of our own, empty; SUPABASE_DB_URL says where.
start_postgres() {
	local name
	if [ -n "${SYNCRUN_TEST_PG:-}" ]; then
		name=e2e_$$_$(date +%s%N)
		databases="$databases $name"
		psql -qX "$SYNCRUN_TEST_PG" -c "create database $name" || exit 1
		SUPABASE_DB_URL=${SYNCRUN_TEST_PG%/*}/$name
	else
		clusters+=("$(mktemp -d)")
		SUPABASE_DB_URL=$("$scripts/private_postgres.sh" start --fast --tcp 0 "${clusters[-1]}") || exit 1
	fi
	export SUPABASE_DB_URL
}

# A fresh folder to run in: nothing of a former story is in it.
fresh_folder() {
	home=$work/$1
	mkdir -p "$home"
	cd "$home" || exit 1
	export SYNCRUN_STATE=$home/state LOCAL_DB=$home/contacts.db
}

# ---- running

# run [NAME=VALUE]... ARGUMENTS...: syncrun as a user runs it; its output is in $out and $err, its exit code in $code.
run() {
	local variables=()
	while [[ $1 =~ ^[A-Za-z_]+= ]]; do
		variables+=("$1")
		shift
	done
	env "${variables[@]}" timeout -k 5 "${RUN_TIMEOUT:-120}" "$SYNCRUN" "$@" >"$out" 2>"$err" </dev/null
	code=$?
	cat "$out" "$err" >>"$said"
}

full_sync() {
	local variables=()
	while [[ ${1:-} =~ ^[A-Za-z_]+= ]]; do
		variables+=("$1")
		shift
	done
	run "${variables[@]}" "$scripts/full_sync.lua" "$@"
}

# The ground of a file's stories: nothing can be told without it.
set_up() {
	run "$scripts/setup.lua" --apply "$@"
	[ "$code" -eq 0 ] && return
	echo "FAILED  setup --apply: exit code $code: $(head_of "$err")"
	exit 1
}

# beside ARGUMENTS...: syncrun in the background; its exit code is in $code after ends. A shell's jobs ignore Ctrl-C.
beside() {
	env --default-signal=INT timeout -k 5 120 "$SYNCRUN" "$@" >"$out" 2>"$err" </dev/null &
	runner=$!
}

ends() {
	wait "$runner"
	code=$?
}

# ---- asking the systems by another way than the program's

reader() {
	"$python" "$lib/reader.py" "$@"
}

sql() {
	psql -qXAt -F ' | ' "$SUPABASE_DB_URL" -c "$1"
}

local_sql() {
	reader sqlite "$LOCAL_DB" "$1"
}

# What every system holds, as one text: it changes when anything was written, even with the same values.
fingerprint() {
	reader state "$LOCAL_DB"
	sql "select count(*), max(xmin::text::bigint), sum(xmin::text::bigint),
		(select count(*) from pg_class where relnamespace = 'public'::regnamespace) from public.contacts_master" 2>&1
}

# ---- expectations

head_of() {
	head -c 400 "$1" | tr '\n' '~'
}

expect_exit() {
	[ "$code" -eq "$1" ] || fail "exit code $code, want $1; stderr: $(head_of "$err"); stdout ends: $(tail -n 6 "$out" | tr '\n' '~')"
}

# expect_eq GOT WANT WHAT
expect_eq() {
	[ "$1" = "$2" ] || fail "$3: got '$1', want '$2'"
}

# expect_line FILE LINE: a whole line.
expect_line() {
	grep -qxF -e "$2" "$1" || fail "no line '$2' in $(basename "$1"): $(tail -n 40 "$1" | head_of /dev/stdin)"
}

# expect_text FILE TEXT: a part of a line.
expect_text() {
	grep -qF -e "$2" "$1" || fail "no '$2' in $(basename "$1"): $(head_of "$1")"
}

expect_no_text() {
	if grep -qF -e "$2" "$1"; then fail "'$2' is in $(basename "$1"): $(grep -m 1 -F -e "$2" "$1" | head -c 300)"; fi
}

expect_empty() {
	[ ! -s "$1" ] || fail "$(basename "$1") is not empty: $(head_of "$1")"
}

# expect_same FILE WANTED: the file's text is this, to the letter.
expect_same() {
	printf '%s\n' "$2" >"$work/wanted"
	cmp -s "$work/wanted" "$1" || fail "$(basename "$1") differs: $(diff "$work/wanted" "$1" | head -n 20 | tr '\n' '~')"
}

# expect_block FILE TITLE LINES: the lines between the rule under TITLE and the next rule or blank line.
expect_block() {
	local got
	got=$(awk -v title="$2" '$0 == title { getline; inside = 1; next } inside && ($0 == "" || /^=+$/) { exit } inside' "$1")
	[ "$got" = "$3" ] || fail "block $2: $(diff <(echo "$3") <(echo "$got") | head -n 30 | tr '\n' '~')"
}

# expect_totals TOTAL SYNCED VALIDATED ERRORS ISSUES
expect_totals() {
	expect_line "$out" "Total Contacts: $1"
	expect_line "$out" "✅ Successfully Synced: $2"
	expect_line "$out" "✅ Validated in All Systems: $3"
	expect_line "$out" "❌ Errors: $4"
	expect_line "$out" "⚠️  Missing/Mismatched: $5"
}

# expect_refused CODE TEXT...: one message on stderr that holds the texts, nothing on stdout.
expect_refused() {
	local wanted=$1 text
	shift
	expect_exit "$wanted"
	expect_empty "$out"
	for text in "$@"; do expect_text "$err" "$text"; done
	expect_eq "$(grep -vc -e ' info  ' "$err")" 1 "lines on stderr ($(head_of "$err"))"
}

# success_block TOTAL [SYSTEMS]: the last lines, as the founding document has them.
success_block() {
	cat <<-END
		$rule
		✅ SUCCESS - ALL CONTACTS SYNCED AND VALIDATED${2:-}
		$rule

		Total Contacts: $1
		Synced: $1
		Validated: $1

		✅ NO EXCEPTIONS - ALL DATA IN SYNC${2:-}
	END
}

# records FILE CODE: newline-delimited JSON of what the Python code yields; `contact(i, **more)` makes plain ones.
records() {
	"$python" "$lib/records.py" "$2" >"$1" || exit 1
}

forget_accounts
for program in python3 psql; do
	command -v "$program" >/dev/null && continue
	skip "$(basename "$0")" "there is no $program"
	finish
done
python=$(python3 -c 'import sys; print(sys.executable)') # past the wrappers of version managers, which are slow
