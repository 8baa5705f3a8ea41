/*
 * nodes.h - what the guest's kernel knows of the trees: a node for each entry it looked up, with
 * the name that we gave it. Paths are made from here and never read back from the guest.
 *
 * Node 1 is the root of the session; the next ones are the roots of the mounts and stay for ever.
 * Any other lives as long as the guest has not forgotten it, or a node below it or a handle does.
 */
#ifndef SANDBOX_FILES_NODES_H
#define SANDBOX_FILES_NODES_H

#include "base/compiler.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A hundred bytes each: what a guest can make us hold. More are refused with ENFILE. */
#define NODES_MAX 262144u

#define NODE_ROOT 1u /* FUSE_ROOT_ID */

struct vnode {
    uint64_t ino;     /* of the host's entry, when it was looked up last */
    uint64_t lookups; /* that the guest has not taken back */
    char *name;       /* owned; NULL: a root, or not in use */
    uint32_t id, parent;
    uint32_t next; /* of its hash chain, or of the free ones; 0: the end */
    uint32_t kids, opens;
    uint32_t type;       /* S_IFMT */
    uint32_t generation; /* raised when an id is used again */
    uint8_t mount;
    bool used;
    bool gone; /* it has no name (any more): removed, replaced, another one has it */
};

struct nodes {
    struct vnode *v;   /* owned; [id], 0 is not used */
    uint32_t n, room;  /* ids given out so far; of v */
    uint32_t free;     /* a chain */
    uint32_t *buckets; /* owned */
    uint32_t mask;
    uint32_t live, max;
};

/* With the session's root and the roots of this many mounts. max: NODES_MAX, or less in a test. */
must_check int nodes_init(struct nodes *t, unsigned mounts, uint32_t max);
void nodes_fini(struct nodes *t);

/* NULL: the guest does not know such a node. The pointer holds until the next vnode_enter. */
struct vnode *vnode_get(struct nodes *t, uint64_t id);

/* The entry of this name in the directory, if the guest knows it; its id or 0. */
uint32_t vnode_find(const struct nodes *t, uint32_t parent, const char *name);

/*
 * The entry was looked up once more: its id, or 0 when there are too many. When another file has
 * the name now, the old node is gone and a new one is made.
 */
uint32_t vnode_enter(struct nodes *t, uint32_t parent, const char *name, uint64_t ino,
                     uint32_t type);

/* A regular file that has no name, made in this directory; vnode_move may give it one. Its id, or
 * 0: too many. */
uint32_t vnode_enter_nameless(struct nodes *t, uint32_t parent, uint64_t ino);

/* The guest takes back n look-ups; never more than it has. */
void vnode_forget(struct nodes *t, uint64_t id, uint64_t n);

/* A handle of it, as vnode_forget for what is not a look-up. */
void vnode_opened(struct nodes *t, uint32_t id);
void vnode_closed(struct nodes *t, uint32_t id);

/* The name is no longer its own. */
void vnode_gone(struct nodes *t, uint32_t id);

/* It got another place; what had that name is gone. The name is copied. -ENOMEM. */
must_check int vnode_move(struct nodes *t, uint32_t id, uint32_t parent, const char *name);

/* The path below the root of its mount, "" for that root. -ENAMETOOLONG; -ESTALE: it, or what is
 * above it, is gone. */
must_check int vnode_path(const struct nodes *t, uint32_t id, char out[PATH_MAX]);

/* Is it the directory, or below it? */
bool vnode_is_below(const struct nodes *t, uint32_t id, uint32_t dir);

#endif
