--- Files of ours, readable by their owner only, secrets masked on the way; and the standard streams likewise.
local c = require "_syncrun.host"
local err = require "syncrun.err"
local log = require "syncrun.log"

local M = {}

---@class syncrun.Writer
---@field write fun(self, text: string) secrets are masked
---@field close fun(self) raises when what was written cannot be kept; closing twice is legal

--- A writer to a new file (0600), or to an emptied one. Raises kind config, also for a database in use.
---@param path string
---@return syncrun.Writer
function M.create(path) return c.create(path) end

--- Raises kind config when no file can be made under this path: it is a folder, or a database in use.
---@param path string
function M.check(path) c.check(path) end

--- The masking writer to standard output or standard error.
---@param name "stdout"|"stderr"
---@return syncrun.Writer
function M.standard(name) return c.standard(name) end

--- Make a folder (0700), and those above it, when it is not there. Raises kind config.
---@param path string
function M.make_folder(path) c.make_folder(path) end

--- Put these very bytes in place of a file (0600), secrets not masked: for what is signed or digested. It is the old file or
--- the new one, whatever ends the process or the power; on the disk when this returns. Raises kind config.
---@param path string
---@param bytes string
function M.replace(path, bytes) c.replace(path, bytes) end

--- Keep the first `keep` bytes of a file (made 0600 when missing), and append these very bytes; on the disk when this returns.
---@param path string
---@param keep integer
---@param bytes string
function M.extend(path, keep, bytes) c.extend(path, keep, bytes) end

--- The bytes of a file, nil when there is none. Raises kind config when it cannot be read.
---@param path string
---@return string?
function M.read(path)
	if not M.kind(path) then return nil end
	local f, why = io.open(path, "rb")
	local text
	if f then
		text, why = f:read "a"
		f:close()
	end
	return text or err.raisef("config", "cannot read '%s' (%s)", path, (why:gsub("^.*: ", "")))
end

--- What stands under a path, without opening it.
---@param path string
---@return "file"|"folder"|"other"|nil
function M.kind(path) return c.kind(path) end

--- A text that is the same for every name of a file or folder (links), without opening it; nil when there is none.
---@param path string
---@return string?
function M.id(path) return c.id(path) end

--- A path as people write it: ~/ begins in the home folder.
---@param path string
---@return string
function M.expand(path)
	local rest, home = path:match "^~(/.*)$", os.getenv "HOME"
	return rest and home and home ~= "" and home .. rest or path
end

local warned = {} -- scripts read their settings more than once

--- Warn when a file that holds secrets can be read by every user of this machine.
---@param path string
---@param what string "key file"
function M.warn_when_public(path, what)
	if warned[path] or not c.is_public(path) then return end
	warned[path] = true
	log.warn("every user of this machine can read the %s '%s'; chmod 600 it", what, path)
end

--- The kernel's exclusive lock on a file, which is made when it is missing; nil and the holder's pid when another process
--- has it. Closing it, or the end of the process, gives it back.
---@param path string
---@return userdata? lock, integer? pid
function M.lock(path) return c.lock(path) end

return M
