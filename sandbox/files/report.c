/* report.c - see report.h. */
#include "sandbox/files/report.h"

#include "sandbox/files/server.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static bool may_tell(struct reporter *r)
{
    struct timespec t;
    int64_t now, due;

    clock_gettime(CLOCK_MONOTONIC, &t);
    now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
    due = (now - r->refilled) * (int64_t)FILES_REPORTS_RATE / 1000;
    if (due > 0 || r->refilled == 0) {
        uint64_t tokens = r->refilled ? r->tokens + (uint64_t)due : FILES_REPORTS_BURST;

        r->tokens = tokens < FILES_REPORTS_BURST ? (uint32_t)tokens : FILES_REPORTS_BURST;
        r->refilled = now;
    }
    if (!r->tokens)
        return false;
    r->tokens--;
    return true;
}

void report_denial(struct reporter *r, enum file_op op, const char *rule, const char *path)
{
    struct files_report x = { .magic = FILES_REPORT_MAGIC, .op = op, .withheld = r->withheld };
    size_t len = strlen(path);

    if (r->fd < 0)
        return;
    if (!may_tell(r) || len >= sizeof(x.path)) {
        r->withheld++;
        return;
    }
    snprintf(x.rule, sizeof(x.rule), "%s", rule);
    memcpy(x.path, path, len + 1);
    if (send(r->fd, &x, offsetof(struct files_report, path) + len + 1,
             MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        r->withheld++; /* it is behind; the next one says so */
    else
        r->withheld = 0;
}
