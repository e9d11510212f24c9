// A growable byte buffer. Always NUL-terminated behind its length once it holds storage, so that data can be printed.
#ifndef SYNCRUN_BASE_BUF_H
#define SYNCRUN_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct buf {
	char *data; // NULL until the first byte
	size_t len;
	size_t cap;
};

// All of these return false only when memory runs out; the buffer is then unchanged and still valid.
bool buf_reserve(struct buf *b, size_t more);
bool buf_puts(struct buf *b, const char *text);
// A number in decimal.
bool buf_putd(struct buf *b, long long number);
bool buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
// In the header: they run for every token of every value.
static inline bool buf_put(struct buf *b, const void *data, size_t len)
{
	if (len >= b->cap - b->len && !buf_reserve(b, len))
		return false;
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return true;
}

static inline bool buf_putc(struct buf *b, char c)
{
	if (1 >= b->cap - b->len && !buf_reserve(b, 1))
		return false;
	b->data[b->len++] = c;
	b->data[b->len] = '\0';
	return true;
}

// Keep the storage, forget the bytes.
void buf_clear(struct buf *b);
// Drop the first n bytes.
void buf_shift(struct buf *b, size_t n);
// Give the storage back. The buffer may be used again.
void buf_free(struct buf *b);

#endif
