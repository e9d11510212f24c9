// The arena: blocks that double up to a limit. Knows nothing of cells or rows.
#include "data/arena.h"

#include <stdint.h>
#include <stdlib.h>

enum { FIRST_BLOCK = 1024, LARGEST_BLOCK = 1024 * 1024 };

struct arena_block {
	struct arena_block *next; // older
	size_t used, size;
	size_t total; // of this and all older blocks
	char data[];
};

static size_t live;

// A value larger than a quarter of a block gets one of its own, so that the rest of the current one is not wasted.
static size_t block_size(const struct arena_block *newest, size_t len)
{
	size_t size = newest == NULL ? FIRST_BLOCK : newest->size * 2;

	if (size > LARGEST_BLOCK)
		size = LARGEST_BLOCK;
	if (size < FIRST_BLOCK)
		size = FIRST_BLOCK;
	return len > size / 4 ? len : size;
}

static struct arena_block *block_new(size_t size)
{
	struct arena_block *block;

	if (size > SIZE_MAX - sizeof *block)
		return NULL;
	block = malloc(sizeof *block + size);
	if (block == NULL)
		return NULL;
	block->next = NULL;
	block->used = 0;
	block->size = size;
	block->total = size;
	live += size;
	return block;
}

// An own block goes behind the newest one when that still has room.
static void block_link(struct arena_block **arena, struct arena_block *block, size_t len)
{
	struct arena_block *newest = *arena;

	if (newest != NULL && block->size == len && newest->size - newest->used > 0) {
		block->next = newest->next;
		block->total += newest->next != NULL ? newest->next->total : 0;
		newest->next = block;
		newest->total += block->size;
		return;
	}
	block->next = newest;
	block->total += newest != NULL ? newest->total : 0;
	*arena = block;
}

char *arena_alloc(struct arena_block **arena, size_t len)
{
	struct arena_block *block = *arena;
	char *bytes;

	if (len == 0)
		len = 1;
	if (block == NULL || block->size - block->used < len) {
		block = block_new(block_size(block, len));
		if (block == NULL)
			return NULL;
		block_link(arena, block, len);
	}
	bytes = block->data + block->used;
	block->used += len;
	return bytes;
}

size_t arena_size(const struct arena_block *arena)
{
	return arena != NULL ? arena->total : 0;
}

size_t arena_live(void)
{
	return live;
}

void arena_free(struct arena_block *arena)
{
	while (arena != NULL) {
		struct arena_block *next = arena->next;

		live -= arena->size;
		free(arena);
		arena = next;
	}
}
