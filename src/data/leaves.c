// Collecting leaves. What is hashed is leaf.c's, what becomes of it tally.c's; here are pages, files and the order of
// things.
#include "data/leaves.h"

#include <stdlib.h>
#include <string.h>

#include "io/records.h"

// A row as it is remembered.
struct remembered {
	struct leaf_known known;
	uint64_t mark; // of its key: a memo out of step would prove one contact by another's row
};

struct leaf_memo {
	size_t refs;
	unsigned char key[LEAF_PART];
	struct schema *model;
	struct leaf_shape shape;
	char *key_column, *scratch;
	struct records *file; // struct remembered, row by row
	struct canon canon;
	struct buf last; // the key before, while the source is read
	bool out_of_order;
	uint64_t *bad; // numbers of rows in the file that no system meets, rising
	size_t nbad;
};

struct leaves {
	struct leaf_memo *memo;
	struct schema *expected, *like, *actual;
	char *key_column, *scratch;
	struct leaf_pair pair;
	struct leaf_shape shape; // of actual, in the order of expected
	struct sorter *sorter;
	struct canon canon;
	uint64_t at;   // contacts expected so far
	uint64_t look; // looks again so far
	struct tally tally;
	char *paths[TALLY_SIDES];
	struct records *files[TALLY_SIDES];
};

// ---- the memo

static bool memo_open(struct leaf_memo *memo, struct err *err)
{
	memo->file = records_scratch(memo->scratch, sizeof(struct remembered), err);
	return memo->file != NULL;
}

static bool memo_init(struct leaf_memo *memo, struct schema *model, struct err *err)
{
	memo->model = schema_ref(model);
	if (memo->key_column == NULL || memo->scratch == NULL)
		return err_no_memory(err);
	return leaf_shape_init(&memo->shape, model, model, memo->key_column, err) && memo_open(memo, err);
}

struct leaf_memo *leaf_memo_new(const unsigned char key[static LEAF_PART], struct schema *model, const char *key_column,
	const char *scratch, struct err *err)
{
	struct leaf_memo *memo = calloc(1, sizeof *memo);

	if (memo == NULL) {
		err_no_memory(err);
		return NULL;
	}
	memo->refs = 1;
	memcpy(memo->key, key, LEAF_PART);
	memo->key_column = strdup(key_column);
	memo->scratch = strdup(scratch);
	if (memo_init(memo, model, err))
		return memo;
	leaf_memo_unref(memo);
	return NULL;
}

struct leaf_memo *leaf_memo_ref(struct leaf_memo *memo)
{
	memo->refs++;
	return memo;
}

void leaf_memo_unref(struct leaf_memo *memo)
{
	if (memo == NULL || --memo->refs > 0)
		return;
	records_close(memo->file);
	leaf_shape_free(&memo->shape);
	schema_unref(memo->model);
	canon_free(&memo->canon);
	buf_free(&memo->last);
	free(memo->bad);
	free(memo->key_column);
	free(memo->scratch);
	free(memo);
}

bool leaf_memo_forget(struct leaf_memo *memo, struct err *err)
{
	records_close(memo->file);
	memo->out_of_order = false;
	buf_clear(&memo->last);
	free(memo->bad);
	memo->bad = NULL;
	memo->nbad = 0;
	return memo_open(memo, err);
}

// The last bytes of a key, and its length: cheap, and other for the neighbour.
static uint64_t mark_of(const struct cell *id)
{
	uint64_t mark = 0;
	size_t len = id->len < sizeof mark ? id->len : sizeof mark;

	if (len > 0)
		memcpy(&mark, id->ptr + id->len - len, len);
	return mark ^ (uint64_t)id->len << 56;
}

static bool remember(struct leaf_memo *memo, const struct cell *cells, struct remembered *row,
	unsigned char d[static LEAF_PART], struct err *err)
{
	row->mark = mark_of(&cells[memo->shape.key]);
	return leaf_known_of(&memo->canon, memo->key, &memo->shape, cells, &row->known, d, err) &&
		   records_put(memo->file, row, err);
}

static int compare_bytes(const char *a, size_t alen, const char *b, size_t blen)
{
	size_t len = alen < blen ? alen : blen;
	int order = len > 0 ? memcmp(a, b, len) : 0;

	return order != 0 ? order : (alen > blen) - (alen < blen);
}

static bool note_order(struct leaf_memo *memo, const struct cell *id, struct err *err)
{
	if (compare_bytes(memo->last.data, memo->last.len, id->ptr, id->len) > 0)
		memo->out_of_order = true;
	buf_clear(&memo->last);
	return buf_put(&memo->last, id->ptr, id->len) || err_no_memory(err);
}

static bool add_digest(struct rows *digests, const struct cell *id, const unsigned char *d, struct err *err)
{
	struct cell *to = rows_add(digests, err);

	return to != NULL && (id->null || rows_set(digests, &to[0], id->ptr, id->len, err)) &&
		   rows_set(digests, &to[1], d, LEAF_SHORT, err);
}

// A row without a key is bad: it has its place in the file, and nothing in it.
static bool see(struct leaf_memo *memo, const struct cell *cells, struct rows *digests, struct err *err)
{
	const struct cell *id = &cells[memo->shape.key];
	struct remembered row = {.mark = 0};
	unsigned char d[LEAF_PART] = {0};

	if (id->null)
		return records_put(memo->file, &row, err) && add_digest(digests, id, d, err);
	return note_order(memo, id, err) && remember(memo, cells, &row, d, err) && add_digest(digests, id, d, err);
}

bool leaf_memo_see(struct leaf_memo *memo, const struct rows *page, struct rows *digests, struct err *err)
{
	if (!schema_equal(page->schema, memo->model))
		return err_set(err, ERR_USAGE, NULL, "the page is not of the memo's model");
	if (!rows_reserve(digests, page->n, err))
		return false;
	for (size_t i = 0; i < page->n; i++)
		if (!see(memo, rows_at(page, i), digests, err))
			return false;
	return true;
}

bool leaf_memo_seal(struct leaf_memo *memo, const uint64_t *bad, size_t n, struct err *err)
{
	if (memo->out_of_order)
		return leaf_memo_forget(memo, err);
	memo->bad = calloc(n + 1, sizeof *bad);
	if (memo->bad == NULL)
		return err_no_memory(err);
	if (n > 0)
		memcpy(memo->bad, bad, n * sizeof *bad);
	memo->nbad = n;
	return true;
}

// The number in the file of the contact that is number `at` of those that are met: so many bad ones stand before it.
static uint64_t place_of(const struct leaf_memo *memo, uint64_t at)
{
	size_t low = 0, high = memo->nbad;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memo->bad[middle] - middle <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return at + low;
}

static bool read_row(struct leaf_memo *memo, uint64_t place, struct remembered *row, struct err *err)
{
	const void *record = records_at(memo->file, place, err);

	if (record == NULL)
		return false;
	memcpy(row, record, sizeof *row);
	return true;
}

// What is known of the contact that is number `at` of those that are met, whose model row this is.
static bool recall(
	struct leaf_memo *memo, uint64_t at, const struct cell *model, struct leaf_known *known, struct err *err)
{
	uint64_t place = place_of(memo, at), count = records_count(memo->file);
	struct remembered row;
	unsigned char d[LEAF_PART];

	if (place > count)
		return err_set(err, ERR_INTERNAL, NULL, "contacts are missing before number %llu", (unsigned long long)at + 1);
	if (!(place == count ? remember(memo, model, &row, d, err) : read_row(memo, place, &row, err)))
		return false;
	if (row.mark != mark_of(&model[memo->shape.key]))
		return err_set(
			err, ERR_INTERNAL, NULL, "contact number %llu is not the one that was seen", (unsigned long long)at + 1);
	*known = row.known;
	return true;
}

static bool add_row_digest(struct canon *canon, const struct leaf_shape *shape, const struct cell *cells,
	struct rows *digests, struct err *err)
{
	unsigned char j[LEAF_PART], d[LEAF_PART];

	return leaf_json_digest(canon, shape, cells, j, err) && leaf_row_digest(canon, shape, cells, false, j, d, err) &&
		   add_digest(digests, &cells[shape->key], d, err);
}

bool leaf_digests(
	struct canon *canon, const struct rows *page, const char *key_column, struct rows *digests, struct err *err)
{
	struct leaf_shape shape;
	bool ok =
		leaf_shape_init(&shape, page->schema, page->schema, key_column, err) && rows_reserve(digests, page->n, err);

	for (size_t i = 0; ok && i < page->n; i++)
		ok = add_row_digest(canon, &shape, rows_at(page, i), digests, err);
	leaf_shape_free(&shape);
	return ok;
}

// ---- collecting

static bool leaves_init(struct leaves *s, const struct plan *plan, struct err *err)
{
	if (s->key_column == NULL || s->scratch == NULL)
		return err_no_memory(err);
	return leaf_pair_init(&s->pair, plan, s->like, s->key_column, s->memo->model, s->memo->key_column, err) &&
		   leaves_restart(s, err);
}

struct leaves *leaves_new(struct leaf_memo *memo, const struct plan *plan, struct schema *like, const char *key_column,
	const char *scratch, struct err *err)
{
	struct leaves *s = calloc(1, sizeof *s);

	if (s == NULL) {
		err_no_memory(err);
		return NULL;
	}
	s->memo = leaf_memo_ref(memo);
	s->expected = schema_ref(plan_schema(plan));
	s->like = schema_ref(like);
	s->key_column = strdup(key_column);
	s->scratch = strdup(scratch);
	if (leaves_init(s, plan, err))
		return s;
	leaves_free(s);
	return NULL;
}

static void close_files(struct leaves *s)
{
	for (size_t side = 0; side < TALLY_SIDES; side++) {
		records_close(s->files[side]);
		s->files[side] = NULL;
		free(s->paths[side]);
		s->paths[side] = NULL;
	}
}

void leaves_free(struct leaves *s)
{
	if (s == NULL)
		return;
	close_files(s);
	tally_free(&s->tally);
	sorter_free(s->sorter);
	leaf_pair_free(&s->pair);
	leaf_shape_free(&s->shape);
	schema_unref(s->expected);
	schema_unref(s->like);
	schema_unref(s->actual);
	leaf_memo_unref(s->memo);
	canon_free(&s->canon);
	free(s->key_column);
	free(s->scratch);
	free(s);
}

bool leaves_restart(struct leaves *s, struct err *err)
{
	close_files(s);
	tally_free(&s->tally);
	s->tally = (struct tally){.parted = false};
	s->at = s->look = 0;
	sorter_free(s->sorter);
	s->sorter = sorter_new(s->scratch, sizeof(struct tally_record), err);
	return s->sorter != NULL;
}

static bool add(struct leaves *s, const unsigned char *b, enum tally_tag tag, const unsigned char *v, struct err *err)
{
	struct tally_record record =
		tally_record_of(b, tag, tag == TALLY_REVISED || tag == TALLY_GONE || tag == TALLY_AMENDED ? s->look : 0, v);

	return sorter_add(s->sorter, &record, err);
}

// v of a row as it was read.
static bool read_value(struct leaves *s, const struct leaf_shape *shape, const struct leaf_name *name,
	const struct cell *cells, unsigned char v[static LEAF_PART], struct err *err)
{
	unsigned char j[LEAF_PART], d[LEAF_PART];

	return leaf_json_digest(&s->canon, shape, cells, j, err) &&
		   leaf_row_digest(&s->canon, shape, cells, false, j, d, err) && leaf_value(name, d, v, err);
}

// A row with a value that is lost there is found equal when the system holds what is left of it. It is not what the
// source has.
static bool add_marked(
	struct leaves *s, const struct leaf_known *known, const struct cell *cells, const unsigned char *v, struct err *err)
{
	unsigned char read[LEAF_PART];

	return add(s, known->name.b, TALLY_EXPECTED, v, err) &&
		   read_value(s, &s->pair.expected, &known->name, cells, read, err) &&
		   add(s, known->name.b, TALLY_OBSERVED, read, err);
}

// What became of an expected row.
enum fate_of_row { FOUND, EXCEPTED, SKIPPED };

static bool add_expected(
	struct leaves *s, const struct cell *cells, const struct cell *model, unsigned char fate, struct err *err)
{
	struct leaf_known known;
	unsigned char v[LEAF_PART];

	if (!recall(s->memo, s->at, model, &known, err))
		return false;
	s->at++;
	if (fate == SKIPPED)
		return true;
	if (!leaf_pair_value(&s->canon, &s->pair, cells, model, &known, fate == FOUND, v, err))
		return false;
	if (fate == FOUND && leaf_is_marked(s->expected, cells))
		return add_marked(s, &known, cells, v, err);
	return add(s, known.name.b, fate == FOUND ? TALLY_BOTH : TALLY_EXPECTED, v, err);
}

static void mark_rows(unsigned char *fates, struct leaf_rows rows, unsigned char fate)
{
	for (size_t i = 0; i < rows.n; i++)
		fates[rows.list[i]] = fate;
}

static bool add_page(
	struct leaves *s, const struct rows *page, const struct rows *model, const unsigned char *fates, struct err *err)
{
	for (size_t i = 0; i < model->n; i++)
		if (!add_expected(s, rows_at(page, i), rows_at(model, i), fates[i], err))
			return false;
	return true;
}

bool leaves_expected(
	struct leaves *s, struct leaf_rows except, struct leaf_rows skip, const struct rows *model, struct err *err)
{
	unsigned char *fates;
	bool ok;

	if (model->n != except.page->n || !schema_equal(except.page->schema, s->expected) ||
		!schema_equal(model->schema, s->memo->model))
		return err_set(err, ERR_USAGE, NULL, "the pages are not those of the expected rows and their model rows");
	fates = calloc(model->n + 1, 1);
	if (fates == NULL)
		return err_no_memory(err);
	mark_rows(fates, except, EXCEPTED);
	mark_rows(fates, skip, SKIPPED);
	ok = add_page(s, except.page, model, fates, err);
	free(fates);
	return ok;
}

// The shape of rows read; nearly always that of the rows before.
static bool set_actual(struct leaves *s, const struct rows *page, struct err *err)
{
	if (s->actual != NULL && schema_equal(s->actual, page->schema))
		return true;
	leaf_shape_free(&s->shape);
	schema_unref(s->actual);
	s->actual = schema_ref(page->schema);
	if (leaf_shape_init(&s->shape, s->like, s->actual, s->key_column, err))
		return true;
	schema_unref(s->actual);
	s->actual = NULL;
	return false;
}

static bool name_row(struct leaves *s, const struct cell *cells, struct leaf_name *name, struct err *err)
{
	const struct cell *id = &cells[s->shape.key];

	if (id->null)
		return err_set(err, ERR_USAGE, NULL, "a row without '%s' has no leaf", s->key_column);
	return leaf_name(&s->canon, s->memo->key, s->actual->cols[s->shape.key].type, id, name, err);
}

static bool add_read(struct leaves *s, const struct cell *cells, enum tally_tag tag, struct err *err)
{
	struct leaf_name name;
	unsigned char v[LEAF_PART];

	if (!name_row(s, cells, &name, err))
		return false;
	if (tag == TALLY_EXTRA ? !leaf_extra(&name, v, err) : !read_value(s, &s->shape, &name, cells, v, err))
		return false;
	return add(s, name.b, tag, v, err);
}

static bool add_rows(struct leaves *s, struct leaf_rows rows, enum tally_tag tag, struct err *err)
{
	if (rows.n > 0 && !set_actual(s, rows.page, err))
		return false;
	for (size_t i = 0; i < rows.n; i++)
		if (!add_read(s, rows_at(rows.page, rows.list[i]), tag, err))
			return false;
	return true;
}

bool leaves_observed(struct leaves *s, struct leaf_rows rows, struct err *err)
{
	return add_rows(s, rows, TALLY_OBSERVED, err);
}

bool leaves_extra(struct leaves *s, struct leaf_rows rows, struct err *err)
{
	return add_rows(s, rows, TALLY_EXTRA, err);
}

// What is expected of a contact, computed from its expected row alone.
static bool add_amended(struct leaves *s, const struct cell *cells, const struct leaf_name *name, struct err *err)
{
	const struct leaf_shape *shape = &s->pair.expected;
	unsigned char j[LEAF_PART], d[LEAF_PART], v[LEAF_PART];

	return leaf_json_digest(&s->canon, shape, cells, j, err) &&
		   leaf_row_digest(&s->canon, shape, cells, leaf_is_marked(s->expected, cells), j, d, err) &&
		   leaf_value(name, d, v, err) && add(s, name->b, TALLY_AMENDED, v, err);
}

bool leaves_revised(struct leaves *s, const struct rows *expected, size_t i, struct leaf_rows rows, struct err *err)
{
	static const unsigned char nothing[LEAF_PART];
	const struct cell *cells;
	struct leaf_name name;
	size_t key = s->pair.expected.key;

	if (!schema_equal(expected->schema, s->expected) || rows_at(expected, i)[key].null)
		return err_set(err, ERR_USAGE, NULL, "the row is not one of the expected rows");
	cells = rows_at(expected, i);
	s->look++;
	if (!leaf_name(&s->canon, s->memo->key, s->expected->cols[key].type, &cells[key], &name, err) ||
		!add_amended(s, cells, &name, err))
		return false;
	if (rows.n > 0)
		return add_rows(s, rows, TALLY_REVISED, err);
	return add(s, name.b, TALLY_GONE, nothing, err);
}

// ---- writing

static bool open_side(struct leaves *s, enum tally_side side, struct err *err)
{
	if (s->files[side] == NULL)
		s->files[side] = records_create(s->paths[side], LEAF_SIZE, err);
	return s->files[side] != NULL;
}

// The observed side begins with the leaves it has in common with the expected one.
static bool open_observed(struct leaves *s, struct err *err)
{
	if (s->files[TALLY_SIDE_OBSERVED] != NULL)
		return true;
	return open_side(s, TALLY_SIDE_OBSERVED, err) &&
		   records_copy(s->files[TALLY_SIDE_OBSERVED], s->files[TALLY_SIDE_EXPECTED],
			   tally_size(&s->tally, TALLY_SIDE_OBSERVED), err);
}

static bool put_leaf(void *to, enum tally_side side, const unsigned char leaf[static LEAF_SIZE], struct err *err)
{
	struct leaves *s = to;

	return (side == TALLY_SIDE_OBSERVED ? open_observed(s, err) : open_side(s, side, err)) &&
		   records_put(s->files[side], leaf, err);
}

bool leaves_write(struct leaves *s, const char *const paths[static TALLY_SIDES], struct err *err)
{
	close_files(s);
	for (size_t side = 0; side < TALLY_SIDES; side++) {
		s->paths[side] = strdup(paths[side]);
		if (s->paths[side] == NULL)
			return err_no_memory(err);
	}
	s->tally.put = put_leaf;
	s->tally.to = s;
	return open_side(s, TALLY_SIDE_EXPECTED, err);
}

static bool finish(struct leaves *s, struct err *err)
{
	if (!tally_finish(&s->tally, err) || (s->tally.parted && !open_observed(s, err)))
		return false;
	for (size_t side = 0; side < TALLY_SIDES; side++)
		if (s->files[side] != NULL && !records_sync(s->files[side], err))
			return false;
	close_files(s);
	return true;
}

bool leaves_step(struct leaves *s, size_t n, bool *done, struct err *err)
{
	*done = false;
	if (s->tally.to == NULL)
		return err_set(err, ERR_USAGE, NULL, "the leaves have no files to be written to");
	for (; n > 0; n--) {
		const void *record;

		if (!sorter_next(s->sorter, &record, err))
			return false;
		if (record == NULL) {
			*done = finish(s, err);
			return *done;
		}
		if (!tally_add(&s->tally, record, err))
			return false;
	}
	return true;
}

const struct tally *leaves_tally(const struct leaves *s)
{
	return &s->tally;
}
