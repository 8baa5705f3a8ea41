/* logs.c - see logs.h. */
#include "sandbox/audit/logs.h"

#include "base/fd.h"
#include "base/io.h"
#include "sandbox/audit/checkpoint.h"
#include "sandbox/audit/object.h"
#include "sandbox/places.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Who could put files here could put a log, or a key, in place of ours. */
static int check_ours(int fd, const char *what, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st))
        return err_sys(e, "%s", what);
    if (st.st_uid != geteuid())
        return err_set(e, EPERM, "%s: belongs to another user (%u)", what, (unsigned)st.st_uid);
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return err_set(e, EPERM, "%s: other users can write to it", what);
    return 0;
}

static int open_dir(int dirfd, const char *name, struct err *e)
{
    auto_fd int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    int err;

    if (fd < 0)
        return err_sys(e, "%s", name);
    err = check_ours(fd, name, e);
    return err ? err : fd_steal(&fd);
}

int logs_open(struct err *e)
{
    char *path = places_state_dir(e);
    auto_fd int state = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int err = path && state < 0 ? err_sys(e, "%s", path) : 0;

    free(path);
    if (state < 0)
        return err ? err : -EIO;
    return open_dir(state, "audit", e);
}

struct audit_key *logs_key(int logs, struct err *e)
{
    return audit_key_public(logs, "key.pub", e);
}

bool logs_is_id(const char *s)
{
    return strspn(s, "0123456789abcdef") == LOG_ID_LEN && !s[LOG_ID_LEN];
}

int logs_open_one(int logs, const char *id, struct err *e)
{
    if (!logs_is_id(id))
        return err_set(e, EINVAL, "audit log %s: not an id", id);
    return open_dir(logs, id, e);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int logs_list(int logs, char ***ids, size_t *n, struct err *e)
{
    int fd = openat(logs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd); /* takes fd */
    const struct dirent *de;
    int err = 0;

    *ids = NULL;
    *n = 0;
    if (!d) {
        fd_closep(&fd);
        return err_sys(e, "audit logs");
    }
    while (!err && (de = readdir(d))) {
        char **grown;

        if (!logs_is_id(de->d_name))
            continue;
        /* Doubling at powers of two. */
        grown = *n & (*n - 1) ? *ids : realloc(*ids, (*n ? 2 * *n : 1) * sizeof(*grown));
        if (grown)
            *ids = grown;
        if (grown && (grown[*n] = strdup(de->d_name)))
            (*n)++;
        else
            err = err_set(e, ENOMEM, "audit logs: no memory");
    }
    closedir(d);
    if (*n)
        qsort(*ids, *n, sizeof(**ids), by_text);
    while (err && *n)
        free((*ids)[--*n]);
    if (err) {
        free(*ids);
        *ids = NULL;
    }
    return err;
}

/* Plain files only: what else is in there is nothing of ours, and stays. */
static int empty_dir(int fd, struct err *e)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
    DIR *d = copy < 0 ? NULL : fdopendir(copy); /* takes copy */
    const struct dirent *de;

    if (!d) {
        fd_closep(&copy);
        return err_sys(e, "audit log");
    }
    while (!err && (de = readdir(d)))
        if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0 &&
            unlinkat(fd, de->d_name, 0))
            err = err_sys(e, "%s", de->d_name);
    closedir(d);
    return err;
}

static int remove_dir(int logs, const char *name, struct err *e)
{
    auto_fd int fd = open_dir(logs, name, e);
    int err = fd < 0 ? fd : empty_dir(fd, e);

    return !err && unlinkat(logs, name, AT_REMOVEDIR) ? err_sys(e, "%s", name) : err;
}

int logs_remove(int logs, const char *id, struct err *e)
{
    const struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char gone[LOG_ID_LEN + 2];
    auto_fd int dir = logs_open_one(logs, id, e);
    auto_fd int log = -1;

    if (dir < 0)
        return dir;
    log = openat(dir, "log", O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (log < 0 && errno != ENOENT)
        return err_sys(e, "%s: log", id);
    /* Held until all is gone: a writer that comes now is refused. */
    if (log >= 0 && fcntl(log, F_OFD_SETLK, &whole))
        return errno == EAGAIN || errno == EACCES ? err_set(e, EBUSY, "%s: it is being written", id)
                                                  : err_sys(e, "%s: log", id);
    snprintf(gone, sizeof(gone), ".%s", id);
    if (remove_dir(logs, gone, NULL) && errno != ENOENT)
        return err_sys(e, "%s: what an earlier removal left", id);
    if (renameat(logs, id, logs, gone))
        return err_sys(e, "%s", id);
    return remove_dir(logs, gone, e);
}

/* ---- one log ---- */

const char *log_state_name(enum log_state s)
{
    static const char *const names[] = { "closed", "live", "cut", "broken" };

    return names[s];
}

enum log_state log_judge(const struct audit_check *c, const char *id, struct audit_verdict *v,
                         struct err *e)
{
    const bool lived = audit_log_lives(c->dirfd);
    int err = audit_log_check(c, v, e);

    if (v->fault == AUDIT_TAMPERED || v->fault == AUDIT_UNREADABLE)
        return LOG_BROKEN;
    if (id && v->sandbox[0] && strcmp(id, v->sandbox) != 0) {
        v->fault = AUDIT_TAMPERED;
        err_set(e, EBADMSG, "record 0: it is the log of %s", v->sandbox);
        return LOG_BROKEN;
    }
    if (v->fault == AUDIT_SHORT || (v->fault == AUDIT_TORN && !lived))
        return LOG_CUT;
    if (v->closed && !err)
        return LOG_CLOSED;
    if (lived)
        return LOG_LIVE;
    err_set(e, EBADMSG,
            "it was never closed: its writer died after record %llu, or what followed was removed",
            (unsigned long long)v->records);
    return LOG_CUT;
}

/* ---- a look at both ends ---- */

static void broken(struct log_look *l, const char *why)
{
    if (l->state == LOG_BROKEN)
        return;
    l->state = LOG_BROKEN;
    snprintf(l->why, sizeof(l->why), "%.*s", (int)sizeof(l->why) - 1, why);
}

static void name_from(struct log_look *l, const struct audit_record *r)
{
    const char *at = r->object;

    if (strcmp(r->kind, "sandbox.start") != 0 || !object_word(&at, l->name, sizeof(l->name)))
        l->name[0] = '\0';
}

/* The first line; false when there is no whole one. */
static bool first_line(int fd, struct audit_record *r)
{
    char buf[AUDIT_LINE_MAX];
    ssize_t n = io_pread_full(fd, buf, sizeof(buf), 0);
    const char *nl = n > 0 ? memchr(buf, '\n', (size_t)n) : NULL;

    return nl && audit_parse(buf, (size_t)(nl - buf), r) == 0;
}

/* The last whole line. */
static bool last_line(int fd, off_t size, bool *torn, struct audit_record *r)
{
    char buf[2 * AUDIT_LINE_MAX];
    off_t from = size > (off_t)sizeof(buf) ? size - (off_t)sizeof(buf) : 0;
    ssize_t n = io_pread_full(fd, buf, sizeof(buf), from);
    const char *end = n > 0 ? memrchr(buf, '\n', (size_t)n) : NULL, *start;

    *torn = n > 0 && end != buf + n - 1;
    if (!end)
        return false;
    start = end == buf ? NULL : memrchr(buf, '\n', (size_t)(end - buf));
    start = start ? start + 1 : buf;
    return audit_parse(start, (size_t)(end - start), r) == 0;
}

/* One checkpoint at the start of a text. -1: not ours; 0: it has no end. */
static int note_at(const char *note, size_t left, const struct audit_key *key,
                   struct audit_checkpoint *c)
{
    const char *text = memmem(note, left, "\n\n", 2), *end;

    if (!text++)
        return 0;
    end = memmem(text + 1, left - (size_t)(text + 1 - note), "\n\n", 2);
    if (!end++)
        return 0;
    if (key && audit_note_open(key, note, (size_t)(end - note)) != text - note)
        return -1;
    return audit_checkpoint_parse(note, (size_t)(text - note), c) ? -1 : 1;
}

/* The last whole checkpoint: 1 there is one, 0 there is none, -1 it is not ours. */
static int last_note(int dirfd, const struct audit_key *key, struct audit_checkpoint *c)
{
    static const char head[] = "\ncarrel-audit ";
    char buf[4 * AUDIT_NOTE_MAX + 1] = "\n";
    auto_fd int fd = audit_open_plain(dirfd, "checkpoints", NULL);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    off_t from = size > (off_t)sizeof(buf) - 1 ? size - (off_t)sizeof(buf) + 1 : 0;
    ssize_t n = fd < 0 ? 0 : io_pread_full(fd, buf + 1, sizeof(buf) - 1, from);
    int got = fd == -ENOENT || (fd >= 0 && n == 0) ? 0 : -1;

    for (const char *p = buf + n; n > 0 && p >= buf; p--) {
        size_t left = (size_t)(buf + 1 + n - p);

        if (left < sizeof(head) || memcmp(p, head, sizeof(head) - 1) != 0)
            continue;
        got = note_at(p + 1, left - 1, key, c);
        if (got)
            break;
    }
    return got;
}

void log_look(int dirfd, const char *id, const struct audit_key *key, struct log_look *l)
{
    const bool lives = audit_log_lives(dirfd);
    struct audit_record first = { 0 }, last = { 0 };
    struct audit_checkpoint c = { 0 };
    struct err e = ERR_INIT;
    /* Before the log: what was signed then is there now. */
    const int noted = last_note(dirfd, key, &c);
    auto_fd int fd = audit_open_plain(dirfd, "log", &e);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    bool torn = false;

    *l = (struct log_look){ .state = LOG_CUT };
    if (fd < 0)
        broken(l, e.msg);
    if (noted < 0)
        broken(l, "its last checkpoint is not signed by this host");
    if (size > 0 && (!first_line(fd, &first) || !last_line(fd, size, &torn, &last)))
        broken(l, "it holds lines that are not records");
    if (l->state == LOG_BROKEN)
        return;
    l->bytes = (uint64_t)size;
    l->records = size > 0 ? last.seq + 1 : 0;
    l->first_ns = first.time_ns;
    l->last_ns = last.time_ns;
    name_from(l, &first);
    if ((id && size > 0 && strcmp(first.sandbox, id) != 0) ||
        (noted > 0 && size > 0 && strcmp(first.sandbox, c.sandbox) != 0) ||
        (id && noted > 0 && strcmp(c.sandbox, id) != 0))
        broken(l, "it is the log of another sandbox");
    else if (size > 0 && (first.seq != 0 || strcmp(first.sandbox, last.sandbox) != 0))
        broken(l, "its first record is not the first");
    else if (lives)
        l->state = LOG_LIVE;
    else if (noted > 0 && c.closed && c.size == l->records && !torn)
        l->state = LOG_CLOSED;
}
