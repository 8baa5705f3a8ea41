/* kmsg.c - see kmsg.h. */
#include "guest/kmsg.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 480 /* one record: the kernel cuts at 1024 with its own prefix */

static int log_fd = -1;
static bool tracing;
static struct timespec started;

void kmsg_open(void)
{
    /* The initramfs has no nodes when devtmpfs is missing. */
    if (log_fd < 0)
        log_fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
    if (log_fd < 0 && mknod("/kmsg", S_IFCHR | 0600, makedev(1, 11)) == 0)
        log_fd = open("/kmsg", O_WRONLY | O_CLOEXEC);
}

void kmsg(enum kmsg_level level, const char *fmt, ...)
{
    char line[LINE_BYTES];
    int head = snprintf(line, sizeof(line), "<%d>carrel-init: ", (int)level);
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(line + head, sizeof(line) - (size_t)head, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    n = head + n < LINE_BYTES ? head + n : LINE_BYTES - 1;
    (void)!write(log_fd, line, (size_t)n);
}

void kmsg_trace_on(void)
{
    tracing = true;
}

void kmsg_trace(const char *step)
{
    struct timespec now;
    long us;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!started.tv_sec && !started.tv_nsec)
        started = now;
    if (!tracing)
        return;
    us = (now.tv_sec - started.tv_sec) * 1000000 + (now.tv_nsec - started.tv_nsec) / 1000;
    kmsg(KMSG_INFO, "%s %ld.%03ld ms", step, us / 1000, us % 1000);
}
