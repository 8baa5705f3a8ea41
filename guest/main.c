/*
 * main.c - carrel-init, PID 1 of every Carrel guest.
 *
 * From the initramfs to a root for tools, then a server on the control port until the end. It never
 * gives up silently: what cannot go on is said on the kernel log, and the machine powers off.
 */
#include "guest/cgroup.h"
#include "guest/control.h"
#include "guest/kmsg.h"
#include "guest/modules.h"
#include "guest/mounts.h"
#include "guest/nodes.h"
#include "guest/ports.h"
#include "guest/power.h"
#include "guest/reaper.h"
#include "guest/setup.h"
#include "guest/uevent.h"

#include "base/fd.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>

static struct guest {
    struct loop loop;
    struct alarms alarms;
    struct control control;
    struct reaper reaper;
    struct power power;
    int layer;
    struct cmdline cmdline;
    struct origin origin;
    int port;
    char port_path[64];
} guest;

static _Noreturn void fatal(const struct err *e)
{
    kmsg(KMSG_CRIT, "cannot go on: %s", e->msg);
    power_off(guest.layer);
}

/* Descriptors 0 to 2 exist in PID 1 only when the initramfs has a console. */
static void open_stdio(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd < 2);
    if (fd > 2)
        close(fd);
}

/* A file of /proc has no size to go by. */
static int load_cmdline(struct cmdline *c, struct err *e)
{
    auto_fd int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
    char text[4096];
    ssize_t n = fd < 0 ? -errno : io_read_full(fd, text, sizeof(text) - 1);

    if (n < 0)
        return err_set(e, (int)-n, "/proc/cmdline: %s", strerror((int)-n));
    text[n] = '\0';
    return cmdline_parse(text, c, e);
}

/* From power-on to the root that tools see. */
static int boot(struct err *e)
{
    auto_fd int uevents = -1;
    int err = mounts_early(e);

    kmsg_open();
    if (err)
        return err;
    open_stdio();
    err = load_cmdline(&guest.cmdline, e);
    if (err)
        return err;
    if (guest.cmdline.trace)
        kmsg_trace_on();
    err = uevent_open(&uevents, e);
    if (err)
        return err;
    kmsg_trace("start");
    modules_load(guest.cmdline.verity_blocks != 0);
    kmsg_trace("modules");
    err = mounts_root(&guest.cmdline, uevents, &guest.layer, &guest.origin, e);
    if (!err)
        err = mounts_switch(&guest.cmdline, e);
    if (!err)
        err = mounts_volumes(&guest.cmdline, uevents, e);
    if (!err)
        err = mounts_live(&guest.cmdline, e);
    if (err)
        return err;
    kmsg_trace("root");
    setup_defaults();
    err = mounts_close(e);
    kmsg_trace("settings");
    if (!err)
        err = port_find(PORT_CONTROL, uevents, guest.port_path, e);
    if (!err)
        err = port_hold(guest.port_path, e);
    if (!err)
        nodes_remove();
    return err;
}

/* ---- the control port ---- */

static void host_lost(void *arg, const char *why)
{
    (void)arg;
    if (*why)
        kmsg(KMSG_WARNING, "control port: %s", why);
}

static int apply_setup(void *arg, const struct request *r, struct err *e)
{
    (void)arg;
    return setup_apply(r, &guest.control.jobs.limits, guest.control.jobs.groups.dir, e);
}

static void power_asked(void *arg, uint32_t grace_ms)
{
    (void)arg;
    power_begin(&guest.power, grace_ms);
}

static void power_signalled(void *arg)
{
    (void)arg;
    power_begin(&guest.power, GRACE_MS);
}

static const struct control_host host = {
    .setup = apply_setup,
    .poweroff = power_asked,
    .lost = host_lost,
};

/* What runs without one is told when a command needs it (job.h). */
static void open_groups(struct groups *gs)
{
    gs->dir = cgroup_open();
    if (gs->dir < 0) {
        kmsg(KMSG_WARNING, "no cgroup v2: %s", strerror(-gs->dir));
        gs->dir = -1;
    }
}

static int start(struct err *e)
{
    int err = loop_init(&guest.loop, e);

    if (!err)
        err = alarms_init(&guest.alarms, &guest.loop, e);
    if (err)
        return err;
    control_init(&guest.control, &guest.loop, &guest.alarms, &host);
    open_groups(&guest.control.jobs.groups);
    guest.control.jobs.origin = guest.origin;
    err = reaper_init(&guest.reaper, &guest.loop, &guest.control.jobs, e);
    if (err)
        return err;
    guest.reaper.power = power_signalled;
    power_init(&guest.power, &guest.loop, &guest.alarms, &guest.control, &guest.reaper);
    guest.power.layer = guest.layer;
    err = port_open(guest.port_path, &guest.port, e);
    return err ? err : control_attach(&guest.control, guest.port, e);
}

int main(void)
{
    struct err e = ERR_INIT;

    /* Its steps are not for a running system. */
    if (getpid() != 1) {
        fputs("carrel-init: is the first process of a guest, nothing else\n", stderr);
        return 2;
    }
    guest.layer = guest.port = -1;
    kmsg_trace("");
    umask(0);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)reboot(RB_DISABLE_CAD);
    if (boot(&e) || start(&e))
        fatal(&e);
    kmsg_trace("ready");
    for (;;) {
        if (loop_once(&guest.loop, -1, &e))
            fatal(&e);
        control_settle(&guest.control);
        power_settle(&guest.power);
    }
}
