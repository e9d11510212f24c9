// Files of records. POSIX files, one window for reading, one for writing.
#include "io/records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file.h"

enum { WINDOW = 64 * 1024 };

struct records {
	int fd;
	char *path;
	size_t len;
	uint64_t n, written;   // records; those of them that are in the file
	unsigned char *put;    // the others
	unsigned char *window; // records first..first+held, as read
	uint64_t first, held;
};

static bool cannot(const struct records *r, const char *what, struct err *err)
{
	return err_set(err, ERR_CONFIG, NULL, "cannot %s '%s' (%s)", what, r->path, strerror(errno));
}

static size_t window_records(const struct records *r)
{
	return r->len < WINDOW ? WINDOW / r->len : 1;
}

static struct records *records_new(const char *path, size_t len, struct err *err)
{
	struct records *r = calloc(1, sizeof *r);

	if (r == NULL) {
		err_no_memory(err);
		return NULL;
	}
	r->fd = -1;
	r->len = len;
	r->path = strdup(path);
	r->window = malloc(window_records(r) * len);
	if (r->path != NULL && r->window != NULL)
		return r;
	records_close(r);
	err_no_memory(err);
	return NULL;
}

static bool count_records(struct records *r, struct err *err)
{
	struct stat st;

	if (fstat(r->fd, &st) != 0 || !S_ISREG(st.st_mode))
		return err_set(err, ERR_CONFIG, NULL, "cannot read '%s' (it is not a file)", r->path);
	if ((size_t)st.st_size % r->len != 0)
		return err_set(err, ERR_CHECK, "damaged", "'%s' is not whole (%lld bytes, not a multiple of %zu)", r->path,
			(long long)st.st_size, r->len);
	r->n = r->written = (size_t)st.st_size / r->len;
	return true;
}

struct records *records_open(const char *path, size_t len, struct err *err)
{
	struct records *r = records_new(path, len, err);

	if (r == NULL)
		return NULL;
	r->fd = file_open(path, err);
	if (r->fd >= 0 && count_records(r, err))
		return r;
	records_close(r);
	return NULL;
}

struct records *records_create(const char *path, size_t len, struct err *err)
{
	struct records *r = records_new(path, len, err);

	if (r == NULL)
		return NULL;
	r->put = malloc(window_records(r) * len);
	if (r->put == NULL) {
		records_close(r);
		err_no_memory(err);
		return NULL;
	}
	r->fd = file_create(path, err);
	if (r->fd >= 0)
		return r;
	records_close(r);
	return NULL;
}

struct records *records_scratch(const char *path, size_t len, struct err *err)
{
	struct records *r = records_create(path, len, err);

	if (r != NULL)
		unlink(path);
	return r;
}

uint64_t records_count(const struct records *r)
{
	return r->n;
}

static bool flush(struct records *r, struct err *err)
{
	size_t len = (size_t)(r->n - r->written) * r->len, done = 0;

	while (done < len) {
		ssize_t n = pwrite(r->fd, r->put + done, len - done, (off_t)(r->written * r->len + done));

		if (n < 0 && errno != EINTR)
			return cannot(r, "write", err);
		done += n > 0 ? (size_t)n : 0;
	}
	r->written = r->n;
	return true;
}

bool records_put(struct records *r, const void *record, struct err *err)
{
	if (r->n - r->written == window_records(r) && !flush(r, err))
		return false;
	memcpy(r->put + (r->n - r->written) * r->len, record, r->len);
	r->n++;
	return true;
}

static bool fill_window(struct records *r, uint64_t first, struct err *err)
{
	uint64_t want = r->n - first < window_records(r) ? r->n - first : window_records(r);
	size_t len = (size_t)want * r->len, done = 0;

	r->held = 0;
	while (done < len) {
		ssize_t n = pread(r->fd, r->window + done, len - done, (off_t)(first * r->len + done));

		if (n == 0)
			return err_set(err, ERR_CHECK, "damaged", "'%s' was cut while it was read", r->path);
		if (n < 0 && errno != EINTR)
			return cannot(r, "read", err);
		done += n > 0 ? (size_t)n : 0;
	}
	r->first = first;
	r->held = want;
	return true;
}

const void *records_at(struct records *r, uint64_t i, struct err *err)
{
	if (i < r->first || i - r->first >= r->held)
		if (!flush(r, err) || !fill_window(r, i, err))
			return NULL;
	return r->window + (i - r->first) * r->len;
}

bool records_copy(struct records *to, struct records *from, uint64_t n, struct err *err)
{
	for (uint64_t i = 0; i < n; i++) {
		const void *record = records_at(from, i, err);

		if (record == NULL || !records_put(to, record, err))
			return false;
	}
	return true;
}

bool records_sync(struct records *r, struct err *err)
{
	return flush(r, err) && (fsync(r->fd) == 0 || cannot(r, "write", err));
}

void records_close(struct records *r)
{
	if (r == NULL)
		return;
	if (r->fd >= 0)
		close(r->fd);
	free(r->path);
	free(r->put);
	free(r->window);
	free(r);
}
