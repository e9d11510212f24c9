-- Verify what runs left behind: their proofs, the log of runs, its checkpoint; and a proof against a system, or one contact.
local args = require "syncrun.args"
local verify = require "syncrun.flow.verify_command"

local options = args.parse(arg, {
	name = "scripts/verify_proof.lua",
	summary = "Verify the proofs of all runs, or of one, the leaves that are kept, the log of runs and its checkpoint.\n"
		.. "Only --system and --contact ask a system. Exit code 0: all holds, whatever the runs found; 1: a system is\n"
		.. "no longer as the run read it, or the last proof is too old; 7: a proof, the log or the audit trail was changed.",
	examples = {
		"syncrun scripts/verify_proof.lua                               everything, offline",
		"syncrun scripts/verify_proof.lua --checkpoint kept --key KEY   as an auditor does",
		"syncrun scripts/verify_proof.lua --system CRM                  what differs there now",
		"syncrun scripts/verify_proof.lua --contact 4711 >4711.jsonl    proofs about one contact",
		"syncrun scripts/verify_proof.lua proof.json --contact 4711 --given 4711.jsonl   check them",
		"syncrun scripts/verify_proof.lua --max-age 24h                 for monitors",
	},
	positional = { { name = "PROOF", help = "a run's id, or the path of its proof.json" } },
	options = {
		{ "checkpoint", type = "string", metavar = "FILE", help = "a checkpoint that was kept: the log must go on from it" },
		{ "key", type = "string", metavar = "KEY", help = "the verifier key that must have signed (default: its own)" },
		{ "audit", type = "flag", help = "the audit trail too: its chain, the ledger's copy, what opens its commitments" },
		{ "system", type = "string", metavar = "NAME", help = "read this system and name every contact that differs" },
		{ "contact", type = "string", metavar = "ID", help = "prove that the contact was there, and how, or was not" },
		{ "given", type = "string", metavar = "FILE", help = "check such proofs: with --contact and PROOF" },
		{ "max-age", type = "duration", metavar = "24h", help = "exit code 1 when the last proof that all is equal is old" },
		{ "inclusion", type = "flag", help = "print a C2SP tlog-proof that the run is in the log" },
		{ "consistency", type = "integer", min = 0, metavar = "SIZE",
			help = "print what a witness' add-checkpoint takes: this head continues that of SIZE runs" },
		{ "cosign", type = "string", metavar = "FILE", help = "keep a witness' answer (config: witnesses = { KEY })" },
		{ "config", type = "string", metavar = "FILE", help = "settings in Lua (flags and environment win)" },
	},
})

return verify.run(options)
