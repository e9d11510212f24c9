-- The recordings that the repository holds are those of the full set.
local json = require "syncrun.json"
local recordings = require "lua.lib.recordings"
local t = require "syncrun.test"

for service, least in pairs { bigquery = 38, twenty = 50 } do
	t.test(service .. ": what is shipped is what was recorded", function()
		local n = 0
		for name, recording in pairs(recordings.shipped(service)) do
			local file = io.open(recordings.folder(service) .. name .. ".json", "rb")
			if not file then t.skip "the full set is not at hand" end
			t.eq(recording, json.decode(file:read "a"), name)
			file:close()
			n = n + 1
		end
		t.ok(n >= least, n)
	end)
end
