/*
 * payload_jail.c - a machine in its jail: what the host sees of it, what an attacker inside could
 * still do if there were no system call filters, and what is refused before anything starts.
 */
#include "payload.h"

#include "base/fd.h"
#include "sandbox/attest.h"
#include "sandbox/confine/vmm.h"
#include "sandbox/engine/cgroup.h"
#include "sandbox/engine/jail.h"
#include "sandbox/engine/spawn.h"
#include "sandbox/proc.h"
#include "tests/payload/attack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define OUT8(port, value) "mov $" #port ",%dx\n mov $" #value ",%al\n out %al,%dx\n"

PAYLOAD(idle, 32, OUT8(0x3f8, '\n') "1: hlt\n jmp 1b");

static char state_dir[] = "/tmp/carrel-jail.XXXXXX";

/* ---- starting one ---- */

struct prisoner {
    struct payload p;
    struct jail jail;
    struct engine_run run;
    struct err e;
    double filtered, forked; /* ms, of now_ms: when the filters were there, and the process */
};

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void prisoner_init(struct prisoner *q, const char *code, const char *end)
{
    memset(q, 0, sizeof(*q));
    payload_init(&q->p, code, end, true);
    engine_run_init(&q->run);
    jail_init(&q->jail);
}

static void keep_all(struct spawn *s, const struct vmm_launch *l)
{
    spawn_keep(s, l->kvm_fd, JAIL_CHR);
    spawn_keep(s, l->kernel_fd, JAIL_REG);
    spawn_keep(s, l->serial_fd, JAIL_FIFO);
    spawn_keep(s, l->report_fd, JAIL_FIFO);
    spawn_keep(s, l->filter_fd, JAIL_REG);
}

/* As the engine does, with another program or without filters if the test wants that. */
static int prisoner_start(struct prisoner *q)
{
    char path[4096], number[12], name[] = "carrel-vmm";
    char *argv[] = { name, number, NULL };
    auto_fd int log = getenv("PAYLOAD_LOG") ? dup(2) : open("/dev/null", O_WRONLY | O_CLOEXEC);
    auto_fd int record = memfd_create("launch", MFD_CLOEXEC);
    struct spawn s;

    if (!q->p.bare) {
        q->p.l.filter_fd = vmm_filters_open(&q->p.l, &q->e);
        q->p.l.flags |= VMM_F_FILTER;
    }
    q->filtered = now_ms();
    if (write(record, &q->p.l, sizeof(q->p.l)) != sizeof(q->p.l) || lseek(record, 0, SEEK_SET))
        abort();
    snprintf(path, sizeof(path), "%s/bin/%s", getenv("CARREL_BUILD"), q->p.vmm);
    snprintf(number, sizeof(number), "%d", record);
    spawn_init(&s);
    s.path = path;
    s.argv = argv;
    s.log_fd = log;
    s.report_fd = q->p.l.report_fd;
    s.jail = &q->jail;
    s.limit[JAIL_LIMIT_NOFILE] = 512;
    s.limit[JAIL_LIMIT_FSIZE] = s.limit[JAIL_LIMIT_MEMLOCK] = 0;
    if (q->jail.uid)
        s.limit[JAIL_LIMIT_NPROC] = VMM_THREADS(q->p.l.vcpus);
    keep_all(&s, &q->p.l);
    spawn_keep(&s, record, JAIL_REG);
    q->run.jailed = true;

    int err = spawn_gated(&s, &q->run, &q->e);

    q->forked = now_ms();
    close(q->p.l.kvm_fd);
    close(q->p.l.kernel_fd);
    close(q->p.l.serial_fd);
    close(q->p.l.report_fd);
    if (q->p.l.filter_fd >= 0)
        close(q->p.l.filter_fd);
    return err ? err : engine_release(&q->run, &q->e);
}

/* carrel-launch's word, which comes first. */
static void read_jail(struct prisoner *q)
{
    char bytes[sizeof(q->run.jail)];

    while (!engine_has_jail(&q->run)) {
        ssize_t n = read(q->p.report, bytes, sizeof(q->run.jail) - q->run.jail_have);

        if (n <= 0)
            return;
        assert_int_equal(jail_take(&q->run, bytes, (size_t)n), n);
    }
}

static bool runs(struct prisoner *q)
{
    char c;

    return read(q->p.serial, &c, 1) == 1; /* the guest's first word */
}

static void prisoner_end(struct prisoner *q, struct payload_result *res)
{
    q->p.pid = q->run.pid;
    payload_finish(&q->p, res);
    engine_run_fini(&q->run);
    jail_fini(&q->jail);
}

/* ---- what the host sees ---- */

static void status_line(pid_t pid, const char *key, char out[64])
{
    char path[64], line[256];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    f = fopen(path, "re");
    assert_non_null(f);
    out[0] = '\0';
    while (fgets(line, sizeof(line), f))
        if (!strncmp(line, key, strlen(key)) && line[strlen(key)] == ':')
            snprintf(out, 64, "%s", line + strlen(key) + 2);
    out[strcspn(out, "\n")] = '\0';
    fclose(f);
}

static bool same_namespace(pid_t pid, const char *ns)
{
    char theirs[64], ours[64], a[64], b[64];
    ssize_t n, m;

    snprintf(theirs, sizeof(theirs), "/proc/%d/ns/%s", (int)pid, ns);
    snprintf(ours, sizeof(ours), "/proc/self/ns/%s", ns);
    n = readlink(theirs, a, sizeof(a));
    m = readlink(ours, b, sizeof(b));
    assert_true(n > 0 && m > 0);
    return n == m && !memcmp(a, b, (size_t)n);
}

static unsigned entries(pid_t pid, const char *what)
{
    char path[64];
    unsigned n = 0;
    DIR *d;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
    d = opendir(path);
    assert_non_null(d);
    for (struct dirent *x; (x = readdir(d));)
        n += x->d_name[0] != '.';
    closedir(d);
    return n;
}

static void assert_layers(const struct prisoner *q, unsigned absent)
{
    assert_true(engine_has_jail(&q->run));
    for (unsigned i = 0; i < JAIL_SECCOMP; i++) {
        enum jail_outcome want = absent & 1u << i ? JAIL_ABSENT : JAIL_APPLIED;

        if (q->run.jail.outcome[i] != want)
            print_error("%s: %u, error %d\n", box_layer_name(i), q->run.jail.outcome[i],
                        q->run.jail.error[i]);
        assert_int_equal(q->run.jail.outcome[i], want);
    }
}

static void assert_confined(struct prisoner *q, uid_t uid)
{
    static const char *const caps[] = { "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };
    static const char *const spaces[] = { "pid", "mnt", "ipc", "uts", "net", "cgroup" };
    char text[64], want[64];
    pid_t pid = q->run.pid;

    for (size_t i = 0; i < array_len(caps); i++) {
        status_line(pid, caps[i], text);
        assert_string_equal(text, "0000000000000000");
    }
    status_line(pid, "NoNewPrivs", text);
    assert_string_equal(text, "1");
    status_line(pid, "Seccomp", text);
    assert_string_equal(text, "2");
    status_line(pid, "Uid", text);
    snprintf(want, sizeof(want), "%u\t%u\t%u\t%u", uid, uid, uid, uid);
    assert_string_equal(text, want);
    status_line(pid, "Groups", text);
    status_line(pid, "NSpid", text);
    assert_non_null(strstr(text, "\t1"));
    for (size_t i = 0; i < array_len(spaces); i++)
        assert_false(same_namespace(pid, spaces[i]));
    assert_int_equal(entries(pid, "root"), 0);
    assert_true(entries(pid, "fd") < 24);
}

/* Root: a uid of its own, and everything else. */
static void as_root_every_layer_is_there(void **state)
{
    struct prisoner q;
    struct payload_result res;

    (void)state;
    if (geteuid())
        skip();
    prisoner_init(&q, idle, idle_end);
    assert_int_equal(jail_claim_uid(&q.jail, "0123456789ab", &q.e), 0);
    assert_true(q.jail.uid >= 0x70000000u);
    assert_int_equal(prisoner_start(&q), 0);
    read_jail(&q);
    assert_true(runs(&q));
    assert_layers(&q, 1u << JAIL_CGROUP); /* none was made for it */
    assert_confined(&q, q.jail.uid);
    kill(q.run.pid, SIGTERM);
    prisoner_end(&q, &res);
    assert_int_equal(res.r.reason, VMM_TERMINATED);
    assert_true(WIFEXITED(res.status) && !WEXITSTATUS(res.status));
}

static bool file_has(const char *path, const char *text)
{
    char line[4096];
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(line, 1, sizeof(line) - 1, f) : 0;

    if (f)
        fclose(f);
    line[n] = '\0';
    return strstr(line, text);
}

/* h09, h10: its memory and processes are bounded by leaves of its own, which go with it. */
static void limits_by_a_cgroup_of_its_own(void **state)
{
    const struct cgroup_value limits[] = {
        { 2, "memory.max", "268435456" },
        { 2, "memory.swap.max", "0" },
        { 2, "pids.max", "8" },
        { 1, "memory.limit_in_bytes", "268435456" },
        { 1, "memory.memsw.limit_in_bytes", "268435456" },
        { 1, "pids.max", "8" },
    };
    struct box_jail b = { 0 };
    struct prisoner q;
    struct payload_result res;
    char path[256];

    (void)state;
    prisoner_init(&q, idle, idle_end);
    if (cgroup_plan(&b, "0123456789ab", &q.e)) {
        print_message("%s\n", q.e.msg);
        skip();
    }
    for (uint32_t i = 0; i < b.ncgroups; i++) /* as a crash would have left them */
        mkdir(b.cgroup[i], 0755);
    assert_int_equal(cgroup_make(&q.jail, &b, limits, array_len(limits), &q.e), 0);
    q.jail.level[JAIL_CGROUP] = JAIL_REQUIRED;
    assert_int_equal(prisoner_start(&q), 0);
    read_jail(&q);
    assert_true(runs(&q));
    assert_int_equal(q.run.jail.outcome[JAIL_CGROUP], JAIL_APPLIED);
    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)q.run.pid);
    assert_true(file_has(path, "/carrel-0123456789ab\n"));
    snprintf(path, sizeof(path), "%s/memory.max", b.cgroup[0]);
    if (access(path, F_OK))
        snprintf(path, sizeof(path), "%s/memory.limit_in_bytes", b.cgroup[0]);
    assert_true(file_has(path, "268435456"));
    snprintf(path, sizeof(path), "%s/memory.swap.max", b.cgroup[0]);
    if (access(path, F_OK) == 0)
        assert_true(file_has(path, "0\n"));
    snprintf(path, sizeof(path), "%s/memory.memsw.limit_in_bytes", b.cgroup[0]);
    if (access(path, F_OK) == 0)
        assert_true(file_has(path, "268435456"));
    snprintf(path, sizeof(path), "%s/pids.max", b.cgroup[b.ncgroups > 1]);
    assert_true(file_has(path, "8\n"));
    assert_false(box_sweep_jail(&b)); /* not while it runs */
    kill(q.run.pid, SIGKILL);
    prisoner_end(&q, &res);
    assert_true(box_sweep_jail(&b));
    for (uint32_t i = 0; i < b.ncgroups; i++)
        assert_int_equal(access(b.cgroup[i], F_OK), -1);
    assert_true(box_sweep_jail(&b)); /* again */
}

static enum attest_answer answer_of(const struct box_jail *b, const char *what)
{
    struct attest_line lines[ATTEST_LINES];
    struct err e = ERR_INIT;
    int n = attest(b, lines, &e);

    for (int i = 0; i < n; i++)
        if (!strcmp(lines[i].what, what))
            return lines[i].answer;
    fail_msg("no line about %s", what);
    return ATTEST_UNSEEN;
}

/* What is read back is what was recorded; each other record is a difference. */
static void attest_sees_what_differs(void **state)
{
    struct attest_line lines[ATTEST_LINES];
    struct prisoner q;
    struct payload_result res;
    struct box_jail b = { .engine = "kvm" }, other;
    int n;

    (void)state;
    if (geteuid())
        skip();
    prisoner_init(&q, idle, idle_end);
    assert_int_equal(jail_claim_uid(&q.jail, "attest", &q.e), 0);
    b.uid = q.jail.uid;
    assert_int_equal(prisoner_start(&q), 0);
    read_jail(&q);
    assert_true(runs(&q));
    b.pid = q.run.pid;
    b.start = proc_start_time(b.pid);
    memcpy(b.outcome, q.run.jail.outcome, sizeof(b.outcome));
    b.outcome[JAIL_SECCOMP] = JAIL_APPLIED;
    memcpy(b.limit, q.run.limit, sizeof(b.limit));
    b.limit[JAIL_LIMIT_NOFILE] = 0;
    b.nfiles = q.run.nfiles;
    memcpy(b.file, q.run.file, sizeof(b.file));
    for (unsigned i = 0; i < BOX_SPACES; i++)
        b.space[i] = box_space_of(b.pid, i);

    n = attest(&b, lines, &q.e);
    assert_true(n > 20);
    for (int i = 0; i < n; i++) {
        if (lines[i].answer == ATTEST_DIFFERENT)
            print_error("%s: %s, %s\n", lines[i].what, lines[i].recorded, lines[i].found);
        assert_true(lines[i].answer == ATTEST_SAME || !strcmp(lines[i].what, "landlock"));
    }
    /* Ourselves in its place: nothing that a jail gives is there. */
    other = b;
    other.pid = getpid();
    other.start = proc_start_time(getpid());
    assert_int_equal(answer_of(&other, "uid"), ATTEST_DIFFERENT);
    assert_int_equal(answer_of(&other, "CapBnd"), ATTEST_DIFFERENT);
    assert_int_equal(answer_of(&other, "CapEff"), ATTEST_DIFFERENT);
    assert_int_equal(answer_of(&other, "no-new-privs"), ATTEST_DIFFERENT);
    assert_int_equal(answer_of(&other, "seccomp"), ATTEST_DIFFERENT);
    assert_int_equal(answer_of(&other, "pids"), ATTEST_DIFFERENT);
    assert_int_equal(answer_of(&other, "ns/net"), ATTEST_DIFFERENT);
    assert_int_equal(answer_of(&other, "ns/mnt"), ATTEST_DIFFERENT);
    assert_int_equal(answer_of(&other, "root"), ATTEST_DIFFERENT);
    assert_int_equal(answer_of(&other, "limit nofile"), ATTEST_DIFFERENT);
    assert_int_equal(answer_of(&other, "files"), ATTEST_DIFFERENT);
    other = b;
    for (uint32_t i = 0; i < other.nfiles; i++) /* one that it was given it may have closed */
        other.file[i].ino++;
    assert_int_equal(answer_of(&other, "files"), ATTEST_DIFFERENT);
    other = b;
    other.start++;
    assert_int_equal(attest(&other, lines, &q.e), -ESRCH);
    kill(q.run.pid, SIGTERM);
    prisoner_end(&q, &res);
    assert_int_equal(attest(&b, lines, &q.e), -ESRCH);
}

/* A record that was tampered with removes nothing else: no directory that only has the name, and no
 * other sandbox's cgroup, which may be empty for the moment. */
static void only_leaves_of_ours_are_removed(void **state)
{
    static const char own[] = "0123456789ab", other[] = "0123456789ac";
    struct box_jail forged = { .ncgroups = 3 }, b = { 0 }, c = { 0 };
    struct err e = ERR_INIT;
    int dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    snprintf(forged.cgroup[0], sizeof(forged.cgroup[0]), "%s/carrel-%s", state_dir, own);
    snprintf(forged.cgroup[1], sizeof(forged.cgroup[1]), "carrel-%s", own);
    assert_int_equal(mkdir(forged.cgroup[0], 0700), 0);
    if (cgroup_plan(&b, own, &e) == 0 && cgroup_plan(&c, other, &e) == 0 &&
        mkdir(b.cgroup[0], 0755) == 0 && mkdir(c.cgroup[0], 0755) == 0)
        memcpy(forged.cgroup[2], c.cgroup[0], sizeof(c.cgroup[0]));
    else
        forged.ncgroups = 2;
    assert_int_equal(box_save_jail(dir, BOX_ENGINE, &forged, &e), 0);
    assert_false(box_has_leaves(dir, own));
    box_sweep_jail_of(dir, own);
    assert_int_equal(rmdir(forged.cgroup[0]), 0);
    if (forged.ncgroups == 3) {
        assert_true(box_has_leaves(dir, other));
        assert_int_equal(rmdir(c.cgroup[0]), 0);
        b.ncgroups = 1;
        assert_int_equal(box_save_jail(dir, BOX_ENGINE, &b, &e), 0);
        assert_true(box_has_leaves(dir, own));
        box_sweep_jail_of(dir, own);
        assert_int_equal(access(b.cgroup[0], F_OK), -1);
    }
    box_forget_jail(dir, BOX_ENGINE);
    close(dir);
}

/* Where the leaf is: version 2 without our controllers is no help; mounts of a part of the tree. */
static void the_hierarchy_is_found(void **state)
{
    char mounts[] = "31 23 0:28 / /none rw - tmpfs tmpfs rw\n"
                    "32 31 0:29 /docker/ab /none/cpu rw,nosuid - cgroup cgroup rw,cpu,cpuacct\n"
                    "33 31 0:30 / /none/memory rw - cgroup cgroup rw,memory\n"
                    "34 31 0:31 / /none/pids rw - cgroup cgroup rw,pids\n"
                    "35 31 0:32 / /none/unified rw - cgroup2 cgroup2 rw\n";
    char own[] = "8:pids:/\n4:memory:/a/b\n3:cpu,cpuacct:/docker/ab/c\n0::/\n";
    FILE *m = fmemopen(mounts, sizeof(mounts) - 1, "r"), *o = fmemopen(own, sizeof(own) - 1, "r");
    struct err e = ERR_INIT;
    struct box_jail b = { 0 };

    (void)state;
    assert_int_equal(cgroup_plan_from(m, o, &b, "id", &e), -ENOENT); /* none of them is there */
    assert_non_null(strstr(e.msg, "memory"));
    assert_int_equal(b.ncgroups, 0);
    fclose(m);
    fclose(o);
}

/* In a child that is an ordinary user: everything by a user namespace. */
/* The kernel gives none to who is in a chroot, or where the host forbids it. */
static bool users_may_be_made(void)
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0)
        _exit(unshare(CLONE_NEWUSER) != 0);
    return waitpid(pid, &status, 0) == pid && status == 0;
}

static int be_a_user(struct prisoner *q)
{
    if (setgid(54321) || setuid(54321) || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
        return 10; /* a login is dumpable; a change of user is not */
    if (!users_may_be_made())
        return 77;
    if (prisoner_start(q)) {
        fprintf(stderr, "%s\n", q->e.msg);
        return 11;
    }
    read_jail(q);
    if (!runs(q))
        return 13;
    for (unsigned i = 0; i < JAIL_SECCOMP; i++)
        if (i != JAIL_CGROUP && q->run.jail.outcome[i] != JAIL_APPLIED)
            return (int)(20 + i);
    return 0;
}

static void a_user_has_every_layer_by_a_user_namespace(void **state)
{
    struct prisoner q;
    int status;
    pid_t pid;

    (void)state;
    if (geteuid())
        skip();
    prisoner_init(&q, idle, idle_end);
    pid = fork();
    if (pid == 0) {
        struct payload_result res;
        char text[64];
        int bad = be_a_user(&q);

        if (bad == 77)
            _exit(bad);
        status_line(q.run.pid, "NSpid", text);
        if (!bad && !strstr(text, "\t1"))
            bad = 12;
        kill(q.run.pid, SIGTERM);
        prisoner_end(&q, &res);
        _exit(bad ? bad : res.r.reason != VMM_TERMINATED);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("no user namespace may be made here: a chroot, or the host forbids it\n");
        skip();
    }
    assert_int_equal(status, 0);
    close(q.p.l.kvm_fd);
    close(q.p.l.kernel_fd);
    close(q.p.l.serial_fd);
    close(q.p.l.report_fd);
    close(q.p.serial);
    close(q.p.report);
}

/* ---- an attacker without filters in the way ---- */

/* What the other layers refuse by themselves. */
static const unsigned walls[] = {
    ATTACK_open,
    ATTACK_openat,
    ATTACK_openat_proc_maps,
    ATTACK_openat_dev_kvm,
    ATTACK_openat_create,
    ATTACK_openat2,
    ATTACK_creat,
    ATTACK_open_by_handle_at,
    ATTACK_stat,
    ATTACK_statx,
    ATTACK_access,
    ATTACK_readlink,
    ATTACK_unlink,
    ATTACK_mkdir,
    ATTACK_mknod,
    ATTACK_chdir_out,
    ATTACK_chroot,
    ATTACK_mount,
    ATTACK_umount2,
    ATTACK_pivot_root,
    ATTACK_fsopen,
    ATTACK_kill,
    ATTACK_tkill,
    ATTACK_tgkill_stranger,
    ATTACK_rt_sigqueueinfo,
    ATTACK_ptrace_attach,
    ATTACK_process_vm_readv,
    ATTACK_process_vm_writev,
    ATTACK_pidfd_open,
    ATTACK_kcmp,
    ATTACK_prlimit64,
    ATTACK_setpriority,
    ATTACK_sched_setaffinity,
    ATTACK_execve,
    ATTACK_execveat,
    ATTACK_fork,
    ATTACK_clone,
    ATTACK_clone3,
    ATTACK_socket_unix,
    ATTACK_socket_inet,
    ATTACK_socketpair,
    ATTACK_dup,
    ATTACK_fcntl_dupfd,
    ATTACK_memfd_create,
    ATTACK_pipe2,
    ATTACK_eventfd2,
    ATTACK_inotify_init1,
    ATTACK_io_uring_setup,
    ATTACK_setuid,
    ATTACK_setgid,
    ATTACK_setgroups,
    ATTACK_capset,
    ATTACK_unshare_mount,
    ATTACK_sethostname,
    ATTACK_setrlimit,
    ATTACK_init_module,
    ATTACK_finit_module,
    ATTACK_kexec_load,
    ATTACK_swapon,
    ATTACK_settimeofday,
};

static void attacks_that_the_jail_alone_refuses(void **state)
{
    unsigned wrong = 0;

    (void)state;
    if (geteuid())
        skip();
    for (size_t i = 0; i < array_len(walls); i++) {
        struct payload_result res;
        struct prisoner q;
        uint8_t code[32];
        size_t len = attack_code(code, walls[i], ATTACK_VCPU);

        prisoner_init(&q, (const char *)code, (const char *)code + len);
        q.p.vmm = "carrel-vmm-attack";
        q.p.bare = true;
        assert_int_equal(jail_claim_uid(&q.jail, "attack", &q.e), 0);
        assert_int_equal(prisoner_start(&q), 0);
        read_jail(&q);
        prisoner_end(&q, &res);
        if (res.r.reason != VMM_POWEROFF || strncmp(res.serial, "-1 ", 3) != 0) {
            print_error("%s: reason %u, said \"%s\"\n", attack_name(walls[i]), res.r.reason,
                        res.serial);
            wrong++;
        }
    }
    print_message("%zu attacks without filters, %u not refused\n", array_len(walls), wrong);
    assert_int_equal(wrong, 0);
}

/* ---- what it costs ---- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

#define ROUNDS_MAX 200

static unsigned rounds; /* CARREL_ROUNDS, or a few: then it is only seen that it works */

struct stage {
    double took[ROUNDS_MAX];
};

static void print_stage(struct stage *s, const char *what)
{
    qsort(s->took, rounds, sizeof(s->took[0]), ascending);
    print_message("%-44s median %5.2f ms, fastest %5.2f ms\n", what, s->took[rounds / 2],
                  s->took[0]);
}

/* One machine that is started and killed, without this layer; JAIL_LAYERS: with all. */
static void time_one(unsigned without, unsigned round, struct stage stage[4])
{
    struct payload_result res;
    struct prisoner q;
    double from, done;

    prisoner_init(&q, idle, idle_end);
    assert_int_equal(jail_claim_uid(&q.jail, "cost", &q.e), 0);
    if (without < JAIL_LAYERS)
        q.jail.level[without] = JAIL_OFF;
    from = now_ms();
    assert_int_equal(prisoner_start(&q), 0);
    read_jail(&q);
    done = now_ms();
    kill(q.run.pid, SIGKILL);
    prisoner_end(&q, &res);
    stage[0].took[round] = q.filtered - from;
    stage[1].took[round] = q.forked - q.filtered;
    stage[2].took[round] = done - q.forked;
    stage[3].took[round] = done - from;
}

/*
 * Figures, not a judgement, as root: until carrel-launch's report is there. What a layer costs is
 * what is saved without it, of the fastest of each; they take turns.
 */
static void how_long_the_jail_takes(void **state)
{
    static const unsigned layers[] = { JAIL_PIDS, JAIL_IPC,       JAIL_UTS,
                                       JAIL_NET,  JAIL_CGROUP_NS, JAIL_ROOT,
                                       JAIL_CAPS, JAIL_LANDLOCK,  JAIL_USER };
    static struct stage whole[4], less[array_len(layers)][4];
    const char *asked = getenv("CARREL_ROUNDS");

    (void)state;
    if (geteuid())
        skip();
    rounds = asked ? (unsigned)strtoul(asked, NULL, 10) : 3;
    rounds = rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds ? rounds : 1;
    for (unsigned i = 0; i < rounds; i++) {
        time_one(JAIL_LAYERS, i, whole);
        for (size_t k = 0; k < array_len(layers); k++)
            time_one(layers[k], i, less[k]);
    }
    print_stage(&whole[0], "filters compiled and proved");
    print_stage(&whole[1], "process made");
    print_stage(&whole[2], "jail built, to the report");
    print_stage(&whole[3], "together");
    for (size_t k = 0; k < array_len(layers); k++) {
        for (unsigned i = 2; i < 4; i++)
            qsort(less[k][i].took, rounds, sizeof(double), ascending);
        print_message("  of the jail, %-28s %5.2f ms\n", box_layer_name(layers[k]),
                      whole[3].took[0] - less[k][3].took[0]);
    }
}

/* ---- refusals ---- */

/* Nothing runs, nothing is left, and the layer is named. */
static void assert_refused(struct prisoner *q, const char *about)
{
    struct payload_result res;
    int status;

    assert_int_equal(prisoner_start(q), 0);
    read_jail(q);
    assert_int_equal(waitpid(q->run.pid, &status, 0), q->run.pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    assert_non_null(jail_refusal(&q->run));
    if (!strstr(jail_refusal(&q->run), about))
        print_error("\"%s\" is not about \"%s\"\n", jail_refusal(&q->run), about);
    assert_non_null(strstr(jail_refusal(&q->run), about));
    prisoner_end(q, &res);
    assert_false(res.reported);
    assert_int_equal(res.serial_len, 0);
}

static void a_required_layer_that_is_absent_refuses(void **state)
{
    struct prisoner q;

    (void)state;
    prisoner_init(&q, idle, idle_end);
    q.jail.level[JAIL_CGROUP] = JAIL_REQUIRED; /* none is given */
    assert_refused(&q, "\"cgroup\" is required");
    if (geteuid())
        return;
    prisoner_init(&q, idle, idle_end);
    q.jail.level[JAIL_USER] = JAIL_REQUIRED; /* root, and no uid was claimed */
    assert_refused(&q, "\"user\" is required");
}

static void uids_are_one_sandbox_s_at_a_time(void **state)
{
    struct jail a, b, c;
    struct err e = ERR_INIT;
    char path[64];
    uint32_t first;

    (void)state;
    jail_init(&a);
    jail_init(&b);
    assert_int_equal(jail_claim_uid(&a, "same", &e), 0);
    assert_int_equal(jail_claim_uid(&b, "same", &e), 0);
    assert_true(a.uid != b.uid);
    first = a.uid;
    jail_fini(&a);
    jail_init(&c);
    assert_int_equal(jail_claim_uid(&c, "same", &e), 0);
    assert_int_equal(c.uid, first); /* free again */
    jail_fini(&b);
    jail_fini(&c);

    /* h01: a link where the lock should be. */
    snprintf(path, sizeof(path), "%s/uids/%u", state_dir, first);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    jail_init(&a);
    assert_int_equal(jail_claim_uid(&a, "same", &e), -ELOOP);
    jail_fini(&a);
    unlink(path);

    char other[80];

    snprintf(other, sizeof(other), "%s/other", state_dir);
    close(open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(link(other, path), 0);
    jail_init(&a);
    assert_int_equal(jail_claim_uid(&a, "same", &e), -EACCES);
    jail_fini(&a);
    unlink(path);
    unlink(other);
    assert_int_equal(mkfifo(path, 0600), 0);
    jail_init(&a);
    assert_int_equal(jail_claim_uid(&a, "same", &e), -EACCES);
    jail_fini(&a);
    unlink(path);
    snprintf(path, sizeof(path), "%s/uids", state_dir);
    assert_int_equal(rmdir(path), 0); /* nothing of ours was left there */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uids_are_one_sandbox_s_at_a_time),
        cmocka_unit_test(as_root_every_layer_is_there),
        cmocka_unit_test(limits_by_a_cgroup_of_its_own),
        cmocka_unit_test(attest_sees_what_differs),
        cmocka_unit_test(only_leaves_of_ours_are_removed),
        cmocka_unit_test(the_hierarchy_is_found),
        cmocka_unit_test(a_user_has_every_layer_by_a_user_namespace),
        cmocka_unit_test(attacks_that_the_jail_alone_refuses),
        cmocka_unit_test(how_long_the_jail_takes),
        cmocka_unit_test(a_required_layer_that_is_absent_refuses),
    };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    fprintf(stderr, "skipped: a sanitizer makes system calls of its own, under any filter\n");
    return 77;
#endif
    if (access("/dev/kvm", R_OK | W_OK)) {
        perror("skipped: /dev/kvm");
        return 77;
    }
    if (!mkdtemp(state_dir) || setenv("CARREL_STATE", state_dir, 1))
        return 1;
    signal(SIGPIPE, SIG_IGN);

    int failed = cmocka_run_group_tests_name("jail", tests, NULL, NULL);
    char uids[64];

    snprintf(uids, sizeof(uids), "%s/uids", state_dir);
    rmdir(uids);
    return failed || rmdir(state_dir); /* not empty: something was left */
}
