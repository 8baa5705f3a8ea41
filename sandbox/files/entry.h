/* entry.h - one entry of a directory, as the kernel writes it: getdents64(2). */
#ifndef SANDBOX_FILES_ENTRY_H
#define SANDBOX_FILES_ENTRY_H

#include <stdint.h>

struct entry {
    uint64_t ino;
    int64_t next; /* for lseek: what comes behind it */
    uint16_t len; /* of all of it */
    uint8_t type; /* DT_* */
    char name[];
};

#endif
