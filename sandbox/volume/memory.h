/*
 * memory.h - what an agent remembers across tasks: named volumes with versions, in the state
 * directory.
 *
 *     volumes/ID/N.img    version N, whole and never changed again
 *     volumes/ID/N.from   the sandbox that made it
 *     volumes/ID/lock     held (flock) by who may make the next one
 *     volumes/ID/pending  the sandbox whose copy is not adopted yet
 *     volumes/ID/new.img  a version that is being made, under the lock
 *
 * A sandbox gets a copy of the newest version in its own directory. After its end the copy is read
 * by the caged reader and, when every change is one that the policy allows, becomes the next
 * version; otherwise nothing of it does. Whoever dies in between leaves it to the next who looks.
 */
#ifndef SANDBOX_VOLUME_MEMORY_H
#define SANDBOX_VOLUME_MEMORY_H

#include "sandbox/volume/changes.h"
#include "sandbox/volume/prepare.h"

#include <time.h>

#define MEMORY_PENDING "pending"
#define MEMORY_DRAFT   "new.img"

struct memory {
    int dir;  /* owned */
    int lock; /* owned; -1: not held */
    char id[64];
};

#define MEMORY_INIT ((struct memory){ -1, -1, "" })

enum memory_hold { MEMORY_LOOK, MEMORY_OWN }; /* MEMORY_OWN: -EBUSY while another does */

/* -ENOENT unless it is there or is to be made. memory_close in either case. */
must_check int memory_open(struct memory *m, const char *id, bool make, enum memory_hold hold,
                           struct err *e);
void memory_close(struct memory *m);

/* Names of all, sorted; the caller's, each too. */
must_check int memory_list(char ***out, size_t *n, struct err *e);

struct memory_version {
    uint64_t number, bytes; /* bytes: of disk */
    time_t made;
    char from[16];
};

/* Oldest first; the caller's. */
must_check int memory_versions(const struct memory *m, struct memory_version **out, size_t *n,
                               struct err *e);
/* The newest one's number; 0: none. */
uint64_t memory_newest(const struct memory *m);

/* A version's image, open for reading and writing, for dump_read only. */
must_check int memory_image(const struct memory *m, uint64_t number, struct err *e);

/* A copy of the image becomes the newest version. Its lock is held. */
must_check int memory_add(const struct memory *m, int image, const char *from, uint64_t *number,
                          struct err *e);

/* Forgets versions that are more than keep, older than retain or more than quota in all; never the
 * newest one. Its lock is held. */
void memory_prune(const struct memory *m, uint64_t keep, uint64_t retain_ms, uint64_t quota);

/* All of it. -EBUSY: a sandbox has a copy that is not adopted yet. Its lock is held. */
must_check int memory_remove(const struct memory *m, struct err *e);

/* What was changed from one image to another. Trees are the caller's. */
struct memory_diff {
    struct tree was, is;
    struct changes changes;
    int stage_was, stage_is; /* owned */
};

/* image_was -1: nothing. dirfd: for what is set aside meanwhile. memory_diff_fini in either case.
 */
must_check int memory_diff(struct memory_diff *d, int dirfd, int image_was, int image_is,
                           struct err *e);
void memory_diff_fini(struct memory_diff *d);

/* By what was done to each: kept and added to, made, changed, deleted. True: all of it is allowed.
 */
bool memory_decide(struct memory_diff *d, const struct ruleset *rs, const char *target);

/* ---- for sandboxes ---- */

struct adopt_ask {
    int boxfd; /* borrowed; nobody else uses the sandbox */
    struct volume_policy *policy;
    void (*say)(void *arg, const char *line); /* for a person */
    /* For the audit log: one line, and whether it tells of a denial by rule. May be NULL. */
    void (*record)(void *arg, bool denied, const char *rule, const char *line);
    void *arg;
};

/* Before the start: a copy of the newest version of each, and who waits is told of. */
must_check int memory_prepare(const struct adopt_ask *ask, char hint[240], struct err *e);

/* After the end: what the sandbox has added is adopted, or said to be refused. */
must_check int memory_adopt(const struct adopt_ask *ask, struct err *e);

/* Copies a sparse file, sharing what the file system lets it share. */
must_check int volume_copy(int from, int to, struct err *e);

#endif
