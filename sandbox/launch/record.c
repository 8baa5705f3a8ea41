/* record.c - see launch.h. */
#include "sandbox/launch/launch.h"

#include "base/fd.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

int record_read(int fd, struct jail_record *r, struct err *e)
{
    auto_fd int from = fd;
    int seals = fcntl(from, F_GET_SEALS);
    ssize_t n = io_pread_full(from, r, sizeof(*r), 0);

    if (seals < 0 || (seals & SEALS) != SEALS)
        return err_set(e, EINVAL, "jail record: not a sealed file");
    if (n != (ssize_t)sizeof(*r) || r->magic != JAIL_MAGIC)
        return err_set(e, EINVAL, "jail record: this is not one");
    if (r->version != JAIL_VERSION || r->size != sizeof(*r))
        return err_set(e, EINVAL, "jail record: version %u of %u bytes, this is %u of %zu",
                       r->version, r->size, JAIL_VERSION, sizeof(*r));
    return 0;
}

bool record_strings(char *text, size_t len, uint32_t n, char **out)
{
    size_t at = 0;

    for (uint32_t i = 0; i < n; i++) {
        size_t size = strnlen(text + at, len - at);

        if (size == len - at)
            return false;
        out[i] = text + at;
        at += size + 1;
    }
    out[n] = NULL;
    return true;
}

static int check_paths(const struct jail_record *r, struct err *e)
{
    struct jail_record copy = *r;
    char *list[JAIL_ARGS_MAX + 1];

    if (r->nargs < 1 || r->nargs > JAIL_ARGS_MAX ||
        !record_strings(copy.args, sizeof(copy.args), r->nargs, list))
        return err_set(e, EINVAL, "jail record: arguments");
    if (r->nbinds > JAIL_BINDS_MAX ||
        !record_strings(copy.binds, sizeof(copy.binds), r->nbinds, list))
        return err_set(e, EINVAL, "jail record: binds");
    for (uint32_t i = 0; i < r->nbinds; i++)
        if (list[i][0] != '/' || !list[i][1] || strstr(list[i], "/..") || strstr(list[i], "//"))
            return err_set(e, EINVAL, "jail record: bind %u is no plain absolute path", i);
    return 0;
}

int record_check(const struct jail_record *r, struct err *e)
{
    for (unsigned i = 0; i < sizeof(r->level); i++)
        if (r->level[i] > (i < JAIL_LAYERS ? JAIL_REQUIRED : JAIL_OFF))
            return err_set(e, EINVAL, "jail record: level of layer %u", i);
    if (r->ncgroups > JAIL_CGROUPS_MAX || r->nfds > JAIL_FDS_MAX)
        return err_set(e, EINVAL, "jail record: %u cgroups, %u descriptors", r->ncgroups, r->nfds);
    for (uint32_t i = 0; i < r->ncgroups; i++)
        if (r->cgroup_fd[i] < 3)
            return err_set(e, EBADF, "jail record: cgroup descriptor %d", r->cgroup_fd[i]);
    for (uint32_t i = 0; i < r->nfds; i++) {
        const struct jail_fd *f = &r->fds[i];

        if (f->fd < 3 || !f->kinds || f->kinds & ~(unsigned)JAIL_KINDS)
            return err_set(e, EBADF, "jail record: descriptor %d", f->fd);
        if (i && f->fd <= f[-1].fd)
            return err_set(e, EBADF, "jail record: descriptors are not in order");
        if (f->fd == r->program_fd)
            return err_set(e, EBADF, "jail record: the program inherits itself");
    }
    if (r->program_fd < 3 || r->report_fd < 3)
        return err_set(e, EBADF, "jail record: program or report descriptor");
    if ((r->uid == 0) != (r->gid == 0) || r->uid == UINT32_MAX || r->gid == UINT32_MAX)
        return err_set(e, EINVAL, "jail record: uid %u, gid %u", r->uid, r->gid);
    return check_paths(r, e);
}

/* ---- descriptors ---- */

static bool is_named(const struct jail_record *r, int fd)
{
    if (fd <= 2 || fd == r->program_fd || fd == r->report_fd)
        return true;
    for (uint32_t i = 0; i < r->ncgroups; i++)
        if (fd == r->cgroup_fd[i])
            return true;
    for (uint32_t i = 0; i < r->nfds; i++)
        if (fd == r->fds[i].fd)
            return true;
    return false;
}

static int close_from(unsigned first, unsigned last)
{
    return syscall(SYS_close_range, first, last, 0u) ? -errno : 0;
}

int record_close_others(const struct jail_record *r, struct err *e)
{
    int top = r->program_fd > r->report_fd ? r->program_fd : r->report_fd, err = 0;
    unsigned from = 3;

    for (uint32_t i = 0; i < r->ncgroups; i++)
        top = r->cgroup_fd[i] > top ? r->cgroup_fd[i] : top;
    if (r->nfds && r->fds[r->nfds - 1].fd > top)
        top = r->fds[r->nfds - 1].fd;
    if (top > 65536)
        return err_set(e, EBADF, "jail record: descriptor %d", top);
    for (int fd = 3; fd <= top && !err; fd++) {
        if (!is_named(r, fd))
            continue;
        err = (unsigned)fd > from ? close_from(from, (unsigned)fd - 1) : 0;
        from = (unsigned)fd + 1;
    }
    if (!err)
        err = close_from(from, ~0u);
    return err ? err_set(e, -err, "closing descriptors: %s", strerror(-err)) : 0;
}

static unsigned kind_of(mode_t mode)
{
    return S_ISREG(mode)    ? JAIL_REG
           : S_ISBLK(mode)  ? JAIL_BLK
           : S_ISCHR(mode)  ? JAIL_CHR
           : S_ISFIFO(mode) ? JAIL_FIFO
           : S_ISSOCK(mode) ? JAIL_SOCK
                            : 0u;
}

/* A directory is a way out of any root: only where it was asked for, and only as a place to begin
 * a path, which Landlock then judges. */
static bool is_right(const struct jail_fd *f, mode_t mode)
{
    int flags = fcntl(f->fd, F_GETFL);

    if (f->kinds & (JAIL_DIR | JAIL_DIR_RW))
        return S_ISDIR(mode) && flags & O_PATH;
    return kind_of(mode) & f->kinds && !(flags & (O_PATH | O_DIRECTORY));
}

int record_check_fds(const struct jail_record *r, struct err *e)
{
    struct stat st;

    for (uint32_t i = 0; i < r->nfds; i++) {
        if (fstat(r->fds[i].fd, &st))
            return err_sys(e, "descriptor %d", r->fds[i].fd);
        if (!is_right(&r->fds[i], st.st_mode))
            return err_set(e, EINVAL, "descriptor %d is of the wrong kind (mode %#o)", r->fds[i].fd,
                           st.st_mode);
    }
    for (int fd = 0; fd <= 2; fd++)
        if (fstat(fd, &st) ||
            !(kind_of(st.st_mode) & (JAIL_CHR | JAIL_FIFO | JAIL_SOCK | JAIL_REG)))
            return err_set(e, EINVAL, "descriptor %d is of the wrong kind", fd);
    if (fstat(r->report_fd, &st) || !(kind_of(st.st_mode) & (JAIL_FIFO | JAIL_SOCK)))
        return err_set(e, EINVAL, "the report's descriptor is of the wrong kind");
    /* h01: whoever may write the file is who would run. */
    if (fstat(r->program_fd, &st) || !S_ISREG(st.st_mode) || st.st_mode & 022 ||
        st.st_mode & (S_ISUID | S_ISGID))
        return err_set(e, EACCES, "the program is no plain file that only its owner may write");
    return 0;
}
