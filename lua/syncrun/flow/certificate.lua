--- A certificate of erasure: after a contact was erased here, and deleted in the systems by who may, a full validation finds it
--- in none of them; the certificate proves that to others, and names nobody. Knows no system by name.
local checkpoint = require "syncrun.record.checkpoint"
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local exits = require "syncrun.flow.exits"
local file = require "syncrun.file"
local forget = require "syncrun.flow.forget"
local json = require "syncrun.json"
local live = require "syncrun.flow.verify_live"
local log = require "syncrun.log"
local membership = require "syncrun.record.membership"
local proof = require "syncrun.record.proof"
local report = require "syncrun.flow.report"
local run = require "syncrun.flow.run"
local run_log = require "syncrun.record.run_log"
local secret = require "syncrun.record.secret"
local session_of = require "syncrun.flow.session"
local tree = require "syncrun.tree"
local verify = require "syncrun.flow.verify"
local verify_contact = require "syncrun.flow.verify_contact"
local visible = require "syncrun.visible"

local M = {}

M.FORMAT = "syncrun-erasure/1"

local function say(format, ...)
	file.standard "stdout":write(visible.text(format:format(...)) .. "\n")
end

local function refuse(format, ...)
	log.complain(format .. "; no certificate was written", ...)
end

-- ---- made

-- A run that only looks, at everything. Returns it, and its exit code.
local function validate(options)
	local looked
	local code = run.within({ skip_sync = true, forget = true, quiet = true, config = options.config }, function(this)
		looked = this
		this:check()
		this:take_snapshot()
		this:sync()
		this:validate()
		return this:report()
	end)
	return looked, code
end

-- The proofs that it is in no system, and the labels of those where it is, or that were not compared.
local function absences(this, index, fields, k, id)
	local list, found, unseen = json.array {}, {}, {}
	local digest = this.log.entries[index + 1].digest
	for _, system in ipairs(fields.systems) do
		if system.state == "compared" then
			local document, leaf = verify_contact.document(this, fields, digest, system, k, id)
			if leaf or not document then found[#found + 1] = system.label else list[#list + 1] = document end
		elseif system.state ~= "skipped" then
			unseen[#unseen + 1] = system.label
		end
	end
	return list, found, unseen
end

-- The labels of the systems that give any row under this key: those in a system's bin are in no tree, but they are there.
local function holders(options)
	local session <close> = session_of.open { config = options.config }
	local list = {}
	for _, system in ipairs(session:configured()) do
		local page = system:fetch { options.id }
		if #page > 0 then
			list[#list + 1] = system.label .. (#live.alive(system, page) == 0 and " (deleted there, but still kept)" or "")
		end
	end
	return list
end

local function text_of(this, index, fields, systems)
	local path = ("%s/runs/%s/proof.json"):format(this.state, fields.run)
	return json.encode({ format = M.FORMAT, inclusion = this.log:inclusion(index), proof_json = file.read(path),
		systems = systems }, { pretty = true }) .. "\n"
end

local function write(options, this, looked)
	local index = this.log:find(looked.prover.id)
	local fields = this:run(index)
	local k = membership.key(secret.open(this.state):key "proof", options.id)
	local systems, found, unseen = absences(this, index, fields, k, options.id)
	if #found == 0 and #unseen == 0 then found = holders(options) end
	if #found > 0 then
		forget.for_good(options) -- what this look wrote down
		refuse("the contact is still in %s; delete it there and run this again", table.concat(found, ", "))
		return exits.different
	elseif #unseen > 0 or #systems == 0 then
		refuse("%s could not be looked at", #unseen > 0 and table.concat(unseen, ", ") or "no system")
		return exits.incomplete
	end
	file.replace(options.certificate, text_of(this, index, fields, systems))
	say("The contact is in none of %d systems (run %s): '%s'", #systems, fields.run, options.certificate)
	if looked.intake.kept_out > 0 then
		say("%s still has it; runs from now on keep it out", looked.session.source.label)
	end
	return exits.equal
end

local function issue(options)
	report.try_file(options.certificate)
	local state = forget.for_good(options)
	local looked, code = validate(options)
	if code ~= exits.equal and code ~= exits.different then
		refuse "the look at all systems did not come to its end"
		return code
	end
	return write(options, verify.open(state), looked)
end

--- Erase a contact, look at every system, and write the certificate. Returns the exit code: 1 when the contact is still in a
--- system.
---@param options { id: string, certificate: string, config: string? }
---@return integer
function M.issue(options)
	return exits.code(issue, options)
end

-- ---- checked

local function broken(...)
	err.raise { kind = "check", code = "broken", exit = exits.broken, message = string.format(...) }
end

local function check_head(document, digest, keys, path)
	local given = checkpoint.read_inclusion(document.inclusion)
	local head = run_log.head_of(given.note, keys)
	if not tree.check_inclusion(crypto.unhex(digest), given.index, head.size, given.proof, head.root) then
		broken("the run of '%s' is not in the log that its checkpoint tells of", path)
	end
	if #keys > 0 and not head.signed then broken("'%s' is not signed by '%s'", path, keys[1].name) end
end

local function check_systems(document, fields, digest, id)
	local of = {}
	for _, one in ipairs(document.systems) do
		if membership.check(one, nil, id, fields, digest) then broken("the contact is in %s", one.system) end
		of[one.system] = true
	end
	local labels = {}
	for _, system in ipairs(fields.systems) do
		if system.state == "compared" and not of[system.label] then broken("nothing is said of %s", system.label) end
		if of[system.label] then labels[#labels + 1] = system.label end
	end
	return labels
end

local function check(document, path, id, keys)
	local fields = proof.decode(document.proof_json, path)
	local digest = crypto.sha256(document.proof_json)
	check_head(document, digest, keys, path)
	return fields, check_systems(document, fields, digest, id)
end

--- Check a certificate that was given: nothing else is needed but the contact_id, and the verifier key that must have signed.
--- Raises kind check (exit 7) when it does not hold.
---@param document table
---@param path string for messages
---@param id string
---@param keys syncrun.NoteKey[]
---@return table fields of the run's proof, string[] labels of the systems that do not have the contact
function M.check(document, path, id, keys)
	local fields, other = err.try(check, document, path, id, keys)
	if fields then return fields, other end
	broken("%s", other.message)
end

--- The certificate in a file; nil when it is none.
---@param path string
---@return table?
function M.read(path)
	local text = file.read(path) or err.raisef("config", "there is no file '%s'", path)
	local document = err.try(json.decode, text)
	return type(document) == "table" and document.format == M.FORMAT and document or nil
end

return M
