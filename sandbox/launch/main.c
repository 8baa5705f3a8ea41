/*
 * carrel-launch - builds the jail round itself, then becomes the machine.
 *
 * It is the only program of Carrel that holds privileges, for a few milliseconds: those of a fresh
 * user namespace, or root's. It parses no text: one record of fixed size comes in, one report of
 * fixed size goes out. It is started by carrel-keeper, not by people.
 */
#include "sandbox/launch/launch.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct jail_record record;
static struct jail_report report = { .magic = JAIL_MAGIC, .version = JAIL_VERSION };

/* Made with the process; it is PID 1 of its namespace, or it is not in one. */
static int layer_pids(const struct jail_record *r, struct err *e)
{
    if (r->made[1] || getpid() != 1)
        return err_set(e, r->made[1] ? r->made[1] : EPERM, "PID namespace");
    return 0;
}

/* Top to bottom. CAPS comes twice, round the change of user: see identity.c. */
static const struct {
    enum jail_layer layer;
    int (*apply)(const struct jail_record *r, struct err *e);
} story[] = {
    { JAIL_PIDS, layer_pids },         { JAIL_CGROUP, layer_cgroup },
    { JAIL_IPC, layer_ipc },           { JAIL_UTS, layer_uts },
    { JAIL_NET, layer_net },           { JAIL_CGROUP_NS, layer_cgroup_ns },
    { JAIL_ROOT, layer_root },         { JAIL_LIMITS, layer_limits },
    { JAIL_CAPS, layer_caps },         { JAIL_USER, layer_user },
    { JAIL_CAPS, layer_caps },         { JAIL_NO_NEW_PRIVS, layer_no_new_privs },
    { JAIL_LANDLOCK, layer_landlock },
};

static const char *layer_name(enum jail_layer l)
{
    static const char *const names[] = {
#define X(id, name, what) [JAIL_##id] = (name),
        JAIL_LAYERS_LIST(X)
#undef X
    };

    return names[l];
}

/* 0, or -errno when a layer that is required is not to be had. */
static int build(struct err *e)
{
    for (size_t i = 0; i < array_len(story); i++) {
        enum jail_layer l = story[i].layer;
        struct err why = ERR_INIT;

        if (record.level[l] == JAIL_OFF || report.outcome[l] == JAIL_ABSENT)
            continue;
        if (!story[i].apply(&record, &why)) {
            report.outcome[l] = JAIL_APPLIED;
            continue;
        }
        report.outcome[l] = JAIL_ABSENT;
        report.error[l] = why.code;
        if (record.level[l] == JAIL_REQUIRED) {
            report.refused = l + 1u;
            return err_set(e, why.code, "the layer \"%s\" is required: %s", layer_name(l), why.msg);
        }
    }
    return 0;
}

/* The second report where the first went: the program did not start after all. */
static int refuse(const struct err *e)
{
    fprintf(stderr, "carrel-launch: %s\n", e->msg);
    if (record.report_fd < 3)
        return 1;
    if (!report.refused)
        report.refused = JAIL_LAYERS + 1;
    snprintf(report.text, sizeof(report.text), "%.*s", (int)sizeof(report.text) - 1, e->msg);
    return io_write_full(record.report_fd, &report, sizeof(report)) ? 2 : 1;
}

/* cgroup descriptors have done their duty; the program's own end stays ours until it runs. */
static int hand_over(struct err *e)
{
    bool inherits = false;

    for (uint32_t i = 0; i < record.ncgroups; i++)
        close(record.cgroup_fd[i]);
    for (uint32_t i = 0; i < record.nfds; i++) {
        if (fcntl(record.fds[i].fd, F_SETFD, 0))
            return err_sys(e, "descriptor %d", record.fds[i].fd);
        inherits = inherits || record.fds[i].fd == record.report_fd;
    }
    if (fcntl(record.program_fd, F_SETFD, FD_CLOEXEC) ||
        (!inherits && fcntl(record.report_fd, F_SETFD, FD_CLOEXEC)))
        return err_sys(e, "descriptors");
    return 0;
}

/* h03: it ends with its parent, the holder of keepers. The kernel forgets this when a process
 * changes its user (prctl(2), PR_SET_PDEATHSIG), so it comes after all layers, and before the
 * report: a keeper that died in between, with the holder, reads no report, and its writer ends by
 * that. */
static int bind_to_parent(struct err *e)
{
    return prctl(PR_SET_PDEATHSIG, SIGKILL) ? err_sys(e, "parent-death signal") : 0;
}

static int launch(int fd, struct err *e)
{
    char *args[JAIL_ARGS_MAX + 1], *none[] = { NULL };
    int err = record_read(fd, &record, e);

    if (!err)
        err = record_check(&record, e);
    if (err) {
        record.report_fd = -1; /* nobody knows where that leads */
        return err;
    }
    err = record_close_others(&record, e);
    if (!err)
        err = record_check_fds(&record, e);
    if (!err)
        err = build(e);
    if (!err)
        err = hand_over(e);
    if (!err)
        err = bind_to_parent(e);
    if (err)
        return err;
    report.landlock = (uint32_t)landlock_abi();
    err = io_write_full(record.report_fd, &report, sizeof(report));
    if (err)
        return err_set(e, -err, "report: %s", strerror(-err));
    if (!record_strings(record.args, sizeof(record.args), record.nargs, args))
        return err_set(e, EINVAL, "arguments");
    syscall(SYS_execveat, record.program_fd, "", args, none, AT_EMPTY_PATH);
    return err_sys(e, "executing the program");
}

int main(int argc, char **argv)
{
    struct err e = ERR_INIT;
    char *end = NULL;
    long fd = argc == 2 ? strtol(argv[1], &end, 10) : -1;

    if (!end || *end || end == argv[1] || fd < 3 || fd > 65536) {
        fputs("carrel-launch is started by carrel-keeper, not by hand\n", stderr);
        return 2;
    }
    record.report_fd = -1;
    launch((int)fd, &e);
    return refuse(&e);
}
