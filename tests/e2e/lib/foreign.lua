-- Runs a script where nothing is as at home: `foreign.lua SCRIPT ARGUMENTS…` sets the locale of the environment, which must
-- have a decimal comma, and makes lua-cjson raise for whoever asks for it.
assert(os.setlocale "", "the environment's locale does not exist")
assert(("%.1f"):format(1.5) == "1,5", "the locale has no decimal comma")
package.loaded.cjson = nil
package.preload.cjson = function() error "lua-cjson was asked for" end
assert(not pcall(require, "cjson"))

local folder = arg[1]:match "^(.*)/[^/]*$"
package.path = ("%s/?.lua;%s/?/init.lua;%s"):format(folder, folder, package.path)
_G.arg = table.move(arg, 2, #arg + 1, 1, { [0] = arg[1] }) -- luacheck: ignore 122
return assert(loadfile(arg[0]))(table.unpack(arg))
