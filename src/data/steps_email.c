// Steps for e-mail addresses, as Twenty checks them (facts/twenty.md, section 6).
#include "data/step.h"
#include "io/unicode.h"

// How many code points from the start may stand in an address's part; *len becomes their length in bytes.
static size_t count_address(const char *text, size_t *len, bool quotes)
{
	size_t count = 0, i = 0;

	while (i < *len) {
		uint32_t code;
		size_t n = unicode_decode(text + i, *len - i, &code);

		if (code == '@' || (code == '"' && !quotes) || unicode_is_js_space(code))
			break;
		i += n;
		count++;
	}
	*len = i;
	return count;
}

enum { EMAIL_MAX = 254 }; // RFC 5321; Twenty refuses longer ones (recordings, 129)

// The local part has 1 to 64 characters without a quote, the domain 1 to 255; no white space, one @. What Twenty
// accepts beyond RFC 5321 (Unicode, no dot in the domain) passes.
static bool is_email(const char *text, size_t len)
{
	size_t local = len, domain, count;

	if (len > EMAIL_MAX)
		return false;
	count = count_address(text, &local, false);
	if (count < 1 || count > 64 || local == len || text[local] != '@')
		return false;
	domain = len - local - 1;
	count = count_address(text + local + 1, &domain, true);
	return count >= 1 && count <= 255 && local + 1 + domain == len;
}

static bool run_email(struct step_run *run, const struct step *step, struct cell *cell)
{
	(void)run;
	(void)step;
	if (cell->len > 0 && !is_email(cell->ptr, cell->len))
		step_mark(cell, FATE_REJECTED, NOTE_EMAIL_MALFORMED);
	return true;
}

const struct step_def steps_email[] = {
	{.name = "email_shape", .types = STEP_TYPE(COL_TEXT), .run = run_email},
	{0},
};
