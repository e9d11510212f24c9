// The sorted merge of what is expected with what a system holds: two streams of pages, both in byte order of a key,
// answered by indices into the pages held. Memory is two pages, however long the streams. Knows no system, fetches
// nothing.
//
// The expected side has each key once; the actual side may repeat one (`again`). A page stays in use until the side
// asks for the next one: an expected row that was met is held until the actual side has gone past its key.
#ifndef SYNCRUN_DATA_MERGE_H
#define SYNCRUN_DATA_MERGE_H

#include "data/rows.h"

enum merge_side { MERGE_EXPECTED, MERGE_ACTUAL };
// What a step ended with: a side needs its next page, or all is compared.
enum merge_need { MERGE_NEED_EXPECTED, MERGE_NEED_ACTUAL, MERGE_DONE };

#define MERGE_NO_ROW SIZE_MAX

struct merge_pair {
	size_t e, a; // rows of the pages held; MERGE_NO_ROW where there is none
};

struct merge_list {
	struct merge_pair *items;
	size_t n, cap;
};

// What the steps since merge_forget found.
struct merge_found {
	uint64_t same;
	struct merge_list differ;  // both; some compared column is not equal
	struct merge_list missing; // only e
	struct merge_list extra;   // only a
	struct merge_list again;   // a repeats the key of the actual row before it; e: the expected row of that key, if any
};

struct merge;

// The key is a column of both; compared are the columns of `expected` (the key apart), by name, which `actual` must
// have with the same types. NULL with err on failure.
struct merge *merge_new(struct schema *expected, struct schema *actual, const char *key, struct err *err);
void merge_free(struct merge *merge);
// Give a side the page it asked for, NULL for the end of the stream. The page is held by reference. Refused while found
// rows would lose their page: merge_forget first.
bool merge_feed(struct merge *merge, enum merge_side side, struct rows *page, struct err *err);
// Compare as far as the pages go. Fails when a key is NULL, out of order, or repeated on the expected side; the merge
// is then over.
bool merge_step(struct merge *merge, enum merge_need *need, struct err *err);
const struct merge_found *merge_found(const struct merge *merge);
void merge_forget(struct merge *merge);

#endif
