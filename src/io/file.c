// Files and folders that syncrun creates. Knows nothing of what is written.
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

static bool make_one(const char *path, struct err *err)
{
	struct stat st;

	if (mkdir(path, 0700) == 0)
		return true;
	if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return true;
	return err_set(err, ERR_CONFIG, NULL, "cannot make the folder '%s' (%s)", path, strerror(errno));
}

bool file_make_folder(const char *path, struct err *err)
{
	char *copy = strdup(path);
	bool ok = copy != NULL;

	if (!ok)
		return err_no_memory(err);
	for (char *p = copy + 1; ok && copy[0] != '\0' && *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		ok = make_one(copy, err);
		*p = '/';
	}
	ok = ok && make_one(copy, err);
	free(copy);
	return ok;
}

int file_create(const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		err_set(err, ERR_CONFIG, NULL, "cannot write the file '%s' (%s)", path, strerror(errno));
	return fd;
}

bool file_write(int fd, const char *path, const char *text, size_t len, struct err *err)
{
	if (sink_write(fd, text, len))
		return true;
	return err_set(err, ERR_CONFIG, NULL, "cannot write to '%s' (%s)", path, strerror(errno));
}

static long read_pid(int fd)
{
	char text[32];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return strtol(text, NULL, 10);
}

// The pid is for messages only: what counts is the kernel's lock.
static bool write_pid(int fd)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());

	return ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) == n;
}

static int refuse_lock(int fd, const char *path, long *holder, struct err *err)
{
	if (errno == EWOULDBLOCK) {
		*holder = read_pid(fd);
		err_set(err, ERR_CONFIG, "locked", "'%s' is locked by another process (pid %ld)", path, *holder);
	} else {
		err_set(err, ERR_CONFIG, NULL, "cannot lock '%s' (%s)", path, strerror(errno));
	}
	close(fd);
	return -1;
}

// flock: not POSIX, but everywhere; unlike POSIX's own it is not lost when another descriptor of the file is closed.
int file_lock(const char *path, long *holder, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	*holder = 0;
	if (fd < 0) {
		err_set(
			err, ERR_CONFIG, NULL, "cannot write '%s' (%s); may this user write its folder?", path, strerror(errno));
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0 || !write_pid(fd))
		return refuse_lock(fd, path, holder, err);
	return fd;
}
