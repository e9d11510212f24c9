-- The key that signs the log of runs: made on the first call, its verifier key printed on every one.
local args = require "syncrun.args"
local config_of = require "syncrun.flow.config"
local err = require "syncrun.err"
local exits = require "syncrun.flow.exits"
local file = require "syncrun.file"
local lock = require "syncrun.record.lock"
local note = require "syncrun.record.note"
local run_log = require "syncrun.record.run_log"

local options = args.parse(arg, {
	name = "scripts/proof_key.lua",
	summary = "Print the verifier key of the log of runs (name+hash+key): what an auditor keeps. The first call\n"
		.. "makes the key pair, proof.key in the state folder, which is a secret, and signs the log with it.",
	examples = { "syncrun scripts/proof_key.lua example.com/crm" },
	positional = { { name = "NAME", help = "of the key, when it is made: best a name below a domain of yours" } },
	options = {
		{ "config", type = "string", metavar = "FILE", help = "settings in Lua (flags and environment win)" },
	},
})

return exits.code(function()
	local state = config_of.load { file = options.config }.state
	local _ <close> = lock.take(state)
	local path = state .. "/proof.key"
	if not file.kind(path) then
		if not options.name then err.raisef("usage", "there is no key yet; name one: syncrun scripts/proof_key.lua NAME") end
		local key = note.new_key(options.name)
		run_log.read(state) -- a broken log gets no signature
		file.replace(path, note.signer_text(key) .. "\n")
		run_log.sign(state)
	end
	file.standard "stdout":write(note.verifier_text(run_log.read(state).signer) .. "\n")
	return exits.equal
end)
