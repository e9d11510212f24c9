// The Merkle tree of RFC 6962, section 2 (the same as RFC 9162's with SHA-256): SHA-256(0x00 || leaf), SHA-256(0x01 ||
// left || right), SHA-256("") for none; an odd node is lifted, never doubled. Knows nothing of what the leaves are.
#ifndef SYNCRUN_DATA_TREE_H
#define SYNCRUN_DATA_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { TREE_HASH = 32, TREE_LEVELS = 64 };

// A tree that grows at its right end: of it only the roots of its complete subtrees are kept. Zero-initialise; plain
// data, a copy grows on its own.
struct tree {
	uint64_t size;
	size_t n; // subtrees, the largest first: one for each bit of size
	unsigned char nodes[TREE_LEVELS][TREE_HASH];
};

bool tree_add(struct tree *tree, const void *leaf, size_t len, struct err *err);
bool tree_root(const struct tree *tree, unsigned char root[static TREE_HASH], struct err *err);

// Where the leaves of a whole tree come from: *leaf is valid until the next call. Asked for rising i in a row.
struct tree_leaves {
	uint64_t size;
	void *of;
	bool (*at)(void *of, uint64_t i, const void **leaf, size_t *len, struct err *err);
};

// The root over the first `size` leaves.
bool tree_root_of(
	const struct tree_leaves *leaves, uint64_t size, unsigned char root[static TREE_HASH], struct err *err);
// Proofs are appended to out, hash behind hash. All read each leaf of the tree at most once.
// PATH(i, D[size]), RFC 6962, section 2.1.1: the leaf's sibling first. i < size.
bool tree_inclusion(const struct tree_leaves *leaves, uint64_t i, struct buf *out, struct err *err);
// PROOF(old, D[size]), section 2.1.2; nothing for old = 0 and old = size. old <= size.
bool tree_consistency(const struct tree_leaves *leaves, uint64_t old, struct buf *out, struct err *err);
// A stretch of leaves: from <= i < to.
struct tree_span {
	uint64_t from, to;
};
// What is needed beside the leaves of a span that is not empty to compute the root: the roots of the largest complete
// subtrees that hold none of them, from left to right.
bool tree_range(const struct tree_leaves *leaves, struct tree_span span, struct buf *out, struct err *err);

// The other side: *good tells whether the proof holds; false is returned only when hashing fails.
bool tree_check_inclusion(const void *leaf, size_t len, uint64_t i, uint64_t size, const struct buf *proof,
	const unsigned char root[static TREE_HASH], bool *good, struct err *err);
bool tree_check_consistency(uint64_t old, const unsigned char old_root[static TREE_HASH], uint64_t size,
	const unsigned char root[static TREE_HASH], const struct buf *proof, bool *good, struct err *err);
// The leaves of the span, each of `len` bytes, one behind the other.
bool tree_check_range(const void *range, size_t len, struct tree_span span, uint64_t size, const struct buf *proof,
	const unsigned char root[static TREE_HASH], bool *good, struct err *err);

#endif
