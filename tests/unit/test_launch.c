/* test_launch.c - the launch record, one field wrong at a time. */
#include "vmm/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct vmm_launch good(void)
{
    return (struct vmm_launch){
        .magic = VMM_LAUNCH_MAGIC,
        .version = VMM_LAUNCH_VERSION,
        .size = sizeof(struct vmm_launch),
        .flags = VMM_F_ALL,
        .mem_bytes = 256ull << 20,
        .vcpus = 2,
        .kvm_fd = 10,
        .kernel_fd = 4,
        .initrd_fd = 5,
        .serial_fd = 3,
        .report_fd = 6,
        .filter_fd = 12,
        .files_fd = 13,
        .nspares = 2,
        .spare_fds = { 14, 15 },
        .ndisks = 2,
        .nports = 2,
        .disks = { { .fd = 7, .flags = VMM_DISK_READONLY, .serial = "image" }, { .fd = 8 } },
        .ports = { { .fd = 9, .name = "carrel.control" }, { .fd = 11, .name = "x-1" } },
        .cmdline = "quiet panic=-1",
    };
}

static void assert_bad(const struct vmm_launch *bad, const char *about)
{
    struct err e = ERR_INIT;

    assert_true(launch_check(bad, &e) < 0);
    if (!strstr(e.msg, about))
        print_error("\"%s\" is not about \"%s\"\n", e.msg, about);
    assert_non_null(strstr(e.msg, about));
}

/* A good record with one change, an expression on l. */
static struct vmm_launch l;
#define BAD(change, about) (l = good(), (void)(change), assert_bad(&l, about))
#define GOOD(change)       (l = good(), (void)(change), assert_int_equal(launch_check(&l, NULL), 0))

static void numbers(void **state)
{
    (void)state;
    GOOD(l.flags);
    BAD(l.flags = VMM_F_ALL + 1, "flags");
    BAD(l.vcpus = 0, "vCPUs");
    BAD(l.vcpus = VMM_VCPUS_MAX + 1, "vCPUs");
    GOOD(l.vcpus = VMM_VCPUS_MAX);
    BAD(l.ndisks = VMM_DISKS_MAX + 1, "disks");
    BAD(l.ndisks = UINT32_MAX, "disks");
    BAD(l.nports = VMM_PORTS_MAX + 1, "ports");
    BAD(l.nports = UINT32_MAX, "ports");
    BAD(l.nspares = VMM_SPARES_MAX + 1, "spare");
    BAD(l.nspares = UINT32_MAX, "spare");
    BAD(l.nports = 0, "spare");
    GOOD(l.nports = l.nspares = 0);
}

static void l09_memory(void **state)
{
    (void)state;
    BAD(l.mem_bytes = 0, "memory");
    BAD(l.mem_bytes = 1 << 20, "memory");
    BAD(l.mem_bytes = VMM_MEM_MIN - (1 << 20), "memory");
    BAD(l.mem_bytes = VMM_MEM_MIN + 1, "memory");
    BAD(l.mem_bytes = VMM_MEM_MIN + 4096, "memory");
    BAD(l.mem_bytes = VMM_MEM_MAX + (1 << 20), "memory");
    BAD(l.mem_bytes = UINT64_MAX, "memory");
    GOOD(l.mem_bytes = VMM_MEM_MIN);
    GOOD(l.mem_bytes = VMM_MEM_MAX);
}

static void l05_command_line(void **state)
{
    (void)state;
    BAD(l.cmdline[5] = '\n', "command line");
    BAD(l.cmdline[5] = '\x7f', "command line");
    BAD(l.cmdline[5] = '\xc3', "command line");
    BAD(memset(l.cmdline, 'a', sizeof(l.cmdline)), "command line");
    GOOD(memset(l.cmdline, 'a', sizeof(l.cmdline) - 1));
    GOOD(l.cmdline[0] = 0);
}

static void disks_and_ports(void **state)
{
    (void)state;
    BAD(l.disks[1].flags = 2, "disk 1");
    BAD(l.disks[1].reserved = 1, "disk 1");
    BAD(l.disks[0].serial[2] = 1, "serial");
    GOOD(memset(l.disks[0].serial, 's', sizeof(l.disks[0].serial)));
    BAD(l.ports[0].name[0] = 0, "port 0");
    BAD(l.ports[1].name[0] = 'X', "port 1");
    BAD(l.ports[1].name[1] = '/', "port 1");
    BAD(memset(l.ports[1].name, 'a', VMM_PORT_NAME), "port 1");
    GOOD(memset(l.ports[1].name, 'a', VMM_PORT_NAME - 1));
    BAD(strcpy(l.ports[1].name, "carrel.control"), "one name");
    GOOD((l.nports = 1, l.ports[1].name[0] = 'X')); /* not in use: not looked at */
}

static void descriptor_numbers(void **state)
{
    (void)state;
    BAD(l.kvm_fd = 2, "descriptor 2");
    BAD(l.kernel_fd = -1, "descriptor -1");
    BAD(l.report_fd = -1, "descriptor -1");
    BAD(l.disks[1].fd = INT32_MIN, "descriptor -2147483648");
    BAD(l.initrd_fd = 0, "descriptor 0");
    BAD(l.initrd_fd = -2, "descriptor -2");
    GOOD(l.initrd_fd = -1);
    BAD(l.serial_fd = -1, "serial");
    BAD(l.flags = 0, "serial");
    GOOD((l.serial_fd = -1, l.flags = 0));
    BAD(l.filter_fd = -1, "filters");
    GOOD((l.filter_fd = -1, l.flags &= ~VMM_F_FILTER));
    GOOD(l.flags &= ~VMM_F_FILTER);
    GOOD(l.files_fd = -1);
    BAD(l.files_fd = 0, "descriptor 0");
    BAD(l.files_fd = -2, "descriptor -2");
    BAD(l.files_fd = l.ports[0].fd, "twice");
    BAD(l.spare_fds[1] = l.ports[0].fd, "twice");
    BAD(l.spare_fds[1] = -1, "descriptor -1");
    GOOD((l.nspares = 1, l.spare_fds[1] = -1));
    BAD(l.filter_fd = l.report_fd, "twice");
    BAD(l.kernel_fd = l.kvm_fd, "twice");
    BAD(l.initrd_fd = l.kernel_fd, "twice");
    BAD(l.serial_fd = l.report_fd, "twice");
    BAD(l.disks[0].fd = l.disks[1].fd, "twice");
    BAD(l.ports[1].fd = l.disks[1].fd, "twice");
    GOOD((l.ndisks = 1, l.disks[1].fd = l.disks[0].fd));
}

static void named_descriptors_in_order(void **state)
{
    int fds[LAUNCH_FDS_MAX];

    (void)state;
    l = good();
    assert_int_equal(launch_fds(&l, fds), 13);
    for (int i = 0; i < 13; i++)
        assert_int_equal(fds[i], 3 + i);
    l.serial_fd = l.initrd_fd = l.filter_fd = l.files_fd = -1;
    assert_int_equal(launch_fds(&l, fds), 9);
}

static void reading(void **state)
{
    struct vmm_launch got;
    int p[2];

    (void)state;
    l = good();
    for (int i = 0; i < 5; i++) {
        size_t n = i == 1 ? sizeof(l) - 1 : i == 2 ? 0 : sizeof(l);
        struct vmm_launch bad = l;

        if (i == 3)
            bad.magic ^= 1;
        if (i == 4)
            bad.size--;
        assert_int_equal(pipe(p), 0);
        assert_int_equal(write(p[1], &bad, n), n);
        close(p[1]);
        assert_int_equal(launch_read(p[0], &got, NULL), i ? -EINVAL : 0);
        close(p[0]);
        if (!i)
            assert_memory_equal(&got, &l, sizeof(l));
    }
    l.version++;
    assert_int_equal(pipe(p), 0);
    assert_int_equal(write(p[1], &l, sizeof(l)), sizeof(l));

    struct err e = ERR_INIT;

    assert_int_equal(launch_read(p[0], &got, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "version 5"));
    close(p[0]);
    close(p[1]);
    assert_int_equal(launch_read(p[0], &got, NULL), -EBADF);
}

/* ---- the descriptors themselves ---- */

static int file_of(size_t size, int flags)
{
    char path[] = "/tmp/launch.XXXXXX";
    int fd = mkstemp(path), again;

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    again = open(path, flags);
    unlink(path);
    close(fd);
    assert_true(again >= 0);
    return again;
}

struct live {
    struct vmm_launch l;
    int report[2], serial[2], port[2], files[2], spare[2];
};

static void open_all(struct live *o)
{
    *o = (struct live){ .l = good() };
    assert_int_equal(pipe(o->report), 0);
    assert_int_equal(pipe(o->serial), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, o->port), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, o->files), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, o->spare), 0);
    o->l.kvm_fd = open("/dev/null", O_RDWR);
    o->l.kernel_fd = file_of(100, O_RDONLY);
    o->l.initrd_fd = file_of(100, O_RDONLY);
    o->l.serial_fd = o->serial[1];
    o->l.filter_fd = file_of(100, O_RDONLY);
    o->l.report_fd = o->report[1];
    o->l.files_fd = o->files[0];
    o->l.disks[0].fd = file_of(512, O_RDONLY);
    o->l.disks[1].fd = file_of(1024, O_RDWR);
    o->l.ports[0].fd = o->port[0];
    o->l.ports[1].fd = o->port[1];
    o->l.spare_fds[0] = o->spare[0];
    o->l.spare_fds[1] = o->spare[1];
}

static void close_all(struct live *o)
{
    int fds[LAUNCH_FDS_MAX];
    unsigned n = launch_fds(&o->l, fds);

    while (n--)
        close(fds[n]);
    close(o->report[0]);
    close(o->serial[0]);
    close(o->files[1]);
}

static void replace(int32_t *fd, int with)
{
    close(*fd);
    *fd = with;
}

static struct live v;

static void assert_wrong(const char *about)
{
    struct err e = ERR_INIT;

    assert_true(launch_check_fds(&v.l, &e) < 0);
    if (!strstr(e.msg, about))
        print_error("\"%s\" is not about \"%s\"\n", e.msg, about);
    assert_non_null(strstr(e.msg, about));
    close_all(&v);
}

/* Good descriptors with one change. */
#define WRONG(change, about) (open_all(&v), (void)(change), assert_wrong(about))

static void kinds_and_modes(void **state)
{
    (void)state;
    open_all(&v);
    assert_int_equal(launch_check_fds(&v.l, NULL), 0);
    assert_true(launch_can_report(&v.l));
    close_all(&v);
    WRONG(close(v.l.kernel_fd), "kernel");
    WRONG(replace(&v.l.kvm_fd, file_of(1, O_RDWR)), "/dev/kvm");
    WRONG(replace(&v.l.kvm_fd, open("/dev/null", O_RDONLY)), "/dev/kvm");
    WRONG(replace(&v.l.kernel_fd, file_of(9, O_WRONLY)), "kernel");
    WRONG(replace(&v.l.kernel_fd, open("/tmp", O_RDONLY)), "kernel");
    WRONG(replace(&v.l.kernel_fd, open("/dev/zero", O_RDONLY)), "kernel");
    WRONG(replace(&v.l.initrd_fd, open("/dev/zero", O_RDONLY)), "initrd");
    WRONG(replace(&v.l.serial_fd, open("/dev/null", O_RDONLY)), "serial");
    WRONG(replace(&v.l.report_fd, file_of(0, O_RDWR)), "report");
    WRONG(replace(&v.l.report_fd, dup(v.report[0])), "report");
    WRONG(replace(&v.l.disks[0].fd, file_of(512, O_RDWR)), "disk 0"); /* power it must not have */
    WRONG(replace(&v.l.disks[0].fd, file_of(511, O_RDONLY)), "disk 0");
    WRONG(replace(&v.l.disks[0].fd, file_of(0, O_RDONLY)), "disk 0");
    WRONG(replace(&v.l.disks[1].fd, file_of(512, O_RDONLY)), "disk 1");
    WRONG(replace(&v.l.disks[1].fd, file_of(512, O_WRONLY)), "disk 1");
    WRONG(replace(&v.l.disks[1].fd, file_of(512, O_RDWR | O_APPEND)), "disk 1");
    WRONG(replace(&v.l.disks[1].fd, open("/dev/null", O_RDWR)), "disk 1");
    WRONG(replace(&v.l.ports[0].fd, open("/dev/null", O_RDWR)), "carrel.control");
    WRONG(replace(&v.l.ports[0].fd, socket(AF_UNIX, SOCK_DGRAM, 0)), "carrel.control");
    WRONG(replace(&v.l.ports[1].fd, socket(AF_UNIX, SOCK_SEQPACKET, 0)), "x-1");
    WRONG(replace(&v.l.files_fd, open("/dev/null", O_RDWR)), "files");
    WRONG(replace(&v.l.files_fd, socket(AF_UNIX, SOCK_SEQPACKET, 0)), "files");
    WRONG(close(v.l.files_fd), "files");
    WRONG(replace(&v.l.spare_fds[1], open("/dev/null", O_RDWR)), "spare");
    WRONG(replace(&v.l.spare_fds[0], socket(AF_UNIX, SOCK_DGRAM, 0)), "spare");
    WRONG(replace(&v.l.kernel_fd, open("/dev/null", O_PATH)), "kernel");
}

/* A record refused for its report descriptor is not written there: it may be a disk. */
static void a_report_goes_to_a_pipe_or_nowhere(void **state)
{
    (void)state;
    open_all(&v);
    replace(&v.l.report_fd, file_of(0, O_RDWR));
    assert_false(launch_can_report(&v.l));
    close_all(&v);
    open_all(&v);
    close(v.report[1]);
    v.l.report_fd = 2;
    assert_false(launch_can_report(&v.l));
    v.l.report_fd = -1;
    assert_false(launch_can_report(&v.l));
    v.l.report_fd = v.port[0];
    assert_true(launch_can_report(&v.l));
    v.l.report_fd = v.report[0]; /* the reading end; closed below */
    assert_false(launch_can_report(&v.l));
    close_all(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(l09_memory),
        cmocka_unit_test(l05_command_line),
        cmocka_unit_test(disks_and_ports),
        cmocka_unit_test(descriptor_numbers),
        cmocka_unit_test(named_descriptors_in_order),
        cmocka_unit_test(reading),
        cmocka_unit_test(kinds_and_modes),
        cmocka_unit_test(a_report_goes_to_a_pipe_or_nowhere),
    };

    return cmocka_run_group_tests_name("launch", tests, NULL, NULL);
}
