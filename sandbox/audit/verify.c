/*
 * verify.c - reads a log and believes nothing: each line's spelling, number, sandbox and link, and
 * each checkpoint's signature, size, root and head. Memory is bounded whatever the files hold.
 */
#include "base/fd.h"
#include "base/io.h"
#include "sandbox/audit/checkpoint.h"
#include "sandbox/audit/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WINDOW (1u << 18) /* bytes of the log at a time: many lines */
/* Records held until a checkpoint vouches for them: the writer makes one every 1,000. */
#define HELD_MAX 16384u

/* A file of checkpoints, read one after the other. */
struct notes {
    int fd;    /* borrowed; -1: there are none */
    bool kept; /* somebody's copy: what is wrong with it is not the log's fault */
    bool eof;
    char buf[4 * AUDIT_NOTE_MAX];
    size_t have, at;
    struct audit_checkpoint next; /* the next one to meet */
    bool has_next;
    uint64_t last_size;
};

struct reading {
    const struct audit_check *c;
    struct audit_verdict *v;
    struct err *e;
    struct notes own, kept;
    struct audit_record *held; /* owned; c->vouched */
    size_t nheld, room;
};

static int fault(struct reading *r, const char *what)
{
    r->v->fault = AUDIT_TAMPERED;
    return err_set(r->e, EBADMSG, "record %llu: %s", (unsigned long long)r->v->chain.size, what);
}

static int note_fault(struct reading *r, const struct notes *n, const char *what)
{
    char text[96];

    if (n->kept) {
        r->v->fault = AUDIT_UNREADABLE;
        return err_set(r->e, EINVAL, "the kept checkpoint %s", what);
    }
    snprintf(text, sizeof(text), "a checkpoint %s", what);
    return fault(r, text);
}

static int host_error(struct reading *r, int code)
{
    r->v->fault = AUDIT_UNREADABLE;
    return err_set(r->e, code, "audit log: %s", strerror(code));
}

/* Its end was not reached: what there is is read on. */
static void torn(struct reading *r)
{
    if (r->v->fault == AUDIT_SOUND)
        r->v->fault = AUDIT_TORN;
}

/* ---- checkpoints ---- */

static int fill(struct reading *r, struct notes *n)
{
    ssize_t got;

    memmove(n->buf, n->buf + n->at, n->have - n->at);
    n->have -= n->at;
    n->at = 0;
    got = io_read_full(n->fd, n->buf + n->have, sizeof(n->buf) - n->have);
    if (got < 0)
        return host_error(r, (int)-got);
    n->eof = (size_t)got < sizeof(n->buf) - n->have;
    n->have += (size_t)got;
    return 0;
}

/*
 * The note at n->at: its length, and of its text. Text and signature are separated by an empty
 * line, and so are notes. 0: it has no end.
 */
static size_t note_length(const struct notes *n, size_t *text)
{
    const char *start = n->buf + n->at, *limit = n->buf + n->have;
    const char *end = memmem(start, (size_t)(limit - start), "\n\n", 2);

    if (!end)
        return 0;
    *text = (size_t)(end + 1 - start);
    end = memmem(end + 2, (size_t)(limit - end - 2), "\n\n", 2);
    if (end)
        return (size_t)(end + 1 - start);
    /* Somebody who copies one leaves the last empty line behind. */
    return n->kept && n->eof && limit > start + *text + 1 && limit[-1] == '\n'
               ? (size_t)(limit - start)
               : 0;
}

/* Not of the sandbox whose log it is, as far as that is known by now. */
static bool is_foreign(const struct reading *r, const struct notes *n)
{
    return r->v->sandbox[0] && strcmp(r->v->sandbox, n->next.sandbox) != 0;
}

/* Parses the next note into n->next. */
static int next_note(struct reading *r, struct notes *n)
{
    size_t len, text = 0;

    n->has_next = false;
    if (n->fd < 0)
        return 0;
    if (!n->eof && n->have - n->at < sizeof(n->buf) / 2) {
        int err = fill(r, n);

        if (err)
            return err;
    }
    while (n->kept && n->at < n->have && n->buf[n->at] == '\n')
        n->at++; /* a copy by hand */
    if (n->at == n->have)
        return 0;
    len = note_length(n, &text);
    if (len == 0 && (n->kept || !n->eof || n->have - n->at >= AUDIT_NOTE_MAX))
        return note_fault(r, n, n->eof ? "is cut short" : "is malformed");
    if (len == 0) {
        torn(r);
        return 0;
    }
    if (r->c->key && audit_note_open(r->c->key, n->buf + n->at, len) != (int)text)
        return note_fault(r, n, "is not signed with this key");
    if (audit_checkpoint_parse(n->buf + n->at, text, &n->next))
        return note_fault(r, n, "is malformed");
    if (!r->v->sandbox[0] && !n->kept)
        memcpy(r->v->sandbox, n->next.sandbox, sizeof(r->v->sandbox));
    if (is_foreign(r, n))
        return note_fault(r, n, "is of another sandbox");
    if (n->next.size < n->last_size)
        return note_fault(r, n, "is out of order");
    n->last_size = n->next.size;
    n->has_next = true;
    n->at += len < n->have - n->at ? len + 1 : len;
    return 0;
}

static int flush(struct reading *r)
{
    int err = 0;

    for (size_t i = 0; i < r->nheld && !err; i++)
        err = r->c->each(r->c->arg, &r->held[i]);
    r->nheld = 0;
    return err;
}

/* Compares every checkpoint taken at this size. */
static int meet(struct reading *r, struct notes *n)
{
    const struct audit_chain *chain = &r->v->chain;
    uint8_t root[AUDIT_HASH];

    while (n->has_next && n->next.size == chain->size) {
        int err;

        if (is_foreign(r, n))
            return note_fault(r, n, "is of another sandbox");
        audit_chain_root(chain, root);
        if (memcmp(root, n->next.root, AUDIT_HASH) != 0 ||
            memcmp(chain->head, n->next.head, AUDIT_HASH) != 0)
            return fault(r, n->kept ? "what is before it is not what the kept checkpoint was "
                                      "signed for"
                                    : "what is before it is not what was signed");
        if (n->kept) {
            r->v->kept++;
        } else {
            r->v->checkpoints++;
            r->v->covered = n->next.size;
            r->v->closed = n->next.closed;
        }
        err = next_note(r, n);
        if (err)
            return err;
    }
    return 0;
}

/* Kept checkpoints first: nothing is vouched for that contradicts one. */
static int meet_all(struct reading *r)
{
    const uint64_t before = r->v->checkpoints;
    int err = meet(r, &r->kept);

    if (!err)
        err = meet(r, &r->own);
    return err || r->v->checkpoints == before ? err : flush(r);
}

/* ---- records ---- */

static int hold(struct reading *r, const struct audit_record *rec)
{
    if (r->nheld == r->room) {
        size_t room = r->room ? 2 * r->room : 64;
        struct audit_record *grown =
            room > HELD_MAX ? NULL : realloc(r->held, room * sizeof(*grown));

        if (!grown)
            return room > HELD_MAX ? fault(r, "far too many records without a checkpoint")
                                   : host_error(r, ENOMEM);
        r->held = grown;
        r->room = room;
    }
    r->held[r->nheld++] = *rec;
    return 0;
}

static int take_line(struct reading *r, const char *line, size_t len)
{
    struct audit_verdict *v = r->v;
    struct audit_record rec;
    int err = 0;

    if (audit_parse(line, len, &rec))
        return fault(r, "not a record");
    if (rec.seq != v->chain.size)
        return fault(r, "the number is not the next one");
    if (memcmp(rec.prev, v->chain.head, AUDIT_HASH) != 0)
        return fault(r, "it does not follow the record before it");
    if (!v->sandbox[0])
        memcpy(v->sandbox, rec.sandbox, sizeof(v->sandbox));
    if (strcmp(v->sandbox, rec.sandbox) != 0)
        return fault(r, "it is of another sandbox");
    audit_chain_add(&v->chain, line, len);
    v->closed = false;
    v->records++;
    v->bytes += len + 1;
    v->last_ns = rec.time_ns;
    if (r->c->each)
        err = r->c->vouched ? hold(r, &rec) : r->c->each(r->c->arg, &rec);
    return err ? err : meet_all(r);
}

/* Feeds whole lines from a window over the file. */
static int take_file(struct reading *r, int fd, char *buf)
{
    size_t have = 0;
    int err = 0;

    while (!err) {
        const size_t room = WINDOW - have;
        ssize_t n = io_read_full(fd, buf + have, room);
        char *line = buf, *end = buf + have + (n > 0 ? n : 0), *nl;

        if (n < 0)
            return host_error(r, (int)-n);
        while (!err && (nl = memchr(line, '\n', (size_t)(end - line)))) {
            err = (size_t)(nl - line) < AUDIT_LINE_MAX ? take_line(r, line, (size_t)(nl - line))
                                                       : fault(r, "not a record");
            line = nl + 1;
        }
        have = (size_t)(end - line);
        if (!err && have >= AUDIT_LINE_MAX)
            err = fault(r, "not a record");
        memmove(buf, line, have);
        if ((size_t)n < room)
            break;
    }
    if (!err && have)
        torn(r);
    return err;
}

/* ---- the whole ---- */

int audit_open_plain(int dirfd, const char *name, struct err *e)
{
    auto_fd int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;

    if (fd < 0 || fstat(fd, &st))
        return err_sys(e, "%s", name);
    if (!S_ISREG(st.st_mode))
        return err_set(e, EINVAL, "%s: not a regular file", name);
    return fd_steal(&fd);
}

/* What is left of a log that was read to its end without a contradiction. */
static int judge_end(struct reading *r)
{
    const struct notes *n = r->kept.has_next ? &r->kept : &r->own;

    if (n->has_next && is_foreign(r, n))
        return note_fault(r, n, "is of another sandbox");
    if (n->has_next) {
        r->v->fault = AUDIT_SHORT;
        return err_set(r->e, EBADMSG, "%s with %llu records and has %llu: the end is missing",
                       n->kept ? "a kept checkpoint was signed" : "it was signed",
                       (unsigned long long)n->next.size, (unsigned long long)r->v->chain.size);
    }
    if (r->v->fault == AUDIT_TORN)
        return err_set(r->e, EBADMSG, "record %llu: it, or a checkpoint of it, has no end",
                       (unsigned long long)r->v->chain.size);
    return 0;
}

static int read_all(struct reading *r)
{
    auto_fd int fd = audit_open_plain(r->c->dirfd, "log", r->e);
    auto_fd int notes = fd < 0 ? -1 : audit_open_plain(r->c->dirfd, "checkpoints", r->e);
    char *buf;
    int err;

    /* Without checkpoints nothing is signed, which the verdict says. */
    if (fd < 0 || (notes < 0 && notes != -ENOENT)) {
        r->v->fault = AUDIT_UNREADABLE;
        return fd < 0 ? fd : notes;
    }
    if (r->e)
        *r->e = ERR_INIT;
    r->own.fd = notes < 0 ? -1 : notes;
    buf = malloc(WINDOW);
    if (!buf)
        return host_error(r, ENOMEM);
    err = next_note(r, &r->own);
    if (!err)
        err = next_note(r, &r->kept);
    if (!err)
        err = meet_all(r); /* a log may be signed while it is empty */
    if (!err)
        err = take_file(r, fd, buf);
    free(buf);
    if (err)
        return err;
    err = judge_end(r);
    if (r->v->fault == AUDIT_SOUND || r->v->fault == AUDIT_TORN) {
        int stopped = flush(r);

        err = stopped ? stopped : err;
    }
    return err;
}

int audit_log_check(const struct audit_check *c, struct audit_verdict *v, struct err *e)
{
    struct reading *r = calloc(1, sizeof(*r));
    int err;

    *v = (struct audit_verdict){ .fault = AUDIT_UNREADABLE };
    if (!r)
        return err_set(e, ENOMEM, "audit log: no memory");
    v->fault = AUDIT_SOUND;
    *r = (struct reading){ .c = c, .v = v, .e = e };
    r->own.fd = -1;
    r->kept.fd = c->kept_fd;
    r->kept.kept = true;
    err = read_all(r);
    if (err && v->fault == AUDIT_SOUND)
        v->fault = AUDIT_UNREADABLE; /* each stopped it */
    free(r->held);
    free(r);
    return err;
}

int audit_log_verify(int dirfd, const struct audit_key *key, audit_reader *each, void *arg,
                     struct audit_verdict *v, struct err *e)
{
    const struct audit_check c = {
        .dirfd = dirfd, .key = key, .kept_fd = -1, .each = each, .arg = arg
    };

    return audit_log_check(&c, v, e);
}

bool audit_log_lives(int dirfd)
{
    auto_fd int fd = audit_open_plain(dirfd, "log", NULL);
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    return fd >= 0 && fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
}
