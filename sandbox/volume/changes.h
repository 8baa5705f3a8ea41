/*
 * changes.h - what a guest made of its workspace: the difference between what went in and what is
 * there now, each entry judged by the policy and by what the host has meanwhile.
 */
#ifndef SANDBOX_VOLUME_CHANGES_H
#define SANDBOX_VOLUME_CHANGES_H

#include "policies/decide.h"
#include "sandbox/volume/tree.h"

enum change_what { CHANGE_ADDED, CHANGE_CHANGED, CHANGE_DELETED };

/* What becomes of it. */
enum change_fate {
    CHANGE_GOES,     /* to the host, when it is taken */
    CHANGE_DONE,     /* the host has it so already */
    CHANGE_DENIED,   /* by the policy: rule */
    CHANGE_CONFLICT, /* the host has something else than what went in */
    CHANGE_REFUSED,  /* no file, directory or link, or a name or target that none can have */
};

/* Bits in the order of words_review. */
enum {
    REVIEW_EXECUTABLE = 1,
    REVIEW_HIDDEN = 2,
    REVIEW_SYMLINK = 4,
    REVIEW_BINARY = 8,
    REVIEW_LARGE = 16
};
#define REVIEW_LARGE_BYTES (10u << 20)

struct change {
    enum change_what what;
    const struct tree_entry *was, *is; /* borrowed from the trees; NULL: not there */
    enum change_fate fate;
    const struct rule *rule; /* CHANGE_DENIED; may be NULL */
    unsigned risks;          /* REVIEW_*, all that hold */
    bool cleared;            /* while it is applied: what it was is gone */
};

struct changes {
    struct change *v; /* owned; by path */
    size_t n, room;
};

void changes_fini(struct changes *c);

/* Both trees sorted, and outlive the changes. -ENOMEM. changes_fini in either case. */
must_check int changes_make(struct changes *c, const struct tree *was, const struct tree *is,
                            struct err *e);

/* target: where the tree is in the guest. */
void changes_decide(struct changes *c, const struct ruleset *rs, const char *target);

/* Looks at the host, below dirfd. force: what the host has is no reason. */
must_check int changes_compare(struct changes *c, int dirfd, bool force, struct err *e);

/* The path that the change is about. */
const char *change_path(const struct change *x);

/* Is dirfd's path now as x says? 1 yes, 0 no, or -errno. */
must_check int change_host_is(int dirfd, const char *path, const struct tree_entry *x);

#endif
