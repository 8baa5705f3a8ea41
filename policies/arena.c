#include "policies/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_MIN 16384u

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size;
    _Alignas(16) unsigned char bytes[];
};

void *arena_get(struct arena *a, size_t size)
{
    if (size > SIZE_MAX / 4)
        abort();
    size = (size + 15) & ~(size_t)15;
    if (!a->head || a->head->size - a->head->used < size) {
        size_t room = size > CHUNK_MIN ? size : CHUNK_MIN;
        struct arena_chunk *c = calloc(1, sizeof(*c) + room);

        if (!c)
            abort();
        c->size = room;
        c->next = a->head;
        a->head = c;
    }

    void *p = a->head->bytes + a->head->used;

    a->head->used += size;
    return p;
}

char *arena_copy(struct arena *a, const char *s, size_t len)
{
    char *p = arena_get(a, len + 1);

    if (len)
        memcpy(p, s, len);
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;

    va_start(ap, fmt);
    va_copy(again, ap);

    int n = vsnprintf(NULL, 0, fmt, ap);
    char *p = arena_get(a, (size_t)(n < 0 ? 0 : n) + 1);

    if (n > 0)
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return p;
}

void *arena_push(struct arena *a, void **v, uint32_t n, size_t size)
{
    /* Capacities are the powers of two, so a full array is recognised by its length alone. */
    if ((n & (n - 1)) == 0) {
        void *more = arena_get(a, size * (n ? (size_t)n * 2 : 1));

        if (n)
            memcpy(more, *v, size * n);
        *v = more;
    }
    return (char *)*v + size * n;
}

char *arena_join(struct arena *a, const char *const *words, size_t n)
{
    size_t len = 0;

    for (size_t i = 0; i < n; i++)
        len += strlen(words[i]);

    char *text = arena_get(a, len + 1), *at = text;

    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, words[i]);
    return text;
}

void arena_empty(struct arena *a)
{
    struct arena_chunk *last = a->head;

    if (!last)
        return;
    a->head = last->next;
    arena_fini(a);
    memset(last->bytes, 0, last->used);
    last->used = 0;
    last->next = NULL;
    a->head = last;
}

void arena_absorb(struct arena *a, struct arena *other)
{
    struct arena_chunk **last = &other->head;

    while (*last)
        last = &(*last)->next;
    *last = a->head;
    a->head = other->head;
    other->head = NULL;
}

void arena_fini(struct arena *a)
{
    for (struct arena_chunk *c = a->head, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    a->head = NULL;
}
