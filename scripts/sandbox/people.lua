-- Contacts for the sandbox: contact i is a function of the seed and i alone, so more of them never change the first.
-- All of them can be held by every system (facts/twenty.md 6); the ones that cannot are people/odd.lua's.

local data = require "sandbox.people.data"

local M = {}

-- Randomness: splitmix64 over (seed, i) ----------------------------------------------------------

local Dice = {}
Dice.__index = Dice

local function mix(z)
	z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9
	z = (z ~ (z >> 27)) * 0x94D049BB133111EB
	return z ~ (z >> 31)
end

local function dice(seed, i)
	return setmetatable({ state = mix(seed) ~ mix(i * 0x9E3779B97F4A7C15 + 0x1234567) }, Dice)
end

function Dice:next()
	self.state = self.state + 0x9E3779B97F4A7C15
	return mix(self.state)
end

function Dice:int(low, high)
	return low + (self:next() >> 1) % (high - low + 1)
end

function Dice:pick(list)
	return list[self:int(1, #list)]
end

function Dice:chance(percent)
	return self:int(1, 100) <= percent
end

-- true in so many of a hundred cases, else false, or in some of these nil.
function Dice:flag(percent_true, percent_nil)
	if self:chance(percent_true) then
		return true
	elseif not self:chance(percent_nil) then
		return false
	end
end

function Dice:digits(n)
	local out = {}
	for k = 1, n do
		out[k] = self:int(0, 9)
	end
	return table.concat(out)
end

-- Identity ---------------------------------------------------------------------------------------

-- Every shape holds i itself, and no two shapes can meet, so ids are unique for any number of contacts.
local SHAPES = {
	function(i)
		return ("%d"):format(300000 + i)
	end,
	function(i)
		return ("%d"):format(9007199254740993 + i)
	end,
	function(i)
		return ("c-%06d"):format(i)
	end,
	function(i, d)
		local a, b = d:next(), d:next()
		return ("%08x-%04x-4%03x-%04x-%012x"):format(
			a & 0xffffffff,
			(a >> 32) & 0xffff,
			(a >> 48) & 0xfff,
			0x8000 | (b & 0x3fff),
			i
		)
	end,
	function(i)
		return ("people/c%X"):format(i)
	end,
	function(i)
		return ("ID_%d.é%d"):format(i, i % 7)
	end,
}

local function full_name(order, given, family)
	if order == "gf" then
		return given .. " " .. family
	end
	return order == "fg" and family .. " " .. given or family .. given
end

local function canonical(d, name, suffix)
	if not suffix then
		return name
	end
	return name .. (d:chance(50) and ", " or " ") .. suffix
end

-- Lower case of ASCII only would be a half-truth: the search form is made of the Latin spellings.
local function person(d, c)
	local l = d:pick(data.locales)
	local g, f = d:int(1, #l.g), d:int(1, #l.f)
	c.first_name, c.last_name = l.g[g], l.f[f]
	c.middle_name = d:chance(20) and d:pick(data.middles) or nil
	c.nickname = d:chance(15) and d:pick(data.nicknames) or (d:chance(3) and "" or nil)
	c.name_suffix = d:chance(12) and d:pick(data.suffixes) or nil
	c.title = d:chance(18) and d:pick(data.titles) or nil
	local name = full_name(l.order, c.first_name, c.last_name)
	c.full_name = not d:chance(10) and name or nil
	c.canonical_name = canonical(d, name, c.name_suffix)
	c.name_normalized = not d:chance(30) and l.ga[g] .. " " .. l.fa[f] or nil
	c.organization = d:chance(60) and d:pick(data.organizations) or nil
	c.job_title = d:chance(70) and d:pick(data.jobs) or nil
	c.department = d:chance(35) and d:pick(data.departments) or nil
	return l.ga[g] .. "." .. l.fa[f]
end

local function business(d, c, i)
	local name = d:pick(data.organizations)
	c.organization = name
	c.canonical_name = ("%s %d"):format(name, i)
	c.full_name = d:chance(50) and c.canonical_name or nil
	return "office"
end

local function email(d, stem, i)
	local address = ("%s.%d@%s"):format(stem, i, d:pick(data.domains))
	if d:chance(10) then
		return address:upper()
	elseif d:chance(10) then
		return (address:gsub("@", "+list@"))
	end
	return address
end

local function phone(d)
	local p = d:pick(data.phones)
	return p[2] .. d:digits(p[3])
end

-- Dates and times --------------------------------------------------------------------------------

local MONTH_DAYS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function birthday(d)
	local year = d:chance(6) and d:int(1650, 1899) or d:int(1900, 2015)
	local month = d:int(1, 12)
	if month == 2 and year % 4 == 0 and year % 100 ~= 0 and d:chance(20) then
		return ("%04d-02-29"):format(year)
	end
	return ("%04d-%02d-%02d"):format(year, month, d:int(1, MONTH_DAYS[month]))
end

local YEAR = 31556952000000

local function times(d, c)
	-- 1995 to 2024, with every kind of fraction: none, milliseconds, microseconds.
	local created = 788918400000000 + d:int(0, 29 * YEAR)
	local grain = d:pick { 1000000, 1000, 1, 1 }
	c.created_at = created - created % grain
	c.updated_at = c.created_at + d:int(0, YEAR)
	c.first_seen = d:chance(80) and c.created_at - d:int(0, YEAR) or nil
	c.last_seen = d:chance(80) and c.updated_at + d:int(0, YEAR // 2) or nil
end

-- JSON -------------------------------------------------------------------------------------------

local CONTEXT = {
	'{"topics":["wine","Go 囲碁","π"],"confidence":0.875,"seen":%d}',
	'{"summary":"Likes \\"long\\" walks\\nand \\u00e9t\\u00e9","score":-12.5,"nested":{"a":{"b":[1,2,{"c":null}]}}}',
	'["plain",true,false,null,%d,0.1,1e3]',
	'{"z":1,"a":2,"ä":3,"A":4,"":5,"n":%d}',
	'{"emoji":"👩‍🚀","escaped":"\\ud83d\\ude80","slash":"\\/","tab":"\\t","n":%d}',
	'{"big":9007199254740991,"small":-9007199254740991,"tiny":2.5e-7,"money":1.10,"n":%d}',
}
local STATS = {
	"{}",
	'{"emails":%d,"calls":3,"last":"2024-02-29T12:00:00Z"}',
	'{"emails":0,"calls":0,"ratio":0.5,"weeks":[%d,0,12]}',
}
local SOCIAL = {
	'{"github":"user%d","mastodon":"@user@example.social"}',
	'{"links":[{"url":"https://example.com/?a=1&b=%d","label":"home"},{"url":"https://例え.example/"}]}',
}
local INSIGHTS = { '{"cluster":%d,"tags":["A&B","<b>"],"p":0.0625}', '[{"kind":"birthday","in":%d}]' }
local ADVICE = { '[{"action":"call","weight":%d},{"action":"write","weight":0.25}]', '{"next":"lunch","n":%d}' }
local METADATA = { '{"source":"carddav","version":%d,"etag":"W/\\"abc\\""}', '{"source":"import","row":%d}' }

local function json(d, percent, list)
	if d:chance(percent) then
		return (d:pick(list):gsub("%%d", ("%d"):format(d:int(0, 100000))))
	end
end

local function documents(d, c)
	c.llm_context = json(d, 70, CONTEXT)
	c.communication_stats = json(d, 90, STATS)
	c.social_network = json(d, 50, SOCIAL)
	c.ai_insights = json(d, 40, INSIGHTS)
	c.recommendations = json(d, 30, ADVICE)
	c.sync_metadata = json(d, 80, METADATA)
end

-- Contacts ---------------------------------------------------------------------------------------

local SEED = 20260102
local ME = 42

---Contact number i: stored values by canonical name, NULLs absent. Timestamps are microseconds, JSON is text.
---@param i integer from 1
---@param seed integer|nil
---@return table
function M.contact(i, seed)
	local d = dice(seed or SEED, i)
	local c = { contact_id = SHAPES[d:int(1, #SHAPES)](i, d) }
	c.is_business = d:flag(8, 20)
	local stem = c.is_business and business(d, c, i) or person(d, c)
	c.category_code = not d:chance(4) and d:pick(data.category_order) or nil
	c.subcategory_code = c.category_code and d:chance(85) and d:pick(data.categories[c.category_code]) or nil
	c.relationship_category = d:chance(75) and d:pick(data.relationships) or nil
	c.notes = d:chance(45) and d:pick(data.notes) or nil
	c.birthday = not c.is_business and d:chance(55) and birthday(d) or nil
	c.is_me = i == ME or d:flag(0, 10)
	c.email = d:chance(80) and email(d, stem, i) or nil
	c.phone = d:chance(75) and phone(d) or nil
	documents(d, c)
	times(d, c)
	return c
end

---An iterator of contacts 1..n, then of the odd ones when asked for.
---@param n integer
---@param o table|nil {odd=boolean, seed=integer}
---@return function
function M.records(n, o)
	o = o or {}
	local odd = o.odd and require("sandbox.people.odd").list() or {}
	local i = 0
	return function()
		i = i + 1
		if i <= n then
			return M.contact(i, o.seed)
		end
		return odd[i - n] and odd[i - n].contact
	end
end

---The odd contacts with their expected verdicts (people/odd.lua).
---@return table
function M.odd()
	return require("sandbox.people.odd").list()
end

return M
