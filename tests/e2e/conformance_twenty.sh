#!/bin/sh
# Replays the recordings of a real Twenty 2.21 server against the sandbox's Twenty and checks the share that agrees.
# Needs ../shared (the recordings and their player) and python3; says so and passes when they are not there.
# usage: tests/e2e/conformance_twenty.sh [least share in percent, 97]
set -eu
cd "$(dirname "$0")/../.."
least=${1:-97}
syncrun=${SYNCRUN:-build/syncrun}
shared=${SHARED:-../shared}
recordings=$shared/facts/recordings/twenty
player=$shared/tools/replay_twenty.py

if [ ! -f "$player" ] || [ ! -d "$recordings" ] || ! command -v python3 >/dev/null; then
	echo "SKIPPED conformance_twenty: no recordings in '$shared', or no python3"
	exit 0
fi

dir=$(mktemp -d)
pid=
cleanup() {
	if [ -n "$pid" ]; then
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	fi
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

cat >"$dir/serve.lua" <<'LUA'
local task = require "syncrun.task"
local dir = os.getenv "CONFORMANCE_DIR"
local server = require "sandbox.twenty".start { dir = dir, token = "conformance", rate = false, short = false }
local f <close> = assert(io.open(dir .. "/url.tmp", "w"))
f:write(server.url)
f:close()
assert(os.rename(dir .. "/url.tmp", dir .. "/url"))
task.wait_signal()
server.stop()
LUA
CONFORMANCE_DIR=$dir "$syncrun" --lua scripts "$dir/serve.lua" &
pid=$!
tries=0
while [ ! -f "$dir/url" ]; do
	tries=$((tries + 1))
	if [ $tries -gt 200 ] || ! kill -0 "$pid" 2>/dev/null; then
		echo "FAILED conformance_twenty: the sandbox did not start"
		exit 1
	fi
	sleep 0.05
done

python3 "$player" "$recordings" . "$(cat "$dir/url")" conformance "$recordings/STABLE.txt" >"$dir/report"
sed -n 's/^all \([0-9]*\) of \([0-9]*\)$/\1 \2/p' "$dir/report" >"$dir/share"
read -r agree judged <"$dir/share"
if [ $((agree * 100)) -lt $((judged * least)) ]; then
	cat "$dir/report"
	echo "FAILED conformance_twenty: $agree of $judged exchanges agree, wanted $least %"
	exit 1
fi
echo "ok conformance_twenty: $agree of $judged exchanges agree (at least $least % wanted)"
