#!/usr/bin/env bash
# Run tests, and end with one line "N passed, N failed": run.sh [c|lua|shell|e2e|FILE]... By hand it builds what it needs.
# BUILD names the build folder, JOBS how many files run side by side (as many as there are processors). Each file's output goes
# to $BUILD/log; what failed is shown. The Lua and end-to-end tests get a private PostgreSQL (SYNCRUN_TEST_PG), which is stopped
# whatever happens.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${BUILD:-build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
SYNCRUN=$build/syncrun
ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1}
UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export SYNCRUN ASAN_OPTIONS UBSAN_OPTIONS
passed=0 failed=0 skipped=0
jobs=${JOBS:-$(nproc)}
postgres=''
declare -A file_of=() since_of=() # the file by its process, the second it began by the file
started=$(date +%s)

clean_up() {
	for child in "${!file_of[@]}"; do kill "$child" 2>/dev/null; done # timeout passes it on to the test
	wait
	[ -z "$postgres" ] || {
		scripts/private_postgres.sh stop "$postgres"
		rm -rf "$postgres"
	}
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The tests must not talk to anybody's real systems, whatever the caller's environment says.
forget_accounts() {
	unset BIGQUERY_EMULATOR_HOST BIGQUERY_TABLE BIGQUERY_WHERE BIGQUERY_LOCATION GOOGLE_APPLICATION_CREDENTIALS \
		GOOGLE_CLOUD_PROJECT GCLOUD_PROJECT GOOGLE_CLOUD_QUOTA_PROJECT CLOUDSDK_CONFIG GCE_METADATA_HOST TWENTY_API_URL \
		TWENTY_API_KEY TWENTY_CRM_API_KEY SUPABASE_DB_URL LOCAL_DB SYNCRUN_TABLE SYNCRUN_STATE SYNCRUN_LUA \
		SYNCRUN_LOG SYNCRUN_LOG_JSON http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
	for name in $(env | sed -n 's/^\(PG[A-Z]*\)=.*/\1/p'); do unset "$name"; done
}

start_postgres() {
	postgres=$(mktemp -d)
	if ! SYNCRUN_TEST_PG=$(scripts/private_postgres.sh start --fast --tcp 0 "$postgres"); then
		echo "FAILED  no private PostgreSQL" && failed=$((failed + 1))
	fi
	export SYNCRUN_TEST_PG
}

# number WORD LINE: the number before the word in the line, 0 without one.
number() {
	printf '%s\n' "$2" | sed -n "s/.*\(^\|[^0-9]\)\([0-9][0-9]*\) $1.*/\2/p" | grep . || echo 0
}

# cmocka's own closing lines, as one of ours.
count_cmocka() {
	awk '/^\[  PASSED  \] [0-9]+ test/ { p = $4 } /^\[  SKIPPED \] [0-9]+ test/ { s = $4 } /^\[  FAILED  \] [0-9]+ test/ { f = $4 }
		END { printf "%d passed, %d failed, %d skipped\n", p, f, s }' "$1"
}

log_of() {
	printf '%s' "$build/log/$(printf '%s' "$1" | tr '/ ' '__').log"
}

# start NAME COMMAND...: run it beside us, so that a signal to us is heard at once; a shell's jobs ignore Ctrl-C, tests of it must
# not.
start() {
	local name=$1
	shift
	since_of[$name]=$(date +%s)
	env --default-signal=INT,QUIT timeout -k 10 "${TEST_TIMEOUT:-300}" "$@" </dev/null >"$(log_of "$name")" 2>&1 &
	file_of[$!]=$name
}

# judge NAME STATUS: add the counts of a test that has ended to ours, show what failed.
judge() {
	local name=$1 status=$2 log line p f s verdict='ok    '
	log=$(log_of "$name")
	case $name in
	tests/c/*) line=$(count_cmocka "$log") ;;
	*) line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1) ;;
	esac
	p=$(number passed "$line") f=$(number failed "$line") s=$(number skipped "$line")
	if [ "$status" = 0 ] && [ "$((p + f + s))" = 0 ]; then p=1; fi # a script without counts is one test
	if [ "$status" != 0 ] && [ "$f" = 0 ]; then f=1; fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	[ "$f" = 0 ] || verdict=FAILED
	printf '%s  %-36s %4d passed, %d failed, %d skipped, %d s\n' "$verdict" "$name" "$p" "$f" "$s" $(($(date +%s) - since_of[$name]))
	if [ "$f" != 0 ]; then
		echo "        exit code $status; the whole output is in $log"
		if grep -qE '^(FAILED|skipped|ok) ' "$log"; then
			grep -vE '^(ok|skipped|#) ' "$log" | tail -n 60
		else
			tail -n 40 "$log"
		fi
	elif [ "$s" != 0 ]; then
		grep -E '^skipped |^\[  SKIPPED \] [^0-9]' "$log" | sort -u
	fi
}

# wait_for_one: until one of those that run has ended; it is judged.
wait_for_one() {
	local ended status=0
	wait -n -p ended "${!file_of[@]}" || status=$?
	judge "${file_of[$ended]}" "$status"
	unset "file_of[$ended]"
}

# database_for FILE: the URI of a database of its own, since files run side by side; nothing for one that asks for none.
database_for() {
	local name
	[ -n "${SYNCRUN_TEST_PG:-}" ] && grep -q SYNCRUN_TEST_PG "$1" || return 0
	name=$(basename "$1" .lua)
	psql -qX "$SYNCRUN_TEST_PG" -c "create database $name" && echo "${SYNCRUN_TEST_PG%/*}/$name"
}

start_file() {
	case $1 in
	tests/c/*.c) start "$1" "$build/tests/$(basename "$1" .c)" ;;
	*.lua) # the mapping that ships is tested too
		SYNCRUN_TEST_PG=$(database_for "$1") start "$1" "$SYNCRUN" --lua scripts tests/run.lua "$1"
		;;
	*.sh) start "$1" "$1" ;;
	*) echo "run.sh: '$1' is no test" >&2 && exit 2 ;;
	esac
}

[ $# -gt 0 ] || set -- c lua shell e2e
[ -n "${MAKELEVEL:-}" ] || make -s "BUILD=${BUILD:-build}" tests || exit 1
forget_accounts
mkdir -p "$build/log"
case " $* " in *' lua '* | *' e2e '* | *.lua* | *e2e/*) start_postgres ;; esac
for what in "$@"; do
	case $what in
	c) files=$(ls tests/c/test_*.c) ;;
	lua) files=$(ls tests/lua/*_test.lua) ;;
	shell) files=$(ls tests/*_test.sh) ;;
	e2e) files=$(ls tests/e2e/*.sh tests/e2e/*.lua 2>/dev/null) ;;
	*) files=$what ;;
	esac
	for file in $files; do
		[ ${#file_of[@]} -lt "$jobs" ] || wait_for_one
		start_file "$file"
	done
done
while [ ${#file_of[@]} -gt 0 ]; do wait_for_one; done
echo "$(($(date +%s) - started)) s"
line="$passed passed, $failed failed"
[ "$skipped" = 0 ] || line="$line, $skipped skipped"
echo "$line"
[ "$failed" = 0 ] && [ "$((passed + skipped))" != 0 ]
