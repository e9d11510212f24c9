-- Settings: what wins over what, .env files, mistakes that are named.
local config = require "syncrun.flow.config"
local err = require "syncrun.err"
local log = require "syncrun.log"
local t = require "syncrun.test"

local function file(text)
	local path = os.tmpname()
	local out = assert(io.open(path, "w")) -- not the redacting writer: it would mask what is to be read
	out:write(text)
	out:close()
	return path
end

local none = "/nonexistent/.env"

t.test("config: .env wins over the file, defaults fill the rest", function()
	local conf = file "return { twenty = { url = 'http://file', key = 'file-key-123456' }, state = 'st' }"
	local env = file "TWENTY_API_URL=http://dotenv\n"
	local c = config.load { file = conf, env_file = env }
	t.eq(c.twenty.url, "http://dotenv")
	t.eq(c.twenty.key, "file-key-123456")
	t.eq(c.state, "st")
	t.eq(c.bigquery.table, "identity.contacts_master")
	t.eq(c.supabase, false)
	t.eq(c.local_db.path, "contacts.db")
	os.remove(conf)
	os.remove(env)
end)

t.test("config: the local database lies beside the state folder, or is off", function()
	local conf = file "return { state = '/var/lib/x/state' }"
	t.eq(config.load({ file = conf, env_file = none }).local_db.path, "/var/lib/x/contacts.db")
	os.remove(conf)
	local env = file "LOCAL_DB=off\n"
	t.eq(config.load({ env_file = env }).local_db, false)
	os.remove(env)
end)

t.test("config: mistakes are named with a remedy", function()
	local function message(text)
		local path = file(text)
		local e = t.raises(function() config.load { file = path, env_file = none } end, "config")
		os.remove(path)
		return e.message
	end
	t.contains(message "return { twnty = {} }", "did you mean 'twenty'?")
	t.contains(message "return { twenty = { urll = '' } }", "'twenty.urll'")
	t.contains(message "return 3", "does not return a table")
	t.contains(message "return {", "not valid Lua")
	t.contains(message "error 'x'", "failed")
	t.contains(t.raises(function() config.load { file = "/nonexistent" } end, "config").message, "/nonexistent")
end)

t.test("config: every setting has a type and a range", function()
	local function message(text)
		local path = file("return " .. text)
		local e = t.raises(function() config.load { file = path, env_file = none } end, "config")
		os.remove(path)
		return e.message
	end
	t.contains(message "{ twenty = { rate = 95 } }",
		"is a table like { tokens = 95, every = 0.61 }, or false for no limit, not a number")
	t.contains(message "{ twenty = { rate = { every = 0 } } }", "'twenty.rate.every'")
	t.contains(message "{ twenty = { rate = { token = 1 } } }", "did you mean 'tokens'?")
	t.contains(message "{ twenty = { batch = 201 } }", "a whole number from 1 to 200, not 201")
	t.contains(message "{ twenty = { adopt = 'yes' } }", "is true or false, not text")
	t.contains(message "{ twenty = { revive = 'our' } }", "did you mean 'ours'?")
	t.contains(message "{ bigquery = false }", "'bigquery'")
	t.contains(message "{ bigquery = { read = 'tables' } }", "did you mean 'table'?")
	t.contains(message "{ bigquery = { labels = { 'crm' } } }", "'bigquery.labels'")
	t.contains(message "{ bigquery = { parallel = 0 } }", "of at least 1, not 0")
	t.contains(message "{ supabase = { url = 5 } }", "'supabase.url'")
	t.contains(message "{ recheck_after = -1 }", "'recheck_after'")
	t.contains(message "{ state = '' }", "is empty")
	t.contains(message "{ require = 'supabase' }", "is a list, not text")
end)

t.test("config: numbers as people write them", function()
	local path = file "return { bigquery = { max_bytes_billed = 100 * 2^20 } }"
	t.eq(config.load({ file = path, env_file = none }).bigquery.max_bytes_billed, 100 * 2 ^ 20)
	os.remove(path)
end)

t.test("config: what `require` names must be configured", function()
	local path = file "return { require = { 'local' }, local_db = false }"
	local e = t.raises(function() config.load { file = path, env_file = none } end, "config")
	t.contains(e.message, "requires 'local', which is not configured (LOCAL_DB is off)")
	os.remove(path)
end)

t.test("config: names that are almost ours are warned about, others and set ones are not", function()
	local said, warn = {}, log.warn
	log.warn = function(...) said[#said + 1] = string.format(...) end
	local path = file("TWENTY_API_ULR=x\nTWENTY_KEY=x\nSYNCRUN_STAT=x\nLOCALDB=x\nLOCAL_IP=x\nsupabase_db_url=x\n"
		.. "BIGQUERY_TABLE=d.t\nBIGQUERY_TABEL=d.t\nDATABASE_URL=x\nSUPABASE_ANON_KEY=x\nSYNCRUN_LEDGER=on\n")
	err.try(config.load, { env_file = path })
	err.try(config.load, { env_file = path })
	log.warn = warn
	os.remove(path)
	local meant = {}
	for i, line in ipairs(said) do meant[i] = line:match "variable '(.-)'" .. " " .. line:match "mean '(.-)'" end
	t.eq(meant, { "LOCALDB LOCAL_DB", "SYNCRUN_STAT SYNCRUN_STATE", "TWENTY_API_ULR TWENTY_API_URL",
		"TWENTY_KEY TWENTY_API_KEY", "supabase_db_url SUPABASE_DB_URL" })
end)

t.test("config: a line end behind a value is no part of it", function()
	local env = file "TWENTY_API_URL=http://x\nTWENTY_API_KEY=\"canary-key-with-end\n\"\n"
	local conf = file "return { supabase = { url = 'postgresql://h/db\\r\\n' }, local_db = { path = 'x.db\\n' } }"
	local c = config.load { file = conf, env_file = env }
	os.remove(env)
	os.remove(conf)
	t.eq({ c.twenty.key, c.supabase.url, c.local_db.path }, { "canary-key-with-end", "postgresql://h/db", "x.db" })
	t.eq(log.redact "the canary-key-with-end.", "the ***.")
end)

t.test("config: a line of .env that begins with a name of ours and says nothing is warned about", function()
	local said, warn = {}, log.warn
	log.warn = function(...) said[#said + 1] = string.format(...) end
	local path = file "MY-VAR=1\nSUPABASE_DB_URL postgresql://x\nwhat is this\n"
	err.try(config.load, { env_file = path })
	log.warn = warn
	os.remove(path)
	t.eq(#said, 1)
	t.contains(said[1], "line 2 begins with 'SUPABASE_DB_URL' and gives it no value; write SUPABASE_DB_URL=…")
end)

t.test("config: secrets are masked once read", function()
	local env = file "TWENTY_API_KEY=canary-key-4711\nSUPABASE_DB_URL=postgresql://u:canary-pass-1@h/db\n"
	config.load { env_file = env }
	os.remove(env)
	t.eq(log.redact "x canary-key-4711 y canary-pass-1", "x *** y ***")
end)
