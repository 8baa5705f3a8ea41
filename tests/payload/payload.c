/* payload.c - see payload.h. */
#include "payload.h"

#include <elf.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_MS 10000

static void need(bool ok, const char *what)
{
    if (!ok) {
        perror(what);
        abort();
    }
}

void payload_kernel(struct payload *p, const void *elf, size_t len)
{
    if (p->l.kernel_fd >= 0)
        close(p->l.kernel_fd);
    p->l.kernel_fd = memfd_create("kernel", MFD_CLOEXEC);
    need(p->l.kernel_fd >= 0 && write(p->l.kernel_fd, elf, len) == (ssize_t)len, "kernel");
}

static void make_kernel(struct payload *p, const char *code, size_t len, bool pvh)
{
    struct {
        Elf64_Ehdr h;
        Elf64_Phdr ph[2];
        Elf64_Nhdr note;
        char name[4];
        uint32_t entry, pad;
        char code[4096];
    } f = { .h = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
                   .e_type = ET_EXEC,
                   .e_machine = EM_X86_64,
                   .e_version = EV_CURRENT,
                   .e_entry = PAYLOAD_AT,
                   .e_phoff = sizeof(Elf64_Ehdr),
                   .e_ehsize = sizeof(Elf64_Ehdr),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = pvh ? 2 : 1 },
            .note = { .n_namesz = 4, .n_descsz = 4, .n_type = 18 },
            .name = "Xen",
            .entry = PAYLOAD_AT };

    need(len <= sizeof(f.code), "payload");
    memcpy(f.code, code, len);
    f.ph[0] = (Elf64_Phdr){ .p_type = PT_LOAD,
                            .p_offset = offsetof(__typeof__(f), code),
                            .p_paddr = PAYLOAD_AT,
                            .p_filesz = sizeof(f.code),
                            .p_memsz = 65536 };
    f.ph[1] = (Elf64_Phdr){ .p_type = PT_NOTE,
                            .p_offset = offsetof(__typeof__(f), note),
                            .p_filesz = sizeof(f.note) + 8,
                            .p_align = 4 };
    payload_kernel(p, &f, sizeof(f));
}

void payload_init(struct payload *p, const char *code, const char *end, bool pvh)
{
    int report[2], serial[2];

    need(!pipe2(report, O_CLOEXEC) && !pipe2(serial, O_CLOEXEC), "pipe");
    *p = (struct payload){ .l = { .magic = VMM_LAUNCH_MAGIC,
                                  .version = VMM_LAUNCH_VERSION,
                                  .size = sizeof(p->l),
                                  .flags = VMM_F_SERIAL,
                                  .mem_bytes = 64ull << 20,
                                  .vcpus = 1,
                                  .kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC),
                                  .kernel_fd = -1,
                                  .initrd_fd = -1,
                                  .serial_fd = serial[1],
                                  .report_fd = report[1],
                                  .filter_fd = -1,
                                  .files_fd = -1 },
                           .extra_fd = -1,
                           .vmm = "carrel-vmm",
                           .record_size = sizeof(p->l),
                           .report = report[0],
                           .serial = serial[0] };
    if (code)
        make_kernel(p, code, (size_t)(end - code), pvh);
}

static void pass_on(int fd)
{
    if (fd >= 0)
        fcntl(fd, F_SETFD, 0);
}

static void close_ours(int fd)
{
    if (fd > STDERR_FILENO)
        close(fd);
}

int (*payload_filters)(const struct vmm_launch *l, struct err *e);

static void add_filters(struct payload *p)
{
    struct err e = ERR_INIT;

    /* Records made to be refused may count more disks than there are. */
    if (!payload_filters || p->bare || p->l.ndisks > VMM_DISKS_MAX)
        return;
    p->l.filter_fd = payload_filters(&p->l, &e);
    need(p->l.filter_fd >= 0, e.msg);
    p->l.flags |= VMM_F_FILTER;
}

void payload_start(struct payload *p)
{
    const char *build = getenv("CARREL_BUILD");
    char path[4096], number[16];
    int record = memfd_create("launch", MFD_CLOEXEC);

    add_filters(p);
    snprintf(path, sizeof(path), "%s/bin/%s", build ? build : ".", p->vmm);
    snprintf(number, sizeof(number), "%d", record);
    need(record >= 0 && write(record, &p->l, p->record_size) == (ssize_t)p->record_size &&
             !lseek(record, 0, SEEK_SET),
         "record");
    p->pid = fork();
    need(p->pid >= 0, "fork");
    if (!p->pid) {
        int log = open("/dev/null", O_WRONLY);

        dup2(log, STDERR_FILENO);
        pass_on(record);
        pass_on(p->l.kvm_fd);
        pass_on(p->l.kernel_fd);
        pass_on(p->l.initrd_fd);
        pass_on(p->l.serial_fd);
        pass_on(p->l.report_fd);
        pass_on(p->l.filter_fd);
        pass_on(p->l.files_fd);
        pass_on(p->extra_fd);
        for (uint32_t i = 0; i < p->l.ndisks && i < VMM_DISKS_MAX; i++)
            pass_on(p->l.disks[i].fd);
        for (uint32_t i = 0; i < p->l.nports && i < VMM_PORTS_MAX; i++)
            pass_on(p->l.ports[i].fd);
        execl(path, path, number, (char *)NULL);
        _exit(126);
    }
    close(record);
    close_ours(p->l.kvm_fd);
    close_ours(p->l.kernel_fd);
    close_ours(p->l.serial_fd);
    close_ours(p->l.report_fd);
    close_ours(p->l.filter_fd);
    close_ours(p->extra_fd);
}

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* One read of what is there; false at the end. */
static bool take_serial(struct payload *p, struct payload_result *res)
{
    char buf[4096];
    ssize_t n = read(p->serial, buf, sizeof(buf));

    for (ssize_t i = 0; i < n; i++) {
        if (res->serial_len < sizeof(res->serial) - 1)
            res->serial[res->serial_len] = buf[i];
        res->serial_len++;
    }
    return n > 0;
}

void payload_finish(struct payload *p, struct payload_result *res)
{
    struct pollfd fds[2] = { { p->serial, POLLIN, 0 }, { p->report, POLLIN, 0 } };
    long limit = now_ms() + LIMIT_MS;

    *res = (struct payload_result){ 0 };
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        long left = limit - now_ms();

        if (left <= 0 || poll(fds, 2, (int)left) == 0) {
            kill(p->pid, SIGKILL);
            break;
        }
        if (fds[0].revents && !take_serial(p, res))
            fds[0].fd = -1;
        if (fds[1].revents) {
            res->reported = read(p->report, &res->r, sizeof(res->r)) == sizeof(res->r);
            fds[1].fd = -1;
        }
    }
    waitpid(p->pid, &res->status, 0);
    close(p->serial);
    close(p->report);
}

struct payload_result payload_run(struct payload *p)
{
    struct payload_result res;

    payload_start(p);
    payload_finish(p, &res);
    return res;
}
