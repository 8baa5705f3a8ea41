#include "policies/plan.h"

#include "base/files.h"
#include "policies/canon.h"
#include "policies/decide.h"
#include "policies/features.h"
#include "policies/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct planner {
    const struct policy *p;
    const struct ruleset *rs;
    const struct plan_request *r;
    const struct host_facts *h;
    struct problems *ps;
    struct plan *out;
    bool failed;
};

static void refuse(struct planner *x, struct spot at, const char *text)
{
    x->failed = true;
    problem_add(x->ps, PROBLEM_ERROR, "plan", x->p->files[at.file], at.line, at.col, "%s", text);
}

static void note(struct planner *x, const char *text)
{
    struct plan *o = x->out;

    *(const char **)arena_push(&o->arena, (void **)&o->notes, o->nnotes, sizeof(*o->notes)) = text;
    o->nnotes++;
}

/* A plan outlives the policy it was made from, which may be replaced while it is carried out. */
static const char *own(struct plan *o, const char *s)
{
    return s ? arena_copy(&o->arena, s, strlen(s)) : NULL;
}

static struct spot place_of(const struct object *o, const struct table *t, const char *key)
{
    int i = field_index(t, key);

    return i >= 0 && object_has(o, (uint32_t)i) ? o->at[i] : o->spot;
}

/* A number asked for at start: what the policy allows is asked of decide, like everything else. */
static uint64_t asked(struct planner *x, const char *field, uint64_t wanted, uint64_t from_policy)
{
    struct request q;
    struct decision d;

    if (!wanted)
        return from_policy;
    request_init(&q, SPACE_RESOURCE);
    request_text(&q, RESOURCE_FIELD, field);
    request_number(&q, RESOURCE_VALUE, wanted);
    d = decide(x->rs, &q);
    if (!d.allowed) {
        struct text t = TEXT_INIT;
        const struct field *f = field_by_path(field);

        text_add(&t, "%s ", field);
        field_print_number(f, wanted, &t);
        text_add(&t, " was asked for, the policy allows ");
        field_print_number(f, from_policy, &t);
        refuse(x, d.rule ? d.rule->spot : x->p->o.spot, text_str(&t));
        text_fini(&t);
    }
    return wanted;
}

static void machine(struct planner *x)
{
    const struct policy *p = x->p;
    struct plan *o = x->out;
    char buf[160];

    o->vcpus = asked(x, "cpu.vcpus", x->r->vcpus, p->cpu.vcpus);
    if (o->vcpus > x->h->cpus)
        note(x, "more virtual CPUs than the host has CPUs");
    o->cpu_percent = p->cpu.quota < o->vcpus * 100 ? p->cpu.quota : o->vcpus * 100;
    o->nested = p->cpu.nested;
    o->memory = asked(x, "memory.max", x->r->memory, p->memory.max);
    if (o->memory % (1u << 20))
        o->memory -= o->memory % (1u << 20);
    if (o->memory > x->h->memory) {
        snprintf(buf, sizeof(buf),
                 "memory: %" PRIu64 " MiB do not fit: the host has %" PRIu64 " MiB to give",
                 o->memory >> 20, x->h->memory >> 20);
        refuse(x, place_of(&p->memory.o, table_by_path("memory"), "max"), buf);
    }
    o->swap = p->memory.swap;
    o->hugepages = p->memory.hugepages;
    o->balloon = p->memory.balloon;
    if (o->balloon &&
        !object_has(&p->memory.o, (uint32_t)field_index(table_by_path("memory"), "balloon"))) {
        const char *why = o->hugepages                               ? "huge pages are reserved"
                          : !(x->h->features >> FEATURE_BALLOON & 1) ? "this engine has none"
                          : features_of(p) >> FEATURE_VFIO & 1       ? "a device is passed through"
                                                                     : NULL;

        if (why) {
            o->balloon = false;
            note(x, arena_printf(&o->arena, "no balloon: %s", why));
        }
    }
    o->wall_ms = asked(x, "limits.wall", x->r->wall_ms, p->limits.wall);
    o->idle_ms = asked(x, "limits.idle", x->r->idle_ms, p->limits.idle);
    o->pids = p->limits.pids;
    o->open_files = p->limits.open_files;
    o->console = p->limits.console;
    o->budget_cpu_ms = p->budget.cpu;
    o->budget_egress = p->budget.egress;
    o->budget_tool_calls = p->budget.tool_calls;
    o->budget_forks = p->budget.forks;
    o->budget_tokens = p->budget.tokens;
}

static bool layer(struct planner *x, const char *key, uint64_t level, bool have)
{
    char buf[160];

    if (level == REQUIRE_REQUIRED && !have) {
        snprintf(buf, sizeof(buf), "require.%s: this host does not have it", key);
        refuse(x, place_of(&x->p->require.o, table_by_path("require"), key), buf);
    }
    if (level == REQUIRE_PREFERRED && !have)
        note(x, arena_printf(&x->out->arena, "without %s: this host does not have it", key));
    return have && level != REQUIRE_OFF;
}

static void confinement(struct planner *x)
{
    const struct policy_require *r = &x->p->require;

    x->out->landlock = layer(x, "landlock", r->landlock, x->h->landlock);
    x->out->seccomp = layer(x, "seccomp", r->seccomp, x->h->seccomp);
    x->out->userns = layer(x, "userns", r->userns, x->h->userns);
    x->out->core_sched = layer(x, "core_sched", r->core_sched, x->h->core_sched);
}

/* What carrel-init gives to no command (guest/profile.c): it reaches around the guest's kernel. */
static void commands(struct planner *x)
{
    static const char *const never[] = { "cap_sys_module", "cap_sys_rawio", "cap_sys_ptrace",
                                         "cap_sys_boot",   "cap_mknod",     "cap_bpf",
                                         "cap_perfmon" };
    unsigned number[array_len(never)];

    for (size_t k = 0; k < array_len(never); k++)
        number[k] = (unsigned)capability_number(never[k]);
    for (uint32_t i = 0; i < x->p->tools.commands.n; i++) {
        const struct command *c = x->p->tools.commands.v[i];

        for (size_t k = 0; k < array_len(never); k++)
            if (bits_has(&c->capabilities, number[k]))
                refuse(x, c->o.spot,
                       arena_printf(&x->out->arena,
                                    "tools/commands/%s: no command in a guest ever gets %s", c->id,
                                    never[k]));
    }
}

static void image(struct planner *x)
{
    const struct policy_image *m = &x->p->image;
    struct plan *o = x->out;
    struct request q;
    struct decision d;

    o->image = own(o, x->r->image ? x->r->image : m->name);
    o->image_sha256 = own(o, x->r->image_sha256 ? x->r->image_sha256 : m->sha256);
    o->kernel_sha256 = own(o, x->r->kernel_sha256 ? x->r->kernel_sha256 : m->kernel.sha256);
    o->verity = m->verity;
    request_init(&q, SPACE_IMAGE);
    request_text(&q, IMAGE_NAME, o->image);
    request_text(&q, IMAGE_SHA256, o->image_sha256);
    request_text(&q, IMAGE_KERNEL, o->kernel_sha256);
    request_number(&q, IMAGE_VERITY, m->verity);
    d = decide(x->rs, &q);
    if (!d.allowed) {
        struct text t = TEXT_INIT;

        text_add(&t, "image: ");
        decision_print(x->rs, &q, &d, &t);
        refuse(x, d.rule ? d.rule->spot : m->o.spot, text_str(&t));
        text_fini(&t);
    }
}

/* ${name}/rest becomes the caller's directory; the rest is canonical already. */
const char *plan_source(struct arena *a, const struct mount *m, const struct pair *vars,
                        uint32_t nvars)
{
    size_t n = strncmp(m->source, "${", 2) == 0 ? strcspn(m->source, "}") : 0;

    if (!n)
        return m->source;
    for (uint32_t i = 0; i < nvars; i++) {
        const struct pair *v = &vars[i];
        const char *rest = m->source + n + 1;

        if (strlen(v->key) != n - 2 || strncmp(v->key, m->source + 2, n - 2) != 0)
            continue;
        if (!path_is_canonical(v->value, strlen(v->value)))
            break;
        if (strcmp(v->value, "/") == 0)
            return *rest ? rest : "/";
        return arena_printf(a, "%s%s", v->value, rest);
    }
    return NULL;
}

static const char *resolve(struct planner *x, const struct mount *m)
{
    const char *source = plan_source(&x->out->arena, m, x->r->vars, x->r->nvars);

    if (source)
        return source;
    refuse(x, m->o.spot,
           arena_printf(&x->out->arena,
                        "storage/%s: source: %.*s} is not a directory that the caller gave", m->id,
                        (int)strcspn(m->source, "}"), m->source));
    return m->source;
}

static struct plan_mount *mount_new(struct plan *o)
{
    return arena_push(&o->arena, (void **)&o->mounts, o->nmounts++, sizeof(*o->mounts));
}

/* What a live mount cannot do, whatever the engine. */
static void live(struct planner *x, const struct mount *m, unsigned *n)
{
    static const char *const why[] = {
        "at most 6 mounts can be live",
        "share: live writes to the host at once, and export.mode is none",
        "share: live writes to the host at once, and export.review wants it looked at",
        "share: live makes no device and no setuid file, whatever links says",
        "share: live: the id begins with a dot",
    };
    const bool rw = m->access == ACCESS_RW;
    const bool is[] = { ++*n > FILES_MOUNTS_MAX, rw && m->export.mode == EXPORT_NONE,
                        rw && m->export.review, m->links.device || m->links.setuid,
                        m->id[0] == '.' };

    for (size_t i = 0; i < array_len(is); i++)
        if (is[i])
            refuse(x, m->o.spot, arena_printf(&x->out->arena, "storage/%s: %s", m->id, why[i]));
}

static void storage(struct planner *x)
{
    const struct policy_storage *s = &x->p->storage;
    struct plan *o = x->out;
    unsigned nlive = 0;

    o->root = s->root.mode;
    o->root_bytes = s->root.quota.bytes;
    o->root_inodes = s->root.quota.inodes;
    o->disk = asked(x, "storage.root.quota.bytes", x->r->disk, 0);
    if (o->disk && s->root.mode == ROOT_READ_ONLY)
        refuse(x, s->root.o.spot, "a disk was asked for, the policy has the root read-only");
    o->on_full = s->on_full;
    for (uint32_t i = 0; i < s->mounts.n; i++) {
        const struct mount *m = s->mounts.v[i];

        if (m->share == SHARE_LIVE && m->access != ACCESS_NONE)
            live(x, m, &nlive);
        *mount_new(o) = (struct plan_mount){ .id = own(o, m->id),
                                             .source = own(o, resolve(x, m)),
                                             .target = own(o, m->target),
                                             .access = m->access,
                                             .share = m->share,
                                             .bytes = m->quota.bytes,
                                             .inodes = m->quota.inodes };
    }
    for (uint32_t i = 0; i < s->memory.n; i++) {
        const struct memory_volume *m = s->memory.v[i];

        *mount_new(o) = (struct plan_mount){ .id = own(o, m->id),
                                             .target = own(o, m->target),
                                             .access = m->access,
                                             .bytes = m->quota,
                                             .keep = m->keep,
                                             .retain_ms = m->retain,
                                             .volume = true };
    }
}

static void rest(struct planner *x)
{
    const struct policy *p = x->p;
    struct plan *o = x->out;

    o->mode = p->mode;
    o->save = p->snapshot.save && x->r->save;
    o->restore = p->snapshot.restore && x->r->restore;
    o->reseed = p->snapshot.reseed != REQUIRE_OFF;
    o->snapshot_max_age_ms = p->snapshot.max_age;
    o->commands = p->tools.commands.n;
    o->host_tools = p->tools.host.n;
    o->mcp_servers = p->tools.mcp.n;
    o->net_rules = p->network.allow.n;
    o->net_denials = p->network.deny.n;
    o->publish = p->network.publish.n;
    o->secrets = p->secrets.n;
    o->models = p->models.n;
    for (uint32_t i = 0; i < p->accelerators.n; i++) {
        const struct accelerator *a = p->accelerators.v[i];

        o->devices += (uint32_t)(a->attach == ATTACH_MODEL ? 0 : a->count);
    }
    o->audit_level = p->audit.level;
    o->audit_checkpoint_ms = p->audit.checkpoint;
    o->audit_on_fail = p->audit.on_fail;
    o->audit_retain_ms = p->audit.retain;
    if (x->r->save && !p->snapshot.save)
        refuse(x, p->snapshot.o.spot,
               "saving was asked for, the policy does not allow it (snapshot.save)");
    if (x->r->restore && !p->snapshot.restore)
        refuse(x, p->snapshot.o.spot,
               "restoring was asked for, the policy does not allow it (snapshot.restore)");
    if (x->r->fork && !p->budget.forks)
        refuse(x, p->budget.o.spot, "forking was asked for, the policy allows none (budget.forks)");
}

struct plan *plan_make(const struct policy *p, const struct plan_request *r,
                       const struct host_facts *h, struct problems *ps)
{
    struct plan *o = calloc(1, sizeof(*o));

    if (!o)
        abort();

    struct ruleset *rs = ruleset_machine(p);
    struct planner x = { p, rs, r, h, ps, o, false };

    policy_hash(p, o->policy_hash);
    o->policy = own(o, p->name);
    o->engine = h->engine;
    machine(&x);
    confinement(&x);
    commands(&x);
    image(&x);
    storage(&x);
    rest(&x);
    o->features = features_of(p);
    if (!o->balloon)
        o->features &= ~(1ull << FEATURE_BALLOON);
    if (o->cpu_percent >= o->vcpus * 100)
        o->features &= ~(1ull << FEATURE_CPU_QUOTA);
    x.failed = !features_check(p, o->features, h, ps) || x.failed;
    ruleset_free(rs);
    if (!x.failed)
        return o;
    plan_free(o);
    return NULL;
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    arena_fini(&plan->arena);
    free(plan);
}
