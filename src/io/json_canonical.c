// The canonical form of a JSON text: one spelling per value. Members are written as they come; an object whose names
// were out of order, or repeated, is put together once more when its end is reached.
#include "io/json.h"

#include <stdlib.h>
#include <string.h>

struct member {
	size_t name, name_len; // its unescaped name: an offset into names
	size_t at, len;        // where "name":value stands in out
	const char *name_text; // only while sorting
	size_t order;          // of appearance, so that the last of equals is known
};

struct canonical {
	struct json_reader reader;
	struct buf *out;
	struct buf names, scratch;
	struct member *members; // of all objects that are open
	size_t n, cap;
	bool duplicates;
};

static bool put_value(struct canonical *c, const struct json_token *token, struct err *err);

static int compare_names(const char *a, size_t alen, const char *b, size_t blen)
{
	int order = memcmp(a, b, alen < blen ? alen : blen);

	return order != 0 ? order : (alen > blen) - (alen < blen);
}

static int compare_members(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int order = compare_names(x->name_text, x->name_len, y->name_text, y->name_len);

	return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

static struct member *add_member(struct canonical *c)
{
	if (c->n == c->cap) {
		size_t cap = c->cap == 0 ? 16 : c->cap * 2;
		struct member *grown = realloc(c->members, cap * sizeof *grown);

		if (grown == NULL)
			return NULL;
		c->members = grown;
		c->cap = cap;
	}
	return &c->members[c->n++];
}

// Append the token's meaning to names; false when memory runs out.
static bool put_name(struct buf *names, const struct json_token *token)
{
	if (!buf_reserve(names, token->len))
		return false;
	names->len += json_unescape(names->data + names->len, token->text, token->len);
	return true;
}

static bool put_string(struct canonical *c, const struct json_token *token, struct err *err)
{
	if (!token->escaped) // with its quotes
		return buf_put(c->out, token->text - 1, token->len + 2) || err_no_memory(err);
	buf_clear(&c->scratch);
	if (!put_name(&c->scratch, token))
		return err_no_memory(err);
	return json_put_string(c->out, c->scratch.data, c->scratch.len, err);
}

// Write the members from `first` on again, sorted and each name once. They stand in out from `start` on, to its end.
static bool reorder(struct canonical *c, size_t first, size_t start)
{
	struct member *members = c->members + first;
	size_t n = c->n - first;

	buf_clear(&c->scratch);
	if (!buf_put(&c->scratch, c->out->data + start, c->out->len - start))
		return false;
	for (size_t i = 0; i < n; i++)
		members[i].name_text = c->names.data + members[i].name;
	qsort(members, n, sizeof *members, compare_members);
	c->out->len = start;
	for (size_t i = 0; i < n; i++) {
		struct member *m = &members[i], *next = m + 1;

		if (i + 1 < n && compare_names(m->name_text, m->name_len, next->name_text, next->name_len) == 0) {
			c->duplicates = true;
			continue;
		}
		if (c->out->len > start && !buf_putc(c->out, ','))
			return false;
		if (!buf_put(c->out, c->scratch.data + (m->at - start), m->len))
			return false;
	}
	return true;
}

// One member, whose name is the token; *ordered turns false when it does not come after the one before.
static bool put_member(struct canonical *c, size_t first, const struct json_token *name, bool *ordered, struct err *err)
{
	struct member *m = add_member(c);
	struct json_token token;
	size_t index = c->n - 1;

	if (m == NULL)
		return err_no_memory(err);
	m->name = c->names.len;
	m->order = index - first;
	if ((index > first && !buf_putc(c->out, ',')) || !put_name(&c->names, name))
		return err_no_memory(err);
	m->name_len = c->names.len - m->name;
	m->at = c->out->len;
	if (index > first &&
		compare_names(c->names.data + m[-1].name, m[-1].name_len, c->names.data + m->name, m->name_len) >= 0)
		*ordered = false;
	if (!put_string(c, name, err))
		return false;
	if (!buf_putc(c->out, ':'))
		return err_no_memory(err);
	if (!json_next(&c->reader, &token, err) || !put_value(c, &token, err))
		return false;
	m = &c->members[index]; // an inner object may have moved them
	m->len = c->out->len - m->at;
	return true;
}

static bool put_object(struct canonical *c, struct err *err)
{
	size_t first = c->n, names = c->names.len, start;
	struct json_token token;
	bool ordered = true;

	if (!buf_putc(c->out, '{'))
		return err_no_memory(err);
	start = c->out->len;
	for (;;) {
		if (!json_next(&c->reader, &token, err))
			return false;
		if (token.type == JSON_OBJECT_END)
			break;
		if (!put_member(c, first, &token, &ordered, err))
			return false;
	}
	if (!ordered && !reorder(c, first, start))
		return err_no_memory(err);
	c->n = first;
	c->names.len = names;
	return buf_putc(c->out, '}') || err_no_memory(err);
}

static bool put_array(struct canonical *c, struct err *err)
{
	struct json_token token;

	if (!buf_putc(c->out, '['))
		return err_no_memory(err);
	for (size_t i = 0;; i++) {
		if (!json_next(&c->reader, &token, err))
			return false;
		if (token.type == JSON_ARRAY_END)
			return buf_putc(c->out, ']') || err_no_memory(err);
		if (i > 0 && !buf_putc(c->out, ','))
			return err_no_memory(err);
		if (!put_value(c, &token, err))
			return false;
	}
}

static bool put_value(struct canonical *c, const struct json_token *token, struct err *err)
{
	switch (token->type) {
	case JSON_OBJECT:
		return put_object(c, err);
	case JSON_ARRAY:
		return put_array(c, err);
	case JSON_STRING:
		return put_string(c, token, err);
	case JSON_NUMBER:
		return json_number_canonical(c->out, token->text, token->len) || err_no_memory(err);
	default:
		return buf_put(c->out, token->text, token->len) || err_no_memory(err);
	}
}

// Kept for the next one, unless they grew large: the process has one thread that reads values.
static struct {
	struct buf names, scratch;
	struct member *members;
	size_t cap;
} kept;

enum { KEPT_MAX = 64 * 1024 };

static void keep(struct canonical *c)
{
	kept.names = c->names;
	kept.scratch = c->scratch;
	kept.members = c->members;
	kept.cap = c->cap;
	if (c->names.cap + c->scratch.cap + c->cap * sizeof *c->members <= KEPT_MAX)
		return;
	buf_free(&kept.names);
	buf_free(&kept.scratch);
	free(kept.members);
	kept.members = NULL;
	kept.cap = 0;
}

bool json_canonical(struct buf *out, const char *text, size_t len, bool *duplicates, struct err *err)
{
	struct canonical c = {
		.out = out, .names = kept.names, .scratch = kept.scratch, .members = kept.members, .cap = kept.cap};
	struct json_token token;
	size_t mark = out->len;
	bool ok;

	buf_clear(&c.names);
	json_reader_init(&c.reader, text, len);
	ok = json_next(&c.reader, &token, err) && put_value(&c, &token, err) && json_next(&c.reader, &token, err);
	if (!ok && out->data != NULL) {
		out->len = mark;
		out->data[mark] = '\0';
	}
	if (duplicates != NULL)
		*duplicates = ok && c.duplicates;
	keep(&c);
	return ok;
}
