/* logs.c - what a sandbox printed: its end, all of it, or as it grows. */
#include "base/fd.h"
#include "sandbox/cli/box.h"
#include "sandbox/cli/output.h"
#include "sandbox/cli/size.h"
#include "sandbox/cli/text.h"
#include "sandbox/cli/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define CHUNK 16384u

struct reader {
    struct cli *c;
    struct output out; /* --json */
    struct text_filter filter;
    bool visible;  /* escapes are spelled out */
    char file[32]; /* the log's name in the sandbox's directory */
    int fd;        /* owned; -1: there is none yet */
    off_t at;
};

static void show(struct reader *r, const uint8_t *p, size_t len)
{
    static char safe[TEXT_GROWTH * (CHUNK + 4)];

    if (r->c->json)
        output_write(&r->out, OUTPUT_OUT, p, len);
    else if (r->visible)
        fwrite(safe, 1, text_visible(&r->filter, p, len, safe), stdout);
    else
        fwrite(p, 1, len, stdout);
}

/* -1 without an error: it has printed nothing yet. */
static int reopen(struct reader *r, const struct box *b, struct err *e)
{
    if (r->fd < 0)
        r->fd = openat(b->fd, r->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return r->fd >= 0 || errno == ENOENT ? 0 : err_sys(e, "%s", r->file);
}

/* What was added since. A log that became shorter was cut by its writer: begin again. */
static int read_more(struct reader *r, const struct box *b, struct err *e)
{
    uint8_t buf[CHUNK];
    ssize_t n;
    int err = reopen(r, b, e);

    if (err || r->fd < 0)
        return err;

    if (lseek(r->fd, 0, SEEK_END) < r->at)
        r->at = 0;
    while ((n = pread(r->fd, buf, sizeof(buf), r->at)) > 0) {
        show(r, buf, (size_t)n);
        r->at += n;
    }
    fflush(stdout);
    return n < 0 ? err_sys(e, "log") : 0;
}

/* Where the last `lines` lines begin. A line that is not ended yet counts. */
static off_t tail_start(int fd, uint32_t lines)
{
    uint8_t buf[CHUNK];
    off_t end = lseek(fd, 0, SEEK_END), at = end;

    if (lines == 0)
        return end;
    while (at > 0) {
        size_t want = at > (off_t)sizeof(buf) ? sizeof(buf) : (size_t)at;
        ssize_t n = pread(fd, buf, want, at - (off_t)want);

        if (n != (ssize_t)want)
            return 0;
        for (size_t i = want; i-- > 0;) {
            off_t pos = at - (off_t)want + (off_t)i;

            if (buf[i] == '\n' && pos + 1 < end && --lines == 0)
                return pos + 1;
        }
        at -= (off_t)want;
    }
    return 0;
}

/* Until the sandbox has ended: every change of its directory is an event. Only that nobody is there
 * who could change it is none. */
static int follow(struct reader *r, const struct box *b, char hint[HINT_MAX], struct err *e)
{
    char path[64], events[4096];
    auto_fd int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    struct pollfd p = { .fd = notify, .events = POLLIN };
    struct box_state st;
    bool lives;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", b->fd);
    if (notify < 0 ||
        inotify_add_watch(notify, path, IN_MODIFY | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF) <
            0)
        return err_sys(e, "watching the log");
    do {
        /* The state first: what was written before it said "ended" is then read below. */
        lives = box_load_state(b->fd, &st, NULL) == 0 && box_lives(&st);

        int err = read_more(r, b, e);

        if (err)
            return err;
        if (ferror(stdout) || r->out.broken)
            return 0;
        if (!lives)
            break;
        err = box_await(b, &p, hint, e);
        if (err)
            return err;
        while (read(notify, events, sizeof(events)) > 0)
            ;
    } while (lives);
    return 0;
}

static int open_log(struct reader *r, const struct box *b, struct err *e)
{
    const char *source = args_text(r->c->args, OPT_SOURCE);
    const char *lines = args_text(r->c->args, OPT_TAIL);
    uint32_t n = 0;
    int err;

    snprintf(r->file, sizeof(r->file), "%s.log", source ? source : "output");
    if (lines && count_parse(lines, 0, INT32_MAX, &n))
        return err_set(e, EINVAL, "--tail: \"%s\" is not a number of lines", lines);
    err = reopen(r, b, e);
    if (err || r->fd < 0)
        return err;
    if (lines)
        r->at = tail_start(r->fd, n);
    return 0;
}

static void not_interrupted(void *arg)
{
    (void)arg;
}

int verb_logs(struct cli *c)
{
    char hint[HINT_MAX] = "", safe[TEXT_GROWTH * 4] = "";
    struct err e = ERR_INIT;
    struct store *s = store_open(&e);
    struct box b = { .fd = -1 };
    struct reader r = { .c = c, .fd = -1 };
    int err = s ? box_open(&b, s, c->args->operands[0], hint, &e) : -EIO;

    r.visible = isatty(STDOUT_FILENO) && !args_has(c->args, OPT_RAW);
    output_init(&r.out, c, not_interrupted, NULL);
    if (!err)
        err = open_log(&r, &b, &e);
    if (!err)
        err = args_has(c->args, OPT_FOLLOW) ? follow(&r, &b, hint, &e) : read_more(&r, &b, &e);
    output_end(&r.out);
    fwrite(safe, 1, text_visible_end(&r.filter, safe), stdout);
    fd_closep(&r.fd);
    box_fini(&b);
    store_close(s);
    return err ? cli_fail(c, "sandbox", &e, hint) : cli_finish(c);
}
