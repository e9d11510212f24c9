-- A world for tests of the flow: a folder with config, mapping, checks and a system of the user's own (fake_system), and runs
-- in it, through the doors that scripts use.
local fake = require "lua.lib.fake_system"
local json = require "syncrun.json"
local run = require "syncrun.flow.run"
local sqlite = require "syncrun.sqlite"

local M = {}

local World = {}
World.__index = World

local MAPPING = [[return { key = "id", name = "who", fields = {
	{ "id", "text", required = true }, { "who", "text", required = true }, { "mail", "text" },
	{ "at", "timestamp", source = "updated_at" },
} }]]

local COLUMNS = { { "id", "text" }, { "who", "text" }, { "mail", "text" }, { "updated_at", "timestamp" } }

local function write(path, text)
	local out <close> = assert(io.open(path, "w"))
	out:write(text)
end

-- What systems/fake.lua finds when it is loaded: the world that runs now.
local present

--- The makers that systems/fake.lua returns.
M.module = {
	new = function(settings, mapping)
		local system = fake.target(mapping, present.target)
		system.name, system.label = settings.name, settings.label
		system.held = present.held[settings.label]
		present.systems[settings.label] = system
		return system
	end,
	source = function(settings)
		present.source = fake.source(require "syncrun.rows".schema(present.columns), present.records, present.source_is)
		present.source.label = settings.label == "fake" and "Source" or settings.label
		return present.source
	end,
}

--- A world. o: records (of the source), target (what fake_system.target takes), source (what fake_system.source takes),
--- mapping, checks, config (more of the config's text), labels (of the targets; default one), columns.
function M.new(o)
	local pipe <close> = assert(io.popen "mktemp -d /tmp/syncrun-flow-XXXXXX")
	local self = setmetatable({ dir = pipe:read "l", records = o.records or {}, target = o.target or {}, held = {},
		systems = {}, source_is = o.source or {}, columns = o.columns or COLUMNS }, World)
	local entries = {}
	for i, label in ipairs(o.labels or { "Fake" }) do
		self.held[label] = {}
		entries[i] = ("{ kind = 'fake', label = %q }"):format(label)
	end
	os.execute(("mkdir -p %s/systems"):format(self.dir))
	write(self.dir .. "/systems/fake.lua", 'return require "lua.lib.fake_world".module')
	write(self.dir .. "/mapping.lua", o.mapping or MAPPING)
	write(self.dir .. "/checks.lua", o.checks or "return {}")
	write(self.dir .. "/config.lua", ([[return { source = { kind = "fake" }, targets = { %s }, mapping = %q, checks = %q,
		state = %q, recheck_after = 0, %s }]]):format(table.concat(entries, ", "), self.dir .. "/mapping.lua",
		self.dir .. "/checks.lua", self.dir .. "/state", o.config or ""))
	return self
end

-- Run f in this world: its systems are the ones that are opened.
function World:with(f, ...)
	local before = present
	present = self
	local results = table.pack(pcall(f, ...))
	present = before
	if not results[1] then error(results[2], 0) end
	return table.unpack(results, 2, results.n)
end

local function lines_of(path)
	local list, file = {}, io.open(path, "r")
	for line in file and file:lines() or function() end do list[#list + 1] = json.decode(line) end
	if file then file:close() end
	return list
end

--- A full run. Returns its exit code; self.run is the run, self.contacts and self.issues what its report says.
function World:full(options, tell)
	options = options or {}
	options.quiet, options.config, options.report = true, self.dir .. "/config.lua", self.dir .. "/report"
	os.execute(("rm -rf %s/report"):format(self.dir))
	local code = self:with(run.within, options, function(this)
		self.run = this
		this:check()
		this:take_snapshot()
		if tell then tell(this) end
		this:sync()
		this:validate()
		return this:report()
	end)
	self.contacts = lines_of(self.dir .. "/report/contacts.jsonl")
	self.issues = lines_of(self.dir .. "/report/issues.jsonl")
	return code
end

--- The report's state of a contact in a system.
function World:state(id, label)
	for _, contact in ipairs(self.contacts) do
		if contact.contact_id == id then return contact.systems[label or "Fake"] end
	end
end

--- The lines about a contact: errors and issues.
function World:lines(id)
	for _, contact in ipairs(self.contacts) do
		if contact.contact_id == id then
			return table.move(contact.issues, 1, #contact.issues, #contact.errors + 1, contact.errors)
		end
	end
end

--- Ask the ledger, by another handle than the program's.
function World:ledger(sql)
	local db <close> = sqlite.open(self.dir .. "/state/ledger.db", { mode = "ro" })
	return db:query(sql)
end

--- Replace one of the world's files.
function World:write(name, text)
	write(self.dir .. "/" .. name, text)
end

function World:read(name)
	local file <close> = assert(io.open(self.dir .. "/" .. name, "r"))
	return file:read "a"
end

function World:close()
	os.execute("rm -rf " .. self.dir)
end

World.__close = World.close

--- n records: c01, c02 …
function M.records(n)
	local list = {}
	for i = 1, n do
		list[i] = { id = ("c%02d"):format(i), who = "Contact " .. i, mail = i .. "@example.com",
			updated_at = 1700000000000000 + i }
	end
	return list
end

return M
