/* launch.c - see launch.h. */
#include "vmm/launch.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define MIB (1ull << 20)

int launch_read(int fd, struct vmm_launch *l, struct err *e)
{
    ssize_t n = io_read_full(fd, l, sizeof(*l));

    if (n < 0)
        return err_set(e, (int)-n, "launch record: %s", strerror((int)-n));
    if ((size_t)n < sizeof(*l))
        return err_set(e, EINVAL, "launch record: %zd of %zu bytes", n, sizeof(*l));
    if (l->magic != VMM_LAUNCH_MAGIC)
        return err_set(e, EINVAL, "launch record: this is not one");
    if (l->version != VMM_LAUNCH_VERSION || l->size != sizeof(*l))
        return err_set(e, EINVAL, "launch record: version %u of %u bytes, this is %u of %zu",
                       l->version, l->size, VMM_LAUNCH_VERSION, sizeof(*l));
    return 0;
}

static bool printable(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return true;
}

static int check_cmdline(const struct vmm_launch *l, struct err *e)
{
    size_t len = strnlen(l->cmdline, sizeof(l->cmdline));

    if (len == sizeof(l->cmdline))
        return err_set(e, EINVAL, "launch record: command line longer than %zu bytes",
                       sizeof(l->cmdline) - 1);
    if (!printable(l->cmdline, len))
        return err_set(e, EINVAL, "launch record: command line is not printable ASCII");
    return 0;
}

static int check_port_name(const struct vmm_launch *l, uint32_t i, struct err *e)
{
    const char *name = l->ports[i].name;
    size_t len = strnlen(name, VMM_PORT_NAME);

    if (!len || len == VMM_PORT_NAME ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") != len)
        return err_set(e, EINVAL, "launch record: port %u: bad name", i);
    for (uint32_t j = 0; j < i; j++)
        if (!strcmp(name, l->ports[j].name))
            return err_set(e, EINVAL, "launch record: ports %u and %u have one name", j, i);
    return 0;
}

static int check_disk(const struct vmm_launch_disk *d, uint32_t i, struct err *e)
{
    size_t len = strnlen(d->serial, sizeof(d->serial));

    if (d->flags & ~VMM_DISK_ALL)
        return err_set(e, EINVAL, "launch record: disk %u: unknown flags %#x", i, d->flags);
    if (d->reserved)
        return err_set(e, EINVAL, "launch record: disk %u: reserved field is not 0", i);
    if (!printable(d->serial, len))
        return err_set(e, EINVAL, "launch record: disk %u: serial is not printable ASCII", i);
    return 0;
}

static int by_number(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    return (x > y) - (x < y);
}

unsigned launch_fds(const struct vmm_launch *l, int fds[LAUNCH_FDS_MAX])
{
    unsigned n = 0;

    fds[n++] = l->kvm_fd;
    fds[n++] = l->kernel_fd;
    fds[n++] = l->report_fd;
    if (l->initrd_fd != -1)
        fds[n++] = l->initrd_fd;
    if (l->serial_fd != -1)
        fds[n++] = l->serial_fd;
    if (l->filter_fd != -1)
        fds[n++] = l->filter_fd;
    if (l->files_fd != -1)
        fds[n++] = l->files_fd;
    for (uint32_t i = 0; i < l->ndisks; i++)
        fds[n++] = l->disks[i].fd;
    for (uint32_t i = 0; i < l->nports; i++)
        fds[n++] = l->ports[i].fd;
    for (uint32_t i = 0; i < l->nspares; i++)
        fds[n++] = l->spare_fds[i];
    qsort(fds, n, sizeof(fds[0]), by_number);
    return n;
}

static int check_fd_numbers(const struct vmm_launch *l, struct err *e)
{
    int fds[LAUNCH_FDS_MAX];
    unsigned n = launch_fds(l, fds);

    if (fds[0] < LAUNCH_FD_FIRST)
        return err_set(e, EBADF, "launch record: descriptor %d: numbers start at %d", fds[0],
                       LAUNCH_FD_FIRST);
    for (unsigned i = 1; i < n; i++)
        if (fds[i] == fds[i - 1])
            return err_set(e, EBADF, "launch record: descriptor %d is named twice", fds[i]);
    return 0;
}

int launch_check(const struct vmm_launch *l, struct err *e)
{
    int err;

    if (l->flags & ~VMM_F_ALL)
        return err_set(e, EINVAL, "launch record: unknown flags %#x", l->flags & ~VMM_F_ALL);
    if (l->mem_bytes < VMM_MEM_MIN || l->mem_bytes > VMM_MEM_MAX || l->mem_bytes % MIB)
        return err_set(e, EINVAL,
                       "launch record: memory of %llu bytes: whole MiB from %llu to %llu MiB",
                       (unsigned long long)l->mem_bytes, VMM_MEM_MIN / MIB, VMM_MEM_MAX / MIB);
    if (l->vcpus < 1 || l->vcpus > VMM_VCPUS_MAX)
        return err_set(e, EINVAL, "launch record: %u vCPUs: from 1 to %u", l->vcpus, VMM_VCPUS_MAX);
    if (l->ndisks > VMM_DISKS_MAX || l->nports > VMM_PORTS_MAX)
        return err_set(e, EINVAL, "launch record: %u disks, %u ports: at most %u and %u", l->ndisks,
                       l->nports, VMM_DISKS_MAX, VMM_PORTS_MAX);
    if (l->nspares > VMM_SPARES_MAX || (l->nspares && !l->nports))
        return err_set(e, EINVAL, "launch record: %u spare connections for %u ports: at most %u",
                       l->nspares, l->nports, VMM_SPARES_MAX);
    if ((l->serial_fd != -1) != !!(l->flags & VMM_F_SERIAL))
        return err_set(e, EINVAL, "launch record: serial port and its descriptor disagree");
    if ((l->flags & VMM_F_FILTER) && l->filter_fd == -1)
        return err_set(e, EINVAL, "launch record: filters are required, and there are none");

    err = check_cmdline(l, e);
    for (uint32_t i = 0; !err && i < l->ndisks; i++)
        err = check_disk(&l->disks[i], i, e);
    for (uint32_t i = 0; !err && i < l->nports; i++)
        err = check_port_name(l, i, e);
    return err ? err : check_fd_numbers(l, e);
}

/* What a descriptor may be; several kinds may do. */
enum { REG = 1, BLK = 2, CHR = 4, FIFO = 8, SOCK = 16 };
enum { MAY_READ = 1, MAY_WRITE = 2, ONLY_READ = 4 };

static unsigned kind_of(mode_t mode)
{
    return S_ISREG(mode)    ? REG
           : S_ISBLK(mode)  ? BLK
           : S_ISCHR(mode)  ? CHR
           : S_ISFIFO(mode) ? FIFO
           : S_ISSOCK(mode) ? SOCK
                            : 0u;
}

static int check_fd(int fd, const char *what, unsigned kinds, unsigned access, struct stat *st,
                    struct err *e)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fstat(fd, st))
        return err_sys(e, "%s: descriptor %d", what, fd);
    if (!(kind_of(st->st_mode) & kinds))
        return err_set(e, EINVAL, "%s: descriptor %d is of the wrong kind (mode %#o)", what, fd,
                       st->st_mode);

    int mode = flags & O_ACCMODE;
    bool ok = !(flags & O_PATH) && !((access & MAY_READ) && mode == O_WRONLY) &&
              !((access & MAY_WRITE) && mode == O_RDONLY) &&
              !((access & ONLY_READ) && mode != O_RDONLY);

    return ok ? 0
              : err_set(e, EACCES, "%s: descriptor %d is not opened for %s", what, fd,
                        access & ONLY_READ                        ? "reading only"
                        : access & MAY_READ && access & MAY_WRITE ? "reading and writing"
                        : access & MAY_READ                       ? "reading"
                                                                  : "writing");
}

static int check_disk_fd(const struct vmm_launch_disk *d, uint32_t i, struct err *e)
{
    /* A read-only disk must not even hold the power to write. */
    unsigned access = d->flags & VMM_DISK_READONLY ? ONLY_READ : MAY_READ | MAY_WRITE;
    struct stat st = { 0 };
    char what[24] = "disk 0";

    what[5] = (char)('0' + i);

    int err = check_fd(d->fd, what, REG | BLK, access, &st, e);

    if (!err && S_ISREG(st.st_mode) && (!st.st_size || st.st_size % 512))
        err = err_set(e, EINVAL, "%s: %lld bytes are not whole 512-byte sectors", what,
                      (long long)st.st_size);
    /* pwrite(2) ignores its offset there: every guest write would make the file longer. */
    if (!err && (fcntl(d->fd, F_GETFL) & O_APPEND))
        err = err_set(e, EACCES, "%s: descriptor %d is opened for appending", what, d->fd);
    return err;
}

static int check_stream_fd(int fd, const char *what, struct err *e)
{
    struct stat st;
    int type;
    socklen_t len = sizeof(type);
    int err = check_fd(fd, what, SOCK, MAY_READ | MAY_WRITE, &st, e);

    if (err)
        return err;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len))
        return err_sys(e, "%s: descriptor %d", what, fd);
    return type == SOCK_STREAM
               ? 0
               : err_set(e, EINVAL, "%s: descriptor %d is not a stream socket", what, fd);
}

bool launch_can_report(const struct vmm_launch *l)
{
    struct stat st;

    return l->report_fd >= LAUNCH_FD_FIRST &&
           !check_fd(l->report_fd, "report", FIFO | SOCK, MAY_WRITE, &st, NULL);
}

int launch_check_fds(const struct vmm_launch *l, struct err *e)
{
    struct stat st;
    int err = check_fd(l->kvm_fd, "/dev/kvm", CHR, MAY_READ | MAY_WRITE, &st, e);

    if (!err)
        err = check_fd(l->kernel_fd, "kernel", REG, MAY_READ, &st, e);
    if (!err && l->initrd_fd != -1)
        err = check_fd(l->initrd_fd, "initrd", REG, MAY_READ, &st, e);
    if (!err && l->serial_fd != -1)
        err = check_fd(l->serial_fd, "serial output", REG | CHR | FIFO | SOCK, MAY_WRITE, &st, e);
    if (!err && l->filter_fd != -1)
        err = check_fd(l->filter_fd, "filters", REG, MAY_READ, &st, e);
    if (!err)
        err = check_fd(l->report_fd, "report", FIFO | SOCK, MAY_WRITE, &st, e);
    for (uint32_t i = 0; !err && i < l->ndisks; i++)
        err = check_disk_fd(&l->disks[i], i, e);
    for (uint32_t i = 0; !err && i < l->nports; i++)
        err = check_stream_fd(l->ports[i].fd, l->ports[i].name, e);
    for (uint32_t i = 0; !err && i < l->nspares; i++)
        err = check_stream_fd(l->spare_fds[i], "spare connection", e);
    if (!err && l->files_fd != -1)
        err = check_stream_fd(l->files_fd, "files", e);
    return err;
}
