--- Files of variables (.env), as shells, editors and other programs write them: `export`, `NAME: value`, quotes of three
--- kinds, values over several lines, comments, CRLF, a byte order mark. Such a file is shared: what is nobody's assignment,
--- or has a name no variable can have, is passed over.
local err = require "syncrun.err"
local file = require "syncrun.file"

local M = {}

local ESCAPES = { n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["$"] = "$" }

-- The file's text with plain line ends; nil when there is none. A folder of that name is somebody's virtual environment.
local function read(path)
	local kind = file.kind(path)
	if kind == nil or kind == "folder" then return nil end
	local opened, why = io.open(path, "rb")
	if not opened then err.raisef("config", "cannot read '%s' (%s)", path, (why:gsub("^.*: ", ""))) end
	local text = opened:read "a" or ""
	opened:close()
	if text:find "^\xff\xfe" or text:find "^\xfe\xff" or text:find "%z" then
		err.raisef("config", "'%s' is not UTF-8 text; save it as UTF-8", path)
	end
	return (text:gsub("^\xef\xbb\xbf", ""):gsub("\r\n?", "\n"))
end

-- Where the quote that begins at `at` ends; in "…" a backslash hides what follows it.
local function closing(text, at)
	local quote = text:sub(at, at)
	local i = at + 1
	while i <= #text do
		local c = text:sub(i, i)
		if c == quote then return i end
		i = i + (c == "\\" and quote == '"' and 2 or 1)
	end
end

-- Behind a quoted value only blanks and a comment may stand: where the next line begins, else nil.
local function line_after(text, at)
	return text:match("^[ \t]*\n()", at) or text:match("^[ \t]*#[^\n]*\n()", at)
end

-- ${NAME} of the environment or of the lines above; an unknown one stays as it is written.
local function expanded(value, values)
	return (value:gsub("%${([%a_][%w_]*)}", function(name) return os.getenv(name) or values[name] end))
end

local function unescaped(value, values)
	local kept = {} -- what was escaped is not expanded
	value = value:gsub("\\(.)", function(c)
		if not ESCAPES[c] then return nil end
		kept[#kept + 1] = ESCAPES[c]
		return "\0" .. #kept .. "\0"
	end)
	return (expanded(value, values):gsub("%z(%d+)%z", function(i) return kept[math.tointeger(i)] end))
end

-- The value that begins at `at`, and where the next line begins.
local function value_at(text, at, values)
	local begin = text:match("^[ \t]*()", at)
	local quote = text:match("^[\"'`]", begin)
	local last = quote and closing(text, begin)
	local next_line = last and line_after(text, last + 1)
	if next_line then
		local inner = text:sub(begin + 1, last - 1)
		return quote == '"' and unescaped(inner, values) or inner, next_line
	end
	local line, after = text:match("^([^\n]*)\n()", at)
	return expanded((line:gsub("[ \t]+#.*$", ""):gsub("^[ \t]+", ""):gsub("[ \t]+$", "")), values), after
end

-- The name that a line at `at` gives a value, and where the value begins.
local function assignment(text, at)
	local name, value = text:match("^[ \t]*([^%s=:#\"'`]+)[ \t]*=()", at)
	if not name then name, value = text:match("^[ \t]*([^%s=:#\"'`]+):()[ \t\n]", at) end
	return name, value
end

local function note_passed(passed, text, at, begin)
	local word = text:match("^[ \t]*([%w_]+)", begin)
	local _, above = text:sub(1, at - 1):gsub("\n", "")
	if word then passed[#passed + 1] = { line = above + 1, word = word } end
end

--- The variables of a file; without the file none. Lines that are none are told, by their first word.
---@param path string
---@return table<string, string> values, { line: integer, word: string }[] passed
function M.read(path)
	local text, values, passed = read(path), {}, {}
	text = text and text .. "\n" or ""
	local at = 1
	while at <= #text do
		local begin = text:match("^[ \t]*export[ \t]+()", at) or at
		local name, value = assignment(text, begin)
		local next_line
		if name then
			value, next_line = value_at(text, value, values)
			if name:find "^[%a_][%w_]*$" then values[name] = value end
		else
			note_passed(passed, text, at, begin)
			next_line = text:match("^[^\n]*\n()", at)
		end
		at = next_line
	end
	return values, passed
end

return M
