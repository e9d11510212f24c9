// Host names to addresses without blocking the loop: getaddrinfo in a helper thread that answers through a pipe.
#ifndef SYNCRUN_IO_RESOLVE_H
#define SYNCRUN_IO_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct resolve;

// Look up n names (copied). done(ctx) runs once from loop_poll, unless resolve_free came first. NULL with err on
// failure.
struct resolve *resolve_start(const char *const *names, size_t n, void (*done)(void *ctx), void *ctx, struct err *err);
// From here on only after done ran. Copy address k (from 0) of name i as digits, as "192.0.2.1" or "fe80::1%eth0";
// false when there are no more.
bool resolve_address(const struct resolve *r, size_t i, size_t k, char *out, size_t size);
// Why name i has no address, in the resolver's words; NULL when it has one.
const char *resolve_problem(const struct resolve *r, size_t i);
// True when a later try may find an address of name i.
bool resolve_may_succeed_later(const struct resolve *r, size_t i);
// Forget it. Legal at any time and for NULL; a lookup under way is abandoned to its thread.
void resolve_free(struct resolve *r);
// True for an address in digits, which needs no lookup.
bool resolve_is_numeric(const char *host);

#endif
