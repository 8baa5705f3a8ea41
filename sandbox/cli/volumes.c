/* volumes.c - see volumes.h: carrel's half. */
#include "sandbox/cli/volumes.h"

#include "base/fd.h"
#include "base/io.h"
#include "base/own.h"
#include "sandbox/guard/dossier.h"
#include "sandbox/places.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

bool volumes_wanted(int boxfd)
{
    struct problems ps = PROBLEMS_INIT;
    struct dossier d;
    struct policy *p = dossier_load(&d, boxfd, DOSSIER_FILE, NULL) ? NULL : dossier_policy(&d, &ps);
    bool wanted = p && (p->storage.mounts.n || p->storage.memory.n);

    policy_free(p);
    dossier_fini(&d);
    problems_fini(&ps);
    return wanted;
}

bool volumes_pending(int boxfd)
{
    int fd = openat(boxfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *de;
    bool found = false;

    while (d && !found && (de = readdir(d))) {
        const char *dot = strrchr(de->d_name, '.');

        found = strncmp(de->d_name, "mount-", 6) == 0 && dot && strcmp(dot, ".base") == 0;
    }
    if (d)
        closedir(d);
    return found;
}

/* In the child. Interrupts end it, as they end any long work. */
static _Noreturn void become_job(const char *job, const char *option, bool quiet, int box,
                                 int answer)
{
    char name[] = "carrel-job", say_nothing[] = "-q";
    char *const argv[] = { name, (char *)option, quiet ? say_nothing : NULL, NULL };

    box = fcntl(box, F_DUPFD_CLOEXEC, VOLUMES_ANSWER + 1);
    answer = fcntl(answer, F_DUPFD_CLOEXEC, VOLUMES_ANSWER + 1);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && dup2(box, VOLUMES_BOX) == VOLUMES_BOX &&
        dup2(answer, VOLUMES_ANSWER) == VOLUMES_ANSWER &&
        close_range(VOLUMES_ANSWER + 1, ~0u, 0) == 0)
        execv(job, argv);
    _exit(127);
}

static int ask(struct cli *c, const char *option, int boxfd, struct volumes_answer *a,
               struct err *e)
{
    auto_str char *job = places_program("carrel-job", e);
    int ends[2], status;
    ssize_t n;

    if (!job)
        return -e->code;
    if (pipe2(ends, O_CLOEXEC))
        return err_sys(e, "carrel-job");

    auto_fd int ours = ends[0];
    auto_fd int theirs = ends[1];

    cli_progress_end(c);
    fflush(stderr);

    pid_t pid = fork();

    if (pid < 0)
        return err_sys(e, "carrel-job");
    if (pid == 0)
        become_job(job, option, c->quiet, boxfd, theirs);
    fd_closep(&theirs);
    n = io_read_full(ours, a, sizeof(*a));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (n != sizeof(*a))
        return err_set(e, EIO, "carrel-job ended before the volumes were ready");
    a->msg[sizeof(a->msg) - 1] = a->hint[sizeof(a->hint) - 1] = '\0';
    return a->code ? err_set(e, a->code > 0 && a->code < 4096 ? a->code : EIO, "%s", a->msg) : 0;
}

int volumes_prepare(struct cli *c, int boxfd, char hint[HINT_MAX], struct err *e)
{
    struct volumes_answer a = { 0 };
    int err = ask(c, VOLUMES_PREPARE, boxfd, &a, e);

    snprintf(hint, HINT_MAX, "%s", a.hint);
    return err;
}

int volumes_changes(struct cli *c, int boxfd, uint32_t *changes, struct err *e)
{
    struct volumes_answer a = { 0 };
    int err = ask(c, VOLUMES_CHANGES, boxfd, &a, e);

    *changes = a.changes;
    return err;
}
