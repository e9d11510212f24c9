--- Reading people: whole, in id order (the only order that loses none), or by key; the soft-deleted too. A page goes
--- from JSON to cells to the projection's columns in C. Knows nothing of writing.
local err = require "syncrun.err"
local json = require "syncrun.json"
local rows = require "syncrun.rows"

local M = {}

local KEYS = 500      -- contactIds a call
local PAGE_MIN = 200  -- pages are halved down to this when the server cannot answer them in time

-- Twenty shows soft-deleted people only to a filter that speaks of deletedAt.
local ALL = { ["or"] = json.array { { deletedAt = { is = "NULL" } }, { deletedAt = { is = "NOT_NULL" } } } }
local COUNT = "query($filter:PersonFilterInput){people(first:1,filter:$filter){totalCount edges{node{id}}}}"

---@class syncrun.TwentyReader
local Reader = {}
Reader.__index = Reader

-- The query for a page; only the first one asks for the count.
local function query_of(columns, counted)
	local selection = { "id", "deletedAt" }
	for _, column in ipairs(columns) do selection[#selection + 1] = column.selection end
	return ("query($first:Int,$after:String,$filter:PersonFilterInput){people(first:$first,after:$after,filter:$filter)"
		.. "{%spageInfo{hasNextPage endCursor} edges{node{%s}}}}"):format(counted and "totalCount " or "",
		table.concat(selection, " "))
end

-- The plan from raw columns to those of the projection, followed by what is carried.
local function compile(self, columns)
	local raw = { { "id", "text" }, { "deletedAt", "timestamp" } }
	self.paths = { "node.id", "node.deletedAt" }
	local wanted, carried = {}, { { name = "id", type = "text" }, { name = "deletedAt", type = "timestamp" } }
	for i, column in ipairs(columns) do
		for _, r in ipairs(column.raw) do
			raw[#raw + 1] = { r.name, r.type }
			self.paths[#self.paths + 1] = "node." .. r.path
		end
		wanted[i] = { name = column.name, type = column.type, from = column.actual.from, steps = column.actual.steps }
		table.move(column.carried, 1, #column.carried, #carried + 1, carried)
		if column.number then self.phones[#self.phones + 1] = column end
	end
	for _, c in ipairs(carried) do wanted[#wanted + 1] = { name = c.name, type = c.type, from = c.name } end
	self.raw = rows.schema(raw)
	self.plan = rows.plan(self.raw, wanted)
end

--- A reader of these columns.
---@param client syncrun.TwentyClient
---@param columns syncrun.TwentyColumn[]
---@param page_rows integer people a call
---@return syncrun.TwentyReader
function M.new(client, columns, page_rows)
	local self = setmetatable({ client = client, page_rows = page_rows, key = columns[1], phones = {} }, Reader)
	self.first_query, self.next_query = query_of(columns, true), query_of(columns, false)
	compile(self, columns)
	return self
end

--- What scan and fetch give: the projection's columns, then id, deletedAt and the additional values of composites.
---@return syncrun.Schema
function Reader:schema()
	return self.plan:schema()
end

-- A calling code without a number is no telephone (a workspace may have a default code).
local function project(self, raw)
	local page = self.plan:apply(raw)
	for _, column in ipairs(self.phones) do
		for i = 1, #raw do
			if (raw:text(i, column.number) or "") == "" and page:text(i, column.name) ~= "" then
				page:set(i, column.name, "")
			end
		end
	end
	return page
end

local EXTRAS = {
	"data.people.pageInfo.hasNextPage", "data.people.pageInfo.endCursor", "data.people.totalCount", "errors",
}

local function read_page(self, filter, cursor)
	local body = self.client:graphql(cursor and self.next_query or self.first_query,
		{ first = self.page_rows, after = cursor, filter = filter },
		{ read = true, shrinkable = self.page_rows > PAGE_MIN })
	local raw, extra = rows.read_json(body, self.raw, { rows = "data.people.edges", paths = self.paths, extra = EXTRAS })
	if extra.errors then err.raise(self.client:error_of(extra.errors)) end
	if extra.rows_missing then
		err.raise { kind = "http", code = "shape", exit = 3,
			message = ("'%s' answered a query for people without people"):format(self.client.name) }
	end
	return project(self, raw), {
		more = extra["data.people.pageInfo.hasNextPage"] == true, cursor = extra["data.people.pageInfo.endCursor"],
		total = extra["data.people.totalCount"],
	}
end

-- A page; smaller ones from here on when the server or our memory cannot take one of this size.
local function next_page(self, filter, cursor)
	while true do
		local page, info = err.try(read_page, self, filter, cursor)
		if page then return page, info end
		local e = info
		if not (e.slow or e.kind == "limit") or self.page_rows <= PAGE_MIN then err.raise(e) end
		self.page_rows = math.max(PAGE_MIN, self.page_rows // 2)
	end
end

-- Pages of all people of a filter; the end raises when there were fewer than the server counted, now and at the start.
local function walk(self, filter)
	local cursor, done, seen, total = nil, false, 0, nil
	return function()
		while not done do
			local page, info = next_page(self, filter, cursor)
			if info.more and (info.cursor == nil or info.cursor == cursor) then
				err.raise { kind = "http", code = "cursor", message = ("'%s' says there are more people, but not where"):format(
					self.client.name) }
			end
			seen, total, cursor, done = seen + #page, total or info.total, info.cursor, not info.more
			if done then self:check_count(filter, seen, total) end
			if #page > 0 then return page end
		end
	end
end

--- Every person counted must have been seen, unless they have become fewer meanwhile.
function Reader:check_count(filter, seen, total)
	if not total or seen >= total then return end
	local doc = json.decode(self.client:graphql(COUNT, { filter = filter }, { read = true }))
	if seen >= doc.data.people.totalCount then return end
	err.raise { kind = "http", code = "count", retryable = true,
		message = ("'%s' gave %d people of the %d it counts"):format(self.client.name, seen, total) }
end

--- All people, soft-deleted ones too, as pages in id order.
---@return fun(): syncrun.Rows?
function Reader:scan()
	return walk(self, ALL)
end

--- The people of these keys.
---@param keys string[]
---@return syncrun.Rows
function Reader:fetch(keys)
	local result, list = rows.new(self:schema()), {}
	for _, key in ipairs(keys) do
		if key ~= "" then list[#list + 1] = key end
	end
	for from = 1, #list, KEYS do
		local some = json.array(table.move(list, from, math.min(from + KEYS - 1, #list), 1, {}))
		for page in walk(self, { ["and"] = json.array { { [self.key.twenty] = { ["in"] = some } }, ALL } }) do
			for i = 1, #page do result:append(page, i) end
		end
	end
	return result
end

return M
