/*
 * untar.h - a hostile tar archive becomes files below one directory of ours, and nowhere else.
 *
 * The kernel enforces it: every name is resolved by openat2 with RESOLVE_BENEATH and
 * RESOLVE_NO_SYMLINKS, so that neither "..", an absolute name, nor a link that the archive or
 * anybody else planted can lead outside (F01, F02). Devices, fifos and sockets are refused;
 * set-ID bits, owners, extended attributes and ACLs are not applied (F03).
 */
#ifndef SANDBOX_CLI_UNTAR_H
#define SANDBOX_CLI_UNTAR_H

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

struct untar_ask {
    int dirfd;          /* borrowed: everything is made below */
    const char *root;   /* the archive's first component becomes this; "." = dirfd itself */
    const char *shown;  /* how messages call dirfd */
    uint64_t max_bytes; /* of disk that may be filled */
    /* The next bytes, as transfer_read. */
    ssize_t (*read)(void *arg, const void **bytes, struct err *e);
    void *arg;
};

/* What an entry takes at least, and the unit in which contents are counted. */
#define UNTAR_BLOCK 4096u

/* 0, or negative with the entry's name in *e; what was made until then stays, but no half file.
 * -E2BIG above max_bytes: each entry takes a block, a file the blocks that are written, which for
 * one with holes are fewer than its size says. */
must_check int untar(const struct untar_ask *ask, struct err *e);

/* The name below the archive's first component, "" for that itself; NULL when the name is absolute,
 * has a ".." or another first component than *first (which is set when it is empty). Pure. */
const char *untar_name(const char *path, char *first, size_t room);

#endif
