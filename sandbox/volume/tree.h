/*
 * tree.h - what a directory held at a moment: every entry with what tells it from another one.
 *
 * The tree that a workspace was filled with lies beside its image; an export is the difference
 * between it and what the guest left.
 */
#ifndef SANDBOX_VOLUME_TREE_H
#define SANDBOX_VOLUME_TREE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREE_DIGEST 65 /* SHA-256 in hexadecimal, with the NUL */

enum tree_kind { TREE_DIR = 'd', TREE_FILE = 'f', TREE_LINK = 'l', TREE_OTHER = 'o' };

struct tree_entry {
    char *path; /* owned: below the root, without a slash before or behind */
    char *link; /* owned: TREE_LINK */
    enum tree_kind kind;
    uint32_t mode; /* permission bits; with set-ID bits only where they mean something */
    uint32_t nlink;
    uint64_t size;
    int64_t mtime_ns;
    char digest[TREE_DIGEST]; /* TREE_FILE */
    uint64_t at;              /* of its bytes in a stage (dump.h) */
    bool binary;
};

struct tree {
    struct tree_entry *v; /* owned; sorted after tree_sort */
    size_t n, room;
};

void tree_fini(struct tree *t);

/* Takes path and link, also when it fails; the entry is borrowed until the next call. */
struct tree_entry *tree_add(struct tree *t, enum tree_kind kind, char *path, char *link);

/* By path, byte by byte: what is in a directory comes after it. */
void tree_sort(struct tree *t);
/* In a sorted tree; NULL when it is not there. */
const struct tree_entry *tree_find(const struct tree *t, const char *path);

/* The same, as far as an export is concerned: contents, kind and whether it may be executed. */
bool tree_same(const struct tree_entry *a, const struct tree_entry *b);

/* One line an entry. No path or link may hold a control character: fill leaves such out. */
must_check int tree_save(const struct tree *t, int dirfd, const char *file, struct err *e);
/* Sorted. -EBADMSG: not what tree_save writes. tree_fini in either case. */
must_check int tree_load(struct tree *t, int dirfd, const char *file, struct err *e);

#endif
