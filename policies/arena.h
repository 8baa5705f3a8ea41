/*
 * arena.h - memory that is given back all at once.
 *
 * Everything a policy owns lives in one arena. What is put there is bounded by the document (256
 * KiB) or by the work limit of a comparison, so an allocation that fails ends the process:
 * arena_get never returns NULL. Memory comes zeroed.
 */
#ifndef POLICIES_ARENA_H
#define POLICIES_ARENA_H

#include "base/compiler.h"

#include <stdint.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *head; /* owned */
};

#define ARENA_INIT ((struct arena){ NULL })

void *arena_get(struct arena *a, size_t size) __attribute__((returns_nonnull, malloc));

/* A terminated copy of len bytes. */
char *arena_copy(struct arena *a, const char *s, size_t len) __attribute__((returns_nonnull));

/* n words, one behind the other. */
char *arena_join(struct arena *a, const char *const *words, size_t n)
    __attribute__((returns_nonnull));

/* printf into the arena. */
char *arena_printf(struct arena *a, const char *fmt, ...) printf_like(2, 3)
    __attribute__((returns_nonnull));

/*
 * Room for one more element of a growing array: *v has n elements of the given size. Returns the
 * new, zeroed last one. The old array stays in the arena until the end.
 */
void *arena_push(struct arena *a, void **v, uint32_t n, size_t size)
    __attribute__((returns_nonnull));

/* Takes over all that the other one has. */
void arena_absorb(struct arena *a, struct arena *other);

/* Forgets all that is in it, and keeps a little memory for the next. */
void arena_empty(struct arena *a);

void arena_fini(struct arena *a);

#endif
