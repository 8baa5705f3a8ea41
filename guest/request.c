/* request.c - see request.h. */
#include "guest/request.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define BIT(tag) (1u << (tag))

#define PROFILE                                                                                  \
    (BIT(MSG_EXE) | BIT(MSG_UID) | BIT(MSG_CAPS) | BIT(MSG_RLIMIT) | BIT(MSG_RO) | BIT(MSG_RW) | \
     BIT(MSG_FILTER) | BIT(MSG_RUN) | BIT(MSG_SHA256) | BIT(MSG_RUN_SHA256))
#define LISTS                                                                                   \
    (BIT(MSG_ARG) | BIT(MSG_ENV) | BIT(MSG_RLIMIT) | BIT(MSG_RO) | BIT(MSG_RW) | BIT(MSG_RUN) | \
     BIT(MSG_RUN_SHA256))
#define TEXTS                                                                     \
    (BIT(MSG_ARG) | BIT(MSG_ENV) | BIT(MSG_CWD) | BIT(MSG_USER) | BIT(MSG_PATH) | \
     BIT(MSG_HOSTNAME) | BIT(MSG_EXE) | BIT(MSG_RO) | BIT(MSG_RW) | BIT(MSG_RUN))

#define RLIMIT_BYTES 16u /* u32 which, u32 0, u64 value */

static const char name_chars[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

/* Which fields and flags each request may have, and which it must. */
static const struct {
    enum msg_type type;
    uint32_t allowed, needed, flags;
} kinds[] = {
    { MSG_SETUP,
      BIT(MSG_HOSTNAME) | BIT(MSG_TIME) | BIT(MSG_SEED) | BIT(MSG_PIDS) | BIT(MSG_FILES) |
          BIT(MSG_MARK),
      0, 0 },
    { MSG_EXEC,
      BIT(MSG_ARG) | BIT(MSG_ENV) | BIT(MSG_CWD) | BIT(MSG_USER) | BIT(MSG_FLAGS) | BIT(MSG_ROWS) |
          BIT(MSG_COLS) | BIT(MSG_TIMEOUT) | BIT(MSG_JOB) | PROFILE,
      BIT(MSG_ARG),
      MSG_F_TTY | MSG_F_STDIN | MSG_F_MAIN | MSG_F_HANGUP | MSG_F_LOOSE | MSG_F_ONCE | MSG_F_OWN },
    { MSG_PUT, BIT(MSG_PATH) | BIT(MSG_USER) | BIT(MSG_FLAGS), BIT(MSG_PATH), MSG_F_NOBODY },
    { MSG_GET, BIT(MSG_PATH), BIT(MSG_PATH), 0 },
    { MSG_POWEROFF, BIT(MSG_GRACE), 0, 0 },
    { MSG_JOBS, 0, 0, 0 },
    { MSG_ATTACH, BIT(MSG_JOB) | BIT(MSG_OFFSET), BIT(MSG_JOB), 0 },
};

/* What the request needs room for, found before anything is copied. */
struct room {
    size_t texts, limits, run, filter; /* bytes, elements, elements, elements */
    size_t argc, envc, ro, rw;         /* each list with a NULL at its end */
};

static int measure(const struct msg_frame *m, struct room *r, struct err *e)
{
    struct msg_field f;
    uint32_t pos = 0;
    int more;

    *r = (struct room){ .argc = 1, .envc = 1, .ro = 1, .rw = 1 };
    while ((more = msg_next_field(m, &pos, &f)) > 0) {
        r->argc += f.tag == MSG_ARG;
        r->envc += f.tag == MSG_ENV;
        r->ro += f.tag == MSG_RO;
        r->rw += f.tag == MSG_RW;
        r->run += f.tag == MSG_RUN || f.tag == MSG_RUN_SHA256;
        r->limits += f.tag == MSG_RLIMIT;
        r->filter += f.tag == MSG_FILTER ? f.len / sizeof(struct sock_filter) : 0;
        r->texts += (size_t)f.len + 1;
    }
    return more ? err_set(e, EINVAL, "malformed request") : 0;
}

/* One block, what is aligned most first; where the texts go. */
static char *take_block(struct request *out, const struct room *r)
{
    const size_t limits = r->limits * sizeof(*out->profile.limits);
    const size_t run = r->run * sizeof(*out->profile.run);
    const size_t lists = (r->argc + r->envc + r->ro + r->rw) * sizeof(char *);
    const size_t filter = r->filter * sizeof(struct sock_filter);

    out->block = calloc(1, limits + run + lists + filter + r->texts);
    if (!out->block)
        return NULL;
    out->profile.limits = (struct profile_limit *)(void *)out->block;
    out->profile.run = (struct profile_program *)(void *)(out->block + limits);
    out->argv = (char **)(void *)(out->block + limits + run);
    out->envp = out->argv + r->argc;
    out->profile.ro = (const char **)(out->envp + r->envc);
    out->profile.rw = out->profile.ro + r->ro;
    out->profile.filter = (struct sock_filter *)(void *)(out->profile.rw + r->rw);
    return out->block + limits + run + lists + filter;
}

/* With a NUL behind it. */
static char *keep(char **at, const struct msg_field *f)
{
    char *text = *at;

    memcpy(text, f->at, f->len);
    text[f->len] = '\0';
    *at += f->len + 1;
    return text;
}

static int take_path(const struct msg_field *f, const char *text, const char *what, const char **to,
                     struct err *e)
{
    if (text[0] != '/')
        return err_set(e, EINVAL, "%s \"%.64s\" is not absolute", what, text);
    if (f->len >= PATH_BYTES)
        return err_set(e, ENAMETOOLONG, "%s \"%.64s\" is too long", what, text);
    *to = text;
    return 0;
}

static int take_text(struct request *r, char *text, const struct msg_field *f, struct err *e)
{
    struct profile *p = &r->profile;

    switch (f->tag) {
    case MSG_ARG:
        if (r->argc == 0 && !text[0])
            return err_set(e, EINVAL, "the command's name is empty");
        r->argv[r->argc++] = text;
        return 0;
    case MSG_ENV:
        if (text[0] == '=' || !strchr(text, '='))
            return err_set(e, EINVAL, "environment \"%.64s\" is not NAME=value", text);
        r->envp[r->envc++] = text;
        return 0;
    case MSG_CWD: return take_path(f, text, "working directory", &r->cwd, e);
    case MSG_PATH: return take_path(f, text, "path", &r->path, e);
    case MSG_EXE: return take_path(f, text, "program", &p->exe, e);
    case MSG_RO: return take_path(f, text, "tree", &p->ro[p->nro++], e);
    case MSG_RW: return take_path(f, text, "tree", &p->rw[p->nrw++], e);
    case MSG_RUN: return take_path(f, text, "program", &p->run[p->nrun++].path, e);
    case MSG_USER: r->user = text; return 0;
    default: /* MSG_HOSTNAME; it goes into /etc/hosts, so it must be one word */
        if (f->len == 0 || f->len >= HOSTNAME_BYTES || text[strspn(text, name_chars)])
            return err_set(e, EINVAL, "\"%.64s\" is not a host name", text);
        r->hostname = text;
        return 0;
    }
}

/* A hash, and with it the path of a file. */
static int take_pinned(struct profile *p, const struct msg_field *f, const char *kept,
                       struct err *e)
{
    struct profile_program *to;

    if (f->tag == MSG_SHA256) {
        p->sha256 = (const uint8_t *)kept;
        return f->len == SHA256_BYTES ? 0 : err_set(e, EINVAL, "a hash of %u bytes", f->len);
    }
    if (f->len <= SHA256_BYTES || strlen(kept + SHA256_BYTES) != f->len - SHA256_BYTES)
        return err_set(e, EINVAL, "a pinned program without a path");
    if (strpbrk(kept + SHA256_BYTES, "*?")) /* landlock.c hashes none of what a pattern finds */
        return err_set(e, EINVAL, "a pinned program that is a pattern");
    to = &p->run[p->nrun++];
    to->sha256 = (const uint8_t *)kept;
    return take_path(f, kept + SHA256_BYTES, "program", &to->path, e);
}

/* u32 which, u32 0, u64 value: read as fields of that size. */
static bool take_limit(struct profile *p, const struct msg_field *f)
{
    struct msg_field which = { .len = 4, .at = f->at }, zero = { .len = 4, .at = f->at + 4 },
                     value = { .len = 8, .at = f->at + 8 };
    struct profile_limit *to = &p->limits[p->nlimits];
    uint32_t none;

    if (f->len != RLIMIT_BYTES || !msg_field_u32(&which, &to->which) ||
        !msg_field_u32(&zero, &none) || !msg_field_u64(&value, &to->value))
        return false;
    for (unsigned i = 0; i < p->nlimits; i++)
        if (p->limits[i].which == to->which)
            return false;
    p->nlimits++;
    return none == 0 && to->which < RLIM_NLIMITS;
}

static bool take_filter(struct profile *p, const struct msg_field *f)
{
    p->nfilter = f->len / sizeof(*p->filter);
    if (f->len % sizeof(*p->filter) || p->nfilter == 0 || p->nfilter > MSG_FILTER_MAX)
        return false;
    memcpy(p->filter, f->at, f->len);
    return true;
}

static bool take_seed(struct request *r, const struct msg_field *f)
{
    if (f->len > sizeof(r->seed))
        return false;
    memcpy(r->seed, f->at, f->len);
    r->seed_len = f->len;
    return true;
}

static bool take_mark(struct request *r, const struct msg_field *f)
{
    r->has_mark = f->len == sizeof(r->mark);
    if (r->has_mark)
        memcpy(r->mark, f->at, f->len);
    return r->has_mark;
}

static bool take_binary(struct request *r, const struct msg_field *f)
{
    switch (f->tag) {
    case MSG_FLAGS: return msg_field_u32(f, &r->flags);
    case MSG_ROWS: return msg_field_u16(f, &r->rows);
    case MSG_COLS: return msg_field_u16(f, &r->cols);
    case MSG_TIMEOUT: return msg_field_u32(f, &r->timeout_ms);
    case MSG_GRACE: return msg_field_u32(f, &r->grace_ms);
    case MSG_TIME: return msg_field_u64(f, &r->time_ns);
    case MSG_SEED: return take_seed(r, f);
    case MSG_MARK: return take_mark(r, f);
    case MSG_OFFSET: return msg_field_u64(f, &r->offset);
    case MSG_UID: return msg_field_u32(f, &r->profile.uid) && r->profile.uid != UINT32_MAX;
    case MSG_CAPS: return msg_field_u64(f, &r->profile.caps);
    case MSG_RLIMIT: return take_limit(&r->profile, f);
    case MSG_FILTER: return take_filter(&r->profile, f);
    case MSG_PIDS: return msg_field_u32(f, &r->pids) && r->pids;
    case MSG_FILES: return msg_field_u32(f, &r->files) && r->files;
    default: /* MSG_JOB */ return msg_field_u32(f, &r->job) && r->job;
    }
}

static int take_fields(const struct msg_frame *m, struct request *r, unsigned kind, char *texts,
                       struct err *e)
{
    struct msg_field f;
    uint32_t pos = 0, seen = 0;
    int err = 0;

    while (!err && msg_next_field(m, &pos, &f) > 0) {
        if (f.tag > MSG_OFFSET || !(kinds[kind].allowed & BIT(f.tag)))
            return err_set(e, EINVAL, "request %d may not have field %d", m->type, f.tag);
        if (seen & BIT(f.tag) & ~LISTS)
            return err_set(e, EINVAL, "request %d has field %d twice", m->type, f.tag);
        seen |= BIT(f.tag);
        if (BIT(f.tag) & TEXTS)
            err = take_text(r, keep(&texts, &f), &f, e);
        else if (f.tag == MSG_SHA256 || f.tag == MSG_RUN_SHA256)
            err = take_pinned(&r->profile, &f, keep(&texts, &f), e);
        else if (!take_binary(r, &f))
            err = err_set(e, EINVAL, "request %d: field %d of %u bytes is out of range", m->type,
                          f.tag, f.len);
    }
    if (err)
        return err;
    if ((seen & kinds[kind].needed) != kinds[kind].needed)
        return err_set(e, EINVAL, "request %d lacks a field", m->type);
    if (r->flags & ~kinds[kind].flags)
        return err_set(e, EINVAL, "request %d: unknown flags 0x%x", m->type, r->flags);
    r->profile.once = r->flags & MSG_F_ONCE;
    r->profile.own = r->flags & MSG_F_OWN;
    if ((r->profile.own || r->profile.sha256) && !r->profile.exe)
        return err_set(e, EINVAL, "what is to be the image's own is not named");
    r->profile.present = (seen & PROFILE) || r->profile.once;
    r->profile.has_uid = seen & BIT(MSG_UID);
    r->profile.has_caps = seen & BIT(MSG_CAPS);
    r->profile.loose = r->flags & MSG_F_LOOSE;
    return 0;
}

int request_parse(const struct msg_frame *m, struct request *out, struct err *e)
{
    unsigned kind = 0;
    struct room room;
    char *texts;
    int err;

    *out = (struct request){ .type = (enum msg_type)m->type,
                             .grace_ms = GRACE_MS,
                             .offset = UINT64_MAX };
    while (kind < array_len(kinds) && kinds[kind].type != out->type)
        kind++;
    if (kind == array_len(kinds))
        return err_set(e, ENOSYS, "message %d is not a request to a guest", m->type);

    err = measure(m, &room, e);
    if (err)
        return err;
    texts = take_block(out, &room);
    if (!texts)
        return err_set(e, ENOMEM, "no memory for the request");

    err = take_fields(m, out, kind, texts, e);
    if (err)
        request_fini(out);
    if (!out->rows)
        out->rows = TERMINAL_ROWS;
    if (!out->cols)
        out->cols = TERMINAL_COLS;
    return err;
}

void request_fini(struct request *r)
{
    free(r->block);
    r->block = NULL;
}
