/*
 * jail_personas.c - the jail as the long-term kernels of six years would build it (h15).
 *
 * A filter round the keeper's code, carrel-launch and the machine answers as an older kernel does:
 * calls that came later do not exist, flags that came later are refused, and
 * landlock_create_ruleset is judged by a supervisor that knows what each version of Landlock
 * accepts. Each persona meets cgroups of version 1 and of version 2. Whatever is there, what the
 * report says, what attest reads from the host and what the process can really do are the same
 * thing; what is required refuses.
 */
#include "tests/payload/cell.h"

#include "base/fd.h"
#include "sandbox/attest.h"
#include "sandbox/engine/cgroup.h"
#include "sandbox/proc.h"
#include "tests/payload/attack.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cmocka.h>

#define OUT8(port, value) "mov $" #port ",%dx\n mov $" #value ",%al\n out %al,%dx\n"

/* A guest that says one line and stays. */
PAYLOAD(stays, 32, OUT8(0x3f8, '\n') "1: hlt\n jmp 1b");

/* Numbers of newer kernels, which older headers lack: arch/x86/entry/syscalls/syscall_64.tbl. */
enum {
    LAST_5_10 = 440,
    LAST_5_15 = 448,
    LAST_6_1 = 450,
    LAST_6_6 = 453,
    LAST_6_12 = 462,
    LAST_6_18 = 469
};

static const struct persona {
    const char *name;
    unsigned last;      /* the highest number of a system call (but uretprobe, 335, of 6.11) */
    unsigned landlock;  /* Documentation/userspace-api/landlock.rst: ABI; 0: none */
    bool exec_seals;    /* memfd_create(2): MFD_NOEXEC_SEAL, MFD_EXEC, since 6.3 */
    int landlock_error; /* how it is that there is none */
} personas[] = {
    { "5.10", LAST_5_10, 0, false, ENOSYS },
    { "5.15", LAST_5_15, 1, false, 0 },
    { "6.1", LAST_6_1, 2, false, 0 },
    { "6.1, Landlock not among lsm=", LAST_6_1, 0, false, EOPNOTSUPP },
    { "6.6", LAST_6_6, 3, true, 0 },
    { "6.12", LAST_6_12, 6, true, 0 },
    { "6.18", LAST_6_18, 7, true, 0 },
};

/* ---- what Landlock of a version accepts ---- */

#define QUERY_VERSION 1u /* LANDLOCK_CREATE_RULESET_VERSION */

struct asked {
    uint64_t fs, net, scoped;
};

/* Of file rights: 13 with ABI 1, then REFER, TRUNCATE and, with ABI 5, IOCTL_DEV. */
static struct asked all_rights(unsigned abi)
{
    unsigned fs = abi >= 5 ? 16 : abi >= 3 ? 15 : abi >= 2 ? 14 : 13;

    return (struct asked){ (1ull << fs) - 1, abi >= 4 ? 3 : 0, abi >= 6 ? 3 : 0 };
}

/* 0, or the errno: struct landlock_ruleset_attr grew by a word with ABI 4 and with ABI 6. */
static int judge_ruleset(const struct asked *a, size_t size, unsigned abi)
{
    const struct asked all = all_rights(abi);
    size_t known = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;

    if (size < 8)
        return EINVAL;
    if ((size > 8 && known <= 8 && a->net) || (size > 16 && known <= 16 && a->scoped))
        return E2BIG;
    return a->fs & ~all.fs || a->net & ~all.net || a->scoped & ~all.scoped ? EINVAL : 0;
}

struct supervisor {
    const struct persona *p;
    int ready[2]; /* a pipe: the listener's number comes here */
    struct asked last;
    unsigned rulesets;
};

static struct supervisor super;

static void answer(int listener, const struct seccomp_notif *n)
{
    struct seccomp_notif_resp r = { .id = n->id };
    char path[64];

    if (n->data.args[2] == QUERY_VERSION) {
        r.val = super.p->landlock;
    } else if (n->data.args[2]) {
        r.error = -EINVAL;
    } else {
        struct asked a = { 0, 0, 0 };
        size_t size = n->data.args[1], room = size < sizeof(a) ? size : sizeof(a);

        snprintf(path, sizeof(path), "/proc/%u/mem", n->pid);

        auto_fd int mem = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t got = mem < 0 ? -1 : pread(mem, &a, room, (off_t)n->data.args[0]);

        r.error = got == (ssize_t)room ? -judge_ruleset(&a, size, super.p->landlock) : -EFAULT;
        r.flags = r.error ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        super.last = a;
        __atomic_add_fetch(&super.rulesets, 1, __ATOMIC_SEQ_CST);
    }
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

/* Began before the filter: it is under the host's own kernel. */
static void *supervise(void *none)
{
    int listener;

    if (read(super.ready[0], &listener, sizeof(listener)) != sizeof(listener))
        return none;
    for (;;) {
        struct seccomp_notif n = { 0 };

        if (!ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n))
            answer(listener, &n);
        else if (errno != EINTR && errno != ENOENT)
            return none;
    }
}

/* For this thread and all that it starts, from now on. */
static void become_kernel(const struct persona *p)
{
    const uint32_t none = SECCOMP_RET_ERRNO | (uint32_t)p->landlock_error;
    const uint32_t seals = p->exec_seals ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EINVAL;
    struct sock_filter f[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, p->last, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, p->landlock ? SECCOMP_RET_USER_NOTIF : none),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x18, 0, 1), /* MFD_NOEXEC_SEAL, MFD_EXEC */
        BPF_STMT(BPF_RET | BPF_K, seals),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = { array_len(f), f };
    pthread_t thread;
    int listener;

    super = (struct supervisor){ .p = p };
    if (pipe2(super.ready, O_CLOEXEC) || pthread_create(&thread, NULL, supervise, NULL))
        abort();
    listener =
        (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
    if (listener < 0 || fcntl(listener, F_SETFD, FD_CLOEXEC) ||
        write(super.ready[1], &listener, sizeof(listener)) != sizeof(listener))
        abort();
}

/* ---- cgroups of one version ---- */

struct groups {
    unsigned version;
    const char *what; /* how real they are */
    struct box_jail b;
    char fake[64], leaf[160]; /* version 2 without controllers: see fake_v2; "" none */
};

/* The lines of /proc/self/mountinfo about this version. */
static size_t mounts_of(unsigned version, char *out, size_t room)
{
    char line[1024];
    size_t n = 0;
    FILE *f = fopen("/proc/self/mountinfo", "re");

    while (f && fgets(line, sizeof(line), f))
        if (strstr(line, version == 1 ? " - cgroup " : " - cgroup2 ") && n + strlen(line) < room)
            n += (size_t)snprintf(out + n, room - n, "%s", line);
    if (f)
        fclose(f);
    return n;
}

static int plan_from(struct groups *g, char *mounts, size_t n, const char *id)
{
    FILE *m = n ? fmemopen(mounts, n, "r") : NULL, *own = fopen("/proc/self/cgroup", "re");
    struct err e = ERR_INIT;
    int err = m && own ? cgroup_plan_from(m, own, &g->b, id, &e) : -ENOENT;

    if (m)
        fclose(m);
    if (own)
        fclose(own);
    return err;
}

static void write_in(const char *dir, const char *name, const char *text)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/%s", dir, name);

    auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        abort();
}

/*
 * A host whose version 2 has no controllers, because version 1 has them: its tree says that it has,
 * and the leaf is a link into the real one. Who is in it is real, its limits are not there.
 */
static int fake_v2(struct groups *g, const char *mounts, const char *id)
{
    char mount[96], line[256], link[160];

    if (sscanf(mounts, "%*s %*s %*s %*s %95s", mount) != 1)
        return -ENOENT;
    snprintf(g->leaf, sizeof(g->leaf), "%s/carrel-%s", mount, id);
    if (mkdir(g->leaf, 0755)) {
        g->leaf[0] = '\0';
        return -errno;
    }
    snprintf(g->fake, sizeof(g->fake), "/tmp/carrel-v2.XXXXXX");
    if (!mkdtemp(g->fake))
        abort();
    write_in(g->fake, "cgroup.controllers", "cpu memory pids\n");
    write_in(g->fake, "cgroup.subtree_control", "cpu memory pids\n");
    snprintf(link, sizeof(link), "%s/carrel-%s", g->fake, id);
    if (symlink(g->leaf, link))
        abort();
    snprintf(line, sizeof(line), "35 31 0:32 / %s rw - cgroup2 cgroup2 rw\n", g->fake);
    g->what = "real processes, no controllers";
    return plan_from(g, line, strlen(line), id);
}

/* True: it has leaves. */
static bool groups_plan(struct groups *g, unsigned version, const char *id)
{
    static char mounts[16384];
    size_t n = mounts_of(version, mounts, sizeof(mounts));

    *g = (struct groups){ .version = version, .what = "real" };
    if (!plan_from(g, mounts, n, id))
        return true;
    if (n && version == 2 && !fake_v2(g, mounts, id))
        return true;
    g->what = "not on this host";
    g->b.ncgroups = 0;
    return false;
}

static void groups_remove(struct groups *g)
{
    static const char *const names[] = { "cgroup.controllers", "cgroup.subtree_control" };
    char path[160];

    if (!g->leaf[0]) {
        box_sweep_jail(&g->b);
        return;
    }
    rmdir(g->leaf);
    for (size_t i = 0; g->fake[0] && i < array_len(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", g->fake, names[i]);
        unlink(path);
    }
    unlink(g->b.cgroup[0]);
    rmdir(g->fake);
}

/* ---- one machine under one kernel ---- */

static bool stands(const struct persona *p, const struct groups *g, unsigned layer)
{
    return (layer != JAIL_LANDLOCK || p->landlock) && (layer != JAIL_CGROUP || g->b.ncgroups);
}

static int begin(struct cell *c, struct groups *g, enum jail_level level)
{
    const struct cgroup_value limits[] = {
        { 2, "memory.max", "268435456" },
        { 2, "memory.swap.max", "0" },
        { 2, "cpu.max", "200000 100000" },
        { 2, "pids.max", "16" },
        { 1, "memory.limit_in_bytes", "268435456" },
        { 1, "memory.memsw.limit_in_bytes", "268435456" },
        { 1, "cpu.cfs_quota_us", "200000" },
        { 1, "pids.max", "16" },
    };
    struct err e = ERR_INIT;

    c->jail.level[JAIL_CGROUP] = JAIL_PREFERRED;
    for (unsigned i = 0; i < JAIL_LAYERS; i++)
        if (c->jail.level[i])
            c->jail.level[i] = (uint8_t)level;
    if (cgroup_make(&c->jail, &g->b, limits, array_len(limits), &e) ||
        spawn_gated(&c->s, &c->run, &e) || engine_release(&c->run, &e)) {
        fprintf(stderr, "%s\n", e.msg);
        return -1;
    }
    cell_handed_over(c);
    jail_fini(&c->jail);
    g->b.memory_max = 256u << 20;
    return 0;
}

/* carrel-launch's word, which comes first. */
static bool read_jail(struct cell *c)
{
    char bytes[sizeof(c->run.jail)];

    while (!engine_has_jail(&c->run)) {
        ssize_t n = read(c->p.report, bytes, sizeof(c->run.jail) - c->run.jail_have);

        if (n <= 0 || jail_take(&c->run, bytes, (size_t)n) != (size_t)n)
            return false;
    }
    return true;
}

/* What attest finds different from the report, and in *same what not. */
static unsigned differences(const struct cell *c, const struct groups *g, unsigned *same)
{
    struct attest_line lines[ATTEST_LINES];
    struct box_jail b = g->b;
    struct err e = ERR_INIT;
    unsigned wrong = 0;
    int n;

    b.pid = c->run.pid;
    b.start = proc_start_time(b.pid);
    b.uid = CELL_UID;
    memcpy(b.outcome, c->run.jail.outcome, sizeof(b.outcome));
    b.outcome[JAIL_SECCOMP] = JAIL_APPLIED;
    memcpy(b.limit, c->run.limit, sizeof(b.limit));
    b.nfiles = c->run.nfiles;
    memcpy(b.file, c->run.file, sizeof(b.file));
    /* Each namespace that is said to be there is another one than ours. */
    for (unsigned i = 0; i < BOX_SPACES; i++) {
        b.space[i] = box_space_of(b.pid, i);
        if (strcmp(box_space_name(i), "user") != 0 && b.space[i] == box_space_of(getpid(), i)) {
            fprintf(stderr, "ns/%s: the host's\n", box_space_name(i));
            wrong++;
        }
    }
    n = attest(&b, lines, &e);
    for (int i = 0; i < n; i++) {
        *same += lines[i].answer == ATTEST_SAME;
        if (lines[i].answer != ATTEST_DIFFERENT)
            continue;
        fprintf(stderr, "%s: %s, %s\n", lines[i].what, lines[i].recorded, lines[i].found);
        wrong++;
    }
    return n < 15 ? wrong + 1 : wrong;
}

struct verdict {
    unsigned layers, absent, same, silent;
    const char *why; /* NULL: as it should be */
};

static void judge_report(const struct persona *p, const struct groups *g, const struct cell *c,
                         struct verdict *v)
{
    const struct jail_report *r = &c->run.jail;

    for (unsigned i = 0; i < JAIL_SECCOMP; i++) {
        bool there = r->outcome[i] == JAIL_APPLIED;

        v->layers += there;
        v->absent += !there;
        if (there != stands(p, g, i)) {
            fprintf(stderr, "%s: %s, error %d\n", box_layer_name(i),
                    box_outcome_name(r->outcome[i]), r->error[i]);
            v->why = "a layer is not as this kernel has it";
            v->silent += there;
        }
        if (!there && !r->error[i])
            v->why = "a layer is absent without a reason";
    }
    if (r->landlock != p->landlock)
        v->why = "the report has another version of Landlock";
    if (p->landlock_error && r->error[JAIL_LANDLOCK] != p->landlock_error)
        v->why = "the report has another reason";
}

/* All that this version can refuse was asked of it, once. */
static void judge_ruleset_asked(const struct persona *p, unsigned before, struct verdict *v)
{
    const struct asked all = all_rights(p->landlock);

    if (super.rulesets - before != (p->landlock ? 1u : 0u))
        v->why = "another number of rulesets was made";
    else if (p->landlock && memcmp(&super.last, &all, sizeof(all)) != 0)
        v->why = "Landlock could refuse more than it was asked to";
}

static void preferred(const struct persona *p, struct groups *g, struct verdict *v)
{
    unsigned before = super.rulesets, wrong;
    struct vmm_report r;
    bool reported;
    struct cell c;
    int status;
    char one;

    cell_open(&c, "carrel-vmm", stays, stays_end, false);
    if (begin(&c, g, JAIL_PREFERRED) || !read_jail(&c) || read(c.p.serial, &one, 1) != 1) {
        v->why = "it did not run";
        return;
    }
    judge_report(p, g, &c, v);
    judge_ruleset_asked(p, before, v);
    wrong = differences(&c, g, &v->same);
    v->silent += wrong;
    if (wrong)
        v->why = "attest differs from the report";
    kill(c.run.pid, SIGKILL);
    cell_finish(&c, &r, &reported, &status);
}

static void required(const struct persona *p, struct groups *g, struct verdict *v)
{
    bool whole = stands(p, g, JAIL_LANDLOCK) && stands(p, g, JAIL_CGROUP);
    const char *missing =
        stands(p, g, JAIL_CGROUP) ? "\"landlock\" is required" : "\"cgroup\" is required";
    struct vmm_report r;
    bool reported;
    struct cell c;
    int status = 0;
    char one;

    cell_open(&c, "carrel-vmm", stays, stays_end, false);
    if (begin(&c, g, JAIL_REQUIRED) || !read_jail(&c)) {
        v->why = "nothing was said";
        return;
    }

    bool ran = read(c.p.serial, &one, 1) == 1;

    if (c.run.pid > 0 && ran)
        kill(c.run.pid, SIGKILL);
    cell_finish(&c, &r, &reported, &status);
    if (ran != whole)
        v->why = whole ? "all is there, and it was refused" : "it runs without what is required";
    else if (!whole && (!jail_refusal(&c.run) || !strstr(jail_refusal(&c.run), missing)))
        v->why = "the refusal does not name the layer";
}

#define SPOT "/tmp/x" /* of ATTACK_mkdir */

/* With the host's own root and no filters Landlock alone is in the way of an attacker. */
static void attacked(const struct persona *p, struct groups *g, struct verdict *v)
{
    uint8_t code[32];
    size_t len = attack_code(code, ATTACK_mkdir, ATTACK_VCPU);
    char said[32] = "";
    struct vmm_report r;
    bool reported, made;
    struct cell c;
    int status;

    if (access(SPOT, F_OK) == 0) {
        printf("%s is there already: nothing is tried\n", SPOT);
        return;
    }
    cell_open(&c, "carrel-vmm-attack", (const char *)code, (const char *)code + len, true);
    c.jail.level[JAIL_ROOT] = JAIL_OFF;
    if (begin(&c, g, JAIL_PREFERRED) || read(c.p.serial, said, sizeof(said) - 1) <= 0) {
        v->why = "the attacker did not run";
        return;
    }
    cell_finish(&c, &r, &reported, &status);
    made = access(SPOT, F_OK) == 0;
    if (made)
        rmdir(SPOT);
    v->silent += made && p->landlock;
    if (made != !p->landlock || (!made && strncmp(said, "-1 13", 5) != 0))
        v->why = made ? "Landlock is said to be there, and it does not refuse"
                      : "what was tried failed for another reason";
}

/* In a process of its own. */
static int live(const struct persona *p, unsigned version)
{
    struct verdict v = { 0 };
    struct groups g;
    char id[32];

    snprintf(id, sizeof(id), "persona-%d", (int)getpid());
    become_kernel(p);
    groups_plan(&g, version, id);
    preferred(p, &g, &v);
    if (!v.why)
        required(p, &g, &v);
    if (!v.why)
        attacked(p, &g, &v);
    groups_remove(&g);
    printf("%-28s cgroup v%u (%s): %u layers, %u reported absent, attest %u same; "
           "silent downgrades %u%s%s\n",
           p->name, version, g.what, v.layers, v.absent, v.same, v.silent, v.why ? ": " : "",
           v.why ? v.why : "");
    fflush(stdout);
    return v.why || v.silent;
}

static void h15_what_is_said_is_what_is(void **state)
{
    long real = syscall(SYS_landlock_create_ruleset, NULL, 0, QUERY_VERSION);
    unsigned wrong = 0;

    (void)state;
    fflush(stdout);
    for (size_t i = 0; i < array_len(personas); i++)
        for (unsigned version = 1; version <= 2; version++) {
            int status;
            pid_t pid;

            if (real < (long)personas[i].landlock) {
                print_message("%s: not shown, Landlock of this host is of version %ld\n",
                              personas[i].name, real);
                continue;
            }
            pid = fork();
            if (pid == 0)
                _exit(live(&personas[i], version));
            assert_int_equal(waitpid(pid, &status, 0), pid);
            if (status)
                print_error("%s, cgroup v%u: %#x\n", personas[i].name, version, (unsigned)status);
            wrong += status != 0;
        }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h15_what_is_said_is_what_is),
    };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    fprintf(stderr, "skipped: a sanitizer makes system calls of its own, under any filter\n");
    return 77;
#endif
    if (geteuid()) {
        fprintf(stderr, "skipped: root is needed\n");
        return 77;
    }
    if (access("/dev/kvm", R_OK | W_OK)) {
        perror("skipped: /dev/kvm");
        return 77;
    }
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("personas", tests, NULL, NULL);
}
