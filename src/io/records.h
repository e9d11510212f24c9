// Files of records of one size, read by number and written in order; and the sorting of more records than memory should
// hold. Knows nothing of what a record is.
#ifndef SYNCRUN_IO_RECORDS_H
#define SYNCRUN_IO_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct records;

// An existing file of records of len bytes, to be read. NULL with err on failure; code "damaged" when it is not whole.
struct records *records_open(const char *path, size_t len, struct err *err);
// A new file (0600, an old one is emptied, never through a symbolic link), to be written in order and read at once.
struct records *records_create(const char *path, size_t len, struct err *err);
// The same, nameless as soon as it is there: it is gone whatever ends the process.
struct records *records_scratch(const char *path, size_t len, struct err *err);
uint64_t records_count(const struct records *records);
// Append one.
bool records_put(struct records *records, const void *record, struct err *err);
// Record i, i < count, valid until the next call with this file. NULL with err on failure. Fast for i in a row.
const void *records_at(struct records *records, uint64_t i, struct err *err);
// Append the first n records of another file, n <= its count.
bool records_copy(struct records *to, struct records *from, uint64_t n, struct err *err);
// All that was put is on the disk when this returns.
bool records_sync(struct records *records, struct err *err);
// Close the file; it stays. Unsynced records may be missing from it. records_close(NULL) is legal.
void records_close(struct records *records);

struct sorter;

// Sorts records of len bytes by memcmp. Up to some 2 MiB are held; what is more goes to a scratch file at path, made
// when it is needed and removed by sorter_free.
struct sorter *sorter_new(const char *path, size_t len, struct err *err);
bool sorter_add(struct sorter *sorter, const void *record, struct err *err);
// The next record in order, valid until the next call; *record NULL at the end. The first call ends the adding.
bool sorter_next(struct sorter *sorter, const void **record, struct err *err);
void sorter_free(struct sorter *sorter);

#endif
