-- Published vectors: FIPS 180-4, RFC 1321, RFC 4231, RFC 4648, RFC 7515.
local t = require "syncrun.test"
local crypto = require "syncrun.crypto"
local log = require "syncrun.log"

local function hex(s)
	return (s:gsub("%x%x", function(d) return string.char(tonumber(d, 16)) end))
end

-- The key of RFC 7515, appendix A.2, as PEM. It is public.
local RFC7515_KEY = [[
-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCh+BYK4uPJtGXO
jS1lYmM2K5J9vinh8CR3/BYlzJChNuOL2TSXxbbqY913EeZ8dCn5VrD7io8ImtxL
aYk8wTM/U+3QGbh3hCUv7JFP5IV3aVlL6kKA0ywPVb9ilE8TA5a8bpvfbr3SvaNn
juygxmj3AbONv/s4yDQs4v5tJ/reSlpIdJed1LnPmt7Ex1sFhSwsD174pcF1A5L5
ROjtZMEQxrZHYJqkeDrrnGya11UxMFBji4NmXG9veoKjlnAqH2QbgtPr8jkiGUkf
toaHLFcW9Qr4NY2ai50Xw0Byj3+H2JoY2PyrZ62EWQwuz3WTOTY8BwNNb2BvniHg
VFbK5emhAgMBAAECggEAEq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyW
PEAeP88vLNO97IjlA7/GQ5sLKMgvfTeXZx9SE+7YwVol2NXOoAJe46sui395IW/G
O+pWJ1O0BkTGoVEn2bKVRUCgu+GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzj
kn439X0M/V51gfpRLI9JYanrC4D4qAdGcopV/0ZHHzQlBjudU2QvXt4ehNYTCBr6
XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl/x/jTj3ccPDVZFD9pIuhLhBOneufuBiB
4cS98l2SR/RQyGWSeWjnczT0QU91p1DhOVRuOopznQKBgQDgHMQQ60imZV1URk0K
pLttoLhyt3SmqdEf/kgHePDdtzEafpAu+cS191R2JiuoF2yzWXnwFDcqGigp5BNr
0AHQfD8/Lk8l1Mk09jxxCfui5nYooNyac8YFjm3vItzVCVDnEd3BbVWG8qf6deqE
lMGAg+C2V0L4oNXnP7LZcPAZRwKBgQC5A8R+CZW2MvRTLLHzwZkUXV866cff7tx6
kqa0finGG0KgeqlaZPxgCZnFp7AeAcCMtiynVlJ7vMVgePsLq6XtON4tB5kP9jAP
rq3rbAOal78eUH5OcED6eNuCV8ixEu1eWcPNCS/l1OW1EnXUEoEHKl54Xrrz2uNw
kgMTP1FZ1wKBgAcCn1dwJKufzBWQxWQp1vsM5fggqPN1qGb5y0MAk3g7/Ls5bkUp
5u9SN0Ai3Ya6hNnvWJMb7sXQX6U/zyO2M/hTip7tUeh7CXgwo59dkpN75gJLVds2
9+DAncu3KXU4f2Fa+7bLNrur53k8KwPOq2bbuTG69QtV7Jr5MR0AHWKNAoGBAIf/
evpitUf+4JYbLpvNXWcY052Mpz22aR84mY3nh3F2LF2mjMJDpTg7FmuyPcVw6EcG
yoAe9fa65iNqCq+jdw6PVNGo2hxfjSiZ8IIzHdsPXI89//pMjZcQK9r+CCoRjaZj
OYiIDktVWZzmevJuv6WywUqd57LE3Zar3dLSIkx1AoGAIYd7DHOhrWvxkwPQsRM2
tOgrjbcrfvtQJipd+DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd/QJQ3
ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp/gh6A56
03k2+ZQwVK0JKSHuLFkuQ3U=
-----END PRIVATE KEY-----
]]

t.test("sha256 of the examples of FIPS 180", function()
	t.eq(crypto.sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
	t.eq(crypto.sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
	t.eq(crypto.sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
	t.eq(crypto.sha256("abc", "raw"), hex "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
	t.raises(crypto.sha256, "the form of a digest is 'hex' or 'raw'", "abc", "base64")
end)

t.test("md5 and sha1", function()
	t.eq(crypto.md5(""), "d41d8cd98f00b204e9800998ecf8427e")
	t.eq(crypto.md5("message digest"), "f96b697d7cb7938d525a2f31aaf161d0")
	t.eq(#crypto.md5("x", "raw"), 16)
	t.eq(crypto.sha1("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d")
	t.eq(#crypto.sha1("x", "raw"), 20)
end)

t.test("hmac_sha256 of RFC 4231", function()
	local cases = {
		{ ("\x0b"):rep(20), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
		{ "Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
		{ ("\xaa"):rep(20), ("\xdd"):rep(50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
		{ hex "0102030405060708090a0b0c0d0e0f10111213141516171819", ("\xcd"):rep(50),
			"82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
		{ ("\xaa"):rep(131), "Test Using Larger Than Block-Size Key - Hash Key First",
			"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
		{ ("\xaa"):rep(131), "This is a test using a larger than block-size key and a larger than block-size data. "
			.. "The key needs to be hashed before being used by the HMAC algorithm.",
			"9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
	}
	for i, case in ipairs(cases) do t.eq(crypto.hmac_sha256(case[1], case[2]), case[3], "case " .. i) end
	t.eq(crypto.hmac_sha256("", ""), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
end)

-- The first 32 bytes of each output; RFC 5869's tests 1 to 3.
t.test("hkdf_sha256 of RFC 5869", function()
	local function bytes(from, to)
		local out = {}
		for i = from, to do out[#out + 1] = string.char(i) end
		return table.concat(out)
	end
	t.eq(crypto.hkdf_sha256(("\x0b"):rep(22), bytes(0xf0, 0xf9), bytes(0, 12)),
		hex "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf")
	t.eq(crypto.hkdf_sha256(bytes(0, 0x4f), bytes(0xb0, 0xff), bytes(0x60, 0xaf)),
		hex "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c")
	t.eq(crypto.hkdf_sha256(("\x0b"):rep(22), ""), hex "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d")
end)

t.test("ed25519 of RFC 8032, section 7.1", function()
	local cases = {
		{ "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
			"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
			"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe2"
			.. "4655141438e7a100b" },
		{ "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
			"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
			"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302ae"
			.. "eb00d291612bb0c00" },
		{ "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
			"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
			"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28"
			.. "dc027beceea1ec40a" },
	}
	for i, case in ipairs(cases) do
		local seed, key, text, signature = hex(case[1]), hex(case[2]), hex(case[3]), hex(case[4])
		t.eq(crypto.ed25519_public(seed), key, "key " .. i)
		t.eq(crypto.ed25519_sign(seed, text), signature, "signature " .. i)
		t.ok(crypto.ed25519_verify(key, text, signature))
		t.ok(not crypto.ed25519_verify(key, text .. "x", signature))
		t.ok(not crypto.ed25519_verify(key, text, signature:sub(1, 63) .. string.char(signature:byte(64) ~ 1)))
		t.ok(not crypto.ed25519_verify(("\xff"):rep(32), text, signature))
	end
	t.raises(crypto.ed25519_sign, "32 bytes wanted, not 31", ("k"):rep(31), "")
	t.raises(crypto.ed25519_verify, "64 bytes wanted, not 63", ("k"):rep(32), "", ("s"):rep(63))
end)

t.test("base64 of RFC 4648", function()
	local vectors = { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=",
		foobar = "Zm9vYmFy" }
	for plain, text in pairs(vectors) do
		t.eq(crypto.base64_encode(plain), text)
		t.eq(crypto.base64_decode(text), plain)
		t.eq(crypto.base64url_encode(plain), (text:gsub("=", "")))
		t.eq(crypto.base64url_decode((text:gsub("=", ""))), plain)
		t.eq(crypto.base64url_decode(text), plain)
	end
	t.eq(crypto.base64_encode("\xfb\xff\xfe"), "+//+")
	t.eq(crypto.base64url_encode("\xfb\xff\xfe"), "-__-")
	for _, wrong in ipairs { "Zg", "Zg=", "Zh==", "Zm9=", "Zm9v\n", "Zm 9v", "=", "====", "Z===", "-__-", "Zg==Zg==" } do
		t.raises(crypto.base64_decode, "usage", wrong)
	end
	for _, wrong in ipairs { "Z", "Zh", "+//+", "Zg=" } do t.raises(crypto.base64url_decode, "usage", wrong) end
end)

t.test("base64 is undone for every byte and length", function()
	for n = 0, 66 do
		local s = crypto.random(n)
		t.eq(#s, n)
		t.eq(crypto.base64_decode(crypto.base64_encode(s)), s)
		t.eq(crypto.base64url_decode(crypto.base64url_encode(s)), s)
	end
end)

t.test("rs256 of RFC 7515, appendix A.2", function()
	local input = "eyJhbGciOiJSUzI1NiJ9"
		.. ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	local want = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9"
		.. "uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN93"
		.. "83LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWy"
		.. "wlVmtVrBp0igcN_IoypGlUPQGe77Rw"
	t.eq(crypto.base64url_encode(crypto.rs256_sign(RFC7515_KEY, input)), want)
	t.eq(log.redact("key: " .. RFC7515_KEY), "key: ***")
end)

t.test("a key that cannot sign is refused without being shown", function()
	t.raises(crypto.rs256_sign, "config", "", "x")
	local e = t.raises(crypto.rs256_sign, "config", "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n", "x")
	t.ok(not e.message:find("MIIE", 1, true))
	t.contains(e.message, "is it a PEM text without passphrase?")
end)

t.test("uuid has version 4 and does not repeat", function()
	local seen = {}
	for _ = 1, 1000 do
		local id = crypto.uuid()
		t.ok(id:match "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$", id)
		t.eq(id, id:lower())
		t.ok(not seen[id])
		seen[id] = true
	end
	t.raises(crypto.random, "not between", -1)
end)
