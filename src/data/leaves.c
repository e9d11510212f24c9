// Collecting leaves. What is hashed is leaf.c's, what becomes of it tally.c's; here are pages, files and the order of
// things.
#include "data/leaves.h"

#include <stdlib.h>
#include <string.h>

#include "io/records.h"

struct leaf_memo {
	size_t refs;
	unsigned char key[LEAF_PART];
	struct schema *model;
	struct leaf_shape shape;
	char *key_column;
	struct records *file; // struct leaf_known, contact by contact
	struct canon canon;
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

static bool memo_init(
	struct leaf_memo *memo, struct schema *model, const char *key_column, const char *scratch, struct err *err)
{
	memo->model = schema_ref(model);
	memo->key_column = strdup(key_column);
	if (memo->key_column == NULL)
		return err_no_memory(err);
	if (!leaf_shape_init(&memo->shape, model, model, key_column, err))
		return false;
	memo->file = records_scratch(scratch, sizeof(struct leaf_known), err);
	return memo->file != NULL;
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
	if (memo_init(memo, model, key_column, scratch, err))
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
	free(memo->key_column);
	free(memo);
}

// What is known of the contact that is number `at`, whose model row this is.
static bool recall(
	struct leaf_memo *memo, uint64_t at, const struct cell *model, struct leaf_known *known, struct err *err)
{
	const void *record;

	if (at > records_count(memo->file))
		return err_set(err, ERR_INTERNAL, NULL, "contacts are missing before number %llu", (unsigned long long)at + 1);
	if (at == records_count(memo->file))
		return leaf_known_of(&memo->canon, memo->key, &memo->shape, model, known, err) &&
			   records_put(memo->file, known, err);
	record = records_at(memo->file, at, err);
	if (record == NULL)
		return false;
	memcpy(known, record, sizeof *known);
	return true;
}

// ---- collecting

static bool leaves_init(struct leaves *s, struct err *err)
{
	if (s->key_column == NULL || s->scratch == NULL)
		return err_no_memory(err);
	return leaf_pair_init(&s->pair, s->like, s->expected, s->key_column, s->memo->model, s->memo->key_column, err) &&
		   leaves_restart(s, err);
}

struct leaves *leaves_new(struct leaf_memo *memo, struct schema *expected, struct schema *like, const char *key_column,
	const char *scratch, struct err *err)
{
	struct leaves *s = calloc(1, sizeof *s);

	if (s == NULL) {
		err_no_memory(err);
		return NULL;
	}
	s->memo = leaf_memo_ref(memo);
	s->expected = schema_ref(expected);
	s->like = schema_ref(like);
	s->key_column = strdup(key_column);
	s->scratch = strdup(scratch);
	if (leaves_init(s, err))
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
	struct tally_record record = tally_record_of(b, tag, tag >= TALLY_REVISED ? s->look : 0, v);

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
	if (!leaf_pair_value(&s->canon, &s->pair, cells, model, &known, v, err))
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

bool leaves_revised(struct leaves *s, const char *key, size_t len, struct leaf_rows rows, struct err *err)
{
	static const unsigned char nothing[LEAF_PART];
	struct cell id = {.ptr = key, .len = (uint32_t)len};
	struct leaf_name name;

	s->look++;
	if (rows.n > 0)
		return add_rows(s, rows, TALLY_REVISED, err);
	return leaf_name(&s->canon, s->memo->key, s->expected->cols[s->pair.expected.key].type, &id, &name, err) &&
		   add(s, name.b, TALLY_GONE, nothing, err);
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
