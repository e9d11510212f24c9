// UTF-8: decoding, validity, repair and full lower case. Bytes that are not UTF-8 never fail and never crash; each
// function says what it makes of them. Knows no locale.
#ifndef SYNCRUN_IO_UNICODE_H
#define SYNCRUN_IO_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define UNICODE_INVALID UINT32_MAX

// The code point at text, len > 0 bytes long; its length in bytes. For what is not UTF-8, *code is UNICODE_INVALID and
// the length that of the maximal ill-formed part (Unicode 15, section 3.9, table 3-8), at least 1.
size_t unicode_decode(const char *text, size_t len, uint32_t *code);
// Is it well-formed UTF-8 (no surrogates, nothing overlong, nothing above U+10FFFF)?
bool unicode_valid(const char *text, size_t len);
// Append the text with every maximal ill-formed part replaced by U+FFFD, as decoders of the Web do. False when memory
// runs out.
bool unicode_repair(struct buf *out, const char *text, size_t len);
// Append the text with every byte that belongs to no well-formed sequence spelled as \xNN, for people. False when
// memory runs out.
bool unicode_spell(struct buf *out, const char *text, size_t len);
// Append the text in full lower case (special casing and final sigma included, no language); ill-formed bytes are kept.
// False when memory runs out.
bool unicode_lower(struct buf *out, const char *text, size_t len);
// True when the text is ASCII without capital letters, so that lower case cannot change it.
bool unicode_is_plain_lower(const char *text, size_t len);
// Is it a letter or a digit, of any script?
bool unicode_is_alnum(uint32_t code);
// Is it white space to JavaScript's regular expressions (\s)?
bool unicode_is_js_space(uint32_t code);

#endif
