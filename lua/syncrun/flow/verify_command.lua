--- What scripts/verify_proof.lua does, and says: results on standard output, the exit code 0 when all that was asked for
--- holds, 1 when a system is not (or no longer) as proved or the last proof is too old, 7 when a proof or the log is broken.
local audit = require "syncrun.record.audit_check"
local certificate = require "syncrun.flow.certificate"
local config_of = require "syncrun.flow.config"
local err = require "syncrun.err"
local exits = require "syncrun.flow.exits"
local file = require "syncrun.file"
local live = require "syncrun.flow.verify_live"
local membership = require "syncrun.record.membership"
local note = require "syncrun.record.note"
local secret = require "syncrun.record.secret"
local session_of = require "syncrun.flow.session"
local time = require "syncrun.time"
local verify = require "syncrun.flow.verify"
local verify_contact = require "syncrun.flow.verify_contact"
local visible = require "syncrun.visible"

local M = {}

local function say(format, ...)
	file.standard "stdout":write(visible.text(format:format(...)) .. "\n")
end

local function hint(format, ...)
	file.standard "stderr":write(visible.text(format:format(...)) .. "\n")
end

-- ---- the log

local function witnesses_of(config)
	local list = {}
	for i, text in ipairs(config.witnesses or {}) do
		list[i] = note.verifier(text)
		if list[i].type ~= note.COSIGNATURE then
			err.raisef("config", "the witness '%s' has a key that signs notes, not timestamped cosignatures", list[i].name)
		end
	end
	return list
end

local function when(cosignature)
	return time.format(cosignature.time * 1000000, 0)
end

local function say_log(this, config)
	local log, n = this.log, #this.log.entries
	if log.unchecked then
		say("log: %d runs, its checkpoint holds; signed by '%s', which was not checked (name its key: --key)", n,
			log.unchecked)
	elseif this.keys[1] then
		say("log: %d runs, its checkpoint holds, signed by '%s'", n, this.keys[1].name)
	else
		say("log: %d runs, its checkpoint holds; it is not signed (scripts/proof_key.lua NAME makes a key)", n)
	end
	for _, one in ipairs(this:cosignatures(witnesses_of(config))) do
		say("  cosigned by '%s' at %s", one.key.name, when(one))
	end
end

local function say_audit(state)
	local found = audit.check(state)
	say("audit trail: %d records, head %s; %d commitments open, %d proofs tell of it", found.length, found.head,
		found.opened, found.proofs)
end

-- ---- a run

local function say_system(system)
	if system.state ~= "compared" then return say("  %s: %s", system.label, system.state) end
	say("  %s: %s; %d contacts expected, %d read, %d extras; root %s", system.label,
		system.equal and "equal" or "NOT EQUAL", system.expected_size, system.observed_size,
		system.extras_size + system.extras_without_key, system.observed_root)
end

local function say_run(fields)
	say("run %s: %s, %s%s, exit code %s", fields.run, fields.kind, fields.status,
		fields.scope and (", contacts: %s"):format(fields.scope.contacts) or "", tostring(fields.exit_code or "none"))
	for _, system in ipairs(fields.systems) do say_system(system) end
end

-- ---- against a system

local MOST = 1000 -- contacts that are named

local function say_change(change)
	say("  %s: %s%s", change.id or "(a contact that is no longer known here)", change.what,
		change.by and (", last written by our run %s"):format(change.by) or "")
end

local function against_system(this, fields, session, options)
	local system = live.system(session, options.system)
	local found = live.look(this, fields, session, system, this.secret:key "proof")
	say("%s now: %s; %d contacts, root %s", system.label, found.equal and "as that run read it"
		or ("%d contacts are not as that run read them"):format(#found.changes), found.size, found.root)
	for i = 1, math.min(#found.changes, MOST) do say_change(found.changes[i]) end
	if #found.changes > MOST then say("  and %d more", #found.changes - MOST) end
	return found.equal and exits.equal or exits.different
end

-- ---- one contact

local function about_contact(this, index, fields, session, options)
	local entry = this.log.entries[index + 1]
	local k, code = membership.key(this.secret:key "proof", options.contact), exits.equal
	local label = options.system and live.proved(fields, live.system(session, options.system).label).label
	for _, one in ipairs(verify_contact.make(this, fields, entry.digest, session, k, options.contact, label)) do
		hint("%s: %s", one.label, one.words)
		if one.line then
			file.standard "stdout":write(one.line)
		else
			code = exits.different
		end
	end
	return code
end

local function check_given(options)
	if not options.contact then err.raisef("usage", "--given takes the contact_id too: --contact ID") end
	local document = certificate.read(options.given)
	if document then
		local keys = options.key and { note.verifier(options.key) } or {}
		local fields, labels = certificate.check(document, options.given, options.contact, keys)
		say("run %s of %s: the contact is in none of %s; %s", fields.run, fields.finished_at, table.concat(labels, ", "),
			keys[1] and ("signed by '%s'"):format(keys[1].name) or "no signature was checked (--key)")
		return exits.equal
	end
	if not options.proof or file.kind(options.proof) ~= "file" then
		err.raisef("usage", "--given takes the path of the run's proof.json")
	end
	local list, fields = verify_contact.check(options.given, options.contact, options.proof)
	for _, one in ipairs(list) do say("%s, run %s: %s", one.label, fields.run, one.words) end
	return exits.equal
end

-- The secret with which a run's leaves were made.
local function take_secret(this, fields)
	if not file.kind(this.state .. "/secret") then
		err.raisef("config", "there is no secret '%s/secret'; without it nobody can tell whose the leaves are", this.state)
	end
	this.secret = secret.open(this.state)
	if this.secret.id ~= fields.secret then
		err.raisef("config", "the run '%s' was made with another secret (%s, here is %s)", fields.run,
			tostring(fields.secret), this.secret.id)
	end
end

local function with_systems(this, index, fields, options)
	take_secret(this, fields)
	local session = session_of.open { config = options.config }
	local code, e = err.try(function()
		if options.contact then return about_contact(this, index, fields, session, options) end
		return against_system(this, fields, session, options)
	end)
	session:close()
	return code or err.raise(e)
end

-- ---- age

local function check_age(this, options)
	local at, run = this:proven()
	local age = at and (time.now() - at) / 1000000
	if not at then
		say("no run has proved every contact equal in every system")
	elseif age > time.duration(options.max_age) then
		say("the last proof that every contact is equal is of %s (run %s): older than %s", time.format(at, 0), run,
			options.max_age)
	else
		return exits.equal
	end
	return exits.different
end

-- ---- for others

local function for_others(this, config, index, options)
	local out = file.standard "stdout"
	if options.cosign then
		local text = file.read(options.cosign) or err.raisef("usage", "there is no file '%s'", options.cosign)
		local good = this.log:cosign(text, witnesses_of(config))
		if #good == 0 then
			err.raisef("usage", "no line of '%s' is by a witness of the config (witnesses = { \"KEY\" })", options.cosign)
		end
		for _, one in ipairs(good) do say("kept: cosigned by '%s' at %s", one.key.name, when(one)) end
	elseif options.inclusion then
		out:write(this.log:inclusion(index))
	elseif options.consistency > #this.log.entries then
		err.raisef("usage", "the log has %d runs, not %d", #this.log.entries, options.consistency)
	else
		out:write(this.log:consistency(options.consistency))
	end
	return exits.equal
end

-- ---- the whole

local function run(options)
	if options.given then return check_given(options) end
	local config = config_of.load { file = options.config }
	local this = verify.open(config.state, options.key)
	if #this.log.entries == 0 then err.raisef("config", "the log of '%s' has no run", config.state) end
	local index = options.proof and this:index(options.proof) or #this.log.entries - 1
	if options.cosign or options.inclusion or options.consistency then return for_others(this, config, index, options) end
	local fields = options.proof and this:run(index) or this:all()
	if options.contact then return with_systems(this, index, fields, options) end
	say_log(this, config)
	if options.checkpoint then
		say("  it continues the head of %d runs in '%s'", this:hold(options.checkpoint), options.checkpoint)
	end
	if options.audit then say_audit(config.state) end
	say_run(fields)
	local code = exits.equal
	if options.system then code = with_systems(this, index, fields, options) end
	if options.max_age then code = math.max(code, check_age(this, options)) end
	return code
end

--- Do what the options ask for. Returns the exit code.
---@param options table of scripts/verify_proof.lua
---@return integer
function M.run(options)
	return exits.code(run, options)
end

return M
