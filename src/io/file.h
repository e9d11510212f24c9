// Files and folders that syncrun creates: 0600 and 0700, written whole or not at all, every byte through redact.
#ifndef SYNCRUN_IO_FILE_H
#define SYNCRUN_IO_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

// Make the folder and those above it, mode 0700 where it had to be made. An existing folder is fine.
bool file_make_folder(const char *path, struct err *err);
// Open for writing, truncated, 0600, never through a symbolic link. -1 with err on failure.
int file_create(const char *path, struct err *err);
// Append text, secrets masked. `path` is for the message only.
bool file_write(int fd, const char *path, const char *text, size_t len, struct err *err);
// Take the lock that is this file (made 0600, never through a symbolic link): a descriptor that holds it until it is
// closed, by whatever ends the process too, and our pid is in the file. -1 with err on failure; err->code is "locked"
// and *holder the pid in the file (0: none) when another open description holds it.
int file_lock(const char *path, long *holder, struct err *err);

#endif
