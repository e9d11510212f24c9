-- Settings: what wins over what, .env files, mistakes that are named.
local config = require "syncrun.flow.config"
local t = require "syncrun.test"

local function file(text)
	local path = os.tmpname()
	local out = assert(io.open(path, "w")) -- not the redacting writer: it would mask what is to be read
	out:write(text)
	out:close()
	return path
end

local none = "/nonexistent/.env"

t.test("config: .env files: export, quotes, comments", function()
	local path = file "# a comment\nexport A=1\nB='two words' \nC=\"x\\ny\"\nD=plain # tail\n\nE=\n"
	t.eq(config.read_env(path), { A = "1", B = "two words", C = "x\ny", D = "plain", E = "" })
	os.remove(path)
end)

t.test("config: a broken .env line is named", function()
	local path = file "A=1\nnonsense\n"
	t.contains(t.raises(function() config.read_env(path) end, "config").message, "line 2")
	os.remove(path)
end)

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

t.test("config: secrets are masked once read", function()
	local log = require "syncrun.log"
	local env = file "TWENTY_API_KEY=canary-key-4711\nSUPABASE_DB_URL=postgresql://u:canary-pass-1@h/db\n"
	config.load { env_file = env }
	os.remove(env)
	t.eq(log.redact "x canary-key-4711 y canary-pass-1", "x *** y ***")
end)
