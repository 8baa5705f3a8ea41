/*
 * fill.h - a directory of the host goes into a new volume, as far as the policy lets it.
 *
 * Every path is decided before it is opened; links are data and are never followed; what changes
 * while it is read is taken as it was read. Nothing of the host is written to.
 */
#ifndef SANDBOX_VOLUME_FILL_H
#define SANDBOX_VOLUME_FILL_H

#include "policies/decide.h"
#include "sandbox/volume/ext4.h"
#include "sandbox/volume/tree.h"

/* Why something is not in the volume. */
enum fill_why {
    FILL_DENIED,     /* by the policy: rule */
    FILL_LINK,       /* a link that the rules for links leave out */
    FILL_KIND,       /* a device, fifo or socket */
    FILL_SETUID,     /* it is there, without its set-ID bits */
    FILL_NAME,       /* a name that no rule can speak of */
    FILL_UNREADABLE, /* to the user */
    FILL_GONE,       /* while it was read */
    FILL_CHANGED,    /* it is there, as it was read */
    FILL_WHYS,
};

struct fill_ask {
    int source;                  /* borrowed: directory of the host */
    const char *target;          /* where it will be in the guest */
    const struct ruleset *rules; /* borrowed */
    uint64_t symlinks, setuid;   /* words_symlink, words_grant */
    uint32_t uid;
    struct ext4 *volume;
    struct tree *tree; /* gets what went in */
    /* Told for each; rule is NULL but for FILL_DENIED. path is below the source. */
    void (*left_out)(void *arg, enum fill_why why, const char *path, const struct rule *rule);
    void *arg;
    uint64_t files, bytes; /* out */
};

/* -EDQUOT: it does not fit; -EIO and others: reading or writing failed. */
must_check int fill(struct fill_ask *ask, struct err *e);

const char *fill_why(enum fill_why why);

#endif
