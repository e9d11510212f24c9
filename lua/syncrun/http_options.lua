--- What the options of the HTTP client and server may be.
local SECONDS = { types = { "number" }, min = 0 }
local BYTES = { types = { "number" }, min = 0 }
local TEXT, FLAG, FUNCTION = { types = { "text" } }, { types = { "boolean" } }, { types = { "function" } }
local HEADERS = { types = { "table" }, values = { types = { "text", "number", "list", "false" } } }

local RETRY = {
	types = { "table", "false" }, words = "a table like { tries = 3 }, or false",
	fields = { tries = { types = { "integer" }, min = 1 }, base = SECONDS, cap = SECONDS, budget = SECONDS,
		longest = SECONDS, classify = FUNCTION },
}

local RATE = {
	types = { "table" }, words = "a table like { tokens = 100, per = 60 }",
	fields = { tokens = { types = { "number" } }, per = SECONDS, every = SECONDS, burst = { types = { "number" } },
		level = { types = { "number" } } },
}

local function options(fields)
	return { types = { "table" }, fields = fields }
end

return {
	client = options {
		base_url = TEXT, headers = HEADERS, timeout = SECONDS, connect_timeout = SECONDS, idle_timeout = SECONDS,
		max_body = BYTES, concurrency = { types = { "integer" }, min = 1 }, rate = RATE, retry = RETRY, name = TEXT,
		compress = FLAG, user_agent = TEXT, follow = FLAG, on_attempt = FUNCTION, insecure = FLAG,
	},
	request = options {
		method = TEXT, path = TEXT, url = TEXT, query = { types = { "text", "table" } }, headers = HEADERS, body = TEXT,
		json = { types = { "any" } }, form = { types = { "table" } }, timeout = SECONDS, idle_timeout = SECONDS,
		max_body = BYTES, stream = FLAG, idempotent = FLAG, retry = RETRY, follow = FLAG, on_attempt = FUNCTION,
		patience = { types = { "table" } },
	},
	serve = options {
		host = TEXT, port = { types = { "integer" }, min = 0, max = 65535 }, max_body = BYTES,
		max_body_status = { types = { "integer" }, min = 200, max = 599 }, max_head = BYTES,
		max_head_status = { types = { "integer" }, min = 200, max = 599 }, idle_timeout = SECONDS, handler = FUNCTION,
		on_too_large = FUNCTION,
	},
	rate = RATE,
}
