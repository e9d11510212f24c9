// The only file that knows sqlite3.h: handles, the statement cache, errors in our words.
#include "io/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/stop.h"

enum { CACHE_SIZE = 64, PAGE_CACHE_KIB = 4096 };

struct sqlite_stmt {
	struct sqlite_stmt *next, *prev;
	struct sqlite_db *db; // NULL once the handle was closed
	sqlite3_stmt *raw;
	bool gave_row; // since the last reset
	size_t len;
	char text[]; // what it was asked for by, terminated
};

struct list { // of statements, the most recently used first
	struct sqlite_stmt *first, *last;
	size_t n;
};

struct sqlite_db {
	struct sqlite_db *next; // in the list of all that are open
	sqlite3 *raw;
	char *path;       // as SQLite gets it
	const char *name; // as it was given: for messages
	bool is_open;     // set up: its statements are the caller's
	struct list idle, taken;
};

static struct sqlite_db *open_handles;

// ---- errors

static const struct {
	int code;
	const char *name;
} code_names[] = {
#define NAME(code)                                                                                                     \
	{                                                                                                                  \
		code, #code                                                                                                    \
	}
	NAME(SQLITE_ERROR),
	NAME(SQLITE_INTERNAL),
	NAME(SQLITE_PERM),
	NAME(SQLITE_ABORT),
	NAME(SQLITE_ABORT_ROLLBACK),
	NAME(SQLITE_BUSY),
	NAME(SQLITE_BUSY_RECOVERY),
	NAME(SQLITE_BUSY_SNAPSHOT),
	NAME(SQLITE_BUSY_TIMEOUT),
	NAME(SQLITE_LOCKED),
	NAME(SQLITE_LOCKED_SHAREDCACHE),
	NAME(SQLITE_NOMEM),
	NAME(SQLITE_READONLY),
	NAME(SQLITE_READONLY_RECOVERY),
	NAME(SQLITE_READONLY_CANTLOCK),
	NAME(SQLITE_READONLY_ROLLBACK),
	NAME(SQLITE_READONLY_DBMOVED),
	NAME(SQLITE_READONLY_CANTINIT),
	NAME(SQLITE_READONLY_DIRECTORY),
	NAME(SQLITE_INTERRUPT),
	NAME(SQLITE_IOERR),
	NAME(SQLITE_IOERR_READ),
	NAME(SQLITE_IOERR_SHORT_READ),
	NAME(SQLITE_IOERR_WRITE),
	NAME(SQLITE_IOERR_FSYNC),
	NAME(SQLITE_IOERR_DIR_FSYNC),
	NAME(SQLITE_IOERR_TRUNCATE),
	NAME(SQLITE_IOERR_FSTAT),
	NAME(SQLITE_IOERR_UNLOCK),
	NAME(SQLITE_IOERR_LOCK),
	NAME(SQLITE_IOERR_DELETE),
	NAME(SQLITE_IOERR_SHMOPEN),
	NAME(SQLITE_IOERR_SHMSIZE),
	NAME(SQLITE_IOERR_SHMMAP),
	NAME(SQLITE_IOERR_MMAP),
	NAME(SQLITE_CORRUPT),
	NAME(SQLITE_CORRUPT_INDEX),
	NAME(SQLITE_NOTFOUND),
	NAME(SQLITE_FULL),
	NAME(SQLITE_CANTOPEN),
	NAME(SQLITE_CANTOPEN_ISDIR),
	NAME(SQLITE_CANTOPEN_SYMLINK),
	NAME(SQLITE_PROTOCOL),
	NAME(SQLITE_SCHEMA),
	NAME(SQLITE_TOOBIG),
	NAME(SQLITE_CONSTRAINT),
	NAME(SQLITE_CONSTRAINT_CHECK),
	NAME(SQLITE_CONSTRAINT_COMMITHOOK),
	NAME(SQLITE_CONSTRAINT_FOREIGNKEY),
	NAME(SQLITE_CONSTRAINT_NOTNULL),
	NAME(SQLITE_CONSTRAINT_PRIMARYKEY),
	NAME(SQLITE_CONSTRAINT_TRIGGER),
	NAME(SQLITE_CONSTRAINT_UNIQUE),
	NAME(SQLITE_CONSTRAINT_ROWID),
	NAME(SQLITE_CONSTRAINT_DATATYPE),
	NAME(SQLITE_MISMATCH),
	NAME(SQLITE_MISUSE),
	NAME(SQLITE_NOLFS),
	NAME(SQLITE_AUTH),
	NAME(SQLITE_RANGE),
	NAME(SQLITE_NOTADB),
#undef NAME
};

// The extended code's name, or that of the primary code it belongs to.
static const char *code_name(int rc)
{
	for (int code = rc;; code = rc & 0xff) {
		for (size_t i = 0; i < sizeof code_names / sizeof code_names[0]; i++)
			if (code_names[i].code == code)
				return code_names[i].name;
		if (code == (rc & 0xff))
			return "SQLITE_ERROR";
	}
}

static bool too_many(int reason)
{
	return reason == EMFILE || reason == ENFILE;
}

static const char *advice(int rc, int reason)
{
	if (too_many(reason))
		return "; allow more open files (ulimit -n)";
	if (rc == SQLITE_BUSY_SNAPSHOT)
		return "; another handle wrote since this one began to read: end the reading, or read on a handle of its own";
	if (rc == SQLITE_READONLY_DIRECTORY)
		return "; may this user write its folder? SQLite keeps a journal there, which reading may need too";
	switch (rc & 0xff) {
	case SQLITE_BUSY:
		return "; another process or handle is using it";
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return "; may this user write the file and its folder?";
	case SQLITE_CANTOPEN:
		return "; does it exist, and may this user read it and its folder?";
	case SQLITE_FULL:
		return "; make room and run again";
	case SQLITE_NOTADB:
		return "; name another file, or move this one away";
	case SQLITE_CORRUPT:
		return "; the file is damaged: restore it, or move it away and run again";
	default:
		return "";
	}
}

// The statement's first words, up to where values may begin.
static void first_words(const char *sql, size_t len, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < size && strchr("('\"=;", sql[i]) == NULL; i++) {
		bool blank = strchr(" \t\r\n", sql[i]) != NULL;

		if (!blank || (n > 0 && out[n - 1] != ' ')) // runs of blanks are one, and none in front
			out[n++] = blank ? ' ' : sql[i];
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
}

// What the system said when a file could not be used, or 0.
static int system_reason(const struct sqlite_db *db, int rc)
{
	bool of_files = (rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_IOERR;

	return of_files ? sqlite3_system_errno(db->raw) : 0;
}

static bool fail(const struct sqlite_db *db, int rc, const char *sql, size_t len, struct err *err)
{
	bool retryable = (rc & 0xff) == SQLITE_BUSY && rc != SQLITE_BUSY_SNAPSHOT;
	int reason = system_reason(db, rc);
	char words[48];

	if ((rc & 0xff) == SQLITE_NOMEM)
		return err_no_memory(err);
	if (rc == SQLITE_INTERRUPT)
		return err_set(err, ERR_CANCELLED, NULL, "cancelled");
	first_words(sql, len, words, sizeof words);
	err_set(err, ERR_SQLITE, code_name(rc), "cannot %s%s%s '%s' (%s%s%s)%s", db->is_open ? "run '" : "open",
		db->is_open ? words : "", db->is_open ? "' on" : "", db->name, sqlite3_errmsg(db->raw), reason != 0 ? ": " : "",
		reason != 0 ? strerror(reason) : "", advice(rc, reason));
	if (err != NULL)
		err->retryable = retryable;
	return false;
}

static bool closed(struct err *err)
{
	return err_set(err, ERR_SQLITE, "closed", "the database of this statement was closed");
}

// ---- long statements

enum { STEPS = 1000 }; // of SQLite's machine, between two questions

static int must_stop(void *unused)
{
	(void)unused;
	return stop_wanted();
}

// ---- opening

// Made here, so that it is never readable by others, not even for an instant, and so that SQLite, which follows
// symbolic links, never creates anything. The journals take the file's mode.
static bool create_private(const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0)
		return close(fd) == 0 ||
			   err_set(err, ERR_SQLITE, "SQLITE_IOERR", "cannot create '%s' (%s)", path, strerror(errno));
	if (errno == EEXIST)
		return true;
	return err_set(err, ERR_SQLITE, "SQLITE_CANTOPEN", "cannot create '%s' (%s)%s", path, strerror(errno),
		too_many(errno) ? advice(SQLITE_CANTOPEN, errno) : "; may this user write its folder?");
}

static bool open_raw(struct sqlite_db *db, enum sqlite_mode mode, struct err *err)
{
	int flags = (mode == SQLITE_MODE_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX;
	int rc = sqlite3_open_v2(mode == SQLITE_MODE_MEMORY ? ":memory:" : db->path, &db->raw, flags, NULL);

	if (rc == SQLITE_OK)
		return true;
	if (rc == SQLITE_NOMEM || db->raw == NULL)
		return err_no_memory(err);
	return fail(db, sqlite3_extended_errcode(db->raw), "", 0, err);
}

// SQLite opens a file that it may not write for reading alone, and says so at the first write only.
static bool check_writable(const struct sqlite_db *db, enum sqlite_mode mode, struct err *err)
{
	if (mode > SQLITE_MODE_WRITE || !sqlite_is_readonly(db))
		return true;
	return err_set(err, ERR_SQLITE, "SQLITE_READONLY", "cannot write '%s' (it is read-only for this user)", db->name);
}

static bool pragma(struct sqlite_db *db, const char *sql, struct err *err)
{
	size_t next;

	return sqlite_exec_one(db, sql, strlen(sql), &next, err);
}

// The journal mode's row says what became of the wish.
static bool use_wal(struct sqlite_db *db, struct err *err)
{
	static const char sql[] = "PRAGMA journal_mode=WAL";
	struct sqlite_stmt *stmt = sqlite_take(db, sql, sizeof sql - 1, err);
	struct sqlite_value mode;
	bool ok;

	if (stmt == NULL)
		return false;
	ok = sqlite_step(stmt, err) == SQLITE_STEP_ROW && sqlite_column(stmt, 0, &mode, err);
	if (ok && (mode.type != SQLITE_TYPE_TEXT || strcmp(mode.bytes, "wal") != 0))
		ok = err_set(err, ERR_SQLITE, "SQLITE_CANTOPEN",
			"cannot switch '%s' to write-ahead logging (its file system does not allow it); set wal = false", db->name);
	sqlite_give(stmt);
	return ok;
}

static bool set_synchronous(struct sqlite_db *db, const char *level, struct err *err)
{
	char sql[64];

	if (level == NULL)
		return true;
	snprintf(sql, sizeof sql, "PRAGMA synchronous=%.16s", level);
	return pragma(db, sql, err);
}

// Asking for the schema version is the first read: it finds out whether the file is a database.
static bool set_up(struct sqlite_db *db, const struct sqlite_options *options, struct err *err)
{
	char cache[64];

	sqlite3_extended_result_codes(db->raw, 1);
	sqlite3_progress_handler(db->raw, STEPS, must_stop, NULL);
	sqlite3_db_config(db->raw, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
	sqlite3_db_config(db->raw, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db->raw, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	sqlite3_db_config(db->raw, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	snprintf(cache, sizeof cache, "PRAGMA cache_size=-%d", PAGE_CACHE_KIB);
	if (!pragma(db, "PRAGMA schema_version", err) || !pragma(db, cache, err))
		return false;
	if (options->wal && options->mode <= SQLITE_MODE_WRITE && !use_wal(db, err))
		return false;
	return set_synchronous(db, options->synchronous, err);
}

static void call_function(sqlite3_context *context, int n, sqlite3_value **args)
{
	const struct sqlite_function *function = sqlite3_user_data(context);
	bool blob = sqlite3_value_type(args[0]) == SQLITE_BLOB;
	const void *data;
	char hex[65];

	(void)n;
	if (sqlite3_value_type(args[0]) == SQLITE_NULL)
		return;
	data = blob ? sqlite3_value_blob(args[0]) : sqlite3_value_text(args[0]);
	if (!function->hex(data != NULL ? data : "", (size_t)sqlite3_value_bytes(args[0]), hex))
		sqlite3_result_error(context, "the digest cannot be computed", -1);
	else
		sqlite3_result_text(context, hex, -1, SQLITE_TRANSIENT);
}

static bool add_functions(struct sqlite_db *db, struct sqlite_function *functions, struct err *err)
{
	int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;

	for (struct sqlite_function *f = functions; f != NULL && f->name != NULL; f++) {
		int rc = sqlite3_create_function_v2(db->raw, f->name, 1, flags, f, call_function, NULL, NULL, NULL);

		if (rc != SQLITE_OK)
			return fail(db, rc, f->name, strlen(f->name), err);
	}
	return true;
}

// "./" in front keeps SQLite from reading a relative name as a URI or as ":memory:".
static struct sqlite_db *new_handle(const char *path, enum sqlite_mode mode, struct err *err)
{
	struct sqlite_db *db = calloc(1, sizeof *db);
	size_t size = strlen(path) + 3;
	bool relative = path[0] != '/' && mode != SQLITE_MODE_MEMORY;

	if (db != NULL && (db->path = malloc(size)) != NULL) {
		snprintf(db->path, size, "%s%s", relative ? "./" : "", path);
		db->name = db->path + (relative ? 2 : 0);
		return db;
	}
	free(db);
	err_no_memory(err);
	return NULL;
}

struct sqlite_db *sqlite_open(
	const char *path, const struct sqlite_options *options, struct sqlite_function *functions, struct err *err)
{
	struct sqlite_db *db;

	if (path[0] == '\0') {
		err_set(err, ERR_USAGE, NULL, "the path of a database must not be empty");
		return NULL;
	}
	if (options->mode == SQLITE_MODE_CREATE && !create_private(path, err))
		return NULL;
	db = new_handle(path, options->mode, err);
	if (db == NULL)
		return NULL;
	db->next = open_handles;
	open_handles = db;
	db->is_open = open_raw(db, options->mode, err) && check_writable(db, options->mode, err) &&
				  add_functions(db, functions, err) && set_up(db, options, err);
	if (db->is_open)
		return db;
	sqlite_close(db);
	return NULL;
}

// ---- files that nobody else may open

static bool is_file(const char *path, const struct stat *wanted)
{
	struct stat st;

	return path != NULL && stat(path, &st) == 0 && st.st_dev == wanted->st_dev && st.st_ino == wanted->st_ino;
}

static bool is_file_with(const char *path, const char *suffix, const struct stat *wanted)
{
	char name[PATH_MAX];
	int n = snprintf(name, sizeof name, "%s%s", path, suffix);

	return n > 0 && (size_t)n < sizeof name && is_file(name, wanted);
}

// The main database and those attached; one in memory has no name.
static bool is_file_of(const struct sqlite_db *db, const struct stat *wanted)
{
	const char *schema;

	for (int i = 0; (schema = sqlite3_db_name(db->raw, i)) != NULL; i++) {
		const char *path = sqlite3_db_filename(db->raw, schema);

		if (path == NULL || path[0] == '\0')
			continue;
		if (is_file(path, wanted) || is_file_with(path, "-wal", wanted) || is_file_with(path, "-shm", wanted) ||
			is_file_with(path, "-journal", wanted))
			return true;
	}
	return false;
}

bool sqlite_is_live(const char *path)
{
	struct stat st;

	if (open_handles == NULL || stat(path, &st) != 0)
		return false;
	for (const struct sqlite_db *db = open_handles; db != NULL; db = db->next)
		if (is_file_of(db, &st))
			return true;
	return false;
}

// ---- the statement cache

static void list_push(struct list *list, struct sqlite_stmt *stmt)
{
	stmt->prev = NULL;
	stmt->next = list->first;
	*(list->first != NULL ? &list->first->prev : &list->last) = stmt;
	list->first = stmt;
	list->n++;
}

static void list_remove(struct list *list, struct sqlite_stmt *stmt)
{
	*(stmt->prev != NULL ? &stmt->prev->next : &list->first) = stmt->next;
	*(stmt->next != NULL ? &stmt->next->prev : &list->last) = stmt->prev;
	list->n--;
}

static void drop(struct sqlite_stmt *stmt)
{
	sqlite3_finalize(stmt->raw);
	free(stmt);
}

static void forget_handle(const struct sqlite_db *db)
{
	struct sqlite_db **link = &open_handles;

	while (*link != NULL && *link != db)
		link = &(*link)->next;
	if (*link != NULL)
		*link = db->next;
}

void sqlite_close(struct sqlite_db *db)
{
	if (db == NULL)
		return;
	forget_handle(db);
	while (db->idle.first != NULL) {
		struct sqlite_stmt *stmt = db->idle.first;

		list_remove(&db->idle, stmt); // NOLINT(clang-analyzer-unix.Malloc): the one before is in the list no longer
		drop(stmt);
	}
	for (struct sqlite_stmt *stmt = db->taken.first; stmt != NULL; stmt = stmt->next) {
		sqlite3_finalize(stmt->raw);
		stmt->raw = NULL;
		stmt->db = NULL;
	}
	sqlite3_close_v2(db->raw);
	free(db->path);
	free(db);
}

static struct sqlite_stmt *find_idle(struct sqlite_db *db, const char *sql, size_t len)
{
	for (struct sqlite_stmt *stmt = db->idle.first; stmt != NULL; stmt = stmt->next)
		if (stmt->len == len && memcmp(stmt->text, sql, len) == 0)
			return stmt;
	return NULL;
}

// Prepare the first statement of the text. *raw is NULL when there is none: only blanks and comments.
static bool prepare(struct sqlite_db *db, const char *sql, size_t len, unsigned flags, sqlite3_stmt **raw, size_t *next,
	struct err *err)
{
	const char *tail = NULL;
	int rc;

	*raw = NULL;
	if (memchr(sql, '\0', len) != NULL)
		return err_set(err, ERR_USAGE, NULL, "an SQL text must not contain a NUL byte");
	if (len > INT_MAX)
		return err_set(err, ERR_LIMIT, NULL, "an SQL text is longer than SQLite takes (2 GiB)");
	rc = sqlite3_prepare_v3(db->raw, sql, (int)len, flags, raw, &tail);
	if (rc != SQLITE_OK)
		return fail(db, rc, sql, len, err);
	*next = (size_t)(tail - sql);
	return true;
}

// Whether nothing but blanks, comments and semicolons is left.
static bool is_blank(struct sqlite_db *db, const char *sql, size_t len)
{
	sqlite3_stmt *raw;
	size_t next = 0;

	for (; len > 0; sql += next, len -= next) {
		if (!prepare(db, sql, len, 0, &raw, &next, NULL))
			return false;
		sqlite3_finalize(raw);
		if (raw != NULL)
			return false;
	}
	return true;
}

static bool prepare_only(struct sqlite_db *db, const char *sql, size_t len, sqlite3_stmt **raw, struct err *err)
{
	size_t next;
	char words[48];

	if (!prepare(db, sql, len, SQLITE_PREPARE_PERSISTENT, raw, &next, err))
		return false;
	if (*raw == NULL)
		return err_set(err, ERR_USAGE, NULL, "an SQL text is empty; a statement is expected");
	if (is_blank(db, sql + next, len - next))
		return true;
	sqlite3_finalize(*raw);
	first_words(sql, len, words, sizeof words);
	return err_set(err, ERR_USAGE, NULL, "more than one statement in '%s …'; use exec for several", words);
}

struct sqlite_stmt *sqlite_take(struct sqlite_db *db, const char *sql, size_t len, struct err *err)
{
	struct sqlite_stmt *stmt = find_idle(db, sql, len);

	if (stmt != NULL) {
		list_remove(&db->idle, stmt);
		list_push(&db->taken, stmt);
		return stmt;
	}
	stmt = calloc(1, sizeof *stmt + len + 1);
	if (stmt == NULL) {
		err_no_memory(err);
		return NULL;
	}
	if (!prepare_only(db, sql, len, &stmt->raw, err)) {
		free(stmt);
		return NULL;
	}
	stmt->db = db;
	memcpy(stmt->text, sql, len);
	stmt->len = len;
	list_push(&db->taken, stmt);
	return stmt;
}

void sqlite_reset(struct sqlite_stmt *stmt)
{
	sqlite3_reset(stmt->raw); // its result repeats the error of the last step
	stmt->gave_row = false;
}

void sqlite_give(struct sqlite_stmt *stmt)
{
	struct sqlite_db *db;

	if (stmt == NULL)
		return;
	db = stmt->db;
	if (db == NULL) {
		free(stmt);
		return;
	}
	sqlite_reset(stmt);
	sqlite3_clear_bindings(stmt->raw);
	list_remove(&db->taken, stmt);
	list_push(&db->idle, stmt);
	if (db->idle.n > CACHE_SIZE) {
		stmt = db->idle.last;
		list_remove(&db->idle, stmt);
		drop(stmt);
	}
}

// ---- running

bool sqlite_exec_one(struct sqlite_db *db, const char *sql, size_t len, size_t *next, struct err *err)
{
	sqlite3_stmt *raw;
	size_t tail = 0;
	int rc = SQLITE_DONE;

	if (!prepare(db, sql, len, 0, &raw, &tail, err))
		return false;
	while (raw != NULL && (rc = sqlite3_step(raw)) == SQLITE_ROW)
		;
	if (rc != SQLITE_DONE)
		fail(db, rc, sql, len, err);
	sqlite3_finalize(raw);
	if (rc != SQLITE_DONE)
		return false;
	*next = tail;
	return true;
}

int sqlite_param_count(const struct sqlite_stmt *stmt)
{
	return sqlite3_bind_parameter_count(stmt->raw);
}

int sqlite_column_count(const struct sqlite_stmt *stmt)
{
	return sqlite3_column_count(stmt->raw);
}

const char *sqlite_column_name(const struct sqlite_stmt *stmt, int column)
{
	const char *name = stmt->raw != NULL ? sqlite3_column_name(stmt->raw, column) : NULL;

	return name != NULL ? name : "";
}

static int bind(sqlite3_stmt *raw, int param, const struct sqlite_value *v, bool copy)
{
	const char *bytes = v->bytes != NULL ? v->bytes : "";
	sqlite3_destructor_type keep = copy ? SQLITE_TRANSIENT : SQLITE_STATIC;

	switch (v->type) {
	case SQLITE_TYPE_INTEGER:
		return sqlite3_bind_int64(raw, param, v->integer);
	case SQLITE_TYPE_REAL:
		return sqlite3_bind_double(raw, param, v->real);
	case SQLITE_TYPE_TEXT:
		return sqlite3_bind_text64(raw, param, bytes, v->len, keep, SQLITE_UTF8);
	case SQLITE_TYPE_BLOB:
		return sqlite3_bind_blob64(raw, param, bytes, v->len, keep);
	case SQLITE_TYPE_NULL:
		break;
	}
	return sqlite3_bind_null(raw, param);
}

bool sqlite_bind(struct sqlite_stmt *stmt, int param, const struct sqlite_value *value, bool copy, struct err *err)
{
	int rc;

	if (stmt->db == NULL)
		return closed(err);
	rc = bind(stmt->raw, param, value, copy);
	return rc == SQLITE_OK || fail(stmt->db, rc, stmt->text, stmt->len, err);
}

bool sqlite_column(struct sqlite_stmt *stmt, int column, struct sqlite_value *value, struct err *err)
{
	int type = sqlite3_column_type(stmt->raw, column);

	*value = (struct sqlite_value){.type = SQLITE_TYPE_NULL};
	if (type == SQLITE_INTEGER) {
		value->type = SQLITE_TYPE_INTEGER;
		value->integer = sqlite3_column_int64(stmt->raw, column);
	} else if (type == SQLITE_FLOAT) {
		value->type = SQLITE_TYPE_REAL;
		value->real = sqlite3_column_double(stmt->raw, column);
	} else if (type != SQLITE_NULL) {
		bool text = type == SQLITE_TEXT;
		const void *bytes = text ? sqlite3_column_text(stmt->raw, column) : sqlite3_column_blob(stmt->raw, column);

		value->type = text ? SQLITE_TYPE_TEXT : SQLITE_TYPE_BLOB;
		value->len = (size_t)sqlite3_column_bytes(stmt->raw, column);
		if (bytes == NULL && (text || value->len > 0)) // an empty blob is NULL by rule, all else by lack of memory
			return err_no_memory(err);
		value->bytes = bytes != NULL ? bytes : "";
	}
	return true;
}

enum sqlite_step sqlite_step(struct sqlite_stmt *stmt, struct err *err)
{
	bool began;
	int rc;

	if (stmt->db == NULL) {
		closed(err);
		return SQLITE_STEP_ERROR;
	}
	rc = sqlite3_step(stmt->raw);
	if (rc == SQLITE_ROW) {
		stmt->gave_row = true;
		return SQLITE_STEP_ROW;
	}
	began = stmt->gave_row;
	if (rc != SQLITE_DONE)
		fail(stmt->db, rc, stmt->text, stmt->len, err);
	sqlite_reset(stmt);
	if (rc == SQLITE_DONE)
		return SQLITE_STEP_DONE;
	if (began && err != NULL)
		err->retryable = false;
	return SQLITE_STEP_ERROR;
}

bool sqlite_run(struct sqlite_stmt *stmt, int64_t *changes, struct err *err)
{
	struct sqlite_db *db = stmt->db;
	sqlite3_int64 before;
	enum sqlite_step step;

	if (db == NULL)
		return closed(err);
	before = sqlite3_total_changes64(db->raw);
	while ((step = sqlite_step(stmt, err)) == SQLITE_STEP_ROW)
		;
	if (step == SQLITE_STEP_ERROR)
		return false;
	// sqlite3_changes64 speaks of the last statement that writes: of this one only if the total moved.
	if (changes != NULL)
		*changes = sqlite3_total_changes64(db->raw) == before ? 0 : sqlite3_changes64(db->raw);
	return true;
}

int64_t sqlite_last_rowid(const struct sqlite_db *db)
{
	return sqlite3_last_insert_rowid(db->raw);
}

bool sqlite_in_transaction(const struct sqlite_db *db)
{
	return sqlite3_get_autocommit(db->raw) == 0;
}

bool sqlite_is_readonly(const struct sqlite_db *db)
{
	return sqlite3_db_readonly(db->raw, "main") == 1;
}
