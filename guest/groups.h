/*
 * groups.h - a cgroup for each command: whatever it starts stays in it, however it detaches itself,
 * and can be ended as one, also when the command itself has long ended (C08).
 *
 * A group is empty when no process is left in it and its command was reaped. Then its cgroup goes,
 * and the host is told if it gave the command a number (MSG_JOB). Without cgroups a group holds
 * nothing but the command itself.
 */
#ifndef GUEST_GROUPS_H
#define GUEST_GROUPS_H

#include "base/loop.h"

#include <sys/types.h>

#define GROUPS_MAX \
    256u /* that are not empty, or that the host was not told of; a descriptor each */

struct group {
    struct groups *all; /* borrowed, outlives this */
    struct group *next;
    uint32_t job;              /* as the host calls it; 0: it did not */
    uint32_t name;             /* of its directory */
    bool held;                 /* its command was not reaped */
    struct loop_source events; /* owns .fd, of cgroup.events; -1: it has no cgroup */
};

struct groups {
    struct loop *loop;   /* borrowed, outlives this */
    int dir;             /* owned: the directory of a cgroup v2 that is all commands'; -1: none */
    struct group *first; /* owned */
    unsigned count;
    uint32_t last; /* name that was given */
};

void groups_init(struct groups *gs, struct loop *l);
/* Forgets all; cgroups and processes are not touched. */
void groups_fini(struct groups *gs);

/* -EAGAIN: too many. The caller forks into it next and then holds it until group_release. */
must_check int group_new(struct groups *gs, uint32_t job, struct group **out, struct err *e);

/* fork(2) into the group. Born there: moving in would stop all forks and exits for an RCU grace
 * period. -1 with errno; EAGAIN: all commands' limit of processes is reached. */
pid_t group_fork(const struct group *g);

/* Its command was reaped, or was never there. */
void group_release(struct group *g);

/* Ends every process in it, at once. False: it has no cgroup, nothing was done. */
bool group_kill(struct group *g);

/* The one that the host calls so, NULL: none, or not any more. */
struct group *group_find(const struct groups *gs, uint32_t job);

/* One that is empty and that the host was not told of, or NULL; group_free when it was. */
struct group *groups_empty(const struct groups *gs);
void group_free(struct group *g);

#endif
