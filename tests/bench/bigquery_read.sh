#!/bin/sh
# Reading generated contacts from the sandbox's BigQuery, all columns, nothing else done: by one chain of tokens and by
# ranges, as a query's result and as the table lies; at the sandbox's own speed and with LATENCY seconds added to every
# answer, as a network has. CONTACTS=1000000 says how many. A line of figures each, with the peak memory.
set -eu
cd "$(dirname "$0")/../.."
syncrun=${SYNCRUN:-build/syncrun}
contacts=${CONTACTS:-1000000}
latency=${LATENCY:-0.1}
dir=$(mktemp -d)
sandbox=''

clean_up() {
	[ -z "$sandbox" ] || kill "$sandbox" 2>/dev/null || true
	[ -z "$sandbox" ] || wait "$sandbox" 2>/dev/null || true
	rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$syncrun" scripts/sandbox.lua --dir "$dir/sandbox" --contacts "$contacts" >"$dir/log" 2>&1 &
sandbox=$!
while [ ! -f "$dir/sandbox/env" ]; do
	kill -0 "$sandbox" 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
	sleep 0.2
done
. "$dir/sandbox/env"

cat >"$dir/read.lua" <<'LUA'
local bigquery = require "syncrun.systems.bigquery"
local time = require "syncrun.time"
local config = { emulator = os.getenv "BIGQUERY_EMULATOR_HOST", project = "sandbox", read = arg[1], parallel = arg[2] }
local source = bigquery.open(config)
local function peak() -- MiB
	for line in io.lines "/proc/self/status" do
		local kib = line:match "^VmHWM:%s*(%d+)"
		if kib then return tonumber(kib) / 1024 end
	end
end
local columns = {}
for i, column in ipairs(source:describe().columns) do columns[i] = column.name end
local since, first, n, bytes, half = time.mono(), nil, 0, 0, 0
for page in source:scan { columns = columns } do
	first = first or time.mono() - since
	n, bytes = n + #page, bytes + page:bytes()
	if n * 2 > tonumber(arg[4]) and half == 0 then half = peak() end
end
local seconds = time.mono() - since
print(("%8d contacts  %-5s parallel %s  latency %4s s  first page after %5.1f s  then %6.1f s %8.0f/s  %5.0f MB  peak %5.1f MiB (half way %5.1f)")
	:format(n, arg[1], arg[2], arg[3], first, seconds - first, n / (seconds - first), bytes / 1e6,
		peak(), half))
LUA
for delay in 0 "$latency"; do
	if [ "$delay" = 0 ]; then list='[]'; else list="[{\"delay\": $delay, \"times\": -1}]"; fi
	curl -sf -X POST "$BIGQUERY_EMULATOR_HOST/_sandbox/faults" -d "{\"faults\": $list}" >"$dir/faults"
	for way in query table; do
		for parallel in 1 4; do "$syncrun" "$dir/read.lua" "$way" "$parallel" "$delay" "$contacts"; done
	done
done
