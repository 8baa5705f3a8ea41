/* copy_path.h - what cp's operands mean: docker's rules, pure. */
#ifndef SANDBOX_CLI_COPY_PATH_H
#define SANDBOX_CLI_COPY_PATH_H

#include "base/compiler.h"

#include <limits.h>
#include <stdbool.h>

/* One operand: NAME:PATH, a path of ours, or "-". */
struct copy_path {
    bool is_stream;      /* "-" */
    char box[64];        /* "" = ours */
    char path[PATH_MAX]; /* of the guest: absolute */
    bool contents;       /* ended in "/.": what is in the directory, not it */
    bool slash;          /* ended in "/": must be a directory */
};

/* 0, -EINVAL (an empty name or path), or -ENAMETOOLONG. */
must_check int copy_path_parse(const char *text, struct copy_path *p);

/* The last component, "" for "/" and the like. */
const char *copy_path_base(const struct copy_path *p, char buf[NAME_MAX + 1]);

/* What a destination is. */
enum copy_there { COPY_NOTHING, COPY_FILE, COPY_DIR };

/* Where the archive goes: the directory to unpack in and the name of its root there. */
struct copy_target {
    char dir[PATH_MAX];
    char root[NAME_MAX + 1]; /* "." = the directory's own contents */
};

/*
 * -ENOTDIR: a directory cannot replace a file, or "/" was asked of a file. -ENOENT: DST/ of a file
 * that is not there. -EINVAL: no name can be made.
 */
must_check int copy_path_target(const struct copy_path *src, bool src_is_dir,
                                const struct copy_path *dst, enum copy_there there,
                                struct copy_target *out);

#endif
