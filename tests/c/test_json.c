// The JSON reader, the writer, numbers and the canonical form: what is JSON and what is not, to the byte.
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/json.h"

struct text {
	const char *bytes;
	size_t len;
};
#define TEXT(literal)                                                                                                  \
	{                                                                                                                  \
		literal, sizeof literal - 1                                                                                    \
	}

static const struct text accepted[] = {
	TEXT("null"), TEXT("true"), TEXT("false"), TEXT("0"), TEXT("-0"), TEXT("0.0"), TEXT("-0.0"), TEXT("1"), TEXT("-1"),
	TEXT("10"), TEXT("123456789012345678901234567890"), TEXT("0.1"), TEXT("-0.1"), TEXT("1.10"), TEXT("1e3"),
	TEXT("1E3"), TEXT("1e+3"), TEXT("1e-3"), TEXT("1E+03"), TEXT("1.5e10"), TEXT("0e0"), TEXT("0E+1"),
	TEXT("0.000000000000000000000000000000000000000000000000001"), TEXT("1e999999999999"), TEXT("-1e-999999999999"),
	TEXT("20e1"), TEXT("123e65"), TEXT("123.456e78"), TEXT("-123123e100000"), TEXT("9223372036854775807"),
	TEXT("-9223372036854775808"), TEXT("9223372036854775808"), TEXT("\"\""), TEXT("\"a\""), TEXT("\" \""),
	TEXT("\"abc def\""), TEXT("\"\\\"\""), TEXT("\"\\\\\""), TEXT("\"\\/\""), TEXT("\"/\""),
	TEXT("\"\\b\\f\\n\\r\\t\""), TEXT("\"\\u0000\""), TEXT("\"\\u0041\""), TEXT("\"\\u00e9\""), TEXT("\"\\u00E9\""),
	TEXT("\"\\uABCD\""), TEXT("\"\\uabcd\""), TEXT("\"\\uFFFF\""), TEXT("\"\\uFFFE\""), TEXT("\"\\uD83D\\uDE00\""),
	TEXT("\"\\ud83d\\ude00\""), TEXT("\"\\uDBFF\\uDFFF\""), TEXT("\"\\uD800\\uDC00\""), TEXT("\"\\\\u0041\""),
	TEXT("\"\\\\uD800\""), TEXT("\"\\\"\\\\\\\"\""), TEXT("\"a\\u0000b\""), TEXT("\"\303\251\""),
	TEXT("\"\346\227\245\346\234\254\350\252\236\""), TEXT("\"\360\237\230\200\""), TEXT("\"\337\277\""),
	TEXT("\"\340\240\200\""), TEXT("\"\355\237\277\""), TEXT("\"\""), TEXT("\"\357\277\277\""),
	TEXT("\"\360\220\200\200\""), TEXT("\"\364\217\277\277\""), TEXT("\"'\""), TEXT("\"null\""), TEXT("\"[1,2\""),
	TEXT("\"{\\\"a\\\":1}\""), TEXT("\"// no comment\""),
	TEXT("\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""),
	TEXT("\"aaaaaaa\\\"bbbbbbbb\\\\cccccccc\\n\""), TEXT("\"1234567\\u00e9\""), TEXT("\"12345678\303\25112345678\""),
	TEXT("[]"), TEXT("[ ]"), TEXT("[null]"), TEXT("[1]"), TEXT("[1,2]"), TEXT("[1, 2 ,3]"), TEXT("[[]]"),
	TEXT("[[],[[]]]"), TEXT("[{}]"), TEXT("[\"a\",1,null,true,false,{},[]]"), TEXT("[-1]"), TEXT("[-0]"),
	TEXT("[1e1,1E1]"), TEXT("[\"\",\"\"]"), TEXT("{}"), TEXT("{ }"), TEXT("{\"\":0}"), TEXT("{\"a\":1}"),
	TEXT("{\"a\":1,\"b\":2}"), TEXT("{\"a\":1,\"a\":2}"), TEXT("{\"a\":{\"a\":{\"a\":{}}}}"), TEXT("{\"a\":[]}"),
	TEXT("{\"a\" : 1 , \"b\" : [ ] }"), TEXT("{\"\\u0061\":1}"), TEXT("{\"\303\251\":\"\303\251\"}"),
	TEXT("{\"a\\\"b\":1}"), TEXT("{\"\\u0000\":1}"), TEXT("{\"a\":null,\"b\":true,\"c\":false}"),
	TEXT("[{\"a\":1},{\"a\":2}]"), TEXT("[[1],[2]]"), TEXT("[[[[[[[[[[1]]]]]]]]]]"), TEXT("{\"__proto__\":1}"),
	TEXT("{\"min\":-1.0e+28,\"max\":1.0e+28}"), TEXT(" 1"), TEXT("1 "), TEXT("\t\n\r 1 \t\n\r"), TEXT("[\n]"),
	TEXT("{\r\n\"a\"\t:\n1}"), TEXT("\"\177\""), TEXT("\"\302\200\""), TEXT("\"\337\277\""), TEXT("\"\340\240\200\""),
	TEXT("\"\355\237\277\""), TEXT("\"\356\200\200\""), TEXT("\"\357\277\277\""), TEXT("\"\360\220\200\200\""),
	TEXT("\"\364\217\277\277\""),
	TEXT("\"\357\273\277\""), // U+FEFF inside a string is text
};

static const struct text rejected[] = {
	TEXT("nul"),
	TEXT("nulll"),
	TEXT("NULL"),
	TEXT("Null"),
	TEXT("True"),
	TEXT("TRUE"),
	TEXT("tru"),
	TEXT("truee"),
	TEXT("falsee"),
	TEXT("fals"),
	TEXT("nan"),
	TEXT("NaN"),
	TEXT("Infinity"),
	TEXT("-Infinity"),
	TEXT("-NaN"),
	TEXT("inf"),
	TEXT("undefined"),
	TEXT("a"),
	TEXT("'a'"),
	TEXT("-"),
	TEXT("+"),
	TEXT("+1"),
	TEXT("+0"),
	TEXT("--1"),
	TEXT("- 1"),
	TEXT("-a"),
	TEXT("00"),
	TEXT("01"),
	TEXT("-01"),
	TEXT("-00"),
	TEXT("012"),
	TEXT("1."),
	TEXT("-1."),
	TEXT(".1"),
	TEXT("-.1"),
	TEXT("."),
	TEXT("1.e1"),
	TEXT("1.a"),
	TEXT("1.2.3"),
	TEXT("1e"),
	TEXT("1E"),
	TEXT("1e+"),
	TEXT("1e-"),
	TEXT("1e1.0"),
	TEXT("1e1e1"),
	TEXT("1ee1"),
	TEXT("e1"),
	TEXT("1 e1"),
	TEXT("0x1"),
	TEXT("0x"),
	TEXT("1_000"),
	TEXT("1,000"),
	TEXT("1a"),
	TEXT("1-"),
	TEXT("1+1"),
	TEXT("0-"),
	TEXT("0+"),
	TEXT("2."),
	TEXT("2.e3"),
	TEXT("2.e+3"),
	TEXT("0.e1"),
	TEXT("1.0e"),
	TEXT("1.0e+"),
	TEXT("\357\274\221"),
	TEXT("\""),
	TEXT("\"a"),
	TEXT("\"\\\""),
	TEXT("\"\\"),
	TEXT("\"\\x41\""),
	TEXT("\"\\a\""),
	TEXT("\"\\'\""),
	TEXT("\"\\0\""),
	TEXT("\"\\v\""),
	TEXT("\"\\U0041\""),
	TEXT("\"\\u\""),
	TEXT("\"\\u0"),
	TEXT("\"\\u00\""),
	TEXT("\"\\u004\""),
	TEXT("\"\\u004g\""),
	TEXT("\"\\uzzzz\""),
	TEXT("\"\\u 041\""),
	TEXT("\"\\u-041\""),
	TEXT("\"\\u+041\""),
	TEXT("\"\\uD800\""),
	TEXT("\"\\uDC00\""),
	TEXT("\"\\uD800\\uD800\""),
	TEXT("\"\\uDC00\\uD800\""),
	TEXT("\"\\uD800a\""),
	TEXT("\"\\uD800\\n\""),
	TEXT("\"\\uD800\\u0041\""),
	TEXT("\"\\uD800\\u\""),
	TEXT("\"\\uD800\\"),
	TEXT("\"\\uDFFF\""),
	TEXT("\"\\uDBFF\""),
	TEXT("\"\\uD83D\\uDE0\""),
	TEXT("\"a\" \"b\""),
	TEXT("\"a\"b"),
	TEXT("\"a\","),
	TEXT("\"\"x"),
	TEXT("["),
	TEXT("]"),
	TEXT("[1"),
	TEXT("[1,"),
	TEXT("[,"),
	TEXT("[,1]"),
	TEXT("[1,]"),
	TEXT("[1,,2]"),
	TEXT("[,]"),
	TEXT("[1 2]"),
	TEXT("[1;2]"),
	TEXT("[1:2]"),
	TEXT("[\"a\" \"b\"]"),
	TEXT("[\"a\":1]"),
	TEXT("[1]]"),
	TEXT("[[]"),
	TEXT("[[]]]"),
	TEXT("[1}"),
	TEXT("[}"),
	TEXT("[a]"),
	TEXT("[1,a]"),
	TEXT("[nul]"),
	TEXT("[nullnull]"),
	TEXT("[1]x"),
	TEXT("[1][2]"),
	TEXT("[1],"),
	TEXT("[\"\""),
	TEXT("[\""),
	TEXT("[+1]"),
	TEXT("[-]"),
	TEXT("[01]"),
	TEXT("[NaN]"),
	TEXT("[// c"),
	TEXT("[1//c"),
	TEXT("[/**/1]"),
	TEXT("[1,/**/2]"),
	TEXT("{"),
	TEXT("}"),
	TEXT("{\"a\""),
	TEXT("{\"a\":"),
	TEXT("{\"a\":1"),
	TEXT("{\"a\":1,"),
	TEXT("{\"a\":1,}"),
	TEXT("{,}"),
	TEXT("{,\"a\":1}"),
	TEXT("{\"a\"}"),
	TEXT("{\"a\",}"),
	TEXT("{\"a\":}"),
	TEXT("{\"a\":,}"),
	TEXT("{:1}"),
	TEXT("{a:1}"),
	TEXT("{'a':1}"),
	TEXT("{1:1}"),
	TEXT("{null:1}"),
	TEXT("{true:1}"),
	TEXT("{[]:1}"),
	TEXT("{\"a\" 1}"),
	TEXT("{\"a\"=1}"),
	TEXT("{\"a\"::1}"),
	TEXT("{\"a\":1 \"b\":2}"),
	TEXT("{\"a\":1;\"b\":2}"),
	TEXT("{\"a\":1,,\"b\":2}"),
	TEXT("{\"a\":1]"),
	TEXT("{\"a\":1}}"),
	TEXT("{\"a\":1}{\"b\":2}"),
	TEXT("{\"a\":1},"),
	TEXT("{\"a\":1}x"),
	TEXT("{\"a\":1}//"),
	TEXT("{\"a\":/**/1}"),
	TEXT("{\"a\":1,\"b\"}"),
	TEXT("{\"a\":1,\"b\":}"),
	TEXT("{\"a\":01}"),
	TEXT("{\"a\":\"b}"),
	TEXT("{\"a\":\"b\""),
	TEXT("{\"a\\\":1}"),
	TEXT("{\"\\uD800\":1}"),
	TEXT("{{}}"),
	TEXT("{[]}"),
	TEXT("{\"a\":{}"),
	TEXT("/**/1"),
	TEXT("1/**/"),
	TEXT("//1"),
	TEXT("#1"),
	TEXT("1#"),
	TEXT(","),
	TEXT(":"),
	TEXT(",1"),
	TEXT("1,"),
	TEXT("1 2"),
	TEXT("null null"),
	TEXT("* "),
	TEXT("<null>"),
	TEXT("{\"a\":b}"),
	TEXT("[True]"),
	TEXT(""),
	TEXT(" "),
	TEXT("\n"),
	TEXT("\0"),
	TEXT("1\0"),
	TEXT("\0001"),
	TEXT("[1]\0"),
	TEXT("\f1"),
	TEXT("\v1"),
	TEXT("1\f"),
	TEXT("\302\2401"),     // a no-break space
	TEXT("\342\200\2501"), // U+2028
	TEXT("\357\273\2771"), // a byte order mark
	TEXT("\"\n\""),
	TEXT("\"\t\""),
	TEXT("\"\r\""),
	TEXT("\"a\0b\""),
	TEXT("\"\001\""),
	TEXT("\"\037\""),
	TEXT("\"1234567\0\""),
	TEXT("\"\200\""),
	TEXT("\"\277\""),
	TEXT("\"\300\200\""), // overlong
	TEXT("\"\301\277\""),
	TEXT("\"\302\""),
	TEXT("\"\302a\""),
	TEXT("\"\302\302\""),
	TEXT("\"\340\237\277\""), // overlong
	TEXT("\"\340\240\""),
	TEXT("\"\341\200\""),
	TEXT("\"\341\200a\""),
	TEXT("\"\355\240\200\""), // a surrogate in UTF-8
	TEXT("\"\355\277\277\""),
	TEXT("\"\360\217\277\277\""), // overlong
	TEXT("\"\360\220\200\""),
	TEXT("\"\360\220\200a\""),
	TEXT("\"\364\220\200\200\""), // above U+10FFFF
	TEXT("\"\365\200\200\200\""),
	TEXT("\"\370\210\200\200\200\""),
	TEXT("\"\376\""),
	TEXT("\"\377\""),
	TEXT("\"a\303"),
	TEXT("\"a\360\220"),
	TEXT("[\"12345678\377\"]"),
	TEXT("{\"\377\":1}"),
	TEXT("\377"),
	TEXT("[1\377]"),
	TEXT("\"\\\n\""),
	TEXT("\"\\\303\251\""),
	TEXT("\"\\u00\303\251\""),

};

// A copy of exactly these bytes, so that the sanitizer sees every read behind the end.
static char *exact_copy(const char *bytes, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	return copy;
}

static void test_accepts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
		char *copy = exact_copy(accepted[i].bytes, accepted[i].len);
		struct err err;

		if (!json_validate(copy, accepted[i].len, &err))
			fail_msg("refused %s: %s", accepted[i].bytes, err.message);
		free(copy);
	}
}

static void test_rejects(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rejected / sizeof rejected[0]; i++) {
		char *copy = exact_copy(rejected[i].bytes, rejected[i].len);
		struct buf out = {0};
		struct err err;

		if (json_validate(copy, rejected[i].len, &err))
			fail_msg("accepted case %zu: %s", i, rejected[i].bytes);
		assert_int_equal(err.kind, ERR_JSON);
		assert_true(err.code[0] != '\0');
		assert_false(json_canonical(&out, copy, rejected[i].len, NULL, NULL));
		assert_int_equal(out.len, 0);
		buf_free(&out);
		free(copy);
	}
}

// Every prefix of a text is refused, and never read beyond.
static void test_rejects_prefixes(void **state)
{
	const char *text = "{\"a\\u00e9\\ud83d\\ude00é\":[1.5e-3,true,null,\"\\n\"],\"b\":{}}";
	struct err err;

	(void)state;
	for (size_t len = 0; len < strlen(text); len++) {
		char *copy = exact_copy(text, len);

		assert_false(json_validate(copy, len, &err));
		free(copy);
	}
	assert_true(json_validate(text, strlen(text), &err));
}

static void test_depth(void **state)
{
	char text[2 * JSON_DEPTH_MAX + 3];
	struct err err;

	(void)state;
	memset(text, '[', JSON_DEPTH_MAX);
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	assert_true(json_validate(text, 2 * JSON_DEPTH_MAX, &err));
	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	assert_false(json_validate(text, 2 * JSON_DEPTH_MAX + 2, &err));
	assert_string_equal(err.code, "depth");
}

static void check_error(const char *text, const char *code, const char *message)
{
	struct err err;

	assert_false(json_validate(text, strlen(text), &err));
	assert_string_equal(err.code, code);
	assert_string_equal(err.message, message);
}

static void test_positions(void **state)
{
	(void)state;
	check_error("", "truncated", "cannot read json (the text ends where a value should be at line 1, column 1)");
	check_error(
		"[1,\n  2,\n  x]", "syntax", "cannot read json (unexpected 'x' where a value should be at line 3, column 3)");
	check_error("{\"a\":1,}", "syntax",
		"cannot read json (unexpected '}' where a name in quotes should be at line 1, column 8)");
	check_error("[1 2]", "syntax", "cannot read json (unexpected '2' where ',' or ']' should be at line 1, column 4)");
	check_error("[1]\n\n]", "syntax",
		"cannot read json (unexpected ']' where the end of the text should be at line 3, column 1)");
	check_error("\"\n\"", "control", "cannot read json (a control character inside a string at line 1, column 2)");
	check_error("[\"\377\"]", "utf8", "cannot read json (invalid UTF-8 at line 1, column 3)");
	check_error("\"ab", "truncated", "cannot read json (the text ends inside a string at line 1, column 4)");
	check_error("\"\\ud800\"", "lone_surrogate",
		"cannot read json (a lone surrogate, which no UTF-8 text can hold, at line 1, column 2)");
	check_error("-x", "syntax", "cannot read json (unexpected 'x' where a digit should be at line 1, column 2)");
	check_error("1\001", "syntax",
		"cannot read json (unexpected byte 0x01 where the end of the text should be at line 1, column 2)");
}

static void test_tokens(void **state)
{
	const char *text = " {\"a\\n\":[1.10,\"x\"],\"b\":null} ";
	static const enum json_type expected[] = {JSON_OBJECT, JSON_KEY, JSON_ARRAY, JSON_NUMBER, JSON_STRING,
		JSON_ARRAY_END, JSON_KEY, JSON_NULL, JSON_OBJECT_END, JSON_END, JSON_END};
	static const char *const spelling[] = {"{", "a\\n", "[", "1.10", "x", "]", "b", "null", "}", "", ""};
	struct json_reader r;
	struct json_token token;
	struct err err;

	(void)state;
	json_reader_init(&r, text, strlen(text));
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
		assert_true(json_next(&r, &token, &err));
		assert_int_equal(token.type, expected[i]);
		assert_int_equal(token.len, strlen(spelling[i]));
		assert_memory_equal(token.text, spelling[i], token.len);
		assert_int_equal(token.escaped, i == 1);
	}
}

static void test_finish_gives_slices(void **state)
{
	const char *text = "[ {\"a\":[1,{}]} , \"x\\\"y\" , -1.0 ]";
	static const char *const slices[] = {"{\"a\":[1,{}]}", "\"x\\\"y\"", "-1.0"};
	struct json_reader r;
	struct json_token token;
	struct err err;
	const char *slice;
	size_t len;

	(void)state;
	json_reader_init(&r, text, strlen(text));
	assert_true(json_next(&r, &token, &err));
	for (size_t i = 0; i < 3; i++) {
		assert_true(json_next(&r, &token, &err));
		assert_true(json_finish(&r, &token, &slice, &len, &err));
		assert_int_equal(len, strlen(slices[i]));
		assert_memory_equal(slice, slices[i], len);
	}
	assert_true(json_next(&r, &token, &err));
	assert_int_equal(token.type, JSON_ARRAY_END);
}

static void check_unescape(const char *text, const char *meaning, size_t meaning_len)
{
	size_t len = strlen(text);
	char *copy = exact_copy(text, len), *out = malloc(len > 0 ? len : 1);

	assert_non_null(out);
	assert_int_equal(json_unescape(out, copy, len), meaning_len);
	assert_memory_equal(out, meaning, meaning_len);
	free(out);
	free(copy);
}

static void test_unescape(void **state)
{
	(void)state;
	check_unescape("", "", 0);
	check_unescape("plain", "plain", 5);
	check_unescape("\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 8);
	check_unescape("a\\u0000b", "a\0b", 3);
	check_unescape("\\u007f\\u0080\\u07ff\\u0800\\uffff", "\177\302\200\337\277\340\240\200\357\277\277", 11);
	check_unescape("\\ud800\\udc00\\udbff\\udfff", "\360\220\200\200\364\217\277\277", 8);
	check_unescape("\\\\u0041", "\\u0041", 6);
}

static void check_put(const char *text, size_t len, const char *expected)
{
	struct buf out = {0};
	struct err err;

	assert_true(json_put_string(&out, text, len, &err));
	assert_string_equal(out.data, expected);
	buf_free(&out);
}

static void test_put_string(void **state)
{
	struct buf out = {0};
	struct err err;

	(void)state;
	check_put(NULL, 0, "\"\"");
	check_put("a/b", 3, "\"a/b\"");
	check_put("\"\\\b\f\n\r\t", 7, "\"\\\"\\\\\\b\\f\\n\\r\\t\"");
	check_put("\0\001\037\177", 4, "\"\\u0000\\u0001\\u001f\177\"");
	check_put("Zoë 日本 😀", strlen("Zoë 日本 😀"), "\"Zoë 日本 😀\"");
	assert_true(buf_puts(&out, "kept"));
	assert_false(json_put_string(&out, "ab\355\240\200", 5, &err));
	assert_int_equal(err.kind, ERR_JSON);
	assert_string_equal(err.code, "utf8");
	assert_non_null(strstr(err.message, "byte 3"));
	assert_string_equal(out.data, "kept");
	buf_free(&out);
}

static void test_canonical_numbers(void **state)
{
	static const char *const vectors[][2] = {
		{"0", "0"},
		{"-0", "0"},
		{"0.0", "0"},
		{"-0.000e55", "0"},
		{"0e99999999999999999999999", "0"},
		{"1", "1"},
		{"-1", "-1"},
		{"42", "42"},
		{"10", "1e1"},
		{"1000", "1e3"},
		{"1e3", "1e3"},
		{"1E+3", "1e3"},
		{"1.10", "11e-1"},
		{"1.1", "11e-1"},
		{"11e-1", "11e-1"},
		{"110e-2", "11e-1"},
		{"0.0110e2", "11e-1"},
		{"-12e-3", "-12e-3"},
		{"-0.012", "-12e-3"},
		{"100.00", "1e2"},
		{"100.50", "1005e-1"},
		{"0.001", "1e-3"},
		{"1e0", "1"},
		{"1e-0", "1"},
		{"10e-1", "1"},
		{"1.0", "1"},
		{"1e00000000000000000000003", "1e3"},
		{"1234567890123456789012345678901234567890", "123456789012345678901234567890123456789e1"},
		{"99999999999999999999999999999.999999999", "99999999999999999999999999999999999999e-9"},
		{"1e999999999999", "1e999999999999"},
		{"10e999999999999", "1e1000000000000"},
		{"1e99999999999999999", "1e99999999999999999"},
		{"10e99999999999999999", "1e100000000000000000"},
		{"1e100000000000000000", "1e100000000000000000"},
		{"0.1e100000000000000000", "1e99999999999999999"},
		{"0.1e1000000000000000000", "1e999999999999999999"},
		{"100e999999999999999999", "1e1000000000000000001"},
		{"1e18446744073709551616", "1e18446744073709551616"},
		{"1.5e-100000000000000000000000000", "15e-100000000000000000000000001"},
		{"10e-100000000000000000000000000", "1e-99999999999999999999999999"},
		{"-123000e99999999999999999999999999", "-123e100000000000000000000000002"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		struct buf out = {0};
		char *copy = exact_copy(vectors[i][0], strlen(vectors[i][0]));

		assert_true(json_number_canonical(&out, copy, strlen(vectors[i][0])));
		assert_string_equal(out.data, vectors[i][1]);
		free(copy);
		buf_free(&out);
	}
}

static void test_canonical_texts(void **state)
{
	static const struct {
		const char *text, *canonical;
		bool duplicates;
	} vectors[] = {
		{" null ", "null", false},
		{"[ ]", "[]", false},
		{"{ }", "{}", false},
		{"{\"b\":1,\"a\":2}", "{\"a\":2,\"b\":1}", false},
		{"{\"a\":1,\"a\":2}", "{\"a\":2}", true},
		{"{\"a\":1,\"\\u0061\":2}", "{\"a\":2}", true},
		{"{\"b\":1,\"a\":1,\"b\":2,\"a\":3,\"c\":{\"z\":1,\"y\":[{\"d\":1,\"c\":2}]}}",
			"{\"a\":3,\"b\":2,\"c\":{\"y\":[{\"c\":2,\"d\":1}],\"z\":1}}", true},
		{"{\"\":1,\"\\u0000\":2}", "{\"\":1,\"\\u0000\":2}", false},
		{"{\"a\":1,\"B\":2,\"ab\":3,\"é\":4,\"~\":5}", "{\"B\":2,\"a\":1,\"ab\":3,\"~\":5,\"é\":4}", false},
		// by the bytes of the meaning, not of the spelling: a quote (22) comes before a hash (23)
		{"{\"#\":1,\"\\\"\":2}", "{\"\\\"\":2,\"#\":1}", false},
		{"{\"\\u00e9\":1,\"z\":2}", "{\"z\":2,\"é\":1}", false},
		{"[1.0, 1e2, -0, 100]", "[1,1e2,0,1e2]", false},
		{"\"\\u0041\\/\\u000a\\u001F\\ud83d\\ude00\"", "\"A/\\n\\u001f😀\"", false},
		{"{\"x\":{\"a\":1,\"a\":1}}", "{\"x\":{\"a\":1}}", true},
		{"[{\"b\":0},{\"a\":{\"d\":[],\"c\":\"\\t\"}}]", "[{\"b\":0},{\"a\":{\"c\":\"\\t\",\"d\":[]}}]", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		struct buf out = {0};
		struct err err;
		bool duplicates;
		size_t len;

		assert_true(buf_puts(&out, "kept"));
		assert_true(json_canonical(&out, vectors[i].text, strlen(vectors[i].text), &duplicates, &err));
		assert_string_equal(out.data + 4, vectors[i].canonical);
		assert_int_equal(duplicates, vectors[i].duplicates);
		len = out.len;
		assert_true(json_canonical(&out, vectors[i].canonical, strlen(vectors[i].canonical), &duplicates, &err));
		assert_string_equal(out.data + len, vectors[i].canonical);
		assert_false(duplicates);
		buf_free(&out);
	}
}

static void test_canonical_deep_and_unsorted(void **state)
{
	struct buf text = {0}, once = {0}, twice = {0};
	struct err err;

	(void)state;
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		assert_true(buf_puts(&text, "{\"b\":1,\"a\":"));
	assert_true(buf_puts(&text, "0"));
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		assert_true(buf_puts(&text, "}"));
	assert_true(json_canonical(&once, text.data, text.len, NULL, &err));
	assert_true(json_canonical(&twice, once.data, once.len, NULL, &err));
	assert_string_equal(once.data, twice.data);
	assert_int_equal(once.len, text.len);
	buf_free(&text);
	buf_free(&once);
	buf_free(&twice);
}

static void test_int64(void **state)
{
	int64_t value;

	(void)state;
	assert_true(json_number_int64("9223372036854775807", 19, &value) && value == INT64_MAX);
	assert_true(json_number_int64("-9223372036854775808", 20, &value) && value == INT64_MIN);
	assert_true(json_number_int64("0", 1, &value) && value == 0);
	assert_false(json_number_int64("-0", 2, &value));
	assert_false(json_number_int64("9223372036854775808", 19, &value));
	assert_false(json_number_int64("-9223372036854775809", 20, &value));
	assert_false(json_number_int64("99999999999999999999999", 23, &value));
	assert_false(json_number_int64("1.0", 3, &value));
	assert_false(json_number_int64("1e1", 3, &value));
	assert_true(json_number_integral("1e18", 4, &value) && value == INT64_C(1000000000000000000));
	assert_true(json_number_integral("-0", 2, &value) && value == 0);
	assert_true(json_number_integral("5.0", 3, &value) && value == 5);
	assert_true(json_number_integral("-9223372036854775.808e3", 23, &value) && value == INT64_MIN);
	assert_false(json_number_integral("9223372036854775808e0", 21, &value));
	assert_false(json_number_integral("1e19", 4, &value));
	assert_false(json_number_integral("1.5", 3, &value));
	assert_false(json_number_integral("1e999999999999999999999", 23, &value));
}

static const struct {
	const char *number, *js;
	bool exact;
} js_numbers[] = {
	{"0", "0", true},
	{"-0", "0", true},
	{"-0.0e5", "0", true},
	{"1.0", "1", true},
	{"1.10", "1.1", true},
	{"0.1", "0.1", true},
	{"1e3", "1000", true},
	{"123456789012345", "123456789012345", true},
	{"9007199254740991", "9007199254740991", true},
	{"9007199254740992", "9007199254740992", true},
	{"9007199254740993", "9007199254740992", false},
	{"9223372036854775807", "9223372036854776000", false},
	{"9223372036854776000", "9223372036854776000", true},
	{"12345678901234567890", "12345678901234567000", false},
	{"100000000000000000000", "100000000000000000000", true},
	{"1e21", "1e+21", true},
	{"1e20", "100000000000000000000", true},
	{"123456789012345680000000", "1.2345678901234569e+23", false}, // two such texts read as this double
	{"123456789012345690000000", "1.2345678901234569e+23", true},
	{"0.000001", "0.000001", true},
	{"0.0000001", "1e-7", true},
	{"-1.5e-7", "-1.5e-7", true},
	{"0.30000000000000004", "0.30000000000000004", true},
	{"0.1000000000000000055511151231257827", "0.1", false},
	{"3.141592653589793238", "3.141592653589793", false},
	{"1e400", "null", false},
	{"-1e400", "null", false},
	{"1e-400", "0", false},
	{"-1e-400", "0", false},
	{"1e999999999999999999999999", "null", false},
	{"1e-999999999999999999999999", "0", false},
	{"5e-324", "5e-324", true},
	{"4.9406564584124654e-324", "5e-324", false},
	{"1.7976931348623157e308", "1.7976931348623157e+308", true},
	{"1.7976931348623159e308", "null", false},
	{"2.2250738585072014e-308", "2.2250738585072014e-308", true},
	{"5.684341886080802e-14", "5.684341886080802e-14", true}, // 2^-44, where rounding to 16 digits misses
	{"9.5367431640625e-7", "9.5367431640625e-7", true},
	{"123.456", "123.456", true},
	{"1234.50", "1234.5", true},
	{"99999999999999999999999999999.999999999", "1e+29", false},
};

static void check_js_numbers(void)
{
	for (size_t i = 0; i < sizeof js_numbers / sizeof js_numbers[0]; i++) {
		char spelling[JSON_DOUBLE_SIZE];
		char *copy = exact_copy(js_numbers[i].number, strlen(js_numbers[i].number));
		bool exact = json_number_is_js_exact(copy, strlen(js_numbers[i].number), spelling);

		assert_string_equal(spelling, js_numbers[i].js);
		assert_int_equal(exact, js_numbers[i].exact);
		free(copy);
	}
}

static void test_js_numbers(void **state)
{
	(void)state;
	check_js_numbers();
}

static void test_js_numbers_in_another_locale(void **state)
{
	(void)state;
	if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL && setlocale(LC_ALL, "fr_FR.UTF-8") == NULL) {
		print_message("no locale with a decimal comma is installed: skipped\n");
		skip();
	}
	check_js_numbers();
	setlocale(LC_ALL, "C");
}

// Digits beyond what the buffer for strtod holds still decide which double is nearest.
static void test_double_with_many_digits(void **state)
{
	struct buf text = {0};
	double value;

	(void)state;
	assert_true(buf_puts(&text, "9007199254740993."));
	for (int i = 0; i < 3000; i++)
		assert_true(buf_putc(&text, '0'));
	assert_false(json_number_double(text.data, text.len, &value));
	assert_true(value == 9007199254740992.0);
	assert_true(buf_putc(&text, '1'));
	assert_false(json_number_double(text.data, text.len, &value));
	assert_true(value == 9007199254740994.0);
	buf_free(&text);
}

static void test_double_text_reads_back(void **state)
{
	uint64_t bits = UINT64_C(88172645463325252);
	char text[JSON_DOUBLE_SIZE];

	(void)state;
	for (int i = 0; i < 200000; i++) {
		double value, back;
		size_t len;

		bits ^= bits << 13;
		bits ^= bits >> 7;
		bits ^= bits << 17;
		memcpy(&value, &bits, sizeof value);
		if (!isfinite(value))
			continue;
		len = json_double_text(value, text);
		assert_true(len < sizeof text && strlen(text) == len);
		assert_true(json_number_valid(text, len));
		assert_true(json_number_double(text, len, &back));
		assert_memory_equal(&back, &value, sizeof value);
	}
	for (int power = -1074; power < 1024; power++) {
		double value = ldexp(1.0, power), back;

		assert_true(json_number_double(text, json_double_text(value, text), &back));
		assert_true(back == value);
	}
	assert_int_equal(json_double_text(-0.0, text), 2);
	assert_string_equal(text, "-0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts),
		cmocka_unit_test(test_rejects),
		cmocka_unit_test(test_rejects_prefixes),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_positions),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_finish_gives_slices),
		cmocka_unit_test(test_unescape),
		cmocka_unit_test(test_put_string),
		cmocka_unit_test(test_canonical_numbers),
		cmocka_unit_test(test_canonical_texts),
		cmocka_unit_test(test_canonical_deep_and_unsorted),
		cmocka_unit_test(test_int64),
		cmocka_unit_test(test_js_numbers),
		cmocka_unit_test(test_js_numbers_in_another_locale),
		cmocka_unit_test(test_double_with_many_digits),
		cmocka_unit_test(test_double_text_reads_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
