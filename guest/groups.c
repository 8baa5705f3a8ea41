/* groups.c - see groups.h. Files of a cgroup: Documentation/admin-guide/cgroup-v2.rst. */
#include "guest/groups.h"

#include "base/fd.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void groups_init(struct groups *gs, struct loop *l)
{
    *gs = (struct groups){ .loop = l, .dir = -1 };
}

void groups_fini(struct groups *gs)
{
    while (gs->first)
        group_free(gs->first);
    fd_closep(&gs->dir);
}

static bool has_cgroup(const struct group *g)
{
    return g->events.fd >= 0;
}

/* FILE of a group's directory; the directory itself for "". */
static int open_in(const struct group *g, const char *file, int flags)
{
    char path[64];

    snprintf(path, sizeof(path), "%u/%s", g->name, file);
    return openat(g->all->dir, path, flags | O_CLOEXEC);
}

static void remove_cgroup(struct group *g)
{
    char path[16];

    if (!has_cgroup(g))
        return;
    loop_remove(g->all->loop, &g->events);
    fd_closep(&g->events.fd);
    snprintf(path, sizeof(path), "%u", g->name);
    (void)unlinkat(g->all->dir, path, AT_REMOVEDIR);
}

/* What cannot be read is not empty. */
static bool is_populated(const struct group *g)
{
    char text[128];
    ssize_t n = pread(g->events.fd, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return !strstr(text, "populated 0\n");
}

/* Also on a group that is held: what it read is what the next event is measured against. */
static void look(struct group *g)
{
    if (!has_cgroup(g) || is_populated(g) || g->held)
        return;
    remove_cgroup(g);
    if (!g->job)
        group_free(g);
}

static void events_ready(struct loop_source *s, uint32_t events)
{
    (void)events;
    look(container_of(s, struct group, events));
}

static int make_cgroup(struct group *g, struct err *e)
{
    char path[16];

    snprintf(path, sizeof(path), "%u", g->name);
    if (mkdirat(g->all->dir, path, 0755))
        return err_sys(e, "a cgroup for the command");
    g->events = (struct loop_source){ open_in(g, "cgroup.events", O_RDONLY), events_ready };
    if (g->events.fd < 0 || loop_add(g->all->loop, &g->events, EPOLLPRI, e)) {
        int err = err_sys(e, "the cgroup of the command");

        fd_closep(&g->events.fd);
        (void)unlinkat(g->all->dir, path, AT_REMOVEDIR);
        return err;
    }
    return 0;
}

int group_new(struct groups *gs, uint32_t job, struct group **out, struct err *e)
{
    struct group *g;

    if (gs->count >= GROUPS_MAX)
        return err_set(e, EAGAIN, "%u commands run, or have left something behind", gs->count);
    if (job && group_find(gs, job))
        return err_set(e, EINVAL, "there is a job %u", job);
    g = calloc(1, sizeof(*g));
    if (!g)
        return err_set(e, ENOMEM, "no memory for a command");
    *g = (struct group){ .all = gs, .job = job, .name = ++gs->last, .held = true };
    g->events.fd = -1;
    if (gs->dir >= 0 && make_cgroup(g, e)) {
        free(g);
        return -e->code;
    }
    g->next = gs->first;
    gs->first = g;
    gs->count++;
    *out = g;
    return 0;
}

pid_t group_fork(const struct group *g)
{
    auto_fd int dir = has_cgroup(g) ? open_in(g, "", O_RDONLY | O_DIRECTORY) : -1;
    struct clone_args a = { .flags = CLONE_INTO_CGROUP,
                            .exit_signal = SIGCHLD,
                            .cgroup = (uint64_t)dir };

    if (!has_cgroup(g))
        return fork();
    return dir < 0 ? -1 : (pid_t)syscall(SYS_clone3, &a, sizeof(a));
}

void group_release(struct group *g)
{
    g->held = false;
    if (has_cgroup(g))
        look(g);
    else if (!g->job)
        group_free(g);
}

bool group_kill(struct group *g)
{
    auto_fd int fd = has_cgroup(g) ? open_in(g, "cgroup.kill", O_WRONLY) : -1;

    return fd >= 0 && io_write_full(fd, "1", 1) == 0;
}

struct group *group_find(const struct groups *gs, uint32_t job)
{
    struct group *g = gs->first;

    while (g && g->job != job)
        g = g->next;
    return g;
}

struct group *groups_empty(const struct groups *gs)
{
    struct group *g = gs->first;

    while (g && (g->held || has_cgroup(g)))
        g = g->next;
    return g;
}

void group_free(struct group *g)
{
    struct group **p = &g->all->first;

    while (*p != g)
        p = &(*p)->next;
    *p = g->next;
    g->all->count--;
    if (has_cgroup(g)) {
        loop_remove(g->all->loop, &g->events);
        fd_closep(&g->events.fd);
    }
    free(g);
}
