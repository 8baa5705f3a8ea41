/*
 * cgroup.h - a leaf of its own for each sandbox: limits of memory, CPU time and processes.
 *
 * Version 2 where the host has the controllers there, else version 1. The leaf lies as near to the
 * caller's own cgroup as it can, so that limits round Carrel itself stay in force; root can always
 * make one, others where a part of the tree was delegated to them (systemd does, for user
 * services).
 */
#ifndef SANDBOX_ENGINE_CGROUP_H
#define SANDBOX_ENGINE_CGROUP_H

#include "policies/profile.h"
#include "sandbox/box_jail.h"
#include "sandbox/engine/jail.h"

#include <stdio.h>

/* Where the leaves of sandbox id would be: fills b->cgroup and b->ncgroups, changes nothing on the
 * host. -ENOENT: this host gives none to this user; *e says why. */
must_check int cgroup_plan(struct box_jail *b, const char *id, struct err *e);

/* Makes them, writes the values of their version, opens their cgroup.procs into j. All or nothing.
 * A leaf that is there already is taken over. */
must_check int cgroup_make(struct jail *j, const struct box_jail *b, const struct cgroup_value *v,
                           uint32_t n, struct err *e);

/* For tests: as cgroup_plan, with other texts than those below /proc/self. */
must_check int cgroup_plan_from(FILE *mountinfo, FILE *own, struct box_jail *b, const char *id,
                                struct err *e);

/* Has the kernel killed somebody in them for want of memory? Asked before they are removed. */
bool cgroup_had_oom(const struct box_jail *b);

#endif
