/* power.c - see power.h. */
#include "guest/power.h"

#include "guest/kmsg.h"
#include "guest/mounts.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <unistd.h>

#define KILL_WAIT_MS  1000u /* a killed process that does not go is stuck in the kernel */
#define LAST_WORDS_MS 200

static void grace_over(struct alarm *a)
{
    struct power *p = container_of(a, struct power, grace);

    if (p->state == POWER_TERM) {
        p->state = POWER_KILL;
        kill(-1, SIGKILL);
        alarm_set(p->alarms, &p->grace, KILL_WAIT_MS);
    } else {
        p->state = POWER_LATE;
    }
}

void power_init(struct power *p, struct loop *l, struct alarms *a, struct control *c,
                struct reaper *r)
{
    *p = (struct power){ .loop = l, .alarms = a, .control = c, .reaper = r, .layer = -1 };
    p->grace.ring = grace_over;
}

void power_begin(struct power *p, uint32_t grace_ms)
{
    if (p->state != POWER_ON)
        return;
    kmsg_trace("power off");
    p->state = POWER_TERM;
    control_refuse(p->control);
    kill(-1, SIGTERM);
    kill(-1, SIGCONT);
    alarm_set(p->alarms, &p->grace, grace_ms);
    reaper_collect(p->reaper);
}

void power_settle(struct power *p)
{
    struct pollfd port = { .fd = p->control->port.fd, .events = POLLOUT };

    if (p->state == POWER_ON)
        return;
    /* Jobs whose process has ended may still have output to hand on. */
    if (p->state != POWER_LATE && (!p->reaper->childless || jobs_busy(&p->control->jobs)))
        return;
    while (control_pending(p->control) && poll(&port, 1, LAST_WORDS_MS) > 0 &&
           !(port.revents & (POLLHUP | POLLERR)))
        control_settle(p->control);
    power_off(p->layer);
}

/* Nothing runs any more, so no file is open for writing but by mistake of the kernel. */
static void rest(int layer)
{
    char path[32];

    sync();
    mounts_rest();
    if (layer < 0)
        return;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", layer);
    if (mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) ||
        mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL))
        kmsg(KMSG_WARNING, "the writable layer stays mounted: %s", strerror(errno));
}

_Noreturn void power_off(int layer)
{
    rest(layer);
    reboot(RB_POWER_OFF);
    /* No way to power off: a restart ends the machine as well, for it has no firmware to go on. */
    reboot(RB_AUTOBOOT);
    for (;;)
        pause();
}
