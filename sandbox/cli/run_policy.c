/* run_policy.c - see run_policy.h. */
#include "sandbox/cli/run_policy.h"

#include "sandbox/cli/policy_force.h"

#include "base/fd.h"
#include "policies/words.h"
#include "sandbox/cli/box.h"
#include "sandbox/cli/size.h"
#include "sandbox/engine/cgroup.h"
#include "sandbox/engine/engine.h"
#include "sandbox/guard/facts.h"
#include "sandbox/guard/family.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_POLICY "locked"

/* What options say about the machine, by the key that holds the same in a policy. Nobody above
 * imposed `locked` on who did not ask for a policy: there the options change it. In a policy that
 * was asked for they must fit. */
static int amend(struct cli *c, struct dossier *d, const struct box_config *cfg, bool own,
                 struct err *e)
{
    char value[32];
    size_t at = 0;
    const char *host;
    int err = 0;

    if (own && args_has(c->args, OPT_MEMORY)) {
        snprintf(value, sizeof(value), "%" PRIu64 "B", cfg->mem_bytes);
        err = dossier_amend(d, "memory.max", value, e);
    }
    if (!err && own && args_has(c->args, OPT_CPUS)) {
        snprintf(value, sizeof(value), "%u", cfg->vcpus);
        err = dossier_amend(d, "cpu.vcpus", value, e);
        snprintf(value, sizeof(value), "%u%%", cfg->vcpus * 100);
        if (!err)
            err = dossier_amend(d, "cpu.quota", value, e);
    }
    if (!err && own && cfg->disk_bytes) {
        snprintf(value, sizeof(value), "%" PRIu64 "B", cfg->disk_bytes);
        err = dossier_amend(d, "storage.root.quota.bytes", value, e);
    }
    while (!err && (host = args_next(c->args, OPT_ALLOW, &at)))
        err = dossier_amend(d, "allow", host, e);
    return err;
}

/* The times of a sandbox, by option; the policy's where none was given. */
static int asked_times(struct cli *c, struct dossier *d, struct plan_request *r, bool own,
                       struct err *e)
{
    static const struct {
        enum opt_id id;
        const char *key;
    } times[] = { { OPT_WALL, "limits.wall" }, { OPT_IDLE, "limits.idle" } };

    for (size_t i = 0; i < array_len(times); i++) {
        const char *text = args_text(c->args, times[i].id);
        char value[32];
        uint32_t ms = 0;

        if (!text)
            continue;
        if (duration_parse(text, &ms) || ms < 1000)
            return err_set(e, EINVAL,
                           "--%s: not a time of at least a second: \"%s\" (like 30s, 5m)",
                           opt_by_id(times[i].id)->name, text);
        snprintf(value, sizeof(value), "%ums", ms);
        if (own && dossier_amend(d, times[i].key, value, e))
            return -e->code;
        *(times[i].id == OPT_WALL ? &r->wall_ms : &r->idle_ms) = ms;
    }
    return 0;
}

static int no(struct cli *c, const struct problems *ps, const char *name, struct err *e)
{
    struct text t = TEXT_INIT;

    cli_progress_end(c);
    if (!c->json) {
        problems_print(ps, &t);
        fputs(text_str(&t), stderr);
        text_fini(&t);
    }
    return err_set(e, EACCES, "the policy %s does not let this start: %s", name,
                   ps->n ? ps->v[0].text : "it is not sound");
}

/* What was named: a policy, or a sandbox whose policy is meant. */
static int load(struct cli *c, struct run_policy *rp, const char *name, char hint[HINT_MAX],
                struct err *e)
{
    const char *parent = args_text(c->args, OPT_ON_BEHALF);
    struct policy_source *s = &rp->source;
    int err;

    if (!parent)
        return policy_source_load(s, name ? name : DEFAULT_POLICY, hint, e);

    struct store *store = store_open(e);
    struct box b = { .fd = -1 };
    struct dossier d = { 0 };

    err = store ? box_open(&b, store, parent, hint, e) : -e->code;
    if (!err)
        err = dossier_load(&d, b.fd, DOSSIER_FILE, e);
    if (!err && name)
        err = policy_source_load(s, name, hint, e);
    else if (!err)
        err = policy_source_adopt(s, &d);
    for (unsigned i = 0; i < d.nancestors && !err; i++)
        err = dossier_ancestor(&s->dossier, d.ancestor[i], e);
    if (!err)
        err = dossier_ancestor(&s->dossier, b.id, e);
    if (!err && s->policy)
        rp->parent = fd_steal(&b.fd);
    snprintf(rp->parent_name, sizeof(rp->parent_name), "%s", b.config.name);
    dossier_fini(&d);
    box_fini(&b);
    store_close(store);
    return err;
}

static bool is_root(const char *user)
{
    return strcmp(user, "root") == 0 || strcmp(user, "0") == 0;
}

/* What an image says for want of anything better, root and "/", gives way to what the policy is
 * about: the keeper then takes the user of its rule, and the first mount. */
static void prefer_policy(struct cli *c, const struct policy *p, struct box_config *cfg)
{
    bool rooted = p->tools.commands.n == 0;

    for (uint32_t i = 0; i < p->tools.commands.n; i++)
        rooted = rooted || ((const struct command *)p->tools.commands.v[i])->user == 0;
    if (!args_has(c->args, OPT_USER) && cfg->user && is_root(cfg->user) && !rooted) {
        free(cfg->user);
        cfg->user = NULL;
    }
    if (!args_has(c->args, OPT_WORKDIR) && cfg->cwd && strcmp(cfg->cwd, "/") == 0 &&
        p->storage.mounts.n) {
        free(cfg->cwd);
        cfg->cwd = NULL;
    }
}

int run_policy_make(struct cli *c, struct run_policy *rp, struct box_config *cfg,
                    char hint[HINT_MAX], struct err *e)
{
    const char *name = args_text(c->args, OPT_POLICY);
    struct dossier *d = &rp->source.dossier;
    struct plan_request r = { .image = cfg->image };
    char why[240], cwd[4096];
    struct pair here = { "cwd", cwd };
    const struct engine *engine;
    struct box_jail leaf;
    bool own = !name && !args_has(c->args, OPT_ON_BEHALF);
    int err;

    rp->parent = -1;
    err = load(c, rp, name, hint, e);
    if (err)
        return err;
    if (!name)
        name = own ? DEFAULT_POLICY : rp->parent_name;
    if (!rp->source.policy)
        return no(c, &rp->source.problems, name, e);
    err = amend(c, d, cfg, own, e);
    if (!err)
        err = asked_times(c, d, &r, own, e);
    if (err)
        return err;
    err = policy_in_force(c, &rp->source, e);
    if (err)
        return rp->source.problems.errors ? no(c, &rp->source.problems, name, e) : err;
    if (rp->parent >= 0 && family_within(rp->source.policy, rp->parent, rp->parent_name, time(NULL),
                                         NULL, &rp->source.problems, e))
        return -e->code;
    if (getcwd(cwd, sizeof(cwd))) {
        d->cwd = strdup(cwd);
        r.vars = &here;
        r.nvars = 1;
    }
    r.memory = args_has(c->args, OPT_MEMORY) ? cfg->mem_bytes : 0;
    r.vcpus = args_has(c->args, OPT_CPUS) ? cfg->vcpus : 0;
    r.disk = cfg->disk_bytes;
    engine = engine_choose(cfg->engine, why, hint, e);
    if (!engine)
        return -e->code;
    hint[0] = '\0';

    const struct host_facts facts = facts_of(engine->name, cgroup_plan(&leaf, "plan", NULL) == 0);

    rp->plan = plan_make(rp->source.policy, &r, &facts, &rp->source.problems);
    if (!rp->plan) {
        snprintf(hint, HINT_MAX, "carrel policy show %s", name);
        return no(c, &rp->source.problems, name, e);
    }
    prefer_policy(c, rp->source.policy, cfg);
    cfg->mem_bytes = rp->plan->memory;
    cfg->vcpus = (uint32_t)rp->plan->vcpus;
    cfg->wall_ms = rp->plan->wall_ms;
    cfg->idle_ms = rp->plan->idle_ms;
    cfg->policy = strdup(rp->source.policy->name);
    memcpy(cfg->policy_hash, d->hash, sizeof(cfg->policy_hash));
    return cfg->policy ? 0 : err_set(e, ENOMEM, "out of memory");
}

bool run_policy_has_memory(const struct run_policy *rp)
{
    const struct list *all = &rp->source.policy->storage.memory;

    for (uint32_t i = 0; i < all->n; i++)
        if (((const struct memory_volume *)all->v[i])->access >= MEMORY_APPEND)
            return true;
    return false;
}

bool run_policy_has_workspace(const struct run_policy *rp)
{
    const struct list *mounts = &rp->source.policy->storage.mounts;

    for (uint32_t i = 0; i < mounts->n; i++) {
        const struct mount *m = mounts->v[i];

        if (m->access == ACCESS_RW && m->share == SHARE_COPY && m->export.mode != EXPORT_NONE)
            return true;
    }
    return false;
}

int run_policy_save(const struct run_policy *rp, int boxfd, bool durable, struct err *e)
{
    return dossier_save(&rp->source.dossier, boxfd, DOSSIER_FILE, durable, e);
}

int run_policy_print(struct cli *c, const struct run_policy *rp)
{
    struct text t = TEXT_INIT;

    if (c->json)
        plan_json(rp->plan, &t);
    else
        plan_print(rp->plan, &t);
    fputs(text_str(&t), stdout);
    if (t.len && t.p[t.len - 1] != '\n')
        putchar('\n');
    text_fini(&t);
    return cli_finish(c);
}

void run_policy_fini(struct run_policy *rp)
{
    plan_free(rp->plan);
    fd_closep(&rp->parent);
    policy_source_fini(&rp->source);
}
