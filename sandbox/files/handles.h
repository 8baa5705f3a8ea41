/* handles.h - the files and directories that the guest has open: a bounded table of descriptors. */
#ifndef SANDBOX_FILES_HANDLES_H
#define SANDBOX_FILES_HANDLES_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Four times what a tool may open by default (limits.open_files); more are refused with ENFILE. */
#define HANDLES_MAX 4096u

struct handle {
    int fd; /* owned; -1: not in use */
    uint32_t node;
    uint64_t ino;
    int64_t at; /* of a directory: where the descriptor stands; -1: not known */
    uint8_t mount;
    bool dir, writable, append;
    bool unlinked; /* its file had no name when it was let go or made: freed with the last handle */
};

struct handles {
    struct handle *v; /* owned, HANDLES_MAX: touched as far as it is used */
    uint32_t n;       /* all that are in use are below */
    uint32_t used;
};

must_check int handles_init(struct handles *t);
/* Closes them all. */
void handles_fini(struct handles *t);

/* A copy of *h, whose fd is taken when it succeeds. What the guest will call it, or 0: too many. */
uint64_t handle_new(struct handles *t, const struct handle *h);

/* NULL: none that the guest was given for this node. */
struct handle *handle_get(struct handles *t, uint64_t fh, uint64_t node, bool dir);

/* Any of this node; writable, when asked. */
struct handle *handle_of(struct handles *t, uint32_t node, bool writable);

/* How many there are of this file, by its number: with hard links it has several nodes. */
uint32_t handles_of_file(const struct handles *t, uint8_t mount, uint64_t ino);

/* The file has no name left: so all of its handles are told. */
void handles_unlinked(struct handles *t, uint8_t mount, uint64_t ino);

void handle_close(struct handles *t, struct handle *h);

#endif
