// The leaf of a contact in a proof: who it is and what it holds, both blinded by a key of the contact's own, so that a
// leaf tells nothing to whom that key was not given. lua/README.md defines it byte by byte, with test vectors.
//
//   frame(x) = decimal length of x, ':', x; '-' for NULL (canon.h)
//   k = HMAC(K, id)                    the contact's key; K is the proof key, id the canonical contact_id
//   b = SHA-256("b" || k || frame(id)) where the contact stands: leaves rise by b
//   p = SHA-256(frames of the cells that are not JSON, the key's first); of a row with a value that the system cannot
//       hold (fate lost or worse) SHA-256("!" || those frames), so that no row that is read back has its digest
//   j = SHA-256(frames of the JSON cells)
//   d = SHA-256(p || j)                the row's digest
//   v = HMAC(k, d)                     of one row; several rows of one key: SHA-256("r" || their v, rising)
//   v = HMAC(k, "")                    of an extra: a key alone
//   leaf = b || v
// HMAC is HMAC-SHA256.
#ifndef SYNCRUN_DATA_LEAF_H
#define SYNCRUN_DATA_LEAF_H

#include "data/canon.h"
#include "data/plan.h"

enum { LEAF_PART = 32, LEAF_SIZE = 64 };

struct leaf_name {
	unsigned char k[LEAF_PART], b[LEAF_PART];
};

// The columns of a schema in the order of a row's digest; the arrays index cells.
struct leaf_shape {
	const struct schema *schema; // not owned: it outlives the shape
	size_t key;
	size_t nplain, njson;
	uint16_t *plain, *json; // plain begins with the key
};

// The columns named by `like`, in its order, as `schema` has them (the same schema: its own columns). Fails when one is
// missing or has another type. Free with leaf_shape_free, which is legal on a zeroed one.
bool leaf_shape_init(
	struct leaf_shape *shape, const struct schema *like, const struct schema *schema, const char *key, struct err *err);
void leaf_shape_free(struct leaf_shape *shape);

// k and b of the contact with this key cell, which is not NULL.
bool leaf_name(struct canon *canon, const unsigned char key[static LEAF_PART], enum col_type type,
	const struct cell *id, struct leaf_name *out, struct err *err);
// j of a row: SHA-256 over its JSON cells.
bool leaf_json_digest(struct canon *canon, const struct leaf_shape *shape, const struct cell *cells,
	unsigned char j[static LEAF_PART], struct err *err);
// d of a row whose j is known.
bool leaf_row_digest(struct canon *canon, const struct leaf_shape *shape, const struct cell *cells, bool marked,
	const unsigned char j[static LEAF_PART], unsigned char d[static LEAF_PART], struct err *err);
// v of one row.
bool leaf_value(const struct leaf_name *name, const unsigned char d[static LEAF_PART],
	unsigned char v[static LEAF_PART], struct err *err);
// v of an extra.
bool leaf_extra(const struct leaf_name *name, unsigned char v[static LEAF_PART], struct err *err);
// v of several rows: n values one behind the other, sorted here.
bool leaf_repeated(unsigned char *values, size_t n, unsigned char v[static LEAF_PART], struct err *err);
// Whether the row has its mark: some cell of it, whichever, cannot be held by the system.
bool leaf_is_marked(const struct schema *schema, const struct cell *cells);

// What is known of a contact from its model row: the same for every system, whose expected row is often the very same
// cells.
struct leaf_known {
	struct leaf_name name;
	unsigned char v[LEAF_PART], j[LEAF_PART];
};
bool leaf_known_of(struct canon *canon, const unsigned char key[static LEAF_PART], const struct leaf_shape *model,
	const struct cell *cells, struct leaf_known *out, unsigned char d[static LEAF_PART], struct err *err);

// A system's expected rows beside the model rows that a plan makes them of.
struct leaf_pair {
	struct leaf_shape expected, model;
	bool plain_alike, json_alike; // the columns are of the same types in the same order
	int *keeps;                   // plan_keeps of each expected column
};
// `like`: the columns of the plan's result that count.
bool leaf_pair_init(struct leaf_pair *pair, const struct plan *plan, const struct schema *like, const char *key,
	const struct schema *model, const char *model_key, struct err *err);
void leaf_pair_free(struct leaf_pair *pair);
// v of an expected row. Of one `as_planned`, which nothing has changed since the plan made it, nothing is hashed anew
// where its cells are those of the model row, or the plan keeps their form.
bool leaf_pair_value(struct canon *canon, const struct leaf_pair *pair, const struct cell *expected,
	const struct cell *model, const struct leaf_known *known, bool as_planned, unsigned char v[static LEAF_PART],
	struct err *err);

#endif
