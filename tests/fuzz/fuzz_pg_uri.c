// Fuzz entry of libpq's connection strings: whatever is given, what is said of it for people holds no password of it,
// and what is refused is refused in words that quote nothing.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/redact.h"
#include "io/pg_uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_words(const struct pg_uri *uri)
{
	const char *password = pg_uri_given(uri, "password");
	char shown[PG_WHERE_SIZE];

	redact_copy(shown, sizeof shown, pg_uri_where(uri));
	check(password == NULL || strlen(password) < 6 || strstr(shown, password) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct pg_uri *uri;
	struct err err = {0};
	size_t n;

	check(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	redact_reset();
	uri = pg_uri_parse(text, "fuzz", &err);
	if (uri == NULL) {
		check(err.kind == ERR_CONFIG && err.message[0] != '\0');
	} else {
		check(pg_uri_hosts(uri, &n) != NULL && n <= PG_HOSTS_MAX);
		check_words(uri);
	}
	pg_uri_is_meant(text);
	pg_uri_is_local(text);
	pg_uri_free(uri);
	free(text);
	return 0;
}
