// The merge. Order is that of memcmp, which for UTF-8 is that of code points.
#include "data/merge.h"

#include <stdlib.h>
#include <string.h>

#include "data/canon.h"

// One stream: its page, and where it stands.
struct stream {
	const char *name;
	struct schema *schema;
	struct rows *page;
	size_t at;
	int key;
	bool ended;
	bool strict;   // keys must rise, not only not fall
	bool checked;  // the present row's key was looked at
	bool has_last; // last holds the key before the present one
	struct buf last;
};

struct compared {
	int e, a;
	enum col_type type;
};

struct merge {
	struct stream e, a;
	struct compared *compared;
	size_t ncompared;
	bool met; // the present expected row has met an actual row
	bool failed;
	struct canon canon;
	struct merge_found found;
};

static bool stream_init(struct stream *s, const char *name, struct schema *schema, const char *key, struct err *err)
{
	s->name = name;
	s->schema = schema_ref(schema);
	s->key = schema_find(schema, key);
	if (s->key < 0)
		return err_set(err, ERR_MAPPING, "unknown_column", "the %s side has no key column '%s'", name, key);
	return true;
}

static bool compared_add(struct merge *m, int e, struct err *err)
{
	const struct column *col = &m->e.schema->cols[e];
	int a = schema_find(m->a.schema, col->name);

	if (a < 0)
		return err_set(err, ERR_MAPPING, "unknown_column", "the actual side has no column '%s' to compare", col->name);
	if (m->a.schema->cols[a].type != col->type)
		return err_set(err, ERR_MAPPING, "type", "the column '%s' is %s on the expected side and %s on the actual one",
			col->name, col_type_name(col->type), col_type_name(m->a.schema->cols[a].type));
	m->compared[m->ncompared++] = (struct compared){e, a, col->type};
	return true;
}

static bool merge_init(
	struct merge *m, struct schema *expected, struct schema *actual, const char *key, struct err *err)
{
	if (!stream_init(&m->e, "expected", expected, key, err) || !stream_init(&m->a, "actual", actual, key, err))
		return false;
	m->e.strict = true;
	m->compared = malloc(expected->ncols * sizeof *m->compared);
	if (m->compared == NULL)
		return err_no_memory(err);
	for (int c = 0; c < (int)expected->ncols; c++)
		if (c != m->e.key && !compared_add(m, c, err))
			return false;
	return true;
}

struct merge *merge_new(struct schema *expected, struct schema *actual, const char *key, struct err *err)
{
	struct merge *m = calloc(1, sizeof *m);

	if (m == NULL) {
		err_no_memory(err);
		return NULL;
	}
	if (!merge_init(m, expected, actual, key, err)) {
		merge_free(m);
		return NULL;
	}
	return m;
}

static void stream_free(struct stream *s)
{
	rows_unref(s->page);
	schema_unref(s->schema);
	buf_free(&s->last);
}

void merge_free(struct merge *m)
{
	if (m == NULL)
		return;
	stream_free(&m->e);
	stream_free(&m->a);
	free(m->compared);
	canon_free(&m->canon);
	free(m->found.differ.items);
	free(m->found.missing.items);
	free(m->found.extra.items);
	free(m->found.again.items);
	free(m);
}

static const struct cell *stream_key(const struct stream *s)
{
	return &rows_at(s->page, s->at)[s->key];
}

static bool stream_empty(const struct stream *s)
{
	return s->page == NULL || s->at >= s->page->n;
}

static bool has_found(const struct merge_found *f)
{
	return f->differ.n > 0 || f->missing.n > 0 || f->extra.n > 0 || f->again.n > 0;
}

bool merge_feed(struct merge *m, enum merge_side side, struct rows *page, struct err *err)
{
	struct stream *s = side == MERGE_EXPECTED ? &m->e : &m->a;

	if (s->ended || !stream_empty(s))
		return err_set(
			err, ERR_USAGE, NULL, "the %s side was fed out of turn; feed the side that step asks for", s->name);
	if (has_found(&m->found))
		return err_set(err, ERR_USAGE, NULL, "take the results before feeding the %s side's next page", s->name);
	if (page != NULL && !schema_equal(page->schema, s->schema))
		return err_set(err, ERR_USAGE, NULL, "the page fed to the %s side has other columns than its schema", s->name);
	if (page != NULL)
		rows_ref(page);
	rows_unref(s->page);
	s->page = page;
	s->at = 0;
	s->ended = page == NULL;
	return true;
}

static int compare_bytes(const char *a, size_t alen, const char *b, size_t blen)
{
	size_t len = alen < blen ? alen : blen;
	int order = len > 0 ? memcmp(a, b, len) : 0;

	if (order != 0)
		return order;
	return alen < blen ? -1 : alen > blen;
}

static int compare_keys(const struct cell *a, const struct cell *b)
{
	return compare_bytes(a->ptr, a->len, b->ptr, b->len);
}

// Keys are quoted in messages up to here.
enum { KEY_SHOWN = 100 };

static int shown(size_t len)
{
	return (int)(len < KEY_SHOWN ? len : KEY_SHOWN);
}

// The present row's key must be there and in order.
static bool stream_check(struct stream *s, struct err *err)
{
	const char *column = s->schema->cols[s->key].name;
	const struct cell *key;
	int order;

	if (s->checked || stream_empty(s))
		return true;
	key = stream_key(s);
	if (key->null)
		return err_set(err, ERR_CHECK, "null_key", "row %zu of a page of the %s side has no key (column '%s')",
			s->at + 1, s->name, column);
	order = s->has_last ? compare_bytes(s->last.data, s->last.len, key->ptr, key->len) : -1;
	if (order > 0)
		return err_set(err, ERR_CHECK, "order",
			"the %s side is out of order ('%.*s' after '%.*s'); sort it by the bytes of '%s'", s->name, shown(key->len),
			key->ptr, shown(s->last.len), s->last.data, column);
	if (order == 0 && s->strict)
		return err_set(err, ERR_CHECK, "repeated_key", "the %s side repeats the key '%.*s' (column '%s')", s->name,
			shown(key->len), key->ptr, column);
	s->checked = true;
	return true;
}

// Keep the present key, so that the page may go, and step over the row.
static bool stream_advance(struct stream *s, struct err *err)
{
	const struct cell *key = stream_key(s);

	buf_clear(&s->last);
	if (!buf_put(&s->last, key->ptr, key->len))
		return err_no_memory(err);
	s->has_last = true;
	s->checked = false;
	s->at++;
	return true;
}

static bool list_add(struct merge_list *list, size_t e, size_t a, struct err *err)
{
	if (list->n == list->cap) {
		size_t cap = list->cap < 16 ? 16 : list->cap * 2;
		struct merge_pair *items = realloc(list->items, cap * sizeof *items);

		if (items == NULL)
			return err_no_memory(err);
		list->items = items;
		list->cap = cap;
	}
	list->items[list->n++] = (struct merge_pair){e, a};
	return true;
}

static bool row_equal(struct merge *m, bool *equal, struct err *err)
{
	const struct cell *e = rows_at(m->e.page, m->e.at);
	const struct cell *a = rows_at(m->a.page, m->a.at);

	*equal = true;
	for (size_t c = 0; c < m->ncompared && *equal; c++) {
		const struct compared *col = &m->compared[c];

		if (!canon_equal(&m->canon, col->type, &e[col->e], &a[col->a], equal, err))
			return false;
	}
	return true;
}

// The actual row repeats the key before it.
static bool is_again(const struct stream *a)
{
	const struct cell *key = stream_key(a);

	return a->has_last && compare_bytes(a->last.data, a->last.len, key->ptr, key->len) == 0;
}

static bool take_pair(struct merge *m, struct err *err)
{
	bool equal;

	if (!row_equal(m, &equal, err))
		return false;
	if (!equal && !list_add(&m->found.differ, m->e.at, m->a.at, err))
		return false;
	m->found.same += equal;
	m->met = true;
	return stream_advance(&m->a, err);
}

static bool take_actual(struct merge *m, struct err *err)
{
	struct merge_list *list = is_again(&m->a) ? &m->found.again : &m->found.extra;

	return list_add(list, MERGE_NO_ROW, m->a.at, err) && stream_advance(&m->a, err);
}

static bool take_expected(struct merge *m, struct err *err)
{
	if (!m->met && !list_add(&m->found.missing, m->e.at, MERGE_NO_ROW, err))
		return false;
	m->met = false;
	return stream_advance(&m->e, err);
}

// One row further, at least one side having one.
static bool merge_one(struct merge *m, struct err *err)
{
	int order;

	if (!stream_check(&m->e, err) || !stream_check(&m->a, err))
		return false;
	if (stream_empty(&m->e))
		return take_actual(m, err);
	if (stream_empty(&m->a))
		return take_expected(m, err);
	order = compare_keys(stream_key(&m->e), stream_key(&m->a));
	if (order < 0)
		return take_expected(m, err);
	if (order > 0)
		return take_actual(m, err);
	if (!m->met)
		return take_pair(m, err);
	return list_add(&m->found.again, m->e.at, m->a.at, err) && stream_advance(&m->a, err);
}

bool merge_step(struct merge *m, enum merge_need *need, struct err *err)
{
	if (m->failed)
		return err_set(err, ERR_USAGE, NULL, "the merge has failed before and is over");
	for (;;) {
		if (stream_empty(&m->e) && !m->e.ended) {
			*need = MERGE_NEED_EXPECTED;
			return true;
		}
		if (stream_empty(&m->a) && !m->a.ended) {
			*need = MERGE_NEED_ACTUAL;
			return true;
		}
		if (stream_empty(&m->e) && stream_empty(&m->a))
			break;
		if (!merge_one(m, err)) {
			m->failed = true;
			return false;
		}
	}
	*need = MERGE_DONE;
	return true;
}

const struct merge_found *merge_found(const struct merge *m)
{
	return &m->found;
}

void merge_forget(struct merge *m)
{
	m->found.same = 0;
	m->found.differ.n = m->found.missing.n = m->found.extra.n = m->found.again.n = 0;
}
