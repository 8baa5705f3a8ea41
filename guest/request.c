/* request.c - see request.h. */
#include "guest/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BIT(tag) (1u << (tag))

static const char name_chars[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

/* Which fields and flags each request may have, and which it must. */
static const struct {
    enum msg_type type;
    uint32_t allowed, needed, flags;
} kinds[] = {
    { MSG_SETUP, BIT(MSG_HOSTNAME) | BIT(MSG_TIME) | BIT(MSG_SEED), 0, 0 },
    { MSG_EXEC,
      BIT(MSG_ARG) | BIT(MSG_ENV) | BIT(MSG_CWD) | BIT(MSG_USER) | BIT(MSG_FLAGS) | BIT(MSG_ROWS) |
          BIT(MSG_COLS) | BIT(MSG_TIMEOUT),
      BIT(MSG_ARG), MSG_F_TTY | MSG_F_STDIN | MSG_F_MAIN | MSG_F_HANGUP },
    { MSG_PUT, BIT(MSG_PATH) | BIT(MSG_USER) | BIT(MSG_FLAGS), BIT(MSG_PATH), MSG_F_NOBODY },
    { MSG_GET, BIT(MSG_PATH), BIT(MSG_PATH), 0 },
    { MSG_POWEROFF, BIT(MSG_GRACE), 0, 0 },
};

/* Room for the pointers and texts, found before anything is copied. */
static int measure(const struct msg_frame *m, struct request *r, size_t *texts, struct err *e)
{
    struct msg_field f;
    uint32_t pos = 0;
    int more;

    while ((more = msg_next_field(m, &pos, &f)) > 0) {
        r->argc += f.tag == MSG_ARG;
        r->envc += f.tag == MSG_ENV;
        *texts += (size_t)f.len + 1;
    }
    return more ? err_set(e, EINVAL, "malformed request") : 0;
}

static char *keep(char **at, const struct msg_field *f)
{
    char *text = *at;

    memcpy(text, f->at, f->len);
    text[f->len] = '\0';
    *at += f->len + 1;
    return text;
}

static int take_text(struct request *r, char *text, const struct msg_field *f, struct err *e)
{
    switch (f->tag) {
    case MSG_ARG: r->argv[r->argc++] = text; return 0;
    case MSG_ENV:
        if (text[0] == '=' || !strchr(text, '='))
            return err_set(e, EINVAL, "environment \"%.64s\" is not NAME=value", text);
        r->envp[r->envc++] = text;
        return 0;
    case MSG_CWD:
        if (text[0] != '/')
            return err_set(e, EINVAL, "working directory \"%.64s\" is not absolute", text);
        r->cwd = text;
        return 0;
    case MSG_PATH:
        if (text[0] != '/')
            return err_set(e, EINVAL, "path \"%.64s\" is not absolute", text);
        r->path = text;
        return 0;
    case MSG_USER: r->user = text; return 0;
    default: /* MSG_HOSTNAME; it goes into /etc/hosts, so it must be one word */
        if (f->len == 0 || f->len >= HOSTNAME_BYTES || text[strspn(text, name_chars)])
            return err_set(e, EINVAL, "\"%.64s\" is not a host name", text);
        r->hostname = text;
        return 0;
    }
}

static bool take_number(struct request *r, const struct msg_field *f)
{
    switch (f->tag) {
    case MSG_FLAGS: return msg_field_u32(f, &r->flags);
    case MSG_ROWS: return msg_field_u16(f, &r->rows);
    case MSG_COLS: return msg_field_u16(f, &r->cols);
    case MSG_TIMEOUT: return msg_field_u32(f, &r->timeout_ms);
    case MSG_GRACE: return msg_field_u32(f, &r->grace_ms);
    case MSG_TIME: return msg_field_u64(f, &r->time_ns);
    default: /* MSG_SEED */
        if (f->len > sizeof(r->seed))
            return false;
        memcpy(r->seed, f->at, f->len);
        r->seed_len = f->len;
        return true;
    }
}

static bool is_number(uint16_t tag)
{
    return tag == MSG_FLAGS || tag == MSG_ROWS || tag == MSG_COLS || tag == MSG_TIMEOUT ||
           tag == MSG_GRACE || tag == MSG_TIME || tag == MSG_SEED;
}

static int take_fields(const struct msg_frame *m, struct request *r, unsigned kind, char *texts,
                       struct err *e)
{
    struct msg_field f;
    uint32_t pos = 0, seen = 0;
    int err;

    while (msg_next_field(m, &pos, &f) > 0) {
        if (f.tag > MSG_SIGNO || !(kinds[kind].allowed & BIT(f.tag)))
            return err_set(e, EINVAL, "request %d may not have field %d", m->type, f.tag);
        if ((seen & BIT(f.tag)) && f.tag != MSG_ARG && f.tag != MSG_ENV)
            return err_set(e, EINVAL, "request %d has field %d twice", m->type, f.tag);
        seen |= BIT(f.tag);
        if (!is_number(f.tag)) {
            err = take_text(r, keep(&texts, &f), &f, e);
            if (err)
                return err;
        } else if (!take_number(r, &f)) {
            return err_set(e, EINVAL, "request %d: field %d of %u bytes", m->type, f.tag, f.len);
        }
    }
    if ((seen & kinds[kind].needed) != kinds[kind].needed)
        return err_set(e, EINVAL, "request %d lacks a field", m->type);
    if (r->flags & ~kinds[kind].flags)
        return err_set(e, EINVAL, "request %d: unknown flags 0x%x", m->type, r->flags);
    return 0;
}

int request_parse(const struct msg_frame *m, struct request *out, struct err *e)
{
    size_t texts = 0, pointers;
    unsigned kind = 0;
    int err;

    *out = (struct request){ .type = (enum msg_type)m->type, .grace_ms = GRACE_MS };
    while (kind < array_len(kinds) && kinds[kind].type != out->type)
        kind++;
    if (kind == array_len(kinds))
        return err_set(e, ENOSYS, "message %d is not a request to a guest", m->type);

    err = measure(m, out, &texts, e);
    if (err)
        return err;
    pointers = ((size_t)out->argc + out->envc + 2) * sizeof(char *);
    out->block = calloc(1, pointers + texts);
    if (!out->block)
        return err_set(e, ENOMEM, "no memory for the request");
    out->argv = (char **)(void *)out->block;
    out->envp = out->argv + out->argc + 1;
    out->argc = out->envc = 0;

    err = take_fields(m, out, kind, out->block + pointers, e);
    if (!err && out->argc && !out->argv[0][0])
        err = err_set(e, EINVAL, "the command's name is empty");
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
