// A growable byte buffer. Always NUL-terminated behind its length once it holds storage, so that data can be printed.
#ifndef SYNCRUN_BASE_BUF_H
#define SYNCRUN_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data; // NULL until the first byte
	size_t len;
	size_t cap;
};

// All of these return false only when memory runs out; the buffer is then unchanged and still valid.
bool buf_reserve(struct buf *b, size_t more);
bool buf_put(struct buf *b, const void *data, size_t len);
bool buf_puts(struct buf *b, const char *text);
bool buf_putc(struct buf *b, char c);
bool buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Keep the storage, forget the bytes.
void buf_clear(struct buf *b);
// Drop the first n bytes.
void buf_shift(struct buf *b, size_t n);
// Give the storage back. The buffer may be used again.
void buf_free(struct buf *b);

#endif
