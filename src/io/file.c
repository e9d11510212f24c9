// Files and folders that syncrun creates. Knows nothing of what is written.
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
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
