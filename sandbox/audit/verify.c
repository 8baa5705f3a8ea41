/*
 * verify.c - reads a log and believes nothing: each line's spelling, number, sandbox and link, and
 * each checkpoint's signature, size, root and head.
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

#define NOTES_MAX (512u << 20) /* bytes: a checkpoint is under 400, so over a million of them */

struct reading {
    const struct audit_key *key; /* NULL: signatures are not looked at */
    audit_reader *each;
    void *arg;
    struct audit_verdict *v;
    struct err *e;
    struct audit_chain chain;
    char sandbox[AUDIT_ID_MAX]; /* of the first record or checkpoint */
    char *notes;                /* owned: the whole checkpoints file */
    const char *note, *notes_end;
    struct audit_checkpoint next; /* the next one to meet */
    bool has_next;
    uint64_t last_size;
};

static int fault(struct reading *r, const char *what)
{
    return err_set(r->e, EBADMSG, "audit log: record %llu: %s", (unsigned long long)r->chain.size,
                   what);
}

/* Parses the note at r->note into r->next: notes end with an empty line. */
static int next_note(struct reading *r)
{
    const char *end;
    int text;

    r->has_next = false;
    if (r->note == r->notes_end)
        return 0;
    /* The text and its signature are separated by an empty line, and so are the notes. */
    end = memmem(r->note, (size_t)(r->notes_end - r->note), "\n\n", 2);
    end = end ? memmem(end + 2, (size_t)(r->notes_end - end - 2), "\n\n", 2) : NULL;
    if (!end)
        return fault(r, "a checkpoint is cut short");
    end++;

    size_t len = (size_t)(end - r->note);

    if (r->key) {
        text = audit_note_open(r->key, r->note, len);
        if (text < 0)
            return fault(r, "the signature of a checkpoint is wrong");
    } else {
        text = (int)((const char *)memmem(r->note, len, "\n\n", 2) + 1 - r->note);
    }
    if (audit_checkpoint_parse(r->note, (size_t)text, &r->next))
        return fault(r, "a checkpoint is malformed");
    if (!r->sandbox[0])
        memcpy(r->sandbox, r->next.sandbox, sizeof(r->sandbox));
    if (strcmp(r->sandbox, r->next.sandbox) != 0)
        return fault(r, "a checkpoint is of another sandbox");
    if (r->next.size < r->last_size)
        return fault(r, "checkpoints are out of order");
    r->last_size = r->next.size;
    r->has_next = true;
    r->note = end + 1;
    return 0;
}

/* Compares every checkpoint taken at this size. */
static int meet_notes(struct reading *r)
{
    uint8_t root[AUDIT_HASH];

    while (r->has_next && r->next.size == r->chain.size) {
        int err;

        audit_chain_root(&r->chain, root);
        if (memcmp(root, r->next.root, AUDIT_HASH) != 0 ||
            memcmp(r->chain.head, r->next.head, AUDIT_HASH) != 0)
            return fault(r, "what is before it is not what was signed");
        r->v->checkpoints++;
        r->v->covered = r->next.size;
        r->v->closed = r->next.closed;
        err = next_note(r);
        if (err)
            return err;
    }
    return 0;
}

static int take_line(struct reading *r, const char *line, size_t len)
{
    struct audit_record rec;
    int err;

    if (audit_parse(line, len, &rec))
        return fault(r, "not a record");
    if (rec.seq != r->chain.size)
        return fault(r, "the number is not the next one");
    if (memcmp(rec.prev, r->chain.head, AUDIT_HASH) != 0)
        return fault(r, "it does not follow the record before it");
    if (!r->sandbox[0])
        memcpy(r->sandbox, rec.sandbox, sizeof(r->sandbox));
    if (strcmp(r->sandbox, rec.sandbox) != 0)
        return fault(r, "it is of another sandbox");
    audit_chain_add(&r->chain, line, len);
    r->v->closed = false;
    r->v->records++;
    err = r->each ? r->each(r->arg, &rec) : 0;
    return err ? err : meet_notes(r);
}

/* Feeds whole lines from a window over the file. */
static int take_file(struct reading *r, int fd)
{
    enum { WINDOW = 1 << 18 };
    char *buf = malloc(WINDOW);
    size_t have = 0;
    int err = 0;

    if (!buf)
        return err_set(r->e, ENOMEM, "audit log: no memory");

    while (!err) {
        const size_t room = WINDOW - have;
        ssize_t n = io_read_full(fd, buf + have, room);
        char *line = buf, *end = buf + have + (n > 0 ? n : 0), *nl;

        if (n < 0) {
            err = err_set(r->e, (int)-n, "audit log: %s", strerror((int)-n));
            break;
        }
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
        err = fault(r, "cut in the middle of a line");
    free(buf);
    return err;
}

int audit_log_verify(int dirfd, const struct audit_key *key, audit_reader *each, void *arg,
                     struct audit_verdict *v, struct err *e)
{
    struct reading r = { .key = key, .each = each, .arg = arg, .v = v, .e = e };
    size_t notes_len = 0;
    auto_fd int fd = openat(dirfd, "log", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int err;

    *v = (struct audit_verdict){ 0 };
    if (fd < 0)
        return err_sys(e, "audit log");
    r.notes = io_load(dirfd, "checkpoints", NOTES_MAX, &notes_len, e);
    if (!r.notes)
        return -e->code;
    r.note = r.notes;
    r.notes_end = r.notes + notes_len;
    err = next_note(&r);
    if (!err)
        err = meet_notes(&r); /* a log may be signed while it is empty */
    if (!err)
        err = take_file(&r, fd);
    if (!err && r.has_next)
        err = err_set(e, EBADMSG,
                      "audit log: it was signed with %llu records and has %llu: the end is missing",
                      (unsigned long long)r.next.size, (unsigned long long)r.chain.size);
    memcpy(v->head, r.chain.head, AUDIT_HASH);
    free(r.notes);
    return err;
}
