--- The states of one contact in one system, and which may follow which. The ledger keeps the lasting ones and has the
--- database itself refuse every other move; seen and read_back pass within one transaction and leave a trace only as
--- the evidence of the state that follows.
---
---   seen        the source has it; nothing is known of the system (no row in the ledger)
---   planned     it must be written; lasting only when a batch was refused as a whole and is halved
---   sent        it is in a request that has no answer yet; committed before the request leaves
---   written     the system said so, or it was found there after an unanswered request
---   rejected    the system, or what it can hold, refuses it
---   unknown     no answer came: it is read before it is sent again
---   read_back   what the system holds was read, not told by the answer to a write
---   verified    read back, and equal to what is expected
---   missing     read back, and not there
---   mismatched  read back, and different, or there more than once
local M = {}

--- What may follow each state, in the order of the list above.
---@type table<string, string[]>
M.next = {
	seen = { "planned", "read_back" },
	planned = { "sent", "read_back" },
	sent = { "written", "rejected", "unknown", "planned", "read_back" },
	written = { "read_back" },
	rejected = { "read_back" },
	unknown = { "read_back" },
	read_back = { "planned", "written", "verified", "missing", "mismatched", "rejected" },
	verified = { "read_back" },
	missing = { "read_back" },
	mismatched = { "read_back" },
}

--- The states that stand in the ledger.
M.lasting = { "planned", "sent", "written", "rejected", "unknown", "verified", "missing", "mismatched" }

-- What a step is owed to: the answer to the last request, a new request, or a later read.
local EVIDENCE = { planned = "answer", written = "answer", rejected = "answer", unknown = "answer", sent = "request" }

local function add(list, from, to, by)
	list[#list + 1] = { from = from, to = to, by = by }
end

-- Through read_back: every lasting state that can follow it; planned is not written down but sent at once.
local function add_reads(list, from)
	for _, to in ipairs(M.next.read_back) do add(list, from, to == "planned" and "sent" or to, "read") end
end

--- The moves between lasting states: from, to, and by what: "answer" (to the request it is in), "request" (a new one),
--- "read" (made after its last request left).
---@return { from: string, to: string, by: string }[]
function M.moves()
	local list = {}
	add_reads(list, "seen")
	for _, from in ipairs(M.lasting) do
		for _, to in ipairs(M.next[from]) do
			if to == "read_back" then add_reads(list, from) else add(list, from, to, EVIDENCE[to]) end
		end
	end
	return list
end

return M
