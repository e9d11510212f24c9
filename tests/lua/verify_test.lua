-- Verification of what runs left behind, over the table-backed world: what holds, what was changed, by whom, and how little a
-- proof about one contact says.
local t = require "syncrun.test"
local command = require "syncrun.flow.verify_command"
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local file = require "syncrun.file"
local live = require "syncrun.flow.verify_live"
local membership = require "syncrun.record.membership"
local note = require "syncrun.record.note"
local run_log = require "syncrun.record.run_log"
local secret = require "syncrun.record.secret"
local session_of = require "syncrun.flow.session"
local tree = require "syncrun.tree"
local verify = require "syncrun.flow.verify"
local verify_contact = require "syncrun.flow.verify_contact"
local world = require "lua.lib.fake_world"

local function test(name, fn) t.test("verify: " .. name, fn) end

local function state_of(w) return w.dir .. "/state" end

local function last_of(w)
	local this = verify.open(state_of(w))
	return this, this:all(), this.log.entries[#this.log.entries].digest
end

-- f(verification, fields, session, key, digest), with everything opened as the script does.
local function with(w, f)
	w:with(function()
		local this, fields, digest = last_of(w)
		local session = session_of.open { config = w.dir .. "/config.lua" }
		f(this, fields, session, secret.open(state_of(w)):key "proof", digest)
		session:close()
	end)
end

local function broken(what, f, ...)
	local _, e = err.try(f, ...)
	t.ok(e and e.exit == 7, ("%s: %s"):format(what, e and e.message or "not noticed"))
	return e
end

-- A system's roots against what it holds now: "id: what (run)" of each change.
local function looked(w)
	local list, equal = {}, nil
	with(w, function(this, fields, session, key)
		local found = live.look(this, fields, session, live.system(session, "Fake"), key)
		equal = found.equal
		for i, change in ipairs(found.changes) do
			list[i] = ("%s: %s%s"):format(change.id or "?", change.what, change.by and " by us" or "")
		end
	end)
	return list, equal
end

test("what runs left holds, whatever they found", function()
	local w <close> = world.new { records = world.records(9) }
	w:full()
	w.held.Fake.c02.mail, w.held.Fake.c05, w.held.Fake.zz = "edited", nil, { id = "zz", who = "Extra" }
	t.eq(w:full { skip_sync = true }, 1)
	local this, fields = last_of(w)
	t.eq(#this.log.entries, 2)
	local system = fields.systems[1]
	t.eq({ system.equal, system.expected_size, system.observed_size, system.extras_size }, { false, 9, 8, 1 })
	t.eq({ this:index(fields.run), (err.try(this.index, this, "none")) }, { 1 })
end)

test("a system as it was read has the same root; an empty one too", function()
	local w <close> = world.new { records = world.records(9) }
	w:full()
	t.eq({ looked(w) }, { {}, true })
	w.held.Fake.c03.mail = "edited" -- and put back
	w.held.Fake.c03.mail = "3@example.com"
	t.eq({ looked(w) }, { {}, true })
	local none <close> = world.new { records = {} }
	none:full()
	t.eq({ looked(none) }, { {}, true })
end)

test("every contact that differs is named, and who of us wrote it since", function()
	local w <close> = world.new { records = world.records(9) }
	w.held.Fake.old = { id = "old", who = "Extra from the beginning" }
	w:full()
	w.records[4].mail = "moved@example.com"
	w:full()
	local held = w.held.Fake
	held.c02.mail, held.c05, held.old, held.zz = "edited", nil, nil, { id = "zz", who = "Extra" }
	held.c07 = { held.c07, held.c07 }
	with(w, function(this, _, session, key)
		local fields = this:run(0) -- the first run: the second one changed c04
		local found, list = live.look(this, fields, session, live.system(session, "Fake"), key), {}
		for i, change in ipairs(found.changes) do
			list[i] = ("%s: %s%s"):format(change.id or "?", change.what, change.by and " by " .. change.by or "")
		end
		local last = this.log.entries[2].id
		t.eq(list, { "?: extra, gone", "c02: changed", "c04: changed by " .. last, "c05: gone", "c07: changed",
			"zz: extra, not there then" })
	end)
end)

test("leaves that are no longer kept, another mapping, a system that is none: said, not guessed", function()
	local w <close> = world.new { records = world.records(3) }
	for _ = 1, 4 do w:full() end
	with(w, function(this, _, session, key)
		local system = live.system(session, "Fake")
		local _, e = err.try(live.look, this, this:run(0), session, system, key)
		t.ok(e.message:find("no longer kept", 1, true))
		t.ok(select(2, err.try(live.system, session, "Fak")).message:find("did you mean 'Fake'", 1, true))
	end)
	w:write("mapping.lua", [[return { key = "id", name = "who", fields = {
		{ "id", "text", required = true }, { "who", "text", required = true }, { "post", "text", source = "mail" } } }]])
	local _, e = err.try(looked, w)
	t.ok(e.message:find("this mapping does not make", 1, true))
end)

-- ---- a byte changed

local function flip(text, at)
	return text:sub(1, at - 1) .. string.char(text:byte(at) ~ (1 << at % 8)) .. text:sub(at + 1)
end

local function files_of(state)
	local list = {}
	local pipe <close> = io.popen(("cd %s && find log checkpoint runs/*/proof* runs/*/leaves -type f"):format(state))
	for path in pipe:lines() do list[#list + 1] = path end
	return list
end

local function all(state) return verify.open(state):all() end

-- Every byte of a file, or so many of a long one.
local function positions(text, most)
	local list, step = {}, math.max(1, #text // most)
	for at = 1, #text, step do list[#list + 1] = math.min(#text, at + math.random(0, step - 1)) end
	return list
end

-- As file.replace, without its care for the disk.
local function put(path, bytes)
	local out <close> = assert(io.open(path, "wb"))
	out:write(bytes)
end

local function every_change_is_noticed(state)
	local n = 0
	for _, name in ipairs(files_of(state)) do
		local path = state .. "/" .. name
		local text = file.read(path)
		for _, at in ipairs(positions(text, 2500)) do
			put(path, flip(text, at))
			broken(("%s, byte %d"):format(name, at), all, state)
			n = n + 1
		end
		for _, other in ipairs { text:sub(1, -2), text .. "\n", "" } do
			put(path, other)
			broken(("%s, %d bytes"):format(name, #other), all, state)
		end
		put(path, text)
	end
	all(state)
	return n
end

test("any byte changed of a proof, leaves, the log, a checkpoint or a tlog-proof is noticed", function()
	local w <close> = world.new { records = world.records(5) }
	file.make_folder(state_of(w))
	file.replace(state_of(w) .. "/proof.key", note.signer_text(note.new_key "example.com/crm") .. "\n")
	w:full()
	w.held.Fake.c02.mail, w.held.Fake.zz = "edited", { id = "zz", who = "Extra" }
	w:full { skip_sync = true }
	local seed = os.time()
	math.randomseed(seed)
	local n = every_change_is_noticed(state_of(w))
	t.ok(n > 4000, ("only %d changes were tried (seed %d)"):format(n, seed))
end)

test("without a key too", function()
	local w <close> = world.new { records = world.records(2) }
	w:full()
	t.ok(every_change_is_noticed(state_of(w)) > 1500)
end)

-- ---- runs that go

-- The folder with its log and checkpoint made anew over the runs that f leaves: what who holds no key can do, when there is none.
local function forge(state, f)
	local entries = run_log.read(state).entries
	f(entries)
	local lines, bytes = {}, {}
	for i, entry in ipairs(entries) do
		lines[i] = ("%s  runs/%s/proof.json\n"):format(entry.digest, entry.id)
		bytes[i] = crypto.unhex(entry.digest)
	end
	file.replace(state .. "/log", table.concat(lines))
	file.replace(state .. "/checkpoint", ("unsigned\n%d\n%s\n"):format(#entries,
		crypto.base64_encode(tree.root(tree.of(table.concat(bytes), 32)))))
end

local FORGERIES = {
	["the last run removed"] = function(entries) table.remove(entries) end,
	["a run in between removed"] = function(entries) table.remove(entries, 2) end,
	["two runs exchanged"] = function(entries) entries[2], entries[3] = entries[3], entries[2] end,
	["a run replaced"] = function(entries) entries[2].digest = crypto.sha256 "another" end,
	["a run put in"] = function(entries) table.insert(entries, 2, { id = "x", digest = crypto.sha256 "x" }) end,
}

test("a run removed, exchanged or replaced does not fit a head kept elsewhere", function()
	for what, f in pairs(FORGERIES) do
		local w <close> = world.new { records = world.records(2) }
		for _ = 1, 4 do w:full() end
		local kept = w.dir .. "/kept"
		file.replace(kept, file.read(state_of(w) .. "/checkpoint"))
		w:full()
		t.eq(verify.open(state_of(w)):hold(kept), 4)
		forge(state_of(w), f)
		if what ~= "the last run removed" then
			broken(what, function() verify.open(state_of(w)):hold(kept) end)
		else
			verify.open(state_of(w)):hold(kept) -- the fifth run came after that head
			forge(state_of(w), f)
			broken(what, function() verify.open(state_of(w)):hold(kept) end)
		end
	end
end)

test("with a key nobody else can make the log anew", function()
	local w <close> = world.new { records = world.records(2) }
	file.make_folder(state_of(w))
	local key = note.new_key "example.com/crm"
	file.replace(state_of(w) .. "/proof.key", note.signer_text(key) .. "\n")
	for _ = 1, 3 do w:full() end
	verify.open(state_of(w), note.verifier_text(key)):all()
	broken("another key", verify.open, state_of(w), note.verifier_text(note.new_key "example.com/crm"))
	forge(state_of(w), FORGERIES["a run replaced"])
	broken("unsigned in place of signed", verify.open, state_of(w), note.verifier_text(key))
	os.remove(state_of(w) .. "/proof.key")
	broken("the key is the auditor's own", verify.open, state_of(w), note.verifier_text(key))
end)

test("a proof that was taken out is missed, a copy is recognised, a strange one is not", function()
	local w <close> = world.new { records = world.records(2) }
	w:full()
	local this, fields = last_of(w)
	t.eq(this:index(w.dir .. "/report/proof.json"), 0)
	local path = ("%s/runs/%s/proof.json"):format(state_of(w), fields.run)
	local text = file.read(path)
	os.remove(path)
	t.ok(broken("removed", all, state_of(w)).message:find("is missing", 1, true))
	file.replace(path, text)
	local other <close> = world.new { records = world.records(2) }
	other:full()
	broken("a stranger's", this.index, this, other.dir .. "/report/proof.json")
end)

-- ---- one contact

local function made(w, id)
	local list
	with(w, function(this, fields, session, key, digest)
		list = verify_contact.make(this, fields, digest, session, membership.key(key, id), id)
	end)
	return list
end

-- What is checked by somebody who has nothing but the line and proof.json.
local function given(w, id, line)
	local path = w.dir .. "/given"
	put(path, line)
	return verify_contact.check(path, id, w.dir .. "/report/proof.json")
end

test("a contact is proved with its row, or that it is not there", function()
	local w <close> = world.new { records = world.records(40), labels = { "Fake", "Other" } }
	w.held.Fake.zz = { id = "zz", who = "Extra" }
	w:full()
	for _, id in ipairs { "c01", "c20", "c40" } do
		local list = made(w, id)
		t.eq({ list[1].found, list[2].found }, { "included", "included" })
		for _, one in ipairs(list) do t.eq(given(w, id, one.line)[1].found, "included") end
		broken("another's id", given, w, "c02", list[1].line)
		broken("another value", given, w, id, (list[1].line:gsub("@example.com", "@example.org")))
		broken("NULL for a value", given, w, id, (list[1].line:gsub('"%d+@example.com"', "null")))
	end
	for _, id in ipairs { "", "c41", "a", "~", "C01", "c01 " } do
		local list = made(w, id)
		t.eq({ list[1].found, list[2].found }, { "absent", "absent" }, id)
		for _, one in ipairs(list) do t.eq(given(w, id, one.line)[1].found, "absent") end
		broken("who is there", given, w, "c02", list[1].line)
	end
	t.eq({ made(w, "zz")[1].found, made(w, "zz")[2].found }, { "extra", "absent" })
	w.held.Fake.c07.mail = "edited"
	t.eq({ made(w, "c07")[1].found, made(w, "c07")[2].found }, { "changed", "included" })
end)

test("trees of no and of one contact prove who is not there", function()
	for n = 0, 3 do
		local w <close> = world.new { records = world.records(n) }
		w:full()
		for _, id in ipairs { "a", "b", "x", "y", "z", "0" } do
			t.eq(given(w, id, made(w, id)[1].line)[1].found, "absent", n .. id)
		end
		if n > 0 then t.eq(given(w, "c01", made(w, "c01")[1].line)[1].found, "included") end
	end
end)

test("any character changed of a proof about a contact is noticed", function()
	local w <close> = world.new { records = world.records(9) }
	w.held.Fake.zz = { id = "zz", who = "Extra" }
	w:full()
	for _, id in ipairs { "c05", "nobody" } do
		local line = made(w, id)[1].line
		for at = 1, #line - 1 do
			local changed = flip(line, at)
			local list, e = err.try(given, w, id, changed)
			t.ok(list == nil and (e.exit == 7 or e.kind == "config"),
				("byte %d of %s (%q)"):format(at, line, changed:sub(at, at)))
		end
	end
end)

test("a proof about a contact holds no other's id, value or key", function()
	local records = world.records(60)
	for i, record in ipairs(records) do
		for _, name in ipairs { "id", "who", "mail" } do record[name] = crypto.sha256(name .. i):sub(1, 12) end
	end
	local w <close> = world.new { records = records }
	w.held.Fake.zz = { id = "zz", who = "Extra" }
	w:full()
	local key = secret.open(state_of(w)):key "proof"
	for _, id in ipairs { records[17].id, "nobody" } do
		local line = made(w, id)[1].line
		local text = line
		for piece in line:gmatch '"([%w+/=]+)"' do -- what stands in base64 too
			text = text .. (err.try(crypto.base64_decode, piece) or "")
		end
		for _, record in ipairs(w.records) do
			local k = membership.key(key, record.id)
			if record.id ~= id then
				for _, value in ipairs { record.id, record.who, record.mail, tostring(record.updated_at), k,
					crypto.base64_encode(k) } do
					t.ok(not text:find(value, 1, true), value)
				end
			end
		end
	end
end)

test("its size stays below 2 KiB, and 4 KiB where the contact is not there, up to ten million contacts", function()
	-- Only the number of hashes depends on the size: leaves of one byte stand in for those of 64.
	local function longest(n)
		local leaves <close> = tree.of(("x"):rep(n), 1)
		local most = 0
		for _, at in ipairs { 0, n // 2 - 1, n // 2, n - 2 } do most = math.max(most, #leaves:range(at, at + 2)) end
		return #leaves:inclusion(n // 2), most
	end
	local inclusion, range = longest(1 << 14) -- the tree of 2^24 (16.7 million) is ten levels higher
	local path, span = inclusion + 10 * 32, range + 20 * 32
	t.eq({ path // 32, span // 32 }, { 24, 46 })
	local function text(document)
		document.format, document.run, document.system = membership.FORMAT, ("x"):rep(40), ("x"):rep(20)
		document.proof, document.k, document.b = ("x"):rep(64), ("x"):rep(44), ("x"):rep(44)
		return #membership.text(document)
	end
	local function bytes(n) return crypto.base64_encode(("x"):rep(n)) end
	t.ok(text { index = 9999999, path = bytes(path) } < 2048)
	local _, extras = longest(1 << 14) -- 16,384 extras; with more, only neighbours near the middle of both trees need more
	t.ok(text { observed = { from = 9999999, leaves = bytes(128), path = bytes(span) },
		extras = { from = 9999999, leaves = bytes(128), path = bytes(extras) } } < 4096)
end)

-- ---- age

test("the last run that proved all equal is found, whatever came after it", function()
	local w <close> = world.new { records = world.records(3) }
	w.held.Fake.c01 = { id = "c01", who = "Other" }
	w:full { skip_sync = true }
	t.eq(verify.open(state_of(w)):proven(), nil)
	w:full()
	w.held.Fake.c02.mail = "edited"
	w:full { skip_sync = true }
	w:full { skip_sync = true, only = { "c01" } } -- equal, but not about all
	local this = verify.open(state_of(w))
	local at, run = this:proven()
	t.eq(run, this.log.entries[2].id)
	t.ok(at > 0)
end)

-- ---- the script

-- What the script says with these options: its exit code; its words go to standard output.
local function told(w, options)
	options.config = w.dir .. "/config.lua"
	return w:with(command.run, options)
end

-- A witness: its verifier key, and a cosignature of a checkpoint as tlog-cosignature has it.
local function witness(name)
	local seed = crypto.random(32)
	local public = crypto.ed25519_public(seed)
	local hash = crypto.sha256(name .. "\n\4" .. public, "raw"):sub(1, 4)
	return ("%s+%s+%s"):format(name, crypto.hex(hash), crypto.base64_encode("\4" .. public)), function(text, at)
		local signature = crypto.ed25519_sign(seed, ("cosignature/v1\ntime %d\n%s"):format(at, text))
		return ("\u{2014} %s %s\n"):format(name, crypto.base64_encode(hash .. string.pack(">i8", at) .. signature))
	end
end

test("the script's exit codes: 0 holds, 1 is no longer so, 2 cannot be told, 7 broken", function()
	local w <close> = world.new { records = world.records(5) }
	t.eq(told(w, {}), 2)
	w:full()
	t.eq({ told(w, {}), told(w, { system = "Fake" }), told(w, { contact = "c03" }), told(w, { max_age = "1h" }) },
		{ 0, 0, 0, 0 })
	t.eq({ told(w, { inclusion = true }), told(w, { consistency = 0 }), told(w, { consistency = 2 }) }, { 0, 0, 2 })
	w.held.Fake.c03.mail = "edited"
	t.eq({ told(w, { system = "Fake" }), told(w, { contact = "c03" }), told(w, { system = "None" }) }, { 1, 1, 2 })
	t.eq({ told(w, { max_age = "0.001s" }), told(w, { proof = "none" }), told(w, { checkpoint = "/none" }) }, { 1, 2, 2 })
	os.rename(state_of(w) .. "/secret", state_of(w) .. "/lost")
	t.eq({ told(w, { contact = "c03" }), told(w, {}) }, { 2, 0 })
	put(state_of(w) .. "/log", "")
	t.eq(told(w, {}), 7)
end)

test("a witness' cosignature is kept with its size, and checked", function()
	local key, cosign = witness "witness.example/w1"
	local w <close> = world.new { records = world.records(2), config = ("witnesses = { %q },"):format(key) }
	w:full()
	local text = file.read(state_of(w) .. "/checkpoint")
	local answer = w.dir .. "/answer"
	put(answer, cosign(text, 1795600000))
	t.eq(told(w, { cosign = answer }), 0)
	t.eq(file.read(state_of(w) .. "/cosignatures/1"), cosign(text, 1795600000))
	t.eq(told(w, {}), 0)
	t.ok(verify.open(state_of(w)).log:checkpoint():find("witness.example/w1", 1, true))
	put(answer, cosign(text:gsub("1", "2", 1), 1795600000))
	t.eq(told(w, { cosign = answer }), 1) -- another head
	local _, strange = witness "witness.example/w2"
	put(answer, strange(text, 1795600000))
	t.eq(told(w, { cosign = answer }), 2)
	put(state_of(w) .. "/cosignatures/1", cosign(text .. "x", 1795600000))
	t.eq(told(w, {}), 7)
	w:full()
	t.eq(told(w, {}), 0) -- the head is another
end)
