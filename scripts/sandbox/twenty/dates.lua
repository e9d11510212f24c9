-- Dates and instants in the spellings Twenty accepts, and the form it stores. A date is its text YYYY-MM-DD, an instant
-- is milliseconds since 1970 UTC. Knows no fields.
local M = {}

local month_days = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function days_in(year, month)
	if month == 2 and (year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)) then return 29 end
	return month_days[month]
end

local function date_ok(y, m, d)
	return y >= 1 and y <= 9999 and m >= 1 and m <= 12 and d >= 1 and d <= days_in(y, m)
end

-- Days since 1970-01-01 of a civil date (Howard Hinnant's algorithm).
local function days_from_civil(y, m, d)
	if m <= 2 then y = y - 1 end
	local era = y // 400
	local yoe = y - era * 400
	local doy = (153 * (m + (m > 2 and -3 or 9)) + 2) // 5 + d - 1
	return era * 146097 + yoe * 365 + yoe // 4 - yoe // 100 + doy - 719468
end

local function civil_from_days(z)
	z = z + 719468
	local era = z // 146097
	local doe = z - era * 146097
	local yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
	local doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
	local mp = (5 * doy + 2) // 153
	local m = mp + (mp < 10 and 3 or -9)
	return yoe + era * 400 + (m <= 2 and 1 or 0), m, doy - (153 * mp + 2) // 5 + 1
end

local date_forms = {
	{ "^(%d%d%d%d)%-(%d%d?)%-(%d%d?)$", "ymd" }, { "^(%d%d%d%d)/(%d%d?)/(%d%d?)$", "ymd" },
	{ "^(%d%d?)/(%d%d?)/(%d%d%d%d)$", "mdy" }, { "^(%d%d?)%-(%d%d?)%-(%d%d%d%d)$", "mdy" },
	{ "^(%d%d%d%d)(%d%d)(%d%d)$", "ymd" },
	{ "^(%d%d%d%d)%-(%d%d)%-(%d%d)T%d%d:%d%d:%d%d%.?%d*Z$", "ymd" },
}

--- The stored form of a date, nil when the text is no date.
---@param text string
---@return string?
function M.date(text)
	for _, form in ipairs(date_forms) do
		local a, b, c = text:match(form[1])
		if a then
			a, b, c = tonumber(a), tonumber(b), tonumber(c)
			local y, m, d = a, b, c
			if form[2] == "mdy" then y, m, d = c, a, b end
			if date_ok(y, m, d) then return string.format("%04d-%02d-%02d", y, m, d) end
		end
	end
	return nil
end

local function offset_ms(zone)
	if zone == "" or zone == "Z" or zone == "z" then return 0 end
	local sign, hours, minutes = zone:match("^([+-])(%d%d):?(%d%d)$")
	if not sign then
		sign, hours = zone:match("^([+-])(%d%d)$")
		minutes = "00"
	end
	if not sign or tonumber(hours) > 23 or tonumber(minutes) > 59 then return nil end
	local ms = (tonumber(hours) * 60 + tonumber(minutes)) * 60000
	return sign == "-" and -ms or ms
end

--- Milliseconds of an instant, nil when the text is none. No zone means UTC; finer digits are cut off.
---@param text string
---@return integer?
function M.instant(text)
	local y, m, d, rest = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)(.*)$")
	if not y then return nil end
	y, m, d = math.tointeger(tonumber(y)), math.tointeger(tonumber(m)), math.tointeger(tonumber(d))
	if not date_ok(y, m, d) then return nil end
	local ms = days_from_civil(y, m, d) * 86400000
	if rest == "" then return ms end
	local hh, mm, tail = rest:match("^[Tt ](%d%d):(%d%d)(.*)$")
	if not hh or tonumber(hh) > 23 or tonumber(mm) > 59 then return nil end
	local ss, fraction, zone = tail:match("^:(%d%d)%.?(%d*)(.*)$")
	if not ss then ss, fraction, zone = "00", "", tail end
	local offset = offset_ms(zone)
	if not offset or tonumber(ss) > 60 or #fraction > 9 then return nil end
	local thousandths = math.tointeger(tonumber((fraction .. "000"):sub(1, 3)))
	return ms + math.tointeger(hh * 3600000 + mm * 60000 + math.min(tonumber(ss), 59) * 1000) + thousandths - offset
end

--- The ISO text of milliseconds, as Date.toISOString writes it.
---@param ms integer
---@return string
function M.iso(ms)
	local days = ms // 86400000
	local rest = ms - days * 86400000
	local y, m, d = civil_from_days(days)
	return string.format("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", y, m, d, rest // 3600000, rest // 60000 % 60,
		rest // 1000 % 60, rest % 1000)
end

return M
