/*
 * confined.h - walls around what reads strangers' archives: the process that parses them, and
 * sqfstar, which takes from it.
 *
 * Prepared by the parent, entered by the child after fork; entering cannot be undone.
 */
#ifndef SANDBOX_IMAGE_CONFINED_H
#define SANDBOX_IMAGE_CONFINED_H

#include "policies/bpf.h"

#include <stdint.h>

#define CONFINED_MEMORY  (UINT64_C(3) << 30) /* an index of two million paths is 600 MB */
#define CONFINED_SECONDS 7200                /* of one CPU: 64 GiB, unpacked twice */

struct confined {
    int rules; /* owned: a Landlock ruleset; -1: this kernel has none */
    uint32_t len;
    struct bpf_insn prog[BPF_INSNS_MAX];
};

/*
 * The parser.
 *
 * should: read the descriptors it has, and files below dirfd (-1: nothing by name); write to the
 * descriptors it has; allocate.
 * must not: open for writing, make sockets, processes or files, execute, signal others, map
 * executable memory; take more than CONFINED_MEMORY and CONFINED_SECONDS.
 */
must_check int confined_prepare(struct confined *c, int dirfd, struct err *e);

/* The filter is required; Landlock, a second wall, as far as the kernel has it. */
must_check int confined_enter(const struct confined *c, struct err *e);
void confined_fini(struct confined *c);

/* A program that writes in one directory, and reads its own libraries. */
struct confined_tool {
    int rules;      /* owned; -1: none */
    uint64_t bytes; /* of the file that it writes at most */
};

/* Of the directory that path lies in. */
must_check int confined_tool_prepare(struct confined_tool *c, const char *path, uint64_t bytes,
                                     struct err *e);

/* In a child before exec: system calls only. 0 or -errno. */
must_check int confined_tool_enter(const struct confined_tool *c);
void confined_tool_fini(struct confined_tool *c);

#endif
