local log = require "syncrun.log"
local t = require "syncrun.test"
local url = require "syncrun.url"

t.test("url: what may be shown of an address, and that the rest is a secret", function()
	for text, shown in pairs {
		["https://crm.example.com"] = "https://crm.example.com",
		["https://crm.example.com:3000/a/b/"] = "https://crm.example.com:3000/a/b/",
		["https://me:canary-url-1@crm.example.com/x"] = "https://crm.example.com/x",
		["https://canary-url-2@crm.example.com"] = "https://crm.example.com",
		["https://crm.example.com/x?token=canary-url-3&other=canary-url-4#key=canary-url-5"] = "https://crm.example.com/x",
		["https://crm.example.com?token=canary-url-6"] = "https://crm.example.com",
		["crm.example.com/x?token=canary-url-7"] = "crm.example.com/x",
		["me:canary-url-8@crm.example.com"] = "crm.example.com",
	} do
		t.eq(url.shown(text), shown)
	end
	for i = 1, 7 do t.eq(log.redact(("canary-url-%d"):format(i)), "***", i) end
end)
