--- The proof of a run: `<state>/runs/<id>/proof.json`, JSON that ends with the SHA-256 over its own preceding bytes. It tells
--- what was compared with what, names nobody, and is never removed. lua/README.md defines its members.
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local file = require "syncrun.file"
local json = require "syncrun.json"

local M = {}

M.FORMAT = "syncrun-proof/1"

-- The last member: a line of its own, over everything before that line.
local TAIL = '  "sha256": "%s"\n}\n'
local TAIL_PATTERN = '^(.*\n)  "sha256": "(' .. ("%x"):rep(64) .. ')"\n}\n$'

local function broken(...)
	err.raise { kind = "check", code = "broken", exit = 7, message = string.format(...) }
end

--- The text of a proof.
---@param fields table its members, but format and sha256
---@return string
function M.text(fields)
	local all = { format = M.FORMAT }
	for name, value in pairs(fields) do all[name] = value end
	local body = json.encode(json.object(all), { pretty = true }):gsub("\n}$", ",\n")
	return body .. TAIL:format(crypto.sha256(body))
end

--- Write the proof of a run. On the disk when this returns.
---@param path string
---@param fields table
---@return string digest hex, of the whole file: the run's entry in the log
function M.write(path, fields)
	local text = M.text(fields)
	file.replace(path, text)
	return crypto.sha256(text)
end

--- The members of a proof. Raises kind check (exit 7) when a byte of it was changed.
---@param text string
---@param name string for messages
---@return table
function M.decode(text, name)
	local body, digest = text:match(TAIL_PATTERN)
	if not body then broken("'%s' is no proof (it does not end with its digest)", name) end
	if crypto.sha256(body) ~= digest then broken("the proof '%s' was changed (its digest is another)", name) end
	local fields, e = err.try(json.decode, text)
	if not fields then broken("the proof '%s' cannot be read (%s)", name, e.message) end
	if fields.format ~= M.FORMAT then
		broken("the proof '%s' has a format that this syncrun does not know: '%s'", name, tostring(fields.format))
	end
	return fields
end

--- Read the proof in a file. Raises kind config when there is none, kind check (exit 7) when a byte of it was changed.
---@param path string
---@return table members, string digest hex, of the whole file
function M.read(path)
	local text = file.read(path) or err.raisef("config", "there is no proof '%s'", path)
	return M.decode(text, path), crypto.sha256(text)
end

return M
