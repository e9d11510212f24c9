// A power cut for one process, preloaded into it: what it wrote to certain files and did not flush is lost at random, and
// the process is killed in the same instant. Tests only; knows nothing of SQLite.
//
//   POWERLOSS_FILES  colon-separated paths; a file is watched when its path begins with one of them (but for -shm)
//   POWERLOSS_AFTER  the cut comes at this write to a watched file; 0: never
//   POWERLOSS_SEED   for what is lost: each unflushed write is kept, dropped, or torn in the middle
//   POWERLOSS_COUNT  a file that gets the number of writes at the end
#define _GNU_SOURCE // RTLD_NEXT
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct undo {
	struct undo *before;
	char *path;
	off_t offset, old_size;
	size_t len, old_len; // written; and how much of that had been there
	char *old;
};

static struct undo *last;
static long writes, after = -1;
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fdatasync)(int);
static int (*real_fsync)(int);

static void *next_function(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (found == NULL)
		abort();
	return found;
}

static void start(void)
{
	const char *text = getenv("POWERLOSS_AFTER"), *seed = getenv("POWERLOSS_SEED");

	if (after >= 0)
		return;
	after = text != NULL ? atol(text) : 0;
	srandom(seed != NULL ? (unsigned)atol(seed) : 1);
	*(void **)&real_pwrite = next_function("pwrite64");
	*(void **)&real_ftruncate = next_function("ftruncate64");
	*(void **)&real_fdatasync = next_function("fdatasync");
	*(void **)&real_fsync = next_function("fsync");
}

static bool watched(int fd, char path[PATH_MAX])
{
	const char *list = getenv("POWERLOSS_FILES");
	char link[64];
	ssize_t n;

	start();
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX - 1);
	if (n <= 0 || list == NULL)
		return false;
	path[n] = '\0';
	if (strstr(path, "-shm") != NULL)
		return false;
	while (*list != '\0') {
		size_t len = strcspn(list, ":");
		if (len > 0 && strncmp(path, list, len) == 0)
			return true;
		list += len + (list[len] == ':');
	}
	return false;
}

static void remember(int fd, const char *path, off_t offset, size_t len)
{
	struct undo *u = calloc(1, sizeof *u);
	struct stat st;
	ssize_t n;

	if (u == NULL || fstat(fd, &st) != 0 || (u->old = malloc(len + 1)) == NULL || (u->path = strdup(path)) == NULL)
		abort();
	n = pread(fd, u->old, len, offset);
	u->old_len = n > 0 ? (size_t)n : 0;
	u->offset = offset;
	u->len = len;
	u->old_size = st.st_size;
	u->before = last;
	last = u;
}

static void forget(const char *path)
{
	for (struct undo **at = &last; *at != NULL;) {
		struct undo *u = *at;
		if (strcmp(u->path, path) != 0) {
			at = &u->before;
			continue;
		}
		*at = u->before;
		free(u->path);
		free(u->old);
		free(u);
	}
}

// From byte `from` of the write on, the file is as it was before.
static void take_back(const struct undo *u, size_t from)
{
	int fd = open(u->path, O_WRONLY);
	struct stat st;

	if (fd < 0)
		return;
	if (from < u->old_len)
		real_pwrite(fd, u->old + from, u->old_len - from, u->offset + (off_t)from);
	if (fstat(fd, &st) == 0 && st.st_size == u->offset + (off_t)u->len && st.st_size > u->old_size) {
		off_t end = u->offset + (off_t)from;
		real_ftruncate(fd, end > u->old_size ? end : u->old_size);
	}
	close(fd);
}

static void cut_power(void)
{
	for (const struct undo *u = last; u != NULL; u = u->before) {
		long dice = random() % 4;
		if (dice < 2)
			take_back(u, 0);
		else if (dice == 2)
			take_back(u, u->len > 0 ? (size_t)random() % u->len / 512 * 512 : 0);
	}
	kill(getpid(), SIGKILL);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off_t offset)
{
	char path[PATH_MAX];

	if (watched(fd, path)) {
		remember(fd, path, offset, len);
		if (++writes == after)
			cut_power();
	}
	return real_pwrite(fd, data, len, offset);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
	return pwrite64(fd, data, len, offset);
}

int ftruncate64(int fd, off_t size)
{
	char path[PATH_MAX];
	struct stat st;

	if (watched(fd, path) && fstat(fd, &st) == 0 && st.st_size > size)
		remember(fd, path, size, (size_t)(st.st_size - size));
	return real_ftruncate(fd, size);
}

int ftruncate(int fd, off_t size)
{
	return ftruncate64(fd, size);
}

int fdatasync(int fd)
{
	char path[PATH_MAX];

	if (watched(fd, path))
		forget(path);
	return real_fdatasync(fd);
}

int fsync(int fd)
{
	char path[PATH_MAX];

	if (watched(fd, path))
		forget(path);
	return real_fsync(fd);
}

__attribute__((destructor)) static void tell(void)
{
	const char *path = getenv("POWERLOSS_COUNT");
	FILE *f = path != NULL ? fopen(path, "w") : NULL;

	if (f == NULL)
		return;
	fprintf(f, "%ld\n", writes);
	fclose(f);
}
