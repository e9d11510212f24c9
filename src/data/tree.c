// The tree, its proofs, and their verification. The recursions are those of RFC 6962; their depth is that of the tree.
#include "data/tree.h"

#include <string.h>

#include "io/crypto.h"

static bool hash_leaf(const void *leaf, size_t len, unsigned char out[static TREE_HASH], struct err *err)
{
	return crypto_digest_two(CRYPTO_SHA256, "\0", 1, leaf, len, out, err);
}

// out may be left or right.
static bool hash_node(
	const unsigned char *left, const unsigned char *right, unsigned char out[static TREE_HASH], struct err *err)
{
	unsigned char text[1 + 2 * TREE_HASH];

	text[0] = 1;
	memcpy(text + 1, left, TREE_HASH);
	memcpy(text + 1 + TREE_HASH, right, TREE_HASH);
	return crypto_digest(CRYPTO_SHA256, text, sizeof text, out, err);
}

bool tree_add(struct tree *tree, const void *leaf, size_t len, struct err *err)
{
	if (!hash_leaf(leaf, len, tree->nodes[tree->n], err))
		return false;
	tree->n++;
	tree->size++;
	for (uint64_t size = tree->size; (size & 1) == 0; size >>= 1) {
		tree->n--;
		if (!hash_node(tree->nodes[tree->n - 1], tree->nodes[tree->n], tree->nodes[tree->n - 1], err))
			return false;
	}
	return true;
}

bool tree_root(const struct tree *tree, unsigned char root[static TREE_HASH], struct err *err)
{
	if (tree->n == 0)
		return crypto_digest(CRYPTO_SHA256, "", 0, root, err);
	memcpy(root, tree->nodes[tree->n - 1], TREE_HASH);
	for (size_t i = tree->n - 1; i > 0; i--)
		if (!hash_node(tree->nodes[i - 1], root, root, err))
			return false;
	return true;
}

// ---- proofs

// The root over the leaves from..to.
static bool root_between(
	const struct tree_leaves *leaves, uint64_t from, uint64_t to, unsigned char root[static TREE_HASH], struct err *err)
{
	struct tree tree = {.size = 0};

	for (uint64_t i = from; i < to; i++) {
		const void *leaf;
		size_t len;

		if (!leaves->at(leaves->of, i, &leaf, &len, err) || !tree_add(&tree, leaf, len, err))
			return false;
	}
	return tree_root(&tree, root, err);
}

bool tree_root_of(
	const struct tree_leaves *leaves, uint64_t size, unsigned char root[static TREE_HASH], struct err *err)
{
	return root_between(leaves, 0, size, root, err);
}

static bool put_root(const struct tree_leaves *leaves, uint64_t from, uint64_t to, struct buf *out, struct err *err)
{
	unsigned char root[TREE_HASH];

	return root_between(leaves, from, to, root, err) && (buf_put(out, root, sizeof root) || err_no_memory(err));
}

// Where a tree of n > 1 leaves divides: the largest power of two below n.
static uint64_t split(uint64_t n)
{
	uint64_t k = 1;

	while (k < n - k)
		k <<= 1;
	return k;
}

static bool put_path(
	const struct tree_leaves *leaves, uint64_t from, uint64_t to, uint64_t i, struct buf *out, struct err *err)
{
	uint64_t middle;

	if (to - from == 1)
		return true;
	middle = from + split(to - from);
	if (i < middle)
		return put_path(leaves, from, middle, i, out, err) && put_root(leaves, middle, to, out, err);
	return put_path(leaves, middle, to, i, out, err) && put_root(leaves, from, middle, out, err);
}

bool tree_inclusion(const struct tree_leaves *leaves, uint64_t i, struct buf *out, struct err *err)
{
	return put_path(leaves, 0, leaves->size, i, out, err);
}

// SUBPROOF(old, D[from:to], known): known is that the verifier has the root of this subtree already.
static bool put_subproof(const struct tree_leaves *leaves, uint64_t from, uint64_t to, uint64_t old, bool known,
	struct buf *out, struct err *err)
{
	uint64_t k;

	if (old == to - from)
		return known || put_root(leaves, from, to, out, err);
	k = split(to - from);
	if (old <= k)
		return put_subproof(leaves, from, from + k, old, known, out, err) && put_root(leaves, from + k, to, out, err);
	return put_subproof(leaves, from + k, to, old - k, false, out, err) && put_root(leaves, from, from + k, out, err);
}

bool tree_consistency(const struct tree_leaves *leaves, uint64_t old, struct buf *out, struct err *err)
{
	return old == 0 || put_subproof(leaves, 0, leaves->size, old, true, out, err);
}

static bool is_apart(struct tree_span span, uint64_t from, uint64_t to)
{
	return to <= span.from || from >= span.to;
}

static bool put_beside(const struct tree_leaves *leaves, uint64_t from, uint64_t to, struct tree_span span,
	struct buf *out, struct err *err)
{
	uint64_t middle;

	if (is_apart(span, from, to))
		return put_root(leaves, from, to, out, err);
	if (span.from <= from && to <= span.to)
		return true;
	middle = from + split(to - from);
	return put_beside(leaves, from, middle, span, out, err) && put_beside(leaves, middle, to, span, out, err);
}

bool tree_range(const struct tree_leaves *leaves, struct tree_span span, struct buf *out, struct err *err)
{
	return put_beside(leaves, 0, leaves->size, span, out, err);
}

// ---- verification

// The hashes of a proof, taken one by one.
struct taken {
	const struct buf *proof;
	size_t at;
	bool short_of; // one was wanted that is not there
};

static bool is_whole(const struct taken *taken)
{
	return !taken->short_of && taken->at == taken->proof->len;
}

static const unsigned char *take(struct taken *taken)
{
	static const unsigned char none[TREE_HASH];

	if (taken->proof->len - taken->at < TREE_HASH) {
		taken->short_of = true;
		return none;
	}
	taken->at += TREE_HASH;
	return (const unsigned char *)taken->proof->data + taken->at - TREE_HASH;
}

static bool same_hash(const unsigned char *a, const unsigned char *b)
{
	return memcmp(a, b, TREE_HASH) == 0;
}

// A way up the tree: the number of the node, and of the last one, of the present level.
struct climb {
	uint64_t at, last;
};

static void climb_up(struct climb *climb)
{
	climb->at >>= 1;
	climb->last >>= 1;
}

// Whether the next hash of a proof stands on the left; an odd node at the right end is lifted to where it has a
// sibling.
static bool climb_is_right(struct climb *climb)
{
	if ((climb->at & 1) == 0 && climb->at != climb->last)
		return false;
	while ((climb->at & 1) == 0 && climb->at != 0)
		climb_up(climb);
	return true;
}

// RFC 9162, section 2.1.3.2.
bool tree_check_inclusion(const void *leaf, size_t len, uint64_t i, uint64_t size, const struct buf *proof,
	const unsigned char root[static TREE_HASH], bool *good, struct err *err)
{
	struct climb climb = {i, size - 1};
	struct taken taken = {.proof = proof};
	unsigned char hash[TREE_HASH];

	*good = false;
	if (i >= size)
		return true;
	if (!hash_leaf(leaf, len, hash, err))
		return false;
	for (; climb.last > 0; climb_up(&climb)) {
		const unsigned char *other = take(&taken);
		bool right = climb_is_right(&climb);

		if (!hash_node(right ? other : hash, right ? hash : other, hash, err))
			return false;
	}
	*good = is_whole(&taken) && same_hash(hash, root);
	return true;
}

static bool check_from_nothing(const unsigned char *old_root, const struct buf *proof, bool *good, struct err *err)
{
	unsigned char none[TREE_HASH];

	if (!crypto_digest(CRYPTO_SHA256, "", 0, none, err))
		return false;
	*good = proof->len == 0 && same_hash(old_root, none);
	return true;
}

// The nodes of both trees on the way up, from the last subtree that the old one has whole.
static bool climb_both(struct climb climb, struct taken *taken, unsigned char *old, unsigned char *now, struct err *err)
{
	for (; climb.last > 0; climb_up(&climb)) {
		const unsigned char *other = take(taken);

		if (!climb_is_right(&climb)) {
			if (!hash_node(now, other, now, err))
				return false;
		} else if (!hash_node(other, old, old, err) || !hash_node(other, now, now, err)) {
			return false;
		}
	}
	return true;
}

// RFC 9162, section 2.1.4.2.
bool tree_check_consistency(uint64_t old, const unsigned char old_root[static TREE_HASH], uint64_t size,
	const unsigned char root[static TREE_HASH], const struct buf *proof, bool *good, struct err *err)
{
	struct climb climb = {old - 1, size - 1};
	struct taken taken = {.proof = proof};
	unsigned char before[TREE_HASH], now[TREE_HASH];

	*good = old == size && proof->len == 0 && same_hash(old_root, root);
	if (old >= size)
		return true;
	if (old == 0)
		return check_from_nothing(old_root, proof, good, err);
	while (climb.at & 1)
		climb_up(&climb);
	memcpy(before, climb.at == 0 ? old_root : take(&taken), TREE_HASH);
	memcpy(now, before, TREE_HASH);
	if (!climb_both(climb, &taken, before, now, err))
		return false;
	*good = is_whole(&taken) && same_hash(before, old_root) && same_hash(now, root);
	return true;
}

// The leaves of a range, and what their proof has beside them.
struct range_check {
	struct tree_span span;
	const unsigned char *leaves;
	size_t len;
	struct taken taken;
};

static bool root_with(
	struct range_check *check, uint64_t from, uint64_t to, unsigned char out[static TREE_HASH], struct err *err)
{
	unsigned char right[TREE_HASH];
	uint64_t middle;

	if (is_apart(check->span, from, to)) {
		memcpy(out, take(&check->taken), TREE_HASH);
		return true;
	}
	if (to - from == 1)
		return hash_leaf(check->leaves + (from - check->span.from) * check->len, check->len, out, err);
	middle = from + split(to - from);
	return root_with(check, from, middle, out, err) && root_with(check, middle, to, right, err) &&
		   hash_node(out, right, out, err);
}

bool tree_check_range(const void *range, size_t len, struct tree_span span, uint64_t size, const struct buf *proof,
	const unsigned char root[static TREE_HASH], bool *good, struct err *err)
{
	struct range_check check = {.span = span, .leaves = range, .len = len, .taken = {.proof = proof}};
	unsigned char found[TREE_HASH];

	*good = false;
	if (span.from >= span.to || span.to > size)
		return true;
	if (!root_with(&check, 0, size, found, err))
		return false;
	*good = is_whole(&check.taken) && same_hash(found, root);
	return true;
}
