/*
 * dump.h - reads a volume that a guest has written: a process of its own, in a cage, takes the file
 * system apart and says what is in it; this side believes none of it.
 *
 * The kernel never mounts such a file system on the host.
 */
#ifndef SANDBOX_VOLUME_DUMP_H
#define SANDBOX_VOLUME_DUMP_H

#include "sandbox/volume/tree.h"

#include <sys/types.h>

#define DUMP_MAGIC   0x504d5544u /* "DUMP" */
#define DUMP_DEPTH   127u
#define DUMP_ENTRIES 4000000u
#define DUMP_PATH    4096u

/* Before each entry; then the path, the link, the bytes of a file, and one uint32_t that is 0 when
 * these are the file's. Host byte order: both ends are one program. */
struct dump_head {
    uint32_t magic;
    uint8_t kind; /* enum tree_kind; 'b': a file larger than its volume, without bytes; 'e': end */
    uint8_t pad;
    uint16_t mode;
    uint32_t nlink, path, link; /* lengths */
    uint64_t size;
    int64_t mtime_ns;
};

struct dump_ask {
    int image;               /* borrowed: open for reading and writing */
    const struct tree *base; /* contents that are the same there need not be kept; may be NULL */
    int stage;               /* borrowed: an empty file that gets the contents of all others */
};

/*
 * Puts what the volume holds into *t (tree_fini in either case); entry.at is where a file's bytes
 * are in the stage, if they were kept. A journal that a crash left is replayed first. -EBADMSG: not
 * a file system that can be read.
 */
must_check int dump_read(const struct dump_ask *ask, struct tree *t, struct err *e);

/* For the child: writes the whole volume to the pipe. The exit status. */
int dump_write(int image, int pipe);

/* One stream, from wherever it comes. limit: bytes that the volume can hold. */
must_check int dump_parse(int pipe, uint64_t limit, const struct dump_ask *ask, struct tree *t,
                          struct err *e);

#endif
