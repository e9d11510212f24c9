--- Reading people: whole, in id order (the only order that loses none), or by key; the soft-deleted too. A page goes
--- from JSON to cells to the projection's columns in C. Knows nothing of writing.
local err = require "syncrun.err"
local json = require "syncrun.json"
local rights = require "syncrun.systems.twenty.rights"
local rows = require "syncrun.rows"

local M = {}

local KEYS = 500      -- contactIds, or addresses, a call
local PAGE_BYTES = 16 * 2 ^ 20 -- of one answer; a longer one is asked for in smaller pages
local PAGE_FIRST, PAGE_MAX, PAGE_MANY = 1000, 9500, 4000 -- people a call, see page_size
local PART_ROWS = 1000 -- people that are handed on at once
local PAGE_MIN = 200  -- pages are halved down to this when the server cannot answer them in time
local GROWTH = 10000  -- people that may come to twice as many while they are read; an endless list is none

-- Twenty shows soft-deleted people only to a filter that speaks of deletedAt.
local ALL = { ["or"] = json.array { { deletedAt = { is = "NULL" } }, { deletedAt = { is = "NOT_NULL" } } } }
local COUNT = "query($filter:PersonFilterInput){people(first:1,filter:$filter){totalCount edges{node{id}}}}"

---@class syncrun.TwentyReader
local Reader = {}
Reader.__index = Reader

-- Who changed a person last; asked for by key only, for it is of interest where a person differs. Where fields belong to
-- Twenty's people it always is.
local CHANGED_SELECTIONS = { { "updatedAt", "updatedAt" }, { "updatedBy", "updatedBy{source name}" } }
local CHANGED = {
	{ name = "updatedAt", type = "timestamp", path = "updatedAt" },
	{ name = "updatedBy.source", type = "text", path = "updatedBy.source" },
	{ name = "updatedBy.name", type = "text", path = "updatedBy.name" },
}

-- What is asked for of a person, as {field of person, selection}.
local function selections_of(columns, changed)
	local list = { { "id", "id" }, { "deletedAt", "deletedAt" } }
	if changed then table.move(CHANGED_SELECTIONS, 1, #CHANGED_SELECTIONS, 3, list) end
	for _, column in ipairs(columns) do list[#list + 1] = { column.twenty, column.selection } end
	return list
end

-- What stands beside the people.
local EXTRAS = {
	"data.people.pageInfo.hasNextPage", "data.people.pageInfo.endCursor", "data.people.totalCount", "errors",
}

-- The query for a page; only the first one asks for the count.
local function query_of(selections, counted, without)
	local selection = {}
	for _, s in ipairs(selections) do
		if not (without and without[s[1]]) then selection[#selection + 1] = s[2] end
	end
	return ("query($first:Int,$after:String,$filter:PersonFilterInput){people(first:$first,after:$after,filter:$filter)"
		.. "{%spageInfo{hasNextPage endCursor} edges{node{%s}}}}"):format(counted and "totalCount " or "",
		table.concat(selection, " "))
end

-- The plan from raw columns to those of the projection, followed by what is carried.
local function compile(self, columns)
	local raw = { { "id", "text" }, { "deletedAt", "timestamp" } }
	local paths = { "node.id", "node.deletedAt" }
	local wanted, carried = {}, { { name = "id", type = "text" }, { name = "deletedAt", type = "timestamp" } }
	for _, c in ipairs(CHANGED) do
		raw[#raw + 1], paths[#paths + 1], carried[#carried + 1] = { c.name, c.type }, "node." .. c.path, c
	end
	for i, column in ipairs(columns) do
		for _, r in ipairs(column.raw) do
			raw[#raw + 1] = { r.name, r.type }
			paths[#paths + 1] = "node." .. r.path
		end
		wanted[i] = { name = column.name, type = column.type, from = column.actual.from, steps = column.actual.steps }
		table.move(column.carried, 1, #column.carried, #carried + 1, carried)
		for _, part in ipairs(column.parts) do carried[#carried + 1] = { name = part.name, type = part.type } end
		if column.number then self.phones[#self.phones + 1] = column end
		if column.kind == "EMAILS" then self.email = self.email or column end
	end
	for _, c in ipairs(carried) do wanted[#wanted + 1] = { name = c.name, type = c.type, from = c.name } end
	self.people = rows.json_reader(rows.schema(raw), { rows = "data.people.edges", paths = paths, extra = EXTRAS })
	self.plan = rows.plan(self.people:schema(), wanted)
end

local function has_owned(columns)
	for _, column in ipairs(columns) do
		if column.own ~= "source" then return true end
	end
	return false
end

--- A reader of these columns.
---@param client syncrun.TwentyClient
---@param columns syncrun.TwentyColumn[]
---@param page_rows integer? people a call; nil: as their number asks for
---@return syncrun.TwentyReader
function M.new(client, columns, page_rows)
	local self = setmetatable({ client = client, page_rows = page_rows, page_max = math.huge, key = columns[1],
		phones = {} }, Reader)
	local selections = selections_of(columns, has_owned(columns))
	self.all = selections_of(columns, true) -- of whatever is read
	self.first_query, self.next_query = query_of(selections, true), query_of(selections, false)
	self.key_query = query_of(self.all, true)
	compile(self, columns)
	return self
end

--- What scan and fetch give: the projection's columns, then id, deletedAt, the additional values of composites and the parts
--- of a name.
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

-- The page's text is let go of before the next step needs memory: it is the largest thing that a run holds.
local function fetch_page(self, query, w, size)
	collectgarbage()
	local shrinkable = size > PAGE_MIN
	local body = self.client:graphql(query, { first = size, after = w.cursor, filter = w.filter },
		{ read = true, shrinkable = shrinkable, max_body = shrinkable and PAGE_BYTES or nil })
	return self.people:read(body)
end

local function total_of(self, extra)
	local total = extra["data.people.totalCount"]
	if math.type(total) == "integer" and total >= 0 then return total end
	err.raise(self.client:odd("shape", "does not say how many people there are"))
end

-- The members beside the people, checked.
local function info_of(self, extra, counted)
	local more, cursor = extra["data.people.pageInfo.hasNextPage"], extra["data.people.pageInfo.endCursor"]
	if type(more) ~= "boolean" then err.raise(self.client:odd("shape", "does not say whether there are more people")) end
	if more and type(cursor) ~= "string" then
		err.raise(self.client:odd("cursor", "says there are more people, but not where"))
	end
	return { more = more, cursor = cursor, total = counted and total_of(self, extra) or nil }
end

-- Without its id nobody could be updated, and an upsert of nobody makes a further person.
local function check_ids(self, raw)
	for i = 1, #raw do
		if raw:text(i, "id") == nil or raw:text(i, "id") == "" then
			err.raise(self.client:odd("shape", "gave a person without an id"))
		end
	end
end

local function read_page(self, query, w, size)
	local raw, extra = fetch_page(self, query, w, size)
	collectgarbage()
	self.client:check_errors(extra.errors)
	if extra.rows_missing then err.raise(self.client:odd("shape", "answered a query for people without people")) end
	check_ids(self, raw)
	return raw, info_of(self, extra, query ~= self.next_query)
end

-- How many people to ask for next. Calls are what the server counts, pages are what fills our memory: a first page tells
-- how many there are; up to 20,000 the others come in two more, beyond that in pages of some MB.
local function page_size(self, w)
	local size = self.page_rows or PAGE_FIRST
	if not self.page_rows and w.total then
		local left = w.total - PAGE_FIRST
		size = left <= 2 * PAGE_MAX and math.max(math.ceil(left / 2), PAGE_FIRST) or PAGE_MANY
	end
	return math.min(size, self.page_max)
end

-- A role that may not read all of it is told of every field, not of the first.
local function explain(self, e)
	return rights.explain(self.client.name, e, "read", function(without)
		read_page(self, query_of(self.all, true, without), { filter = ALL }, 1)
	end)
end

-- A page; smaller ones from here on when the server or our memory cannot take one of this size.
local function next_page(self, w)
	while true do
		local size = page_size(self, w)
		local page, info = err.try(read_page, self, w.cursor and w.next_query or w.first_query, w, size)
		if page then return page, info end
		local e = info
		if e.denied then err.raise(explain(self, e)) end
		if not (e.slow or e.kind == "limit") or size <= PAGE_MIN then err.raise(e) end
		self.page_max = math.max(PAGE_MIN, size // 2)
	end
end

-- A server that leads us in a circle: to a place where we were, to a page that we had, or ever on through empty ones.
local function check_way(self, w, page, info)
	local first = #page > 0 and page:text(1, "id") or nil
	if info.more and not first then
		err.raise(self.client:odd("cursor", "gave an empty page and says there are more people"))
	end
	if (info.more and w.met[info.cursor]) or (first and w.met[first]) then
		err.raise(self.client:odd("cursor", "leads in a circle (a page of people came twice); is a cache before it?"))
	end
	if first then w.met[first] = true end
	if info.more then w.met[info.cursor] = true end
end

-- More people than were counted at the start: there must be more by now, for somebody may be adding some.
local function check_surplus(self, w)
	local before, endless = w.total, w.seen > 2 * w.first_total + GROWTH
	if w.seen <= before and not endless then return end
	w.total = self:count(w.filter)
	if w.seen <= w.total and not endless then return end
	local e = self.client:odd("count", ("gave %d people where it counts %d"):format(w.seen,
		endless and w.first_total or w.total))
	e.retryable = w.total ~= before and not endless
	err.raise(e)
end

-- The next page of a walk as the server gave it.
local function step(self, w)
	local page, info = next_page(self, w)
	check_way(self, w, page, info)
	w.seen, w.total, w.cursor, w.done = w.seen + #page, w.total or info.total, info.cursor, not info.more
	w.first_total = w.first_total or w.total
	check_surplus(self, w)
	if w.done then self:check_count(w.filter, w.seen, w.total) end
	return page
end

-- All people of a filter; the end raises when there were fewer than the server counted, now and at the start. What was
-- read in one call is handed on in parts, so that a large page is there only once.
local function walk(self, filter, first_query, next_query)
	local w = { filter = filter, first_query = first_query, next_query = next_query, seen = 0,
		met = {} } -- the places and first people of pages so far
	local page, at
	return function()
		while not page do
			if w.done then return nil end
			page, at = step(self, w), 1
			if #page == 0 then page = nil end
		end
		local part = page:slice(at, math.min(at + PART_ROWS - 1, #page))
		at = at + PART_ROWS
		if at > #page then page = nil end
		return project(self, part)
	end
end

--- What is asked for of a person, at most.
---@return string GraphQL
function Reader:selection()
	local list = {}
	for i, s in ipairs(self.all) do list[i] = s[2] end
	return table.concat(list, " ")
end

--- How many people a filter finds now.
---@param filter table
---@return integer
function Reader:count(filter)
	local body = self.client:graphql(COUNT, { filter = filter }, { read = true })
	local _, extra = self.people:read(body)
	self.client:check_errors(extra.errors)
	return total_of(self, extra)
end

--- Every person counted must have been seen, unless they have become fewer meanwhile.
function Reader:check_count(filter, seen, total)
	if seen >= total or seen >= self:count(filter) then return end
	local e = self.client:odd("count", ("gave %d people of the %d it counts"):format(seen, total))
	e.retryable = true
	err.raise(e)
end

--- All people, soft-deleted ones too, as pages in id order.
---@return fun(): syncrun.Rows?
function Reader:scan()
	return walk(self, ALL, self.first_query, self.next_query)
end

--- How many calls a scan of so many people takes.
---@param n integer
---@return integer
function Reader:calls(n)
	local w, seen, calls = {}, 0, 0
	repeat
		seen, calls = seen + page_size(self, w), calls + 1
		w.total = n
	until seen >= n
	return calls
end

-- The people of whom a field has one of these values.
local function fetch(self, values, filter_of)
	local result = rows.new(self:schema())
	for from = 1, #values, KEYS do
		local some = json.array(table.move(values, from, math.min(from + KEYS - 1, #values), 1, {}))
		local filter = { ["and"] = json.array { filter_of { ["in"] = some }, ALL } }
		for page in walk(self, filter, self.key_query, self.key_query) do
			for i = 1, #page do result:append(page, i) end
		end
	end
	return result
end

--- The people of these keys.
---@param keys string[]
---@return syncrun.Rows
function Reader:fetch(keys)
	local list = {}
	for _, key in ipairs(keys) do
		if key ~= "" then list[#list + 1] = key end
	end
	return fetch(self, list, function(condition) return { [self.key.twenty] = condition } end)
end

--- The people who hold these addresses (as Twenty stores them: in lower case) as their primary one.
---@param emails string[]
---@return syncrun.Rows
function Reader:holders(emails)
	return fetch(self, emails, function(condition)
		return { [self.email.twenty] = { primaryEmail = condition } }
	end)
end

return M
