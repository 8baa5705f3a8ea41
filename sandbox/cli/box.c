/* box.c - see box.h. */
#include "sandbox/cli/box.h"

#include "base/fd.h"
#include "sandbox/cli/suggest.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/time.h>

/* The name among all that is nearest to a mistyped one. */
static void hint_near(struct store *s, const char *what, char hint[HINT_MAX])
{
    char **ids = NULL, best_name[BOX_NAME_MAX + 1] = "";
    size_t n = 0;

    if (store_list(s, &ids, &n, NULL))
        return;
    for (size_t i = 0; i < n; i++) {
        char id[BOX_ID_LEN + 1];
        struct box_config cfg;
        const char *best = *best_name ? best_name : NULL, *before = best;
        auto_fd int fd = store_find(s, ids[i], id, NULL);

        if (fd >= 0 && box_load_config(fd, &cfg, NULL) == 0) {
            suggest_offer(what, cfg.name, &best);
            if (best != before)
                memcpy(best_name, cfg.name, sizeof(best_name));
            box_config_fini(&cfg);
        }
        free(ids[i]);
    }
    free(ids);
    if (*best_name)
        snprintf(hint, HINT_MAX, "did you mean \"%s\"? `carrel ls` lists all", best_name);
    else
        snprintf(hint, HINT_MAX, "carrel ls");
}

int box_open(struct box *b, struct store *s, const char *what, char hint[HINT_MAX], struct err *e)
{
    int err;

    memset(b, 0, sizeof(*b));
    hint[0] = '\0';
    b->fd = store_find(s, what, b->id, e);
    err = b->fd < 0 ? b->fd : store_reconcile(s, b->id, e);
    if (err >= 0)
        err = box_load_config(b->fd, &b->config, e);
    if (err == 0)
        err = box_load_state(b->fd, &b->state, e);
    if (err == -ENOENT) {
        /* Also one that reconciling removed: an ephemeral whose keeper is gone. */
        err_set(e, ENOENT, "no such sandbox: %s", what);
        hint_near(s, what, hint);
    }
    return err;
}

void box_fini(struct box *b)
{
    fd_closep(&b->fd);
    box_config_fini(&b->config);
}

bool box_lives(const struct box_state *s)
{
    return s->phase == BOX_BOOTING || s->phase == BOX_RUNNING || s->phase == BOX_STOPPING;
}

void box_hint_silent(const char *name, char hint[HINT_MAX])
{
    snprintf(hint, HINT_MAX, "carrel rm -f %s   ends it without its keeper", name);
}

int box_await(const struct box *b, struct pollfd *p, char hint[HINT_MAX], struct err *e)
{
    for (;;) {
        int n = poll(p, 1, client_quiet_ms()), err;

        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return err_sys(e, "poll");
        err = n < 0 ? 0 : client_check(b->fd, e);
        if (err == -ETIMEDOUT)
            box_hint_silent(b->config.name, hint);
        if (err && err != -EINTR)
            return err;
    }
}

int box_connect(const struct box *b, char hint[HINT_MAX], struct err *e)
{
    int fd = client_connect(b->fd, e);

    if (fd == -ETIMEDOUT)
        box_hint_silent(b->config.name, hint);
    if (fd != -ECONNREFUSED)
        return fd;
    if (b->state.phase == BOX_ENDED)
        err_set(e, ECONNREFUSED, "%s has ended (%s)", b->config.name,
                *b->state.reason ? b->state.reason : "no reason known");
    else
        err_set(e, ECONNREFUSED, "%s is not running", b->config.name);
    snprintf(hint, HINT_MAX, "carrel start %s", b->config.name);
    return -ECONNREFUSED;
}

static int answer(const struct msg_frame *f, struct box_state *end, struct err *e)
{
    struct box_state ignored;
    uint32_t code;

    switch (f->type) {
    case MSG_DONE: return 0;
    case MSG_ENDED: {
        int err = box_state_parse((const char *)f->body, f->len, end ? end : &ignored, e);

        return err ? err : 1;
    }
    case MSG_ERROR:
        if (f->len < 4)
            return err_set(e, EBADMSG, "the keeper sent a malformed error");
        code = f->body[0] | (uint32_t)f->body[1] << 8 | (uint32_t)f->body[2] << 16 |
               (uint32_t)f->body[3] << 24;
        return err_set(e, code && code < 4096 ? (int)code : EIO, "%.*s",
                       f->len < 204 ? (int)f->len - 4 : 200, (const char *)f->body + 4);
    default: return err_set(e, EBADMSG, "the keeper sent a message of type %u", f->type);
    }
}

int box_ask(const struct box *b, struct msg_builder *request, struct box_state *end,
            char hint[HINT_MAX], struct err *e)
{
    struct msg_frame f;
    auto_fd int fd = box_connect(b, hint, e);

    if (fd < 0)
        return fd;

    struct client *k = malloc(sizeof(*k));

    if (!k)
        return err_set(e, ENOMEM, "out of memory");
    k->fd = fd;
    k->have = k->used = 0;

    struct pollfd p = { .fd = fd, .events = POLLIN };
    int got = client_request(k, request, e);

    if (got == 0 || got == -EPIPE) /* its last words can be read all the same */
        got = box_await(b, &p, hint, e);
    if (got == 0)
        got = client_next(k, &f, e);
    if (got == 0 || got == -ECONNRESET)
        got = err_set(e, EPIPE, "the sandbox's keeper went away");
    else if (got > 0)
        got = answer(&f, end, e);
    free(k);
    return got;
}

int box_ended(struct box *b, struct store *s, struct err *e)
{
    if (!box_await_free(b->fd))
        return err_set(e, ETIMEDOUT, "%s does not end: its keeper still runs", b->config.name);

    int err = store_reconcile(s, b->id, e);

    return err < 0 ? err : box_load_state(b->fd, &b->state, e);
}

static void do_nothing(int signo)
{
    (void)signo;
}

bool box_await_free(int boxfd)
{
    /* flock has no timeout: a timer that rings every second breaks it off. */
    const struct itimerval second = { { 1, 0 }, { 1, 0 } }, never = { { 0, 0 }, { 0, 0 } };
    struct sigaction ring = { .sa_handler = do_nothing }, before;
    auto_fd int fd = openat(boxfd, "lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    int held = -1;

    if (fd < 0)
        return true; /* nobody has ever held it, or it is gone */
    sigaction(SIGALRM, &ring, &before);
    setitimer(ITIMER_REAL, &second, NULL);
    for (int i = 0; i < 10 && held; i++) {
        held = flock(fd, LOCK_SH);
        if (held && errno != EINTR)
            break;
    }
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    return held == 0;
}

int box_each(struct cli *c, int (*one)(struct cli *c, struct store *s, const char *what))
{
    struct err e = ERR_INIT;
    struct store *s = store_open(&e);
    int status = 0;

    if (!s)
        return cli_fail(c, "state", &e, NULL);
    for (size_t i = 0; i < c->args->noperands; i++) {
        int st = one(c, s, c->args->operands[i]);

        if (st)
            status = st;
    }
    store_close(s);
    return status ? status : cli_finish(c);
}
