/*
 * pack.h - a file or a tree becomes a tar archive.
 *
 * Names start with the last component of the path. Symbolic links are kept as links and never
 * followed below the path; sockets, fifos and devices are left out, as is what lies in /proc and
 * its like. The walk holds one descriptor a level.
 */
#ifndef GUEST_PACK_H
#define GUEST_PACK_H

#include "guest/tar.h"

struct pack_sink {
    int (*write)(void *arg, const void *buf, size_t len); /* all of it: 0, or -errno */
    void *arg;                                            /* borrowed */
};

/* 0, or -errno with the name in *e. -EAGAIN: the archive is whole and well formed, but a file
 * shrank while it was read and is padded with zeros. */
must_check int pack(const char *path, const struct pack_sink *to, struct err *e);

#endif
