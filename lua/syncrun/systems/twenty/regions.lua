--- Telephone regions: calling code, what is dialled there before a call abroad and before a call within, and what behind a
--- calling code is read as another number. Numbering plans are public facts; tests/lua/twenty_phones_test.lua holds what
--- follows from them against the library that Twenty 2.21 uses.
local err = require "syncrun.err"

local M = {}

-- Calling code and region; of shared codes all their regions.
local CODES = [[
1US 1AG 1AI 1AS 1BB 1BM 1BS 1CA 1DM 1DO 1GD 1GU 1JM 1KN 1KY 1LC 1MP 1MS 1PR 1SX 1TC 1TT 1VC 1VG 1VI 7RU 7KZ
20EG 27ZA 30GR 31NL 32BE 33FR 34ES 36HU 39IT 39VA 40RO 41CH 43AT 44GB 44GG 44IM 44JE 45DK 46SE 47NO 47SJ 48PL 49DE
51PE 52MX 53CU 54AR 55BR 56CL 57CO 58VE 60MY 61AU 61CC 61CX 62ID 63PH 64NZ 65SG 66TH 81JP 82KR 84VN 86CN 90TR 91IN
92PK 93AF 94LK 95MM 98IR 211SS 212MA 212EH 213DZ 216TN 218LY 220GM 221SN 222MR 223ML 224GN 225CI 226BF 227NE 228TG
229BJ 230MU 231LR 232SL 233GH 234NG 235TD 236CF 237CM 238CV 239ST 240GQ 241GA 242CG 243CD 244AO 245GW 246IO 247AC
248SC 249SD 250RW 251ET 252SO 253DJ 254KE 255TZ 256UG 257BI 258MZ 260ZM 261MG 262RE 262YT 263ZW 264NA 265MW 266LS
267BW 268SZ 269KM 290SH 290TA 291ER 297AW 298FO 299GL 350GI 351PT 352LU 353IE 354IS 355AL 356MT 357CY 358FI 358AX
359BG 370LT 371LV 372EE 373MD 374AM 375BY 376AD 377MC 378SM 380UA 381RS 382ME 383XK 385HR 386SI 387BA 389MK 420CZ
421SK 423LI 500FK 501BZ 502GT 503SV 504HN 505NI 506CR 507PA 508PM 509HT 590GP 590BL 590MF 591BO 592GY 593EC 594GF
595PY 596MQ 597SR 598UY 599CW 599BQ 670TL 672NF 673BN 674NR 675PG 676TO 677SB 678VU 679FJ 680PW 681WF 682CK 683NU
685WS 686KI 687NC 688TV 689PF 690TK 691FM 692MH 850KP 852HK 853MO 855KH 856LA 880BD 886TW 960MV 961LB 962JO 963SY
964IQ 965KW 966SA 967YE 968OM 970PS 971AE 972IL 973BH 974QA 975BT 976MN 977NP 992TJ 993TM 994AZ 995GE 996KG 998UZ]]

-- Calling codes of no country: free phone, shared cost, satellites, networks.
local NO_COUNTRY = "800 808 870 878 881 882 883 888 979"

-- Regions where a number is dialled as it is written; everywhere else a 0 comes first, or what stands in TRUNKS.
local NO_TRUNK = [[AC AD AO AW BF BH BI BJ BN BQ BT BW BZ CF CG CI CK CL CM CO CR CV CW CY CZ DJ DK EE ES FJ FK FM FO
GA GI GL GM GN GQ GR GT GW GY HK HN HT IO IS IT KM KW LS LU LV ML MO MR MT MV MX MZ NC NE NF NI NO NR NU OM PA PF PG
PL PT PW QA SB SC SG SH SJ SM SN SR ST SV SZ TA TD TG TJ TK TL TN TO TV UZ VA VU WF WS]]
local TRUNKS = { RU = { "8", 10 }, KZ = { "8", 10 }, TM = { "8", 8 }, HU = { "06", 0 }, MH = { "1", 7 } }

-- Further prefixes that are dropped behind a calling code: such as are dialled no longer, or beside another one.
local MORE_TRUNKS = { ["57"] = { "0", 0 }, ["241"] = { "0", 8 }, ["370"] = { "8", 8 }, ["375"] = { "80", 10 } }

-- Calling code, first digits behind it, how many national digits from and to: what callers at home dial before a number
-- (a carrier's code, 15 for Argentina's mobiles), or a number without its area code. The library makes another number of it.
local MISREAD = {
	{ "54", "1", 11, 17 }, { "54", "2", 11, 17 }, { "54", "3", 11, 17 }, -- as 9 and the number without 15
	{ "55", "90", 2, 17 }, { "61", "1831", 4, 17 }, { "61", "1832", 4, 17 }, { "86", "11", 2, 17 }, { "86", "12", 2, 17 },
	{ "86", "179", 3, 17 }, { "298", "10", 2, 17 }, { "352", "15", 2, 17 }, { "423", "1001", 4, 17 },
	{ "506", "19", 2, 17 }, -- without a carrier's code
	{ "261", "", 7, 7 }, { "378", "8", 6, 6 }, { "378", "9", 6, 6 }, { "672", "", 5, 5 }, -- with an area code before it
	{ "375", "8", 2, 9 }, { "375", "8", 12, 17 }, { "375", "808", 10, 10 }, { "375", "81", 10, 10 },
	{ "375", "82", 10, 10 }, { "375", "83", 10, 10 }, { "375", "84", 10, 10 }, { "375", "88", 10, 11 },
	{ "375", "89", 11, 11 }, -- without the 8 that is dialled first
}

-- What is dialled before a call abroad where it is not 00.
local ABROAD = { ["1"] = "011", ["7"] = "810", AU = "0011", CC = "0011", CX = "0011", JP = "010", HK = "001",
	SG = "001", TH = "001", KH = "001" }

local code_of, trunk_of, mains = {}, {}, {}
for code, region in CODES:gmatch "(%d+)(%u%u)" do
	if not mains[code] then
		mains[code] = region
		mains[#mains + 1] = code
	end
	code_of[region] = code
	trunk_of[region] = code == "1" and { "1", 10 } or TRUNKS[region] or { "0", 0 }
end
for region in NO_TRUNK:gmatch "%u%u" do trunk_of[region] = { "", 0 } end

--- The arguments of the step phone_e164 for a default region: an ISO 3166 code ("US"), or a calling code ("+33": the number
--- is put behind it as it is).
---@param region string
---@return string[]
function M.arguments(region)
	if type(region) == "string" and region:find "^%+%d+$" and #region <= 4 then return { region, "", "", "00" } end
	local code = type(region) == "string" and code_of[region:upper()]
	if not code then
		err.raise { kind = "config", exit = 2,
			message = ("twenty.default_region is '%s'; give a country like \"US\", or a calling code like \"+1\""):format(
				tostring(region)) }
	end
	region = region:upper()
	local trunk = trunk_of[region]
	return { "+" .. code, ABROAD[region] or ABROAD[code] or "00", trunk[1], ("%02d"):format(trunk[2]) }
end

-- Prefix, national digits: for every calling code what callers at home dial before a number.
local function each_trunk(fn)
	for _, code in ipairs(mains) do
		for _, trunk in ipairs { trunk_of[mains[code]], MORE_TRUNKS[code] } do
			if trunk[1] ~= "" then fn(code, trunk[1], trunk[2]) end
		end
	end
end

--- The arguments of the step phone_trunk: for every calling code the prefix that callers at home dial before a number.
---@return string[]
function M.trunks()
	local list = {}
	each_trunk(function(code, prefix, digits)
		list[#list + 1] = ("+%s%s:%d:%02d"):format(code, prefix, #prefix, digits)
	end)
	return list
end

--- The arguments of the step phone_code: all calling codes.
---@return string[]
function M.codes()
	local list = {}
	for _, code in ipairs(mains) do list[#list + 1] = "+" .. code end
	for code in NO_COUNTRY:gmatch "%d+" do list[#list + 1] = "+" .. code end
	return list
end

--- The arguments of the step phone_misread, which comes after phone_trunk: a trunk prefix that is still there was twice.
---@return string[]
function M.misread()
	local list = {}
	for _, rule in ipairs(MISREAD) do
		local code, prefix, from, to = table.unpack(rule)
		list[#list + 1] = ("+%s%s:%02d:%02d"):format(code, prefix, #code + from, #code + to)
	end
	each_trunk(function(code, prefix, digits)
		list[#list + 1] = ("+%s%s:%02d:99"):format(code, prefix, #code + math.max(digits + 1, #prefix + 4))
	end)
	return list
end

return M
