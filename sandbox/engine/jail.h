/*
 * jail.h - what an engine's process is to be locked into, and what the host keeps for it meanwhile.
 */
#ifndef SANDBOX_ENGINE_JAIL_H
#define SANDBOX_ENGINE_JAIL_H

#include "base/err.h"
#include "base/jail.h"

#include "sandbox/engine/engine.h"

#include <stdbool.h>

struct jail {
    uint8_t level[16]; /* enum jail_level, by layer */
    uint32_t uid;      /* as root: of this sandbox alone; 0: none */
    int uid_fd;        /* owned: the lock that makes it so */
    char uid_path[32]; /* of the lock, in the state directory; "" none */
    int state_fd;      /* owned: the state directory */
    unsigned ncgroups;
    int cgroup_fd[JAIL_CGROUPS_MAX]; /* owned: cgroup.procs of its leaves */
};

/* Nothing held; without namespaces, Landlock or a cgroup it still starts, and says so. */
void jail_init(struct jail *j);
/* Gives back what is held: the uid is free again. */
void jail_fini(struct jail *j);

/* Every layer that is asked for at all becomes required. */
void jail_require_all(struct jail *j);

/* For root: finds a uid that no other sandbox has, beginning where the id leads. */
must_check int jail_claim_uid(struct jail *j, const char *id, struct err *e);
/* Of a sandbox that runs: takes fd, the claim to uid. */
must_check int jail_keep_uid(struct jail *j, uint32_t uid, int fd, struct err *e);

/*
 * Of bytes that arrived on an engine's report_fd, takes what is carrel-launch's: how many. A report
 * that it wrote and then could not keep is replaced by the next.
 */
size_t jail_take(struct engine_run *r, const char *bytes, size_t len);

/* Why the engine was not started, or NULL: carrel-launch did not refuse. */
const char *jail_refusal(const struct engine_run *r);

#endif
