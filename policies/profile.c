/* profile.c - see profile.h. */
#include "policies/profile.h"

#include "policies/words.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <asm/unistd_64.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* The kernel looks at 32 bits of these arguments, so the filter does too. */
#define LOW32 0xffffffffull

#define NAMESPACES                                                                                \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
     CLONE_NEWNET)

/* ---- system calls ---- */

struct maker {
    struct arena *a;
    struct seccomp_rule *rules;
    uint32_t n;
};

static struct seccomp_rule *rule_of(struct maker *x, uint32_t nr)
{
    struct seccomp_rule *r = arena_push(x->a, (void **)&x->rules, x->n++, sizeof(*x->rules));

    r->nr = nr;
    r->reason = syscall_name(nr);
    return r;
}

static void allow_where(struct maker *x, uint32_t nr, uint8_t index, uint64_t mask, uint64_t value)
{
    struct seccomp_rule *r = rule_of(x, nr);

    r->arg[r->nargs++] = (struct seccomp_arg){ index, mask, value };
}

/*
 * Argument `index` (its low half) is none of these values: each tree of numbers that branches off
 * the way to one of them and holds none, as a prefix.
 */
static void allow_unless(struct maker *x, uint32_t nr, uint8_t index, const uint32_t *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        for (unsigned bit = 32; bit--;) {
            uint32_t side = (v[i] ^ 1u << bit) >> bit;
            bool holds = false;

            for (unsigned k = 0; k < n && !holds; k++)
                holds = v[k] >> bit == side || (k < i && v[k] >> bit == v[i] >> bit);
            if (!holds)
                allow_where(x, nr, index, (LOW32 << bit) & LOW32, (uint64_t)side << bit);
        }
    }
}

static void sockets(struct maker *x)
{
    struct seccomp_rule *r = rule_of(x, __NR_socket);

    /* Interfaces and routes, which name look-ups ask for. */
    r->nargs = 2;
    r->arg[0] = (struct seccomp_arg){ 0, LOW32, AF_NETLINK };
    r->arg[1] = (struct seccomp_arg){ 2, LOW32, NETLINK_ROUTE };
    allow_where(x, __NR_socket, 0, LOW32, AF_UNIX);
    allow_where(x, __NR_socket, 0, LOW32, AF_INET);
    allow_where(x, __NR_socket, 0, LOW32, AF_INET6);
}

static void call_of(struct maker *x, uint32_t nr, const struct bits *calls)
{
    /* Input that the terminal's owner never typed (TIOCSTI), and its cousin of the console. */
    static const uint32_t not_asked[] = { TIOCSTI, TIOCLINUX };
    bool namespaces = bits_has(calls, __NR_unshare);
    bool ring = bits_has(calls, __NR_io_uring_setup);

    if (nr == __NR_ioctl)
        allow_unless(x, nr, 1, not_asked, array_len(not_asked));
    else if (nr == __NR_socket && !ring)
        sockets(x);
    else if (nr == __NR_socketpair && !ring)
        allow_where(x, nr, 0, LOW32, AF_UNIX);
    else if (nr == __NR_clone && !namespaces)
        allow_where(x, nr, 0, NAMESPACES, 0);
    else if (nr != __NR_clone3 || namespaces)
        (void)rule_of(x, nr);
}

void tool_model(struct arena *a, const struct bits *calls, struct seccomp_model *m)
{
    struct maker x = { .a = a };

    for (uint32_t nr = 0; nr < BITS_MAX; nr++)
        if (bits_has(calls, nr))
            call_of(&x, nr, calls);
    /* A C library falls back to clone when it hears that there is no clone3, and only then. */
    if (!bits_has(calls, __NR_clone3) || !bits_has(calls, __NR_unshare))
        rule_of(&x, __NR_clone3)->action = SECCOMP_RET_ERRNO | ENOSYS;
    *m =
        (struct seccomp_model){ SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_KILL_PROCESS, x.rules, x.n };
}

/* ---- Landlock ---- */

/* linux/landlock.h: LANDLOCK_ACCESS_FS_*, in the order in which ABIs learned them. */
#define FS_EXECUTE    (1ull << 0)
#define FS_WRITE_FILE (1ull << 1)
#define FS_READ_FILE  (1ull << 2)
#define FS_READ_DIR   (1ull << 3)
#define FS_TRUNCATE   (1ull << 14)
#define FS_IOCTL_DEV  (1ull << 15)

uint64_t landlock_handled(unsigned abi)
{
    /* ABI 2 added REFER, 3 TRUNCATE, 4 the network (not used here), 5 IOCTL_DEV. */
    static const uint64_t known[LANDLOCK_ABIS + 1] = { 0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff };

    return known[abi < LANDLOCK_ABIS ? abi : LANDLOCK_ABIS];
}

uint64_t landlock_access(bool write)
{
    return write ? landlock_handled(LANDLOCK_ABIS) : FS_EXECUTE | FS_READ_FILE | FS_READ_DIR;
}

uint64_t landlock_of_files(void)
{
    return FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV;
}

/* What every program may touch: without these none runs. They hold nothing. */
static const struct file_tree everybody[] = {
    { "/dev/null", true },   { "/dev/zero", true },    { "/dev/full", true },
    { "/dev/random", true }, { "/dev/urandom", true }, { "/dev/tty", true },
};

/* ---- tools ---- */

static void add_trees(struct profile *f, struct tool_profile *t, const struct texts *paths,
                      bool write)
{
    for (uint32_t i = 0; i < paths->n; i++) {
        struct file_tree *tree =
            arena_push(&f->arena, (void **)&t->trees, t->ntrees++, sizeof(*t->trees));

        *tree = (struct file_tree){ paths->v[i], write };
    }
}

static void tool(struct profile *f, const struct command *c, const struct plan *plan,
                 struct tool_profile *t)
{
    struct bits calls;

    *t = (struct tool_profile){ .id = c->id,
                                .exec = c->exec.path ? c->exec.path : "",
                                .sha256 = c->exec.sha256 ? c->exec.sha256 : "",
                                .shell = c->exec.shell,
                                .brokered = c->broker == BROKER_HOST,
                                .user = c->user,
                                .caps = c->capabilities.w[0],
                                .cpu_s = c->rlimits.cpu / 1000,
                                .as = c->rlimits.as,
                                .fsize = c->rlimits.fsize,
                                .nofile = plan->open_files,
                                .env = c->env.allow,
                                .set = c->env.set,
                                .network = c->network,
                                .spawn = c->spawn };
    add_trees(f, t, &c->paths.ro, false);
    add_trees(f, t, &c->paths.rw, true);
    for (size_t i = 0; i < array_len(everybody); i++)
        *(struct file_tree *)arena_push(&f->arena, (void **)&t->trees, t->ntrees++,
                                        sizeof(*t->trees)) = everybody[i];
    syscall_base(c->syscalls.base, &calls);
    for (unsigned i = 0; i < BITS_MAX / 64; i++)
        calls.w[i] = (calls.w[i] | c->syscalls.add.w[i]) & ~c->syscalls.remove.w[i];
    tool_model(&f->arena, &calls, &t->model);
}

/* ---- the sandbox on the host ---- */

#define MIB        (1ull << 20)
#define CPU_PERIOD 100000u    /* microseconds: the kernel's own default */
#define OVERHEAD   (64 * MIB) /* of a monitor and of the kernel's tables for its guest, and … */
#define QEMU_MORE  (512 * MIB)
#define QEMU_TASKS 32u

static void limit(struct profile *f, uint8_t version, const char *file, const char *value)
{
    struct cgroup_value *v =
        arena_push(&f->arena, (void **)&f->cgroup, f->ncgroup++, sizeof(*f->cgroup));

    *v = (struct cgroup_value){ version, file, value };
}

/* What the machine's cgroup is told, in this order. */
static void cgroup(struct profile *f, const struct plan *plan)
{
    const bool qemu = strcmp(plan->engine, "kvm") != 0;
    /* A quota is of all threads; where there is none the one that serves the devices has its own.
     */
    const uint64_t percent =
        plan->features >> FEATURE_CPU_QUOTA & 1 ? plan->cpu_percent : (plan->vcpus + 1) * 100;
    const uint64_t quota = percent * CPU_PERIOD / 100;
    const uint64_t memory = plan->memory + plan->memory / 32 + OVERHEAD + (qemu ? QEMU_MORE : 0);
    const char *bytes = arena_printf(&f->arena, "%" PRIu64, memory);
    const char *pids =
        arena_printf(&f->arena, "%" PRIu64, VMM_THREADS(plan->vcpus) + (qemu ? QEMU_TASKS : 0));

    limit(f, 2, "memory.max", bytes);
    limit(f, 2, "memory.swap.max", arena_printf(&f->arena, "%" PRIu64, plan->swap));
    limit(f, 2, "memory.oom.group", "1");
    limit(f, 2, "cpu.max", arena_printf(&f->arena, "%" PRIu64 " %u", quota, CPU_PERIOD));
    limit(f, 2, "pids.max", pids);
    limit(f, 1, "memory.limit_in_bytes", bytes);
    limit(f, 1, "memory.memsw.limit_in_bytes", /* at least the one of memory */
          arena_printf(&f->arena, "%" PRIu64, memory + plan->swap));
    limit(f, 1, "cpu.cfs_period_us", arena_printf(&f->arena, "%u", CPU_PERIOD));
    limit(f, 1, "cpu.cfs_quota_us", arena_printf(&f->arena, "%" PRIu64, quota));
    limit(f, 1, "pids.max", pids);
}

static void node(struct profile *f, const char *path)
{
    *(const char **)arena_push(&f->arena, (void **)&f->nodes.v, f->nodes.n++, sizeof(*f->nodes.v)) =
        path;
}

static void devices(struct profile *f, const struct policy *p, const struct plan *plan)
{
    bool vfio = false;

    if (strcmp(plan->engine, "kvm") == 0)
        node(f, "/dev/kvm");
    for (uint32_t i = 0; i < p->accelerators.n; i++) {
        const struct accelerator *a = p->accelerators.v[i];
        struct device_profile *d;

        if (a->attach == ATTACH_MODEL)
            continue; /* no device: an endpoint */
        d = arena_push(&f->arena, (void **)&f->devices, f->ndevices++, sizeof(*f->devices));
        *d = (struct device_profile){ .id = a->id,
                                      .attach = a->attach,
                                      .vendor = a->match.vendor,
                                      .class = a->match.class,
                                      .ids = a->match.ids,
                                      .count = a->count,
                                      .exclusive = a->iommu.exclusive_group,
                                      .remapped = a->iommu.interrupt_remapping,
                                      .reset = a->reset.methods,
                                      .between = a->reset.between_tenants };
        class_range(a->match.class, &d->class_lo, &d->class_hi);
        vfio |= a->attach == ATTACH_PASSTHROUGH;
    }
    if (vfio)
        node(f, "/dev/vfio/vfio");
}

static void processes(struct profile *f, const struct plan *plan)
{
    f->nprocesses = process_count();
    f->processes = arena_get(&f->arena, f->nprocesses * sizeof(*f->processes));
    for (unsigned i = 0; i < f->nprocesses; i++)
        f->processes[i] =
            (struct process_profile){ .name = process_at(i)->name, .uses = process_uses(plan) };
}

struct plan *profile_plan(const struct policy *p, const char *engine, struct problems *ps)
{
    const struct host_facts everything = { .engine = engine,
                                           .features = (1ull << FEATURES) - 1,
                                           .landlock = true,
                                           .seccomp = true,
                                           .userns = true,
                                           .core_sched = true,
                                           .interrupt_remapping = true,
                                           .cpus = UINT32_MAX,
                                           .memory = UINT64_MAX };
    struct arena a = ARENA_INIT;
    struct pair *vars = NULL;
    uint32_t n = 0;

    for (uint32_t i = 0; i < p->storage.mounts.n; i++) {
        const char *source = ((const struct mount *)p->storage.mounts.v[i])->source;
        size_t len = strncmp(source, "${", 2) == 0 ? strcspn(source, "}") : 0;
        struct pair *v;

        if (!len)
            continue;
        v = arena_push(&a, (void **)&vars, n++, sizeof(*vars));
        v->key = arena_copy(&a, source + 2, len - 2);
        v->value = arena_printf(&a, "/${%s}", v->key);
    }

    const struct plan_request r = { .vars = vars, .nvars = n };
    struct plan *plan = plan_make(p, &r, &everything, ps);

    arena_fini(&a);
    return plan;
}

struct profile *profile_make(const struct policy *p, const struct plan *plan)
{
    struct profile *f = calloc(1, sizeof(*f));
    struct text json = TEXT_INIT;

    if (!f)
        abort();
    plan_json(plan, &json);
    f->policy = plan->policy;
    f->policy_hash = arena_printf(&f->arena, "%s", plan->policy_hash);
    f->engine = plan->engine;
    f->plan = arena_copy(&f->arena, text_str(&json), json.len);
    text_fini(&json);
    cgroup(f, plan);
    devices(f, p, plan);
    processes(f, plan);
    f->ntools = p->tools.commands.n;
    f->tools = arena_get(&f->arena, (f->ntools + 1) * sizeof(*f->tools));
    for (uint32_t i = 0; i < f->ntools; i++)
        tool(f, p->tools.commands.v[i], plan, &f->tools[i]);
    return f;
}

const struct tool_profile *profile_tool(const struct profile *f, const char *id)
{
    for (uint32_t i = 0; i < f->ntools; i++)
        if (strcmp(f->tools[i].id, id) == 0)
            return &f->tools[i];
    return NULL;
}

void profile_free(struct profile *f)
{
    if (!f)
        return;
    arena_fini(&f->arena);
    free(f);
}
