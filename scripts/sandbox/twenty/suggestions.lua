-- graphql-js' "Did you mean": the names of a list that lie close to a misspelt one. Pure text.
local M = {}

local function distance(a, b, limit)
	if math.abs(#a - #b) > limit then return nil end
	local before, row = {}, {}
	for j = 0, #b do row[j] = j end
	for i = 1, #a do
		local after = { [0] = i }
		for j = 1, #b do
			local cost = a:byte(i) == b:byte(j) and 0 or 1
			after[j] = math.min(row[j] + 1, after[j - 1] + 1, row[j - 1] + cost)
			if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
				after[j] = math.min(after[j], before[j - 2] + 1)
			end
		end
		before, row = row, after
	end
	return row[#b] <= limit and row[#b] or nil
end

--- " Did you mean <prefix>"a" or "b"?" with a leading space, or "" when nothing is close.
---@param name string
---@param known string[]
---@param prefix string?
---@return string
function M.text(name, known, prefix)
	local limit, found = math.floor(#name * 0.4) + 1, {}
	for _, candidate in ipairs(known) do
		local d = name:lower() == candidate:lower() and 1 or distance(name:lower(), candidate:lower(), limit)
		if name == candidate then d = 0 end
		if d and d <= limit then found[#found + 1] = { candidate, d } end
	end
	table.sort(found, function(a, b)
		if a[2] ~= b[2] then return a[2] < b[2] end
		return a[1] < b[1]
	end)
	local shown = {}
	for i = 1, math.min(#found, 5) do shown[i] = '"' .. found[i][1] .. '"' end
	if #shown == 0 then return "" end
	local last = table.remove(shown)
	local text = last
	if #shown == 1 then text = shown[1] .. " or " .. last end
	if #shown > 1 then text = table.concat(shown, ", ") .. ", or " .. last end
	return " Did you mean " .. (prefix or "") .. text .. "?"
end

return M
