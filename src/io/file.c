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

int file_open(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		err_set(err, ERR_CONFIG, NULL, "cannot read the file '%s' (%s)", path, strerror(errno));
	return fd;
}

int file_create(const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		err_set(err, ERR_CONFIG, NULL, "cannot write the file '%s' (%s)", path, strerror(errno));
	return fd;
}

static bool cannot_write(const char *path, struct err *err)
{
	return err_set(err, ERR_CONFIG, NULL, "cannot write '%s' (%s)", path, strerror(errno));
}

static bool put_all(int fd, const char *data, size_t len, off_t at)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, data, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

// close() as a condition: what was written is not kept for sure when it fails.
static bool close_whole(int fd, bool ok)
{
	int why = errno;

	if (close(fd) != 0)
		return false;
	errno = why;
	return ok;
}

bool file_write(struct sink *sink, const char *path, const char *text, size_t len, struct err *err)
{
	return sink_put(sink, text, len) || cannot_write(path, err);
}

bool file_close(struct sink *sink, const char *path, struct err *err)
{
	bool ended = sink_end(sink);
	int fd = sink->fd;

	sink_free(sink);
	sink->fd = -1;
	return close_whole(fd, ended) || cannot_write(path, err);
}

// A new name lasts only once its folder is on the disk too.
static bool sync_folder(const char *path)
{
	char *copy = strdup(path);
	char *slash = copy != NULL ? strrchr(copy, '/') : NULL;
	int fd;

	if (copy == NULL)
		return false;
	if (slash != NULL)
		slash[slash == copy ? 1 : 0] = '\0';
	fd = open(slash != NULL ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	return fd >= 0 && close_whole(fd, fsync(fd) == 0);
}

static bool write_new(const char *path, const void *data, size_t len, struct err *err)
{
	int fd = file_create(path, err);

	if (fd < 0)
		return false;
	return close_whole(fd, put_all(fd, data, len, 0) && fsync(fd) == 0) || cannot_write(path, err);
}

bool file_replace(const char *path, const void *data, size_t len, struct err *err)
{
	size_t size = strlen(path) + sizeof ".new";
	char *fresh = malloc(size);
	bool ok;

	if (fresh == NULL)
		return err_no_memory(err);
	snprintf(fresh, size, "%s.new", path);
	ok = write_new(fresh, data, len, err) &&
		 ((rename(fresh, path) == 0 && sync_folder(path)) || cannot_write(path, err));
	if (!ok)
		unlink(fresh);
	free(fresh);
	return ok;
}

bool file_extend(const char *path, size_t keep, const void *data, size_t len, struct err *err)
{
	bool fresh = access(path, F_OK) != 0;
	int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return cannot_write(path, err);
	return close_whole(fd, ftruncate(fd, (off_t)keep) == 0 && put_all(fd, data, len, (off_t)keep) && fsync(fd) == 0 &&
							   (!fresh || sync_folder(path))) ||
		   cannot_write(path, err);
}

bool file_is_public(const char *path)
{
	char *real = realpath(path, NULL), *slash;
	struct stat st;
	bool is = real != NULL && stat(real, &st) == 0 && (st.st_mode & S_IROTH) != 0;

	while (is && (slash = strrchr(real, '/')) != NULL && slash != real) {
		*slash = '\0';
		is = stat(real, &st) == 0 && (st.st_mode & S_IXOTH) != 0;
	}
	free(real);
	return is;
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

bool file_open_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return false;
	return true;
}
