-- Run Lua test files: syncrun tests/run.lua [--filter TEXT] FILE... Ends with "N passed, N failed"; exit 1 on a failure.
local test = require "syncrun.test"
local task = require "syncrun.task"

local files, filter, total = {}, nil, { 0, 0, 0 }
local i = 1
while arg[i] do
	if arg[i] == "--filter" then
		filter = arg[i + 1]
		i = i + 1
	else
		files[#files + 1] = arg[i]
	end
	i = i + 1
end

for _, file in ipairs(files) do
	print("# " .. file)
	local chunk, why = loadfile(file, "t")
	if not chunk then
		print("FAILED  " .. file .. ": " .. why)
		total[2] = total[2] + 1
	else
		local ok, e = pcall(chunk)
		if not ok then
			print("FAILED  " .. file .. ": " .. tostring(e))
			total[2] = total[2] + 1
		end
		local passed, failed, skipped = test.run(filter)
		collectgarbage()
		collectgarbage()
		if task.active() > 0 then
			print(("FAILED  %s: left %d timers, descriptors or transfers behind"):format(file, task.active()))
			failed = failed + 1
		end
		total[1], total[2], total[3] = total[1] + passed, total[2] + failed, total[3] + skipped
	end
end
print(("%d passed, %d failed, %d skipped"):format(total[1], total[2], total[3]))
return total[2] == 0 and 0 or 1
