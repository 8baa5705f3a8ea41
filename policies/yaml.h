/*
 * yaml.h - strict YAML: bytes in, a tree of untyped nodes out, or one refusal with its place.
 *
 * Refused: more than 256 KiB, tab, BOM, NUL and other control bytes, what is not UTF-8, anchors,
 * aliases, tags, merge keys, directives, a second document, depth over 16, a duplicate key, a key
 * that is not a plain word. Scalars stay text: nothing is a number or a boolean here.
 */
#ifndef POLICIES_YAML_H
#define POLICIES_YAML_H

#include "policies/problems.h"

#include <stdbool.h>

#define YAML_BYTES_MAX 262144u
#define YAML_DEPTH_MAX 16u
#define YAML_LIST_MAX  32768u /* entries of one list: twice the most that the language takes */

enum node_kind {
    NODE_SCALAR,
    NODE_MAP,
    NODE_LIST,
};

struct node {
    enum node_kind kind;
    bool quoted;                           /* scalar in quotes or a block scalar */
    const char *key;                       /* in a map: the key; else NULL */
    const char *text;                      /* scalar: terminated, without NUL inside */
    uint32_t line, col, key_line, key_col; /* from 1 */
    uint32_t n;                            /* children */
    struct node *first, *next;             /* children in order; next sibling */
};

/*
 * The tree lives in the arena. NULL after adding one problem. file is only for messages and must
 * outlive ps.
 */
const struct node *yaml_parse(struct arena *a, const char *text, size_t len, const char *file,
                              struct problems *ps);

/* The same by libyaml alone: what yaml_parse does with a document that is not plain (plain.h). */
const struct node *yaml_parse_any(struct arena *a, const char *text, size_t len, const char *file,
                                  struct problems *ps);

/* The child of a map with this key, or NULL. */
const struct node *node_get(const struct node *map, const char *key);

#endif
