/* request.c - see request.h. */
#include "sandbox/keeper/request.h"

#include <errno.h>
#include <string.h>

#define PATH_LIMIT 4096u
#define USER_LIMIT 256u
#define SIGNAL_MAX 64u

/* Which fields a request may have, which it must have, and which flags. Bits are 1 << enum msg_tag.
 */
#define TAG(t) (1u << (t))

struct shape {
    enum msg_type type;
    uint32_t may, must, flags;
};

static const struct shape shapes[] = {
    { MSG_EXEC,
      TAG(MSG_ARG) | TAG(MSG_ENV) | TAG(MSG_CWD) | TAG(MSG_USER) | TAG(MSG_FLAGS) | TAG(MSG_ROWS) |
          TAG(MSG_COLS) | TAG(MSG_TIMEOUT),
      TAG(MSG_ARG), MSG_F_TTY | MSG_F_STDIN | MSG_F_MAIN | MSG_F_HANGUP },
    { MSG_PUT, TAG(MSG_PATH) | TAG(MSG_USER) | TAG(MSG_FLAGS), TAG(MSG_PATH), MSG_F_NOBODY },
    { MSG_GET, TAG(MSG_PATH), TAG(MSG_PATH), 0 },
    { MSG_STOP, TAG(MSG_GRACE), 0, 0 },
    { MSG_KILL, TAG(MSG_SIGNO), 0, 0 },
    { MSG_STATUS, 0, 0, 0 },
    { MSG_WAIT, 0, 0, 0 },
    { MSG_ATTACH, TAG(MSG_FLAGS), 0, MSG_F_STDIN },
    { MSG_POLICY, 0, 0, 0 },
};

static const struct shape *shape_of(uint8_t type)
{
    for (size_t i = 0; i < array_len(shapes); i++)
        if (shapes[i].type == type)
            return &shapes[i];
    return NULL;
}

static bool is_list(uint16_t tag)
{
    return tag == MSG_ARG || tag == MSG_ENV;
}

static int check_env(const struct msg_field *f, struct err *e)
{
    const uint8_t *equals = f->len ? memchr(f->at, '=', f->len) : NULL;

    return equals && equals != f->at ? 0
                                     : err_set(e, EINVAL, "an environment entry is no NAME=value");
}

static int check_path(const struct msg_field *f, const char *what, struct err *e)
{
    if (f->len == 0 || f->at[0] != '/')
        return err_set(e, EINVAL, "the %s is not an absolute path", what);
    return f->len < PATH_LIMIT ? 0 : err_set(e, ENAMETOOLONG, "the %s is too long", what);
}

static int take_u32(const struct msg_field *f, uint32_t max, uint32_t *out, const char *what,
                    struct err *e)
{
    if (!msg_field_u32(f, out) || *out > max)
        return err_set(e, EINVAL, "the %s is out of range", what);
    return 0;
}

/* One field, known to be allowed here; the text ones hold no NUL (msg_next_field). */
static int check_field(const struct msg_field *f, const struct shape *shape, struct request *r,
                       struct err *e)
{
    uint32_t number;
    uint16_t cells;

    switch (f->tag) {
    case MSG_ARG: return 0;
    case MSG_ENV: return check_env(f, e);
    case MSG_CWD: return check_path(f, "working directory", e);
    case MSG_PATH: return check_path(f, "path", e);
    case MSG_USER:
        return f->len && f->len < USER_LIMIT ? 0 : err_set(e, EINVAL, "the user is out of range");
    case MSG_FLAGS:
        if (take_u32(f, UINT32_MAX, &r->flags, "flags", e))
            return -EINVAL;
        return r->flags & ~shape->flags ? err_set(e, EINVAL, "a flag is not known here") : 0;
    case MSG_ROWS:
    case MSG_COLS:
        return msg_field_u16(f, &cells) ? 0 : err_set(e, EINVAL, "the terminal size is malformed");
    case MSG_TIMEOUT: return take_u32(f, UINT32_MAX, &number, "timeout", e);
    case MSG_GRACE:
        r->has_grace = true;
        return take_u32(f, REQUEST_GRACE_MAX_MS, &r->grace_ms, "grace time", e);
    case MSG_SIGNO:
        r->has_signo = true;
        if (take_u32(f, SIGNAL_MAX, &r->signo, "signal", e) || r->signo == 0)
            return err_set(e, EINVAL, "the signal is out of range");
        return 0;
    default: return err_set(e, EINVAL, "field %u is not known", f->tag);
    }
}

static bool is_relayed(enum msg_type t)
{
    return t == MSG_EXEC || t == MSG_PUT || t == MSG_GET;
}

int request_check(const struct msg_frame *m, struct request *out, struct msg_builder *relay,
                  struct err *e)
{
    const struct shape *shape = shape_of(m->type);
    struct msg_field f;
    uint32_t pos = 0, seen = 0;
    int more;

    *out = (struct request){ .type = (enum msg_type)m->type };
    if (m->type == MSG_SETUP || m->type == MSG_POWEROFF || m->type == MSG_JOBS)
        return err_set(e, EPERM, "only the keeper may ask a guest for that");
    if (!shape)
        return err_set(e, ENOSYS, "message type %u is not a request", m->type);
    if (is_relayed(shape->type))
        msg_begin(relay, shape->type);
    while ((more = msg_next_field(m, &pos, &f)) > 0) {
        if (f.tag > MSG_SIGNO || !(shape->may & TAG(f.tag)))
            return err_set(e, EINVAL, "field %u does not belong to this request", f.tag);
        if ((seen & TAG(f.tag)) && !is_list(f.tag))
            return err_set(e, EINVAL, "field %u is given twice", f.tag);
        if (f.tag == MSG_ARG && !(seen & TAG(MSG_ARG)) && f.len == 0)
            return err_set(e, EINVAL, "the command is empty");
        seen |= TAG(f.tag);

        int err = check_field(&f, shape, out, e);

        if (err)
            return err;
        if (is_relayed(shape->type))
            msg_add(relay, (enum msg_tag)f.tag, f.at, f.len);
    }
    if (more < 0)
        return err_set(e, EINVAL, "the request is malformed");
    if (shape->must & ~seen)
        return err_set(e, EINVAL, "the request lacks a %s",
                       shape->must & TAG(MSG_ARG) ? "command" : "path");
    return 0;
}

int request_make_main(const struct box_config *c, struct request *out, struct msg_builder *b,
                      struct err *e)
{
    *out = (struct request){ .type = MSG_EXEC, .flags = MSG_F_MAIN };
    if (c->tty)
        out->flags |= MSG_F_TTY;
    if (c->stdin_open)
        out->flags |= MSG_F_STDIN;
    msg_begin(b, MSG_EXEC);
    for (size_t i = 0; c->argv[i]; i++)
        msg_add_text(b, MSG_ARG, c->argv[i]);
    for (size_t i = 0; c->env && c->env[i]; i++)
        msg_add_text(b, MSG_ENV, c->env[i]);
    if (c->cwd)
        msg_add_text(b, MSG_CWD, c->cwd);
    if (c->user)
        msg_add_text(b, MSG_USER, c->user);
    msg_add_u32(b, MSG_FLAGS, out->flags);
    if (c->timeout_ms)
        msg_add_u32(b, MSG_TIMEOUT, c->timeout_ms);
    return b->overflow
               ? err_set(e, E2BIG, "the command and its environment are longer than %u bytes",
                         MSG_MAX)
               : 0;
}
