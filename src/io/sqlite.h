// SQLite: one handle per file, statements cached by their text, values in and out. Knows nothing of rows, tasks or Lua.
//
// Nothing here waits: a lock held by someone else fails at once, retryable, with a code that begins "SQLITE_BUSY".
// A statement that runs long ends with ERR_CANCELLED when stop_wanted() says so (base/stop.h).
// Errors have kind sqlite; they name the file and the statement's first words, never a bound value.
#ifndef SYNCRUN_IO_SQLITE_H
#define SYNCRUN_IO_SQLITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct sqlite_db;
struct sqlite_stmt;

enum sqlite_mode {
	SQLITE_MODE_CREATE, // read, write, create the file with mode 0600 when it is not there; it fails when it is
						// read-only
	SQLITE_MODE_WRITE,  // read and write an existing file, likewise
	SQLITE_MODE_READ,   // an existing file, never written
	SQLITE_MODE_MEMORY  // no file: the path is only a name for messages
};

struct sqlite_options {
	enum sqlite_mode mode;
	bool wal;                // switch the file to write-ahead logging (kept in the file; not in mode READ or MEMORY)
	const char *synchronous; // "off", "normal", "full", or NULL for SQLite's default
};

// An SQL function NAME(x) that hashes x's bytes to hex; NULL gives NULL. hex returns false when it cannot.
struct sqlite_function {
	const char *name; // NULL ends the list; must stay valid
	bool (*hex)(const void *data, size_t len, char out[static 65]);
};

// Open and set up: foreign keys on, defensive, schema not trusted, double quotes never a string. A file that is not a
// database fails here. NULL with err.
struct sqlite_db *sqlite_open(
	const char *path, const struct sqlite_options *options, struct sqlite_function *functions, struct err *err);
// Statements still taken are finished: their further use fails, giving them back stays legal. NULL is legal.
void sqlite_close(struct sqlite_db *db);
// Whether the path leads to a file of a database that is open here: by any of its names, its journals too. Opening and
// closing such a file would drop every lock that SQLite holds on it (POSIX, fcntl: when any descriptor is closed).
bool sqlite_is_live(const char *path);

// Run the first statement of sql, if there is one, its rows ignored; *next becomes the offset of what follows it. Going
// on there until `len` runs them all: a failure is known to be one statement's, and only that one is run again.
bool sqlite_exec_one(struct sqlite_db *db, const char *sql, size_t len, size_t *next, struct err *err);

// The one statement in sql, prepared or from the cache, without values bound; it is the caller's until sqlite_give.
// NULL with err, also when there is none or a second one.
struct sqlite_stmt *sqlite_take(struct sqlite_db *db, const char *sql, size_t len, struct err *err);
// Reset it, forget its values, and let it be taken again. NULL is legal.
void sqlite_give(struct sqlite_stmt *stmt);
// Begin anew, the values kept.
void sqlite_reset(struct sqlite_stmt *stmt);

int sqlite_param_count(const struct sqlite_stmt *stmt);
int sqlite_column_count(const struct sqlite_stmt *stmt);
const char *sqlite_column_name(const struct sqlite_stmt *stmt, int column);

enum sqlite_type { SQLITE_TYPE_NULL, SQLITE_TYPE_INTEGER, SQLITE_TYPE_REAL, SQLITE_TYPE_TEXT, SQLITE_TYPE_BLOB };

struct sqlite_value {
	enum sqlite_type type;
	int64_t integer;
	double real;
	const char *bytes; // of TEXT and BLOB, may hold NUL bytes; never NULL for those
	size_t len;
};

// Bind parameter 1..n. Bytes are copied when `copy`, else they must stay until the statement is reset or given back.
// A real must not be NaN: SQLite would store NULL.
bool sqlite_bind(struct sqlite_stmt *stmt, int param, const struct sqlite_value *value, bool copy, struct err *err);
// Value of column 0..n-1 of the present row; its bytes are valid until the next step, reset or give.
bool sqlite_column(struct sqlite_stmt *stmt, int column, struct sqlite_value *value, struct err *err);

enum sqlite_step { SQLITE_STEP_ERROR, SQLITE_STEP_ROW, SQLITE_STEP_DONE };
// Run to the next row or the end. After an error the statement is reset: the next step begins anew, which is right
// only while err->retryable, for then no row had been given out.
enum sqlite_step sqlite_step(struct sqlite_stmt *stmt, struct err *err);
// Step to the end, rows ignored; *changes (may be NULL) is what the statement itself inserted, updated or deleted.
bool sqlite_run(struct sqlite_stmt *stmt, int64_t *changes, struct err *err);

int64_t sqlite_last_rowid(const struct sqlite_db *db);
bool sqlite_in_transaction(const struct sqlite_db *db);
bool sqlite_is_readonly(const struct sqlite_db *db);

#endif
