// One Postgres connection over the loop: libpq without its blocking calls, and without libpq's types.
//
// The caller starts something (pg_connect, pg_send_…), then calls the matching pg_step_… until it no longer answers
// PG_WAIT; on PG_WAIT it calls pg_wait and steps again when told. A connection that is lost, or given up in the middle
// with pg_discard, is closed at once and never used again. One connection does one thing at a time.
#ifndef SYNCRUN_IO_PG_H
#define SYNCRUN_IO_PG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct pg;
struct pg_result;

enum pg_step {
	PG_WAIT, // nothing yet: pg_wait, then step again
	PG_ITEM, // one more item (a result, a chunk); step again for the next
	PG_END,  // done, the connection is idle again
	PG_FAIL  // err is set; the connection is idle again, or closed (pg_is_open says)
};

struct pg_options {
	const char *uri;              // a libpq URI or keyword string; its password is registered as a secret
	const char *name;             // what messages call this server
	const char *application_name; // unless the URI has one
	bool insecure;                // to another machine without TLS, where the server has none
};

struct pg_param {
	const char *data; // NULL is NULL; the text form must be NUL-terminated
	size_t len;       // used by the binary form
	uint32_t type;    // OID, 0 lets the server infer it
	bool binary;
};

// One statement of a pipeline.
struct pg_statement {
	const char *sql;
	const struct pg_param *params;
	size_t nparams;
};

// A closed connection; NULL when memory runs out.
struct pg *pg_new(void);
// Close and free; NULL is legal.
void pg_free(struct pg *pg);

// Begin to connect. To another machine, sslmode "prefer" (libpq's default) and "allow" become "require", unless
// insecure: a password does not travel in the clear because a server has no TLS. sslmode=disable is taken at its word.
// Host names are looked up beside the loop, and all their addresses tried. Not handled: host names that come from a
// service file (libpq looks those up itself, blocking) and connect_timeout (the caller's duty).
bool pg_connect(struct pg *pg, const struct pg_options *options, struct err *err);
enum pg_step pg_step_connect(struct pg *pg, struct err *err); // PG_WAIT, PG_END, PG_FAIL

// Send one statement; its results come from pg_step_result. `singly`: each row is an item of its own.
bool pg_send_query(struct pg *pg, const struct pg_statement *st, bool singly, struct err *err);
// Send a text of several statements, by the simple protocol. An item for each.
bool pg_send_script(struct pg *pg, const char *sql, struct err *err);
// Send all statements at once; one implicit transaction unless one is open. The first error skips the rest.
bool pg_send_pipeline(struct pg *pg, const struct pg_statement *sts, size_t n, struct err *err);
// The next result. The caller frees *out. The error of a statement is PG_FAIL, after all that followed it was read.
enum pg_step pg_step_result(struct pg *pg, struct pg_result **out, struct err *err);

// After a PG_COPY_OUT result: the next chunk, valid until the next step.
enum pg_step pg_step_copy_out(struct pg *pg, const char **data, size_t *len, struct err *err);
// After a PG_COPY_IN result: hand over data (at most INT_MAX bytes) and wait until the network took it: PG_END.
// *taken starts false and is the call's own memory between steps.
enum pg_step pg_step_copy_in(struct pg *pg, const char *data, size_t len, bool *taken, struct err *err);
// End the copy, or make it fail with this reason; then read results.
bool pg_end_copy_in(struct pg *pg, const char *reason, struct err *err);
// Read and drop whatever the statement under way still sends (not during COPY in). PG_WAIT, PG_END, PG_FAIL.
enum pg_step pg_step_skip(struct pg *pg, struct err *err);

// Call ready(ctx) once from loop_poll when the next step may get further. One waiter at a time.
void pg_wait(struct pg *pg, void (*ready)(void *ctx), void *ctx);
// Close. When a statement runs, also ask the server to cancel it, from a helper thread. `why` completes "the connection
// to 'x' is closed (…)". Legal when closed.
void pg_discard(struct pg *pg, const char *why);
bool pg_is_open(const struct pg *pg);    // connected and not lost
bool pg_is_idle(const struct pg *pg);    // open and nothing under way
bool pg_is_exposed(const struct pg *pg); // open, to another machine, without TLS
// The process that serves this connection, as the server calls it; behind a pooler another one. 0 when closed.
int pg_backend(const struct pg *pg);
// When (clock_mono_us) the network last took or brought anything since a statement was sent; 0 before any.
int64_t pg_stirred(const struct pg *pg);
const char *pg_name(const struct pg *pg);
// Append the text as an SQL literal, by libpq, which knows this connection's settings on backslashes. Err (usage) for a
// text that is not UTF-8 or holds a NUL, and on a closed connection.
bool pg_literal(struct pg *pg, const char *text, size_t len, struct buf *out, struct err *err);
// "db.example.com:5432, database 'postgres'": for messages.
const char *pg_where(const struct pg *pg);

enum pg_result_kind {
	PG_ROWS,
	PG_ROW, // one row of a statement sent `singly`
	PG_COMMAND,
	PG_COPY_IN,
	PG_COPY_OUT
};
enum pg_result_kind pg_result_kind(const struct pg_result *res);
size_t pg_result_rows(const struct pg_result *res);
size_t pg_result_columns(const struct pg_result *res);
const char *pg_result_column(const struct pg_result *res, size_t c);
uint32_t pg_result_type(const struct pg_result *res, size_t c); // OID
// The text of a value, NUL-terminated; NULL for NULL.
const char *pg_result_text(const struct pg_result *res, size_t r, size_t c, size_t *len);
// Rows the statement touched; -1 when it does not say.
int64_t pg_result_affected(const struct pg_result *res);
// "INSERT", "COMMIT": the first word of the command tag, at most size - 1 bytes of it.
void pg_result_command(const struct pg_result *res, char *out, size_t size);
void pg_result_free(struct pg_result *res);
// Append the bytes that a bytea's text form stands for. False when memory runs out.
bool pg_bytea_append(struct buf *out, const char *text);

#endif
