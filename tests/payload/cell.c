/* cell.c - see cell.h. */
#include "tests/payload/cell.h"

#include "sandbox/confine/vmm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

void cell_open(struct cell *c, const char *program, const char *code, const char *end, bool bare)
{
    struct err e = ERR_INIT;

    memset(c, 0, sizeof(*c));
    c->dir = -1;
    payload_init(&c->p, code, end, true);
    if (!bare) {
        c->p.l.filter_fd = vmm_filters_open(&c->p.l, &e);
        c->p.l.flags |= VMM_F_FILTER;
    }
    engine_run_init(&c->run);
    c->run.jailed = true;
    jail_init(&c->jail);
    c->jail.level[JAIL_CGROUP] = JAIL_OFF; /* none is given */
    if (geteuid() == 0)
        c->jail.uid = CELL_UID;
    c->record = memfd_create("launch", MFD_CLOEXEC);
    if (write(c->record, &c->p.l, sizeof(c->p.l)) != sizeof(c->p.l) ||
        lseek(c->record, 0, SEEK_SET))
        abort();
    snprintf(c->path, sizeof(c->path), "%s/bin/%s", getenv("CARREL_BUILD"), program);
    snprintf(c->number, sizeof(c->number), "%d", c->record);
    snprintf(c->name, sizeof(c->name), "%s", program);
    c->argv[0] = c->name;
    c->argv[1] = c->number;
    spawn_init(&c->s);
    c->s.path = c->path;
    c->s.argv = c->argv;
    c->s.log_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    c->s.report_fd = c->p.l.report_fd;
    c->s.jail = &c->jail;
    spawn_keep(&c->s, c->p.l.kvm_fd, JAIL_CHR);
    spawn_keep(&c->s, c->p.l.kernel_fd, JAIL_REG);
    spawn_keep(&c->s, c->p.l.serial_fd, JAIL_FIFO);
    spawn_keep(&c->s, c->p.l.report_fd, JAIL_FIFO);
    spawn_keep(&c->s, c->p.l.filter_fd, JAIL_REG);
    spawn_keep(&c->s, c->record, JAIL_REG);
}

void cell_give(struct cell *c, int fd)
{
    c->dir = fd;
    spawn_keep(&c->s, fd, JAIL_DIR);
}

void cell_handed_over(struct cell *c)
{
    close(c->p.l.kvm_fd);
    close(c->p.l.kernel_fd);
    close(c->p.l.serial_fd);
    close(c->p.l.report_fd);
    if (c->p.l.filter_fd >= 0)
        close(c->p.l.filter_fd);
    close(c->record);
    if (c->dir >= 0)
        close(c->dir);
    close(c->s.log_fd);
}

void cell_finish(struct cell *c, struct vmm_report *r, bool *reported, int *status)
{
    char bytes[2048];
    size_t have = 0;
    ssize_t n;

    while ((n = read(c->p.report, bytes + have, sizeof(bytes) - have)) > 0)
        have += (size_t)n;

    size_t at = jail_take(&c->run, bytes, have);

    *reported = have - at == sizeof(*r);
    if (*reported)
        memcpy(r, bytes + at, sizeof(*r));
    if (c->run.pid > 0)
        waitpid(c->run.pid, status, 0);
    close(c->p.serial);
    close(c->p.report);
    engine_run_fini(&c->run);
}
