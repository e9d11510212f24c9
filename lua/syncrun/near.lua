--- The word that was meant: for "did you mean" wherever people write names.
local M = {}

-- Edits from a to b: insert, delete, replace, swap of two neighbours (optimal string alignment).
local function row_of(a, b, i, above, beyond)
	local row = { [0] = i }
	for j = 1, #b do
		local same = a:byte(i) == b:byte(j)
		row[j] = math.min(row[j - 1] + 1, above[j] + 1, above[j - 1] + (same and 0 or 1))
		if beyond and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
			row[j] = math.min(row[j], beyond[j - 2] + 1)
		end
	end
	return row
end

--- How many edits lead from one word to the other; a swap of two neighbours is one.
---@param a string
---@param b string
---@return integer
function M.distance(a, b)
	local above, beyond = {}, nil
	for j = 0, #b do above[j] = j end
	for i = 1, #a do
		above, beyond = row_of(a, b, i, above, beyond), above
	end
	return above[#b]
end

--- The candidate nearest to a word, when it is near enough to be meant; the first of equally near ones.
---@param word string
---@param candidates string[]
---@return string?
function M.nearest(word, candidates)
	local best, best_distance
	for _, candidate in ipairs(candidates) do
		local d = M.distance(word, candidate)
		if not best_distance or d < best_distance then best, best_distance = candidate, d end
	end
	if best and best_distance <= (#word < 4 and 1 or math.max(2, #word // 3)) then return best end
end

--- The end of a message about an unknown word: ", did you mean 'x'?", or nothing.
---@param word any
---@param candidates string[]
---@return string
function M.hint(word, candidates)
	local near = M.nearest(tostring(word):sub(1, 100), candidates)
	return near and (", did you mean '%s'?"):format(near) or ""
end

return M
