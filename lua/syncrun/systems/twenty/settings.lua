--- The settings of Twenty as a target, and what each may be.

-- A burst of calls, then one call each so many seconds.
local RATE = {
	types = { "table", "false" }, words = "a table like { tokens = 95, every = 0.61 }, or false for no limit",
	fields = { tokens = { types = { "integer" }, min = 1 }, every = { types = { "number" }, above = 0 } },
}

---@type table<string, syncrun.Shape>
return {
	url = { types = { "text" } },
	key = { types = { "text" } },
	insecure = { types = { "boolean" } }, -- the key by plain http to another machine
	default_region = { types = { "text" } },
	rate = RATE,
	batch = { types = { "integer" }, min = 1, max = 200 },
	page_rows = { types = { "integer" }, min = 1 },
	timeout = { types = { "number" }, above = 0 },
	duplicate_email = { types = { "text" }, one_of = { "reject", "additional" } },
	on_deleted = { types = { "text" }, one_of = { "restore", "respect" } },
	adopt = { types = { "boolean" } },
	revive = { types = { "text" }, one_of = { "all", "ours", "never" } },
}
