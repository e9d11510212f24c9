// What secrets look like: places of a text that are masked although nobody registered what stands there. Knows no
// registry and no sink.
//
//   Bearer TOKEN                     eyJ….eyJ….… (a JWT: keys of Twenty and Supabase)     scheme://user:PASSWORD@host
//   ya29.…, sb_secret_…, sbp_…, GOCSPX-…, AIza… (Google's and Supabase's tokens and keys)
//   -----BEGIN … PRIVATE KEY-----…   password=…, "private_key": "…", apikey: … and their like
#ifndef SYNCRUN_BASE_SECRET_FORM_H
#define SYNCRUN_BASE_SECRET_FORM_H

#include <stdbool.h>
#include <stddef.h>

// A stretch of a text, as offsets from where it was looked for.
struct secret_span {
	size_t start, end; // end 0: nothing here
	bool open;         // the text ends before that is decided: more of it may add to the stretch, or make it one.
					   // With end 0 the bytes from start on must not be shown before
};

// Whether a form may begin with these two bytes: no, for nearly all of a text.
static inline bool secret_form_may_begin(char a, char b)
{
	char second = (char)(b | 0x20);

	switch (a) {
	case ':':
		return b == '/';
	case '-':
		return b == '-';
	case 'a':
	case 'A':
		return second == 'u' || second == 'c' || second == 'p' || second == 's' || second == 'i';
	case 'e':
	case 'E':
		return second == 'y' || second == 'n';
	case 'G':
	case 't':
	case 'T':
		return second == 'o';
	case 'b':
	case 'B':
		return second == 'e';
	case 'p':
	case 'P':
		return second == 'a' || second == 'r';
	case 's':
	case 'S':
		return second == 'e' || second == 'b';
	case 'y':
		return second == 'a';
	default:
		return false;
	}
}
// The secret that begins, with what introduces it, at this place. `in_word`: a letter, digit or _ stands before it.
struct secret_span secret_form_at(const char *text, size_t left, bool in_word);
// Is this the name of a secret, as of a variable or a member: does it end in PASSWORD, TOKEN, api_key …?
bool secret_form_is_name(const char *name, size_t len);
// May a word go on with this byte?
bool secret_form_in_word(char c);

#endif
