// The tally. One contact's records at a time; knows no files.
#include "data/tally.h"

#include <string.h>

struct tally_record tally_record_of(const unsigned char *b, enum tally_tag tag, uint64_t look, const unsigned char *v)
{
	struct tally_record record = {.tag = (unsigned char)tag};

	memcpy(record.b, b, LEAF_PART);
	memcpy(record.v, v, LEAF_PART);
	for (size_t i = sizeof record.look; i > 0; i--, look >>= 8)
		record.look[i - 1] = (unsigned char)look;
	return record;
}

static uint64_t look_of(const struct tally_record *record)
{
	uint64_t look = 0;

	for (size_t i = 0; i < sizeof record->look; i++)
		look = look << 8 | record->look[i];
	return look;
}

// ---- one contact

static void begin_contact(struct tally *t, const struct tally_record *record)
{
	t->first = *record;
	t->open = true;
	t->expected = false;
	t->look = t->amended = 0;
	t->nextra = 0;
	buf_clear(&t->observed);
}

static bool add_observed(struct tally *t, const struct tally_record *record, struct err *err)
{
	return buf_put(&t->observed, record->v, LEAF_PART) || err_no_memory(err);
}

static bool add_expected(struct tally *t, const struct tally_record *record, struct err *err)
{
	if (t->expected)
		return err_set(err, ERR_INTERNAL, NULL, "a contact is expected twice in a proof");
	t->expected = true;
	memcpy(t->v, record->v, LEAF_PART);
	return true;
}

// GONE sorts behind REVISED: of the same contact, the later look counts, whichever it is.
static bool add_look(struct tally *t, const struct tally_record *record, struct err *err)
{
	uint64_t look = look_of(record);

	if (look < t->look)
		return true;
	if (look > t->look)
		buf_clear(&t->observed);
	t->look = look;
	return record->tag == TALLY_GONE || add_observed(t, record, err);
}

static void amend(struct tally *t, const struct tally_record *record)
{
	uint64_t look = look_of(record);

	if (look < t->amended)
		return;
	t->amended = look;
	t->expected = true;
	memcpy(t->v, record->v, LEAF_PART);
}

static bool take(struct tally *t, const struct tally_record *record, struct err *err)
{
	switch (record->tag) {
	case TALLY_BOTH:
		return add_expected(t, record, err) && add_observed(t, record, err);
	case TALLY_EXPECTED:
		return add_expected(t, record, err);
	case TALLY_OBSERVED:
		return add_observed(t, record, err);
	case TALLY_EXTRA:
		t->nextra++;
		return true;
	case TALLY_AMENDED:
		amend(t, record);
		return true;
	default:
		return add_look(t, record, err);
	}
}

// ---- its leaves

static bool put_leaf(struct tally *t, enum tally_side side, const unsigned char *v, struct err *err)
{
	unsigned char leaf[LEAF_SIZE];

	memcpy(leaf, t->first.b, LEAF_PART);
	memcpy(leaf + LEAF_PART, v, LEAF_PART);
	return t->put(t->to, side, leaf, err) && tree_add(&t->trees[side], leaf, sizeof leaf, err);
}

static bool is_as_expected(const struct tally *t)
{
	return t->expected && t->observed.len == LEAF_PART && memcmp(t->observed.data, t->v, LEAF_PART) == 0;
}

static bool put_observed(struct tally *t, struct err *err)
{
	size_t n = t->observed.len / LEAF_PART;
	unsigned char v[LEAF_PART];

	if (n == 0)
		return true;
	memcpy(v, t->observed.data, LEAF_PART);
	if (n > 1 && !leaf_repeated((unsigned char *)t->observed.data, n, v, err))
		return false;
	return put_leaf(t, TALLY_SIDE_OBSERVED, v, err);
}

static bool end_contact(struct tally *t, struct err *err)
{
	if (!t->open)
		return true;
	t->open = false;
	if (t->nextra > 0 && (t->expected || t->observed.len > 0))
		return err_set(err, ERR_INTERNAL, NULL, "a contact is both expected and an extra in a proof");
	t->repeated += t->nextra > 1 || t->observed.len > LEAF_PART;
	if (t->nextra > 0)
		return put_leaf(t, TALLY_SIDE_EXTRAS, t->first.v, err);
	if (!t->parted && !is_as_expected(t)) {
		t->parted = true;
		t->trees[TALLY_SIDE_OBSERVED] = t->trees[TALLY_SIDE_EXPECTED];
	}
	return (!t->parted || put_observed(t, err)) && (!t->expected || put_leaf(t, TALLY_SIDE_EXPECTED, t->v, err));
}

bool tally_add(struct tally *t, const struct tally_record *record, struct err *err)
{
	if (!t->open || memcmp(t->first.b, record->b, LEAF_PART) != 0) {
		if (!end_contact(t, err))
			return false;
		begin_contact(t, record);
	}
	return take(t, record, err);
}

bool tally_finish(struct tally *t, struct err *err)
{
	return end_contact(t, err);
}

static const struct tree *tree_of(const struct tally *t, enum tally_side side)
{
	return &t->trees[side == TALLY_SIDE_OBSERVED && !t->parted ? TALLY_SIDE_EXPECTED : side];
}

uint64_t tally_size(const struct tally *t, enum tally_side side)
{
	return tree_of(t, side)->size;
}

bool tally_root(const struct tally *t, enum tally_side side, unsigned char root[static TREE_HASH], struct err *err)
{
	return tree_root(tree_of(t, side), root, err);
}

void tally_free(struct tally *t)
{
	buf_free(&t->observed);
}
