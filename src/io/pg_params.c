// Connection URIs as other programs write them. Knows the names of parameters, not what libpq makes of its own.
#include "io/pg_params.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct param {
	const char *name, *value; // value NULL: any
	const char *instead;      // NULL: leave it out
};

// What is left out says how that program pools, prepares or times, which we do our own way.
static const struct param foreign[] = {
	{"pgbouncer", NULL, NULL}, // Prisma, Supabase
	{"connection_limit", NULL, NULL}, {"pool_timeout", NULL, NULL}, {"socket_timeout", NULL, NULL},
	{"statement_cache_size", NULL, NULL}, {"schema", NULL, NULL}, {"sslaccept", "accept_invalid_certs", NULL},
	{"supa", NULL, NULL},                                                          // Supabase's integration with Vercel
	{"workaround", NULL, NULL}, {"uselibpqcompat", NULL, NULL},                    // node-postgres
	{"sslmode", "no-verify", "sslmode=require"}, {"prepareThreshold", NULL, NULL}, // JDBC
	{"preferQueryMode", NULL, NULL}, {"default_query_exec_mode", NULL, NULL},      // pgx
	{"statement_cache_capacity", NULL, NULL}, {"prepared_statement_cache_size", NULL, NULL}, // asyncpg
};

const char *pg_params_hint(const char *name)
{
	if (strcmp(name, "sslaccept") == 0)
		return "write sslmode=verify-full instead";
	if (strcmp(name, "search_path") == 0 || strcmp(name, "currentSchema") == 0)
		return "name the schema in the setting 'table', as \"schema.table\"";
	return NULL;
}

// Where the parameters of a URI begin (behind the "?"), NULL when it has none. As libpq does, a user and a password are
// looked for first: they may hold a bare "?".
static const char *query_of(const char *text)
{
	const char *start, *question;

	if (strncasecmp(text, "postgres://", 11) == 0)
		start = text + 11;
	else if (strncasecmp(text, "postgresql://", 13) == 0)
		start = text + 13;
	else
		return NULL;
	if (start[strcspn(start, "@/")] == '@')
		start += strcspn(start, "@/") + 1;
	question = strchr(start, '?');
	return question != NULL ? question + 1 : NULL;
}

static bool spells(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && strncmp(text, word, len) == 0;
}

static const struct param *find_foreign(const char *at, size_t len)
{
	const char *equals = memchr(at, '=', len);
	size_t name = equals != NULL ? (size_t)(equals - at) : len;

	for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
		if (spells(at, name, foreign[i].name) &&
			(foreign[i].value == NULL || (equals != NULL && spells(equals + 1, len - name - 1, foreign[i].value))))
			return &foreign[i];
	return NULL;
}

static void note_schema(const char *at, size_t len, char schema[PG_SCHEMA_SIZE])
{
	static const char word[] = "schema=";
	size_t skip = sizeof word - 1;

	if (len <= skip || strncmp(at, word, skip) != 0 || len - skip >= PG_SCHEMA_SIZE)
		return;
	memcpy(schema, at + skip, len - skip);
	schema[len - skip] = '\0';
}

bool pg_params_strip(struct buf *out, const char *text, char schema[PG_SCHEMA_SIZE])
{
	const char *at = query_of(text);
	char before = '?';

	schema[0] = '\0';
	if (at == NULL)
		return buf_puts(out, text);
	if (!buf_put(out, text, (size_t)(at - text) - 1))
		return false;
	for (size_t len; *at != '\0'; at += len + (at[len] == '&')) {
		const struct param *found;

		len = strcspn(at, "&");
		found = find_foreign(at, len);
		note_schema(at, len, schema);
		if (found != NULL && found->instead == NULL)
			continue;
		if (!buf_putc(out, before) || !(found != NULL ? buf_puts(out, found->instead) : buf_put(out, at, len)))
			return false;
		before = '&';
	}
	return true;
}

static bool is_plain(const char *text, size_t len)
{
	if (len == 0 || len >= PG_PARAM_SIZE)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && strchr("_.-", text[i]) == NULL)
			return false;
	return true;
}

bool pg_params_unknown(const char *text, bool (*is_known)(const char *name), char name[PG_PARAM_SIZE])
{
	const char *at = query_of(text);

	if (at == NULL || strchr(at, '@') != NULL)
		return false;
	for (size_t len; *at != '\0'; at += len + (at[len] == '&')) {
		size_t n = strcspn(at, "=&");

		len = strcspn(at, "&");
		if (!is_plain(at, n) || n == len)
			return false;
		memcpy(name, at, n);
		name[n] = '\0';
		if (!is_known(name))
			return true;
	}
	return false;
}
