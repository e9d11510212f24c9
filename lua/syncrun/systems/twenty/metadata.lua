--- The person object of a workspace: does it have the fields that the mapping needs, and making them. What is there is
--- never changed but for the unique flag of the key and further options of a select.
local appearance = require "syncrun.systems.twenty.appearance"
local err = require "syncrun.err"
local json = require "syncrun.json"
local names = require "syncrun.systems.twenty.names"
local task = require "syncrun.task"

local M = {}

local COLOURS = { "green", "turquoise", "sky", "blue", "purple", "pink", "red", "orange", "yellow", "gray" }
local AT_ONCE = 4 -- fields that are made at once
local COMPOSITE = { FULL_NAME = true, EMAILS = true, PHONES = true } -- standard ones; nobody makes them for us

---@class syncrun.TwentyPerson
---@field id string of the object
---@field fields table<string, table> by name, as the metadata API describes them
---@field may_change boolean? the role of the key may change the model

-- ---- reading

-- Members of an answer may be of any type: what is no table has no members, what is no list is an empty one.
local function table_of(value)
	return type(value) == "table" and value or {}
end

local function list_of(value)
	return json.is_array(value) and value or {}
end

-- A list comes as {"data":{"objects":[…]}}, or bare as the new metadata format has it.
local function objects_of(doc)
	if json.is_array(doc) then return doc end
	local data = type(doc.data) == "table" and doc.data or doc
	return json.is_array(data) and data or list_of(data.objects)
end

local function find_person(doc)
	for _, object in ipairs(objects_of(doc)) do
		if type(object) == "table" and object.nameSingular == "person" then return object end
	end
end

-- Where the list goes on; one that comes to a place again leads nowhere.
local function next_cursor(client, doc, met)
	local info = table_of(doc.pageInfo)
	local cursor = info.endCursor
	if info.hasNextPage ~= true then return nil end
	if type(cursor) ~= "string" or met[cursor] or #objects_of(doc) == 0 then
		err.raise(client:odd("cursor", "says there are more objects, but not where"))
	end
	met[cursor] = true
	return cursor
end

local function has_texts(value, ...)
	for _, name in ipairs { ... } do
		if type(value) ~= "table" or type(value[name]) ~= "string" then return false end
	end
	return true
end

-- What is used of a field; nil when one of these is not as it should be. No option is passed over: the whole list is sent
-- back when it is added to.
local function field_of(entry)
	if not has_texts(entry, "id", "name", "type") then return nil end
	local options = list_of(entry.options)
	for _, option in ipairs(options) do
		if not has_texts(option, "value") then return nil end
	end
	return { id = entry.id, name = entry.name, type = entry.type, options = options,
		label = type(entry.label) == "string" and entry.label or "",
		isActive = entry.isActive ~= false, isUnique = entry.isUnique }
end

local function person_of(client, object)
	local fields = {}
	for _, entry in ipairs(list_of(object.fields)) do
		local field = field_of(entry)
		if not field then err.raise(client:odd("shape", "has a field of person without an id, name, type or options")) end
		fields[field.name] = field
	end
	if type(object.id) ~= "string" then err.raise(client:odd("shape", "has a person object without an id")) end
	return { id = object.id, fields = fields }
end

-- The two ways to ask for a page of objects. REST is for a role that may change the model; GraphQL tells everybody.
local function by_rest(client, cursor)
	return client:metadata("GET", "/objects", { query = { limit = 200, starting_after = cursor }, tries = 3 })
end

local OBJECTS = [[query($after:ConnectionCursor){objects(paging:{first:100,after:$after}){pageInfo{hasNextPage endCursor}
	edges{node{id nameSingular fieldsList{id name type label isActive isUnique options}}}}}]]

local function by_graphql(client, cursor)
	local page = table_of(client:metadata_query(OBJECTS, { after = cursor }).objects)
	local objects = json.array {}
	for i, edge in ipairs(list_of(page.edges)) do
		objects[i] = table_of(table_of(edge).node)
		objects[i].fields = objects[i].fieldsList
	end
	return { data = { objects = objects }, pageInfo = page.pageInfo }
end

local function find(client, ask)
	local met, cursor, object = {}
	repeat
		local doc = ask(client, cursor)
		object = find_person(doc)
		cursor = not object and next_cursor(client, doc, met) or nil
	until object or not cursor
	if not object then
		err.raise(client:odd("shape", "has no person object; is TWENTY_API_URL the address of a Twenty server?"))
	end
	return person_of(client, object)
end

--- Read the person object.
---@param client syncrun.TwentyClient
---@return syncrun.TwentyPerson
function M.load(client)
	local person, e = err.try(find, client, by_rest)
	if person then
		person.may_change = true
		return person
	end
	if not e.denied then err.raise(e) end
	return find(client, by_graphql)
end

-- ---- what is missing

local function option(value, position)
	return { value = value, label = value, position = position, color = COLOURS[position % #COLOURS + 1] }
end

local function create_field(column, person, is_key)
	local input = appearance.of(column, person.fields, is_key)
	input.objectMetadataId, input.type, input.name = person.id, column.kind, column.twenty
	if is_key or column.target.unique then input.isUnique = true end
	if column.kind == "SELECT" then
		input.options = json.array {}
		for i, value in ipairs(column.target.options) do input.options[i] = option(value, i - 1) end
	end
	return { method = "POST", path = "/fields", json = input }
end

local function problem_of_missing(column, person, is_key)
	local problem = { field = column.twenty, what = ("field person.%s is missing"):format(column.twenty) }
	local why = names.problem(column.twenty, person.fields)
	if why then
		problem.what = ("%s and cannot be made (%s); name another one in the mapping"):format(problem.what, why)
	elseif not COMPOSITE[column.kind] then
		problem.request = create_field(column, person, is_key)
		problem.made = ("field person.%s made (%s%s)"):format(column.twenty, column.kind,
			problem.request.json.isUnique and ", unique" or "")
	end
	return problem
end

-- The options there, with their ids, and those that the mapping has besides; nil when none is missing.
local function more_options(column, field)
	local list, have, missing = json.array {}, {}, {}
	for i, o in ipairs(field.options) do
		list[i], have[o.value] = o, true
	end
	for _, value in ipairs(column.target.options) do
		if not have[value] then
			missing[#missing + 1] = value
			list[#list + 1] = option(value, #list)
		end
	end
	return #missing > 0 and list or nil, table.concat(missing, ", ")
end

local function problem_of_options(column, field)
	local list, missing = more_options(column, field)
	if not list then return nil end
	return {
		field = column.twenty, what = ("field person.%s lacks the options %s"):format(column.twenty, missing),
		request = { method = "PATCH", path = "/fields/" .. field.id, json = { options = list } },
		made = ("options %s added to field person.%s"):format(missing, column.twenty),
	}
end

local function problem_of_unique(column, field)
	return {
		field = column.twenty, unique = true, what = ("field person.%s is not unique"):format(column.twenty),
		request = { method = "PATCH", path = "/fields/" .. field.id, json = { isUnique = true } },
		made = ("field person.%s made unique"):format(column.twenty),
	}
end

-- Options are only ever added: taking one away would empty it in every person who has it.
local function problem_of_select(column, field)
	local bad = names.bad_option(column.target.options)
	if bad then
		return { field = column.twenty, what = ("field person.%s cannot have the option '%s' of the mapping; Twenty's are of "
			.. "capital letters, digits and _"):format(column.twenty, bad) }
	end
	return field and problem_of_options(column, field) or nil
end

local function problem_of(column, person, is_key)
	local field = person.fields[column.twenty]
	local bad_option = not field and column.kind == "SELECT" and problem_of_select(column)
	if bad_option then return bad_option end
	if not field then return problem_of_missing(column, person, is_key) end
	if field.type ~= column.kind then
		return { field = column.twenty, what = ("field person.%s is of type %s, the mapping needs %s; rename it in Twenty, "
			.. "or name another one in the mapping"):format(column.twenty, tostring(field.type), column.kind) }
	end
	if field.isActive == false then
		return { field = column.twenty, what = ("field person.%s is deactivated; activate it in Twenty's settings"):format(
			column.twenty) }
	end
	if (is_key or column.target.unique) and field.isUnique ~= true then return problem_of_unique(column, field) end
	return column.kind == "SELECT" and problem_of_select(column, field) or nil
end

-- A server of 2025 tells of no field whether it is unique, and ignores the wish without a word.
local function tells_unique(person)
	for _, field in pairs(person.fields) do
		if field.isUnique ~= nil then return true end
	end
	return next(person.fields) == nil
end

local function too_old(key)
	return { field = key.twenty, old = true, what = ("field person.%s cannot be unique: this server knows no unique "
		.. "fields (Twenty of 2025), and without them every retry could make a contact twice; update Twenty to 2.x"):format(
		key.twenty) }
end

-- What is missing cannot be made with this key: then it is a right that is missing.
local function refuse(problem)
	problem.request, problem.exit = nil, 3
	problem.what = ("%s, and the role of the API key may not make it; in Twenty's Settings, Roles, let it change the Data "
		.. "Model, or use an admin's key for the set-up"):format(problem.what)
end

--- What the mapping needs and the person object does not have.
---@param columns syncrun.TwentyColumn[] the key first
---@param person syncrun.TwentyPerson
---@return { what: string, field: string, request: table?, made: string?, unique: boolean?, exit: integer? }[]
function M.problems(columns, person)
	if not tells_unique(person) then return { too_old(columns[1]) } end
	local list = {}
	for i, column in ipairs(columns) do
		local problem = problem_of(column, person, i == 1)
		if problem and problem.request and not person.may_change then refuse(problem) end
		list[#list + 1] = problem
	end
	return list
end

-- ---- making it

-- Make one; its words then say what was done, or why not, and are shown at once.
local function make(client, problem, show)
	local request = problem.request
	if not request or problem.done then return end
	local doc, e = err.try(client.metadata, client, request.method, request.path, { json = request.json })
	if doc then
		problem.what, problem.done = problem.made, true
	elseif e.reject or (e.unknown and e.code == "500") then -- 500: existing duplicates in the way of a unique index
		problem.what = ("%s, and cannot be changed (%s)"):format(problem.what, e.message)
	else
		err.raise(e)
	end
	show(problem.what)
end

-- Did the server do what it said it did? It may ignore a wish.
local function verify(client, columns, problems)
	local left = {}
	for _, problem in ipairs(M.problems(columns, M.load(client))) do left[problem.field] = problem end
	for _, problem in ipairs(problems) do
		local still = left[problem.field]
		if problem.done and still then
			problem.done = false
			problem.what = (still.unique or still.old) and too_old(columns[1]).what
				or still.what .. ", although the server took the change"
		end
	end
end

--- Make what is missing, the key first: without a unique one nothing else is made; then four at a time, for each takes up
--- to a second. Then look whether it is there.
---@param client syncrun.TwentyClient
---@param columns syncrun.TwentyColumn[] the key first
---@param problems table[]
---@param show fun(what: string) told of each as soon as it is made, or cannot be
function M.apply(client, columns, problems, show)
	local first = problems[1]
	if first.field == columns[1].twenty then
		make(client, first, show)
		verify(client, columns, { first })
		if not first.done then return end
	end
	task.map(problems, { limit = AT_ONCE }, function(problem) make(client, problem, show) end)
	verify(client, columns, problems)
end

return M
