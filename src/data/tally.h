// From the leaves that a pass over a system met to the three trees of its proof: what is expected there, what was read
// of it, and what the system holds beside. Records come sorted; what was looked at again counts as it was seen last.
#ifndef SYNCRUN_DATA_TALLY_H
#define SYNCRUN_DATA_TALLY_H

#include "data/leaf.h"
#include "data/tree.h"

enum tally_tag {
	TALLY_BOTH,     // expected, and one row read that is equal: v is that of both
	TALLY_EXPECTED, // expected; what was read of it, if anything, is told by other records
	TALLY_OBSERVED, // a row read of a contact that is expected
	TALLY_REVISED,  // the same, when it was looked at again: the latest look replaces all that was seen before
	TALLY_GONE,     // looked at again, and not there
	TALLY_AMENDED,  // what is expected of a contact, when it was looked at again
	TALLY_EXTRA,    // a row of a contact that is not expected
};

// As it is sorted: by contact, then by tag, then by look.
struct tally_record {
	unsigned char b[LEAF_PART];
	unsigned char tag;
	unsigned char look[7]; // big-endian: which look, for REVISED, GONE and AMENDED
	unsigned char v[LEAF_PART];
};

enum tally_side { TALLY_SIDE_EXPECTED, TALLY_SIDE_OBSERVED, TALLY_SIDE_EXTRAS, TALLY_SIDES };

struct tally {
	// Takes each leaf, side by side in rising order. The observed side begins where it parts from the expected one: its
	// leaves before that are the first observed.size of the expected side.
	bool (*put)(void *to, enum tally_side side, const unsigned char leaf[static LEAF_SIZE], struct err *err);
	void *to;
	struct tree trees[TALLY_SIDES];
	bool parted;       // some contact is not as expected
	uint64_t repeated; // contacts, expected or not, that the system holds more than once
	// the contact under way
	struct tally_record first;
	bool open, expected;
	unsigned char v[LEAF_PART]; // expected
	struct buf observed;        // their v, one behind the other
	uint64_t look, amended;     // the latest of what was read, and of what is expected
	size_t nextra;
};

struct tally_record tally_record_of(const unsigned char *b, enum tally_tag tag, uint64_t look, const unsigned char *v);
// The next record in order. Fails when a contact is expected twice, or both expected and extra: then the pass was
// wrong.
bool tally_add(struct tally *tally, const struct tally_record *record, struct err *err);
// There are no more. Afterwards the trees are complete.
bool tally_finish(struct tally *tally, struct err *err);
// Size and root of a side.
uint64_t tally_size(const struct tally *tally, enum tally_side side);
bool tally_root(const struct tally *tally, enum tally_side side, unsigned char root[static TREE_HASH], struct err *err);
void tally_free(struct tally *tally);

#endif
