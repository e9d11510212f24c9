-- The root task: sets up where modules come from, then runs -e chunks, the script and the prompt. Called by the host.
local options = ...

local host = require "_syncrun.host"

-- Modules: preloaded C ones; then Lua files in --lua DIR, SYNCRUN_LUA, the script's own folder and that of the installed
-- scripts; then the embedded library; then what the system has. Relative entries of the system's path are dropped.
local function set_search_path()
	local first = {}
	local function add(dir)
		first[#first + 1] = dir .. "/?.lua"
		first[#first + 1] = dir .. "/?/init.lua"
	end
	if options.lua_dir then add(options.lua_dir) end
	local env = os.getenv "SYNCRUN_LUA"
	if env and env ~= "" then add(env) end
	if options.script and options.script ~= "-" then add(options.script:match "^(.*)/[^/]*$" or ".") end
	local prefix = (host.executable() or ""):match "^(.*)/bin/[^/]*$"
	if prefix then add(prefix .. "/share/syncrun/scripts") end

	local system = {}
	for entry in package.path:gmatch "[^;]+" do
		if entry:sub(1, 1) == "/" then system[#system + 1] = entry end
	end
	local system_path = table.concat(system, ";")
	local cpath = {}
	for entry in package.cpath:gmatch "[^;]+" do
		if entry:sub(1, 1) == "/" then cpath[#cpath + 1] = entry end
	end
	package.cpath = table.concat(cpath, ";")
	package.path = table.concat(first, ";")

	local load_embedded = host.loader()
	table.insert(package.searchers, 3, load_embedded)
	table.insert(package.searchers, 4, function(name)
		local file, why = package.searchpath(name, system_path)
		if not file then return why end
		return assert(loadfile(file, "t")), file
	end)
end

-- A misspelt global is an error where it stands, not a nil three calls later.
local function make_globals_strict()
	setmetatable(_G, {
		__newindex = function(_, name) error("assignment to the undeclared global '" .. tostring(name) .. "'", 2) end,
		__index = function(_, name) error("undeclared global '" .. tostring(name) .. "'", 2) end,
	})
end

-- The functions that open files by name refuse an open database: closing it again would drop all locks that SQLite holds
-- on it for this process, and the next program beside us would take the journal away under us.
local function keep_databases_to_sqlite()
	local is_live = require "_syncrun.sqlite".is_live
	local function guard(library, name)
		local open = library[name]
		library[name] = function(path, ...)
			if type(path) == "string" and is_live(path) then
				local message = "'%s' is a database in use; only SQLite may open it: use syncrun.sqlite"
				require "syncrun.err".raisef("usage", message, path)
			end
			return open(path, ...)
		end
	end
	for _, name in ipairs { "open", "lines", "input", "output" } do guard(io, name) end
	for _, name in ipairs { "loadfile", "dofile" } do guard(_G, name) end
end

local function load_script(path)
	if path == "-" then return load(io.read "a", "=stdin", "t") end
	local file, why = io.open(path, "r")
	if not file then
		why = why:gsub("^.*: ", "")
		require "syncrun.err".raise { kind = "usage", message = ("cannot open the script '%s' (%s)"):format(path, why) }
	end
	file:close()
	return loadfile(path, "t")
end

local function compile(loader, what)
	local chunk, why = loader(what)
	if not chunk then require "syncrun.err".raise { kind = "script", message = why } end
	return chunk
end

local function run_all()
	local code
	for _, text in ipairs(options.chunks) do
		code = compile(function(t) return load(t, "=-e", "t") end, text)()
	end
	if options.script then
		local script = compile(load_script, options.script)
		code = script(table.unpack(options.args))
	end
	if options.interactive then code = require "syncrun.prompt".run() end
	return math.type(code) == "integer" and code or 0
end

local function main()
	set_search_path()
	keep_databases_to_sqlite()
	rawset(_G, "arg", setmetatable({ [0] = options.script or options.program, table.unpack(options.args) }, nil))
	make_globals_strict()
	local err = require "syncrun.err"
	local code, e = err.try(run_all)
	if code then return code end
	e.exit = require "syncrun.flow.exits".of_script(e)
	err.raise(e)
end

return main()
