--- What a run is going to change in Twenty, looked at before the first write, by SQL over the run's snapshot: addresses that
--- two people would share (the server names no culprit, and an upsert would take the other person's place), people who
--- are soft-deleted there, and how many requests it takes. The rules stand in lua/README.md. Sends nothing itself.
local json = require "syncrun.json"
local rows = require "syncrun.rows"
local sql = require "syncrun.systems.sql"

local M = {}

---@class syncrun.TwentyLookAhead
local Look = {}
Look.__index = Look

local TABLES = [[
DROP TABLE IF EXISTS twenty_change;
DROP TABLE IF EXISTS twenty_holder;
DROP TABLE IF EXISTS twenty_additional;
CREATE TABLE twenty_change (k TEXT PRIMARY KEY, email TEXT NOT NULL, mode TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE twenty_holder (email TEXT NOT NULL, k TEXT NOT NULL, id TEXT NOT NULL, deleted INTEGER NOT NULL);
CREATE TABLE twenty_additional (email TEXT NOT NULL, k TEXT NOT NULL, id TEXT NOT NULL);
]]

local CONTENDED = "SELECT email FROM twenty_change WHERE email <> '' GROUP BY email HAVING count(*) > 1"

--- Look at a run. Settings: duplicate_email ("reject", "additional"), adopt, revive ("all", "ours", "never"),
--- on_deleted ("restore", "respect").
---@param o { snapshot: syncrun.Snapshot, name: string, key: string, email: table?, settings: table,
---           is_ours: fun(key: string): boolean, by_key: boolean, holders: fun(emails: string[]): syncrun.Rows }
---@return syncrun.TwentyLookAhead
function M.new(o)
	local self = setmetatable({ refused = {}, demoted = {}, adopted = {}, givers = {}, merged = {} }, Look)
	for name, value in pairs(o) do self[name] = value end
	self.db = o.snapshot.db
	self.db:exec(TABLES)
	return self
end

--- A page of what is expected, and which of its rows differ in Twenty ("update") or are not there ("create").
---@param mode "update"|"create"
---@param page syncrun.Rows
---@param indices integer[]
function Look:change(mode, page, indices)
	local email = self.email and page:schema():index(self.email.name) and self.email.name or nil
	local plan = rows.plan(page:schema(), {
		{ name = "k", type = "text", from = self.key },
		{ name = "email", type = "text", from = email, steps = { email and "null_to_empty" or { "const", "" } } },
	})
	local changes = plan:apply(page:pick(indices))
	self.db:insert_rows(("INSERT INTO twenty_change (k, email, mode) VALUES (?, ?, '%s')"):format(mode), changes, 1,
		#changes, { raw = true })
end

local function refuse(self, key, column, note)
	self.refused[key] = self.refused[key] or { column = column, fate = "rejected", note = note }
end

-- ---- soft-deleted people

-- A contact that is there, soft-deleted, becomes an update that revives it, where that is allowed.
local function judge_deleted(self, t)
	if not t or t.ngone == 0 then return end
	local found = self.db:query(([[SELECT k FROM twenty_change WHERE mode = 'create' AND EXISTS
		(SELECT 1 FROM %s AS t WHERE t.%s = k AND t."deletedAt" IS NOT NULL)]]):format(t.name, sql.name(self.key)))
	local revive = self.settings.revive
	for _, row in ipairs(found) do
		self.db:run("UPDATE twenty_change SET mode = 'revive' WHERE k = ?", row.k)
		if revive == "never" then
			refuse(self, row.k, "deletedAt", "it is soft-deleted there, and twenty.revive is never")
		elseif revive == "ours" and not (self.is_ours and self.is_ours(row.k)) then
			refuse(self, row.k, "deletedAt", "it is soft-deleted there, and not ours to revive (syncrun did not write it)")
		end
	end
end

-- ---- merged people

-- The server destroys who is merged into another and tells nobody; the other keeps the address as an additional one.
local function note_additional(self, t)
	local more, key = sql.name(self.email.additional), sql.name(self.key)
	self.db:exec(([[INSERT INTO twenty_additional SELECT one.value, t.%s, t."id" FROM %s AS t, json_each(t.%s) AS one
		WHERE t.%s <> '[]' AND t."deletedAt" IS NULL AND one.type = 'text';
		CREATE INDEX twenty_additional_email ON twenty_additional (email);]]):format(key, t.name, more, more))
end

-- Whether a contact has an address as an additional one because it is its own, and somebody else's primary one.
local function is_its_own(self, key, email)
	local _, value = self.snapshot:value(key, self.email.from)
	return type(value) == "string" and value:lower() == email
end

local MERGED = [[SELECT c.k, c.email, a.k AS other, a.id FROM twenty_change AS c JOIN twenty_additional AS a ON a.email = c.email
	WHERE c.mode = 'create' AND c.email <> '' AND a.k <> c.k ORDER BY c.k, a.k]]

-- Contacts that were there (we wrote them), are not, and whose address another person has now.
local function judge_merged(self, t)
	if not t or self.by_key or not self.is_ours then return end
	note_additional(self, t)
	for _, row in ipairs(self.db:query(MERGED)) do
		if self.is_ours(row.k) and not is_its_own(self, row.other, row.email) then
			local into = row.other ~= "" and "contact " .. row.other or ("a person without a contactId, ID %s"):format(row.id)
			self.merged[row.k] = ("merged into %s, who has its e-mail now"):format(into)
		end
	end
	if self.settings.on_deleted ~= "respect" then return end
	for key in pairs(self.merged) do self.db:run("DELETE FROM twenty_change WHERE k = ?", key) end
end

-- ---- who holds the addresses

local function note_holders(self, t)
	if not t then return end
	local email, key = sql.name(self.email.name), sql.name(self.key)
	self.db:exec(([[CREATE INDEX IF NOT EXISTS twenty_email ON %s (%s);
		INSERT INTO twenty_holder SELECT t.%s, t.%s, t."id", t."deletedAt" IS NOT NULL
		FROM (SELECT DISTINCT email FROM twenty_change WHERE email <> '') AS c JOIN %s AS t ON t.%s = c.email;
		CREATE INDEX twenty_holder_email ON twenty_holder (email);]]):format(t.name, email, email, key, t.name, email))
end

-- A run over some contacts has read no others: the people who hold the addresses are asked for.
local function fetch_holders(self)
	local list = {}
	for row in self.db:each "SELECT DISTINCT email FROM twenty_change WHERE email <> '' ORDER BY email" do
		list[#list + 1] = row.email
	end
	if #list == 0 then return end
	local found = self.holders(list)
	local plan = rows.plan(found:schema(), {
		{ name = "email", type = "text", from = self.email.name }, { name = "k", type = "text", from = self.key },
		{ name = "id", type = "text", from = "id" }, { name = "deleted", type = "timestamp", from = "deletedAt" },
	})
	self.found = found
	self.db:insert_rows("INSERT INTO twenty_holder VALUES (?, ?, ?, ? IS NOT NULL)", plan:apply(found), 1, #found,
		{ raw = true })
end

-- Changes whose address another person holds, with what becomes of that person.
local function conflicts(self)
	return self.db:query(([[SELECT c.k, c.email, c.mode, h.k AS holder, h.id, h.deleted, g.email AS wants, %s AS known
		FROM twenty_change AS c JOIN twenty_holder AS h ON h.email = c.email AND h.k <> c.k
		LEFT JOIN twenty_change AS g ON g.k = h.k AND h.k <> '' WHERE c.email <> '' ORDER BY c.k]]):format(
		self.by_key and "1" or self.snapshot:in_source "h.k"))
end

local function lose(self, c, holder)
	if self.settings.duplicate_email == "additional" then
		self.demoted[c.k] = c.email
	else
		refuse(self, c.k, self.email.name, ("%s is the e-mail of contact %s, who keeps it"):format(c.email, holder))
	end
end

-- Of several contacts with one address the one that holds it keeps it, else the first in order of contact_id.
local function judge_contenders(self)
	for row in self.db:each(("%s ORDER BY email"):format(CONTENDED)) do
		local list = self.db:query([[SELECT c.k, c.email, EXISTS (SELECT 1 FROM twenty_holder AS h WHERE h.email = c.email
			AND h.k = c.k) AS holds FROM twenty_change AS c WHERE c.email = ? ORDER BY holds DESC, c.k]], row.email)
		for i = 2, #list do lose(self, list[i], list[1].k) end
	end
end

local function is_settled(self, c)
	return self.refused[c.k] ~= nil or self.demoted[c.k] ~= nil
end

-- A person who was made by hand has no contactId: theirs becomes the contact's, when the settings say so.
local function judge_by_hand(self, c)
	local may = self.settings.adopt and c.mode == "create" and (c.deleted == 0 or self.settings.revive == "all")
	if may then
		self.adopted[c.k] = c.id
	else
		refuse(self, c.k, self.email.name, ("%s is the e-mail of a%s person without a contactId (ID %s), who is not adopted")
			:format(c.email, c.deleted == 1 and " soft-deleted" or "", c.id))
	end
end

-- Whether the holder gives the address up in this run: its own contact gets another one, and is not refused.
local function gives(self, c)
	return c.wants ~= nil and c.wants ~= c.email and not self.refused[c.holder]
end

local function judge_held(self, c)
	if c.known == 0 then
		refuse(self, c.k, self.email.name, ("%s is the e-mail of another person (contactId %s, not in BigQuery%s)"):format(
			c.email, c.holder, c.deleted == 1 and ", soft-deleted" or ""))
	else
		lose(self, c, c.holder)
	end
end

-- Who is refused keeps an address, which may refuse the next: until nothing changes any more.
local function judge_conflicts(self, list)
	local again
	repeat
		again = false
		for _, c in ipairs(list) do
			if not is_settled(self, c) and not self.adopted[c.k] then
				if c.holder == "" then
					judge_by_hand(self, c)
				elseif not gives(self, c) then
					judge_held(self, c)
					again = true
				end
			end
		end
	until not again
	for _, c in ipairs(list) do
		if c.holder ~= "" and not is_settled(self, c) then self.givers[c.holder] = c.id end
	end
end

-- ---- what follows for the rows that were read

-- An adopted person gets the contact's key, and differs from it whatever else they hold.
local function show_adopted(self)
	for key, id in pairs(self.adopted) do
		for i = 1, self.found and #self.found or 0 do
			if self.found:text(i, "id") == id then self.snapshot:append(self.name, self.found:slice(i, i)) end
		end
		local t = self.snapshot:table_of(self.name)
		self.db:run(('UPDATE %s SET %s = ?, %s = NULL WHERE "id" = ?'):format(t.name, sql.name(self.key),
			sql.name(self.email.name)), key, id)
		self.db:run("UPDATE twenty_change SET mode = 'update' WHERE k = ?", key)
	end
end

--- The people who must give up their address first, as rows to write: their id, key and additional addresses.
---@return { id: string, key: string, additional: any }[]
function Look:releases()
	local list, t = {}, self.snapshot:table_of(self.name)
	for key, id in pairs(self.givers) do
		local row = self.db:one(('SELECT %s AS more FROM %s WHERE "id" = ?'):format(sql.name(self.email.additional),
			t.name), id)
		list[#list + 1] = { id = id, key = key, additional = row.more and json.raw(row.more) or json.array {} }
	end
	table.sort(list, function(a, b) return a.key < b.key end)
	return list
end

--- How many contacts will be created, and how many updated.
---@return integer creates, integer updates
function Look:counts()
	local n = { create = 0, update = 0, revive = 0 }
	for row in self.db:each "SELECT mode, count(*) AS n FROM twenty_change GROUP BY mode" do n[row.mode] = row.n end
	for key in pairs(self.refused) do
		local mode = self.db:one("SELECT mode FROM twenty_change WHERE k = ?", key).mode
		n[mode] = n[mode] - 1
	end
	return n.create, n.update + n.revive
end

--- How many people were read, soft-deleted ones too.
---@return integer
function Look:people()
	local t = self.snapshot:table_of(self.name)
	return t and self.db:one(("SELECT count(*) AS n FROM %s"):format(t.name)).n or 0
end

--- All changes are told: judge them.
---@return table<string, { column: string, fate: string, note: string }> refused by key
---@return table<string, string> merged by key, in words
function Look:judge()
	local t = self.snapshot:table_of(self.name)
	judge_deleted(self, t)
	if not self.email then return self.refused, self.merged end
	judge_merged(self, t)
	if self.by_key then fetch_holders(self) else note_holders(self, t) end
	judge_contenders(self)
	judge_conflicts(self, conflicts(self))
	show_adopted(self)
	return self.refused, self.merged
end

return M
