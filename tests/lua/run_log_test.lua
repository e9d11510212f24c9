-- The log of runs, its checkpoint, and proofs as files: written, read, changed by one byte, killed between two writes.
local t = require "syncrun.test"
local checkpoint = require "syncrun.record.checkpoint"
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local file = require "syncrun.file"
local note = require "syncrun.record.note"
local proof = require "syncrun.record.proof"
local run_log = require "syncrun.record.run_log"
local secret = require "syncrun.record.secret"
local tree = require "syncrun.tree"

-- f(folder), in a folder that is removed afterwards.
local function in_folder(f)
	local dir = os.tmpname()
	os.remove(dir)
	file.make_folder(dir)
	local ok, e = pcall(f, dir)
	os.execute("rm -rf '" .. dir .. "'")
	if not ok then error(e, 0) end
end

local function make_key(dir, name)
	local key = note.new_key(name or "example.com/crm")
	file.replace(dir .. "/proof.key", note.signer_text(key) .. "\n")
	return note.verifier(note.verifier_text(key))
end

-- A run with its proof, ended and logged.
local function add_run(dir, id)
	file.make_folder(("%s/runs/%s"):format(dir, id))
	local digest = proof.write(("%s/runs/%s/proof.json"):format(dir, id), { run = id })
	return run_log.open(dir):append(id, digest)
end

local function fill(dir, n)
	for i = 1, n do t.eq(add_run(dir, ("run-%d"):format(i)), i - 1) end
end

local function flip(text, at, bit)
	return text:sub(1, at - 1) .. string.char(text:byte(at) ~ (bit or 1)) .. text:sub(at + 1)
end

-- With every byte of the file changed, read() must fail with exit 7.
local function every_byte_counts(path, read)
	local text = file.read(path)
	for at = 1, #text do
		for _, bit in ipairs { 1, 32 } do
			file.replace(path, flip(text, at, bit))
			local _, e = err.try(read)
			t.ok(e and e.exit == 7, ("%s, byte %d (%q): %s"):format(path:match "[^/]*$", at, text:sub(at, at), tostring(e)))
		end
	end
	file.replace(path, text)
	read()
end

t.test("sha256sum can read the log, and the checkpoint is its root", function()
	in_folder(function(dir)
		fill(dir, 5)
		local p <close> = io.popen(("cd '%s' && sha256sum -c log 2>&1"):format(dir))
		t.eq(p:read "a", ("runs/run-%d/proof.json: OK\n"):rep(5):format(1, 2, 3, 4, 5))
		local leaves = {}
		for line in io.lines(dir .. "/log") do leaves[#leaves + 1] = crypto.unhex(line:sub(1, 64)) end
		local head = checkpoint.read(file.read(dir .. "/checkpoint"))
		t.eq(head.origin, "unsigned")
		t.eq(head.size, 5)
		t.eq(head.root, tree.root(tree.of(table.concat(leaves), 32)))
	end)
end)

t.test("every byte of log, checkpoint and proof counts, signed or not", function()
	for _, signed in ipairs { false, true } do
		in_folder(function(dir)
			if signed then make_key(dir) end
			fill(dir, 3)
			local function read()
				local log = run_log.read(dir)
				for _, entry in ipairs(log.entries) do
					local path = ("%s/runs/%s/proof.json"):format(dir, entry.id)
					if not file.kind(path) then err.raise { kind = "check", message = "no proof", exit = 7 } end
					local _, digest = proof.read(path)
					if digest ~= entry.digest then err.raise { kind = "check", message = "another digest", exit = 7 } end
				end
			end
			every_byte_counts(dir .. "/log", read)
			every_byte_counts(dir .. "/checkpoint", read)
			every_byte_counts(dir .. "/runs/run-2/proof.json", read)
		end)
	end
end)

t.test("an entry removed, exchanged or replaced does not fit the checkpoint", function()
	in_folder(function(dir)
		make_key(dir)
		fill(dir, 4)
		local lines = {}
		for line in io.lines(dir .. "/log", "L") do lines[#lines + 1] = line end
		for _, order in ipairs { { 1, 2, 3 }, { 2, 3, 4 }, { 1, 2, 4, 3 }, { 1, 1, 3, 4 }, { 4, 3, 2, 1 }, {} } do
			local changed = {}
			for i, n in ipairs(order) do changed[i] = lines[n] end
			file.replace(dir .. "/log", table.concat(changed))
			t.eq(t.raises(run_log.read, "check", dir).exit, 7)
		end
		file.replace(dir .. "/log", table.concat(lines):sub(1, -2))
		t.raises(run_log.read, "torn last line", dir)
		file.replace(dir .. "/log", table.concat(lines))
		os.remove(dir .. "/checkpoint")
		t.raises(run_log.read, "has no checkpoint", dir)
	end)
end)

t.test("a run killed between its entry and the checkpoint is made up for by the next", function()
	for _, signed in ipairs { false, true } do
		for n = 0, 2 do
			in_folder(function(dir)
				if signed then make_key(dir) end
				fill(dir, n)
				local before = file.read(dir .. "/checkpoint")
				add_run(dir, "killed")
				if before then file.replace(dir .. "/checkpoint", before) else os.remove(dir .. "/checkpoint") end
				t.eq((run_log.read(dir).published or { size = 0 }).size, n)
				t.eq(run_log.open(dir).published.size, n + 1)
				t.eq(run_log.read(dir).published.size, n + 1)
			end)
		end
	end
end)

t.test("an entry that no proof stands for is not signed", function()
	in_folder(function(dir)
		make_key(dir)
		fill(dir, 2)
		file.extend(dir .. "/log", #file.read(dir .. "/log"), ("0"):rep(64) .. "  runs/forged/proof.json\n")
		t.eq(t.raises(run_log.open, "no proof stands for it", dir).exit, 7)
	end)
end)

t.test("a signed log is not continued from a head that nobody signed", function()
	in_folder(function(dir)
		make_key(dir)
		fill(dir, 2)
		local head = checkpoint.read((note.split(file.read(dir .. "/checkpoint"))))
		head.origin = "unsigned"
		file.replace(dir .. "/checkpoint", checkpoint.text(head))
		t.raises(run_log.open, "is not signed by 'example.com/crm'", dir)
		head.origin = "example.com/other"
		file.replace(dir .. "/checkpoint", note.sign(checkpoint.text(head), run_log.read(dir, {}).signer))
		t.raises(run_log.open, "is signed by 'example.com/crm'", dir)
	end)
end)

t.test("a log that was unsigned is signed once its key is made", function()
	in_folder(function(dir)
		fill(dir, 2)
		local key = make_key(dir)
		t.raises(run_log.open, "is not signed by", dir)
		run_log.sign(dir)
		t.eq(run_log.read(dir, { key }).published.size, 2)
		t.eq(add_run(dir, "run-3"), 2)
	end)
end)

t.test("an auditor's key, without the folder's", function()
	in_folder(function(dir)
		local key = make_key(dir)
		fill(dir, 3)
		os.remove(dir .. "/proof.key")
		t.eq(run_log.read(dir, { key }).published.size, 3)
		t.eq(run_log.read(dir).unchecked, "example.com/crm")
		local other = note.new_key "example.com/crm"
		t.raises(run_log.read, "is not signed by", dir, { other })
		add_run(dir, "unsigned-now")
		t.eq(run_log.read(dir).published.origin, "unsigned")
		t.raises(run_log.read, "is not signed by", dir, { key })
	end)
end)

t.test("inclusion and consistency, as others verify them", function()
	in_folder(function(dir)
		local key = make_key(dir)
		fill(dir, 3)
		local old = checkpoint.read((note.split(file.read(dir .. "/checkpoint"))))
		fill(dir, 0)
		for i = 4, 11 do add_run(dir, ("run-%d"):format(i)) end
		local log = run_log.read(dir)
		for i = 0, 10 do
			local given = checkpoint.read_inclusion(log:inclusion(i))
			local body, signatures = note.split(given.note)
			t.eq(#note.verified(body, signatures, { key }), 1)
			local head = checkpoint.read(body)
			t.eq(given.index, i)
			t.ok(tree.check_inclusion(crypto.unhex(log.entries[i + 1].digest), i, head.size, given.proof, head.root))
		end
		local given = checkpoint.read_consistency(log:consistency(3))
		local head = checkpoint.read((note.split(given.note)))
		t.ok(tree.check_consistency(given.old, old.root, head.size, head.root, given.proof))
		t.eq(log:find "run-11", 10)
		t.eq(log:find "none", nil)
	end)
end)

t.test("witnesses' cosignatures are checked and kept for their size", function()
	in_folder(function(dir)
		make_key(dir)
		fill(dir, 2)
		local seed = crypto.random(32)
		local public, name = crypto.ed25519_public(seed), "witness.example/w1"
		local hash = crypto.sha256(name .. "\n\4" .. public, "raw"):sub(1, 4)
		local witness = note.verifier(("%s+%s+%s"):format(name, crypto.hex(hash), crypto.base64_encode("\4" .. public)))
		local function cosign(log, stamp, told)
			local body = checkpoint.text(log.published)
			return ("— %s %s\n"):format(name, crypto.base64_encode(hash .. string.pack(">I8", told or stamp)
				.. crypto.ed25519_sign(seed, ("cosignature/v1\ntime %d\n%s"):format(stamp, body))))
		end
		local log = run_log.read(dir)
		local line = cosign(log, 1700000000)
		t.eq(#log:cosign(line .. "— other.example AAAAAAAAAAAA\n", { witness }), 1)
		t.eq(#log:cosign(line, { witness }), 1)
		t.eq(file.read(dir .. "/cosignatures/2"), line)
		t.eq(log:cosignatures({ witness })[1].time, 1700000000)
		t.eq(log:checkpoint(), file.read(dir .. "/checkpoint") .. line)
		t.contains(log:inclusion(1), line)
		t.raises(log.cosign, "is wrong", log, cosign(log, 1700000000, 1700000001), { witness })
		every_byte_counts(dir .. "/cosignatures/2", function()
			local _, e = err.try(log.cosignatures, log, { witness })
			if e or #log:cosignatures { witness } ~= 1 then err.raise { kind = "check", message = "gone", exit = 7 } end
		end)
		add_run(dir, "run-3")
		t.eq(#run_log.read(dir):cosignatures { witness }, 0)
	end)
end)

t.test("a proof is its text, with its digest last", function()
	local text = proof.text { run = "r", empty = {} }
	local body, digest = text:match '^(.*)  "sha256": "(%x+)"\n}\n$'
	t.eq(crypto.sha256(body), digest)
	t.eq(proof.decode(text, "p").run, "r")
	t.raises(proof.decode, "is no proof", "{}", "p")
	t.raises(proof.decode, "was changed", (text:gsub('"r"', '"s"')), "p")
	t.raises(proof.decode, "is no proof", text .. "\n", "p")
	local other = body:gsub("syncrun%-proof/1", "syncrun-proof/2")
	t.raises(proof.decode, "does not know", other .. ('  "sha256": "%s"\n}\n'):format(crypto.sha256(other)), "p")
	t.raises(proof.read, "there is no proof", "/nonexistent/proof.json")
end)

t.test("the secret is made once, and its keys are of one purpose each", function()
	in_folder(function(dir)
		local one = secret.open(dir)
		t.eq(secret.open(dir):key "proof", one:key "proof")
		t.eq(secret.open(dir).id, one.id)
		t.eq(#one.id, 16)
		t.ok(one:key "proof" ~= one:key "forgotten")
		local bytes = crypto.unhex(file.read(dir .. "/secret"):sub(1, 64))
		t.eq(one:key "proof", crypto.hkdf_sha256(bytes, "syncrun/proof/v1"))
		for _, wrong in ipairs { "", "00\n", ("0"):rep(64), ("G"):rep(64) .. "\n", ("A"):rep(64) .. "\n" } do
			file.replace(dir .. "/secret", wrong)
			t.raises(secret.open, "is damaged", dir)
		end
	end)
	t.eq(crypto.hex(secret.of((("\0"):rep(32):gsub("()%z", function(i) return string.char(i - 1) end))):key "proof"),
		"9daf662060a768d84ef40b2b32c2036d80257d2ffc3dae0faf4272fcd889b65e")
end)
