-- What a fresh Twenty 2.21 workspace has before anybody touches it: the standard objects served here with their fields,
-- the composite types, and the names nobody may take. Data only.
local M = {}

--- Subfields of the composite types, in the order answers show them: name, type, and for `json` an empty form.
M.composites = {
	FULL_NAME = { { "firstName", "TEXT" }, { "lastName", "TEXT" } },
	EMAILS = { { "primaryEmail", "TEXT" }, { "additionalEmails", "RAW_JSON", "[]" } },
	PHONES = { { "primaryPhoneNumber", "TEXT" }, { "primaryPhoneCountryCode", "TEXT" },
		{ "primaryPhoneCallingCode", "TEXT" }, { "additionalPhones", "RAW_JSON", "[]" } },
	LINKS = { { "primaryLinkLabel", "TEXT" }, { "primaryLinkUrl", "TEXT" }, { "secondaryLinks", "RAW_JSON", "[]" } },
	ACTOR = { { "source", "SELECT" }, { "workspaceMemberId", "UUID" }, { "name", "TEXT" },
		{ "context", "RAW_JSON", "{}" } },
	ADDRESS = { { "addressStreet1", "TEXT" }, { "addressStreet2", "TEXT" }, { "addressCity", "TEXT" },
		{ "addressPostcode", "TEXT" }, { "addressState", "TEXT" }, { "addressCountry", "TEXT" },
		{ "addressLat", "NUMBER" }, { "addressLng", "NUMBER" } },
	CURRENCY = { { "amountMicros", "NUMBER" }, { "currencyCode", "SELECT" } },
}

--- Every field type the server knows, in its alphabetical order.
M.types = { "ACTOR", "ADDRESS", "ARRAY", "BOOLEAN", "CURRENCY", "DATE", "DATE_TIME", "EMAILS", "FILES", "FULL_NAME",
	"LINKS", "MORPH_RELATION", "MULTI_SELECT", "NUMBER", "NUMERIC", "PHONES", "POSITION", "RATING", "RAW_JSON",
	"RELATION", "RICH_TEXT", "SELECT", "TEXT", "TS_VECTOR", "UUID" }

M.actor_sources = { "EMAIL", "CALENDAR", "WORKFLOW", "AGENT", "API", "IMPORT", "MANUAL", "SYSTEM", "WEBHOOK",
	"APPLICATION" }

local actor_default = [[{"name":"'System'","source":"'MANUAL'","workspaceMemberId":null}]]

-- name, type, label, description, icon, flags (S system, R read only in the interface, N not null, U unique),
-- settings, default
local function base()
	return {
		{ "id", "UUID", "Id", "Id", "Icon123", "SRN", nil, '"uuid"' },
		{ "createdAt", "DATE_TIME", "Creation date", "Creation date", "IconCalendar", "SRN",
			'{"displayFormat":"RELATIVE"}', '"now"' },
		{ "updatedAt", "DATE_TIME", "Last update", "Last time the record was changed", "IconCalendarClock", "SRN",
			'{"displayFormat":"RELATIVE"}', '"now"' },
		{ "deletedAt", "DATE_TIME", "Deleted at", "Date when the record was deleted", "IconCalendarMinus", "SR",
			'{"displayFormat":"RELATIVE"}' },
	}
end

local function tail(list, noun)
	local more = {
		{ "position", "POSITION", "Position", noun .. " record Position", "IconHierarchy2", "SN", nil, "0" },
		{ "createdBy", "ACTOR", "Created by", "The creator of the record", "IconCreativeCommonsSa", "SRN", nil,
			actor_default },
		{ "updatedBy", "ACTOR", "Updated by", "The workspace member who last updated the record", "IconUserCircle",
			"SRN", nil, actor_default },
		{ "searchVector", "TS_VECTOR", "Search vector", "Field used for full-text search", "IconUser", "S" },
	}
	return table.move(more, 1, #more, #list + 1, list)
end

local function with(list, more) return table.move(more, 1, #more, #list + 1, list) end

local function many(name, label, icon)
	return { name, "RELATION", label, label, icon, "", '{"relationType":"ONE_TO_MANY"}' }
end

local person = with(tail(with(base(), {
	{ "name", "FULL_NAME", "Name", "Contact's name", "IconUser", "" },
	{ "emails", "EMAILS", "Emails", "Contact's Emails", "IconMail", "U", '{"maxNumberOfValues":1}' },
	{ "linkedinLink", "LINKS", "Linkedin", "Contact's Linkedin account", "IconBrandLinkedin", "" },
	{ "jobTitle", "TEXT", "Job Title", "Contact's job title", "IconBriefcase", "" },
	{ "phones", "PHONES", "Phones", "Contact's phone numbers", "IconPhone", "", '{"maxNumberOfValues":1}' },
	{ "avatarUrl", "TEXT", "Avatar", "Contact's avatar", "IconFileUpload", "S" },
	{ "avatarFile", "FILES", "Avatar File", "Contact's avatar file", "IconFileUpload", "S", '{"maxNumberOfValues":1}' },
}), "Person"), {
	many("attachments", "Attachments", "IconFileImport"),
	many("calendarEventParticipants", "Calendar Event Participants", "IconCalendar"),
	{ "company", "RELATION", "Company", "Contact's company", "IconBuildingSkyscraper", "",
		'{"onDelete":"SET_NULL","relationType":"MANY_TO_ONE","joinColumnName":"companyId"}' },
	many("listMemberships", "Lists", "IconUsersGroup"),
	many("messageParticipants", "Message Participants", "IconUserCircle"),
	many("noteTargets", "Notes", "IconNotes"),
	many("pointOfContactForOpportunities", "Opportunities", "IconTargetArrow"),
	many("taskTargets", "Tasks", "IconCheckbox"),
	many("timelineActivities", "Events", "IconTimelineEvent"),
})

local company = with(tail(with(base(), {
	{ "name", "TEXT", "Name", "The company name", "IconBuildingSkyscraper", "" },
	{ "domainName", "LINKS", "Domain Name", "The company website URL", "IconLink", "U", '{"maxNumberOfValues":1}' },
	{ "address", "ADDRESS", "Address", "Address of the company", "IconMap", "" },
	{ "linkedinLink", "LINKS", "Linkedin", "The company Linkedin account", "IconBrandLinkedin", "" },
	{ "annualRevenue", "CURRENCY", "Annual Revenue", "Annual revenue of the company", "IconMoneybag", "" },
}), "Company"), {
	{ "accountOwner", "RELATION", "Account Owner", "Owner of the account", "IconUserCircle", "",
		'{"onDelete":"SET_NULL","relationType":"MANY_TO_ONE","joinColumnName":"accountOwnerId"}' },
	many("people", "People", "IconUsers"),
	many("opportunities", "Opportunities", "IconTargetArrow"),
	many("noteTargets", "Notes", "IconNotes"),
	many("taskTargets", "Tasks", "IconCheckbox"),
	many("attachments", "Attachments", "IconFileImport"),
	many("timelineActivities", "Timeline Activities", "IconTimelineEvent"),
})

--- The standard objects, each with its fields.
M.objects = {
	{ singular = "company", plural = "companies", label = "Company", labels = "Companies",
		description = "A company", icon = "IconBuildingSkyscraper", shortcut = "C", fields = company,
		foreign_key = "FK_company" },
	{ singular = "person", plural = "people", label = "Person", labels = "People", description = "A person",
		icon = "IconUser", shortcut = "P", fields = person, foreign_key = "FK_ee066ddacfce46c9a7cb90edd1a" },
}

--- Names Twenty keeps for itself (twenty.md, appendix B).
M.reserved = {}
for name in ([[approvedAccessDomain approvedAccessDomains appToken appTokens billingCustomer billingCustomers
billingEntitlement billingEntitlements billingMeter billingMeters billingProduct billingProducts billingSubscription
billingSubscriptions billingSubscriptionItem billingSubscriptionItems featureFlag featureFlags job jobs keyValuePair
keyValuePairs pageLayout pageLayouts pageLayoutTab pageLayoutTabs pageLayoutWidget pageLayoutWidgets twoFactorMethod
twoFactorMethods user users userWorkspace userWorkspaces workspace workspaces role roles userWorkspaceRole
userWorkspaceRoles plan plans event events field fields link links currency currencies fullNames address addresses
type types object objects index relation relations aggregate search searches]]):gmatch("%a+") do
	M.reserved[name] = true
end

return M
