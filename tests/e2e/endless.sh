#!/bin/bash
# What never ends by itself: loops in child tasks, patterns that are matched for years, SQL that counts for ever, transforms
# and checks that never return. One Ctrl-C, one SIGTERM or the deadline ends each, with its exit code, and the next run goes on.
. "$(dirname "$0")/lib/story.sh"

fresh_folder endless
cat >endless.lua <<'END'
local task = require "syncrun.task"
local function ready() io.stdout:write "ready\n" io.stdout:flush() end
local function spin() ready() while true do end end
local ways = {
	loop = spin,
	child = function() task.scope(function(s) s:spawn(spin) end) end,
	background = function() task.spawn(spin) task.sleep(600) end,
	map = function() task.map({ 1, 2, 3 }, { limit = 2 }, spin) end,
	coroutine = function() coroutine.wrap(spin)() end,
	callback = function() ("x"):gsub("x", spin) end,
	pcall = function() while true do pcall(spin) end end,
	sql = function()
		ready()
		require "syncrun.sqlite".open ":memory:":query [[WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)
			SELECT count(*) FROM c]]
	end,
	pattern = function()
		ready()
		return (("a"):rep(60)):find(("a-"):rep(30) .. "b")
	end,
	pattern_in_child = function()
		task.scope(function(s) s:spawn(function() ready() return (("a"):rep(60)):find(("a-"):rep(30) .. "b") end) end)
	end,
}
ways[arg[1]]()
END

# stopped SIGNAL ARGUMENTS...: the program, sent the signal once it is in the middle of what does not end.
stopped() {
	local signal=$1
	shift
	code=$("$python" "$lib/driver.py" stop "$signal" "$out" "$err" "$SYNCRUN" "$@" 2>&1)
	cat "$out" "$err" >>"$said"
}

one_signal_ends() { # one_signal_ends WAY...
	local way
	for way in "$@"; do
		stopped SIGINT endless.lua "$way"
		[ "$code" = 130 ] || fail "$way: Ctrl-C: '$code'"
		stopped SIGTERM endless.lua "$way"
		[ "$code" = 143 ] || fail "$way: SIGTERM: '$code'"
	done
}

scripts_end() {
	one_signal_ends loop child background map coroutine callback pcall sql
	expect_no_text "$said" "in the middle of a call"
}

calls_end() {
	one_signal_ends pattern pattern_in_child
	expect_text "$err" "syncrun: stopped in the middle of a call that does not end; a run that was under way is gone on with"
}

own_time_ends() {
	run -e 'local t = require "syncrun.task"
		print(pcall(t.timeout, 0.05, function() t.scope(function(s) s:spawn(function() while true do end end) end) end))'
	expect_exit 0
	expect_line "$out" "false	not finished after 0.05 s"
}

# ---- in a run

start_sandbox sandbox --contacts 60 --twenty-rate off
start_postgres
set_up

# endless_mapping HOW: a mapping whose transform never returns for one contact.
endless_mapping() {
	cat >endless_mapping.lua <<-END
		local mapping = dofile "$scripts/contacts/mapping.lua"
		for _, field in ipairs(mapping.fields) do
			if field[1] == "nickname" then
				field.transform = function()
					io.stdout:write "ready\n"
					io.stdout:flush()
					$1
				end
			end
		end
		return mapping
	END
	echo 'return { mapping = "endless_mapping.lua" }' >endless_config.lua
}

goes_on() {
	run "$scripts/retry.lua" --list
	expect_exit 0
	full_sync
	expect_exit 0
	expect_totals 60 60 60 0 0
}

transform_ends() {
	endless_mapping 'while true do end'
	stopped SIGINT "$scripts/full_sync.lua" --config endless_config.lua
	expect_exit 130
	expect_line "$out" "BigQuery was not read to its end: 0 contacts so far, nothing was written"
	expect_line "$out" "⚠️  INCOMPLETE - RUN THE SAME COMMAND AGAIN TO GO ON"
	stopped SIGTERM "$scripts/full_sync.lua" --config endless_config.lua
	expect_exit 143
	full_sync --config endless_config.lua --deadline 1s
	expect_exit 5
	expect_line "$out" "⚠️  INCOMPLETE - RUN THE SAME COMMAND AGAIN TO GO ON"
	expect_line "$err" "syncrun: the deadline of 1s came; run again to go on"
	goes_on
}

hopeless_transform_ends() {
	endless_mapping 'return (("a"):rep(60)):find(("a-"):rep(30) .. "b") and "x"'
	stopped SIGINT "$scripts/full_sync.lua" --config endless_config.lua
	expect_exit 130
	full_sync --config endless_config.lua --deadline 1s
	expect_exit 5
	expect_text "$err" "stopped in the middle of a call that does not end"
	goes_on
}

check_ends() {
	echo 'return { contact = { function() io.stdout:write "ready\n" io.stdout:flush() while true do end end } }' >endless_checks.lua
	echo 'return { checks = "endless_checks.lua" }' >endless_config.lua
	stopped SIGTERM "$scripts/full_sync.lua" --config endless_config.lua
	expect_exit 143
	full_sync --config endless_config.lua --deadline 1s
	expect_exit 5
	goes_on
}

story "loops of scripts, in children and callbacks too, and endless SQL: one signal ends them" scripts_end
story "a call in C that does not end: one signal ends the program" calls_end
story "a time limit of the script's own ends a loop in a child" own_time_ends
story "a transform that never returns: signal and deadline end the run, with a report" transform_ends
story "a transform in a pattern that is matched for years: signal and deadline end the run" hopeless_transform_ends
story "a check that never returns: signal and deadline end the run" check_ends
finish
