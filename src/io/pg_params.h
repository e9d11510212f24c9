// The parameters of a connection URI that are other programs' (Prisma, Supabase, Vercel, node-postgres, JDBC): libpq
// refuses a URI with them. Without libpq.
#ifndef SYNCRUN_IO_PG_PARAMS_H
#define SYNCRUN_IO_PG_PARAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum { PG_SCHEMA_SIZE = 64, PG_PARAM_SIZE = 41 };

// Append the URI as libpq takes it: others' parameters that say nothing to us are left out, sslmode=no-verify is
// spelled as libpq does. Any other text is copied. schema: of Prisma's schema=…, else "". False when memory runs out.
bool pg_params_strip(struct buf *out, const char *text, char schema[PG_SCHEMA_SIZE]);
// Copy the name of the first parameter for which is_known answers no, when it can be told safely: plain letters, and no
// @ behind it, which would make it a part of the password. False when there is none.
bool pg_params_unknown(const char *text, bool (*is_known)(const char *name), char name[PG_PARAM_SIZE]);
// What to write instead of such a parameter; NULL for no hint.
const char *pg_params_hint(const char *name);

#endif
