// A full disk for some files of one process, preloaded into it: a write beyond a size fails with ENOSPC. Tests only.
//
//   FULLDISK_FILES  a file is watched when its path begins with this
//   FULLDISK_BYTES  how large such a file may get
#define _GNU_SOURCE // RTLD_NEXT
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_watched(int fd)
{
	const char *prefix = getenv("FULLDISK_FILES");
	char link[64], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path);
	return prefix != NULL && n >= (ssize_t)strlen(prefix) && memcmp(path, prefix, strlen(prefix)) == 0;
}

ssize_t pwrite64(int fd, const void *data, size_t len, off_t offset)
{
	static ssize_t (*real)(int, const void *, size_t, off_t);
	const char *limit = getenv("FULLDISK_BYTES");

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "pwrite64");
	if (limit != NULL && offset + (off_t)len > atol(limit) && is_watched(fd)) {
		errno = ENOSPC;
		return -1;
	}
	return real(fd, data, len, offset);
}
