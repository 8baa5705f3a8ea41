/* tool.c - see tool.h. */
#include "sandbox/image/tool.h"

#include "base/fd.h"
#include "sandbox/image/confined.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum {
    NOT_FOUND = 127,    /* the child's exit status when exec failed, as a shell's */
    OUT_MAX = 64 << 10, /* of tool_run */
    ENV_MAX = 8,        /* strings added */
};

struct pipes {
    int in[2], out[2], err[2]; /* [0] is the program's end of in, ours of the others */
};

static void pipes_close(struct pipes *p)
{
    for (int i = 0; i < 2; i++) {
        fd_closep(&p->in[i]);
        fd_closep(&p->out[i]);
        fd_closep(&p->err[i]);
    }
}

static int pipes_open(struct pipes *p, unsigned wants, struct err *e)
{
    if ((wants & TOOL_IN && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p->in)) ||
        (wants & TOOL_OUT && pipe2(p->out, O_CLOEXEC)) || pipe2(p->err, O_CLOEXEC)) {
        int err = err_sys(e, "pipe");

        pipes_close(p);
        return err;
    }
    return 0;
}

/* In the child. Only calls that are safe after fork in a process with threads. */
static _Noreturn void child(const char *const argv[], const struct pipes *p, const char *cwd,
                            const struct confined_tool *walls, pid_t parent)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
        _exit(NOT_FOUND);
    if (null < 0 || dup2(p->in[0] >= 0 ? p->in[0] : null, 0) < 0 ||
        dup2(p->out[1] >= 0 ? p->out[1] : null, 1) < 0 || dup2(p->err[1], 2) < 0 ||
        (cwd && chdir(cwd)))
        _exit(NOT_FOUND);
    if (walls && confined_tool_enter(walls))
        _exit(NOT_FOUND);
    close_range(3, ~0U, 0);
    execvp(argv[0], (char *const *)argv);

    const char *why = strerror(errno);

    if (write(2, argv[0], strlen(argv[0])) < 0 || write(2, ": ", 2) < 0 ||
        write(2, why, strlen(why)) < 0)
        _exit(NOT_FOUND);
    _exit(NOT_FOUND);
}

/* environ with LC_ALL=C and the added strings first: getenv takes the first that matches. */
static char **environment(const char *const add[])
{
    size_t n = 0, have = 0;

    while (environ && environ[have])
        have++;

    char **env = calloc(have + ENV_MAX + 2, sizeof(*env));

    if (!env)
        return NULL;
    env[n++] = (char *)"LC_ALL=C";
    for (size_t i = 0; add && add[i] && i < ENV_MAX; i++)
        env[n++] = (char *)add[i];
    for (size_t i = 0; i < have; i++) {
        const char *eq = strchr(environ[i], '=');
        size_t len = eq ? (size_t)(eq - environ[i]) + 1 : 0;
        bool hidden = false;

        for (size_t k = 0; k < n && len && !hidden; k++)
            hidden = strncmp(env[k], environ[i], len) == 0;
        if (!hidden)
            env[n++] = environ[i];
    }
    return env;
}

/* How a program is started. */
struct start {
    const char *const *argv, *const *env;
    const char *cwd;
    const struct confined_tool *walls;
    unsigned wants;
};

static int start(struct tool *t, const struct start *s, struct err *e)
{
    struct pipes p = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
    char **full = environment(s->env);
    pid_t parent = getpid();
    int err = full ? pipes_open(&p, s->wants, e) : err_set(e, ENOMEM, "out of memory");

    *t = TOOL_INIT;
    if (err) {
        free(full);
        return err;
    }
    t->name = s->argv[0];

    pid_t pid = fork();

    if (pid == 0) {
        environ = full;
        child(s->argv, &p, s->cwd, s->walls, parent);
    }
    free(full);
    if (pid < 0) {
        err = err_sys(e, "%s: fork", s->argv[0]);
        pipes_close(&p);
        return err;
    }
    t->pid = pid;
    t->in = fd_steal(&p.in[1]);
    t->out = fd_steal(&p.out[0]);
    t->err = fd_steal(&p.err[0]);
    pipes_close(&p);
    return 0;
}

int tool_start(struct tool *t, const char *const argv[], unsigned wants, const char *cwd,
               const char *const env[], image_progress *say, void *arg, struct err *e)
{
    const struct start s = { .argv = argv, .env = env, .cwd = cwd, .wants = wants };
    int err = start(t, &s, e);

    if (!err) {
        t->say = say;
        t->arg = arg;
    }
    return err;
}

int tool_start_confined(struct tool *t, const char *const argv[], unsigned wants,
                        const struct confined_tool *walls, struct err *e)
{
    const struct start s = { .argv = argv, .walls = walls, .wants = wants };

    return start(t, &s, e);
}

static bool is_control(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f;
}

/* Takes what stands ready on its standard error; forwards each complete line. */
static void take_messages(struct tool *t)
{
    char buf[512];
    ssize_t n = read(t->err, buf, sizeof(buf));

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        fd_closep(&t->err);
        buf[0] = '\n'; /* ends a line that has no end */
        n = 1;
    }
    for (ssize_t i = 0; i < n; i++) {
        if (buf[i] != '\n' && buf[i] != '\r') {
            /* Control characters are not passed on to a terminal; a long line loses its tail. */
            if (t->have < sizeof(t->line) - 1)
                t->line[t->have++] = (char)(is_control(buf[i]) ? ' ' : buf[i]);
            continue;
        }
        t->line[t->have] = '\0';
        if (t->have > 0) {
            /* A full disk is the reason, whatever is said after it. */
            if (!t->full)
                memcpy(t->last, t->line, t->have + 1);
            t->full = t->full || strcasestr(t->line, "no space left on device");
            if (t->say)
                t->say(t->arg, t->line);
        }
        t->have = 0;
    }
}

/* Waits until fd is ready for events, taking messages meanwhile. fd < 0: until the messages end. */
static int wait_for(struct tool *t, int fd, short events)
{
    for (;;) {
        struct pollfd p[2] = { { .fd = fd, .events = events }, { .fd = t->err, .events = POLLIN } };

        if (fd < 0 && t->err < 0)
            return 0;
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return -errno;
        if (t->err >= 0 && p[1].revents)
            take_messages(t);
        if (fd >= 0 && p[0].revents)
            return 0;
    }
}

int tool_wait(struct tool *t, int fd)
{
    return wait_for(t, fd, POLLIN);
}

ssize_t tool_read(struct tool *t, void *buf, size_t len)
{
    while (t->out >= 0) {
        int err = wait_for(t, t->out, POLLIN);
        ssize_t n = err ? err : read(t->out, buf, len);

        if (n > 0 || err)
            return n;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            fd_closep(&t->out);
    }
    return 0;
}

int tool_write(struct tool *t, const void *buf, size_t len)
{
    const char *at = buf;

    while (len > 0) {
        int err = wait_for(t, t->in, POLLOUT);
        ssize_t n = err ? -1 : send(t->in, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (err)
            return err;
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return -errno;
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

static int reap(struct tool *t, int *status)
{
    pid_t got;

    do
        got = waitpid(t->pid, status, 0);
    while (got < 0 && errno == EINTR);
    t->pid = 0;
    return got < 0 ? -errno : 0;
}

int tool_finish(struct tool *t, struct err *e)
{
    char rest[4096];
    int status = 0;
    ssize_t n;

    fd_closep(&t->in);
    while ((n = tool_read(t, rest, sizeof(rest))) > 0)
        ;

    int err = n < 0 ? (int)n : wait_for(t, -1, 0);

    if (err)
        return err_set(e, -err, "%s: %s", t->name, strerror(-err));
    err = reap(t, &status);
    if (err)
        return err_set(e, -err, "%s: wait: %s", t->name, strerror(-err));
    if (WIFSIGNALED(status))
        return err_set(e, EIO, "%s: killed by signal %d", t->name, WTERMSIG(status));
    if (WEXITSTATUS(status) == 0)
        return 0;

    int code = WEXITSTATUS(status) == NOT_FOUND ? ENOENT : t->full ? ENOSPC : EIO;

    return err_set(e, code, "%s: %s", t->name, *t->last ? t->last : "failed and did not say why");
}

void tool_stop(struct tool *t)
{
    int status;

    if (t->pid > 0) {
        kill(t->pid, SIGKILL);
        if (reap(t, &status)) /* nothing is left to be done about it */
            t->pid = 0;
    }
    fd_closep(&t->in);
    fd_closep(&t->out);
    fd_closep(&t->err);
}

int tool_run(const char *const argv[], const char *cwd, char **out, image_progress *say, void *arg,
             struct err *e)
{
    cleanup_with(tool_stop) struct tool t = TOOL_INIT;
    int err = tool_start(&t, argv, out ? TOOL_OUT : 0, cwd, NULL, say, arg, e);
    size_t have = 0;
    ssize_t n = 0;

    if (err || !out)
        return err ? err : tool_finish(&t, e);

    char *text = malloc(OUT_MAX + 1);

    if (!text)
        return err_set(e, ENOMEM, "%s: out of memory", argv[0]);
    while (have < OUT_MAX && (n = tool_read(&t, text + have, OUT_MAX - have)) > 0)
        have += (size_t)n;
    text[have] = '\0';
    err = n < 0 ? err_set(e, (int)-n, "%s: %s", argv[0], strerror((int)-n)) : tool_finish(&t, e);
    if (err)
        free(text);
    else
        *out = text;
    return err;
}
