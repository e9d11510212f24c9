--- One e-mail for two contacts, where the settings say duplicate_email = "additional": who holds it keeps it as the primary
--- one, the other has it among the additional ones. That changes what is expected of the other; what was read stays as it is.
local json = require "syncrun.json"

local M = {}

-- Whether an address stands in a list of additional ones, as JSON text.
local function is_among(text, address)
	local list = text and json.decode(text)
	for _, other in ipairs(json.is_array(list) and list or {}) do
		if other == address then return true end
	end
	return false
end

-- Whether another contact holds this address. A run has looked ahead and knows; without one Twenty is asked.
local function is_held_by_another(system, key, address)
	if system.demoted then return system.demoted[key] == address end
	local holders = system.reader:holders { address }
	for i = 1, #holders do
		local other = holders:text(i, system.columns[1].name)
		if holders:is_null(i, system.gone) and other ~= "" and other ~= key then return true end
	end
	return false
end

--- Expect no primary address of a contact who has it as an additional one, because another contact holds it.
---@param system syncrun.TwentySystem
---@param expected syncrun.Rows its row i is changed
---@param i integer
---@param found syncrun.Rows
---@param j integer
---@return boolean whether it was changed
function M.amend(system, expected, i, found, j)
	local email = system.writer.email
	if not email or system.settings.duplicate_email ~= "additional" then return false end
	local address = expected:text(i, email.name)
	if not address or address == "" or found:text(j, email.name) ~= "" then return false end
	if not is_among(found:text(j, email.additional), address) then return false end
	if not is_held_by_another(system, expected:text(i, system.columns[1].name), address) then return false end
	expected:set(i, email.name, "")
	return true
end

return M
