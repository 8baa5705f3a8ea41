/* log.c - the writer; see log.h. */
#include "sandbox/audit/log.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "base/io.h"
#include "sandbox/audit/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct audit_log {
    int fd, notes_fd;            /* owned */
    const struct audit_key *key; /* borrowed */
    char sandbox[AUDIT_ID_MAX];
    struct audit_chain chain;
    off_t end;            /* of the log: where the next line goes */
    off_t notes_end;      /* of the checkpoints */
    bool closed;          /* nothing was added since a closing checkpoint */
    uint64_t noted;       /* records in the last checkpoint */
    uint64_t noted_ns;    /* when, CLOCK_BOOTTIME */
    uint64_t every_ns;    /* a checkpoint at least that often */
    uint64_t unsynced_ns; /* since when a line waits for the disk; 0 = none does */
};

static uint64_t now_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int sync_log(struct audit_log *l, struct err *e)
{
    if (!l->unsynced_ns)
        return 0;
    if (FAILPOINT("audit.log.sync") || fdatasync(l->fd))
        return err_sys(e, "audit log: sync");
    l->unsynced_ns = 0;
    return 0;
}

/* Appends to a file whose end we know; a half-written tail is taken back. */
static int append(int fd, off_t *end, const void *buf, size_t len, struct err *e)
{
    ssize_t n;

    do
        n = FAILPOINT("audit.append") ? -1 : pwrite(fd, buf, len, *end);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)len) {
        *end += n;
        return 0;
    }

    int code = n < 0 ? errno : ENOSPC;

    if (ftruncate(fd, *end))
        return err_sys(e, "audit log: taking back a torn line");
    return err_set(e, code, "audit log: %s", strerror(code));
}

static int checkpoint(struct audit_log *l, bool closed, struct err *e)
{
    struct audit_checkpoint c = { .size = l->chain.size,
                                  .time_ns = now_ns(CLOCK_REALTIME),
                                  .closed = closed };
    char note[AUDIT_NOTE_MAX];
    int err = sync_log(l, e), n;

    if (err)
        return err;
    memcpy(c.sandbox, l->sandbox, sizeof(c.sandbox));
    memcpy(c.head, l->chain.head, AUDIT_HASH);
    audit_chain_root(&l->chain, c.root);
    n = audit_checkpoint_text(&c, note);
    if (n > 0)
        n = audit_note_sign(l->key, note, (size_t)n, e);
    if (n < 0)
        return n;
    note[n] = '\n'; /* the empty line between notes */
    err = append(l->notes_fd, &l->notes_end, note, (size_t)n + 1, e);
    if (err)
        return err;
    if (FAILPOINT("audit.notes.sync") || fdatasync(l->notes_fd))
        return err_sys(e, "audit checkpoints: sync");
    l->noted = l->chain.size;
    l->noted_ns = now_ns(CLOCK_BOOTTIME);
    return 0;
}

int audit_log_append(struct audit_log *l, struct audit_record *r, bool durable, struct err *e)
{
    char line[AUDIT_LINE_MAX];
    size_t len;
    /* First: what is on record as allowed is not refused because of what comes after it. */
    int err = l->chain.size - l->noted >= AUDIT_CHECKPOINT_RECORDS ? checkpoint(l, false, e) : 0;

    if (err)
        return err;
    r->seq = l->chain.size;
    r->time_ns = now_ns(CLOCK_REALTIME);
    r->mono_ns = now_ns(CLOCK_BOOTTIME);
    memcpy(r->sandbox, l->sandbox, sizeof(r->sandbox));
    memcpy(r->prev, l->chain.head, AUDIT_HASH);
    len = audit_line(r, line);
    if (!len)
        return err_set(e, EMSGSIZE, "audit record too long");

    const off_t was = l->end;

    err = append(l->fd, &l->end, line, len, e);
    if (err)
        return err;
    if (!l->unsynced_ns)
        l->unsynced_ns = r->mono_ns;
    if (durable || r->decision == AUDIT_DENY || r->mono_ns - l->unsynced_ns >= AUDIT_LOSS_NS)
        err = sync_log(l, e);
    if (err) {
        /* Not known to be on disk: it did not happen. */
        l->end = was;
        return ftruncate(l->fd, was) ? err_sys(e, "audit log: taking back a record") : err;
    }
    l->closed = false;
    audit_chain_add(&l->chain, line, len - 1);
    return 0;
}

void audit_log_checkpoint_every(struct audit_log *l, uint64_t ns)
{
    l->every_ns = ns < AUDIT_CHECKPOINT_NS ? ns : AUDIT_CHECKPOINT_NS;
}

int audit_log_tick(struct audit_log *l, uint64_t *next_ns, struct err *e)
{
    uint64_t now = now_ns(CLOCK_BOOTTIME);
    bool waits = l->chain.size != l->noted;
    int err = 0;

    if (l->unsynced_ns && now - l->unsynced_ns >= AUDIT_LOSS_NS)
        err = sync_log(l, e);
    if (!err && waits && now - l->noted_ns >= l->every_ns) {
        err = checkpoint(l, false, e);
        waits = false;
    }
    *next_ns = l->unsynced_ns ? l->unsynced_ns + AUDIT_LOSS_NS - now
               : waits        ? l->noted_ns + l->every_ns - now
                              : UINT64_MAX;
    return err;
}

static void release(struct audit_log *l)
{
    fd_closep(&l->fd);
    fd_closep(&l->notes_fd);
    free(l);
}

bool audit_log_is_closed(const struct audit_log *l)
{
    return l->closed;
}

int audit_log_close(struct audit_log *l, struct err *e)
{
    int err;

    if (!l)
        return 0;
    err = l->closed ? 0 : checkpoint(l, true, e);
    release(l);
    return err;
}

/* ---- going on where a log ended ---- */

/* A keeper that died may leave half a line: everything behind the last newline. */
static int cut_torn(int fd, off_t *end, off_t *cut, struct err *e)
{
    char tail[AUDIT_LINE_MAX];
    off_t size = lseek(fd, 0, SEEK_END), from;
    ssize_t n;

    if (size < 0)
        return err_sys(e, "audit log");
    from = size > (off_t)sizeof(tail) ? size - (off_t)sizeof(tail) : 0;
    n = io_pread_full(fd, tail, (size_t)(size - from), from);
    if (n < 0)
        return err_set(e, (int)-n, "audit log: %s", strerror((int)-n));
    while (n > 0 && tail[n - 1] != '\n')
        n--;
    if (n == 0 && from > 0)
        return err_set(e, EBADMSG, "audit log: a line longer than any record");
    *end = from + n;
    *cut = size - *end;
    return *cut && (FAILPOINT("audit.cut") || ftruncate(fd, *end))
               ? err_sys(e, "audit log: cutting a torn line")
               : 0;
}

static int rebuild(void *arg, const struct audit_record *r)
{
    struct audit_chain *c = arg;
    char line[AUDIT_LINE_MAX];
    size_t len = audit_line(r, line);

    audit_chain_add(c, line, len - 1);
    return 0;
}

static int open_one(int dirfd, const char *name, int *fd, struct err *e)
{
    const struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    *fd = FAILPOINT("audit.open")
              ? -1
              : openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd < 0)
        return err_sys(e, "audit %s", name);
    if (FAILPOINT("audit.lock") || fcntl(*fd, F_OFD_SETLK, &whole))
        return errno == EAGAIN || errno == EACCES
                   ? err_set(e, EBUSY, "audit %s: another process writes it", name)
                   : err_sys(e, "audit %s", name);
    return 0;
}

/* Says in the log itself that the end of a line was lost, and how much. */
static int record_cut(struct audit_log *l, off_t cut, struct err *e)
{
    struct audit_record r = { .decision = AUDIT_EVENT,
                              .grade = '-',
                              .actor = "keeper",
                              .kind = "audit.recovered",
                              .object = "a torn line was cut off",
                              .bytes = (uint64_t)cut };

    return audit_log_append(l, &r, true, e);
}

struct audit_log *audit_log_open(int dirfd, const char *sandbox, const struct audit_key *key,
                                 struct err *e)
{
    struct audit_log *l = calloc(1, sizeof(*l));
    struct audit_verdict v = { 0 };
    off_t cut = 0, note_cut = 0;
    int err;

    if (!l) {
        err_set(e, ENOMEM, "audit log: no memory");
        return NULL;
    }
    l->fd = l->notes_fd = -1;
    l->every_ns = AUDIT_CHECKPOINT_NS;
    l->key = key;
    audit_text(l->sandbox, sizeof(l->sandbox), sandbox, strlen(sandbox));
    err = open_one(dirfd, "log", &l->fd, e);
    if (!err)
        err = open_one(dirfd, "checkpoints", &l->notes_fd, e);
    if (!err)
        err = cut_torn(l->fd, &l->end, &cut, e);
    if (!err)
        err = cut_torn(l->notes_fd, &l->notes_end, &note_cut, e);
    if (!err)
        err = audit_log_verify(dirfd, key, rebuild, &l->chain, &v, e);
    if (!err) {
        l->closed = v.closed;
        l->noted = v.covered;
        l->noted_ns = now_ns(CLOCK_BOOTTIME);
        err = cut ? record_cut(l, cut, e) : 0;
    }
    if (err) {
        release(l);
        return NULL;
    }
    return l;
}
