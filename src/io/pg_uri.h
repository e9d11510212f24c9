// What a libpq URI or keyword string says, before a connection is made of it: hosts, options, words for people. Every
// password in it is registered as a secret, also when the rest cannot be read. Without libpq's types.
#ifndef SYNCRUN_IO_PG_URI_H
#define SYNCRUN_IO_PG_URI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { PG_HOSTS_MAX = 16, PG_HOST_SIZE = 256, PG_PORT_SIZE = 16, PG_WHERE_SIZE = 512 };

struct pg_host {
	char host[PG_HOST_SIZE], port[PG_PORT_SIZE];
	bool lookup; // a name, not digits or a socket's folder
};

struct pg_uri;

// Parse, by libpq's rules; `name` is what messages call the server. NULL with err (kind config, code "uri"), which
// quotes nothing of the text.
struct pg_uri *pg_uri_parse(const char *text, const char *name, struct err *err);
// NULL is legal.
void pg_uri_free(struct pg_uri *uri);
const struct pg_host *pg_uri_hosts(const struct pg_uri *uri, size_t *n);
// "db.example.com:5432, database 'postgres'": for messages.
const char *pg_uri_where(const struct pg_uri *uri);
// The schema of Prisma's ?schema=…; NULL for none.
const char *pg_uri_schema(const struct pg_uri *uri);
// The value of a keyword: what the text says, else the environment, else libpq's default; NULL for none.
const char *pg_uri_get(const struct pg_uri *uri, const char *keyword);
// The same, of the text alone.
const char *pg_uri_given(const struct pg_uri *uri, const char *keyword);
// Is this address (digits, or a socket's folder) on this machine, so that nothing leaves it?
bool pg_uri_is_local(const char *address);
// Does one of the hosts that need no lookup stand on another machine?
bool pg_uri_leads_away(const struct pg_uri *uri);
// Option i of the text, from 0; false when there are no more.
bool pg_uri_option(const struct pg_uri *uri, size_t i, const char **keyword, const char **value);
// Is the text meant for libpq: postgres://, postgresql://, or one that begins with a keyword of libpq and "="?
bool pg_uri_is_meant(const char *text);

#endif
