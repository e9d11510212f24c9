--- Twenty CRM as a target: people of a workspace. Metadata by REST, records by GraphQL. What each duty needs stands in
--- systems/twenty/: client (requests, errors, pace), metadata (the person's fields), fields (types), reader, writer, trial.
local address = require "syncrun.url"
local err = require "syncrun.err"
local client = require "syncrun.systems.twenty.client"
local fields = require "syncrun.systems.twenty.fields"
local json = require "syncrun.json"
local look_ahead = require "syncrun.systems.twenty.look_ahead"
local log = require "syncrun.log"
local metadata = require "syncrun.systems.twenty.metadata"
local probe = require "syncrun.systems.twenty.probe"
local reader = require "syncrun.systems.twenty.reader"
local shared_email = require "syncrun.systems.twenty.shared_email"
local time = require "syncrun.time"
local trial = require "syncrun.systems.twenty.trial"
local writer = require "syncrun.systems.twenty.writer"

local M = {}

local SAY_EVERY = 15 -- seconds

---@class syncrun.TwentySystem
local System = {}
System.__index = System

function System:__tostring()
	return ("%s: twenty at %s"):format(self.label, self.client.http.base_url)
end

local function need(config, name, variable)
	local value = config[name]
	if type(value) ~= "string" or value == "" then
		err.raise { kind = "config", exit = 2, message = ("twenty has no %s; set %s"):format(name, variable) }
	end
	return value
end

local CHOICES = {
	duplicate_email = { reject = true, additional = true }, revive = { all = true, ours = true, never = true },
	adopt = { [true] = true, [false] = true }, on_deleted = { restore = true, respect = true },
}

local function choice(config, name, default)
	local value = config[name]
	if value == nil then return default end
	if not CHOICES[name][value] then
		local words = {}
		for word in pairs(CHOICES[name]) do words[#words + 1] = tostring(word) end
		table.sort(words)
		err.raise { kind = "config", exit = 2, message = ("twenty.%s is %s, not '%s'"):format(name,
			table.concat(words, " or "), tostring(value)) }
	end
	return value
end

local YES = { [true] = true, ["true"] = true, ["1"] = true }
local NO = { [false] = true, ["false"] = true, ["0"] = true }

-- Whether the key may travel where others can read it. In the environment yes and no are words.
local function is_insecure(config)
	local value = config.insecure
	if value == nil or NO[value] then return false end
	if YES[value] then return true end
	err.raise { kind = "config", exit = 2, message = ("twenty.insecure (TWENTY_INSECURE) is true or false, not '%s'")
		:format(tostring(value)) }
end

local function check_way(url, insecure)
	if not address.is_exposed(url) then return end
	local shown = address.shown(url)
	if insecure then
		log.warn("CRM: the API key and every contact travel unencrypted to '%s' (twenty.insecure); who stands on the way "
			.. "reads them, and can use the key", shown)
		return
	end
	err.raise { kind = "config", code = "insecure", exit = 2, message = ("TWENTY_API_URL is '%s', and the API key is not "
		.. "sent unencrypted to another machine; use https, or set twenty.insecure = true (TWENTY_INSECURE=true) where "
		.. "nobody else is on the way"):format(shown) }
end

-- Waiting for the limit is said, once in a while.
local function say_waiting(self)
	local said
	return function(seconds)
		local now = time.mono()
		if seconds < 0.5 or (said and now - said < SAY_EVERY) then return end
		said = now
		log.info("%s: waiting, for Twenty's limit of requests is %s", self.label, self.client.pace:words())
	end
end

--- A system over the people of one workspace. Config: url, key; default_region (of telephones without a country's code:
--- "US", or a calling code "+1"; without it they are lost); batch (200 people a write), page_rows (people a read),
--- rate ({tokens = 95, every = 0.61}: a burst, then one call each so many seconds; false: none), timeout (seconds);
--- insecure (true: the key by plain http to another machine), duplicate_email ("reject", "additional"), adopt (false),
--- revive ("all", "ours", "never"), on_deleted ("restore", "respect"): see lua/README.md.
---@param config table
---@param mapping syncrun.Mapping
---@return syncrun.TwentySystem
function M.new(config, mapping)
	need(config, "url", "TWENTY_API_URL")
	need(config, "key", "TWENTY_API_KEY")
	config.insecure = is_insecure(config)
	check_way(config.url, config.insecure)
	local self = setmetatable({
		settings = { duplicate_email = choice(config, "duplicate_email", "reject"), adopt = choice(config, "adopt", false),
			revive = choice(config, "revive", "all"), on_deleted = choice(config, "on_deleted", "restore") },
		kind = "twenty", name = config.name or "twenty", label = config.label or "CRM", ordered = false,
		editor_column = "updatedBy.name",
		gone = "deletedAt", name_column = "name",
		columns = fields.columns(mapping, config),
		limits = { rows = config.batch or 200, bytes = 8 * 2 ^ 20 }, client = client.new(config, "twenty"),
	}, System)
	self.on_deleted = self.settings.on_deleted
	self.reader = reader.new(self.client, self.columns, config.page_rows)
	self.writer = writer.new(self.client, self.columns, mapping:schema(), self.limits)
	self.client.pace.on_wait = say_waiting(self)
	return self
end

--- What the mapping needs and does not find. Raises when Twenty is out of reach or refuses the key (exit 3).
---@return { what: string }[]
function System:check()
	self.person = metadata.load(self.client)
	return metadata.problems(self.columns, self.person)
end

--- May the role of the key write people, with every field? Nothing is written.
---@return { what: string, exit: integer }[]
function System:ready()
	local e = trial.run(self.client, self.columns, self.reader:selection())
	return e and { { what = e.message, exit = 3 } } or {}
end

--- Show, or with apply make, what the mapping needs.
---@param apply boolean
---@return { what: string, done: boolean }[]
function System:setup(apply)
	local problems = self:check()
	if #problems == 0 then problems = self:ready() end
	for _, problem in ipairs(problems) do problem.done = false end
	if apply and #problems > 0 then
		metadata.apply(self.client, self.columns, problems, function(what) log.info("%s: %s", self.label, what) end)
		self.person = nil
	end
	return problems
end

--- The expected row in this system, for rows.plan over the model's rows.
function System:projection()
	return self.columns
end

-- A misspelt field reads as null without an error: every name that is selected must be one of the metadata's.
local function check_names(self)
	self.person = self.person or metadata.load(self.client)
	for _, column in ipairs(self.columns) do
		if not self.person.fields[column.twenty] then
			err.raise { kind = "config", exit = 2, message = ("field person.%s is missing in Twenty; run: syncrun "
				.. "scripts/setup.lua --apply"):format(column.twenty) }
		end
	end
end

--- All people, soft-deleted ones too (deletedAt), as pages in id order; without a contactId the key is empty.
---@return fun(): syncrun.Rows?
function System:scan()
	check_names(self)
	return self.reader:scan()
end

--- The people of these keys, soft-deleted ones too.
---@param keys string[]
---@return syncrun.Rows
function System:fetch(keys)
	check_names(self)
	return self.reader:fetch(keys)
end

-- How many calls the changes take, with the reading back.
local function calls_of(self, look, releases, by_key)
	local creates, updates = look:counts()
	if creates + updates == 0 then return 0 end
	local batch = self.limits.rows
	local read = by_key and math.ceil(look.snapshot.total / 500) or self.reader:calls(look:people() + creates)
	return math.ceil(creates / batch) + math.ceil(updates / batch) + math.ceil(#releases / batch) + read
end

-- What the look ahead decided on shared addresses: known to the writer and to amend from now on.
local function take_over(self, look)
	self.demoted, self.writer.demoted = look.demoted, look.demoted
	local demoted = 0
	for _ in pairs(look.demoted) do demoted = demoted + 1 end
	if demoted > 0 then
		log.info("%s: %d e-mails are kept as additional ones, for another contact has them", self.label, demoted)
	end
end

-- It is meant now: say how long it takes, and free the addresses that others are to have.
local function commit(self, look, by_key)
	local releases = look:releases()
	local estimate = self.client.pace:estimate(calls_of(self, look, releases, by_key))
	if estimate then log.info("%s: %s", self.label, estimate) end
	self.writer:release(releases)
end

--- Look at what a run is going to change, before it does: the flow tells it by look:change(mode, page, indices),
--- look:finish() returns what is refused, by key, and look:commit() is called when it is going to be written.
---@param snapshot syncrun.Snapshot
---@param o { by_key: boolean, is_ours: (fun(key: string): boolean)? }
---@return syncrun.TwentyLookAhead
function System:foresee(snapshot, o)
	local look = look_ahead.new { snapshot = snapshot, name = self.name, key = self.columns[1].name,
		email = self.writer.email, settings = self.settings, is_ours = o.is_ours, by_key = o.by_key,
		holders = function(emails) return self.reader:holders(emails) end }
	function look.finish()
		local refused, merged = look:judge()
		take_over(self, look)
		return refused, merged
	end
	function look.commit() commit(self, look, o.by_key) end
	return look
end

--- Where two contacts have one e-mail, one of them may have it as an additional one: then no primary one is expected.
---@param expected syncrun.Rows its row i is changed
---@param i integer
---@param found syncrun.Rows
---@param j integer
---@return boolean whether it was changed
function System:amend(expected, i, found, j)
	return shared_email.amend(self, expected, i, found, j)
end

--- A batch was refused: up to so many further requests find the first culprit of so many contacts. Said where requests are
--- counted, once in a while.
---@param requests integer
---@param contacts integer
---@param why string
function System:announce(requests, contacts, why)
	self.extra = (self.extra or 0) + requests
	local estimate, now = self.client.pace:estimate(self.extra), time.mono()
	if not estimate or (self.announced and now - self.announced < SAY_EVERY) then return end
	self.announced = now
	log.info("%s: %d contacts were refused together (%s); to find which takes up to %s", self.label, contacts, why,
		estimate)
end

--- Who of Twenty's people changed this one last, and when: nil when it was no person, or a page of a scan, which does
--- not tell.
---@param page syncrun.Rows of fetch
---@param i integer
---@return string?
function System:edited(page, i)
	local source = page:schema():index "updatedBy.source" and page:text(i, "updatedBy.source")
	if not source or source == "" or source == "API" then return nil end
	local who, at = page:text(i, "updatedBy.name"), page:get(i, "updatedAt")
	return ("edited there by %s, %s"):format(who and who ~= "" and who or source:lower(),
		at and time.format(at, 3) or "time unknown")
end

--- Write a batch: "create" adds people, "update" changes or revives those of batch.actual.
---@param batch { rows: syncrun.Rows, model: syncrun.Rows, actual: syncrun.Rows? }
---@param mode "create"|"update"
---@return { state: string, reason: string? }[]
function System:write(batch, mode)
	return self.writer:write(batch, mode)
end

-- The ids of the people of these keys, soft-deleted ones too.
local function each_id(self, keys)
	local found, ids = self:fetch(keys), {}
	for i = 1, #found do ids[i] = found:text(i, "id") end
	return ids
end

--- Destroy the people of these keys, for good.
---@param keys string[]
function System:delete(keys)
	for _, id in ipairs(each_id(self, keys)) do
		self.writer:mutate("mutation($id:UUID!){destroyPerson(id:$id){id}}", { id = id })
	end
end

--- Put people back as they were read, those who were soft-deleted too.
---@param page syncrun.Rows
function System:restore(page)
	check_names(self)
	self.writer:restore(page)
end

--- What a write of these rows leaves there.
---@param page syncrun.Rows
function System:as_written(page)
	self.writer:as_written(page)
end

--- Soft-delete the people of these keys, in one request.
---@param keys string[]
function System:retire(keys)
	self.writer:mutate("mutation($filter:PersonFilterInput!){deletePeople(filter:$filter){id}}",
		{ filter = { [self.columns[1].twenty] = { ["in"] = json.array(keys) } } })
end

--- Soft-delete the people of a key, as a user of the CRM does.
---@param key string
function System:soft_delete(key)
	for _, id in ipairs(each_id(self, { key })) do
		self.writer:mutate("mutation($id:UUID!){deletePerson(id:$id){id}}", { id = id })
	end
end

--- Change the people of a key as a user of the CRM does.
---@param key string
---@param data table Twenty's fields
function System:change(key, data)
	for _, id in ipairs(each_id(self, { key })) do
		self.writer:mutate("mutation($id:UUID!,$data:PersonUpdateInput!){updatePerson(id:$id,data:$data){id}}",
			{ id = id, data = data })
	end
end

--- Try what the flow relies on, on one person (see syncrun.flow.doctor).
---@param model syncrun.Rows of one row
---@param key string
---@return syncrun.Check[]
function System:probe(model, key)
	return probe.run(self, model, key)
end

-- Notes of a refused value (their beginnings), and what Twenty says of it (twenty.md 2).
local WORDS = {
	["not an e-mail address"] = "Invalid string value '%s' for email field \"emails.primaryEmail\"",
	["not a phone number"] = "Provided phone number is invalid %s",
	["phone without country code"] = "Provided phone number is invalid %s",
	["no country has the calling code"] = "Provided phone number is invalid %s",
	["too short or too long for a phone"] = "Provided phone number is invalid %s",
}

--- What Twenty itself says of a value that we refuse before sending it, where that is known.
---@param fate { column: string, note: string }
---@param value string?
---@return string?
function System:words(fate, value) -- luacheck: ignore 212
	for note, words in pairs(WORDS) do
		if fate.note:sub(1, #note) == note then return (" (Twenty: " .. words .. ")"):format(value or "") end
	end
end

--- Forget what was read of the workspace; the next call reads it anew.
function System:close()
	self.person = nil
end

return M
