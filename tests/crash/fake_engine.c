/*
 * fake_engine.c - in the place of engine.c: a machine that costs no boot. Spawned, jailed and
 * reported on as the engine "kvm" is, except that its program is fake_vmm.c.
 */
#include "sandbox/engine/engine.h"

#include "base/fd.h"
#include "base/jail.h"
#include "sandbox/engine/connect.h"
#include "sandbox/engine/jail.h"
#include "sandbox/engine/spawn.h"
#include "sandbox/places.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

static int check(char hint[240], struct err *e)
{
    (void)hint;
    (void)e;
    return 0;
}

static int start(const struct engine_spec *spec, struct engine_run *run, struct err *e)
{
    char *path = places_program("carrel-vmm", e), number[12], name[] = "carrel-vmm";
    char spares[ENGINE_SPARES][12];
    char *argv[2 + ENGINE_SPARES + 1] = { name, number };
    int report[2], err;
    struct spawn s;

    engine_run_init(run);
    if (!path)
        return -ENOENT;
    if (pipe2(report, O_CLOEXEC | O_NONBLOCK)) {
        free(path);
        return err_sys(e, "starting the engine");
    }
    spawn_init(&s);
    s.path = path;
    s.argv = argv;
    s.log_fd = spec->log_fd;
    s.jail = spec->jail;
    s.sibling = spec->sibling;
    s.report_fd = report[1];
    run->jailed = spec->jail;
    run->filtered = true;
    run->report_fd = report[0];
    snprintf(number, sizeof(number), "%d", spawn_keep(&s, spec->port_fds[0], JAIL_SOCK));
    for (unsigned i = 0; i < spec->nspares; i++) {
        snprintf(spares[i], sizeof(spares[i]), "%d", spawn_keep(&s, spec->spare_fds[i], JAIL_SOCK));
        argv[2 + i] = spares[i];
    }
    spawn_keep(&s, spec->disk_fd, JAIL_REG);
    err = spawn_gated(&s, run, e);
    close(report[1]);
    free(path);
    return err;
}

static bool report(struct engine_run *run)
{
    char bytes[sizeof(struct jail_report)];
    ssize_t n;

    while ((n = read(run->report_fd, bytes, sizeof(bytes))) > 0)
        (void)jail_take(run, bytes, (size_t)n);
    return n < 0 && errno == EAGAIN;
}

static void end(struct engine_run *run, int status, struct engine_end *out)
{
    report(run);
    snprintf(out->reason, sizeof(out->reason), "%s",
             jail_refusal(run) ? "refused"
             : status == 0     ? "poweroff"
                               : "vmm-crash");
    snprintf(out->text, sizeof(out->text), "%s", jail_refusal(run) ? jail_refusal(run) : "");
}

static const struct engine fake = {
    .name = "kvm",
    .check = check,
    .connect = connect_pairs,
    .start = start,
    .report = report,
    .end = end,
    .outlives_files = true,
};

const struct engine *engine_choose(const char *name, char why[240], char hint[240], struct err *e)
{
    (void)name;
    (void)e;
    snprintf(why, 240, "a test's");
    hint[0] = '\0';
    return &fake;
}
