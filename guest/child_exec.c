/*
 * child_exec.c - a request becomes a running program: see child.h.
 *
 * The order matters: descriptors, the terminal, limits and the names of trees while still root;
 * then identity and what the profile closes; then the working directory and the program with the
 * rights of the user it runs as. A profile's filter comes last, so it need allow no more than
 * execve.
 */
#include "guest/child.h"
#include "guest/programs.h"
#include "guest/pty.h"
#include "guest/users.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define DEFAULTS     8u /* variables that may be added, and the NULL */

static void reset_signals(void)
{
    sigset_t none;

    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int set_stdio(const struct request *r, const struct child_io *io, const struct user *u,
                     struct err *e)
{
    const int from[] = { io->in, io->out, io->err };

    for (int to = 0; to < 3; to++) {
        int fd = from[to] >= 0 ? from[to] : open("/dev/null", O_RDWR | O_CLOEXEC);

        if (fd < 0 || dup2(fd, to) < 0)
            return err_sys(e, "standard stream %d", to);
        /* A pipe or terminal belongs to who opens it again as /dev/stdout. */
        if (from[to] >= 0 && geteuid() == 0)
            (void)!fchown(fd, u->uid, (r->flags & MSG_F_TTY) ? (gid_t)-1 : u->gid);
    }
    if ((r->flags & MSG_F_TTY) && ioctl(0, TIOCSCTTY, 0))
        return err_sys(e, "controlling terminal");
    return 0;
}

static const char *lookup(char *const *env, const char *name)
{
    size_t len = strlen(name);

    for (; *env; env++)
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
            return *env + len + 1;
    return NULL;
}

static bool add_default(char **env, unsigned *n, const char *name, const char *value)
{
    if (lookup(env, name))
        return true;
    env[*n + 1] = NULL;
    return asprintf(&env[(*n)++], "%s=%s", name, value) >= 0;
}

/* The request's environment and what a login would have set besides. Never freed: execve takes it.
 */
static char **make_env(const struct request *r, const struct user *u)
{
    char **env = calloc(r->envc + DEFAULTS, sizeof(*env));
    unsigned n = r->envc;
    bool ok;

    if (!env)
        return NULL;
    memcpy(env, r->envp, r->envc * sizeof(*env));
    ok = add_default(env, &n, "PATH", DEFAULT_PATH) && add_default(env, &n, "HOME", u->home) &&
         add_default(env, &n, "SHELL", u->shell);
    if (ok && u->name[0])
        ok = add_default(env, &n, "USER", u->name) && add_default(env, &n, "LOGNAME", u->name);
    if (ok && (r->flags & MSG_F_TTY))
        ok = add_default(env, &n, "TERM", "xterm");
    return ok ? env : NULL;
}

/* Tries each directory of PATH as execvp does, but never a shell for what is no program. */
static int exec_in_path(const struct profile *p, char *const *argv, char *const *env)
{
    const char *dir = lookup(env, "PATH");
    char path[4096];
    int verdict = ENOENT;

    for (;;) {
        size_t len = strcspn(dir, ":");
        int n = snprintf(path, sizeof(path), "%.*s%s%s", (int)len, dir, len ? "/" : "", argv[0]);

        if (n < (int)sizeof(path)) {
            int code = programs_exec(p, path, argv, env);

            if (code == EACCES)
                verdict = EACCES;
            else if (code != ENOENT && code != ENOTDIR)
                return code;
        }
        if (!dir[len])
            return verdict;
        dir += len + 1;
    }
}

/* at: by what the program that was looked at is reached, or "" (programs_fix). */
static int run(const struct request *r, const char *at, char **env, struct err *e)
{
    const char *name = r->profile.exe ? r->profile.exe : r->argv[0];
    int code;

    if (!strchr(name, '/')) {
        code = exec_in_path(&r->profile, r->argv, env);
        if (code == ENOENT)
            return err_set(e, code, "\"%.128s\" is not in PATH", name);
    } else {
        code = programs_exec(&r->profile, *at ? at : name, r->argv, env);
        if (code == ENOENT && access(name, F_OK) == 0)
            return err_set(e, code, "\"%.128s\": its interpreter is missing", name);
    }
    return err_set(e, code, "\"%.128s\": %s", name, strerror(code));
}

/* The last steps, with the rights of the command: only execve comes after. */
static int confine(const struct request *r, int ruleset, const struct program *exe,
                   char at[PROGRAMS_AT], struct err *e)
{
    const char *cwd = r->cwd ? r->cwd : "/";
    int err = landlock_apply(&r->profile, ruleset, e);

    if (err)
        return err;
    if (chdir(cwd))
        return err_sys(e, "working directory \"%.128s\"", cwd);
    /* All are close-on-exec already; a mistake elsewhere must not reach a tool. */
    (void)syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);
    err = programs_fix(&r->profile, exe, at, e);
    if (!err)
        err = programs_close(&r->profile, e);
    return err ? err : profile_filter(&r->profile, e);
}

static int become(const struct request *r, const struct child_io *io, const struct limits *all,
                  const struct origin *o, struct err *e)
{
    int ruleset = -1; /* close-on-exec, as those of exe; the process ends or becomes another */
    char at[PROGRAMS_AT] = "";
    struct program exe;
    struct user u;
    char **env;
    int err;

    setsid();
    reset_signals();
    umask(022);
    err = user_load(r->user ? r->user : "", &u, e);
    if (!err)
        err = set_stdio(r, io, &u, e);
    if (!err && io->place >= 0)
        err = pty_enter(io->place, e);
    if (!err)
        err = programs_check(&r->profile, o, &exe, e);
    if (!err)
        err = landlock_make(&r->profile, o, &exe, &ruleset, e);
    if (!err)
        err = programs_prepare(&r->profile, e);
    /* Nothing is opened from here on: PID 1's descriptors, still ours, may be more than the limit.
     */
    if (!err)
        err = profile_limits(&r->profile, all, e);
    if (!err)
        err = profile_identity(&r->profile, &u, e);
    if (err)
        return err;
    env = make_env(r, &u);
    if (!env)
        return err_set(e, ENOMEM, "no memory for the environment");
    err = confine(r, ruleset, &exe, at, e);
    return err ? err : run(r, at, env, e);
}

_Noreturn void child_exec(const struct request *r, const struct child_io *io,
                          const struct limits *all, const struct origin *o)
{
    struct err e = ERR_INIT;

    (void)become(r, io, all, o, &e);
    (void)!io_write_full(io->status, &e, sizeof(e));
    _exit(127);
}
