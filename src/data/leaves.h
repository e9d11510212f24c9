// The leaves of one pass over a system, collected page by page while it is compared, and written to files with their
// roots when it is over. Memory stays flat: they are sorted outside of it. Knows no system; equality is the
// comparison's word, not ours.
#ifndef SYNCRUN_DATA_LEAVES_H
#define SYNCRUN_DATA_LEAVES_H

#include "data/tally.h"

// What is known of each contact from its model row, shared by the systems of a run and kept in a nameless scratch file:
// computed when the source is read, or else by the system that comes first.
struct leaf_memo;
struct leaf_memo *leaf_memo_new(const unsigned char key[static LEAF_PART], struct schema *model, const char *key_column,
	const char *scratch, struct err *err);
// Another holder of it; and one less, the last of whom frees it. leaf_memo_unref(NULL) is legal.
struct leaf_memo *leaf_memo_ref(struct leaf_memo *memo);
void leaf_memo_unref(struct leaf_memo *memo);

// A page of the source, as it comes: what is to be known of its rows. To `digests` (a key and a bytes column) a row is
// added for each, with its key and the first LEAF_SHORT bytes of its d.
enum { LEAF_SHORT = 16 };
bool leaf_memo_see(struct leaf_memo *memo, const struct rows *page, struct rows *digests, struct err *err);
// The source is read. `bad`: the numbers of the rows that are not synced, from 0, rising. The others are met in the
// order of their keys; where they did not come in it, all is computed anew when they are met.
bool leaf_memo_seal(struct leaf_memo *memo, const uint64_t *bad, size_t n, struct err *err);
// The source is read anew: what was seen is forgotten.
bool leaf_memo_forget(struct leaf_memo *memo, struct err *err);
// The same digests of any rows, without a memo.
bool leaf_digests(
	struct canon *canon, const struct rows *page, const char *key_column, struct rows *digests, struct err *err);

// The collection for one system, whose expected rows this plan makes; `like` are the columns of them that count. It
// holds the memo.
struct leaves;
struct leaves *leaves_new(struct leaf_memo *memo, const struct plan *plan, struct schema *like, const char *key_column,
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
// A contact was looked at again: the row of a page as it is expected now, and all rows there are of it (rows.page may
// be NULL when there are none).
bool leaves_revised(
	struct leaves *leaves, const struct rows *expected, size_t i, struct leaf_rows rows, struct err *err);

// Begin writing: the files of the three sides. That of the observed side is made only where it parts from the expected
// one, that of the extras only when there are some.
bool leaves_write(struct leaves *leaves, const char *const paths[static TALLY_SIDES], struct err *err);
// Write on, about n leaves; *done when all are written and on the disk.
bool leaves_step(struct leaves *leaves, size_t n, bool *done, struct err *err);
// Sizes and roots, once done.
const struct tally *leaves_tally(const struct leaves *leaves);

#endif
