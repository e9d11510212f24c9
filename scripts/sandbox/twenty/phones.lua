-- Telephone numbers as Twenty takes them: calling codes, ISO countries, trunk prefixes, and which country a number
-- under a shared calling code (+1, +7, +44 ...) belongs to. The numbering plans are public facts; a number of a plan
-- that is not known here gets no country. Knows no fields and no HTTP.
local errors = require "sandbox.twenty.errors"
local js = require "sandbox.twenty.jsvalue"

local M = {}

local single = [[
20EG 27ZA 30GR 31NL 32BE 33FR 34ES 36HU 40RO 41CH 43AT 45DK 46SE 48PL 49DE 51PE 52MX 53CU 54AR 55BR 56CL 57CO 58VE
60MY 62ID 63PH 64NZ 65SG 66TH 81JP 82KR 84VN 86CN 90TR 91IN 92PK 93AF 94LK 95MM 98IR 211SS 213DZ 216TN 218LY 220GM
221SN 222MR 223ML 224GN 225CI 226BF 227NE 228TG 229BJ 230MU 231LR 232SL 233GH 234NG 235TD 236CF 237CM 238CV 239ST
240GQ 241GA 242CG 243CD 244AO 245GW 246IO 247AC 248SC 249SD 250RW 251ET 252SO 253DJ 254KE 255TZ 256UG 257BI 258MZ
260ZM 261MG 263ZW 264NA 265MW 266LS 267BW 268SZ 269KM 291ER 297AW 298FO 299GL 350GI 351PT 352LU 353IE 354IS 355AL
356MT 357CY 359BG 370LT 371LV 372EE 373MD 374AM 375BY 376AD 377MC 378SM 380UA 381RS 382ME 383XK 385HR 386SI 387BA
389MK 420CZ 421SK 423LI 500FK 501BZ 502GT 503SV 504HN 505NI 506CR 507PA 508PM 509HT 591BO 592GY 593EC 594GF 595PY
596MQ 597SR 598UY 670TL 672NF 673BN 674NR 675PG 676TO 677SB 678VU 679FJ 680PW 681WF 682CK 683NU 685WS 686KI 687NC
688TV 689PF 690TK 691FM 692MH 850KP 852HK 853MO 855KH 856LA 880BD 886TW 960MV 961LB 962JO 963SY 964IQ 965KW 966SA
967YE 968OM 970PS 971AE 972IL 973BH 974QA 975BT 976MN 977NP 992TJ 993TM 994AZ 995GE 996KG 998UZ]]

local shared = {
	["1"] = "US AG AI AS BB BM BS CA DM DO GD GU JM KN KY LC MP MS PR SX TC TT VC VG VI",
	["7"] = "RU KZ", ["39"] = "IT VA", ["44"] = "GB GG IM JE", ["47"] = "NO SJ", ["61"] = "AU CC CX",
	["212"] = "MA EH", ["262"] = "RE YT", ["290"] = "SH TA", ["358"] = "FI AX", ["590"] = "GP BL MF", ["599"] = "CW BQ",
}

local without_country = { ["800"] = true, ["808"] = true, ["870"] = true, ["878"] = true, ["881"] = true,
	["882"] = true, ["883"] = true, ["888"] = true, ["979"] = true }

-- Countries that write no trunk prefix; "1", "8" and "06" are set below; all others write "0".
local no_trunk = [[AC AD AO AW BF BH BI BJ BN BQ BT BW BZ CF CG CI CK CL CM CO CR CV CW CY CZ DJ DK EE ES FJ FK FM FO
GA GI GL GM GN GQ GR GT GW GY HK HN HT IO IS IT KM KW LS LU LV MH ML MO MR MT MV MX MZ NC NE NF NI NO NR NU OM PA PF
PG PL PT PW QA SB SC SG SH SJ SM SN SR ST SV SZ TA TD TG TJ TK TL TN TO TV UZ VA VU WF WS]]

local country_of, countries_of, code_of, trunk = {}, {}, {}, {}

local function add(code, country)
	countries_of[code] = countries_of[code] or {}
	table.insert(countries_of[code], country)
	code_of[country] = code
	trunk[country] = "0"
end

for code, country in single:gmatch("(%d+)(%u%u)") do add(code, country) end
for code, list in pairs(shared) do
	for country in list:gmatch("%u%u") do add(code, country) end
end
for code, list in pairs(countries_of) do
	if #list == 1 then country_of[code] = list[1] end
end
for country in no_trunk:gmatch("%u%u") do trunk[country] = nil end
for _, country in ipairs { "RU", "KZ", "TM" } do trunk[country] = "8" end
for _, country in ipairs(countries_of["1"]) do trunk[country] = "1" end
trunk.HU = "06"

-- Area codes of the North American plan by country; what is in neither list has no country.
local nanp = {}

local function area_codes(country, list)
	for code in list:gmatch("%d%d%d") do nanp[code] = country end
end

area_codes("US", [[201 202 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 220 223 224 225 227 228 229 231
234 235 239 240 248 251 252 253 254 256 260 262 267 269 270 272 274 276 279 281 283 301 302 303 304 305 307 308 309
310 312 313 314 315 316 317 318 319 320 321 323 324 325 327 329 330 331 332 334 336 337 339 341 346 347 350 351 352
353 357 360 361 363 364 369 380 385 386 401 402 404 405 406 407 408 409 410 412 413 414 415 417 419 423 424 425 430
432 434 435 440 442 443 445 447 448 458 463 464 469 470 472 475 478 479 480 484 501 502 503 504 505 507 508 509 510
512 513 515 516 517 518 520 530 531 534 539 540 541 551 557 559 561 562 563 564 567 570 571 572 573 574 575 580 582
585 586 601 602 603 605 606 607 608 609 610 612 614 615 616 617 618 619 620 623 626 628 629 630 631 636 640 641 645
646 650 651 656 657 659 660 661 662 667 669 678 680 681 682 686 689 701 702 703 704 706 707 708 712 713 714 715 716
717 718 719 720 724 725 726 727 728 730 731 732 734 737 738 740 743 747 748 754 757 760 762 763 765 769 770 771 772
773 774 775 779 781 785 786 801 802 803 804 805 806 808 810 812 813 814 815 816 817 818 820 821 826 828 830 831 832
835 837 838 839 840 843 845 847 848 850 854 856 857 858 859 860 861 862 863 864 865 870 872 878 901 903 904 906 907
908 909 910 912 913 914 915 916 917 918 919 920 925 928 929 930 931 934 936 937 938 940 941 943 945 947 948 949 951
952 954 956 959 970 971 972 973 975 978 979 980 983 984 985 986 989 800 833 844 855 866 877 888 900 500 521 522 523
524 525 526 527 528 529 532 533 544 566 577 588 710]])
area_codes("CA", [[204 226 236 249 250 257 263 273 289 306 343 354 365 367 368 382 403 416 418 428 431 437 438 450 468
474 506 514 519 548 579 581 584 587 604 613 639 647 672 683 705 709 742 753 778 780 782 807 819 825 867 873 879 902
905 942 600 622 633]])
for pair in ([[268AG 264AI 684AS 246BB 441BM 242BS 767DM 809DO 829DO 849DO 473GD 671GU 658JM 876JM 869KN 345KY 758LC
670MP 664MS 787PR 939PR 721SX 649TC 868TT 784VC 284VG 340VI]]):gmatch("%d%d%d%u%u") do
	nanp[pair:sub(1, 3)] = pair:sub(4)
end

-- Which country of a shared code a national number belongs to; nil when the plan knows no such number.
local rules = {}

rules["1"] = function(n)
	if #n ~= 10 or not n:find("^%d%d%d[2-9]") then
		local country = nanp[n:sub(1, 3)]
		return country ~= "US" and country ~= "CA" and country or nil
	end
	return nanp[n:sub(1, 3)]
end
rules["7"] = function(n)
	if n:find("^7") then return "KZ" end
	return n:find("^[3489]") and "RU" or nil
end
rules["39"] = function(n) return n:find("^06698") and "VA" or (#n >= 6 and n:find("^[01345789]") and "IT") or nil end
rules["44"] = function(n)
	if n:find("^1624") or n:find("^7[56]24") or n:find("^74576") then return "IM" end
	if n:find("^1481[25-9]%d%d%d%d%d$") or n:find("^7781%d%d%d%d%d%d$") or n:find("^7839%d%d%d%d%d%d$")
		or n:find("^7911[17]%d%d%d%d%d$") then return "GG" end
	if n:find("^1534[0-24-8]%d%d%d%d%d$") or n:find("^7509%d%d%d%d%d%d$") or n:find("^7829%d%d%d%d%d%d$")
		or n:find("^7937%d%d%d%d%d%d$") or n:find("^7700[378]%d%d%d%d%d$") or n:find("^7797%d%d%d%d%d%d$") then
		return "JE"
	end
	if (#n == 10 and n:find("^[1235789]")) or (#n == 9 and n:find("^[18]")) or (#n == 7 and n:find("^8")) then
		return "GB"
	end
end
rules["47"] = function(n) return (n:find("^79") and "SJ") or (n:find("^[02-8]") and "NO") or (n:find("^9") and "NO") end
rules["61"] = function(n)
	if n:find("^89162") then return "CC" end
	if n:find("^89164") then return "CX" end
	return (n:find("^[234578]%d%d%d%d%d%d%d%d$") or n:find("^1[389]")) and "AU" or nil
end
rules["212"] = function(n)
	if n:find("^528[89]%d%d%d%d%d$") then return "MA" end
	return n:find("^[5-8]") and "MA" or nil
end
rules["262"] = function(n)
	if n:find("^639") or n:find("^269") or n:find("^7093") then return #n == 9 and "YT" or nil end
	return #n == 9 and n:find("^[26789]") and "RE" or nil
end
rules["290"] = function(n) return (n:find("^8") and "TA") or (n:find("^[2569]") and "SH") or nil end
rules["358"] = function(n)
	if n:find("^18") then return "AX" end
	return (n:find("^1[03-79]") or n:find("^[2-9]")) and "FI" or nil
end
rules["590"] = function(n) return #n == 9 and n:find("^[56789]") and "GP" or nil end
rules["599"] = function(n) return (n:find("^[69]") and "CW") or (n:find("^[347]") and "BQ") or nil end

--- The ISO country of a national number under a calling code, nil when unknown.
---@param code string digits
---@param national string digits
---@return string?
function M.country(code, national)
	if rules[code] then return rules[code](national) or nil end
	return country_of[code]
end

---@param country string
---@return boolean
function M.valid_country(country) return code_of[country] ~= nil end

--- The countries of a calling code written with or without "+"; empty when there is no such code.
---@param code string
---@return string[]
function M.countries(code) return countries_of[(code:gsub("%+", ""))] or {} end

local function split_code(digits)
	for length = 1, 3 do
		local code = digits:sub(1, length)
		if countries_of[code] or without_country[code] then return code, digits:sub(length + 1) end
	end
end

local function candidate(text)
	text = text:gsub("^tel:", ""):gsub("＋", "+")
	local from = text:find("[%d+]")
	if not from then return nil end
	text = text:sub(from)
	local stop = text:lower():find("%s*;?%s*ext") or text:lower():find("[%s%d]x%s*%d") or text:find("%s*#%s*%d")
	if stop and stop > 1 then
		if text:lower():find("^%dx", stop) then stop = stop + 1 end
		text = text:sub(1, stop - 1)
	end
	text = text:match("^[%d%s%+%-%.%(%)/%[%]~*\226\128\144-\149\194\160]+") or text
	return text
end

local function strip_trunk(national, country)
	local prefix = country and trunk[country]
	if not prefix or national:sub(1, #prefix) ~= prefix then return national end
	local rest = national:sub(#prefix + 1)
	if prefix == "1" and #rest ~= 10 then return national end
	if prefix == "8" and #national ~= 11 then return national end
	return rest
end

local function international(digits)
	local code, national = split_code(digits)
	if not code then return nil end
	return code, strip_trunk(national, (countries_of[code] or {})[1])
end

local function local_number(digits, country, code)
	local home = country or (countries_of[code] or {})[1]
	if digits:sub(1, 2) == "00" and code ~= "1" then return international(digits:sub(3)) end
	if digits:sub(1, 3) == "011" and code == "1" then return international(digits:sub(4)) end
	local national = strip_trunk(digits, home)
	if national == digits and digits:sub(1, #code) == code and #digits > 10 then
		return code, digits:sub(#code + 1)
	end
	return code, national
end

--- Parses a number. nil when it is no number; else {code, national, country?}.
---@param text string
---@param country string? default country
---@param code string? default calling code, digits
---@return table?
function M.parse(text, country, code)
	if #text > 250 then return nil end
	local plain = candidate(text)
	if not plain then return nil end
	local digits = plain:gsub("%D", "")
	if #digits < 2 then return nil end
	local found, national
	if plain:find("^%+") then
		found, national = international(digits)
	else
		code = country and code_of[country] or code
		if not code or code == "" then return nil end
		found, national = local_number(digits, country, code)
	end
	if not found or #national < 2 or #national > 17 then return nil end
	local home = M.country(found, national)
	if not home and country and not plain:find("^%+") then home = country end
	return { code = found, national = national, country = home }
end

local function filled(v) return type(v) == "string" and v ~= "" end

local function check_codes(country, code)
	if filled(country) and not M.valid_country(country) then
		errors.coded("Invalid country code " .. country, "INVALID_PHONE_COUNTRY_CODE")
	end
	if not filled(code) then return end
	local countries = M.countries(code)
	if #countries == 0 then errors.coded("Invalid calling code " .. code, "INVALID_PHONE_CALLING_CODE") end
	if not filled(country) then return end
	for _, c in ipairs(countries) do
		if c == country then return end
	end
	errors.coded("Provided country code and calling code are conflicting",
		"CONFLICTING_PHONE_CALLING_CODE_AND_COUNTRY_CODE")
end

--- Checks and completes one telephone: number, calling code, country code (JavaScript values, nil = undefined).
--- Raises the API errors of twenty.md section 6.
---@return any number, any calling_code, any country_code
function M.complete(number, calling_code, country_code)
	check_codes(country_code, calling_code)
	if not filled(number) then return number, calling_code, country_code end
	local code = filled(calling_code) and calling_code:gsub("%+", "") or nil
	local phone = M.parse(number, filled(country_code) and country_code or nil, code)
	if not phone then errors.coded("Provided phone number is invalid " .. number, "INVALID_PHONE_NUMBER") end
	if phone.country and filled(country_code) and phone.country ~= country_code then
		errors.coded("Provided and inferred country code are conflicting", "CONFLICTING_PHONE_COUNTRY_CODE")
	end
	if code and phone.code ~= code then
		errors.coded("Provided and inferred calling code are conflicting", "CONFLICTING_PHONE_CALLING_CODE")
	end
	if calling_code == nil or calling_code == js.null then calling_code = "+" .. phone.code end
	if country_code == nil or country_code == js.null then country_code = phone.country end
	return phone.national, calling_code, country_code
end

return M
