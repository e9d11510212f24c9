-- Signed notes and checkpoints against what others published: the C2SP documents, Go's sumdb/note.
local t = require "syncrun.test"
local checkpoint = require "syncrun.record.checkpoint"
local crypto = require "syncrun.crypto"
local note = require "syncrun.record.note"

local FOO = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
local FOO_NOTE = [[
This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
]]

local function open(text, ...)
	local keys = {}
	for i, key in ipairs { ... } do keys[i] = note.verifier(key) end
	local body, signatures = note.split(text)
	return body, note.verified(body, signatures, keys)
end

t.test("the example of c2sp.org/signed-note", function()
	local body, good = open(FOO_NOTE, FOO)
	t.eq(body, "This is an example message.\n")
	t.eq(#good, 1)
	t.eq(good[1].key.name, "example.com/foo")
	t.eq(note.verifier_text(good[1].key), FOO)
end)

t.test("the example of Go's sumdb/note, signed once more", function()
	local signer = note.signer "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
	t.eq(note.verifier_text(signer), "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
	t.eq(note.signer_text(signer), "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")
	t.eq(note.sign("If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n",
		signer), "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
		.. "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n")
end)

t.test("unknown signatures are ignored, a wrong one of a known key condemns the note", function()
	local key, other = note.new_key "example.com/log", note.new_key "example.com/log"
	local signed = note.sign("text\n", key)
	local both = signed .. note.sign("text\n", other):match "\n\n(.*)$"
	t.eq(#select(2, open(both, note.verifier_text(key))), 1)
	t.eq(#select(2, open(both, note.verifier_text(key), note.verifier_text(other))), 2)
	t.eq(#select(2, open(both, FOO)), 0)
	local e = t.raises(open, "check", (both:gsub("^text", "test")), note.verifier_text(key))
	t.eq(e.code, "signature")
	t.eq(e.message, "the signature of 'example.com/log' is wrong")
end)

-- Whatever single byte is changed, in text, dash, name, hash or signature: no signature of the key is left, or it is no note.
t.test("every byte of a note counts", function()
	local key = note.verifier(FOO)
	for at = 1, #FOO_NOTE do
		for _, bit in ipairs { 1, 32 } do
			local changed = FOO_NOTE:sub(1, at - 1) .. string.char(FOO_NOTE:byte(at) ~ bit) .. FOO_NOTE:sub(at + 1)
			local ok, good = pcall(function()
				local body, signatures = note.split(changed)
				return note.verified(body, signatures, { key })
			end)
			t.ok(not ok or #good == 0, ("byte %d"):format(at))
		end
	end
end)

t.test("what is no note", function()
	for _, text in ipairs { "", "text\n", "text\n\n", "text\n— a b\n", "text\n\nnot a signature\n", FOO_NOTE:sub(1, -2),
		"te\0xt" .. FOO_NOTE, "\xff" .. FOO_NOTE, "text\r\n" .. FOO_NOTE, FOO_NOTE .. "more\n",
		"text\n\n— a+b AAAAAAAA\n", "text\n\n— a AAA\n" } do
		t.eq(t.raises(note.split, "check", text).code, "note")
	end
	t.raises(note.split, "more than 64", "text\n\n" .. ("— a AAAAAAAA\n"):rep(65))
	t.eq(#select(2, note.split("text\n\n" .. ("— a AAAAAAAA\n"):rep(64))), 64)
	local body = note.split("one\n\ntwo\n\n— a AAAAAAAA\n")
	t.eq(body, "one\n\ntwo\n")
end)

t.test("keys that are none", function()
	for _, name in ipairs { "", "a b", "a+b", "a\nb", "a\u{a0}b", "a\u{2003}b", "a\xff" } do
		t.raises(note.new_key, "cannot be a key's name", name)
	end
	note.new_key "größe.example/log"
	for _, text in ipairs { "", "a+b+c", FOO:sub(1, -2), "x" .. FOO, (FOO:gsub("530d903a", "530D903A")),
		(FOO:gsub("530d903a", "530d903b")),
		"example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k" } do
		t.raises(note.verifier, "no verifier key", text)
	end
	local e = t.raises(note.signer, "config",
		"PRIVATE+KEY+PeterNeumann+c74f20a4+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")
	t.ok(not e.message:find "AYEK")
end)

t.test("a checkpoint, as c2sp.org/tlog-checkpoint writes it", function()
	local text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
	local head = checkpoint.read(text)
	t.eq(head.origin, "example.com/behind-the-sofa")
	t.eq(head.size, 20852163)
	t.eq(#head.root, 32)
	t.eq(checkpoint.text(head), text)
	for _, wrong in ipairs { "", "a\n1\n", "a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\nextension\n",
		"a\n01\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", "a\n-1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
		"a\n1e3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", "a\n1\nCsUYapGGPo4=\n", "\n1\nCsUYapGGPo4=\n",
		"a\n99999999999999999999\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", text:sub(1, -2) } do
		t.eq(t.raises(checkpoint.read, "check", wrong).code, "checkpoint")
	end
end)

t.test("proofs as text, there and back", function()
	local proof = crypto.random(96)
	local body = checkpoint.read_inclusion(checkpoint.inclusion_text(7, proof, FOO_NOTE))
	t.eq(body, { index = 7, proof = proof, note = FOO_NOTE })
	body = checkpoint.read_inclusion(checkpoint.inclusion_text(0, "", FOO_NOTE))
	t.eq(body, { index = 0, proof = "", note = FOO_NOTE })
	local between = checkpoint.read_consistency(checkpoint.consistency_text(3, proof, FOO_NOTE))
	t.eq(between, { old = 3, proof = proof, note = FOO_NOTE })
	between = checkpoint.read_consistency(checkpoint.consistency_text(0, "", FOO_NOTE))
	t.eq(between, { old = 0, proof = "", note = FOO_NOTE })
	for _, wrong in ipairs { "", "c2sp.org/tlog-proof@v1\n", "c2sp.org/tlog-proof@v1\nindex 01\n\n" .. FOO_NOTE,
		"c2sp.org/tlog-proof@v2\nindex 1\n\n" .. FOO_NOTE, "c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\n" .. FOO_NOTE,
		"c2sp.org/tlog-proof@v1\nindex 1\n" .. crypto.base64_encode(proof) .. "\n\n" .. FOO_NOTE } do
		t.raises(checkpoint.read_inclusion, "check", wrong)
	end
	for _, wrong in ipairs { "", "old\n\n" .. FOO_NOTE, "old 1\nAAAA\n\n" .. FOO_NOTE, "old 007\n\n" .. FOO_NOTE } do
		t.raises(checkpoint.read_consistency, "check", wrong)
	end
end)

-- A witness' signature, made here as tlog-cosignature says; checked by the reading side only.
t.test("a timestamped cosignature", function()
	local seed = crypto.random(32)
	local public = crypto.ed25519_public(seed)
	local name, text = "witness.example/w1", "example.com/log\n1\n" .. crypto.base64_encode(crypto.random(32)) .. "\n"
	local hash = crypto.sha256(name .. "\n\4" .. public, "raw"):sub(1, 4)
	local function line(stamp, signed)
		return ("— %s %s\n"):format(name, crypto.base64_encode(hash .. string.pack(">I8", stamp)
			.. crypto.ed25519_sign(seed, signed)))
	end
	local key = note.verifier(("%s+%s+%s"):format(name, crypto.hex(hash), crypto.base64_encode("\4" .. public)))
	local good = line(1679315147, "cosignature/v1\ntime 1679315147\n" .. text)
	local found = note.verified(text, note.signatures(good), { key })
	t.eq(#found, 1)
	t.eq(found[1].time, 1679315147)
	t.eq(found[1].line, good)
	local short = ("— %s %s\n"):format(name, crypto.base64_encode(hash .. "short"))
	local late = line(1679315148, "cosignature/v1\ntime 1679315147\n" .. text)
	for _, wrong in ipairs { late, line(1679315147, text), short } do
		t.raises(note.verified, "is wrong", text, note.signatures(wrong), { key })
	end
end)
