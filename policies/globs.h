/*
 * globs.h - patterns over paths and names: ? and * inside one segment, ** for any number of whole
 * segments, none included: "a" followed by slash and two stars is a and everything below it.
 *
 * A path in a request must be canonical (absolute, no "//", "." or ".."): who owns the path
 * resolves it first; decide refuses the rest.
 */
#ifndef POLICIES_GLOBS_H
#define POLICIES_GLOBS_H

#include "policies/arena.h"

#include <stdbool.h>

#define GLOB_TEXT_MAX  250u /* bytes of one pattern: its automaton has as many states */
#define PATH_BYTES_MAX 4096u

enum glob_kind {
    GLOB_PATH, /* file paths */
    GLOB_HTTP, /* request paths: a trailing slash counts */
    GLOB_NAME, /* names of models, tools, sources: a * also takes slashes */
    GLOB_ENV,  /* names of environment variables */
};

enum {                 /* above the 256 literal bytes */
       ITEM_ONE = 256, /* one byte, not a slash */
       ITEM_STAR,      /* any bytes, no slash */
       ITEM_TREE,      /* nothing, or a slash and anything */
       ITEM_ALL,       /* any bytes */
       ITEM_BYTE,      /* one byte */
};

struct glob {
    const char *text; /* as written, canonical */
    const uint16_t *items;
    uint16_t n;
    uint16_t prefix; /* literal items in front */
    uint8_t kind;    /* enum glob_kind */
    bool literal;    /* no wildcard at all */
};

/*
 * NULL, or why not. With a root (a canonical absolute path, or NULL) the text is relative to it and
 * the result is absolute. ** only as the first or the last segment.
 */
must_check const char *glob_parse(struct arena *a, enum glob_kind kind, const char *root,
                                  const char *text, struct glob *g);

/* The glob of a directory and everything below it; path is canonical. */
void glob_tree(struct arena *a, enum glob_kind kind, const char *path, struct glob *g);

/* The glob of exactly this text, whatever bytes it has. */
void glob_literal(struct arena *a, enum glob_kind kind, const char *text, struct glob *g);

bool glob_matches(const struct glob *g, const char *s, size_t len);

/* A pattern as an automaton: the set of items that can come next, as bits; bit n is the end. */
#define GLOB_ITEMS_MAX   384u
#define GLOB_REACH_WORDS (GLOB_ITEMS_MAX / 64)

void glob_start(const struct glob *g, uint64_t *out);
void glob_step(const struct glob *g, const uint64_t *from, unsigned char c, uint64_t *to);

/* The set after all of s. */
void glob_reach(const struct glob *g, const char *s, size_t len, uint64_t *out);

/* One directory and all below it, nothing else? */
bool glob_is_tree(const struct glob *g);

/* Is s a value that a request of this kind may carry? */
bool glob_value_ok(enum glob_kind kind, const char *s, size_t len);

/* Absolute, no empty, "." or ".." segment, no trailing slash, printable or UTF-8, at most 4095. */
bool path_is_canonical(const char *s, size_t len);

#endif
