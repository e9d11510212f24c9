// Bytes that live and die together, handed out from growing blocks. Knows nothing of cells or rows.
#ifndef SYNCRUN_DATA_ARENA_H
#define SYNCRUN_DATA_ARENA_H

#include <stddef.h>

struct arena_block;

// len bytes (at least one is reserved), unaligned, valid until arena_free. NULL when memory runs out; the arena is
// then unchanged. *arena is NULL before the first call.
char *arena_alloc(struct arena_block **arena, size_t len);
// Bytes held, room that is not used yet included.
size_t arena_size(const struct arena_block *arena);
// The same, of all arenas of the process.
size_t arena_live(void);
// Give everything back. NULL is legal.
void arena_free(struct arena_block *arena);

#endif
