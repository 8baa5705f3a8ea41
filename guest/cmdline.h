/*
 * cmdline.h - what the kernel command line says to carrel-init: words that begin with "carrel.",
 * each at most once, but for carrel.mount and
 * carrel.live. All others are the kernel's.
 */
#ifndef GUEST_CMDLINE_H
#define GUEST_CMDLINE_H

#include "base/err.h"
#include "base/files.h"

#include <stdbool.h>
#include <stdint.h>

#define CMDLINE_MOUNTS 6u
#define CMDLINE_TARGET 256u /* bytes with the NUL */
#define CMDLINE_ID     65u  /* as above; of a mount in a policy */

/* carrel.mount=SERIAL,ro|rw,TARGET: a disk, by its serial number, and where it belongs; the target
 * is absolute, what a word cannot hold is %XX. As often as there are volumes. */
struct cmdline_mount {
    char serial[21]; /* virtio-blk: at most 20 bytes */
    char target[CMDLINE_TARGET];
    bool read_only;
};

/* carrel.live=ID,ro|rw,TARGET: a directory of the file system device carrel.files. */
struct cmdline_live {
    char id[CMDLINE_ID];
    char target[CMDLINE_TARGET];
    bool read_only;
};

enum overlay_kind { OVERLAY_TMPFS, OVERLAY_VDB };

struct cmdline {
    enum overlay_kind overlay;              /* carrel.overlay=tmpfs|vdb */
    uint64_t overlay_bytes, overlay_inodes; /* carrel.overlay=BYTES,INODES: tmpfs; 0: not said */
    uint64_t tmp_bytes;                     /* carrel.tmp=BYTES: /tmp, and as much again /dev/shm */
    bool read_only;                         /* carrel.root=ro: no overlay */
    uint64_t verity_blocks; /* carrel.verity=BLOCKS,ROOT: the image's file system, in */
    char verity_root[65];   /* blocks of 4096, is read through this hash tree */
    bool trace;             /* carrel.trace */
    struct cmdline_mount mounts[CMDLINE_MOUNTS];
    unsigned nmounts;
    struct cmdline_live live[FILES_MOUNTS_MAX];
    unsigned nlive;
};

/* Pure; text is what /proc/cmdline holds. -EINVAL for an option or value that is not
 * known, or does not go with another. */
must_check int cmdline_parse(const char *text, struct cmdline *out, struct err *e);

#endif
