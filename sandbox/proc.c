/* proc.c - see proc.h. */
#include "sandbox/proc.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

/* Fields of /proc/PID/stat from the third on follow the last ')': a program may be named "a) b". */
#define FIELDS_AFTER_NAME 20
#define STAT_MAX          1024
#define FIELDS_TO_FLAGS   7    /* from there: proc(5), field 9 */
#define PF_EXITING        0x4u /* include/linux/sched.h; as old as the field */

/* What follows the name in /proc/PID/stat, from the blank before the state on; NULL: no process. */
static const char *stat_of(pid_t pid, char text[STAT_MAX])
{
    char path[32];

    if (pid <= 0)
        return NULL;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);

    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : io_read_full(fd, text, STAT_MAX - 1);

    if (n <= 0)
        return NULL;
    text[n] = '\0';
    return strrchr(text, ')');
}

/* The letter of its state (proc(5), field 3); 0: it is not there any more. */
static int state_of(pid_t pid, uint64_t start)
{
    char text[STAT_MAX];
    const char *p = start && proc_start_time(pid) == start ? stat_of(pid, text) : NULL;

    return p && p[1] == ' ' ? p[2] : 0;
}

bool proc_runs(pid_t pid, uint64_t start)
{
    int state = state_of(pid, start);

    return state && !strchr("ZXx", state);
}

bool proc_is_stopped(pid_t pid, uint64_t start)
{
    int state = state_of(pid, start);

    return state == 'T' || state == 't';
}

uint64_t proc_start_time(pid_t pid)
{
    char text[STAT_MAX];
    const char *p = stat_of(pid, text);

    for (int i = 0; p && i < FIELDS_AFTER_NAME; i++) {
        p = strchr(p, ' ');
        if (p)
            p++;
    }
    return p ? strtoull(p, NULL, 10) : 0;
}

bool proc_is_gone(pid_t pid)
{
    char text[STAT_MAX];
    const char *p;

    if (pid <= 0 || (kill(pid, 0) && errno == ESRCH))
        return true;
    p = stat_of(pid, text);
    if (p && p[1] == ' ' && strchr("ZXx", p[2]))
        return true;
    for (int i = 0; p && i < FIELDS_TO_FLAGS; i++) {
        p = strchr(p, ' ');
        if (p)
            p++;
    }
    /* A process that was killed lets go of its locks some time before it becomes a zombie. */
    return p && strtoul(p, NULL, 10) & PF_EXITING;
}

int proc_kill(pid_t pid, uint64_t start, int timeout_ms, struct err *e)
{
    if (pid <= 0 || start == 0)
        return 0;

    /* The descriptor first, then the question: it names whatever has the pid now, for good. */
    auto_fd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (pidfd < 0)
        return errno == ESRCH ? 0 : err_sys(e, "process %d", (int)pid);
    if (proc_start_time(pid) != start)
        return 0;
    if (FAILPOINT("proc.kill") || syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0))
        return errno == ESRCH ? 0 : err_sys(e, "process %d: kill", (int)pid);

    struct pollfd p = { .fd = pidfd, .events = POLLIN };
    int n;

    do
        n = poll(&p, 1, timeout_ms);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_sys(e, "process %d: wait", (int)pid);
    if (n == 0)
        return err_set(e, ETIMEDOUT, "process %d does not end although it was killed", (int)pid);
    return 1;
}
