-- The sandbox: BigQuery and Twenty on loopback over SQLite files in one folder, until a signal ends it. It knows how
-- the two are filled, started and announced; what they answer is theirs.

local bigquery = require "sandbox.bigquery"
local err = require "syncrun.err"
local file = require "syncrun.file"
local people = require "sandbox.people"
local ports_of = require "sandbox.ports"
local postgres = require "sandbox.postgres"
local task = require "syncrun.task"
local twenty = require "sandbox.twenty"

local M = {}

local PROJECT, DATASET, TABLE = "sandbox", "identity", "contacts_master"

local function say(format, ...)
	io.stderr:write(format:format(...), "\n")
end

local function none()
	return nil
end

-- The contacts table: from a file, generated, left as it is, or empty.
local function fill(o)
	local at = { dir = o.dir, project = PROJECT, dataset = DATASET, table = TABLE }
	if o.load then
		at.file = o.load
	elseif o.contacts or o.odd then
		at.records = people.records(o.contacts or 0, { odd = o.odd })
	elseif bigquery.loaded(at) then
		say("%s.%s is kept as it is in '%s'", DATASET, TABLE, o.dir)
		return
	else
		at.records = none
	end
	local r = bigquery.load(at)
	say("%s.%s: %d rows loaded%s", DATASET, TABLE, r.rows, r.replaced and ", replacing the former ones" or "")
	if #r.others > 0 then
		say("further columns: %s", table.concat(r.others, ", "))
	end
end

local function quoted(text)
	return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- The file is made private before the key goes into it. It is written by io, for the host's own writer masks secrets.
local function write_env(path, entries)
	local temporary = path .. ".tmp"
	file.create(temporary):close()
	local lines = {}
	for i, e in ipairs(entries) do
		lines[i] = ("export %s=%s\n"):format(e[1], quoted(e[2]))
	end
	local f <close> = assert(io.open(temporary, "w"))
	if not (f:write(table.concat(lines)) and f:flush() and os.rename(temporary, path)) then
		err.raise { kind = "config", message = ("cannot write '%s'; is the disk full?"):format(path) }
	end
end

local function announce(o, bq, tw, uri)
	local entries = {
		{ "BIGQUERY_EMULATOR_HOST", bq.url },
		{ "GOOGLE_CLOUD_PROJECT", PROJECT },
		{ "BIGQUERY_TABLE", DATASET .. "." .. TABLE },
		{ "TWENTY_API_URL", tw.url },
		{ "TWENTY_API_KEY", tw.token },
	}
	if uri then
		entries[#entries + 1] = { "SUPABASE_DB_URL", uri }
	end
	write_env(o.dir .. "/env", entries)
	print(("sandbox ready: BigQuery %s, Twenty %s; the environment is in %s/env"):format(bq.url, tw.url, o.dir))
	io.stdout:flush()
end

-- "100/60" as {tokens=, window_ms=}; "off" as false.
local function rate_of(text)
	if text == nil or text == "off" then
		return text == nil and nil or false
	end
	local tokens, seconds = text:match("^(%d+)/([%d.]+)$")
	tokens, seconds = math.tointeger(tonumber(tokens)), tonumber(seconds)
	if not tokens or not seconds or tokens < 1 or seconds <= 0 then
		err.raisef("usage", "'--twenty-rate' takes N/SECONDS or off, not '%s'", text)
	end
	return { tokens = tokens, window_ms = math.max(1, math.floor(seconds * 1000)) }
end

local function at_end(fn)
	return setmetatable({}, { __close = fn })
end

local function start_twenty(o, routes, port)
	local settings = { dir = o.dir, port = port, rate = rate_of(o.twenty_rate), extra_routes = routes }
	if settings.rate ~= nil then
		settings.short = false -- one limit, the one that was asked for
	end
	return twenty.start(settings)
end

local function start_postgres(o)
	if not o.postgres then
		return nil, at_end(none)
	end
	return postgres.start(o.dir), at_end(function()
		postgres.stop(o.dir)
	end)
end

local function serve(o)
	local bq, tw
	local ports = ports_of.open(o.dir)
	local routes = {
		["/_sandbox/stats"] = function()
			return { status = 200, json = { bigquery = bq.stats(), twenty = tw.stats() } }
		end,
	}
	bq = ports:start("bigquery", o.port_bigquery, function(port)
		return bigquery.start { dir = o.dir, port = port, project = PROJECT, dataset = DATASET, extra_routes = routes }
	end)
	local _ <close> = at_end(bq.stop)
	tw = ports:start("twenty", o.port_twenty, function(port)
		return start_twenty(o, routes, port)
	end)
	local _ <close> = at_end(tw.stop)
	local _ <close> = at_end(function()
		os.remove(o.dir .. "/env")
	end)
	ports:save()
	local uri, stop_postgres = start_postgres(o)
	local _ <close> = stop_postgres
	announce(o, bq, tw, uri)
	task.wait_signal()
end

-- One sandbox a folder.
local function lock(dir)
	local held, pid = file.lock(dir .. "/lock")
	if not held then
		err.raise {
			kind = "config",
			message = ("another sandbox (pid %d) serves '%s'; stop it, or give another --dir"):format(pid, dir),
		}
	end
	return held
end

---Fill and serve a sandbox until SIGINT, SIGTERM or SIGHUP.
---@param o table {dir=, load=, contacts=, odd=, port_bigquery=, port_twenty=, twenty_rate="N/SECONDS"|"off", postgres=}
function M.run(o)
	if o.load and (o.contacts or o.odd) then
		err.raise { kind = "usage", message = "'--load' and '--contacts' or '--odd' exclude each other; give one" }
	end
	rate_of(o.twenty_rate)
	file.make_folder(o.dir)
	local _ <close> = lock(o.dir)
	os.remove(o.dir .. "/env")
	fill(o)
	serve(o)
end

return M
