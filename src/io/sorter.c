// Sorting: runs of what memory holds, sorted by the first bits and finished by comparison; written to a scratch file
// when there are several, and merged from there by a heap.
#include "io/records.h"

#include <stdlib.h>
#include <string.h>

enum {
	ROOM = 2 * 1024 * 1024,       // bytes of records held
	MERGE_ROOM = 4 * 1024 * 1024, // of all windows of a merge together
	PREFIX_BITS = 14,
	BUCKETS = 1 << PREFIX_BITS,
	FEW = 16, // records that insertion sorts fast
};

// A sorted stretch of the scratch file, as the merge reads it.
struct run {
	uint64_t at, end; // records not yet in the window
	unsigned char *window;
	size_t pos, held;
};

struct sorter {
	char *path;
	size_t len, n, cap, most; // of the records held: bytes of one; their number; room; the most
	unsigned char *records;
	const unsigned char **order;
	struct records *scratch;
	struct run *runs;
	size_t nruns, window; // records of a window
	size_t *heap;         // runs, the least record first
	size_t nheap;
	bool ended, failed;
	size_t at; // of order, when nothing went to the scratch file
};

struct sorter *sorter_new(const char *path, size_t len, struct err *err)
{
	struct sorter *s = calloc(1, sizeof *s);

	if (s != NULL)
		s->path = strdup(path);
	if (s == NULL || s->path == NULL) {
		free(s);
		err_no_memory(err);
		return NULL;
	}
	s->len = len;
	s->most = ROOM / len;
	return s;
}

// ---- one run

static size_t bucket_of(const unsigned char *record)
{
	return (size_t)(record[0] << 8 | record[1]) >> (16 - PREFIX_BITS);
}

static void insertion_sort(const unsigned char **list, size_t n, size_t len)
{
	for (size_t i = 1; i < n; i++) {
		const unsigned char *record = list[i];
		size_t at = i;

		for (; at > 0 && memcmp(list[at - 1], record, len) > 0; at--)
			list[at] = list[at - 1];
		list[at] = record;
	}
}

static size_t compared_len; // of qsort's records: it hands no context on

static int compare_listed(const void *a, const void *b)
{
	const unsigned char *const *left = a, *const *right = b;

	return memcmp(*left, *right, compared_len);
}

static void sort_bucket(const unsigned char **list, size_t n, size_t len)
{
	if (n <= FEW) {
		insertion_sort(list, n, len);
		return;
	}
	compared_len = len;
	qsort(list, n, sizeof *list, compare_listed);
}

// Keyed digests are spread evenly, so that almost all of the order comes from the first bits.
static bool sort_held(struct sorter *s, struct err *err)
{
	uint32_t *ends = calloc(BUCKETS + 1, sizeof *ends);
	size_t from = 0;

	if (ends == NULL)
		return err_no_memory(err);
	for (size_t i = 0; i < s->n; i++)
		ends[bucket_of(s->records + i * s->len) + 1]++;
	for (size_t b = 1; b <= BUCKETS; b++)
		ends[b] += ends[b - 1];
	for (size_t i = 0; i < s->n; i++) {
		const unsigned char *record = s->records + i * s->len;

		s->order[ends[bucket_of(record)]++] = record;
	}
	for (size_t b = 0; b < BUCKETS; from = ends[b++])
		sort_bucket(s->order + from, ends[b] - from, s->len);
	free(ends);
	return true;
}

static bool add_run(struct sorter *s, uint64_t at, uint64_t end, struct err *err)
{
	if ((s->nruns & (s->nruns - 1)) == 0) {
		struct run *runs = realloc(s->runs, (s->nruns > 0 ? s->nruns * 2 : 1) * sizeof *runs);

		if (runs == NULL)
			return err_no_memory(err);
		s->runs = runs;
	}
	s->runs[s->nruns++] = (struct run){.at = at, .end = end};
	return true;
}

// What is held goes to the scratch file, sorted.
static bool spill(struct sorter *s, struct err *err)
{
	uint64_t at;

	if (s->scratch == NULL && (s->scratch = records_scratch(s->path, s->len, err)) == NULL)
		return false;
	if (!sort_held(s, err))
		return false;
	at = records_count(s->scratch);
	for (size_t i = 0; i < s->n; i++)
		if (!records_put(s->scratch, s->order[i], err))
			return false;
	s->n = 0;
	return add_run(s, at, records_count(s->scratch), err);
}

static bool grow(struct sorter *s, struct err *err)
{
	size_t cap = s->cap == 0 ? 64 : s->cap * 2 < s->most ? s->cap * 2 : s->most;
	unsigned char *records = realloc(s->records, cap * s->len);
	const unsigned char **order;

	if (records == NULL)
		return err_no_memory(err);
	s->records = records;
	order = realloc(s->order, cap * sizeof *order);
	if (order == NULL)
		return err_no_memory(err);
	s->order = order;
	s->cap = cap;
	return true;
}

bool sorter_add(struct sorter *s, const void *record, struct err *err)
{
	if (s->ended)
		return err_set(err, ERR_USAGE, NULL, "the records are being read in order: none can be added");
	if (s->n == s->most && !spill(s, err))
		return false;
	if (s->n == s->cap && !grow(s, err))
		return false;
	memcpy(s->records + s->n++ * s->len, record, s->len);
	return true;
}

// ---- merging

static const unsigned char *run_record(const struct sorter *s, size_t run)
{
	return s->runs[run].window + s->runs[run].pos * s->len;
}

static bool run_refill(struct sorter *s, struct run *run, struct err *err)
{
	size_t want = run->end - run->at < s->window ? (size_t)(run->end - run->at) : s->window;

	for (size_t i = 0; i < want; i++) {
		const void *record = records_at(s->scratch, run->at + i, err);

		if (record == NULL)
			return false;
		memcpy(run->window + i * s->len, record, s->len);
	}
	run->at += want;
	run->pos = 0;
	run->held = want;
	return true;
}

static bool less(const struct sorter *s, size_t a, size_t b)
{
	return memcmp(run_record(s, s->heap[a]), run_record(s, s->heap[b]), s->len) < 0;
}

static void heap_swap(struct sorter *s, size_t a, size_t b)
{
	size_t run = s->heap[a];

	s->heap[a] = s->heap[b];
	s->heap[b] = run;
}

static void sift_down(struct sorter *s, size_t at)
{
	for (;;) {
		size_t least = at, left = 2 * at + 1;

		if (left < s->nheap && less(s, left, least))
			least = left;
		if (left + 1 < s->nheap && less(s, left + 1, least))
			least = left + 1;
		if (least == at)
			return;
		heap_swap(s, at, least);
		at = least;
	}
}

static bool open_run(struct sorter *s, size_t i, struct err *err)
{
	s->runs[i].window = malloc(s->window * s->len);
	if (s->runs[i].window == NULL)
		return err_no_memory(err);
	s->heap[s->nheap++] = i;
	return run_refill(s, &s->runs[i], err);
}

static bool begin_merge(struct sorter *s, struct err *err)
{
	if (s->n > 0 && !spill(s, err))
		return false;
	free(s->records);
	free(s->order);
	s->records = NULL;
	s->order = NULL;
	s->window = MERGE_ROOM / s->len / s->nruns + 1;
	s->heap = calloc(s->nruns, sizeof *s->heap);
	if (s->heap == NULL)
		return err_no_memory(err);
	for (size_t i = 0; i < s->nruns; i++)
		if (!open_run(s, i, err))
			return false;
	for (size_t i = s->nheap; i > 0; i--)
		sift_down(s, i - 1);
	return true;
}

static bool begin_reading(struct sorter *s, struct err *err)
{
	s->ended = true;
	if (s->scratch != NULL)
		return begin_merge(s, err);
	return s->n == 0 || sort_held(s, err);
}

// Step over the record that was handed out: it is the first of the heap.
static bool pop(struct sorter *s, struct err *err)
{
	struct run *run = &s->runs[s->heap[0]];

	if (++run->pos == run->held && !run_refill(s, run, err))
		return false;
	if (run->held == 0)
		s->heap[0] = s->heap[--s->nheap];
	sift_down(s, 0);
	return true;
}

static bool next(struct sorter *s, const void **record, struct err *err)
{
	bool first = !s->ended;

	if (first && !begin_reading(s, err))
		return false;
	if (s->scratch == NULL) {
		*record = s->at < s->n ? s->order[s->at++] : NULL;
		return true;
	}
	if (!first && s->nheap > 0 && !pop(s, err))
		return false;
	*record = s->nheap > 0 ? run_record(s, s->heap[0]) : NULL;
	return true;
}

bool sorter_next(struct sorter *s, const void **record, struct err *err)
{
	*record = NULL;
	if (s->failed)
		return err_set(err, ERR_USAGE, NULL, "the sorting has failed before and is over");
	s->failed = !next(s, record, err);
	return !s->failed;
}

void sorter_free(struct sorter *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->nruns; i++)
		free(s->runs[i].window);
	records_close(s->scratch);
	free(s->runs);
	free(s->heap);
	free(s->records);
	free(s->order);
	free(s->path);
	free(s);
}
