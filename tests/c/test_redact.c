// Masking of secrets: by value, in URLs, behind Bearer, and what must be left alone.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/redact.h"

static void expect(const char *text, const char *want)
{
	struct buf out = {0};

	assert_true(redact_append(&out, text, strlen(text)));
	assert_string_equal(out.data, want);
	buf_free(&out);
}

static void add(const char *secret)
{
	assert_true(redact_add(secret, strlen(secret)));
}

static int reset(void **state)
{
	(void)state;
	redact_reset();
	return 0;
}

static void test_plain_text_is_left_alone(void **state)
{
	(void)state;
	expect("", "");
	expect("a plain line: 12:30, x@y.z, http://host/path", "a plain line: 12:30, x@y.z, http://host/path");
	expect("https://host:8443/people/@me?x=1", "https://host:8443/people/@me?x=1");
	expect("https://user@host/x", "https://user@host/x");
	expect("bear", "bear");
	expect("bearer ", "bearer ");
	expect("://", "://");
	expect("cannot connect to 'http://[::1]:3000", "cannot connect to 'http://[::1]:3000");
	expect("http://127.0.0.1:3000", "http://127.0.0.1:3000");
	expect("no password supplied; secret: none, token a == b", "no password supplied; secret: none, token a == b");
	expect("{\"token\":12,\"password\":null,\"tokens\":\"a\"}", "{\"token\":12,\"password\":null,\"tokens\":\"a\"}");
	expect("eyJ. eyJhbGciOi.x ya29.x sb_secret_ sbp_1 AIzaX", "eyJ. eyJhbGciOi.x ya29.x sb_secret_ sbp_1 AIzaX");
	expect("-----BEGIN CERTIFICATE-----\nMIIE\n-----END", "-----BEGIN CERTIFICATE-----\nMIIE\n-----END");
}

static void test_values(void **state)
{
	(void)state;
	add("hunter22");
	expect("hunter22", "***");
	expect("a hunter22 b hunter22", "a *** b ***");
	expect("hunter2", "***"); // a text cut inside a secret
	expect("hunte", "hunte");
	expect("hunter21", "hunter21");
}

static void test_short_secrets_are_not_masked(void **state)
{
	(void)state;
	add("abcde");
	add("");
	expect("abcde abcdef", "abcde abcdef");
}

static void test_longest_and_overlapping(void **state)
{
	(void)state;
	add("secret");
	add("secret-and-more");
	add("morewood");
	expect("x secret y", "x *** y");
	expect("x secret-and-more y", "x *** y");
	expect("x secret-and-morewood y", "x *** y");
}

static void test_url_encoded(void **state)
{
	(void)state;
	add("p@ss/w\xc3\xb6rd~");
	expect("k=p%40ss%2Fw%C3%B6rd~&x", "k=***&x");
	expect("k=p@ss/w\xc3\xb6rd~&x", "k=***&x");
}

static void test_bytes_with_nul(void **state)
{
	struct buf out = {0};

	(void)state;
	assert_true(redact_add("ab\0cdef", 7));
	assert_true(redact_append(&out, "x\0ab\0cdef\0y", 11));
	assert_int_equal(out.len, 7);
	assert_memory_equal(out.data, "x\0***\0y", 7);
	buf_free(&out);
}

static void test_bearer(void **state)
{
	(void)state;
	expect("Authorization: Bearer abc.def-_~+/==, next", "Authorization: Bearer ***, next");
	expect("bearer  x", "bearer  ***");
	expect("BEARER ***", "BEARER ***"); // masking twice changes nothing
}

static void test_tokens(void **state)
{
	(void)state;
	expect("key eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZSJ9.aB_-1 end", "key *** end");
	expect("'eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2Vy", "'***"); // cut
	expect("ya29.a0AfH6SMBx-1_2.z, sb_secret_abcdefghij, GOCSPX-abcdefghij1", "***, ***, ***");
	expect("sbp_0123456789abcdef0123456789abcdef01234567", "***");
	expect("AIzaSyA1234567890abcdefghijklmnopqrstuv!", "***!");
	expect("xya29.a0AfH6SMBx is inside a word", "xya29.a0AfH6SMBx is inside a word");
}

static void test_private_keys(void **state)
{
	(void)state;
	expect("a -----BEGIN PRIVATE KEY-----\nMIIE/+=\n-----END PRIVATE KEY----- b",
		"a -----BEGIN PRIVATE KEY-----***-----END PRIVATE KEY----- b");
	expect("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AB\n\nMIIE\n-----END RSA",
		"-----BEGIN RSA PRIVATE KEY-----***-----END RSA");
	expect("{\"k\":\"-----BEGIN PRIVATE KEY-----\\nMIIEvQ", "{\"k\":\"-----BEGIN PRIVATE KEY-----***"); // cut
	expect("\"-----BEGIN EC PRIVATE KEY-----\\\\nMII\",\"x\":1", "\"-----BEGIN EC PRIVATE KEY-----***\",\"x\":1");
}

static void test_named_values(void **state)
{
	(void)state;
	expect("host=h password=s3cret dbname=d", "host=h password=*** dbname=d");
	expect("password = 'it\\'s a secret' x", "password = '***' x");
	expect("?sslmode=require&password=abc&x=1", "?sslmode=require&password=***&x=1");
	expect("PGPASSWORD=abc TWENTY_API_KEY=def JWT_SECRET=ghi", "PGPASSWORD=*** TWENTY_API_KEY=*** JWT_SECRET=***");
	expect("{\"client_secret\":\"a\\\"b\",\"x\":1}", "{\"client_secret\":\"***\",\"x\":1}");
	expect("{\\\"refresh_token\\\": \\\"1//0g\\\"}", "{\\\"refresh_token\\\": \\\"***\\\"}");
	expect("[\"api-key\"] = \"abc\", b = 1", "[\"api-key\"] = \"***\", b = 1");
	expect("apikey: abc\nAuthorization: Basic dXNlcjpwYXNz\nProxy-Authorization: digest x=1",
		"apikey: ***\nAuthorization: Basic ***\nProxy-Authorization: digest ***");
	expect("\"Authorization\":\"Bearer abc\"", "\"Authorization\":\"Bearer ***\"");
}

// A line of JSON is one afterwards, whatever a contact's text holds.
static void test_json_stays_json(void **state)
{
	(void)state;
	expect("{\"notes\":\"password='\",\"x\":\"it's\"}", "{\"notes\":\"password='\",\"x\":\"it's\"}");
	expect("{\"notes\":\"password=\\\"\",\"x\":\"a\"}", "{\"notes\":\"password=\\\"\",\"x\":\"a\"}");
	expect("{\"notes\":\"token=a\\\\\",\"x\":\"a\"}", "{\"notes\":\"token=***\",\"x\":\"a\"}");
	expect("{\"notes\":\"-----BEGIN PRIVATE KEY-----\",\"x\":\"a\"}",
		"{\"notes\":\"-----BEGIN PRIVATE KEY-----\",\"x\":\"a\"}");
}

static void test_spellings(void **state)
{
	(void)state;
	add("a\"b\\c\nd\x01");
	expect("x a\"b\\c\nd\x01 y", "x *** y");
	expect("x a\\\"b\\\\c\\nd\\u0001 y", "x *** y");
	add("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0\\nBAQEFAASCBKcwggSjAgEA\nMIIE\n-----END PRIVATE "
		"KEY-----\n");
	expect("near MIIEvQIBADANBgkqhkiG9w0 and BAQEFAASCBKcwggSjAgEA; MIIE", "near *** and ***; MIIE");
}

static void add_setting(const char *name, const char *value)
{
	assert_true(redact_add_setting(name, value, strlen(value)));
}

static void test_settings(void **state)
{
	(void)state;
	add_setting("SUPABASE_DB_URL", "postgres://me:p%40ss-word@h/db?sslpassword=other-pass");
	expect("p%40ss-word, p@ss-word, other-pass, me", "***, ***, ***, me");
	add_setting("dsn", "host=h password='quite a secret' user=me");
	expect("quite a secret of host=h user=me", "*** of host=h user=me");
	add_setting("PGPASSWORD", "of-the-role");
	add_setting("MY_SERVICE_KEY", "of-my-service");
	add_setting("SSH_KEY", "/home/me/.ssh/id");
	add_setting("TOKEN", "short");
	add_setting("LANGUAGE", "of-the-system");
	expect("of-the-role of-my-service /home/me/.ssh/id short of-the-system",
		"*** *** /home/me/.ssh/id short of-the-system");
	add_setting("GOOGLE_APPLICATION_CREDENTIALS", "keys/key.json");
	add_setting("GOOGLE_APPLICATION_CREDENTIALS", " {\"type\":\"x\"}");
	expect("keys/key.json  {\"type\":\"x\"}", "keys/key.json ***");
	add_setting("DB_PASSWORD", "postgres"); // everybody's, and a word of ours
	expect("postgres", "postgres");
}

static void test_environment(void **state)
{
	(void)state;
	assert_int_equal(setenv("TEST_REDACT_API_KEY", "canary-in-environment", 1), 0);
	assert_true(redact_add_environment());
	expect("a canary-in-environment", "a ***");
	assert_int_equal(unsetenv("TEST_REDACT_API_KEY"), 0);
}

// Every text of these tests in two pieces, cut anywhere: no more than its first bytes shows what a whole text hides.
static void in_two_pieces(const char *text, const char *secret)
{
	size_t len = strlen(text);

	for (size_t cut = 0; cut <= len; cut++) {
		struct redact_stream s = {0};
		struct buf out = {0};

		assert_true(redact_stream_put(&s, &out, text, cut) && redact_stream_put(&s, &out, text + cut, len - cut));
		assert_true(redact_stream_end(&s, &out));
		assert_null(strstr(out.data, secret));
		assert_non_null(strstr(out.data, "***"));
		assert_int_equal(strncmp(out.data + out.len - 4, " end", 4), 0);
		buf_free(&out);
		redact_stream_free(&s);
	}
}

static void test_pieces(void **state)
{
	(void)state;
	add("hunter22");
	in_two_pieces("a hunter22 end", "nter22");
	in_two_pieces("Authorization: Bearer abc.def end", "abc");
	in_two_pieces("k eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZSJ9.aB_-1 end", "hbGciO");
	in_two_pieces("postgres://u:p/w@x@h/db end", "p/w");
	in_two_pieces("{\"client_secret\": \"a\\\"bc\"} end", "bc");
	in_two_pieces("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- end", "MII");
}

// What is no secret is not held back: a prompt without a newline is seen.
static void test_pieces_are_not_held_back(void **state)
{
	static const char *const pieces[] = {"Name: ", "\r[###...] 10/20", "continue (y/n)?", "ratio 1:", "see http:", "h"};

	(void)state;
	add("hunter22");
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		struct redact_stream s = {0};
		struct buf out = {0};

		assert_true(redact_stream_put(&s, &out, pieces[i], strlen(pieces[i])));
		assert_string_equal(out.data, pieces[i]);
		buf_free(&out);
		redact_stream_free(&s);
	}
}

static void test_little_is_held_back(void **state)
{
	struct redact_stream s = {0};
	struct buf out = {0};

	(void)state;
	assert_true(redact_stream_put(&s, &out, "bearer ", 7));
	for (int i = 0; i < 20000; i++)
		assert_true(redact_stream_put(&s, &out, "a", 1));
	assert_int_equal(strncmp(out.data, "bearer ***", 10), 0);
	assert_true(s.text.len < 10);
	buf_free(&out);
	redact_stream_free(&s);
}

// A registered secret lies across the place where the stream gives up holding back.
static void test_secret_across_the_limit(void **state)
{
	static char text[20000];

	(void)state;
	add("hunter22");
	for (size_t at = 16370; at < 16400; at += 3) {
		struct redact_stream s = {0};
		struct buf out = {0};

		memset(text, 'a', sizeof text);
		memcpy(text, "bearer ", 7);
		memcpy(text + at, "hunter22", 8);
		for (size_t i = 0; i < sizeof text; i += 10)
			assert_true(redact_stream_put(&s, &out, text + i, 10));
		assert_true(redact_stream_end(&s, &out));
		assert_null(strstr(out.data, "nter22"));
		buf_free(&out);
		redact_stream_free(&s);
	}
}

static void test_passwords_in_urls(void **state)
{
	(void)state;
	expect("postgres://u:pw@h:5432/db", "postgres://u:***@h:5432/db");
	expect("'postgres://u:p@w@h/db'", "'postgres://u:***@h/db'");
	expect("postgres://u:p/w@h/db and more@x", "postgres://u:***@h/db and more@x");
	expect("postgres://:pw@h/db", "postgres://:***@h/db");
	expect("postgres://u:***@h/db", "postgres://u:***@h/db");
	expect("postgres://u:@h/db", "postgres://u:@h/db");
	expect("cut postgres://u:secr", "cut postgres://u:***");
	expect("a://b:c@d e://f:g@h", "a://b:***@d e://f:***@h");
}

static void test_copy(void **state)
{
	char small[8], same[64] = "token=hunter22;";

	(void)state;
	add("hunter22");
	redact_copy(small, sizeof small, "a hunter22 and more");
	assert_string_equal(small, "a *** a");
	redact_copy(same, sizeof same, same);
	assert_string_equal(same, "token=***;");
	redact_copy(small, sizeof small, "");
	assert_string_equal(small, "");
}

static void test_reset(void **state)
{
	(void)state;
	add("hunter22");
	redact_reset();
	expect("hunter22", "hunter22");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_plain_text_is_left_alone, reset),
		cmocka_unit_test_teardown(test_values, reset),
		cmocka_unit_test_teardown(test_short_secrets_are_not_masked, reset),
		cmocka_unit_test_teardown(test_longest_and_overlapping, reset),
		cmocka_unit_test_teardown(test_url_encoded, reset),
		cmocka_unit_test_teardown(test_bytes_with_nul, reset),
		cmocka_unit_test_teardown(test_bearer, reset),
		cmocka_unit_test_teardown(test_passwords_in_urls, reset),
		cmocka_unit_test_teardown(test_tokens, reset),
		cmocka_unit_test_teardown(test_private_keys, reset),
		cmocka_unit_test_teardown(test_named_values, reset),
		cmocka_unit_test_teardown(test_json_stays_json, reset),
		cmocka_unit_test_teardown(test_spellings, reset),
		cmocka_unit_test_teardown(test_settings, reset),
		cmocka_unit_test_teardown(test_environment, reset),
		cmocka_unit_test_teardown(test_pieces, reset),
		cmocka_unit_test_teardown(test_pieces_are_not_held_back, reset),
		cmocka_unit_test_teardown(test_little_is_held_back, reset),
		cmocka_unit_test_teardown(test_secret_across_the_limit, reset),
		cmocka_unit_test_teardown(test_copy, reset),
		cmocka_unit_test_teardown(test_reset, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
