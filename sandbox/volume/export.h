/*
 * export.h - one workspace of an ended sandbox, from its image to a list of changes that can be
 * shown, and taken.
 */
#ifndef SANDBOX_VOLUME_EXPORT_H
#define SANDBOX_VOLUME_EXPORT_H

#include "sandbox/volume/apply.h"
#include "sandbox/volume/prepare.h"

struct export
{
    const struct mount *mount;    /* borrowed */
    struct volume_policy *policy; /* borrowed */
    int boxfd;                    /* borrowed */
    int dirfd;                    /* owned: the host's directory */
    int stage;                    /* owned */
    bool whole;                   /* all there is, into a directory of its own */
    struct tree was, is;
    struct changes changes;
};

/*
 * Reads the volume and compares it; nobody else uses the sandbox. to: another directory than the
 * mount's own, which gets all there is; or NULL. The export may be closed in either case. -ENOENT:
 * the sandbox never started.
 */
must_check int export_open(struct export *x, struct volume_policy *p, int boxfd,
                           const struct mount *m, const char *to, bool force, struct err *e);
void export_close(struct export *x);

/* Takes what goes, and remembers it as what went in: a second export shows the rest. */
must_check int export_apply(struct export *x, struct apply_ask *ask, struct err *e);

/* How many changes have this fate. */
size_t export_count(const struct export *x, enum change_fate fate);

#endif
