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

#endif
