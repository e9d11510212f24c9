// Connection strings, read by libpq itself (PQconninfoParse). Knows nothing of connections.
#include "io/pg_uri.h"

#include <ctype.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/redact.h"
#include "io/pg_params.h"
#include "io/resolve.h"

struct pg_uri {
	PQconninfoOption *given, *defaults;
	struct pg_host hosts[PG_HOSTS_MAX];
	size_t nhosts;
	char where[PG_WHERE_SIZE], schema[PG_SCHEMA_SIZE];
};

void pg_uri_free(struct pg_uri *uri)
{
	if (uri == NULL)
		return;
	PQconninfoFree(uri->given);
	PQconninfoFree(uri->defaults);
	free(uri);
}

// ---- what it says ----

static const char *option_get(const PQconninfoOption *list, const char *keyword)
{
	for (; list != NULL && list->keyword != NULL; list++)
		if (strcmp(list->keyword, keyword) == 0)
			return list->val != NULL && list->val[0] != '\0' ? list->val : NULL;
	return NULL;
}

const char *pg_uri_given(const struct pg_uri *uri, const char *keyword)
{
	return option_get(uri->given, keyword);
}

const char *pg_uri_get(const struct pg_uri *uri, const char *keyword)
{
	const char *value = pg_uri_given(uri, keyword);

	return value != NULL ? value : option_get(uri->defaults, keyword);
}

bool pg_uri_option(const struct pg_uri *uri, size_t i, const char **keyword, const char **value)
{
	for (const PQconninfoOption *o = uri->given; o->keyword != NULL; o++)
		if (o->val != NULL && i-- == 0) {
			*keyword = o->keyword;
			*value = o->val;
			return true;
		}
	return false;
}

const struct pg_host *pg_uri_hosts(const struct pg_uri *uri, size_t *n)
{
	*n = uri->nhosts;
	return uri->hosts;
}

const char *pg_uri_where(const struct pg_uri *uri)
{
	return uri->where;
}

const char *pg_uri_schema(const struct pg_uri *uri)
{
	return uri->schema[0] != '\0' ? uri->schema : NULL;
}

// ---- its secrets ----

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Register the text as it stands, and as it reads with its %XX decoded.
static void register_secret(const char *text, size_t len)
{
	char *decoded = len > 0 ? malloc(len) : NULL;
	size_t n = 0;

	if (len == 0)
		return;
	redact_add(text, len);
	for (size_t i = 0; decoded != NULL && i < len; i++) {
		int high = text[i] == '%' && i + 2 < len ? hex_digit(text[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(text[i + 2]) : -1;

		decoded[n++] = low >= 0 ? (char)(high * 16 + low) : text[i];
		i += low >= 0 ? 2 : 0;
	}
	if (decoded != NULL && n < len)
		redact_add(decoded, n);
	free(decoded);
}

// "://user:password@": up to the first @, and, when the password holds an @ itself, up to the last.
static void register_userinfo(const char *text)
{
	const char *start = strstr(text, "://"), *first, *last, *colon;

	if (start == NULL)
		return;
	start += 3;
	first = strchr(start, '@');
	last = strrchr(start, '@');
	colon = first != NULL ? memchr(start, ':', (size_t)(first - start)) : NULL;
	if (colon == NULL)
		return;
	register_secret(colon + 1, (size_t)(first - colon - 1));
	register_secret(colon + 1, (size_t)(last - colon - 1));
}

// What follows "password =": quoted, up to the next blank, up to the next parameter, up to what it may be quoted by.
static void register_value(const char *value)
{
	if (*value == '\'') {
		const char *end = ++value;

		while (*end != '\0' && *end != '\'')
			end += *end == '\\' && end[1] != '\0' ? 2 : 1;
		register_secret(value, (size_t)(end - value));
	}
	register_secret(value, strcspn(value, " \t\r\n"));
	register_secret(value, strcspn(value, " \t\r\n&"));
	register_secret(value, strcspn(value, " \t\r\n&'\""));
}

// "password=…", "sslpassword = …", in a query or in a keyword string.
static void register_keywords(const char *text)
{
	static const char word[] = "password";

	for (; *text != '\0'; text++) {
		const char *value = text + sizeof word - 1;

		if (strncasecmp(text, word, sizeof word - 1) != 0)
			continue;
		value += strspn(value, " \t\r\n");
		if (*value == '=')
			register_value(value + 1 + strspn(value + 1, " \t\r\n"));
	}
}

static void register_options(const PQconninfoOption *list)
{
	static const char *const keywords[] = {"password", "sslpassword"};

	for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
		const char *value = option_get(list, keywords[i]);
		if (value != NULL)
			redact_add(value, strlen(value));
	}
}

// ---- reading it ----

// A password with a bare @ or / is read by libpq as a part of the host, port or database, and would be shown as such;
// so would a whole connection string that stands where the database's name belongs.
static bool is_torn(const struct pg_uri *uri)
{
	const char *host = pg_uri_given(uri, "host"), *port = pg_uri_given(uri, "port");
	const char *dbname = pg_uri_given(uri, "dbname");

	return (host != NULL && strchr(host + 1, '@') != NULL) ||
		   (dbname != NULL && (strchr(dbname, '@') != NULL || pg_uri_is_meant(dbname))) ||
		   (port != NULL && port[strspn(port, "0123456789,")] != '\0');
}

static bool is_keyword(const char *name)
{
	PQconninfoOption *known = PQconndefaults();
	bool found = strcmp(name, "ssl") == 0; // of a URI only

	for (const PQconninfoOption *o = known; o != NULL && o->keyword != NULL; o++)
		found = found || strcmp(o->keyword, name) == 0;
	PQconninfoFree(known);
	return found;
}

static bool refuse(const char *text, const char *name, struct err *err)
{
	char param[PG_PARAM_SIZE];

	if (pg_params_unknown(text, is_keyword, param))
		return err_set(err, ERR_CONFIG, "uri",
			"the URI of '%s' has the parameter '%s', which Postgres' own library does not know; %s", name, param,
			pg_params_hint(param) != NULL ? pg_params_hint(param) : "take it out");
	return err_set(err, ERR_CONFIG, "uri",
		"cannot read the URI of '%s' (it is not a libpq URI or keyword string); write "
		"postgresql://user:password@host:port/database, with %% @ : / ? # of the password as %%25 %%40 %%3A %%2F "
		"%%3F %%23",
		name);
}

static bool parse(struct pg_uri *uri, const char *text, const char *name, struct err *err)
{
	char *message = NULL;

	uri->given = PQconninfoParse(text, &message);
	if (message != NULL)
		PQfreemem(message); // it may quote the password, so it is never shown
	if (uri->given == NULL || is_torn(uri))
		return refuse(text, name, err);
	uri->defaults = PQconndefaults();
	register_options(uri->given);
	register_options(uri->defaults);
	return true;
}

// Others' parameters out of the way first.
static bool read_text(struct pg_uri *uri, const char *text, const char *name, struct err *err)
{
	struct buf own = {0};
	bool ok;

	register_userinfo(text);
	register_keywords(text);
	ok = pg_params_strip(&own, text, uri->schema) ? parse(uri, own.data != NULL ? own.data : "", name, err)
												  : err_no_memory(err);
	buf_free(&own);
	return ok;
}

// Item i of a list separated by commas; a list of one item stands for all.
static bool list_item(const char *list, size_t i, char *out, size_t size)
{
	const char *at = list != NULL ? list : "";
	size_t len;

	if (strchr(at, ',') == NULL)
		i = 0;
	for (; i > 0 && at != NULL; i--) {
		at = strchr(at, ',');
		at = at != NULL ? at + 1 : NULL;
	}
	len = at != NULL ? strcspn(at, ",") : 0;
	if (at == NULL || len >= size)
		return false;
	memcpy(out, at, len);
	out[len] = '\0';
	return true;
}

// A host needs a lookup unless it is a socket's folder, digits or empty, or its address is given.
static bool needs_lookup(const char *host, const char *addresses)
{
	return addresses == NULL && host[0] != '\0' && host[0] != '/' && host[0] != '@' && !resolve_is_numeric(host);
}

static bool list_hosts(struct pg_uri *uri, const char *name, struct err *err)
{
	const char *hosts = pg_uri_get(uri, "host"), *addresses = pg_uri_get(uri, "hostaddr");
	const char *ports = pg_uri_get(uri, "port"), *list = hosts != NULL ? hosts : addresses;
	size_t n = 1;

	for (const char *p = list; p != NULL && (p = strchr(p, ',')) != NULL; p++)
		n++;
	if (n > PG_HOSTS_MAX)
		return err_set(err, ERR_CONFIG, "uri", "the URI of '%s' names %zu hosts (at most %d)", name, n, PG_HOSTS_MAX);
	for (size_t i = 0; i < n; i++) {
		struct pg_host *h = &uri->hosts[i];

		if (!list_item(list, n == 1 ? 0 : i, h->host, sizeof h->host) || !list_item(ports, i, h->port, sizeof h->port))
			return err_set(err, ERR_CONFIG, "uri", "the URI of '%s' has a host or port list that does not fit", name);
		h->lookup = needs_lookup(h->host, addresses);
	}
	uri->nhosts = n;
	return true;
}

bool pg_uri_is_local(const char *address)
{
	return address[0] == '\0' || address[0] == '/' || address[0] == '@' || strncmp(address, "127.", 4) == 0 ||
		   strcmp(address, "::1") == 0 || strncasecmp(address, "::ffff:127.", 11) == 0;
}

bool pg_uri_leads_away(const struct pg_uri *uri)
{
	const char *addresses = pg_uri_get(uri, "hostaddr");
	char address[PG_HOST_SIZE];

	for (size_t i = 0; i < uri->nhosts; i++) {
		const char *where = uri->hosts[i].host;

		if (addresses != NULL && list_item(addresses, i, address, sizeof address) && address[0] != '\0')
			where = address;
		if (!uri->hosts[i].lookup && !pg_uri_is_local(where))
			return true;
	}
	return false;
}

static void describe(struct pg_uri *uri)
{
	const char *dbname = pg_uri_get(uri, "dbname");
	size_t used = 0;

	for (size_t i = 0; i < uri->nhosts && used + 1 < sizeof uri->where; i++) {
		const struct pg_host *h = &uri->hosts[i];
		int n = snprintf(uri->where + used, sizeof uri->where - used, "%s%s:%s", i > 0 ? ", " : "",
			h->host[0] != '\0' ? h->host : "local socket", h->port[0] != '\0' ? h->port : "5432");
		used += n > 0 ? (size_t)n : 0;
	}
	if (dbname != NULL && used + 1 < sizeof uri->where)
		snprintf(uri->where + used, sizeof uri->where - used, ", database '%s'", dbname);
}

struct pg_uri *pg_uri_parse(const char *text, const char *name, struct err *err)
{
	struct pg_uri *uri = calloc(1, sizeof *uri);

	if (uri == NULL) {
		err_no_memory(err);
		return NULL;
	}
	if (!read_text(uri, text, name, err) || !list_hosts(uri, name, err)) {
		pg_uri_free(uri);
		return NULL;
	}
	describe(uri);
	return uri;
}

bool pg_uri_is_meant(const char *text)
{
	char keyword[PG_PARAM_SIZE];
	size_t len;

	if (strncasecmp(text, "postgres://", 11) == 0 || strncasecmp(text, "postgresql://", 13) == 0)
		return true;
	text += strspn(text, " \t\r\n");
	len = strcspn(text, " \t\r\n=");
	if (len >= sizeof keyword || text[len + strspn(text + len, " \t\r\n")] != '=')
		return false;
	memcpy(keyword, text, len);
	keyword[len] = '\0';
	return is_keyword(keyword);
}
