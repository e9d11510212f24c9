// getaddrinfo beside the loop. Knows nothing of what the addresses are for.
//
// The job is shared by its owner (the loop's thread) and its helper thread, and freed by whoever lets go last. The
// helper fills the answers, then writes one byte to the pipe: that byte is the hand-over.
#include "io/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/thread.h"
#include "io/loop.h"

struct lookup {
	char *name;
	struct addrinfo *list;
	int problem; // EAI_…
};

struct resolve {
	atomic_int refs;
	int pipe[2];
	struct watch watch; // this and the two below belong to the owner
	void (*done)(void *ctx);
	void *ctx;
	size_t n;
	struct lookup lookups[];
};

static void drop(struct resolve *r)
{
	if (atomic_fetch_sub(&r->refs, 1) != 1)
		return;
	for (size_t i = 0; i < r->n; i++) {
		free(r->lookups[i].name);
		if (r->lookups[i].list != NULL)
			freeaddrinfo(r->lookups[i].list);
	}
	for (int i = 0; i < 2; i++)
		if (r->pipe[i] >= 0)
			close(r->pipe[i]);
	free(r);
}

static void *helper_main(void *arg)
{
	struct resolve *r = arg;
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	ssize_t n;

	for (size_t i = 0; i < r->n; i++)
		r->lookups[i].problem = getaddrinfo(r->lookups[i].name, NULL, &hints, &r->lookups[i].list);
	do
		n = write(r->pipe[1], "", 1);
	while (n < 0 && errno == EINTR);
	drop(r);
	return NULL;
}

static void on_answer(struct watch *watch, short revents)
{
	struct resolve *r = (struct resolve *)(void *)((char *)watch - offsetof(struct resolve, watch));

	(void)revents;
	watch_stop(watch);
	r->done(r->ctx);
}

static bool copy_names(struct resolve *r, const char *const *names, size_t n)
{
	for (; r->n < n; r->n++) {
		r->lookups[r->n].name = strdup(names[r->n]);
		if (r->lookups[r->n].name == NULL)
			return false;
	}
	return true;
}

static bool open_pipe(int fds[2])
{
	if (pipe(fds) != 0) {
		fds[0] = fds[1] = -1;
		return false;
	}
	return fcntl(fds[0], F_SETFD, FD_CLOEXEC) == 0 && fcntl(fds[1], F_SETFD, FD_CLOEXEC) == 0;
}

struct resolve *resolve_start(const char *const *names, size_t n, void (*done)(void *ctx), void *ctx, struct err *err)
{
	struct resolve *r = calloc(1, sizeof *r + n * sizeof r->lookups[0]);

	if (r == NULL) {
		err_no_memory(err);
		return NULL;
	}
	atomic_init(&r->refs, 1);
	r->pipe[0] = r->pipe[1] = -1;
	r->done = done;
	r->ctx = ctx;
	if (!copy_names(r, names, n) || !open_pipe(r->pipe)) {
		drop(r);
		err_set(err, ERR_INTERNAL, NULL, "cannot look up '%s' (%s)", n > 0 ? names[0] : "", strerror(errno));
		return NULL;
	}
	atomic_store(&r->refs, 2);
	if (!thread_run(helper_main, r)) {
		atomic_store(&r->refs, 1);
		drop(r);
		err_set(err, ERR_INTERNAL, NULL, "cannot look up '%s' (no thread can be started)", n > 0 ? names[0] : "");
		return NULL;
	}
	watch_start(&r->watch, r->pipe[0], POLLIN, on_answer);
	return r;
}

bool resolve_address(const struct resolve *r, size_t i, size_t k, char *out, size_t size)
{
	const struct addrinfo *a = r->lookups[i].list;

	for (; a != NULL && k > 0; k--)
		a = a->ai_next;
	return a != NULL && getnameinfo(a->ai_addr, a->ai_addrlen, out, (socklen_t)size, NULL, 0, NI_NUMERICHOST) == 0;
}

const char *resolve_problem(const struct resolve *r, size_t i)
{
	return r->lookups[i].problem == 0 ? NULL : gai_strerror(r->lookups[i].problem);
}

bool resolve_may_succeed_later(const struct resolve *r, size_t i)
{
	return r->lookups[i].problem == EAI_AGAIN;
}

void resolve_free(struct resolve *r)
{
	if (r == NULL)
		return;
	watch_stop(&r->watch);
	drop(r);
}

bool resolve_is_numeric(const char *host)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	struct addrinfo *list = NULL;

	if (getaddrinfo(host, NULL, &hints, &list) != 0)
		return false;
	freeaddrinfo(list);
	return true;
}
