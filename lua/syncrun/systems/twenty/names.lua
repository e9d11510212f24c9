--- What Twenty lets a field or an option be called (facts/twenty.md 3 and appendix B; recordings 030-059): known before
--- anything is sent, so that set-up names the trouble instead of stopping half way. Knows no requests.
local M = {}

local NAME_MAX = 63 -- bytes of a Postgres column

local RESERVED = {}
for name in ([[approvedAccessDomain approvedAccessDomains appToken appTokens billingCustomer billingCustomers
	billingEntitlement billingEntitlements billingMeter billingMeters billingProduct billingProducts billingSubscription
	billingSubscriptions billingSubscriptionItem billingSubscriptionItems featureFlag featureFlags job jobs keyValuePair
	keyValuePairs pageLayout pageLayouts pageLayoutTab pageLayoutTabs pageLayoutWidget pageLayoutWidgets twoFactorMethod
	twoFactorMethods user users userWorkspace userWorkspaces workspace workspaces role roles userWorkspaceRole
	userWorkspaceRoles plan plans event events field fields link links currency currencies fullNames address addresses type
	types object objects index relation relations aggregate search searches]]):gmatch "%a+" do
	RESERVED[name] = true
end

-- The columns that a composite field takes in the database; their names are taken too.
local PARTS = {
	FULL_NAME = { "FirstName", "LastName" }, EMAILS = { "PrimaryEmail", "AdditionalEmails" },
	PHONES = { "PrimaryPhoneNumber", "PrimaryPhoneCountryCode", "PrimaryPhoneCallingCode", "AdditionalPhones" },
	LINKS = { "PrimaryLinkLabel", "PrimaryLinkUrl", "SecondaryLinks" },
	CURRENCY = { "AmountMicros", "CurrencyCode" },
	ACTOR = { "Source", "WorkspaceMemberId", "Name", "Context" },
	ADDRESS = { "AddressStreet1", "AddressStreet2", "AddressCity", "AddressPostcode", "AddressState", "AddressCountry",
		"AddressLat", "AddressLng" },
	RELATION = { "Id" }, MORPH_RELATION = { "Id" },
}

local function taken_by(name, fields)
	for other, field in pairs(fields) do
		for _, part in ipairs(PARTS[field.type] or {}) do
			if other .. part == name then return other end
		end
	end
end

--- Why no field of this name can be made beside these, or nil.
---@param name string
---@param fields table<string, { type: string }> those that are there, by name
---@return string?
function M.problem(name, fields)
	if #name > NAME_MAX then return ("its name is longer than %d characters"):format(NAME_MAX) end
	if not name:find "^%l%w*$" then
		return "a name there begins with a small letter, and has letters A to Z and digits only"
	end
	if RESERVED[name] then return "Twenty reserves this name" end
	local other = taken_by(name, fields)
	return other and ("the name is taken by a part of person.%s"):format(other) or nil
end

--- The first of these option values that Twenty does not take, or nil.
---@param values string[]
---@return string?
function M.bad_option(values)
	for _, value in ipairs(values) do
		if not value:find "^[%u_][%u%d_]*$" then return value end
	end
end

return M
