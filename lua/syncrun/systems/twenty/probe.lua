--- What the flow relies on in Twenty beyond values: unique keys, upsert by id, additional addresses that stay, soft-deleted
--- people who come back. Tried on one person who is removed afterwards (see syncrun.flow.doctor). Knows no GraphQL.
local err = require "syncrun.err"
local rows = require "syncrun.rows"

local M = {}

local function check(what, ok, seen)
	return { what = what, ok = ok, seen = not ok and tostring(seen) or nil }
end

local function batch_of(system, model, actual)
	return { model = model, rows = rows.plan(model:schema(), system:projection()):apply(model), actual = actual }
end

-- The same key must be refused, else a retry would make a contact twice.
local function twice(system, model)
	local _, e = err.try(system.write, system, batch_of(system, model), "create")
	if e and not e.reject then err.raise(e) end
	return check("a second person with the same contactId is refused", e ~= nil, "it was taken")
end

local function update(system, model, key, what, state)
	local actual = system:fetch { key }
	local outcomes, e = err.try(system.write, system, batch_of(system, model, actual), "update")
	if e and not e.reject then err.raise(e) end
	return check(what, not e and outcomes[1].state == state, e and e.message or outcomes and outcomes[1].state)
end

-- An update that sends the composite whole keeps the additional addresses of the person.
local function additional(system, model, key)
	local column = system.writer.email
	if not column then return {} end
	system:change(key, { [column.twenty] = { primaryEmail = "", additionalEmails = { "syncrun.probe@example.org" } } })
	local first = update(system, model, key, "an update by upsert finds its person by the id", "written")
	local kept = system:fetch({ key }):text(1, column.additional) or ""
	return { first, check("additional e-mails stay when the whole composite is sent",
		kept:find("syncrun.probe@example.org", 1, true) ~= nil, kept) }
end

local function revival(system, model, key)
	system:soft_delete(key)
	local found = system:fetch { key }
	local seen = #found == 1 and not found:is_null(1, "deletedAt")
	return { check("a soft-deleted person is read as such", seen, ("%d found"):format(#found)),
		update(system, model, key, "an upsert revives a soft-deleted person", "revived") }
end

--- Try it on the person of a key, whose model row this is.
---@param system syncrun.TwentySystem
---@param model syncrun.Rows of one row
---@param key string
---@return syncrun.Check[]
function M.run(system, model, key)
	local checks = { twice(system, model) }
	for _, part in ipairs { additional, revival } do
		local more = part(system, model, key)
		table.move(more, 1, #more, #checks + 1, checks)
	end
	return checks
end

return M
