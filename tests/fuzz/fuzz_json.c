// Fuzz entry of the JSON reader: whatever is accepted has one canonical form, and every number in it a stable one.
// clang -g -O1 -fsanitize=fuzzer,address,undefined -std=c11 -D_XOPEN_SOURCE=700 -Isrc \
//   tests/fuzz/fuzz_json.c src/io/json*.c src/base/buf.c src/base/err.c -lm -o fuzz_json && ./fuzz_json -max_len=4096
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_number(const struct json_token *token)
{
	char spelling[JSON_DOUBLE_SIZE], again[JSON_DOUBLE_SIZE];
	struct buf a = {0}, b = {0};
	bool exact = json_number_is_js_exact(token->text, token->len, spelling);

	check(json_number_valid(token->text, token->len));
	check(json_number_canonical(&a, token->text, token->len));
	if (strcmp(spelling, "null") != 0) {
		check(json_number_is_js_exact(spelling, strlen(spelling), again) && strcmp(spelling, again) == 0);
		check(json_number_canonical(&b, spelling, strlen(spelling)));
		check(exact == (strcmp(a.data, b.data) == 0));
	}
	buf_free(&a);
	buf_free(&b);
}

static void check_string(const struct json_token *token)
{
	struct buf out = {0};
	char *meaning = malloc(token->len + 1);
	size_t len;

	check(meaning != NULL);
	len = json_unescape(meaning, token->text, token->len);
	check(len <= token->len && json_put_string(&out, meaning, len, NULL) && json_validate(out.data, out.len, NULL));
	free(meaning);
	buf_free(&out);
}

static bool check_tokens(const char *text, size_t size)
{
	struct json_reader r;
	struct json_token token;

	json_reader_init(&r, text, size);
	do {
		struct err err;

		if (!json_next(&r, &token, &err)) {
			check(err.kind == ERR_JSON && err.code[0] != '\0');
			return false;
		}
		if (token.type == JSON_NUMBER)
			check_number(&token);
		if (token.type == JSON_STRING || token.type == JSON_KEY)
			check_string(&token);
	} while (token.type != JSON_END);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf once = {0}, twice = {0};
	bool duplicates, valid = check_tokens((const char *)data, size);

	check(json_canonical(&once, (const char *)data, size, &duplicates, NULL) == valid);
	if (valid) {
		check(json_canonical(&twice, once.data, once.len, &duplicates, NULL) && !duplicates);
		check(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
	} else {
		check(once.len == 0);
	}
	buf_free(&once);
	buf_free(&twice);
	return 0;
}
