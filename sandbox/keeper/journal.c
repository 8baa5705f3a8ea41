/* journal.c - see journal.h. */
#include "sandbox/keeper/journal.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#define DRAIN_ROUNDS 64 /* of 16 KiB: an end is not put off for ever */

void journal_init(struct journal *j, int file, uint64_t cap)
{
    *j = (struct journal){ .file = file, .left = cap, .from.fd = -1 };
}

static uint64_t size_of(const struct journal *j)
{
    struct stat st;

    return fstat(j->file, &st) ? 0 : (uint64_t)st.st_size;
}

void journal_go_on(struct journal *j)
{
    uint64_t has = size_of(j);

    j->full = has > j->left; /* and says so */
    j->size = j->full ? j->left : has;
    j->left -= j->size;
}

void journal_fini(struct journal *j)
{
    if (j->from.fd >= 0)
        loop_remove(j->loop, &j->from);
    fd_closep(&j->from.fd);
    fd_closep(&j->file);
}

void journal_write(struct journal *j, const void *bytes, size_t len)
{
    static const char truncated[] = "\n[truncated]\n";
    size_t n = len < j->left ? len : (size_t)j->left;

    if (j->file < 0 || j->full)
        return;
    j->left -= n;
    if (n && (FAILPOINT("journal.write") || io_write_full(j->file, bytes, n))) {
        j->full = true; /* the disk is full: the rest would be torn */
        j->size = size_of(j);
    } else {
        j->size += n;
    }
    if (n < len && !j->full) {
        j->full = true;
        if (io_write_full(j->file, truncated, sizeof(truncated) - 1))
            return;
    }
}

/* One piece; false at the end. */
static bool take(struct journal *j)
{
    char buf[16384];
    ssize_t n = read(j->from.fd, buf, sizeof(buf));

    if (n > 0)
        journal_write(j, buf, (size_t)n);
    return n > 0 || (n < 0 && errno == EINTR);
}

static void ready(struct loop_source *s, uint32_t events)
{
    struct journal *j = container_of(s, struct journal, from);

    (void)events;
    if (!take(j) && errno != EAGAIN) {
        loop_remove(j->loop, s);
        fd_closep(&s->fd);
    }
}

int journal_follow(struct journal *j, struct loop *l, int fd, struct err *e)
{
    j->loop = l;
    j->from = (struct loop_source){ .fd = fd, .ready = ready };
    if (fcntl(fd, F_SETFL, O_NONBLOCK))
        return err_sys(e, "log");
    return loop_add(l, &j->from, EPOLLIN, e);
}

void journal_drain(struct journal *j)
{
    for (int i = 0; j->from.fd >= 0 && i < DRAIN_ROUNDS && take(j); i++)
        ;
}
