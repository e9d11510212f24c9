// The leaves of one pass over a system, collected page by page while it is compared, and written to files with their
// roots when it is over. Memory stays flat: they are sorted outside of it. Knows no system; equality is the
// comparison's word, not ours.
#ifndef SYNCRUN_DATA_LEAVES_H
#define SYNCRUN_DATA_LEAVES_H

#include "data/tally.h"

// What is known of each contact from its model row, in the order of the pages, shared by the systems of a run: who
// comes first computes it. Kept in a nameless scratch file.
struct leaf_memo;
struct leaf_memo *leaf_memo_new(const unsigned char key[static LEAF_PART], struct schema *model, const char *key_column,
	const char *scratch, struct err *err);
// Another holder of it; and one less, the last of whom frees it. leaf_memo_unref(NULL) is legal.
struct leaf_memo *leaf_memo_ref(struct leaf_memo *memo);
void leaf_memo_unref(struct leaf_memo *memo);

// The collection for one system. It holds the memo.
struct leaves;
struct leaves *leaves_new(struct leaf_memo *memo, struct schema *expected, struct schema *like, const char *key_column,
	const char *scratch, struct err *err);
void leaves_free(struct leaves *leaves);
// A pass begins anew: what was collected is forgotten.
bool leaves_restart(struct leaves *leaves, struct err *err);

// Some rows of a page, 0-based.
struct leaf_rows {
	const struct rows *page;
	const size_t *list;
	size_t n;
};

// The next page of what is expected, and the model rows it was made of (row i of both is the same contact). All its
// rows were found equal but those in `except`, which were not found, or found different; those in `skip` are left out.
bool leaves_expected(
	struct leaves *leaves, struct leaf_rows except, struct leaf_rows skip, const struct rows *model, struct err *err);
// Rows read of contacts that are expected: those that differ, and each further row of a contact that was met.
bool leaves_observed(struct leaves *leaves, struct leaf_rows rows, struct err *err);
// Rows read of contacts that are not expected.
bool leaves_extra(struct leaves *leaves, struct leaf_rows rows, struct err *err);
// A contact was looked at again: these rows are all there is of it now. rows.page may be NULL when there are none.
bool leaves_revised(struct leaves *leaves, const char *key, size_t len, struct leaf_rows rows, struct err *err);

// Begin writing: the files of the three sides. That of the observed side is made only where it parts from the expected
// one, that of the extras only when there are some.
bool leaves_write(struct leaves *leaves, const char *const paths[static TALLY_SIDES], struct err *err);
// Write on, about n leaves; *done when all are written and on the disk.
bool leaves_step(struct leaves *leaves, size_t n, bool *done, struct err *err);
// Sizes and roots, once done.
const struct tally *leaves_tally(const struct leaves *leaves);

#endif
