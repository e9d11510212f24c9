// The registry of secrets and the masking of text. Knows nothing of the sinks that call it.
#include "base/redact.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MIN_SECRET = 6 };

struct secret {
	char *bytes;
	size_t len;
};

static struct secret *secrets;
static size_t secret_count;
static bool starts_secret[256]; // first bytes of all secrets, so that plain text costs one look-up a byte

static bool is_known(const char *bytes, size_t len)
{
	for (size_t i = 0; i < secret_count; i++)
		if (secrets[i].len == len && memcmp(secrets[i].bytes, bytes, len) == 0)
			return true;
	return false;
}

static bool remember(const char *bytes, size_t len)
{
	struct secret *grown;
	char *copy;

	if (len < MIN_SECRET || is_known(bytes, len))
		return true;
	if (len > SIZE_MAX / sizeof *grown || (copy = malloc(len)) == NULL)
		return false;
	grown = realloc(secrets, (secret_count + 1) * sizeof *grown);
	if (grown == NULL) {
		free(copy);
		return false;
	}
	memcpy(copy, bytes, len);
	secrets = grown;
	secrets[secret_count++] = (struct secret){copy, len};
	starts_secret[(unsigned char)bytes[0]] = true;
	return true;
}

static bool is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
		   c == '_' || c == '~';
}

// RFC 3986, section 2.1: the spelling of the secret inside a URL.
static bool url_encode(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (!(is_unreserved(c) ? buf_putc(out, text[i]) : buf_printf(out, "%%%02X", c)))
			return false;
	}
	return true;
}

bool redact_add(const char *secret, size_t len)
{
	struct buf url = {0};
	bool ok;

	if (len < MIN_SECRET)
		return true;
	ok = remember(secret, len) && url_encode(&url, secret, len) && remember(url.data, url.len);
	buf_free(&url);
	return ok;
}

void redact_reset(void)
{
	for (size_t i = 0; i < secret_count; i++)
		free(secrets[i].bytes);
	free(secrets);
	secrets = NULL;
	secret_count = 0;
	memset(starts_secret, 0, sizeof starts_secret);
}

// Length of the longest secret at this place, 0 for none. A text that was cut inside a secret still hides its head.
static size_t secret_at(const char *text, size_t left)
{
	size_t best = 0;

	if (left < MIN_SECRET || !starts_secret[(unsigned char)text[0]])
		return 0;
	for (size_t i = 0; i < secret_count; i++) {
		size_t len = secrets[i].len < left ? secrets[i].len : left;

		if (len > best && memcmp(secrets[i].bytes, text, len) == 0)
			best = len;
	}
	return best;
}

// The same for secrets that overlap each other: all of them go under one mask.
static size_t secrets_from(const char *text, size_t left)
{
	size_t end = secret_at(text, left);

	for (size_t i = 1; i < end; i++) {
		size_t len = secret_at(text + i, left - i);

		if (len > 0 && i + len > end)
			end = i + len;
	}
	return end;
}

static bool is_token(unsigned char c)
{
	return is_unreserved(c) || c == '+' || c == '/' || c == '=';
}

// RFC 6750: "Bearer" 1*SP b64token. Sets where the token starts; returns where it ends, 0 when there is none.
static size_t bearer_at(const char *text, size_t left, size_t *start)
{
	size_t i = 6;

	if (left < 8 || strncasecmp(text, "bearer", 6) != 0 || text[6] != ' ')
		return 0;
	while (i < left && text[i] == ' ')
		i++;
	*start = i;
	while (i < left && is_token((unsigned char)text[i]))
		i++;
	return i > *start ? i : 0;
}

static bool ends_url(char c)
{
	return (unsigned char)c <= ' ' || c == '"' || c == '\'' || c == '<' || c == '>' || c == '`';
}

// Whether what follows the colon reads as a port: then a later '@' belongs to the path.
static bool is_port(const char *text, size_t len)
{
	size_t i = 0;

	while (i < len && text[i] >= '0' && text[i] <= '9')
		i++;
	return i == len || text[i] == '/' || text[i] == '?' || text[i] == '#';
}

// "://user:password@": sets where the password starts; returns where it ends, 0 when there is none. A password with
// '/' or '@' in it, spelled as nobody should, is covered too.
static size_t password_at(const char *text, size_t left, size_t *start)
{
	size_t colon = 0, at = 0, i = 3;
	bool authority = true;

	if (left < 6 || memcmp(text, "://", 3) != 0)
		return 0;
	for (; i < left && !ends_url(text[i]); i++) {
		if (text[i] == '/' || text[i] == '?' || text[i] == '#') {
			if (colon == 0 || at != 0 || is_port(text + colon + 1, i - colon - 1))
				authority = false;
		} else if (text[i] == ':' && colon == 0 && authority) {
			colon = i;
		} else if (text[i] == '@' && authority) {
			at = i;
		}
	}
	*start = colon + 1;
	return colon != 0 && at > colon + 1 ? at : 0;
}

// The stretch to mask at this place: sets how many bytes stand before it, returns where it ends, 0 for nothing.
static size_t mask_at(const char *text, size_t left, size_t *start)
{
	size_t end = secrets_from(text, left);

	*start = 0;
	if (end != 0)
		return end;
	if (text[0] == 'B' || text[0] == 'b')
		return bearer_at(text, left, start);
	return text[0] == ':' ? password_at(text, left, start) : 0;
}

bool redact_append(struct buf *out, const char *text, size_t len)
{
	size_t done = 0, i = 0;

	while (i < len) {
		size_t start, end = mask_at(text + i, len - i, &start);

		if (end == 0) {
			i++;
			continue;
		}
		if (!buf_put(out, text + done, i + start - done) || !buf_puts(out, "***"))
			return false;
		i += end;
		done = i;
	}
	return buf_put(out, text + done, len - done);
}

void redact_copy(char *out, size_t size, const char *text)
{
	struct buf masked = {0};

	if (redact_append(&masked, text, strlen(text)))
		snprintf(out, size, "%s", masked.data != NULL ? masked.data : "");
	else
		snprintf(out, size, "(text withheld: out of memory while masking secrets)");
	buf_free(&masked);
}
