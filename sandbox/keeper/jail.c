/*
 * jail.c - what the machine is locked into: asked for before the start, written down when
 * carrel-launch has told what came of it.
 */
#include "sandbox/keeper/keeper.h"

#include "sandbox/box_jail.h"
#include "sandbox/engine/cgroup.h"
#include "sandbox/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool has_quota(const struct plan *plan)
{
    return plan->features >> FEATURE_CPU_QUOTA & 1;
}

static uint64_t value_of(const struct profile *p, const char *file)
{
    for (uint32_t i = 0; i < p->ncgroup; i++)
        if (!strcmp(p->cgroup[i].file, file))
            return strtoull(p->cgroup[i].value, NULL, 10);
    return 0;
}

/* An intent first: whoever finds the sandbox without a keeper knows what to remove. */
static int take_cgroups(struct keeper *k, struct err *e)
{
    const struct profile *p = guard_profile(k->guard);
    struct box_jail *b = &k->jail_record;
    int err = cgroup_plan(b, k->cfg.id, e);

    b->memory_max = value_of(p, "memory.max");
    b->pids_max = value_of(p, "pids.max");
    if (!err)
        err = box_save_jail(k->boxfd, BOX_ENGINE, b, e);
    return err ? err : cgroup_make(&k->jail, b, p->cgroup, p->ncgroup, e);
}

/* What the plan says works here must work; what it does not speak of is had where possible. */
void keeper_jail_prepare(struct keeper *k)
{
    const struct plan *plan = guard_plan(k->guard);
    struct err e = ERR_INIT;

    jail_init(&k->jail);
    if (plan->landlock)
        k->jail.level[JAIL_LANDLOCK] = JAIL_REQUIRED;
    if (plan->userns && (geteuid() || !strcmp(k->engine->name, "kvm")))
        k->jail.level[JAIL_USER] = JAIL_REQUIRED;
    if (has_quota(plan))
        k->jail.level[JAIL_CGROUP] = JAIL_REQUIRED;
    /* QEMU as root stays root without capabilities: see qemu.c. */
    if (geteuid() == 0 && !strcmp(k->engine->name, "kvm") &&
        jail_claim_uid(&k->jail, k->cfg.id, &e))
        keeper_log(k, "jail: %s", e.msg); /* the layer "user" will be absent, or refuse */
    if (take_cgroups(k, &e)) {
        keeper_log(k, "jail: %s", e.msg); /* and "cgroup" */
        k->jail_record.ncgroups = 0;
    }
}

void keeper_jail_over(struct keeper *k)
{
    if (!box_sweep_jail(&k->jail_record))
        keeper_log(k, "jail: a cgroup could not be removed");
    k->jail_record.ncgroups = 0;
    jail_fini(&k->jail); /* the uid is free for another */
}

void keeper_jail_fill(struct box_jail *b, const struct jail *asked, const struct engine_run *run)
{
    const struct jail_report *r = &run->jail;

    b->pid = run->pid;
    b->start = proc_start_time(run->pid);
    b->uid = asked->uid && r->outcome[JAIL_USER] == JAIL_APPLIED ? asked->uid : (uint32_t)geteuid();
    b->landlock = r->landlock;
    b->nfiles = run->nfiles;
    memcpy(b->level, asked->level, sizeof(b->level));
    memcpy(b->outcome, r->outcome, sizeof(b->outcome));
    memcpy(b->error, r->error, sizeof(b->error));
    memcpy(b->limit, run->limit, sizeof(b->limit));
    memcpy(b->file, run->file, sizeof(b->file));
    if (!r->refused) /* it refuses to start without */
        b->outcome[JAIL_SECCOMP] = run->filtered ? JAIL_APPLIED : JAIL_NOT_ASKED;
    for (unsigned i = 0; i < BOX_SPACES; i++)
        b->space[i] = box_space_of(run->pid, i);
}

/* Once, when the report is whole. */
void keeper_jail_told(struct keeper *k)
{
    const struct jail_report *r = &k->run.jail;
    struct box_jail *b = &k->jail_record;
    struct err e = ERR_INIT;

    if (k->jail_told || !engine_has_jail(&k->run))
        return;
    k->jail_told = true;
    keeper_jail_fill(b, &k->jail, &k->run);
    b->start = k->state.vmm_start; /* it may be gone already */
    snprintf(b->engine, sizeof(b->engine), "%s", k->engine->name);
    for (unsigned i = 0; i < JAIL_LAYERS; i++)
        if (r->outcome[i] == JAIL_ABSENT)
            keeper_log(k, "jail: without %s: %s", box_layer_name(i), strerror(r->error[i]));
    if (box_save_jail(k->boxfd, BOX_ENGINE, b, &e))
        keeper_log(k, "jail: %s", e.msg);
}
