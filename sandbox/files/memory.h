/*
 * memory.h - the guest's memory as the machine's process lends it: descriptors, mapped here.
 *
 * What is mapped can neither shrink nor be cut (F_SEAL_SHRINK), so no access to it is a SIGBUS,
 * whatever that process does; and it is one file, no longer than the guest's memory. Round each
 * region lies address space that nothing can be read from.
 */
#ifndef SANDBOX_FILES_MEMORY_H
#define SANDBOX_FILES_MEMORY_H

#include "base/err.h"
#include "base/gmem.h"
#include "base/vhost.h"

#include <sys/types.h>

struct memory {
    struct gmem gmem;
    uint64_t user[VHOST_REGIONS]; /* what the rings' addresses are counted in; of gmem.region[i] */
    uint64_t most;                /* bytes from the file's beginning: how much the guest has */
    dev_t dev;                    /* the file that it is in, also when nothing is mapped … */
    ino_t ino;                    /* … 0: none was lent yet */
};

/* m is zero but for most, or what was unmapped. The descriptors stay the caller's. On failure
 * nothing is mapped. */
must_check int memory_map(struct memory *m, const struct vhost_memory *table,
                          const int fds[VHOST_REGIONS], struct err *e);
void memory_unmap(struct memory *m);

/* Where in the guest this address of the machine's process is. False: it is in no region. */
must_check bool memory_find(const struct memory *m, uint64_t user, gpa_t *at);

#endif
