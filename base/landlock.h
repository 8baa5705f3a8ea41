/*
 * landlock.h - the kernel's Landlock calls, and which rights the kernel at hand knows.
 *
 * A rule set takes all rights away that this kernel can take; what is allowed is then below
 * descriptors. Numbers: include/uapi/linux/landlock.h of Linux 6.12; system headers may be older
 * than the kernel that runs. Versions of the ABI: Documentation/userspace-api/landlock.rst.
 */
#ifndef BASE_LANDLOCK_H
#define BASE_LANDLOCK_H

#include "base/err.h"

#include <linux/landlock.h>
#include <stdint.h>

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ull << 14) /* ABI 3, Linux 6.2 */
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ull << 15) /* ABI 5, Linux 6.10: devices opened later */
#endif

#define LANDLOCK_READ_TREE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

/* The ABI of this kernel; 0, with errno: it has no Landlock, or it is switched off. */
int landlock_version(void);

/* All rights to files and directories that an ABI knows. */
uint64_t landlock_rights(int abi);

enum landlock_reach {
    LANDLOCK_FILES,      /* files and directories */
    LANDLOCK_EVERYTHING, /* and TCP (ABI 4), abstract sockets and signals to others (ABI 6) */
};

/* A rule set of this kernel's ABI (not 0) that allows nothing: a descriptor, the caller's,
 * close-on-exec; or -errno with *e set. */
must_check int landlock_rules(int abi, enum landlock_reach reach, struct err *e);

/* fd: borrowed, O_PATH will do. rights: those of its ABI, and for a file no directory's. */
must_check int landlock_allow(int rules, int fd, uint64_t rights, struct err *e);

/* From here on, for this thread and its children. Needs no_new_privs, or CAP_SYS_ADMIN. */
must_check int landlock_enter(int rules, struct err *e);

#endif
