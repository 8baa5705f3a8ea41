/*
 * unpack.h - a tar archive becomes files below one directory, and nowhere else.
 *
 * No component of an entry's path is ever followed through a symbolic link, so neither the archive
 * nor a program that swaps directories meanwhile can lead it outside (F01, F02). ".." and absolute
 * names are refused, set-uid and set-gid bits are dropped (F03). Existing files are replaced;
 * existing directories keep their owner and mode.
 */
#ifndef GUEST_UNPACK_H
#define GUEST_UNPACK_H

#include "guest/tar.h"

/* Whose the new files are. */
struct unpack_owner {
    bool mapped; /* false: as the archive says */
    uid_t uid;
    gid_t gid;
};

/* dirfd is borrowed. 0, or -errno with the entry's name in *e; what was made until then stays.
 * Ownership is set only when running as root. */
must_check int unpack(struct tar_reader *r, int dirfd, const struct unpack_owner *owner,
                      struct err *e);

#endif
