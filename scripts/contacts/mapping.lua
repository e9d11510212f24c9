-- Every field of the contact, declared once for all systems. Change it and run again: nothing is compiled.
--
--   { name, type, … }   name: of the model and, unless `to` says otherwise, of the column in Postgres and SQLite
--     source      column in BigQuery (default: the name)
--     cast        true: let the source cast the column to the type, in UTC (times, dates, bool)
--     required    the source must have a value
--     transform   a list of steps ({ "lower" }, { { "truncate_time", "ms" } } …), a function(value, contact), or both; a
--                 contact for which it raises is rejected
--     own         "source": written and validated; "once": written on create only; "target": never written
--     on_loss     "reject": a contact that a system cannot hold is not sent there; "write": it is, and reported
--     to          per system (twenty, postgres, sqlite): false (not there), a name, or { name, type, … }
--
-- Twenty's names are camelCase, its own words are taken (name, createdAt …); a time there keeps milliseconds.

local function text(name, twenty, extra)
	local field = { name, "text", to = { twenty = { twenty, "TEXT" } } }
	for key, value in pairs(extra or {}) do field[key] = value end
	return field
end

local function json(name, twenty)
	return { name, "json", to = { twenty = { twenty, "RAW_JSON" } } }
end

local function time(name, twenty)
	return { name, "timestamp", to = { twenty = { twenty, "DATE_TIME", precision = "ms" } } }
end

return {
	key = "contact_id",
	name = "canonical_name", -- names a contact for people; checks.lua may leave it out
	fields = {
		{ "contact_id", "text", required = true, to = { twenty = { "contactId", "TEXT", unique = true } } },
		{ "canonical_name", "text", required = true,
			transform = { { "default_name", "full_name", "first_name", "last_name" } },
			to = { twenty = { "name", "FULL_NAME", last_name = "last_name" } } },
		text("name_normalized", "nameNormalized"),
		text("first_name", "firstNamePart"),
		text("last_name", "lastNamePart"),
		text("middle_name", "middleName"),
		text("nickname", "nickname"),
		text("name_suffix", "nameSuffix"),
		text("title", "nameTitle"),
		text("full_name", "fullNamePart"),
		text("organization", "organization"),
		{ "job_title", "text", to = { twenty = { "jobTitle", "TEXT", standard = true } } },
		text("department", "department"),
		{ "category_code", "text",
			to = { twenty = { "categoryCode", "SELECT", options = { "A", "B", "C", "D", "E", "F", "G", "H", "X" } } } },
		text("subcategory_code", "subcategoryCode"),
		text("relationship_category", "relationshipCategory"),
		text("notes", "notes"),
		{ "birthday", "date", to = { twenty = { "birthday", "DATE" } } },
		{ "is_business", "bool", to = { twenty = { "isBusiness", "BOOLEAN" } } },
		{ "is_me", "bool", to = { twenty = { "isMe", "BOOLEAN" } } },
		{ "email", "text", to = { twenty = { "emails", "EMAILS" } } },
		{ "phone", "text", to = { twenty = { "phones", "PHONES" } } },
		json("llm_context", "llmContext"),
		json("communication_stats", "communicationStats"),
		json("social_network", "socialNetwork"),
		json("ai_insights", "aiInsights"),
		json("recommendations", "recommendations"),
		json("sync_metadata", "syncMetadata"),
		time("created_at", "contactCreatedAt"),
		time("updated_at", "contactUpdatedAt"),
		time("first_seen", "firstSeen"),
		time("last_seen", "lastSeen"),
	},
}
