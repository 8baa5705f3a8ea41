/*
 * prepare.h - the volumes of a sandbox, made before its machine starts: in its own directory,
 *
 *     mount-ID.img    what the guest gets as a disk
 *     mount-ID.tree   what it was filled with (tree.h)
 *     mounts.notes    what the audit log is to say of it; the keeper takes it over
 *
 * A volume that is there stays as it is: a workspace lives as long as its sandbox.
 */
#ifndef SANDBOX_VOLUME_PREPARE_H
#define SANDBOX_VOLUME_PREPARE_H

#include "policies/ruleset.h"
#include "sandbox/guard/dossier.h"
#include "sandbox/guard/user.h"
#include "sandbox/volume/names.h"

/* A sandbox's policy as it is in force, for those who deal with its volumes. */
struct volume_policy {
    struct dossier dossier;
    struct policy *policy; /* owned, as the rest */
    struct ruleset *rules;
};

/* volume_policy_fini in either case. */
must_check int volume_policy_load(struct volume_policy *p, int boxfd, struct err *e);
void volume_policy_fini(struct volume_policy *p);

/* The mount's directory on the host, as the caller of `run` meant it: a path in the arena. */
must_check int volume_source(struct volume_policy *p, const struct mount *m, const char **out,
                             struct err *e);

struct prepare_ask {
    int boxfd; /* borrowed; nobody else uses the sandbox */
    struct volume_policy *policy;
    /* A line for a person, about each volume that was made. */
    void (*say)(void *arg, const char *line);
    void *arg;
};

must_check int prepare(const struct prepare_ask *ask, char hint[240], struct err *e);

#endif
