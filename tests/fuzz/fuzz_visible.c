// Fuzz entry of text made visible: whatever the bytes are, what is shown is UTF-8 without a character that steers or
// hides, its own when shown again, within its bounds; a cell of CSV is one cell and no formula; JSON stays the same
// value.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/visible.h"
#include "io/json.h"
#include "io/unicode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_harmless(const struct buf *shown, bool lines)
{
	check(unicode_valid(shown->data, shown->len));
	for (size_t i = 0; i < shown->len;) {
		uint32_t code;

		i += unicode_decode(shown->data + i, shown->len - i, &code);
		check(code >= 0x20 || (lines && (code == '\n' || code == '\t')));
		check(code < 0x7f || code > 0xa0);
		check((code < 0x200b || code > 0x200f) && (code < 0x2028 || code > 0x202e) && code != 0xfeff);
	}
}

static void check_text(const char *text, size_t len)
{
	struct buf once = {0}, twice = {0};

	check(visible_text(&once, text, len) && visible_text(&twice, once.data, once.len));
	check_harmless(&once, false);
	check(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
	buf_clear(&once);
	check(visible_lines(&once, text, len));
	check_harmless(&once, true);
	buf_free(&once);
	buf_free(&twice);
}

static void check_excerpt(const char *text, size_t len)
{
	enum { MOST = 100 };
	struct buf once = {0}, twice = {0};
	char copy[MOST];

	check(visible_excerpt(&once, text, len, MOST, false) && once.len <= MOST);
	check_harmless(&once, false);
	check(visible_excerpt(&twice, once.data, once.len, MOST, false));
	check(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
	visible_copy(copy, sizeof copy, once.data, false);
	check(unicode_valid(copy, strlen(copy)));
	buf_free(&once);
	buf_free(&twice);
}

static void check_csv(const char *text, size_t len)
{
	struct buf cell = {0};

	check(visible_csv(&cell, text, len));
	check_harmless(&cell, false);
	check(cell.len >= 2 && cell.data[0] == '"' && cell.data[cell.len - 1] == '"');
	check(strchr("=+-@", cell.data[1]) == NULL);
	for (size_t i = 1; i + 1 < cell.len; i++)
		if (cell.data[i] == '"')
			check(cell.data[++i] == '"' && i + 1 < cell.len);
	buf_free(&cell);
}

static void check_json(const char *text, size_t len)
{
	struct buf shown = {0}, before = {0}, after = {0};
	bool duplicates;

	check(visible_json(&shown, text, len));
	if (json_canonical(&before, text, len, &duplicates, NULL)) {
		check(json_canonical(&after, shown.data, shown.len, &duplicates, NULL));
		check(before.len == after.len && memcmp(before.data, after.data, before.len) == 0);
	}
	buf_free(&shown);
	buf_free(&before);
	buf_free(&after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	check_text(text, size);
	check_excerpt(text, size);
	check_csv(text, size);
	check_json(text, size);
	return 0;
}
