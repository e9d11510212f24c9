// The forms of secrets, one function each. Every one of them answers at once for most bytes.
#include "base/secret_form.h"

#include <string.h>
#include <strings.h>

// Nothing of ours is longer, and a text made to be scanned again and again must not take its time.
enum { PEM_LABEL_MAX = 40, URL_MAX = 4096, JWT_HEADER_MAX = 1024 };

static const struct secret_span nothing;

// The text ends in the middle of what introduces a secret, or before it is one; `start`: what may be secret by then.
static struct secret_span undecided(size_t start)
{
	return (struct secret_span){start, 0, true};
}

static struct secret_span found(size_t start, size_t end, size_t left)
{
	return (struct secret_span){start, end, end == left};
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool secret_form_in_word(char c)
{
	return is_alnum(c) || c == '_';
}

enum reach { OTHER, PART, WHOLE }; // PART: the text ends inside the word

static enum reach reach(const char *text, size_t left, const char *word)
{
	size_t len = strlen(word), have = left < len ? left : len;

	return strncasecmp(text, word, have) != 0 ? OTHER : have == len ? WHOLE : PART;
}

// Where the run of bytes for which is() holds ends.
static size_t run_end(const char *text, size_t from, size_t left, bool (*is)(char))
{
	while (from < left && is(text[from]))
		from++;
	return from;
}

// ---- tokens that their first letters tell

static bool is_bearer(char c)
{
	return is_alnum(c) || (c != '\0' && strchr("-._~+/=", c) != NULL);
}

// RFC 6750: "Bearer" 1*SP b64token.
static struct secret_span bearer_at(const char *text, size_t left)
{
	enum reach r = reach(text, left, "bearer ");
	size_t start, end;

	if (r != WHOLE)
		return r == PART ? undecided(left) : nothing;
	start = run_end(text, 7, left, is_blank);
	end = run_end(text, start, left, is_bearer);
	if (start == left)
		return undecided(left);
	return end > start ? found(start, end, left) : nothing;
}

static bool is_base64url(char c)
{
	return is_alnum(c) || c == '-' || c == '_';
}

// RFC 7519: header and payload are JSON objects in base64url ("eyJ" is `{"`), then a signature, which may be cut off.
static struct secret_span jwt_at(const char *text, size_t left)
{
	enum { LEAST = 8 };
	enum reach r = reach(text, left, "eyJ");
	size_t far = left < JWT_HEADER_MAX ? left : JWT_HEADER_MAX, header, payload;

	if (r != WHOLE || memcmp(text, "eyJ", 3) != 0)
		return r == PART ? undecided(left) : nothing;
	header = run_end(text, 3, far, is_base64url);
	if (header == far)
		return far == left ? undecided(0) : nothing;
	if (text[header] != '.' || header < LEAST)
		return nothing;
	payload = run_end(text, header + 1, left, is_base64url);
	if (payload - header <= LEAST)
		return payload == left ? undecided(0) : nothing;
	if (payload < left && text[payload] == '.')
		payload = run_end(text, payload + 1, left, is_base64url);
	return found(0, payload, left);
}

static bool is_token(char c)
{
	return is_base64url(c) || c == '.';
}

static struct secret_span token_at(const char *text, size_t left)
{
	static const struct {
		const char *begin;
		size_t least;
	} tokens[] = {{"ya29.", 12}, {"sb_secret_", 18}, {"sbp_", 24}, {"GOCSPX-", 16}, {"AIza", 35}};

	for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
		size_t len = strlen(tokens[i].begin), end;

		if (strncmp(text, tokens[i].begin, left < len ? left : len) != 0)
			continue;
		if (left < len)
			return undecided(left);
		end = run_end(text, len, left, is_token);
		if (end >= tokens[i].least)
			return found(0, end, left);
		return end == left ? undecided(0) : nothing;
	}
	return nothing;
}

// ---- private keys

static bool is_pem_label(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ';
}

// Base64, line ends (also as \n, however often escaped), the headers of an encrypted key.
static bool is_pem(char c)
{
	return is_alnum(c) || (c != '\0' && strchr("+/= \t\r\n\\:,", c) != NULL);
}

static size_t pem_body_end(const char *text, size_t from, size_t left)
{
	for (;;) {
		from = run_end(text, from, left, is_pem);
		if (from == left || text[from] != '-' || reach(text + from, left - from, "-----") != OTHER)
			return from;
		from++; // a dash of a header
	}
}

// RFC 7468: what stands between the two lines with the dashes. The second one may be cut off.
static struct secret_span private_key_at(const char *text, size_t left)
{
	static const char ending[] = "PRIVATE KEY", dashes[] = "-----";
	const size_t ending_len = sizeof ending - 1;
	enum reach r = reach(text, left, "-----BEGIN ");
	size_t label = 11, start, end;

	if (r != WHOLE)
		return r == PART ? undecided(left) : nothing;
	end = run_end(text, label, left, is_pem_label);
	if (end - label > PEM_LABEL_MAX)
		return nothing;
	r = reach(text + end, left - end, dashes);
	if (r != WHOLE)
		return r == PART ? undecided(left) : nothing;
	if (end - label < ending_len || memcmp(text + end - ending_len, ending, ending_len) != 0)
		return nothing;
	start = end + sizeof dashes - 1;
	end = pem_body_end(text, start, left);
	if (end == start)
		return end == left ? undecided(left) : nothing;
	return (struct secret_span){start, end, end == left || reach(text + end, left - end, dashes) == PART};
}

// ---- passwords in URLs

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

// "://user:password@". A password with '/' or '@' in it, spelled as nobody should, is covered too; so is one at the end
// of a text that was cut there.
static struct secret_span url_password_at(const char *text, size_t left)
{
	enum reach r = reach(text, left, "://");
	size_t far = left < URL_MAX ? left : URL_MAX, colon = 0, at = 0, i = 3;
	bool authority = true, cut;

	if (r != WHOLE)
		return r == PART ? undecided(left) : nothing;
	if (far < left && memchr(text, '@', far) == NULL)
		return nothing;
	for (; i < far && authority && !ends_url(text[i]); i++) {
		if (text[i] == '/' || text[i] == '?' || text[i] == '#') {
			if (colon == 0 || at != 0 || is_port(text + colon + 1, i - colon - 1))
				authority = false;
		} else if (text[i] == ':' && colon == 0 && text[3] != '[') {
			colon = i;
		} else if (text[i] == '@') {
			at = i;
		}
	}
	cut = i == left && authority;
	if (colon == 0)
		return cut ? undecided(left) : nothing;
	if (at > colon + 1)
		return (struct secret_span){colon + 1, at, cut};
	if (cut && !is_port(text + colon + 1, i - colon - 1))
		return found(colon + 1, left, left);
	return cut ? undecided(colon + 1) : nothing;
}

// ---- values under a secret's name

// By first letter. The end of a longer name counts: client_secret, sslpassword, nextPageToken.
static const char *const names_a[] = {
	"authorization", "apikey", "api_key", "api-key", "access_key", "access-key", "assertion", NULL};
static const char *const names_e[] = {"encryption_key", NULL};
static const char *const names_p[] = {"password", "passwd", "passphrase", "private_key", "private-key", NULL};
static const char *const names_s[] = {"secret", "secret_key", "secret-key", "service_role_key", NULL};
static const char *const names_t[] = {"token", NULL};

static const char *const *names_from(char c)
{
	switch (c | 0x20) {
	case 'a':
		return names_a;
	case 'e':
		return names_e;
	case 'p':
		return names_p;
	case 's':
		return names_s;
	case 't':
		return names_t;
	default:
		return NULL;
	}
}

// Those that stand as headers: "apikey: …" needs no quotes.
static bool is_header(const char *name)
{
	return name[0] == 'a' && strcmp(name, "assertion") != 0;
}

static bool ends_value(char c)
{
	return (unsigned char)c <= ' ' || c == '\x7f' || strchr("\"'`<>,;&)", c) != NULL;
}

static size_t plain_value_end(const char *text, size_t from, size_t left)
{
	while (from < left && !ends_value(text[from]))
		from += text[from] == '\\' && from + 1 < left ? 2 : 1;
	return from;
}

// A value never reaches beyond a double quote, so that a JSON text stays one.
static size_t quoted_value_end(const char *text, size_t from, size_t left, char quote)
{
	while (from < left && text[from] != quote && text[from] != '"')
		from += text[from] == '\\' && from + 1 < left ? 2 : 1;
	return from;
}

// The same inside a quoted text, where the quotes themselves are escaped.
static size_t escaped_value_end(const char *text, size_t from, size_t left, char quote)
{
	size_t end = from;

	while (end < left && text[end] != quote && text[end] != '"')
		end++;
	if (end < left)
		while (end > from && text[end - 1] == '\\')
			end--;
	return end;
}

struct quote {
	char mark; // '\0': none
	bool escaped;
};

// A quote, perhaps escaped, at *at: steps over it.
static struct quote take_quote(const char *text, size_t *at, size_t left)
{
	size_t from = *at, i = from;

	while (i < left && text[i] == '\\')
		i++;
	if (i == left || (text[i] != '"' && text[i] != '\''))
		return (struct quote){'\0', false};
	*at = i + 1;
	return (struct quote){text[i], i > from};
}

// From the end of the name over what separates it from its value: "=", ": "; false when nothing does.
static bool take_separator(const char *text, size_t *at, size_t left, bool header, bool *needs_quote)
{
	size_t i = *at;
	bool quoted = take_quote(text, &i, left).mark != '\0';

	if (quoted && i < left && text[i] == ']')
		i++;
	i = run_end(text, i, left, is_blank);
	if (i < left && text[i] != '=' && !(text[i] == ':' && (quoted || header)))
		return false;
	if (i + 1 < left && text[i] == '=' && text[i + 1] == '=')
		return false;
	*needs_quote = i < left && text[i] == ':' && quoted;
	*at = i < left ? run_end(text, i + 1, left, is_blank) : left;
	return true;
}

// "Basic dXNlcjpwYXNz": the scheme is not secret.
static size_t skip_scheme(const char *text, size_t from, size_t left)
{
	static const char *const schemes[] = {"basic ", "bearer ", "digest ", "negotiate ", "token "};

	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
		if (reach(text + from, left - from, schemes[i]) == WHOLE)
			return run_end(text, from + strlen(schemes[i]), left, is_blank);
	return from;
}

static struct secret_span value_of(const char *name, const char *text, size_t left)
{
	bool needs_quote = false;
	size_t at = strlen(name), start, end;
	struct quote quote;

	if (!take_separator(text, &at, left, is_header(name), &needs_quote))
		return nothing;
	if (at == left)
		return undecided(left);
	quote = take_quote(text, &at, left);
	if (quote.mark == '\0' && needs_quote)
		return nothing;
	start = strcmp(name, "authorization") == 0 ? skip_scheme(text, at, left) : at;
	end = quote.mark == '\0' ? plain_value_end(text, start, left)
		  : quote.escaped    ? escaped_value_end(text, start, left, quote.mark)
							 : quoted_value_end(text, start, left, quote.mark);
	if (end > left)
		end = left;
	if (end == start)
		return end == left ? undecided(left) : nothing;
	return found(start, end, left);
}

static struct secret_span named_value_at(const char *text, size_t left)
{
	const char *const *names = names_from(text[0]);
	struct secret_span partly = nothing;

	for (; names != NULL && *names != NULL; names++) {
		enum reach r = reach(text, left, *names);
		struct secret_span s = r == WHOLE ? value_of(*names, text, left) : r == PART ? undecided(left) : nothing;

		if (s.end != 0)
			return s;
		if (s.open && (!partly.open || s.start < partly.start))
			partly = s;
	}
	return partly;
}

// ---- all of them

struct secret_span secret_form_at(const char *text, size_t left, bool in_word)
{
	struct secret_span s = nothing;

	switch (text[0]) {
	case ':':
		return url_password_at(text, left);
	case '-':
		return private_key_at(text, left);
	case 'B':
	case 'b':
		return bearer_at(text, left);
	case 'e':
		s = in_word ? nothing : jwt_at(text, left);
		break;
	case 'y':
	case 's':
	case 'G':
	case 'A':
		s = in_word ? nothing : token_at(text, left);
		break;
	default:
		break;
	}
	return s.end != 0 || s.open ? s : named_value_at(text, left);
}

bool secret_form_is_name(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		const char *const *names = names_from(name[i]);

		for (; names != NULL && *names != NULL; names++)
			if (strlen(*names) == len - i && strncasecmp(name + i, *names, len - i) == 0)
				return true;
	}
	return false;
}
