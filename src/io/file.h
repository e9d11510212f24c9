// Files and folders that syncrun creates: 0600 and 0700. file_write masks secrets; what is signed or digested goes
// through file_replace and file_extend, which keep every byte.
#ifndef SYNCRUN_IO_FILE_H
#define SYNCRUN_IO_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/sink.h"

// Make the folder and those above it, mode 0700 where it had to be made. An existing folder is fine.
bool file_make_folder(const char *path, struct err *err);
// Open for reading. -1 with err on failure.
int file_open(const char *path, struct err *err);
// Open for writing and reading back, truncated, 0600, never through a symbolic link. -1 with err on failure.
int file_create(const char *path, struct err *err);
// Append text, secrets masked. `path` is for the message only.
bool file_write(struct sink *sink, const char *path, const char *text, size_t len, struct err *err);
// Write what was held back and close, whatever fails on the way. False when not all that was written can be kept.
bool file_close(struct sink *sink, const char *path, struct err *err);
// Put these bytes in place of the file (0600): it is the new one or the old one, whatever ends the process or the
// power, and is on the disk when this returns.
bool file_replace(const char *path, const void *data, size_t len, struct err *err);
// Keep the first `keep` bytes of a file (made 0600 when it is missing; never through a symbolic link), drop what is
// behind them, append these; on the disk when this returns.
bool file_extend(const char *path, size_t keep, const void *data, size_t len, struct err *err);
// Whether any user of this machine may read the file: its mode lets them, and so do the folders above it.
bool file_is_public(const char *path);
// Take the lock that is this file (made 0600, never through a symbolic link): a descriptor that holds it until it is
// closed, by whatever ends the process too, and our pid is in the file. -1 with err on failure; err->code is "locked"
// and *holder the pid in the file (0: none) when another open description holds it.
int file_lock(const char *path, long *holder, struct err *err);

// Open standard streams that are closed on nothing: the next file that is opened would get their number, and what is
// meant for people would be written into it. Before anything else is opened; false when that cannot be done.
bool file_open_standard(void);

#endif
