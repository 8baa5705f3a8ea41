/*
 * merge.h - layers of an image become one tree: which entry of which layer is seen at each path.
 *
 * Layers come from the top down, so that what is seen first stays and nothing is ever taken back:
 * a whiteout hides what lies in the layers below its own, whatever its place in the layer. Only
 * names and attributes are kept. Contents are read again, by layer and place in it.
 */
#ifndef SANDBOX_IMAGE_MERGE_H
#define SANDBOX_IMAGE_MERGE_H

#include "sandbox/image/entry.h"

#define MERGE_NONE UINT32_MAX

struct merge_attr {
    uint32_t mode, uid, gid, mtime;
};

/* A file, a link or a fifo of one layer; it may be seen at several paths, or at none. */
struct merge_inode {
    enum entry_kind kind;
    struct merge_attr attr;
    uint64_t size;
    uint32_t layer, seq; /* where its contents are */
    uint32_t target;     /* of a symbolic link */
    uint32_t first;      /* of the paths at which it is seen; the next: struct merge_node */
};

struct merge_node {
    uint32_t parent, child, sibling;
    uint32_t name;
    uint32_t inode;              /* what is seen here; MERGE_NONE: a directory */
    uint32_t alias;              /* next path of the inode */
    uint32_t now;                /* inode that the layer being read has here */
    uint16_t set;                /* layer + 1 that said what is seen here; 0: nothing is */
    uint16_t came;               /* layer + 1 that last had an entry here, seen or not */
    uint16_t hides, hides_below; /* layers below this one are not seen here; below here */
    bool seen;                   /* false: known only from whiteouts and what they hide */
    struct merge_attr attr;      /* of a directory */
};

/* Zero-initialised to start; max: limits, 0 = those of entry.h. */
struct merge {
    struct merge_node *nodes; /* owned; 0 is the root */
    struct merge_inode *inodes;
    char *names; /* owned */
    uint32_t *slots;
    uint32_t nnodes, ninodes, room_nodes, room_inodes, room_slots;
    uint64_t nnames, room_names;
    uint64_t count_max, bytes_max;
    uint64_t entries, bytes; /* of all layers, seen or not */
    uint64_t dropped;        /* device nodes and sockets */
    uint32_t layer, seq;     /* being read */
};

struct merge_entry {
    const char *path, *target; /* target: of links */
    enum entry_kind kind;
    struct merge_attr attr;
    uint64_t size;
};

/* Starts the next layer: the topmost is the first, with the highest number. */
void merge_layer(struct merge *m, uint32_t layer);

/* One entry of it: 0, or -errno with the reason, after which the image is refused. */
must_check int merge_add(struct merge *m, const struct merge_entry *en, struct err *e);

/* The inode that this entry of this layer is, when it is seen anywhere; else NULL. */
const struct merge_inode *merge_find(const struct merge *m, uint32_t layer, uint32_t seq);

/* The path of a node, into buf. */
void merge_path(const struct merge *m, uint32_t node, char buf[ENTRY_NAME_MAX + 1]);
const char *merge_name(const struct merge *m, uint32_t name);

/* Walks what is seen, a directory before what is in it. From 0; MERGE_NONE at the end. */
uint32_t merge_next(const struct merge *m, uint32_t node);

void merge_fini(struct merge *m);

#endif
