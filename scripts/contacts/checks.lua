-- What makes a contact valid. Checks judge, they never stop a write. Change them and run again: nothing is compiled.
--
-- In every system a contact is looked up by its contact_id. It must be there exactly once (`exists`), with its name
-- (`name`) and all mapped fields equal (`fields`: true, a list of the fields that count, or false).
-- `contact` holds further rules on the source's record: each returns nil when all is well, else a text that says what is
-- wrong. What is not compared is said in the report.

local CATEGORIES = { A = true, B = true, C = true, D = true, E = true, F = true, G = true, H = true, X = true }

return {
	exists = true,
	name = true,
	fields = true,

	contact = {
		function(contact)
			local code = contact.category_code
			if code and not CATEGORIES[code] then return ("category_code is %q, not one of A to H or X"):format(code) end
		end,
		function(contact)
			local code, sub = contact.category_code, contact.subcategory_code
			if sub and (not code or sub:sub(1, #code) ~= code) then
				return ("subcategory_code %q does not begin with category_code %s"):format(sub,
					code and ("%q"):format(code) or "null")
			end
		end,
	},
}
