/*
 * entry.h - judges the entries of an archive before they reach an image.
 *
 * An archive may say anything. What passes has a relative name without "..", unique (a directory
 * may come again), under a directory; hard links lead to files that came before; device nodes and
 * sockets are dropped; the sums stay below limits. Pure: nothing is read, written or unpacked.
 */
#ifndef SANDBOX_IMAGE_ENTRY_H
#define SANDBOX_IMAGE_ENTRY_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one image may hold. A bomb of 10,000:1 meets the sum of bytes long before the disk does. */
enum {
    ENTRY_COUNT_MAX = 2000000,
    ENTRY_NAME_MAX = 4095,
    ENTRY_PART_MAX = 255,
    ENTRY_DEPTH_MAX = 512
};
#define ENTRY_BYTES_MAX (UINT64_C(64) << 30)

struct name; /* in the table */

/* The names that have passed so far. Zero-initialised to start. */
struct entry_judge {
    struct name **slots; /* owned; hash table, a power of two */
    size_t room;
    uint64_t count, bytes, dropped; /* entries, contents, dropped entries */
    uint64_t count_max, bytes_max;  /* 0 = the limits above */
};

enum entry_kind { ENTRY_FILE, ENTRY_DIR, ENTRY_LINK, ENTRY_HARD, ENTRY_FIFO, ENTRY_OTHER };

enum entry_verdict {
    ENTRY_DROP, /* leave it out */
    ENTRY_KEEP,
    ENTRY_KEEP_PARENTS, /* keep, but make parent directories that have not come: out.missing */
};

struct entry_name {
    char path[ENTRY_NAME_MAX + 1];   /* cleaned: no leading "./", no "//", no trailing "/" */
    char target[ENTRY_NAME_MAX + 1]; /* of a hard link, cleaned */
    size_t missing; /* length of the part of path whose directory is the last that came; what lies
                       between is missing */
};

/* Judges one entry: a verdict, or -errno with the reason, after which the archive is refused. */
must_check int entry_judge(struct entry_judge *j, const char *path, enum entry_kind kind,
                           const char *target, uint64_t size, struct entry_name *out,
                           struct err *e);

/* A name without empty and "." parts: 0, with "" for the root itself, or -errno. */
must_check int entry_clean(const char *in, char out[ENTRY_NAME_MAX + 1], struct err *e);

void entry_judge_fini(struct entry_judge *j);

#endif
