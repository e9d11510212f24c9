// Reading JSON pages by paths: the paths make two tries, one from the top of the text (rows and extras), one from each
// row (columns), and the text is walked once along them. Knows nothing of what a column's text must look like.
#include "data/page.h"

#include <stdlib.h>
#include <string.h>

#include "data/page_cell.h"

enum { NONE = -1 };

struct node {
	const char *path; // borrowed from page_paths.texts; the first path_len bytes lead here
	size_t path_len;
	size_t name; // offset of its own name in the path
	struct node *child, *next;
	struct node *hint; // the child that comes after the one found last: names mostly come in one order
	size_t target;     // 1 + the first column or extra that ends here; 0 for none
	size_t seen;       // the stamp of the last row (above the rows: of the last text) it was met in
};

struct page_paths {
	struct node *nodes; // an array; the first two are the roots
	size_t nnodes;
	char **texts; // copies of all paths: columns, extras, rows
	size_t ntexts;
	size_t ncolumns, nextras;
	size_t *same; // per column, then per extra: 1 + the next one with the same path
	struct node *rows;
	size_t stamp; // counts texts and rows, so that `seen` need never be reset
};

struct walk {
	struct page_paths *paths;
	struct json_reader reader;
	struct rows *rows;
	struct page_value *extras;
	struct buf scratch;
	size_t stamp; // of the text
	bool in_row, found;
};

static bool walk_value(struct walk *w, struct node *node, const struct json_token *token, struct err *err);

static struct node *outer_root(const struct page_paths *p)
{
	return &p->nodes[0];
}

static struct node *inner_root(const struct page_paths *p)
{
	return &p->nodes[1];
}

static bool same_name(const struct node *node, const char *name, size_t len)
{
	return node->path_len - node->name == len && memcmp(node->path + node->name, name, len) == 0;
}

// The child of that name, made when missing. There is room: a path makes at most a node per byte.
static struct node *add_child(struct page_paths *p, struct node *parent, const char *path, size_t name, size_t end)
{
	struct node **link = &parent->child;

	while (*link != NULL && !same_name(*link, path + name, end - name))
		link = &(*link)->next;
	if (*link == NULL) {
		*link = &p->nodes[p->nnodes++];
		(*link)->path = path;
		(*link)->path_len = end;
		(*link)->name = name;
	}
	return *link;
}

// Copy the path and lead it from the root to its node.
static struct node *add_path(struct page_paths *p, struct node *root, const char *path, struct err *err)
{
	size_t len = strlen(path), start = 0;
	char *copy = malloc(len + 1);
	struct node *node = root;

	if (copy == NULL) {
		err_no_memory(err);
		return NULL;
	}
	memcpy(copy, path, len + 1);
	p->texts[p->ntexts++] = copy;
	while (start <= len) {
		size_t end = start + strcspn(copy + start, ".");

		if (end == start) {
			err_set(
				err, ERR_USAGE, NULL, "'%s' is not a path (a name in it is empty); write names joined by dots", path);
			return NULL;
		}
		node = add_child(p, node, copy, start, end);
		start = end + 1;
	}
	return node;
}

static bool add_target(
	struct page_paths *p, struct node *root, const char *path, size_t target, size_t base, struct err *err)
{
	struct node *node = add_path(p, root, path, err);

	if (node == NULL)
		return false;
	p->same[base + target] = node->target;
	node->target = target + 1;
	return true;
}

static bool add_rows_path(struct page_paths *p, const char *rows, struct err *err)
{
	p->rows = rows[0] == '\0' ? outer_root(p) : add_path(p, outer_root(p), rows, err);
	if (p->rows == NULL)
		return false;
	if (p->rows->target != 0 || p->rows->child != NULL)
		return err_set(err, ERR_USAGE, NULL, "the path of the rows '%s' is an extra path too, or leads to one", rows);
	return true;
}

static size_t names_in(const char *path)
{
	size_t n = 1;

	for (; *path != '\0'; path++)
		n += *path == '.' ? 1 : 0;
	return n;
}

static bool paths_alloc(struct page_paths *p, const char *rows, const char *const *columns, size_t ncolumns,
	const char *const *extras, size_t nextras)
{
	size_t nodes = 2 + names_in(rows);

	for (size_t i = 0; i < ncolumns; i++)
		nodes += names_in(columns[i]);
	for (size_t i = 0; i < nextras; i++)
		nodes += names_in(extras[i]);
	p->nodes = calloc(nodes, sizeof *p->nodes);
	p->texts = calloc(ncolumns + nextras + 1, sizeof *p->texts);
	p->same = calloc(ncolumns + nextras + 1, sizeof *p->same);
	p->nnodes = 2;
	p->ncolumns = ncolumns;
	p->nextras = nextras;
	return p->nodes != NULL && p->texts != NULL && p->same != NULL;
}

static bool paths_fill(struct page_paths *p, const char *rows, const char *const *columns, size_t ncolumns,
	const char *const *extras, size_t nextras, struct err *err)
{
	for (size_t i = 0; i < ncolumns; i++)
		if (!add_target(p, inner_root(p), columns[i], i, 0, err))
			return false;
	for (size_t i = 0; i < nextras; i++)
		if (!add_target(p, outer_root(p), extras[i], i, ncolumns, err))
			return false;
	return add_rows_path(p, rows, err);
}

struct page_paths *page_paths_new(const char *rows, const char *const *columns, size_t ncolumns,
	const char *const *extras, size_t nextras, struct err *err)
{
	struct page_paths *p = calloc(1, sizeof *p);

	if (p == NULL || !paths_alloc(p, rows, columns, ncolumns, extras, nextras)) {
		page_paths_free(p);
		err_no_memory(err);
		return NULL;
	}
	if (!paths_fill(p, rows, columns, ncolumns, extras, nextras, err)) {
		page_paths_free(p);
		return NULL;
	}
	return p;
}

void page_paths_free(struct page_paths *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->ntexts; i++)
		free(p->texts[i]);
	free(p->texts);
	free(p->nodes);
	free(p->same);
	free(p);
}

static size_t next_target(const struct walk *w, size_t target)
{
	return w->paths->same[target - 1 + (w->in_row ? 0 : w->paths->ncolumns)];
}

static struct cell *cell_of(const struct walk *w, size_t target)
{
	return rows_at(w->rows, w->rows->n - 1) + (target - 1);
}

static bool fail_node(const struct walk *w, const struct node *node, struct err *err)
{
	return page_fail(err, node->path != NULL ? node->path : "the page", node->path != NULL ? node->path_len : 8,
		w->in_row ? w->rows->n : 0);
}

// A name came again in the row: forget what its first value gave.
static void clear_node(struct walk *w, struct node *node)
{
	for (size_t t = node->target; t != 0; t = next_target(w, t)) {
		cell_of(w, t)->null = true;
		cell_of(w, t)->len = 0;
	}
	for (struct node *child = node->child; child != NULL; child = child->next)
		clear_node(w, child);
}

static bool set_cell(
	struct walk *w, size_t target, const struct json_token *token, const char *raw, size_t raw_len, struct err *err)
{
	enum col_type type = w->rows->schema->cols[target - 1].type;
	struct cell *cell = cell_of(w, target);

	if (token->type == JSON_NULL)
		return true;
	if (type == COL_JSON)
		return rows_set(w->rows, cell, raw, raw_len, err);
	if (token->type == JSON_OBJECT || token->type == JSON_ARRAY)
		return page_wrong_shape(err, token->type, col_type_name(type));
	return page_set_scalar(w->rows, cell, type, token, &w->scratch, err);
}

static bool set_targets(
	struct walk *w, const struct node *node, const struct json_token *token, const char *raw, struct err *err)
{
	size_t len = (size_t)(w->reader.at - raw);

	for (size_t t = node->target; t != 0; t = next_target(w, t)) {
		if (!w->in_row) {
			w->extras[t - 1].text = raw;
			w->extras[t - 1].len = len;
		} else if (!set_cell(w, t, token, raw, len, err)) {
			return fail_node(w, node, err);
		}
	}
	return true;
}

// The child of that name, or NULL; false when memory runs out.
static bool find_child(
	struct walk *w, struct node *node, const struct json_token *name, struct node **found, struct err *err)
{
	const char *text = name->text;
	size_t len = name->len;
	struct node *child = node->hint;

	if (name->escaped) {
		buf_clear(&w->scratch);
		if (!buf_reserve(&w->scratch, len))
			return err_no_memory(err);
		len = json_unescape(w->scratch.data, text, len);
		text = w->scratch.data;
	}
	if (child == NULL || !same_name(child, text, len))
		for (child = node->child; child != NULL && !same_name(child, text, len);)
			child = child->next;
	if (child != NULL)
		node->hint = child->next;
	*found = child;
	return true;
}

static bool walk_object(struct walk *w, struct node *node, struct err *err)
{
	struct json_token token;

	for (;;) {
		struct node *child = NULL;

		if (!json_next(&w->reader, &token, err))
			return false;
		if (token.type == JSON_OBJECT_END)
			return true;
		if (!find_child(w, node, &token, &child, err) || !json_next(&w->reader, &token, err))
			return false;
		if (!(child != NULL ? walk_value(w, child, &token, err) : json_finish(&w->reader, &token, NULL, NULL, err)))
			return false;
	}
}

static bool walk_row(struct walk *w, const struct json_token *token, struct err *err)
{
	bool ok;

	if (rows_add(w->rows, err) == NULL)
		return false;
	w->in_row = true;
	w->paths->stamp++;
	if (token->type != JSON_OBJECT) {
		page_wrong_shape(err, token->type, "an object");
		return fail_node(w, w->paths->rows, err);
	}
	ok = walk_object(w, inner_root(w->paths), err);
	w->in_row = false;
	return ok;
}

static bool walk_rows(struct walk *w, struct node *node, const struct json_token *token, struct err *err)
{
	struct json_token row;

	if (token->type == JSON_NULL)
		return true;
	if (token->type != JSON_ARRAY) {
		page_wrong_shape(err, token->type, "an array");
		return fail_node(w, node, err);
	}
	w->found = true;
	for (;;) {
		if (!json_next(&w->reader, &row, err))
			return false;
		if (row.type == JSON_ARRAY_END)
			return true;
		if (!walk_row(w, &row, err))
			return false;
	}
}

// A value met again: in a row the last one counts, above the rows the page cannot be trusted.
static bool walk_again(struct walk *w, struct node *node, struct err *err)
{
	if (w->in_row) {
		clear_node(w, node);
		return true;
	}
	err_set(err, ERR_JSON, "shape", "the name is given twice");
	return fail_node(w, node, err);
}

static bool walk_value(struct walk *w, struct node *node, const struct json_token *token, struct err *err)
{
	const char *raw = token->type == JSON_STRING ? token->text - 1 : token->text;
	size_t stamp = w->in_row ? w->paths->stamp : w->stamp;

	if (node->seen == stamp && !walk_again(w, node, err))
		return false;
	node->seen = stamp;
	if (node == w->paths->rows)
		return walk_rows(w, node, token, err);
	if (node->child != NULL && token->type == JSON_OBJECT) {
		if (!walk_object(w, node, err))
			return false;
	} else if (node->child != NULL && token->type != JSON_NULL) {
		page_wrong_shape(err, token->type, "an object");
		return fail_node(w, node, err);
	} else if (!json_finish(&w->reader, token, NULL, NULL, err)) {
		return false;
	}
	return node->target == 0 || set_targets(w, node, token, raw, err);
}

bool page_read_json(struct page_paths *paths, const char *text, size_t len, struct rows *rows,
	struct page_value *extras, bool *missing, struct err *err)
{
	struct walk w = {.paths = paths, .rows = rows, .extras = extras};
	struct json_token token;
	bool ok;

	for (size_t i = 0; i < paths->nextras; i++)
		extras[i] = (struct page_value){0};
	w.stamp = ++paths->stamp;
	json_reader_init(&w.reader, text, len);
	ok = json_next(&w.reader, &token, err) && walk_value(&w, outer_root(paths), &token, err) &&
		 json_next(&w.reader, &token, err);
	*missing = !w.found;
	buf_free(&w.scratch);
	return ok;
}
