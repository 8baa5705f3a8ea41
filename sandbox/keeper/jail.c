/*
 * jail.c - what the machine is locked into: asked for before the start, written down when
 * carrel-launch has told what came of it.
 */
#include "sandbox/keeper/keeper.h"

#include "sandbox/box_jail.h"
#include "sandbox/proc.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the plan says works here must work; what it does not speak of is had where possible. */
void keeper_jail_prepare(struct keeper *k)
{
    const struct plan *plan = guard_plan(k->guard);
    struct err e = ERR_INIT;

    jail_init(&k->jail);
    if (plan->landlock)
        k->jail.level[JAIL_LANDLOCK] = JAIL_REQUIRED;
    if (plan->userns)
        k->jail.level[JAIL_USER] = JAIL_REQUIRED;
    if (geteuid() == 0 && jail_claim_uid(&k->jail, k->cfg.id, &e))
        keeper_log(k, "jail: %s", e.msg); /* the layer "user" will be absent, or refuse */
}

/* Once, when the report is whole. */
void keeper_jail_told(struct keeper *k)
{
    const struct jail_report *r = &k->run.jail;
    struct box_jail b = { .pid = k->run.pid,
                          .start = k->state.vmm_start,
                          .uid = k->jail.uid && r->outcome[JAIL_USER] == JAIL_APPLIED ? k->jail.uid
                                                                                      : geteuid(),
                          .landlock = r->landlock,
                          .nfiles = k->run.nfiles };
    struct err e = ERR_INIT;

    if (k->jail_told || !engine_has_jail(&k->run))
        return;
    k->jail_told = true;
    snprintf(b.engine, sizeof(b.engine), "%s", k->engine->name);
    memcpy(b.level, k->jail.level, sizeof(b.level));
    memcpy(b.outcome, r->outcome, sizeof(b.outcome));
    memcpy(b.error, r->error, sizeof(b.error));
    memcpy(b.limit, k->run.limit, sizeof(b.limit));
    memcpy(b.file, k->run.file, sizeof(b.file));
    if (!r->refused) /* it refuses to start without */
        b.outcome[JAIL_SECCOMP] = k->run.filtered ? JAIL_APPLIED : JAIL_NOT_ASKED;
    for (unsigned i = 0; i < BOX_SPACES; i++)
        b.space[i] = box_space_of(k->run.pid, i);
    for (unsigned i = 0; i < JAIL_LAYERS; i++)
        if (r->outcome[i] == JAIL_ABSENT)
            keeper_log(k, "jail: without %s: %s", jail_layer_name(i), strerror(r->error[i]));
    if (box_save_jail(k->boxfd, &b, &e))
        keeper_log(k, "jail: %s", e.msg);
}
