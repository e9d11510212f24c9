// Plans: every step's fates, casts, the name rule as a property, what is refused, who keeps whose bytes alive.
#include "pages.h"

#include <stdio.h>
#include <stdlib.h>

#include "data/canon.h"
#include "data/plan.h"

// One column "x" of a type through one step.
struct outcome {
	enum col_type type;
	const char *step; // "name arg arg", the arguments without spaces
	const char *in;   // NULL for NULL
	const char *out;
	enum fate fate;
	const char *note; // a part of it
};

static void split_words(char *text, struct plan_arg *words, size_t *n)
{
	*n = 0;
	for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
		words[(*n)++] = (struct plan_arg){word, strlen(word)};
}

static bool add_step(struct plan *plan, const char *step, struct err *err)
{
	struct plan_arg words[8];
	char text[128];
	size_t n;

	snprintf(text, sizeof text, "%s", step);
	split_words(text, words, &n);
	return plan_add_step(plan, words[0].text, words + 1, n - 1, err);
}

static void assert_note(const struct cell *cell, const char *part)
{
	struct buf note = {0};

	assert_true(plan_put_note(&note, cell));
	if (strstr(note.data != NULL ? note.data : "", part) == NULL)
		fail_msg("note '%s' without '%s'", note.data, part);
	buf_free(&note);
}

// A step that is said to keep the canonical form does so, or marks the cell.
static void assert_keeps(const struct plan *plan, const struct cell *in, const struct cell *out, enum col_type type)
{
	struct canon canon = {.a = {0}};
	bool equal;

	if (plan_keeps(plan, 0) != 0 || out->fate >= FATE_LOST)
		return;
	assert_true(canon_equal(&canon, type, in, out, &equal, NULL));
	assert_true(equal);
	canon_free(&canon);
}

static void check(const struct outcome *want)
{
	char spec[64];
	struct rows *page, *out;
	struct plan *plan;
	struct err err;

	snprintf(spec, sizeof spec, "x:%s", col_type_name(want->type));
	page = make_page(spec, &want->in);
	plan = plan_new(page->schema, &err);
	assert_true(plan_add_column(plan, "y", want->type, "x", &err));
	if (!add_step(plan, want->step, &err) || !plan_seal(plan, &err))
		fail_msg("%s", err.message);
	out = plan_apply(plan, page, &err);
	assert_non_null(out);
	assert_keeps(plan, rows_at(page, 0), rows_at(out, 0), want->type);
	rows_unref(page);
	if (rows_at(out, 0)->fate != want->fate)
		fail_msg("%s of '%s' is %s", want->step, want->in, plan_fate_name((enum fate)rows_at(out, 0)->fate));
	assert_cell(rows_at(out, 0), want->out);
	assert_note(rows_at(out, 0), want->note != NULL ? want->note : "");
	assert_int_equal(plan_count(plan, 0, want->fate), 1);
	plan_free(plan);
	rows_unref(out);
}

static void check_all(const struct outcome *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check(&list[i]);
}
#define CHECK_ALL(list) check_all(list, sizeof list / sizeof list[0])

static void text_steps(void **state)
{
	const struct outcome list[] = {
		{COL_TEXT, "null_to_empty", NULL, "", FATE_FOLDED, "null became empty"},
		{COL_TEXT, "null_to_empty", "a", "a", FATE_EXACT, NULL},
		{COL_TEXT, "null_to_empty", "", "", FATE_EXACT, NULL},
		{COL_TEXT, "empty_to_null", "", NULL, FATE_FOLDED, "empty text became null"},
		{COL_TEXT, "empty_to_null", " ", " ", FATE_EXACT, NULL},
		{COL_TEXT, "empty_to_null", NULL, NULL, FATE_EXACT, NULL},
		{COL_TEXT, "lower", "ada@x.org", "ada@x.org", FATE_EXACT, NULL},
		{COL_TEXT, "lower", "Ada@X.org", "ada@x.org", FATE_FOLDED, "lower case"},
		{COL_TEXT, "lower", "\xC3\x89", "\xC3\xA9", FATE_FOLDED, "lower case"},
		{COL_TEXT, "lower", "\xC3\xA9", "\xC3\xA9", FATE_EXACT, NULL},
		{COL_TEXT, "lower", "\xFF", "\xFF", FATE_EXACT, NULL},
		{COL_TEXT, "lower", NULL, NULL, FATE_EXACT, NULL},
		{COL_TEXT, "const fixed", NULL, "fixed", FATE_EXACT, NULL},
		{COL_BOOL, "const true", "false", "true", FATE_EXACT, NULL},
		{COL_TEXT, "concat x x", "ab", "abab", FATE_EXACT, NULL},
		{COL_TEXT, "concat x x", "", "", FATE_EXACT, NULL},
		{COL_TEXT, "concat x x", NULL, NULL, FATE_EXACT, NULL},
		{COL_TEXT, "select A B", "B", "B", FATE_EXACT, NULL},
		{COL_TEXT, "select A B", NULL, NULL, FATE_EXACT, NULL},
		{COL_TEXT, "select A B", "b", "b", FATE_REJECTED, "unknown option 'b'"},
		{COL_TEXT, "select A B", "", "", FATE_REJECTED, "unknown option ''"},
	};

	(void)state;
	CHECK_ALL(list);
}

static void time_steps(void **state)
{
	const struct outcome list[] = {
		{COL_TIMESTAMP, "truncate_time ms", "1767323045123000", "1767323045123000", FATE_EXACT, NULL},
		{COL_TIMESTAMP, "truncate_time ms", "1767323045123456", "1767323045123000", FATE_FOLDED, "truncated"},
		{COL_TIMESTAMP, "truncate_time s", "1767323045123456", "1767323045000000", FATE_FOLDED, "truncated"},
		{COL_TIMESTAMP, "truncate_time ms", "-1", "-1000", FATE_FOLDED, "truncated"}, // towards the past
		{COL_TIMESTAMP, "truncate_time ms", "-9223372036854775808", "-9223372036854775808", FATE_EXACT, NULL},
		{COL_TIMESTAMP, "truncate_time ms", "infinity", "infinity", FATE_EXACT, NULL},
		{COL_TIMESTAMP, "truncate_time ms", NULL, NULL, FATE_EXACT, NULL},
		{COL_TIME, "truncate_time ms", "10:00:00.123456", "10:00:00.123000", FATE_FOLDED, "truncated"},
		{COL_TIME, "truncate_time s", "10:00:00.123456", "10:00:00", FATE_FOLDED, "truncated"},
		{COL_TIME, "truncate_time s", "10:00:00", "10:00:00", FATE_EXACT, NULL},
		{COL_DATETIME, "truncate_time s", "2024-02-29T10:00:00.5", "2024-02-29T10:00:00", FATE_FOLDED, "truncated"},
		{COL_DATETIME, "truncate_time s", "garbage", "garbage", FATE_EXACT, NULL},
	};

	(void)state;
	CHECK_ALL(list);
}

static void json_steps(void **state)
{
	const struct outcome list[] = {
		{COL_JSON, "json_empty_object_to_null", "{}", NULL, FATE_FOLDED, "{} became null"},
		{COL_JSON, "json_empty_object_to_null", " { \n} ", NULL, FATE_FOLDED, "{} became null"},
		{COL_JSON, "json_empty_object_to_null", "{\"a\":{}}", "{\"a\":{}}", FATE_EXACT, NULL},
		{COL_JSON, "json_empty_object_to_null", "[]", "[]", FATE_EXACT, NULL},
		{COL_JSON, "json_empty_object_to_null", "{", "{", FATE_EXACT, NULL},
		{COL_JSON, "json_empty_object_to_null", "", "", FATE_EXACT, NULL},
		{COL_JSON, "json_empty_list_to_null", "[]", NULL, FATE_FOLDED, "[] became null"},
		{COL_JSON, "json_empty_list_to_null", " [ \n] ", NULL, FATE_FOLDED, "[] became null"},
		{COL_JSON, "json_empty_list_to_null", "[[]]", "[[]]", FATE_EXACT, NULL},
		{COL_JSON, "json_empty_list_to_null", "{}", "{}", FATE_EXACT, NULL},
		{COL_JSON, "json_empty_list_to_null", "[", "[", FATE_EXACT, NULL},
		{COL_JSON, "json_empty_list_to_null", "", "", FATE_EXACT, NULL},
		{COL_JSON, "json_shape", "{\"a\":1}", "{\"a\":1}", FATE_EXACT, NULL},
		{COL_JSON, "json_shape", " [1]", " [1]", FATE_EXACT, NULL},
		{COL_JSON, "json_shape", "\"text\"", "\"text\"", FATE_REJECTED, "neither object nor array"},
		{COL_JSON, "json_shape", "42", "42", FATE_REJECTED, "neither object nor array '42'"},
		{COL_JSON, "json_js_numbers", "{\"a\":1.10,\"b\":-0,\"c\":1e3}", "{\"a\":1.10,\"b\":-0,\"c\":1e3}", FATE_EXACT,
			NULL},
		{COL_JSON, "json_js_numbers", "9007199254740992", "9007199254740992", FATE_EXACT, NULL},
		{COL_JSON, "json_js_numbers", "{\"id\":9007199254740993, \"b\":[12345678901234567890]}",
			"{\"id\":9007199254740992, \"b\":[12345678901234567000]}", FATE_LOST, "JavaScript"},
		{COL_JSON, "json_js_numbers", "{\"9007199254740993\":\"9007199254740993 \\\" 9007199254740993\"}",
			"{\"9007199254740993\":\"9007199254740993 \\\" 9007199254740993\"}", FATE_EXACT, NULL},
		{COL_JSON, "json_js_numbers", "[1e400]", "[null]", FATE_LOST, "JavaScript"},
		{COL_JSON, "json_js_numbers", "[0.1000000000000000055511151231257827]", "[0.1]", FATE_LOST, "JavaScript"},
		{COL_JSON, "json_js_numbers", "[\"unended 99999999999999999", "[\"unended 99999999999999999", FATE_EXACT, NULL},
		{COL_JSON, "json_js_numbers", "[99999999999999999-1", "[99999999999999999-1", FATE_EXACT, NULL},
		{COL_JSON, "json_canonical", "{\"b\":1.0, \"a\":2}", "{\"a\":2,\"b\":1}", FATE_EXACT, NULL},
		{COL_JSON, "json_canonical", "{\"a\":1,\"a\":2}", "{\"a\":2}", FATE_LOST, "repeated key"},
		{COL_JSON, "json_canonical", "{bad", "{bad", FATE_REJECTED, "not valid JSON '{bad'"},
	};

	(void)state;
	CHECK_ALL(list);
}

static void character_steps(void **state)
{
	const struct outcome list[] = {
		{COL_TEXT, "no_nul", "plain \\u0000", "plain \\u0000", FATE_EXACT, NULL},
		{COL_JSON, "no_nul", "{\"a\":\"x\\u0000y\\u0041\"}", "{\"a\":\"xy\\u0041\"}", FATE_LOST, "NUL"},
		{COL_JSON, "no_nul", "[\"\\\\u0000\"]", "[\"\\\\u0000\"]", FATE_EXACT, NULL},
		{COL_JSON, "no_nul", "[\"\\\\\\u0000\"]", "[\"\\\\\"]", FATE_LOST, "NUL"},
		{COL_JSON, "no_nul", "[\"\\u00", "[\"\\u00", FATE_EXACT, NULL},
		{COL_JSON, "no_nul", "[\"\\", "[\"\\", FATE_EXACT, NULL},
		{COL_TEXT, "utf8", "\xC3\xA9", "\xC3\xA9", FATE_EXACT, NULL},
		{COL_TEXT, "utf8", "a\xFF", "a\xEF\xBF\xBD", FATE_LOST, "UTF-8"},
		{COL_TEXT, "utf8", "\\ud800", "\\ud800", FATE_EXACT, NULL},
		{COL_JSON, "utf8", "[\"\\ud83d\\ude00\"]", "[\"\\ud83d\\ude00\"]", FATE_EXACT, NULL},
		{COL_JSON, "utf8", "[\"\\ud83dx\\uDE00\"]", "[\"\\ufffdx\\ufffd\"]", FATE_LOST, "surrogate"},
		{COL_JSON, "utf8", "[\"\\\\ud800\"]", "[\"\\\\ud800\"]", FATE_EXACT, NULL},
	};

	(void)state;
	CHECK_ALL(list);
}

static void raw_nul_in_text(void **state)
{
	struct rows *page = make_page("x:text", (const char *[]){NULL}), *out;
	struct plan *plan;
	struct err err;

	(void)state;
	assert_true(rows_set(page, rows_at(page, 0), "a\0b\0", 4, &err));
	plan = plan_new(page->schema, &err);
	assert_true(plan_add_column(plan, "y", COL_TEXT, "x", &err) && add_step(plan, "no_nul", &err));
	assert_true(plan_seal(plan, &err));
	out = plan_apply(plan, page, &err);
	assert_cell(rows_at(out, 0), "ab");
	assert_int_equal(rows_at(out, 0)->fate, FATE_LOST);
	plan_free(plan);
	rows_unref(page);
	rows_unref(out);
}

static void phone_steps(void **state)
{
	const struct outcome list[] = {
		{COL_TEXT, "phone_e164", "+12022243441", "+12022243441", FATE_EXACT, NULL},
		{COL_TEXT, "phone_e164", "", "", FATE_EXACT, NULL},
		{COL_TEXT, "phone_e164", NULL, NULL, FATE_EXACT, NULL},
		{COL_TEXT, "phone_e164", "+1 (202) 224-3441", "+12022243441", FATE_FOLDED, "respelled"},
		{COL_TEXT, "phone_e164", "+33 6.12/34-56 78", "+33612345678", FATE_FOLDED, "respelled"},
		{COL_TEXT, "phone_e164",
			"\xE2\x80\xAA+1\xC2\xA0"
			"202\xE2\x80\x91"
			"2243441\xE2\x80\xAC",
			"+12022243441", FATE_FOLDED, "respelled"},
		{COL_TEXT, "phone_e164", "+44 (0)20 7946 0958", "+442079460958", FATE_FOLDED, "respelled"},
		{COL_TEXT, "phone_e164", "+39 (0)6 698", "+3906698", FATE_FOLDED, "respelled"},
		{COL_TEXT, "phone_e164", "+378 (0)549 886377", "+3780549886377", FATE_FOLDED, "respelled"},
		{COL_TEXT, "phone_e164", "tel:+1-202-224-3441", "+12022243441", FATE_FOLDED, "respelled"},
		{COL_TEXT, "phone_e164",
			"\xE2\x81\xA8+1\xE2\x80\x8B"
			"2022243441\xE2\x81\xA9",
			"+12022243441", FATE_FOLDED, "respelled"},
		{COL_TEXT, "phone_e164", "\xEF\xBB\xBF+12022243441\xE2\x80\x89", "+12022243441", FATE_FOLDED, "respelled"},
		{COL_TEXT, "phone_e164", "\xEF\xBC\x8B\xD9\xA1\xDB\xB2\xEF\xBC\x93", "+123", FATE_FOLDED, "respelled"},
		{COL_TEXT, "phone_e164", "'+12022243441'", "+12022243441", FATE_FOLDED, "respelled"},
		{COL_TEXT, "phone_e164", "Tel. +12022243441", "+12022243441", FATE_LOST, "words beside the phone removed"},
		{COL_TEXT, "phone_e164", "+12022243441 (home)", "+12022243441", FATE_LOST, "words beside the phone removed"},
		{COL_TEXT, "phone_e164", "202-224-3441", "2022243441", FATE_LOST, "phone without country code"},
		{COL_TEXT, "phone_e164", "0033612345678", "0033612345678", FATE_LOST, "phone without country code"},
		{COL_TEXT, "phone_e164", "+1 202 224 3441 ext. 12", "+12022243441", FATE_LOST, "extension"},
		{COL_TEXT, "phone_e164", "+12022243441x12", "+12022243441", FATE_LOST, "extension"},
		{COL_TEXT, "phone_e164", "+12022243441;ext=12", "+12022243441", FATE_LOST, "extension"},
		{COL_TEXT, "phone_e164", "+12022243441;isub=12", "+12022243441", FATE_LOST, "extension"},
		{COL_TEXT, "phone_e164", "+12022243441#12", "+12022243441", FATE_LOST, "extension"},
		{COL_TEXT, "phone_e164", "+12022243441,,12#", "+12022243441", FATE_LOST, "extension"},
		{COL_TEXT, "phone_e164", "+1 202 224 3441 - 12#", "+12022243441", FATE_LOST, "extension"},
		{COL_TEXT, "phone_e164", "+12022243441 EXTENSI\xC3\x93N 12", "+12022243441", FATE_LOST, "extension"},
		{COL_TEXT, "phone_e164", "+12022243441 \xD0\x94\xD0\x9E\xD0\x91. 12", "+12022243441", FATE_LOST, "extension"},
		{COL_TEXT, "phone_e164", "call me", "call me", FATE_REJECTED, "not a phone number 'call me'"},
		{COL_TEXT, "phone_e164", "call 5 times", "call 5 times", FATE_REJECTED, "not a phone number"},
		{COL_TEXT, "phone_e164", "+", "+", FATE_REJECTED, "not a phone number"},
		{COL_TEXT, "phone_e164", "-", "-", FATE_REJECTED, "not a phone number"},
		{COL_TEXT, "phone_e164", "+1+2", "+1+2", FATE_REJECTED, "not a phone number"},
		{COL_TEXT, "phone_e164", "++12", "++12", FATE_REJECTED, "not a phone number"},
		{COL_TEXT, "phone_e164", "x12", "x12", FATE_REJECTED, "not a phone number"},
		{COL_TEXT, "phone_e164", "\xFF", "\xFF", FATE_REJECTED, "not a phone number"},
		{COL_TEXT, "phone_e164", "+1\xEF\xB8\x8D-202", "+1\xEF\xB8\x8D-202", FATE_REJECTED, "not a phone number"},
		{COL_TEXT, "phone_e164",
			"+1202224\xE2\x80\x89"
			"3441",
			"+1202224\xE2\x80\x89"
			"3441",
			FATE_REJECTED, "not a phone"},
		{COL_TEXT, "phone_e164", "+12022243441 room 5", "+12022243441 room 5", FATE_REJECTED, "not a phone number"},
		{COL_TEXT, "phone_e164", "+12022243441 ext", "+12022243441", FATE_LOST, "words beside the phone removed"},
		{COL_TEXT, "phone_e164", "+12022243441#", "+12022243441#", FATE_REJECTED, "not a phone number"},
		{COL_TEXT, "phone_e164", "1.2022243441E+10", "1.2022243441E+10", FATE_REJECTED, "not a phone number"},
		{COL_TEXT, "phone_e164", "+1.2022243441e10", "+1.2022243441e10", FATE_REJECTED, "not a phone number"},
		{COL_TEXT, "phone_e164", "12,022,243,441", "12,022,243,441", FATE_REJECTED, "not a phone number"},
		{COL_TEXT, "phone_e164", "12022243441.0", "12022243441.0", FATE_REJECTED, "spreadsheet made a decimal number"},
		{COL_TEXT, "phone_e164", "'+12022243441.00", "'+12022243441.00", FATE_REJECTED, "spreadsheet made a decimal"},
	};

	(void)state;
	CHECK_ALL(list);
}

static void phone_plan_steps(void **state)
{
	const char *const codes = "phone_code +1 +44 +800", *const misread = "phone_misread +8612:05:99 +261:10:10";
	const struct outcome list[] = {
		{COL_TEXT, codes, "", "", FATE_EXACT, NULL},
		{COL_TEXT, codes, "+12022243441", "+12022243441", FATE_EXACT, NULL},
		{COL_TEXT, codes, "+4412", "+4412", FATE_EXACT, NULL},
		{COL_TEXT, codes,
			"+44123456789012345"
			"67",
			"+44123456789012345"
			"67",
			FATE_EXACT, NULL},
		{COL_TEXT, codes,
			"+44123456789012345"
			"678",
			"+44123456789012345"
			"678",
			FATE_REJECTED, "too short or too long"},
		{COL_TEXT, codes, "+1", "+1", FATE_REJECTED, "too short or too long for a phone '+1'"},
		{COL_TEXT, codes, "+441", "+441", FATE_REJECTED, "too short or too long"},
		{COL_TEXT, codes, "+33612345678", "+33612345678", FATE_REJECTED,
			"no country has the calling code of the phone"},
		{COL_TEXT, codes, "+", "+", FATE_REJECTED, "no country has the calling code"},
		{COL_TEXT, codes, "2022243441", "2022243441", FATE_REJECTED, "phone without country code '2022243441'"},
		{COL_TEXT, misread, "+8612", "+8612", FATE_EXACT, NULL},
		{COL_TEXT, misread, "+86123", "+86123", FATE_REJECTED, "would be read as another number '+86123'"},
		{COL_TEXT, misread, "+8613812345678", "+8613812345678", FATE_EXACT, NULL},
		{COL_TEXT, misread, "+261123456", "+261123456", FATE_EXACT, NULL},
		{COL_TEXT, misread, "+2611234567", "+2611234567", FATE_REJECTED, "another number"},
		{COL_TEXT, misread, "", "", FATE_EXACT, NULL},
	};

	(void)state;
	CHECK_ALL(list);
}

#define L64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void email_steps(void **state)
{
	const char *const good[] = {"ada@example.com", "user@localhost", "\xC3\xA9mile@m\xC3\xBCnchen.example", L64 "@x",
		"a@" L64 L64 L64, "", NULL};
	const char *const bad[] = {"bad", "@x", "a@", " a@x.org", "a@x.org ", "a b@x.org", "a@b@c", "\"a\"@x.org",
		L64 "a@x", "a@" L64 L64 L64 L64, "a\xC2\xA0@x.org", "5"};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		check(&(struct outcome){COL_TEXT, "email_shape", good[i], good[i], FATE_EXACT, NULL});
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		check(&(struct outcome){COL_TEXT, "email_shape", bad[i], bad[i], FATE_REJECTED, "not an e-mail address"});
}

// Columns of a name page: canonical, full, first, last; the plan's: first, last, joined back, and the default.
#define NAME_SPEC "name:text full:text first:text last:text"

static struct plan *name_plan(struct schema *schema)
{
	struct err err;
	struct plan *plan = plan_new(schema, &err);

	assert_true(plan_add_column(plan, "f", COL_TEXT, "name", &err) && add_step(plan, "split_first last", &err));
	assert_true(plan_add_column(plan, "l", COL_TEXT, "name", &err) && add_step(plan, "split_last last", &err));
	assert_true(plan_add_column(plan, "d", COL_TEXT, "name", &err));
	assert_true(add_step(plan, "default_name full first last", &err) && plan_seal(plan, &err));
	return plan;
}

static struct plan *join_plan(struct schema *schema)
{
	struct err err;
	struct plan *plan = plan_new(schema, &err);

	assert_true(plan_add_column(plan, "name", COL_TEXT, NULL, &err) && add_step(plan, "join_name f l", &err));
	assert_true(plan_seal(plan, &err));
	return plan;
}

// Split and join one name; returns the split page.
static struct rows *split(const char *name, size_t len, const char *last, size_t last_len)
{
	struct rows *page = make_page(NAME_SPEC, (const char *[]){NULL, NULL, NULL, NULL}), *parts, *joined;
	struct plan *plan, *join;
	struct err err;

	assert_true(rows_set(page, &rows_at(page, 0)[0], name, len, &err));
	assert_true(last == NULL || rows_set(page, &rows_at(page, 0)[3], last, last_len, &err));
	plan = name_plan(page->schema);
	parts = plan_apply(plan, page, &err);
	join = join_plan(parts->schema);
	joined = plan_apply(join, parts, &err);
	assert_int_equal(rows_at(joined, 0)->len, len);
	assert_memory_equal(rows_at(joined, 0)->ptr, name, len);
	assert_int_equal(rows_at(parts, 0)[0].fate, FATE_EXACT);
	rows_unref(page);
	rows_unref(joined);
	plan_free(plan);
	plan_free(join);
	return parts;
}

static void assert_split(const char *name, const char *last, const char *f, const char *l)
{
	struct rows *parts = split(name, strlen(name), last, last != NULL ? strlen(last) : 0);

	assert_cell(&rows_at(parts, 0)[0], f);
	assert_cell(&rows_at(parts, 0)[1], l);
	rows_unref(parts);
}

static void names_split_by_the_rule(void **state)
{
	(void)state;
	assert_split("Amy Klobuchar", "Klobuchar", "Amy", "Klobuchar");
	assert_split("Amy Klobuchar", NULL, "Amy", "Klobuchar");
	assert_split("Juan de la Cruz", "de la Cruz", "Juan", "de la Cruz");
	assert_split("Robert P. Casey, Jr.", "Casey", "Robert P.", "Casey, Jr.");
	assert_split("Robert Casey Jr.", "Casey", "Robert", "Casey Jr.");
	assert_split("Ann Lee Lee", "Lee", "Ann Lee", "Lee");
	assert_split("Ann Leeds", "Lee", "Ann", "Leeds");
	assert_split("Lee", "Lee", "Lee", "");
	assert_split(" Lee", "Lee", "", "Lee");
	assert_split("Cher", NULL, "Cher", "");
	assert_split("", NULL, "", "");
	assert_split("", "Lee", "", "");
	assert_split(" ", "", " ", "");
	assert_split("Ann ", "", "Ann ", "");
	assert_split("Ann B ", NULL, "Ann", "B ");
	assert_split("Ann  B", NULL, "Ann ", "B");
	assert_split(" Ann", NULL, " Ann", "");
}

static void join_of_split_is_the_name(void **state)
{
	const char alphabet[] = "  ab,.\xC3\xA9\0";
	uint64_t seed = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char text[24];
		size_t len, last, at;

		for (size_t i = 0; i < sizeof text; i++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
			text[i] = alphabet[(seed >> 40) % (sizeof alphabet - 1)];
		}
		len = (seed >> 33) % 12;
		last = (seed >> 50) % 5;
		at = len > last ? (seed >> 20) % (len - last + 1) : 12; // often a part of the name
		rows_unref(split(text, len, round % 4 ? text + at : NULL, last));
	}
}

static void assert_default(const char *const *in, const char *out, enum fate fate)
{
	struct rows *page = make_page(NAME_SPEC, in), *mapped;
	struct plan *plan = name_plan(page->schema);
	struct err err;

	mapped = plan_apply(plan, page, &err);
	assert_cell(&rows_at(mapped, 0)[2], out);
	assert_int_equal(rows_at(mapped, 0)[2].fate, fate);
	rows_unref(page);
	rows_unref(mapped);
	plan_free(plan);
}

static void missing_names_are_made(void **state)
{
	(void)state;
	assert_default((const char *[]){"A B", "x", "y", "z"}, "A B", FATE_EXACT);
	assert_default((const char *[]){"", "x", "y", "z"}, "", FATE_EXACT);
	assert_default((const char *[]){NULL, "Full Name", "y", "z"}, "Full Name", FATE_FOLDED);
	assert_default((const char *[]){NULL, NULL, "Ada", "Lovelace"}, "Ada Lovelace", FATE_FOLDED);
	assert_default((const char *[]){NULL, NULL, NULL, " Lovelace "}, "Lovelace", FATE_FOLDED);
	assert_default((const char *[]){NULL, NULL, "Ada", NULL}, "Ada", FATE_FOLDED);
	assert_default((const char *[]){NULL, NULL, NULL, NULL}, NULL, FATE_EXACT);
	assert_default((const char *[]){NULL, NULL, " ", ""}, NULL, FATE_EXACT);
}

static void assert_cast(enum col_type from, const char *in, enum col_type to, const char *out, enum fate fate)
{
	char spec[64];
	struct rows *page, *mapped;
	struct plan *plan;
	struct err err;

	snprintf(spec, sizeof spec, "x:%s", col_type_name(from));
	page = make_page(spec, &in);
	plan = plan_new(page->schema, &err);
	assert_true(plan_add_column(plan, "x", to, "x", &err) && plan_seal(plan, &err));
	mapped = plan_apply(plan, page, &err);
	assert_cell(rows_at(mapped, 0), out);
	assert_int_equal(rows_at(mapped, 0)->fate, fate);
	rows_unref(page);
	rows_unref(mapped);
	plan_free(plan);
}

static void casts(void **state)
{
	(void)state;
	assert_cast(COL_INT64, "12345678901234567", COL_TEXT, "12345678901234567", FATE_EXACT);
	assert_cast(COL_TIMESTAMP, "1767323045123456", COL_TEXT, "2026-01-02T03:04:05.123456Z", FATE_EXACT);
	assert_cast(COL_TIMESTAMP, "infinity", COL_TEXT, "infinity", FATE_EXACT);
	assert_cast(COL_TEXT, "2026-01-02T04:04:05.123456+01:00", COL_TIMESTAMP, "1767323045123456", FATE_EXACT);
	assert_cast(COL_TEXT, "yesterday", COL_TIMESTAMP, "yesterday", FATE_REJECTED);
	assert_cast(COL_TEXT, "2024-02-30", COL_DATE, "2024-02-30", FATE_REJECTED);
	assert_cast(COL_TEXT, "2024-02-29 10:00:00.5", COL_DATETIME, "2024-02-29T10:00:00.500000", FATE_EXACT);
	assert_cast(COL_TEXT, "42", COL_INT64, "42", FATE_EXACT);
	assert_cast(COL_TEXT, "4.2", COL_INT64, "4.2", FATE_REJECTED);
	assert_cast(COL_DECIMAL, "5.00", COL_INT64, "5", FATE_EXACT);
	assert_cast(COL_DECIMAL, "5.01", COL_INT64, "5.01", FATE_REJECTED);
	assert_cast(COL_INT64, "9007199254740993", COL_FLOAT64, "9007199254740992", FATE_LOST);
	assert_cast(COL_FLOAT64, "NaN", COL_DECIMAL, "NaN", FATE_REJECTED);
	assert_cast(COL_FLOAT64, "NaN", COL_JSON, "NaN", FATE_REJECTED);
	assert_cast(COL_TEXT, "true", COL_BOOL, "true", FATE_EXACT);
	assert_cast(COL_TEXT, "yes", COL_BOOL, "yes", FATE_REJECTED);
	assert_cast(COL_TEXT, "{\"a\":1}", COL_JSON, "{\"a\":1}", FATE_EXACT);
	assert_cast(COL_TEXT, "{a:1}", COL_JSON, "{a:1}", FATE_REJECTED);
	assert_cast(COL_BYTES, "\xFF", COL_TEXT, "\xFF", FATE_REJECTED);
	assert_cast(COL_TEXT, NULL, COL_DATE, NULL, FATE_EXACT);
}

static void the_worst_fate_of_a_chain_counts(void **state)
{
	struct rows *page = make_page("x:text", (const char *[]){"Caf\xC3\x89 \xFF"}), *out;
	struct plan *plan;
	struct err err;

	(void)state;
	plan = plan_new(page->schema, &err);
	assert_true(plan_add_column(plan, "y", COL_TEXT, "x", &err));
	assert_true(add_step(plan, "lower", &err) && add_step(plan, "utf8", &err) && add_step(plan, "lower", &err));
	assert_true(plan_add_column(plan, "z", COL_TEXT, "x", &err) && add_step(plan, "select A", &err));
	assert_true(add_step(plan, "lower", &err) && plan_seal(plan, &err));
	out = plan_apply(plan, page, &err);
	assert_cell(&rows_at(out, 0)[0], "caf\xC3\xA9 \xEF\xBF\xBD");
	assert_note(&rows_at(out, 0)[0], "UTF-8");
	assert_cell(&rows_at(out, 0)[1], "Caf\xC3\x89 \xFF"); // rejected: untouched from there on
	rows_unref(out);
	rows_unref(plan_apply(plan, page, &err));
	assert_int_equal(plan_count(plan, 0, FATE_LOST), 1); // of the last page, not of both
	assert_int_equal(plan_count(plan, 1, FATE_REJECTED), 1);
	assert_int_equal(plan_count(plan, 1, FATE_EXACT), 0);
	plan_free(plan);
	rows_unref(page);
}

static void moved_cells_are_not_copied(void **state)
{
	struct rows *page = make_page("x:text", (const char *[]){"kept"}), *out;
	const char *at = rows_at(page, 0)->ptr;
	struct plan *plan;
	struct err err;

	(void)state;
	plan = plan_new(page->schema, &err);
	assert_true(plan_add_column(plan, "y", COL_TEXT, "x", &err) && plan_seal(plan, &err));
	out = plan_apply(plan, page, &err);
	plan_free(plan);
	rows_unref(page);
	assert_ptr_equal(rows_at(out, 0)->ptr, at);
	assert_cell(rows_at(out, 0), "kept");
	rows_unref(out);
}

// One column "y" of `type` from `from` with one step; false with the message.
static bool compiles(enum col_type type, const char *from, const char *step, struct err *err)
{
	struct schema *schema = make_schema("x:text n:int64 d:date");
	struct plan *plan = plan_new(schema, err);
	bool ok = plan_add_column(plan, "y", type, from, err) && (step == NULL || add_step(plan, step, err)) &&
			  plan_seal(plan, err);

	plan_free(plan);
	schema_unref(schema);
	return ok;
}

static void mistakes_are_refused_when_compiled(void **state)
{
	struct err err;

	(void)state;
	assert_true(compiles(COL_TEXT, "x", "lower", &err));
	assert_false(compiles(COL_TEXT, "gone", NULL, &err));
	assert_int_equal(err.kind, ERR_MAPPING);
	assert_string_equal(err.code, "unknown_column");
	assert_false(compiles(COL_TEXT, "x", "shout", &err));
	assert_non_null(strstr(err.message, "unknown step 'shout'"));
	assert_false(compiles(COL_TEXT, "x", "split_first gone", &err));
	assert_non_null(strstr(err.message, "reads the column 'gone'"));
	assert_false(compiles(COL_TEXT, "x", "split_first", &err));
	assert_false(compiles(COL_TEXT, "x", "lower now", &err));
	assert_false(compiles(COL_INT64, "n", "lower", &err));
	assert_non_null(strstr(err.message, "cannot work on int64"));
	assert_false(compiles(COL_TIMESTAMP, "d", NULL, &err));
	assert_non_null(strstr(err.message, "cannot make timestamp from date"));
	assert_false(compiles(COL_TIME, NULL, "truncate_time us", &err));
	assert_false(compiles(COL_DATE, NULL, "const 2024-02-30", &err));
	assert_true(compiles(COL_DATE, NULL, "const 2024-02-29", &err));
}

static void other_pages_are_refused(void **state)
{
	struct rows *page = make_page("x:text", (const char *[]){"a"}), *other = make_page("x:json", (const char *[]){"1"});
	struct plan *plan;
	struct err err;

	(void)state;
	plan = plan_new(page->schema, &err);
	assert_false(plan_seal(plan, &err)); // no columns
	assert_true(plan_add_column(plan, "y", COL_TEXT, "x", &err) && plan_seal(plan, &err));
	assert_null(plan_apply(plan, other, &err));
	assert_int_equal(err.kind, ERR_MAPPING);
	plan_free(plan);
	plan_free(NULL);
	rows_unref(page);
	rows_unref(other);
}

static void long_values_are_cut_in_notes(void **state)
{
	char text[200];
	struct cell cell = {.ptr = text, .fate = FATE_REJECTED, .note = NOTE_EMAIL_MALFORMED};
	struct buf note = {0};

	(void)state;
	for (size_t i = 0; i < sizeof text; i += 2)
		memcpy(text + i, "\xC3\xA9", 2);
	cell.len = sizeof text;
	assert_true(plan_put_note(&note, &cell));
	assert_non_null(strstr(note.data, "\xC3\xA9...'"));
	assert_true(note.len < 130);
	buf_free(&note);
}

// Values of random bytes, each in an allocation of its very size, so that AddressSanitizer sees any step reading past
// its end (an arena would hide it).
static void steps_stay_within_their_cell(void **state)
{
	static const struct {
		enum col_type type;
		const char *step;
	} list[] = {{COL_TEXT, "lower"}, {COL_TEXT, "phone_e164"}, {COL_TEXT, "email_shape"}, {COL_TEXT, "utf8"},
		{COL_TEXT, "no_nul"}, {COL_TEXT, "split_first x"}, {COL_TEXT, "split_last x"}, {COL_TEXT, "select A"},
		{COL_JSON, "json_empty_object_to_null"}, {COL_JSON, "json_js_numbers"}, {COL_JSON, "json_shape"},
		{COL_JSON, "json_canonical"}, {COL_JSON, "utf8"}, {COL_JSON, "no_nul"}, {COL_TIMESTAMP, "truncate_time ms"},
		{COL_TIME, "truncate_time ms"}, {COL_DATETIME, "truncate_time s"}, {COL_JSON, "json_empty_list_to_null"}};
	const char alphabet[] = "{}[]\"\\ud80eE0123456789+-.:,;xX#() @AZ\xC3\xA9\xE2\x80\xF0\x9F\xFF";
	uint64_t seed = 3;

	(void)state;
	for (int round = 0; round < 60000; round++) {
		size_t k = (size_t)round % (sizeof list / sizeof list[0]), len;
		char spec[32], *bytes;
		struct rows *page, *out;
		struct plan *plan;
		struct err err;

		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
		len = (seed >> 40) % 20;
		bytes = malloc(len > 0 ? len : 1);
		for (size_t i = 0; i < len; i++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
			bytes[i] = alphabet[(seed >> 40) % sizeof alphabet];
		}
		snprintf(spec, sizeof spec, "x:%s", col_type_name(list[k].type));
		page = make_page(spec, (const char *[]){NULL});
		*rows_at(page, 0) = (struct cell){.ptr = bytes, .len = (uint32_t)len};
		plan = plan_new(page->schema, &err);
		assert_true(plan_add_column(plan, "x", list[k].type, "x", &err) && add_step(plan, list[k].step, &err));
		assert_true(plan_add_column(plan, "y", COL_TEXT, "x", &err) && plan_seal(plan, &err));
		out = plan_apply(plan, page, &err);
		assert_non_null(out);
		plan_free(plan);
		rows_unref(out);
		rows_unref(page);
		free(bytes);
	}
}

// Which columns keep their source's canonical form, whatever the values are.
static void columns_that_keep_the_form(void **state)
{
	struct schema *schema = make_schema("a:json b:text");
	struct plan *plan = plan_new(schema, NULL);
	static const struct plan_arg none[1];

	(void)state;
	assert_true(plan_add_column(plan, "plain", COL_TEXT, "b", NULL));
	assert_true(plan_add_column(plan, "form", COL_JSON, "a", NULL));
	assert_true(plan_add_step(plan, "json_unique_keys", none, 0, NULL));
	assert_true(plan_add_step(plan, "json_canonical", none, 0, NULL));
	assert_true(plan_add_column(plan, "fold", COL_JSON, "a", NULL));
	assert_true(plan_add_step(plan, "json_canonical", none, 0, NULL));
	assert_true(plan_add_step(plan, "json_empty_object_to_null", none, 0, NULL));
	assert_true(plan_add_column(plan, "cast", COL_TEXT, "a", NULL));
	assert_true(plan_add_column(plan, "made", COL_TEXT, NULL, NULL));
	assert_true(plan_seal(plan, NULL));
	assert_int_equal(plan_keeps(plan, 0), 1);
	assert_int_equal(plan_keeps(plan, 1), 0);
	assert_int_equal(plan_keeps(plan, 2), -1);
	assert_int_equal(plan_keeps(plan, 3), -1);
	assert_int_equal(plan_keeps(plan, 4), -1);
	plan_free(plan);
	schema_unref(schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_that_keep_the_form),
		cmocka_unit_test(text_steps),
		cmocka_unit_test(time_steps),
		cmocka_unit_test(json_steps),
		cmocka_unit_test(character_steps),
		cmocka_unit_test(raw_nul_in_text),
		cmocka_unit_test(phone_steps),
		cmocka_unit_test(phone_plan_steps),
		cmocka_unit_test(email_steps),
		cmocka_unit_test(names_split_by_the_rule),
		cmocka_unit_test(join_of_split_is_the_name),
		cmocka_unit_test(missing_names_are_made),
		cmocka_unit_test(casts),
		cmocka_unit_test(the_worst_fate_of_a_chain_counts),
		cmocka_unit_test(moved_cells_are_not_copied),
		cmocka_unit_test(mistakes_are_refused_when_compiled),
		cmocka_unit_test(other_pages_are_refused),
		cmocka_unit_test(long_values_are_cut_in_notes),
		cmocka_unit_test(steps_stay_within_their_cell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
