--- The test library: tests are functions run as tasks, one after the other; asserts raise. tests/run.lua drives it.
local err = require "syncrun.err"

local M = { list = {} }

--- Declare a test.
---@param name string
---@param fn function
function M.test(name, fn)
	M.list[#M.list + 1] = { name = name, fn = fn }
end

local SKIP = {}

--- End the running test as skipped, saying why.
---@param why string
function M.skip(why)
	error({ [SKIP] = why }, 0)
end

local function show(v, depth)
	depth = depth or 0
	if type(v) == "string" then return ("%q"):format(v) end
	if type(v) ~= "table" or depth > 4 or err.is(v) then return tostring(v) end
	local keys, parts = {}, {}
	for k in pairs(v) do keys[#keys + 1] = k end
	table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
	for _, k in ipairs(keys) do parts[#parts + 1] = ("[%s]=%s"):format(show(k, depth + 1), show(v[k], depth + 1)) end
	return "{" .. table.concat(parts, ", ") .. "}"
end

local function same(a, b)
	if a == b then return math.type(a) == math.type(b) end
	if a ~= a and b ~= b then return true end
	if type(a) ~= "table" or type(b) ~= "table" then return false end
	for k, v in pairs(a) do
		if not same(v, b[k]) then return false end
	end
	for k in pairs(b) do
		if a[k] == nil then return false end
	end
	return true
end

--- Deep equality; integers and floats differ.
function M.eq(got, want, what)
	if not same(got, want) then
		error(("%sgot %s, want %s"):format(what and what .. ": " or "", show(got), show(want)), 2)
	end
end

--- The value is neither nil nor false.
function M.ok(value, what)
	if not value then error(what or "not true", 2) end
	return value
end

--- The text contains the part (plain).
function M.contains(text, part, what)
	if not tostring(text):find(part, 1, true) then
		error(("%s%s does not contain %s"):format(what and what .. ": " or "", show(text), show(part)), 2)
	end
end

--- fn(...) raises; `want` is the error's kind or a part of its message. Returns the error object.
function M.raises(fn, want, ...)
	local ok, e = pcall(fn, ...)
	if ok then error("did not raise" .. (want and " (" .. want .. ")" or ""), 2) end
	e = err.wrap(e)
	if want and e.kind ~= want and not e.message:find(want, 1, true) then
		error(("raised %s %q, want %q"):format(e.kind, e.message, want), 2)
	end
	return e
end

--- Run all declared tests whose name contains `filter`; prints a line a test. Returns passed, failed, skipped.
function M.run(filter)
	local passed, failed, skipped = 0, 0, 0
	for _, test in ipairs(M.list) do
		if not filter or test.name:find(filter, 1, true) then
			local ok, e = xpcall(test.fn, function(e)
				if type(e) == "table" then
					if not e[SKIP] and not e.traceback then e.traceback = debug.traceback(nil, 2) end
					return e
				end
				return { message = tostring(e), traceback = debug.traceback(nil, 2) }
			end)
			if ok then
				passed = passed + 1
				print("ok      " .. test.name)
			elseif e[SKIP] then
				skipped = skipped + 1
				print("skipped " .. test.name .. ": " .. e[SKIP])
			else
				failed = failed + 1
				print("FAILED  " .. test.name .. ": " .. tostring(e.message) .. (e.traceback and "\n" .. e.traceback or ""))
			end
			io.stdout:flush()
		end
	end
	M.list = {}
	return passed, failed, skipped
end

return M
