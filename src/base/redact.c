// The registry of secrets and the masking of text. Knows nothing of the sinks that call it.
#include "base/redact.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret_form.h"

enum {
	MIN_SECRET = 6,
	MIN_KEPT = 3,         // bytes of a secret's beginning that a stream holds back; fewer tell nothing
	MIN_KEY_LINE = 16,    // of a private key
	HELD_MAX = 16 * 1024, // of a stream
	MIN_NAMED = 8,        // a variable that is called a secret: flags and levels are shorter
	PATH_SIZE = 4096
};

struct secret {
	char *bytes;
	size_t len;
};

static struct secret *secrets;
static size_t secret_count;
static bool starts_secret[256]; // first bytes of all secrets, so that plain text costs one look-up a byte

// ---- the registry

static bool is_known(const char *bytes, size_t len)
{
	for (size_t i = 0; i < secret_count; i++)
		if (secrets[i].len == len && memcmp(secrets[i].bytes, bytes, len) == 0)
			return true;
	return false;
}

// Passwords that everybody knows and that our own words and settings are made of.
static bool is_common(const char *bytes, size_t len)
{
	static const char *const words[] = {
		"bigquery", "contacts", "password", "postgres", "supabase", "syncrun", "twenty"};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strlen(words[i]) == len && memcmp(words[i], bytes, len) == 0)
			return true;
	return false;
}

static bool remember(const char *bytes, size_t len)
{
	struct secret *grown;
	char *copy;

	if (len < MIN_SECRET || is_known(bytes, len) || is_common(bytes, len))
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

void redact_reset(void)
{
	for (size_t i = 0; i < secret_count; i++)
		free(secrets[i].bytes);
	free(secrets);
	secrets = NULL;
	secret_count = 0;
	memset(starts_secret, 0, sizeof starts_secret);
}

// ---- the spellings of a secret

static bool is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
		   c == '_' || c == '~';
}

// RFC 3986, section 2.1.
static bool put_url(struct buf *out, unsigned char c)
{
	return is_unreserved(c) ? buf_putc(out, (char)c) : buf_printf(out, "%%%02X", c);
}

// RFC 8259, section 7, as io/json.c writes it.
static bool put_json(struct buf *out, unsigned char c)
{
	static const char plain[] = "\"\\\b\t\n\f\r", escaped[] = "\"\\btnfr";
	const char *at = c != '\0' ? strchr(plain, c) : NULL;

	if (at != NULL)
		return buf_putc(out, '\\') && buf_putc(out, escaped[at - plain]);
	return c < 0x20 ? buf_printf(out, "\\u%04x", c) : buf_putc(out, (char)c);
}

static bool remember_spelling(const char *text, size_t len, bool (*put)(struct buf *, unsigned char))
{
	struct buf spelling = {0};
	bool ok = true;

	for (size_t i = 0; i < len && ok; i++)
		ok = put(&spelling, (unsigned char)text[i]);
	ok = ok && remember(spelling.data, spelling.len);
	buf_free(&spelling);
	return ok;
}

static bool is_base64(char c)
{
	return is_unreserved((unsigned char)c) ? c != '-' && c != '.' && c != '_' && c != '~'
										   : c == '+' || c == '/' || c == '=';
}

static bool is_private_key(const char *text, size_t len)
{
	static const char mark[] = "PRIVATE KEY-----";

	for (size_t i = 0; i + sizeof mark - 1 <= len; i++)
		if (memcmp(text + i, mark, sizeof mark - 1) == 0)
			return true;
	return false;
}

// The lines of a private key; its line ends may be spelled \n, as in JSON.
static bool remember_lines(const char *text, size_t len)
{
	size_t start = 0;

	for (size_t i = 0; i <= len; i++) {
		if (i < len && is_base64(text[i]))
			continue;
		if (i - start >= MIN_KEY_LINE && !remember(text + start, i - start))
			return false;
		if (i + 1 < len && text[i] == '\\')
			i++;
		start = i + 1;
	}
	return true;
}

bool redact_add(const char *secret, size_t len)
{
	if (len < MIN_SECRET)
		return true;
	return remember(secret, len) && remember_spelling(secret, len, put_url) &&
		   remember_spelling(secret, len, put_json) && (!is_private_key(secret, len) || remember_lines(secret, len));
}

// ---- settings

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

// A password out of a URL: as it is there, and what it means.
static bool add_decoded(const char *text, size_t len)
{
	struct buf plain = {0};
	bool ok = redact_add(text, len);

	for (size_t i = 0; i < len && ok; i++) {
		int high = i + 2 < len && text[i] == '%' ? hex_digit(text[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(text[i + 2]) : -1;

		ok = buf_putc(&plain, low >= 0 ? (char)(high * 16 + low) : text[i]);
		i += low >= 0 ? 2 : 0;
	}
	ok = ok && (plain.len == 0 || redact_add(plain.data, plain.len));
	buf_free(&plain);
	return ok;
}

static bool add_recognised(const char *text, size_t len)
{
	for (size_t i = 0; i < len;) {
		struct secret_span s = secret_form_at(text + i, len - i, i > 0 && secret_form_in_word(text[i - 1]));

		if (s.end != 0 && !add_decoded(text + i + s.start, s.end - s.start))
			return false;
		i += s.end != 0 ? s.end : 1;
	}
	return true;
}

// "…_KEY" alone may be anything; "…_KEY_FILE" and the like do not end so.
static bool is_secret_name(const char *name)
{
	size_t len = strlen(name);

	return secret_form_is_name(name, len) || (len > 4 && strcmp(name + len - 4, "_KEY") == 0);
}

// Variables with "credentials" in their name hold a path, unless somebody put the file's text there.
static bool is_file_text(const char *name, const char *value, size_t len)
{
	size_t from = strspn(value, " \t\r\n");

	if (strstr(name, "CREDENTIALS") == NULL && strstr(name, "credentials") == NULL)
		return false;
	return value[from] == '{' || value[from] == '-' || memchr(value, '\n', len) != NULL ||
		   (len > 255 && memchr(value, '/', len) == NULL) || len >= PATH_SIZE;
}

bool redact_add_setting(const char *name, const char *value, size_t len)
{
	bool named = is_secret_name(name) && len >= MIN_NAMED && value[0] != '/';

	if ((named || is_file_text(name, value, len)) && !redact_add(value, len))
		return false;
	return add_recognised(value, len);
}

bool redact_add_environment(void)
{
	extern char **environ;

	for (char **at = environ; at != NULL && *at != NULL; at++) {
		const char *equals = strchr(*at, '=');
		char name[128];

		if (equals == NULL || (size_t)(equals - *at) >= sizeof name)
			continue;
		snprintf(name, sizeof name, "%.*s", (int)(equals - *at), *at);
		if (!redact_add_setting(name, equals + 1, strlen(equals + 1)))
			return false;
	}
	return true;
}

// ---- masking

static const struct secret_span nothing;

// The longest secret at this place; of a text that was cut inside one its head. Open: a longer one may begin here.
static struct secret_span secret_at(const char *text, size_t left)
{
	struct secret_span s = nothing;

	if (!starts_secret[(unsigned char)text[0]])
		return nothing;
	for (size_t i = 0; i < secret_count; i++) {
		size_t len = secrets[i].len < left ? secrets[i].len : left;

		if ((len <= s.end && len == secrets[i].len) || memcmp(secrets[i].bytes, text, len) != 0)
			continue;
		s.open = s.open || len < secrets[i].len;
		if (len > s.end && len >= MIN_SECRET)
			s.end = len;
	}
	if (s.end == 0 && s.open)
		s.start = left < MIN_KEPT ? left : 0;
	return s;
}

// The same for secrets that overlap each other: all of them go under one mask.
static struct secret_span secrets_from(const char *text, size_t left)
{
	struct secret_span s = secret_at(text, left);

	for (size_t i = 1; i < s.end; i++) {
		struct secret_span t = secret_at(text + i, left - i);

		s.open = s.open || t.open;
		if (t.end > 0 && i + t.end > s.end)
			s.end = i + t.end;
	}
	return s;
}

// What to mask at this place: registered, or looking like a secret, or both.
static struct secret_span mask_at(const char *text, size_t left, bool in_word, bool crowded)
{
	struct secret_span known = secrets_from(text, left), form = secret_form_at(text, left, in_word);

	form.open = form.open && !crowded;
	if (known.end != 0 && form.end > known.end && form.start <= known.end)
		known.end = form.end;
	if (known.end != 0)
		known.open = known.open || form.open;
	else if (form.end != 0 || (form.open && (!known.open || form.start < known.start)))
		known = form;
	return known;
}

// Where a scan stands, as offsets into its text.
struct scan {
	const char *text;
	size_t len;
	bool in_word; // a letter, digit or _ stood before the text
	bool last;    // no more text will come
	bool crowded; // forms are taken as they stand, for too much is held back
	size_t given; // was handed out, masked or as it is
	size_t kept;  // from here on more text may make a secret of it
	size_t held;  // and from here on it must not be handed out before
};

static bool put_mask(struct scan *s, struct buf *out, size_t start, size_t end)
{
	if (end <= s->given)
		return true;
	if (start > s->given && !buf_put(out, s->text + s->given, start - s->given))
		return false;
	s->given = end;
	return buf_puts(out, "***");
}

// The next place where something to mask may begin.
static size_t next_candidate(const struct scan *s, size_t i)
{
	while (i + 1 < s->len && !starts_secret[(unsigned char)s->text[i]] &&
		   !secret_form_may_begin(s->text[i], s->text[i + 1]))
		i++;
	return i;
}

static bool scan(struct scan *s, struct buf *out)
{
	s->kept = s->held = s->len;
	for (size_t i = 0; (i = next_candidate(s, i)) < s->held;) {
		bool in_word = i > 0 ? secret_form_in_word(s->text[i - 1]) : s->in_word;
		struct secret_span span = mask_at(s->text + i, s->len - i, in_word, s->crowded);

		if (span.open && !s->last) {
			s->kept = i < s->kept ? i : s->kept;
			s->held = i + span.start < s->held ? i + span.start : s->held;
			i++;
		} else if (span.end == 0) {
			i++;
		} else if (!put_mask(s, out, i + span.start, i + span.end)) {
			return false;
		} else {
			// More of a registered secret may follow a form that had to be taken as it stood.
			i += i + span.end < s->len || s->last ? span.end : 1;
		}
	}
	if (!buf_put(out, s->text + s->given, s->held > s->given ? s->held - s->given : 0))
		return false;
	s->given = s->held > s->given ? s->held : s->given;
	return true;
}

bool redact_append(struct buf *out, const char *text, size_t len)
{
	struct scan s = {.text = text, .len = len, .last = true};

	return scan(&s, out);
}

// Scan what is held and let go of what is decided.
static bool advance(struct redact_stream *stream, struct buf *out, bool last)
{
	struct scan s = {.text = stream->text.data,
		.len = stream->text.len,
		.in_word = stream->in_word,
		.last = last,
		.crowded = stream->text.len > HELD_MAX,
		.given = stream->given};

	if (!scan(&s, out))
		return false;
	if (s.kept > 0)
		stream->in_word = secret_form_in_word(s.text[s.kept - 1]);
	stream->given = s.given - (s.kept < s.given ? s.kept : s.given);
	buf_shift(&stream->text, s.kept);
	return true;
}

bool redact_stream_put(struct redact_stream *s, struct buf *out, const char *text, size_t len)
{
	return buf_put(&s->text, text, len) && advance(s, out, false);
}

bool redact_stream_end(struct redact_stream *s, struct buf *out)
{
	bool ok = advance(s, out, true);

	s->in_word = false;
	return ok;
}

void redact_stream_free(struct redact_stream *s)
{
	buf_free(&s->text);
	s->given = 0;
	s->in_word = false;
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
