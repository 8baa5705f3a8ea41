/* spawn.c - see spawn.h. */
#include "sandbox/engine/spawn.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/own.h"
#include "sandbox/places.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void engine_run_init(struct engine_run *r)
{
    *r = (struct engine_run){ .pidfd = -1, .gate_fd = -1, .report_fd = -1 };
}

void engine_run_fini(struct engine_run *r)
{
    fd_closep(&r->pidfd);
    fd_closep(&r->gate_fd);
    fd_closep(&r->report_fd);
}

int engine_release(struct engine_run *r, struct err *e)
{
    if (FAILPOINT("spawn.release") || write(r->gate_fd, "", 1) != 1)
        return err_sys(e, "the engine ended before it began");
    fd_closep(&r->gate_fd);
    return 0;
}

void spawn_init(struct spawn *s)
{
    *s = (struct spawn){ .log_fd = -1, .report_fd = -1 };
    for (unsigned i = 0; i < JAIL_LIMITS_N; i++)
        s->limit[i] = UINT64_MAX;
}

int spawn_keep(struct spawn *s, int fd, uint32_t kinds)
{
    unsigned at = s->nkeep;

    if (fd < 0)
        return fd;
    if (s->nkeep == JAIL_FDS_MAX)
        abort(); /* engines have a fixed number of parts */
    for (; at && s->keep[at - 1].fd > fd; at--)
        s->keep[at] = s->keep[at - 1];
    s->keep[at] = (struct jail_fd){ fd, kinds };
    s->nkeep++;
    return fd;
}

/* ---- the child ---- */

/* What it executes: the program itself, or carrel-launch. Descriptors, so that nobody can put
 * another file there between the look and the leap. */
struct leap {
    int program;
    char *const *argv;
    int record; /* -1: no jail */
};

/* Between fork and exec: async-signal-safe calls only. */
static _Noreturn void become(const struct spawn *s, const struct leap *leap, int gate)
{
    static const char failed[] = "the engine could not be executed\n";
    static const struct rlimit no_core = { 0, 0 };
    static const int ignorable[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGPIPE, SIGTERM,
                                     SIGCHLD, SIGTSTP, SIGTTIN, SIGTTOU };
    static char *const none[] = { NULL };
    sigset_t set;
    char go;

    for (size_t i = 0; i < array_len(ignorable); i++) /* handlers do not survive an exec anyway */
        signal(ignorable[i], SIG_DFL);
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    /* h03: no machine goes on that nobody watches: it ends with its parent. Before the gate: who is
     * dead by then does not open it. A change of user undoes this, so carrel-launch does it again.
     */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (read(gate, &go, 1) != 1)
        _exit(0); /* nobody knows of us */

    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    setrlimit(RLIMIT_CORE, &no_core); /* guest memory does not belong into core files */
    if (dup2(null, 0) == 0 && dup2(s->log_fd, 1) == 1 && dup2(s->log_fd, 2) == 2) {
        for (unsigned i = 0; i < s->nkeep; i++)
            fcntl(s->keep[i].fd, F_SETFD, 0);
        if (leap->record >= 0) {
            fcntl(leap->record, F_SETFD, 0);
            fcntl(s->report_fd, F_SETFD, 0);
            for (unsigned i = 0; i < s->jail->ncgroups; i++)
                fcntl(s->jail->cgroup_fd[i], F_SETFD, 0);
        }
        syscall(SYS_execveat, leap->program, "", leap->argv, none, AT_EMPTY_PATH);
    }
    if (write(2, failed, sizeof(failed) - 1) < 0)
        _exit(126);
    _exit(127);
}

/* ---- the parent ---- */

/* h01: whoever owns or may write a program is who runs: root or ourselves, and nobody else. */
static int open_program(const char *path, struct err *e)
{
    auto_fd int fd =
        FAILPOINT("spawn.open") ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;

    if (fd < 0 || fstat(fd, &st))
        return err_sys(e, "%s", path);
    if (!S_ISREG(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()) || st.st_mode & 022)
        return err_set(e, EACCES,
                       "%s: not a plain file that only root or its user may write: chmod go-w",
                       path);
    return fd_steal(&fd);
}

static int write_text(pid_t pid, const char *file, const char *text)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);

    auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -errno;
}

/* In its namespace it is uid 0, and that is us (or, started by root, the uid that was claimed). */
static int map_user(pid_t pid, const struct jail *j)
{
    char line[48];
    uid_t uid = j->uid ? j->uid : geteuid();
    gid_t gid = j->uid ? j->uid : getegid();
    int err = FAILPOINT("spawn.map") ? -errno : write_text(pid, "setgroups", "deny");

    snprintf(line, sizeof(line), "0 %u 1\n", gid);
    if (!err)
        err = write_text(pid, "gid_map", line);
    snprintf(line, sizeof(line), "0 %u 1\n", uid);
    return err ? err : write_text(pid, "uid_map", line);
}

/* As fork, into these namespaces; run->pidfd is the new process's. */
static pid_t make_process(unsigned long flags, struct engine_run *run)
{
    int pidfd = -1;
    long pid = FAILPOINT("spawn.clone")
                   ? -1
                   : syscall(SYS_clone, flags | CLONE_PIDFD | SIGCHLD, NULL, &pidfd, NULL, 0);

    if (pid > 0)
        run->pidfd = pidfd;
    return pid < 0 ? (pid_t)-errno : (pid_t)pid;
}

/* A sibling is not waited for. */
static void discard(struct engine_run *run)
{
    (void)syscall(SYS_pidfd_send_signal, run->pidfd, SIGKILL, NULL, 0);
    while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    run->pid = 0;
    fd_closep(&run->pidfd);
}

/*
 * Root needs no user namespace; everybody else needs one for the PID namespace. What cannot be had
 * is left out, one by one; carrel-launch judges whether that will do.
 */
static int make_jailed(const struct spawn *s, const struct leap *leap, int gate, int ours,
                       struct jail_record *r, struct engine_run *run, struct err *e)
{
    const unsigned long both = CLONE_NEWUSER | CLONE_NEWPID;
    unsigned long tries[3] = { geteuid() ? both : CLONE_NEWPID, both, 0 };
    int err = EPERM;

    for (unsigned i = 0; i < array_len(tries); i++) {
        unsigned long flags = tries[i], kin = s->sibling ? CLONE_PARENT : 0;

        if (s->jail->level[JAIL_USER] == JAIL_OFF && geteuid())
            flags = 0;
        if (s->jail->level[JAIL_PIDS] == JAIL_OFF)
            flags &= ~(unsigned long)CLONE_NEWPID;
        run->pid = make_process(flags | kin, run);
        if (run->pid == 0) {
            close(ours); /* or it would wait for itself */
            become(s, leap, gate);
        }
        if (run->pid < 0) {
            err = -run->pid;
            run->pid = 0;
            continue;
        }
        if (flags & CLONE_NEWUSER) {
            int bad = map_user(run->pid, s->jail);

            if (bad) {
                err = -bad;
                discard(run);
                continue;
            }
        }
        r->made[0] = flags & CLONE_NEWUSER ? 0 : err;
        r->made[1] = flags & CLONE_NEWPID ? 0 : err;
        return 0;
    }
    return err_set(e, err, "starting the engine: %s", strerror(err));
}

/* Strings one after the other; how many there were, or -1. */
static int flatten(const char *const *list, char *out, size_t room)
{
    int n = 0;

    for (; list && list[n]; n++) {
        size_t len = strlen(list[n]) + 1;

        if (len > room)
            return -1;
        memcpy(out, list[n], len);
        out += len;
        room -= len;
    }
    return n;
}

static int fill_record(const struct spawn *s, int program, struct jail_record *r, struct err *e)
{
    int nargs, nbinds;

    *r = (struct jail_record){ .magic = JAIL_MAGIC,
                               .version = JAIL_VERSION,
                               .size = sizeof(*r),
                               .uid = s->jail->uid,
                               .gid = s->jail->uid,
                               .program_fd = program,
                               .report_fd = s->report_fd,
                               .ncgroups = s->jail->ncgroups,
                               .nfds = s->nkeep };
    memcpy(r->level, s->jail->level, sizeof(r->level));
    memcpy(r->limit, s->limit, sizeof(r->limit));
    memcpy(r->cgroup_fd, s->jail->cgroup_fd, sizeof(r->cgroup_fd));
    memcpy(r->fds, s->keep, sizeof(r->fds));
    nargs = flatten((const char *const *)s->argv, r->args, sizeof(r->args));
    nbinds = flatten(s->binds, r->binds, sizeof(r->binds));
    if (nargs < 1 || nargs > (int)JAIL_ARGS_MAX || nbinds < 0 || nbinds > (int)JAIL_BINDS_MAX)
        return err_set(e, E2BIG, "the engine's command line is too long");
    r->nargs = (uint32_t)nargs;
    r->nbinds = (uint32_t)nbinds;
    return 0;
}

static int seal_record(int fd, const struct jail_record *r, struct err *e)
{
    int err = FAILPOINT("spawn.seal") ? -errno : io_write_full(fd, r, sizeof(*r));

    if (err || fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
        return err_set(e, err ? -err : errno, "jail record");
    return 0;
}

static int spawn_jailed(const struct spawn *s, int program, int gate, int ours,
                        struct engine_run *run, struct err *e)
{
    auto_str char *path = places_program("carrel-launch", e);
    char name[] = "carrel-launch", number[12];
    char *argv[] = { name, number, NULL };
    struct jail_record r;
    int err;

    if (!path)
        return -e->code;

    auto_fd int launcher = open_program(path, e);
    auto_fd int record =
        FAILPOINT("spawn.record") ? -1 : memfd_create("jail", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    /* Close-on-exec would close it before carrel-launch has it. */
    auto_fd int passed = launcher < 0 ? -1 : fcntl(program, F_DUPFD, 3);
    const struct leap leap = { launcher, argv, record };

    if (launcher < 0)
        return launcher;
    if (record < 0 || passed < 0)
        return err_sys(e, "starting the engine");
    snprintf(number, sizeof(number), "%d", record);
    err = fill_record(s, passed, &r, e);
    if (!err)
        err = make_jailed(s, &leap, gate, ours, &r, run, e);
    if (err)
        return err;
    err = seal_record(record, &r, e);
    if (err)
        discard(run);
    return err;
}

/* For whoever compares the living process with it later. */
static void note(const struct spawn *s, struct engine_run *run)
{
    struct stat st;

    memcpy(run->limit, s->limit, sizeof(run->limit));
    if (!stat("/dev/null", &st)) /* its standard input: see become */
        run->file[run->nfiles++] = (struct box_file){ st.st_dev, st.st_ino };
    if (!fstat(s->log_fd, &st) && !S_ISFIFO(st.st_mode))
        run->file[run->nfiles++] = (struct box_file){ st.st_dev, st.st_ino };
    for (unsigned i = 0; i < s->nkeep && run->nfiles < JAIL_FDS_MAX; i++)
        if (s->keep[i].kinds & (JAIL_REG | JAIL_BLK | JAIL_CHR | JAIL_DIR | JAIL_DIR_RW) &&
            !fstat(s->keep[i].fd, &st))
            run->file[run->nfiles++] = (struct box_file){ st.st_dev, st.st_ino };
}

int spawn_gated(const struct spawn *s, struct engine_run *run, struct err *e)
{
    auto_fd int program = open_program(s->path, e);
    int gate[2], err;

    if (program < 0)
        return program;
    if (FAILPOINT("spawn.gate") || pipe2(gate, O_CLOEXEC))
        return err_sys(e, "starting the engine");

    auto_fd int theirs = gate[0];
    auto_fd int ours = gate[1];

    note(s, run);
    if (s->jail) {
        err = spawn_jailed(s, program, theirs, ours, run, e);
        if (err)
            return err;
    } else {
        const struct leap leap = { program, s->argv, -1 };
        pid_t pid = make_process(s->sibling ? CLONE_PARENT : 0, run);

        if (pid < 0)
            return err_set(e, -pid, "starting the engine: %s", strerror(-pid));
        if (pid == 0) {
            close(ours); /* or it would wait for itself */
            become(s, &leap, theirs);
        }
        run->pid = pid;
    }
    run->gate_fd = fd_steal(&ours);
    return 0;
}
