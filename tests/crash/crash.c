/*
 * crash.c - every process of a sandbox dies at every failpoint, and every side effect fails.
 *
 * crash list: the failpoints, and how often lives come to each
 * crash ci: the first time each is come to: its process killed, its engine or client, every error
 * (h02, h03, h07)
 * crash all: every time each is come to, with every error
 * crash one LIFE WHAT: one of them, e.g. `crash one kept io.store.rename@3=kill`
 * crash full [all]: on file systems of little room, each a little larger (h07); as root
 * crash nth [all]: each system call failing at its Nth time, by strace (h08)
 * crash cycles N: as many lives after each other, nothing grows
 * crash many N: as many sandboxes at once
 * crash kills N: as many keepers killed, seven of each sandbox, and how long until another answers
 *
 * Lives are those of crash_life.c, with the real keeper, launcher and jail, and fake_vmm.c for the
 * machine. Afterwards crash_check.c is the next command.
 */
#include "crash.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "sandbox/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define POINTS  512u
#define HANG_S  20u
#define WORKERS 4u /* lives are spent in waiting */

static char root[64];
static struct failpoint_count counts[LIVES][POINTS];
static unsigned failures; /* of this process */
static struct total {
    unsigned lives, bad;
} * total; /* of all */

static void fresh_root(void)
{
    char path[128];

    /* In memory where possible: it is not the disk that is tested. */
    snprintf(root, sizeof(root), "%s/carrel-crash.XXXXXX",
             access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    if (!mkdtemp(root))
        abort();
    snprintf(path, sizeof(path), "%s/state", root);
    setenv("CARREL_STATE", path, 1);
    snprintf(path, sizeof(path), "%s/data", root);
    setenv("CARREL_DATA", path, 1);
    snprintf(path, sizeof(path), "%s/counts", root);
    setenv("CARREL_FAILPOINTS", path, 1);
}

static void remove_root(void)
{
    char cmd[128];

    snprintf(cmd, sizeof(cmd), "rm -rf %s", root);
    if (system(cmd)) /* NOLINT(cert-env33-c): a directory of our own */
        printf("FAILED: %s\n", cmd);
}

static void read_counts(struct failpoint_count to[POINTS])
{
    const char *path = getenv("CARREL_FAILPOINTS");
    auto_fd int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0 || read(fd, to, sizeof(counts[0])) != sizeof(counts[0]))
        memset(to, 0, sizeof(counts[0]));
}

/* The life in a program of its own, under strace with this option. */
static _Noreturn void trace(enum life l, const char *inject)
{
    char self[] = "/proc/self/exe", path[4096];
    ssize_t n = readlink(self, path, sizeof(path) - 1);
    char strace[] = "strace", follow[] = "-f", quiet[] = "-qqq", out[] = "-o", null[] = "/dev/null",
         opt[] = "-e", live[] = "live", name[16], how[128];
    char *const argv[] = { strace, follow, quiet, out, null, opt, how, path, live, name, NULL };

    path[n > 0 ? n : 0] = '\0';
    snprintf(name, sizeof(name), "%s", life_names[l]);
    snprintf(how, sizeof(how), "%s", inject);
    execvp(strace, argv);
    _exit(77);
}

static pid_t begin(enum life l, const char *what)
{
    pid_t pid;

    __atomic_add_fetch(&total->lives, 1, __ATOMIC_RELAXED);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);

        if (!getenv("CRASH_VERBOSE"))
            dup2(quiet, 2);
        if (what && !strncmp(what, "inject=", 7))
            trace(l, what);
        if (what)
            setenv("CARREL_FAILPOINT", what, 1);
        alarm(HANG_S);
        _exit(life_run(l));
    }
    return pid;
}

#define CHILDREN 16u

static unsigned children_of(pid_t pid, pid_t out[CHILDREN])
{
    char path[64], text[512], *at = text;
    unsigned n = 0;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);

    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

    text[got > 0 ? got : 0] = '\0';
    for (long next; n < CHILDREN && (next = strtol(at, &at, 10)) > 0;)
        out[n++] = (pid_t)next;
    return n;
}

/* A machine, or what becomes one: beside its keeper, the child of who holds both. */
static pid_t engine_beside(pid_t keeper, pid_t holder)
{
    pid_t list[CHILDREN];

    for (unsigned i = children_of(holder, list); i--;)
        if (list[i] != keeper)
            return list[i];
    return 0;
}

/* Whoever has stopped below a process is let go on, once its victim is killed: what was started by
 * a life is below this one, or a child of a child. */
static void go_on_below(pid_t parent, pid_t driver, bool kill_driver)
{
    pid_t list[CHILDREN];

    for (unsigned i = children_of(parent, list); i--;) {
        bool direct = parent == getpid();

        if (proc_is_stopped(list[i], proc_start_time(list[i]))) {
            pid_t victim = kill_driver ? driver : direct ? 0 : engine_beside(list[i], parent);

            if (victim > 0)
                kill(victim, SIGKILL);
            kill(list[i], SIGCONT);
        } else if (direct) {
            go_on_below(list[i], driver, kill_driver);
        }
    }
}

/* Until the life is over, well or not so. It asks again and again because nothing tells of a
 * process that stops and is no child of ours. */
static bool await(pid_t driver, bool kill_driver, const char *about)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) >= 0 && pid != driver)
        if (pid == 0) {
            poll(NULL, 0, 1);
            go_on_below(getpid(), driver, kill_driver);
        }
    if (pid == driver && WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        return !printf("FAILED %s: hangs\n", about);
    if (pid == driver && WIFEXITED(status) && WEXITSTATUS(status) == LIFE_ORPHAN)
        return !printf("FAILED %s: h03: its machine goes on without a keeper\n", about);
    return true;
}

static void one(enum life l, const char *what, bool kill_driver)
{
    char about[160];
    unsigned was = failures;
    /* Where the log itself cannot be written, its end may be missing; what is there verifies. */
    bool unlucky = strchr(what, '=') && !strcasestr(what, "=kill") && !strstr(what, "=stop");

    snprintf(about, sizeof(about), "%s %s%s", life_names[l], what,
             strstr(what, "=stop") ? kill_driver ? " (client)" : " (engine)" : "");
    fresh_root();
    failures += !await(begin(l, what), kill_driver, about);
    failures += check_all(root, about, unlucky);
    if (failures != was)
        __atomic_add_fetch(&total->bad, 1, __ATOMIC_RELAXED);
    if (failures == was || !getenv("CRASH_KEEP"))
        remove_root();
    else
        printf("    see %s\n", root);
}

/* An undisturbed life: what there is, and how often it is come to. */
static void survey(void)
{
    for (enum life l = 0; l < LIVES; l++) {
        int status;

        fresh_root();
        if (waitpid(begin(l, NULL), &status, 0) < 0 || status) {
            printf("FAILED %s: an undisturbed life ends with status %x\n", life_names[l], status);
            failures++;
        }
        read_counts(counts[l]);
        failures += check_all(root, life_names[l], false);
        remove_root();
    }
}

static int list(void)
{
    for (size_t i = 0; i < POINTS && counts[0][i].name[0]; i++) {
        unsigned kept = 0;

        for (size_t k = 0; k < POINTS; k++)
            if (!strcmp(counts[LIFE_KEPT][k].name, counts[0][i].name))
                kept = counts[LIFE_KEPT][k].hits;
        printf("%-24s %4u %4u\n", counts[0][i].name, counts[0][i].hits, kept);
    }
    return failures != 0;
}

static unsigned worker; /* of WORKERS */

static void act(enum life l, const char *name, unsigned nth, const char *how)
{
    static unsigned turn;
    char what[96];

    if (turn++ % WORKERS != worker)
        return;

    snprintf(what, sizeof(what), "%s@%u=%s", name, nth, how);
    one(l, what, false);
    if (!strcmp(how, "stop"))
        one(l, what, true);
}

static void each_point(bool all)
{
    static const char *const ways[] = { "kill", "stop", "ENOSPC", "EIO", "EMFILE" };

    for (enum life l = 0; l < LIVES; l++)
        for (size_t i = 0; i < POINTS && counts[l][i].name[0]; i++) {
            const struct failpoint_count *c = &counts[l][i];

            for (unsigned nth = 1; nth <= (all ? c->hits : c->hits > 0); nth++)
                for (size_t w = 0; w < array_len(ways); w++)
                    /* In CI both lose the process, one its machine, the other meets errors. */
                    if (all || w == 0 || (l == LIFE_EPHEMERAL) == (w == 1))
                        act(l, c->name, nth, ways[w]);
            /* A disk that stays full; waiting for a child does not fail for that. */
            if (all && c->hits && strcmp(c->name, "run.reap") != 0)
                act(l, c->name, 0, "ENOSPC");
        }
}

static void loop(void (*part)(bool all), bool all)
{
    for (worker = 0; worker < WORKERS; worker++) {
        fflush(stdout);
        if (fork() == 0) {
            failures = 0;
            if (prctl(PR_SET_CHILD_SUBREAPER, 1))
                abort();
            part(all);
            _exit(failures > 250 ? 250 : (int)failures);
        }
    }
    for (int status; wait(&status) > 0;)
        failures += WIFEXITED(status) ? (unsigned)WEXITSTATUS(status) : 1;
}

/* What no life comes to, for whoever adds one. */
static void tell_idle(void)
{
    unsigned all = 0, idle = 0;
    char names[4096] = "";

    for (size_t i = 0; i < POINTS && counts[0][i].name[0]; i++, all++) {
        unsigned hits = counts[0][i].hits;

        for (size_t k = 0; k < POINTS; k++)
            if (!strcmp(counts[LIFE_KEPT][k].name, counts[0][i].name))
                hits += counts[LIFE_KEPT][k].hits;
        if (hits)
            continue;
        idle++;
        snprintf(names + strlen(names), sizeof(names) - strlen(names), " %s", counts[0][i].name);
    }
    printf("%u failpoints, %u of them in no life:%s\n", all, idle, names);
}

/* The line that continuous integration sums. */
static void tell_total(long seconds)
{
    unsigned bad = total->bad < failures && !total->bad ? 1 : total->bad;

    printf("%u complaints, %ld s\n", failures, seconds);
    printf("%u passed, %u failed, 0 skipped\n", total->lives - bad, bad);
}

/* ---- system calls ---- */

static void each_call(bool all)
{
    static const char *const calls[] = { "openat",     "mkdirat",   "renameat",   "symlinkat",
                                         "unlinkat",   "write",     "pwrite64",   "fsync",
                                         "fdatasync",  "ftruncate", "socket",     "socketpair",
                                         "bind",       "listen",    "connect",    "sendto",
                                         "clone",      "pipe2",     "mmap",       "epoll_ctl",
                                         "epoll_wait", "fcntl",     "flock",      "memfd_create",
                                         "getrandom",  "dup2",      "execve",     "mkdir",
                                         "accept4",    "signalfd4", "close_range" };
    static const char *const errors[] = { "EMFILE", "ENOSPC", "EIO" };
    unsigned turn = 0;

    for (size_t i = 0; i < array_len(calls); i++)
        for (unsigned nth = 1; nth <= (all ? 120u : 40u); nth += all ? 1 : 1 + nth * 2) {
            char what[128];

            if (turn++ % WORKERS != worker)
                continue;
            snprintf(what, sizeof(what), "inject=%s:error=%s:when=%u", calls[i],
                     errors[turn / 7 % array_len(errors)], nth);
            /* strace stays as long as what it traces: what is kept would be waited for. */
            one(LIFE_EPHEMERAL, what, false);
        }
}

/* h04: carrel-launch killed half way, at the calls that only it makes. strace counts by process. */
static void each_layer(bool all)
{
    static const char *const calls[] = {
        "unshare",
        "sethostname",
        "mount",
        "pivot_root",
        "umount2",
        "setrlimit",
        "capset",
        "setgroups",
        "setresgid",
        "setresuid",
        "prctl",
        "landlock_create_ruleset",
        "execveat",
        "landlock_restrict_self",
        "landlock_add_rule",
        "close_range",
    };
    unsigned turn = 0;

    for (size_t i = 0; i < array_len(calls); i++)
        for (unsigned nth = 1; nth <= (all ? 12u : 3u); nth++) {
            char what[128];

            if (turn++ % WORKERS != worker)
                continue;
            snprintf(what, sizeof(what), "inject=%s:signal=KILL:when=%u", calls[i], nth);
            one(LIFE_EPHEMERAL, what, false);
        }
}

/* ---- full disks ---- */

static void each_size(bool all)
{
    for (unsigned kib = 4 + 4 * worker; kib <= 400; kib += (all ? 4 : 24) * WORKERS) {
        for (enum life l = 0; l < LIVES; l++) {
            char about[96], size[32];

            fresh_root();
            snprintf(about, sizeof(about), "%s with %u KiB", life_names[l], kib);
            snprintf(size, sizeof(size), "size=%uk", kib);
            if (mount("carrel-crash", root, "tmpfs", 0, size)) {
                puts("not allowed to mount");
                exit(77);
            }
            failures += !await(begin(l, NULL), false, about);
            /* Somebody makes room. */
            if (mount("carrel-crash", root, "tmpfs", MS_REMOUNT, "size=64m"))
                abort();
            failures += check_all(root, about, true);
            if (umount2(root, MNT_DETACH))
                abort();
            remove_root();
        }
    }
}

static long rss_kib(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    long pages = 0, resident = 0;

    if (f && fscanf(f, "%ld %ld", &pages, &resident) != 2)
        resident = 0;
    if (f)
        fclose(f);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void cycles(unsigned n)
{
    long before = 0;
    unsigned fds = 0, mounts = check_mounts();

    unsetenv("CARREL_AWAIT_MS"); /* nobody dies here: a busy host is to be waited for */
    fresh_root();
    for (unsigned i = 0; i < n; i++) {
        failures += !await(begin(LIFE_EPHEMERAL, NULL), false, "cycles");
        while (waitpid(-1, NULL, 0) > 0)
            ;
        if (i == n / 10) {
            before = rss_kib();
            fds = check_descriptors();
        }
    }
    bool grew = check_descriptors() != fds || check_mounts() != mounts || rss_kib() > before + 256;

    printf("%scycles: descriptors %u -> %u, mounts %u -> %u, memory %ld -> %ld KiB\n",
           grew ? "FAILED " : "", fds, check_descriptors(), mounts, check_mounts(), before,
           rss_kib());
    failures += grew;
    failures += check_all(root, "cycles", false);
    remove_root();
}

static int by_size(const void *a, const void *b)
{
    const unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

    return (x > y) - (x < y);
}

static void kills(unsigned n)
{
    const unsigned lives = (n + CRASH_KILLS - 1) / CRASH_KILLS, all = lives * CRASH_KILLS;
    unsigned *us = mmap(NULL, (size_t)all * sizeof(*us), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (us == MAP_FAILED || !all)
        abort();
    fresh_root();
    for (unsigned i = 0; i < lives; i++) {
        int status = 1;

        total->lives++;
        fflush(stdout);
        if (fork() == 0) {
            alarm(HANG_S);
            _exit(life_kills(us + (size_t)i * CRASH_KILLS));
        }
        while (wait(&status) > 0) /* machines, too, which are killed */
            failures += status != 0 && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    qsort(us, all, sizeof(*us), by_size);
    printf("kills: %u keepers, another answers after %u us (p50), %u us (p99), %u us at most\n",
           all, us[all / 2], us[all - 1 - all / 100], us[all - 1]);
    if (us[all / 2] > 100000) {
        puts("FAILED: not within 100 ms");
        failures++;
    }
    failures += check_all(root, "kills", false);
    remove_root();
}

static void many(unsigned n)
{
    int status;

    fresh_root();
    unsetenv("CARREL_AWAIT_MS");
    setenv("CRASH_UNNAMED", "1", 1);
    for (unsigned i = 0; i < n; i++)
        begin(LIFE_EPHEMERAL, NULL);
    while (wait(&status) > 0)
        if (!WIFEXITED(status) || WEXITSTATUS(status)) {
            printf("FAILED many: status %x\n", status);
            failures++;
        }
    unsetenv("CRASH_UNNAMED");
    failures += check_all(root, "many", false);
    remove_root();
}

/* Where that is allowed: what others mount meanwhile is not ours to count. */
static void own_mounts(void)
{
    if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
        abort();
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    struct timespec begun, now;
    unsigned mounts;

    own_mounts();
    mounts = check_mounts();

    total = mmap(NULL, sizeof(*total), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (total == MAP_FAILED)
        return 2;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1))
        return 2;
    setenv("CARREL_AWAIT_MS", "150", 1);
    if (!strcmp(verb, "one") && argc == 4) {
        one(strcmp(argv[2], "kept") ? LIFE_EPHEMERAL : LIFE_KEPT, argv[3], false);
        if (strstr(argv[3], "=stop"))
            one(strcmp(argv[2], "kept") ? LIFE_EPHEMERAL : LIFE_KEPT, argv[3], true);
    } else if (!strcmp(verb, "list")) {
        survey();
        return list();
    } else if (!strcmp(verb, "ci") || !strcmp(verb, "all")) {
        survey();
        tell_idle();
        loop(each_point, !strcmp(verb, "all"));
    } else if (!strcmp(verb, "live") && argc == 3) {
        alarm(HANG_S);
        return life_run(strcmp(argv[2], "kept") ? LIFE_EPHEMERAL : LIFE_KEPT);
    } else if (!strcmp(verb, "full")) {
        loop(each_size, argc > 2);
    } else if (!strcmp(verb, "nth")) {
        if (system("strace -V >/dev/null 2>&1")) { /* NOLINT(cert-env33-c) */
            puts("strace is not installed");
            return 77;
        }
        loop(each_call, argc > 2);
        loop(each_layer, argc > 2);
    } else if (!strcmp(verb, "cycles") && argc == 3) {
        cycles((unsigned)strtoul(argv[2], NULL, 10));
    } else if (!strcmp(verb, "kills") && argc == 3) {
        kills((unsigned)strtoul(argv[2], NULL, 10));
    } else if (!strcmp(verb, "many") && argc == 3) {
        many((unsigned)strtoul(argv[2], NULL, 10));
    } else {
        fputs("crash list|ci|all|one LIFE WHAT|full [all]|nth [all]|cycles N|many N|kills N\n",
              stderr);
        return 2;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (check_mounts() != mounts) {
        puts("FAILED: mounts are left");
        failures++;
    }
    tell_total((long)(now.tv_sec - begun.tv_sec));
    return failures != 0;
}
