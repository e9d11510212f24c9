// The tree against the reference leaves and roots of Certificate Transparency, the example of RFC 6962, section 2.1.3,
// the definition itself for every size up to 70, and proofs with every byte changed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "data/tree.h"
#include "io/crypto.h"

struct leaf {
	const char *bytes;
	size_t len;
};

// The inputs of the reference tests of Certificate Transparency.
static const struct leaf reference[] = {{"", 0}, {"\x00", 1}, {"\x10", 1}, {"\x20\x21", 2}, {"\x30\x31", 2},
	{"@ABC", 4}, {"PQRSTUVW", 8}, {"`abcdefghijklmno", 16}};

// The root over the first n of them.
static const char *const reference_roots[] = {
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

static bool reference_at(void *of, uint64_t i, const void **leaf, size_t *len, struct err *err)
{
	const struct leaf *leaves = of;

	(void)err;
	*leaf = leaves[i].bytes;
	*len = leaves[i].len;
	return true;
}

// Leaf i is one byte, i; any number of them.
static bool byte_at(void *of, uint64_t i, const void **leaf, size_t *len, struct err *err)
{
	unsigned char *byte = of;

	(void)err;
	*byte = (unsigned char)i;
	*leaf = byte;
	*len = 1;
	return true;
}

static struct tree_leaves bytes(uint64_t size)
{
	static unsigned char byte;

	return (struct tree_leaves){.size = size, .of = &byte, .at = byte_at};
}

static struct tree_leaves references(uint64_t size)
{
	return (struct tree_leaves){.size = size, .of = (void *)(uintptr_t)reference, .at = reference_at};
}

static void assert_hex(const unsigned char *hash, const char *want)
{
	char hex[2 * TREE_HASH + 1];

	crypto_hex(hash, TREE_HASH, hex);
	assert_string_equal(hex, want);
}

static void roots_of_the_reference(void **state)
{
	struct tree tree = {.size = 0};
	unsigned char root[TREE_HASH];

	(void)state;
	for (size_t n = 0; n <= 8; n++) {
		struct tree_leaves leaves = references(n);

		assert_true(tree_root(&tree, root, NULL));
		assert_hex(root, reference_roots[n]);
		assert_true(tree_root_of(&leaves, n, root, NULL));
		assert_hex(root, reference_roots[n]);
		if (n < 8)
			assert_true(tree_add(&tree, reference[n].bytes, reference[n].len, NULL));
	}
}

// MTH(D[from:to]) word by word: the definition, with nothing of the implementation.
static void define(uint64_t from, uint64_t to, unsigned char out[TREE_HASH])
{
	unsigned char text[1 + 2 * TREE_HASH] = {0};
	uint64_t k = 1;

	if (to == from) {
		crypto_digest(CRYPTO_SHA256, "", 0, out, NULL);
	} else if (to - from == 1) {
		text[1] = (unsigned char)from;
		crypto_digest(CRYPTO_SHA256, text, 2, out, NULL);
	} else {
		while (2 * k < to - from)
			k *= 2;
		text[0] = 1;
		define(from, from + k, text + 1);
		define(from + k, to, text + 1 + TREE_HASH);
		crypto_digest(CRYPTO_SHA256, text, sizeof text, out, NULL);
	}
}

static void assert_hashes(const struct buf *proof, size_t n, unsigned char (*want)[TREE_HASH])
{
	assert_int_equal(proof->len, n * TREE_HASH);
	assert_memory_equal(proof->data, want, n * TREE_HASH);
}

// The tree of seven leaves in RFC 6962, section 2.1.3, and its proofs.
static void example_of_the_rfc(void **state)
{
	struct tree_leaves seven = bytes(7);
	unsigned char b[TREE_HASH], c[TREE_HASH], d[TREE_HASH], f[TREE_HASH], g[TREE_HASH], h[TREE_HASH], i[TREE_HASH],
		j[TREE_HASH], k[TREE_HASH], l[TREE_HASH], want[4][TREE_HASH];
	struct buf proof = {0};

#define WANT(n, node) memcpy(want[n], node, TREE_HASH)
	(void)state;
	define(1, 2, b);
	define(2, 3, c);
	define(3, 4, d);
	define(5, 6, f);
	define(0, 2, g);
	define(2, 4, h);
	define(4, 6, i);
	define(6, 7, j);
	define(0, 4, k);
	define(4, 7, l);
	assert_true(tree_inclusion(&seven, 0, &proof, NULL));
	WANT(0, b), WANT(1, h), WANT(2, l);
	assert_hashes(&proof, 3, want);
	buf_clear(&proof);
	assert_true(tree_inclusion(&seven, 3, &proof, NULL));
	WANT(0, c), WANT(1, g), WANT(2, l);
	assert_hashes(&proof, 3, want);
	buf_clear(&proof);
	assert_true(tree_inclusion(&seven, 4, &proof, NULL));
	WANT(0, f), WANT(1, j), WANT(2, k);
	assert_hashes(&proof, 3, want);
	buf_clear(&proof);
	assert_true(tree_inclusion(&seven, 6, &proof, NULL));
	WANT(0, i), WANT(1, k);
	assert_hashes(&proof, 2, want);
	buf_clear(&proof);
	assert_true(tree_consistency(&seven, 3, &proof, NULL));
	WANT(0, c), WANT(1, d), WANT(2, g), WANT(3, l);
	assert_hashes(&proof, 4, want);
	buf_clear(&proof);
	assert_true(tree_consistency(&seven, 4, &proof, NULL));
	WANT(0, l);
	assert_hashes(&proof, 1, want);
	buf_clear(&proof);
	assert_true(tree_consistency(&seven, 6, &proof, NULL));
	WANT(0, i), WANT(1, j), WANT(2, k);
	assert_hashes(&proof, 3, want);
	buf_free(&proof);
#undef WANT
}

enum { MOST = 70 };

static bool included(uint64_t i, uint64_t size, const struct buf *proof, const unsigned char *root)
{
	unsigned char leaf = (unsigned char)i;
	bool good;

	assert_true(tree_check_inclusion(&leaf, 1, i, size, proof, root, &good, NULL));
	return good;
}

static void inclusion_for_every_leaf(void **state)
{
	unsigned char root[TREE_HASH];
	struct buf proof = {0};

	(void)state;
	for (uint64_t size = 1; size <= MOST; size++) {
		struct tree_leaves leaves = bytes(size);

		define(0, size, root);
		for (uint64_t i = 0; i < size; i++) {
			buf_clear(&proof);
			assert_true(tree_inclusion(&leaves, i, &proof, NULL));
			for (uint64_t other = 0; other <= size; other++)
				assert_int_equal(included(other, size, &proof, root), other == i);
		}
	}
	buf_free(&proof);
}

static bool consistent(
	uint64_t old, const unsigned char *old_root, uint64_t size, const unsigned char *root, const struct buf *proof)
{
	bool good;

	assert_true(tree_check_consistency(old, old_root, size, root, proof, &good, NULL));
	return good;
}

static void consistency_for_every_pair(void **state)
{
	static unsigned char roots[MOST + 1][TREE_HASH];
	struct buf proof = {0};

	(void)state;
	for (uint64_t size = 0; size <= MOST; size++) {
		struct tree_leaves leaves = bytes(size);

		define(0, size, roots[size]);
		for (uint64_t old = 0; old <= size; old++) {
			buf_clear(&proof);
			assert_true(tree_consistency(&leaves, old, &proof, NULL));
			for (uint64_t other = 0; other <= size; other++)
				assert_int_equal(consistent(old, roots[other], size, roots[size], &proof), other == old);
		}
	}
	buf_free(&proof);
}

static bool within(uint64_t from, uint64_t to, uint64_t size, const struct buf *proof, const unsigned char *root)
{
	unsigned char range[MOST];
	bool good;

	for (uint64_t i = 0; i < MOST; i++)
		range[i] = (unsigned char)(from + i);
	assert_true(tree_check_range(range, 1, (struct tree_span){from, to}, size, proof, root, &good, NULL));
	return good;
}

// The size is not proven by a range (a subtree's size shows nowhere in its root): it stands beside the root.
static void ranges_for_every_pair(void **state)
{
	unsigned char root[TREE_HASH];
	struct buf proof = {0};

	(void)state;
	for (uint64_t size = 1; size <= 33; size++) {
		struct tree_leaves leaves = bytes(size);

		define(0, size, root);
		for (uint64_t from = 0; from < size; from++) {
			for (uint64_t to = from + 1; to <= size; to++) {
				buf_clear(&proof);
				assert_true(tree_range(&leaves, (struct tree_span){from, to}, &proof, NULL));
				assert_true(within(from, to, size, &proof, root));
				assert_false(within(from + 1, to + 1, size, &proof, root));
				assert_false(within(from, to + 1, size, &proof, root));
				assert_false(within(from, to - 1, size, &proof, root));
			}
		}
	}
	buf_free(&proof);
}

// Every byte of a proof, of the root and of the leaf counts; so does a hash too many or too few.
static void a_changed_proof_proves_nothing(void **state)
{
	struct tree_leaves leaves = bytes(21);
	unsigned char root[TREE_HASH], old_root[TREE_HASH];
	struct buf path = {0}, between = {0}, beside = {0};

	(void)state;
	define(0, 21, root);
	define(0, 13, old_root);
	assert_true(tree_inclusion(&leaves, 10, &path, NULL));
	assert_true(tree_consistency(&leaves, 13, &between, NULL));
	assert_true(tree_range(&leaves, (struct tree_span){10, 12}, &beside, NULL));
	for (size_t at = 0; at < path.len; at++) {
		path.data[at] ^= 1;
		assert_false(included(10, 21, &path, root));
		path.data[at] ^= 1;
	}
	for (size_t at = 0; at < between.len; at++) {
		between.data[at] ^= 1;
		assert_false(consistent(13, old_root, 21, root, &between));
		between.data[at] ^= 1;
	}
	for (size_t at = 0; at < beside.len; at++) {
		beside.data[at] ^= 1;
		assert_false(within(10, 12, 21, &beside, root));
		beside.data[at] ^= 1;
	}
	for (size_t at = 0; at < TREE_HASH; at++) {
		root[at] ^= 1;
		assert_false(included(10, 21, &path, root));
		assert_false(consistent(13, old_root, 21, root, &between));
		assert_false(within(10, 12, 21, &beside, root));
		root[at] ^= 1;
	}
	for (size_t cut = 1; cut <= TREE_HASH; cut++) {
		path.len--, between.len--, beside.len--;
		assert_false(included(10, 21, &path, root));
		assert_false(consistent(13, old_root, 21, root, &between));
		assert_false(within(10, 12, 21, &beside, root));
	}
	path.len += TREE_HASH, between.len += TREE_HASH, beside.len += TREE_HASH;
	assert_true(included(10, 21, &path, root));
	assert_true(consistent(13, old_root, 21, root, &between));
	assert_true(within(10, 12, 21, &beside, root));
	assert_true(
		buf_put(&path, root, TREE_HASH) && buf_put(&between, root, TREE_HASH) && buf_put(&beside, root, TREE_HASH));
	assert_false(included(10, 21, &path, root));
	assert_false(consistent(13, old_root, 21, root, &between));
	assert_false(within(10, 12, 21, &beside, root));
	buf_free(&path);
	buf_free(&between);
	buf_free(&beside);
}

// An odd leaf is lifted: doubling the last one must not give the same root (CVE-2012-2459).
static void a_doubled_leaf_shows(void **state)
{
	unsigned char three[TREE_HASH], four[TREE_HASH];
	struct tree tree = {.size = 0};

	(void)state;
	for (unsigned char i = 0; i < 3; i++)
		assert_true(tree_add(&tree, &i, 1, NULL));
	assert_true(tree_root(&tree, three, NULL));
	assert_true(tree_add(&tree, "\2", 1, NULL));
	assert_true(tree_root(&tree, four, NULL));
	assert_memory_not_equal(three, four, TREE_HASH);
}

// Sizes that no proof has: nothing may be read beside the proof, nothing may run for ever.
static void hostile_sizes(void **state)
{
	unsigned char root[TREE_HASH] = {0};
	struct buf none = {0};

	(void)state;
	for (int bit = 0; bit < 64; bit++) {
		uint64_t size = UINT64_MAX >> bit;

		if (size > 1) {
			assert_false(included(0, size, &none, root));
			assert_false(included(size - 1, size, &none, root));
			assert_false(consistent(1, root, size, root, &none));
			assert_false(consistent(size - 1, root, size, root, &none));
			assert_false(within(size - 2, size, size, &none, root));
		}
	}
	assert_false(included(0, 0, &none, root));
	assert_false(within(0, 0, 0, &none, root));
	assert_false(consistent(2, root, 1, root, &none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roots_of_the_reference),
		cmocka_unit_test(example_of_the_rfc),
		cmocka_unit_test(inclusion_for_every_leaf),
		cmocka_unit_test(consistency_for_every_pair),
		cmocka_unit_test(ranges_for_every_pair),
		cmocka_unit_test(a_changed_proof_proves_nothing),
		cmocka_unit_test(a_doubled_leaf_shows),
		cmocka_unit_test(hostile_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
