/*
 * tree.h - what is below a directory of this host, entry by entry, in an order that depends on
 * names only: the same tree makes the same image, whatever file system it lies on.
 *
 * Nothing is followed: no symbolic link, no mount.
 */
#ifndef SANDBOX_IMAGE_TREE_H
#define SANDBOX_IMAGE_TREE_H

#include "base/err.h"

#include <archive_entry.h>
#include <fts.h>

struct tree {
    FTS *fts;     /* owned */
    FTSENT *at;   /* borrowed: the entry that was last told */
    int fd;       /* owned: its contents, once they are read; else -1 */
    size_t strip; /* bytes of every path that lead to the root */
};

#define TREE_INIT ((struct tree){ .fd = -1 })

/* root without a slash at its end. tree_close in either case. */
must_check int tree_open(struct tree *t, const char *root, struct err *e);
void tree_close(struct tree *t);

/* The next entry, named from the root ("." itself): 1, 0 at the end, negative. */
must_check int tree_next(struct tree *t, struct archive_entry *en, struct err *e);

/* The next bytes of the last entry, a file: their number, 0 at its end, negative. */
must_check ssize_t tree_read(struct tree *t, void *buf, size_t len, struct err *e);

#endif
