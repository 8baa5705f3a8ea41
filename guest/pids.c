/* pids.c - see pids.h. */
#include "guest/pids.h"

#include "guest/cgroup.h"
#include "guest/kmsg.h"
#include "guest/setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>

#define PIDS_MAX 4194304u /* PID_MAX_LIMIT, linux/threads.h: as many as there can be */
#define SPARE    16u      /* threads that the kernel may start later */

static int limit_threads(struct limits *all, uint32_t max, struct err *e)
{
    struct sysinfo si;
    char text[16];
    int err;

    if (!all->others) {
        if (sysinfo(&si))
            return err_sys(e, "counting threads");
        kmsg(KMSG_INFO, "no pids cgroup: kernel.threads-max it is");
        all->others = si.procs + SPARE;
    }
    snprintf(text, sizeof(text), "%u", max + all->others);
    err = setup_sysctl("kernel/threads-max", text);
    return err ? err_set(e, -err, "kernel.threads-max: %s", strerror(-err)) : 0;
}

int pids_limit(struct limits *all, int commands, uint32_t max, struct err *e)
{
    char text[16];
    int err = -ENOENT;

    if (max > PIDS_MAX)
        max = PIDS_MAX;
    snprintf(text, sizeof(text), "%u", max);
    if (commands >= 0)
        err = cgroup_write(commands, "pids.max", text);
    if (err == -ENOENT)
        return limit_threads(all, max, e);
    return err ? err_set(e, -err, "pids.max: %s", strerror(-err)) : 0;
}
