// Schemas and pages. Knows nothing of where cells come from or of what equal means.
#include "data/rows.h"

#include <stdlib.h>
#include <string.h>

#include "data/arena.h"

static const char *const type_names[COL_TYPE_COUNT] = {
	[COL_TEXT] = "text",
	[COL_INT64] = "int64",
	[COL_DECIMAL] = "decimal",
	[COL_FLOAT64] = "float64",
	[COL_BOOL] = "bool",
	[COL_DATE] = "date",
	[COL_TIME] = "time",
	[COL_DATETIME] = "datetime",
	[COL_TIMESTAMP] = "timestamp",
	[COL_JSON] = "json",
	[COL_BYTES] = "bytes",
};

const char *col_type_name(enum col_type type)
{
	return (unsigned)type < COL_TYPE_COUNT ? type_names[type] : "unknown";
}

enum col_type col_type_of(const char *name)
{
	for (int i = 0; i < COL_TYPE_COUNT; i++)
		if (strcmp(type_names[i], name) == 0)
			return (enum col_type)i;
	return COL_TYPE_COUNT;
}

// FNV-1a: names are short and few.
static size_t name_hash(const char *name, size_t len)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)name[i]) * 16777619u;
	return hash ^ (hash >> 15);
}

// The slot that holds the name, or the empty one where it belongs.
static uint16_t *slot_of(const struct schema *schema, const char *name, size_t len)
{
	size_t i = name_hash(name, len) & schema->mask;

	for (; schema->slots[i] != 0; i = (i + 1) & schema->mask) {
		const char *held = schema->cols[schema->slots[i] - 1].name;

		if (strncmp(held, name, len) == 0 && held[len] == '\0')
			break;
	}
	return &schema->slots[i];
}

static bool schema_add(struct schema *schema, const char *name, enum col_type type, struct err *err)
{
	size_t len = strlen(name);
	uint16_t *slot = slot_of(schema, name, len);
	char *copy;

	if (*slot != 0)
		return err_set(
			err, ERR_CONFIG, "duplicate_column", "the column '%s' is named twice (a schema's names are unique)", name);
	copy = malloc(len + 1);
	if (copy == NULL)
		return err_no_memory(err);
	memcpy(copy, name, len + 1);
	schema->cols[schema->ncols].name = copy;
	schema->cols[schema->ncols].type = type;
	*slot = (uint16_t)++schema->ncols;
	return true;
}

// Without columns yet; the index is twice as large as needed or larger, so that a search ends soon.
static struct schema *schema_alloc(size_t ncols)
{
	struct schema *schema = malloc(sizeof *schema + ncols * sizeof schema->cols[0]);
	size_t size = 4;

	if (schema == NULL)
		return NULL;
	while (size < ncols * 2)
		size *= 2;
	schema->slots = calloc(size, sizeof *schema->slots);
	if (schema->slots == NULL) {
		free(schema);
		return NULL;
	}
	schema->mask = size - 1;
	schema->refs = 1;
	schema->ncols = 0;
	return schema;
}

struct schema *schema_new(size_t ncols, const char *const *names, const enum col_type *types, struct err *err)
{
	struct schema *schema;

	if (ncols == 0 || ncols > SCHEMA_MAX_COLUMNS) {
		err_set(err, ERR_CONFIG, NULL, "a schema of %zu columns is not possible (1 to %d are)", ncols,
			(int)SCHEMA_MAX_COLUMNS);
		return NULL;
	}
	schema = schema_alloc(ncols);
	if (schema == NULL) {
		err_no_memory(err);
		return NULL;
	}
	for (size_t i = 0; i < ncols; i++) {
		if (!schema_add(schema, names[i], types[i], err)) {
			schema_unref(schema);
			return NULL;
		}
	}
	return schema;
}

struct schema *schema_ref(struct schema *schema)
{
	schema->refs++;
	return schema;
}

void schema_unref(struct schema *schema)
{
	if (schema == NULL || --schema->refs > 0)
		return;
	for (size_t i = 0; i < schema->ncols; i++)
		free(schema->cols[i].name);
	free(schema->slots);
	free(schema);
}

int schema_find_n(const struct schema *schema, const char *name, size_t len)
{
	return (int)*slot_of(schema, name, len) - 1;
}

int schema_find(const struct schema *schema, const char *name)
{
	return schema_find_n(schema, name, strlen(name));
}

bool schema_equal(const struct schema *a, const struct schema *b)
{
	if (a == b)
		return true;
	if (a->ncols != b->ncols)
		return false;
	for (size_t i = 0; i < a->ncols; i++)
		if (a->cols[i].type != b->cols[i].type || strcmp(a->cols[i].name, b->cols[i].name) != 0)
			return false;
	return true;
}

// Bytes in the cell tables of all pages; single thread.
static size_t cells_live;

static size_t row_size(const struct rows *rows)
{
	return rows->schema->ncols * sizeof *rows->cells;
}

struct rows *rows_new(struct schema *schema, struct err *err)
{
	struct rows *rows = calloc(1, sizeof *rows);

	if (rows == NULL) {
		err_no_memory(err);
		return NULL;
	}
	rows->refs = 1;
	rows->schema = schema_ref(schema);
	return rows;
}

struct rows *rows_ref(struct rows *rows)
{
	rows->refs++;
	return rows;
}

// A loop, not a recursion: slices of slices may form a long chain.
void rows_unref(struct rows *rows)
{
	while (rows != NULL && --rows->refs == 0) {
		struct rows *parent = rows->parent;

		cells_live -= rows->cap * row_size(rows);
		schema_unref(rows->schema);
		arena_free(rows->arena);
		free(rows->cells);
		free(rows);
		rows = parent;
	}
}

bool rows_reserve(struct rows *rows, size_t more, struct err *err)
{
	size_t size = row_size(rows), cap = rows->cap < 8 ? 8 : rows->cap;
	struct cell *cells;

	if (more <= rows->cap - rows->n)
		return true;
	if (more > SIZE_MAX / 4 / size - rows->n)
		return err_no_memory(err);
	if (cap < rows->n + more)
		cap = more > rows->cap ? rows->n + more : cap * 2;
	cells = realloc(rows->cells, cap * size);
	if (cells == NULL)
		return err_no_memory(err);
	cells_live += (cap - rows->cap) * size;
	rows->cells = cells;
	rows->cap = cap;
	return true;
}

struct cell *rows_add(struct rows *rows, struct err *err)
{
	struct cell *cells;

	if (!rows_reserve(rows, 1, err))
		return NULL;
	cells = rows_at(rows, rows->n++);
	for (size_t c = 0; c < rows->schema->ncols; c++)
		cells[c] = (struct cell){.ptr = "", .null = true};
	return cells;
}

struct cell *rows_at(const struct rows *rows, size_t i)
{
	return rows->cells + i * rows->schema->ncols;
}

char *rows_alloc(struct rows *rows, size_t len, struct err *err)
{
	char *bytes;

	if (len >= UINT32_MAX) {
		err_set(err, ERR_LIMIT, NULL, "a value of %zu bytes is too long (at most 4 GiB)", len);
		return NULL;
	}
	bytes = arena_alloc(&rows->arena, len);
	if (bytes == NULL)
		err_no_memory(err);
	return bytes;
}

bool rows_set(struct rows *rows, struct cell *cell, const void *bytes, size_t len, struct err *err)
{
	char *copy = rows_alloc(rows, len, err);

	if (copy == NULL)
		return false;
	if (len > 0)
		memcpy(copy, bytes, len);
	*cell = (struct cell){.ptr = copy, .len = (uint32_t)len};
	return true;
}

// A parent that holds no bytes of its own is skipped, so that chains of slices stay short.
void rows_adopt(struct rows *rows, struct rows *parent)
{
	while (parent->arena == NULL && parent->parent != NULL)
		parent = parent->parent;
	rows->parent = rows_ref(parent);
}

struct rows *rows_pick(struct rows *from, const size_t *indices, size_t n, struct err *err)
{
	struct rows *rows = rows_new(from->schema, err);

	if (rows == NULL)
		return NULL;
	if (!rows_reserve(rows, n, err)) {
		rows_unref(rows);
		return NULL;
	}
	rows_adopt(rows, from);
	for (; rows->n < n; rows->n++)
		memcpy(rows_at(rows, rows->n), rows_at(from, indices[rows->n]), row_size(from));
	return rows;
}

// All bytes of the row in one allocation, so that failure leaves no half row.
bool rows_append(struct rows *rows, const struct rows *from, size_t i, struct err *err)
{
	const struct cell *source = rows_at(from, i);
	size_t ncols = rows->schema->ncols, total = 0;
	struct cell *cells;
	char *bytes;

	for (size_t c = 0; c < ncols; c++)
		total += source[c].len;
	bytes = arena_alloc(&rows->arena, total);
	if (bytes == NULL || !rows_reserve(rows, 1, err))
		return err_no_memory(err);
	source = rows_at(from, i); // `from` may be this page, and have moved
	cells = rows_at(rows, rows->n++);
	for (size_t c = 0; c < ncols; c++) {
		cells[c] = source[c];
		cells[c].ptr = bytes;
		if (source[c].len > 0)
			memcpy(bytes, source[c].ptr, source[c].len);
		bytes += source[c].len;
	}
	return true;
}

size_t rows_bytes(const struct rows *rows)
{
	return sizeof *rows + rows->cap * row_size(rows) + arena_size(rows->arena);
}

size_t rows_live_bytes(void)
{
	return cells_live + arena_live();
}
