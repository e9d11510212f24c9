-- The workspace's model: objects and fields, kept in memory and written through to SQLite, with the table columns and
-- unique indexes that carry each field. Knows no REST, no GraphQL and no records.
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local time = require "syncrun.time"
local catalog = require "sandbox.twenty.catalog"
local dates = require "sandbox.twenty.dates"
local js = require "sandbox.twenty.jsvalue"

local M = {}

local Metadata = {}
Metadata.__index = Metadata

local sql_types = { NUMBER = "REAL", NUMERIC = "REAL", POSITION = "REAL", BOOLEAN = "INTEGER", DATE_TIME = "INTEGER" }

local function capitalised(name) return name:sub(1, 1):upper() .. name:sub(2) end

--- Now, as Twenty writes it.
---@return string
function M.now_text() return dates.iso(time.now() // 1000) end

--- The columns of a field: {column, type, sub, empty} each; none for a relation seen from its one side.
local function columns_of(field)
	local stem = field.column or field.name
	local parts = catalog.composites[field.type]
	if parts then
		local list = {}
		for i, p in ipairs(parts) do
			list[i] = { column = stem .. capitalised(p[1]), type = p[2], sub = p[1], empty = p[3] }
		end
		return list
	end
	if field.type == "RELATION" or field.type == "MORPH_RELATION" then
		local join = js.get(field.settings, "joinColumnName")
		return join and { { column = join, type = "UUID", join = true } } or {}
	end
	return { { column = stem, type = field.type } }
end

local function unique_column(field)
	if field.type == "LINKS" then return field.columns[2].column end
	return field.columns[1] and field.columns[1].column
end

local attributes = { "id", "universalIdentifier", "applicationId", "type", "name", "label", "description", "icon",
	"isActive", "isSystem", "isUIEditable", "isUIReadOnly", "isNullable", "isUnique", "defaultValue", "options",
	"settings", "workspaceId", "objectMetadataId", "isLabelSyncedWithName", "createdAt", "updatedAt" }

local function field_doc(field)
	local o = js.object()
	for _, name in ipairs(attributes) do
		if field[name] ~= nil then js.set(o, name, field[name]) end
	end
	if field.column then js.set(o, "column", field.column) end
	if field.custom then js.set(o, "custom", true) end
	return js.encode(o)
end

local function index_name(object, field) return "unique_" .. object.singular .. "_" .. unique_column(field) end

local function reindex(object)
	object.by_name, object.by_column, object.by_join = {}, {}, {}
	for _, field in ipairs(object.fields) do
		field.columns = columns_of(field)
		object.by_name[field.name] = field
		for _, c in ipairs(field.columns) do
			object.by_column[c.column] = { field = field, column = c }
			if c.join then object.by_join[c.column] = field end
		end
	end
	object.version = (object.version or 0) + 1
end

local function column_sql(c) return string.format('"%s" %s', c.column, sql_types[c.type] or "TEXT") end

function Metadata:create_index(object, field)
	self.db:exec(string.format('CREATE UNIQUE INDEX "%s" ON "%s" ("%s")', index_name(object, field), object.singular,
		unique_column(field)))
end

function Metadata:drop_index(object, field)
	self.db:exec(string.format('DROP INDEX IF EXISTS "%s"', index_name(object, field)))
end

function Metadata:create_table(object)
	local parts = {}
	for _, field in ipairs(object.fields) do
		for _, c in ipairs(field.columns) do
			parts[#parts + 1] = column_sql(c) .. (c.column == "id" and " PRIMARY KEY" or "")
		end
	end
	self.db:exec(string.format('CREATE TABLE "%s" (%s)', object.singular, table.concat(parts, ", ")))
	for _, column in ipairs { "deletedAt", "position" } do
		self.db:exec(string.format('CREATE INDEX "%s_%s" ON "%s" ("%s")', object.singular, column, object.singular,
			column))
	end
	for _, field in ipairs(object.fields) do
		if field.isUnique then self:create_index(object, field) end
	end
end

function Metadata:store_field(object, field)
	self.db:run("INSERT INTO meta_field (id, object, doc) VALUES (?, ?, ?)", field.id, object.id, field_doc(field))
end

local function parsed(text)
	if not text then return nil end
	return (js.decode(text))
end

function Metadata:standard_field(object, row, now)
	local flags = row[6]
	return { id = crypto.uuid(), universalIdentifier = crypto.uuid(), applicationId = self.standard_application,
		type = row[2], name = row[1], label = row[3], description = row[4], icon = row[5], isActive = true,
		isSystem = flags:find("S") ~= nil, isUIEditable = flags:find("R") == nil, isUIReadOnly = flags:find("R") ~= nil,
		isNullable = flags:find("N") == nil, isUnique = flags:find("U") ~= nil, settings = parsed(row[7]),
		defaultValue = parsed(row[8]), workspaceId = self.workspace_id, objectMetadataId = object.id,
		isLabelSyncedWithName = false, createdAt = now, updatedAt = now }
end

function Metadata:create_workspace()
	local now = M.now_text()
	for _, entry in ipairs(catalog.objects) do
		local object = { id = crypto.uuid(), universalIdentifier = crypto.uuid(), singular = entry.singular,
			createdAt = now, fields = {} }
		for i, row in ipairs(entry.fields) do object.fields[i] = self:standard_field(object, row, now) end
		self.db:run("INSERT INTO meta_object (id, universal_identifier, singular, created_at) VALUES (?, ?, ?, ?)",
			object.id, object.universalIdentifier, object.singular, now)
		for _, field in ipairs(object.fields) do self:store_field(object, field) end
		reindex(object)
		self:create_table(object)
	end
end

local function field_from(doc)
	local field = {}
	for _, key in ipairs(doc.keys) do field[key] = doc.map[key] end
	return field
end

function Metadata:load()
	for _, row in ipairs(self.db:query "SELECT * FROM meta_object ORDER BY rowid") do
		local object = { id = row.id, universalIdentifier = row.universal_identifier, singular = row.singular,
			createdAt = row.created_at, fields = {} }
		for _, entry in ipairs(catalog.objects) do
			if entry.singular == row.singular then object.entry, object.plural = entry, entry.plural end
		end
		for _, f in ipairs(self.db:query("SELECT doc FROM meta_field WHERE object = ? ORDER BY seq", row.id)) do
			object.fields[#object.fields + 1] = field_from(js.decode(f.doc))
		end
		reindex(object)
		self.objects[#self.objects + 1] = object
		self.by_singular[object.singular], self.by_plural[object.plural] = object, object
		self.by_id[object.id] = object
	end
end

-- The id Twenty's own development workspace has; its schema in Postgres is named after it.
local seed_workspace = "20202020-1c25-4d02-bf25-6aeccf7ea419"

local function base36(uuid)
	local digits, out = {}, {}
	for c in uuid:gsub("%-", ""):gmatch("%x") do digits[#digits + 1] = tonumber(c, 16) end
	while digits[1] do
		local quotient, rest = {}, 0
		for _, d in ipairs(digits) do
			rest = rest * 16 + d
			if rest >= 36 or quotient[1] then quotient[#quotient + 1] = rest // 36 end
			rest = rest % 36
		end
		table.insert(out, 1, ("0123456789abcdefghijklmnopqrstuvwxyz"):sub(rest + 1, rest + 1))
		digits = quotient
	end
	return table.concat(out)
end

local schema = [[
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS meta_object (id TEXT PRIMARY KEY, universal_identifier TEXT, singular TEXT, created_at TEXT);
CREATE TABLE IF NOT EXISTS meta_field (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, object TEXT, doc TEXT);
]]

--- A persistent setting; `make` gives its first value.
---@param db table
---@param name string
---@param make fun(): string
---@return string
function M.setting(db, name, make)
	local row = db:one("SELECT value FROM setting WHERE name = ?", name)
	if row then return row.value end
	local value = make()
	db:run("INSERT INTO setting (name, value) VALUES (?, ?)", name, value)
	return value
end

--- Opens the model in a database, creating the standard workspace in a fresh one.
---@param db table an open syncrun.sqlite database
---@param v1 boolean? as the release of June 2025: isUnique on create is ignored without a word
---@return table
function M.open(db, v1)
	db:exec(schema)
	local self = setmetatable({ db = db, v1 = v1, objects = {}, by_singular = {}, by_plural = {}, by_id = {} }, Metadata)
	self.workspace_id = M.setting(db, "workspace_id", function() return seed_workspace end)
	self.schema = "workspace_" .. base36(self.workspace_id)
	self.standard_application = M.setting(db, "standard_application", crypto.uuid)
	self.custom_application = M.setting(db, "custom_application", crypto.uuid)
	if not db:one("SELECT 1 AS one FROM meta_object LIMIT 1") then
		db:transaction(function() self:create_workspace() end)
	end
	self:load()
	return self
end

--- The field with this id, and its object.
---@param id string
---@return table? field, table? object
function Metadata:find_field(id)
	for _, object in ipairs(self.objects) do
		for _, field in ipairs(object.fields) do
			if field.id == id then return field, object end
		end
	end
end

-- Validation -------------------------------------------------------------------------------------------------------

local function problem(code, message, value, user)
	return js.from_pairs { { "code", code }, { "message", message }, { "userFriendlyMessage", user or message },
		{ "value", value } }
end

local function taken(name, by)
	return string.format('Name "%s" is not available as it is already used by %s', name, by)
end

local function name_problem(object, name, own)
	if #name == 0 then return problem("INVALID_FIELD_INPUT", "Name is too short", name) end
	if #name > 63 then return problem("INVALID_FIELD_INPUT", "Name is too long", name) end
	if not name:find("^[a-z][a-zA-Z0-9]*$") then
		return problem("INVALID_FIELD_INPUT",
			"Name is not valid: it must start with lowercase letter and contain only alphanumeric letters", name)
	end
	if catalog.reserved[name] then
		return problem("INVALID_FIELD_INPUT",
			'This name is reserved. Use a different name or the system will add "Custom" suffix.', name)
	end
	local other = object.by_name[name]
	if other and other ~= own then
		return problem("NOT_AVAILABLE", taken(name, "another field"), name)
	end
	if object.by_join[name] then
		return problem("NOT_AVAILABLE", taken(name, "another join column name"), name, taken(name, "join column name"))
	end
	for _, field in ipairs(object.fields) do
		for _, part in ipairs(catalog.composites[field.type] or {}) do
			if field.name .. capitalised(part[1]) == name then
				return problem("RESERVED_KEYWORD", 'Name "' .. name .. '" is reserved composite field name', name,
					'Name "' .. name .. '" is not available')
			end
		end
	end
end

local function options_problem(kind, options)
	if kind ~= "SELECT" and kind ~= "MULTI_SELECT" then return nil end
	if not js.is_array(options) or #options == 0 then
		return problem("INVALID_FIELD_INPUT", "Options are required for enum fields", js.array())
	end
	local seen = {}
	for _, option in ipairs(options) do
		local value = js.get(option, "value")
		if type(value) ~= "string" or not value:find("^[A-Z_][A-Z0-9_]*$") then
			return problem("INVALID_FIELD_INPUT",
				'Value must be in UPPER_CASE and follow snake_case "' .. tostring(value) .. '"', value or js.null)
		end
		if seen[value] then return problem("INVALID_FIELD_INPUT", 'Duplicated option value "' .. value .. '"', value) end
		seen[value] = true
	end
end

--- What is wrong with a new or changed field: a problem object or nil.
---@param object table
---@param name string
---@param kind string
---@param options any
---@param own table? the field that is being changed
function M.check(object, name, kind, options, own)
	return name_problem(object, name, own) or options_problem(kind, options)
end

-- Changes ----------------------------------------------------------------------------------------------------------

local function completed_options(options)
	if not js.is_array(options) then return nil end
	local list = js.array()
	for i, option in ipairs(options) do
		list[i] = js.from_pairs { { "id", js.get(option, "id") or crypto.uuid() }, { "color", js.get(option, "color") },
			{ "label", js.get(option, "label") }, { "value", js.get(option, "value") },
			{ "position", js.get(option, "position") } }
	end
	return list
end

local function given(v) return v ~= nil and v ~= js.null end

--- Adds a custom field. `input` is an object with the DTO's keys, already checked.
---@param object table
---@param input table
---@return table field
function Metadata:add_field(object, input)
	local function value(key) return js.get(input, key) end
	local now = M.now_text()
	local field = { id = crypto.uuid(), universalIdentifier = crypto.uuid(), applicationId = self.custom_application,
		type = value "type", name = value "name", label = value "label", isActive = true, isSystem = false,
		isUIEditable = true, isUIReadOnly = false, isNullable = value "isNullable" ~= false,
		isUnique = value "isUnique" == true and not self.v1, isLabelSyncedWithName = value "isLabelSyncedWithName" == true,
		workspaceId = self.workspace_id, objectMetadataId = object.id, createdAt = now, updatedAt = now, custom = true }
	for _, key in ipairs { "description", "icon", "defaultValue", "settings" } do
		if given(value(key)) then field[key] = value(key) end
	end
	field.options = completed_options(value "options")
	self.db:transaction(function()
		self:store_field(object, field)
		field.column = "x" .. self.db:last_insert_rowid()
		self.db:run("UPDATE meta_field SET doc = ? WHERE id = ?", field_doc(field), field.id)
		field.columns = columns_of(field)
		for _, c in ipairs(field.columns) do
			self.db:exec(string.format('ALTER TABLE "%s" ADD COLUMN %s', object.singular, column_sql(c)))
		end
		if field.isUnique then self:create_index(object, field) end
	end)
	object.fields[#object.fields + 1] = field
	reindex(object)
	return field
end

local function lost_options(field, options)
	local kept, lost = {}, {}
	for _, option in ipairs(options) do kept[js.get(option, "value")] = true end
	for _, option in ipairs(field.options or {}) do
		local value = js.get(option, "value")
		if not kept[value] then lost[#lost + 1] = value end
	end
	return lost
end

function Metadata:forget_options(object, field, options)
	if field.type ~= "SELECT" then return end
	for _, value in ipairs(lost_options(field, options)) do
		local column = field.columns[1].column
		self.db:run(string.format('UPDATE "%s" SET "%s" = NULL WHERE "%s" = ?', object.singular, column, column), value)
	end
end

--- Sets or drops the unique index; false when existing rows collide.
---@return boolean
function Metadata:set_unique(object, field, unique)
	if unique == (field.isUnique == true) then return true end
	if not unique then
		self:drop_index(object, field)
		field.isUnique = false
		return true
	end
	local ok, e = pcall(self.create_index, self, object, field)
	if ok then
		field.isUnique = true
		return true
	end
	if err.is(e) and e.message:find("UNIQUE", 1, true) then return false end
	error(e, 0)
end

local changeable = { "name", "label", "description", "icon", "isActive", "isNullable", "defaultValue", "settings" }

--- Changes a field by the keys of `update`. false when a unique index cannot be made.
---@return boolean
function Metadata:change_field(object, field, update)
	local unique = js.get(update, "isUnique")
	if type(unique) == "boolean" and not self:set_unique(object, field, unique) then return false end
	for _, key in ipairs(changeable) do
		local value = js.get(update, key)
		if value == js.null then
			field[key] = nil
		elseif value ~= nil then
			field[key] = value
		end
	end
	if js.is_array(js.get(update, "options")) then
		local options = completed_options(js.get(update, "options"))
		self:forget_options(object, field, options)
		field.options = options
	end
	field.updatedAt = M.now_text()
	self.db:run("UPDATE meta_field SET doc = ? WHERE id = ?", field_doc(field), field.id)
	reindex(object)
	return true
end

--- Removes a custom field with its column.
function Metadata:remove_field(object, field)
	self.db:transaction(function()
		if field.isUnique then self:drop_index(object, field) end
		for _, c in ipairs(field.columns) do
			self.db:exec(string.format('ALTER TABLE "%s" DROP COLUMN "%s"', object.singular, c.column))
		end
		self.db:run("DELETE FROM meta_field WHERE id = ?", field.id)
	end)
	for i, f in ipairs(object.fields) do
		if f == field then table.remove(object.fields, i) end
	end
	reindex(object)
end

-- Views ------------------------------------------------------------------------------------------------------------

local change_order = { "id", "universalIdentifier", "label", "name", "objectMetadataId", "type", "workspaceId",
	"defaultValue", "isActive", "isLabelSyncedWithName", "isSystem", "isUIEditable", "isUIReadOnly", "options",
	"createdAt", "updatedAt", "description", "icon", "isNullable", "isUnique", "settings", "applicationId" }
local null_when_absent = { defaultValue = true, options = true }

--- A field as a change answers it.
---@param field table
---@return table
function M.changed_view(field, v1)
	local o = js.object()
	for _, key in ipairs(change_order) do
		local value = field[key]
		if value == nil and null_when_absent[key] then value = js.null end
		if value ~= nil and not (v1 and key == "isUnique") then js.set(o, key, value) end
	end
	return o
end

--- A field as lists show it. The release of June 2025 tells of none whether it is unique (recordings twenty-2025/001).
---@param field table
---@param v1 boolean?
---@return table
function M.field_view(field, v1)
	local o = js.object()
	for _, key in ipairs(attributes) do
		if field[key] ~= nil and not (v1 and key == "isUnique") then js.set(o, key, field[key]) end
	end
	return o
end

--- An object as lists show it, with its fields.
---@param md table
---@param object table
---@return table
function M.object_view(md, object)
	local e, fields = object.entry, js.array()
	for i, field in ipairs(object.fields) do fields[i] = M.field_view(field, md.v1) end
	local label_field = object.by_name.name
	return js.from_pairs { { "id", object.id }, { "universalIdentifier", object.universalIdentifier },
		{ "applicationId", md.standard_application }, { "nameSingular", object.singular }, { "namePlural", object.plural },
		{ "labelSingular", e.label }, { "labelPlural", e.labels }, { "description", e.description }, { "icon", e.icon },
		{ "shortcut", e.shortcut }, { "isRemote", false }, { "isActive", true }, { "isSystem", false },
		{ "isUIEditable", true }, { "isUICreatable", true }, { "isUIReadOnly", false }, { "isSearchable", true },
		{ "isLabelSyncedWithName", false }, { "workspaceId", md.workspace_id },
		{ "labelIdentifierFieldMetadataId", label_field and label_field.id or js.null }, { "createdAt", object.createdAt },
		{ "updatedAt", object.createdAt }, { "fields", fields } }
end

return M
