/*
 * payload_vmm.c - carrel-vmm itself, with guests of a few instructions: how machines end, what a
 * guest finds at every address, and what is refused before anything starts.
 */
#include "payload.h"

#include "base/vhost.h"
#include "sandbox/confine/vmm.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define OUT8(port, value) "mov $" #port ",%dx\n mov $" #value ",%al\n out %al,%dx\n"
#define POWEROFF          OUT8(0x600, 0x34) "9: hlt\n jmp 9b\n"
#define SAY(c)            OUT8(0x3f8, c)
#define FAIL_IF(cc, c)    "j" #cc " 8f\n jmp 7f\n 8:" SAY(c) POWEROFF "7:\n"

static struct payload_result run(const char *code, const char *end, bool pvh)
{
    struct payload p;

    payload_init(&p, code, end, pvh);
    return payload_run(&p);
}

static void assert_ended(const struct payload_result *res, enum vmm_reason reason)
{
    assert_true(res->reported);
    assert_int_equal(res->r.magic, VMM_LAUNCH_MAGIC);
    assert_int_equal(res->r.version, VMM_LAUNCH_VERSION);
    if (res->r.reason != reason)
        print_error("report: %u %s (%llu)\n", res->r.reason, res->r.text,
                    (unsigned long long)res->r.detail);
    assert_int_equal(res->r.reason, reason);
    assert_true(WIFEXITED(res->status));
    assert_int_equal(WEXITSTATUS(res->status), reason >= VMM_KVM_ERROR);
    assert_non_null(memchr(res->r.text, 0, sizeof(res->r.text)));
    assert_true(res->r.text[0]);
}

/* ---- endings ---- */

/* ebx has hvm_start_info: its magic is checked, so that this is PVH and not luck. */
PAYLOAD(pvh, 32, "cmpl $0x336ec578,(%ebx)\n" FAIL_IF(ne, 'M') SAY('P') SAY('\n') POWEROFF);
/* rsi has the zero page: its "HdrS". */
PAYLOAD(wide, 64, "cmpl $0x53726448,0x202(%rsi)\n" FAIL_IF(ne, 'M') SAY('W') POWEROFF);
PAYLOAD(reset, 32, OUT8(0x602, 1) "1: hlt\n jmp 1b");
PAYLOAD(keyboard, 32,
        "mov $0x64,%dx\n in %dx,%al\n test $2,%al\n" FAIL_IF(nz, 'B')
            OUT8(0x64, 0xfe) "1: hlt\n jmp 1b");
PAYLOAD(triple, 32, "mov $0x180000,%esp\n push $0\n push $0\n lidt (%esp)\n ud2\n 1: jmp 1b");
PAYLOAD(panic, 32,
        "mov $0x505,%dx\n in %dx,%al\n test $1,%al\n" FAIL_IF(z, 'B')
            OUT8(0x505, 1) "1: hlt\n jmp 1b");
PAYLOAD(idle, 32, SAY('\n') "1: hlt\n jmp 1b");
PAYLOAD(busy, 32, SAY('\n') "1: jmp 1b");

static void poweroff_pvh(void **state)
{
    struct payload_result res = run(pvh, pvh_end, true);

    (void)state;
    assert_ended(&res, VMM_POWEROFF);
    assert_string_equal(res.serial, "P\n");
}

static void poweroff_64bit_entry(void **state)
{
    struct payload_result res = run(wide, wide_end, false);

    (void)state;
    assert_ended(&res, VMM_POWEROFF);
    assert_string_equal(res.serial, "W"); /* an unfinished line is passed on at the end */
}

static void reboot_by_register_and_keyboard(void **state)
{
    struct payload_result res = run(reset, reset_end, true);

    (void)state;
    assert_ended(&res, VMM_REBOOT);
    res = run(keyboard, keyboard_end, true);
    assert_ended(&res, VMM_REBOOT);
}

static void c10_triple_fault_and_panic(void **state)
{
    struct payload_result res = run(triple, triple_end, true);

    (void)state;
    assert_ended(&res, VMM_TRIPLE_FAULT);
    res = run(panic, panic_end, true);
    assert_ended(&res, VMM_PANIC);
}

static void terminate(const char *code, const char *end, unsigned vcpus)
{
    struct payload p;
    struct payload_result res;
    char c;

    payload_init(&p, code, end, true);
    p.l.vcpus = vcpus;
    payload_start(&p);
    assert_int_equal(read(p.serial, &c, 1), 1); /* it runs */
    kill(p.pid, SIGTERM);
    payload_finish(&p, &res);
    assert_ended(&res, VMM_TERMINATED);
}

static void terminated_while_idle_or_busy(void **state)
{
    (void)state;
    terminate(idle, idle_end, 1);
    terminate(busy, busy_end, 1);
    terminate(idle, idle_end, 32);
}

static void terminated_at_once(void **state)
{
    struct payload p;
    struct payload_result res;

    (void)state;
    payload_init(&p, idle, idle_end, true);
    payload_start(&p);
    /* Its first output is the earliest that can be seen; the signal races with the threads. */
    for (int i = 0; i < 3; i++)
        kill(p.pid, i ? SIGTERM : 0);
    payload_finish(&p, &res);
    if (WIFEXITED(res.status))
        assert_ended(&res, VMM_TERMINATED);
    else
        assert_int_equal(WTERMSIG(res.status), SIGTERM); /* before main blocked it */
}

/* ---- CPUs ---- */

/* Sends INIT and SIPI to CPU 1, which powers off from real mode at 0x70000. */
PAYLOAD(smp, 32,
        "mov $0x100000+(2f-smp),%esi\n"
        "mov $0x70000,%edi\n mov $32,%ecx\n rep movsb\n"
        "mov $0xfee00000,%ebx\n"
        "movl $0x1ff,0xf0(%ebx)\n"
        "movl $0x01000000,0x310(%ebx)\n movl $0x4500,0x300(%ebx)\n"
        "movl $0x01000000,0x310(%ebx)\n movl $0x4670,0x300(%ebx)\n"
        "1: hlt\n jmp 1b\n"
        ".code16\n"
        "2: mov $0x600,%dx\n mov $0x34,%al\n out %al,%dx\n 3: hlt\n jmp 3b\n"
        ".code32\n");

static void second_cpu_starts(void **state)
{
    struct payload p;
    struct payload_result res;

    (void)state;
    payload_init(&p, smp, smp_end, true);
    p.l.vcpus = 2;
    res = payload_run(&p);
    assert_ended(&res, VMM_POWEROFF);
}

PAYLOAD(
    cpuid, 32,
    "mov $1,%eax\n cpuid\n test $0x20,%ecx\n" FAIL_IF(nz, 'V') "test $0x80000000,%ecx\n" FAIL_IF(
        z,
        'H') "mov $0x80000001,%eax\n cpuid\n test $4,%ecx\n" FAIL_IF(nz,
                                                                     'S') "mov $0x40000000,%eax\n "
                                                                          "cpuid\n cmp "
                                                                          "$0x4b4d564b,%"
                                                                          "ebx\n" FAIL_IF(ne, 'K')
                                                                              SAY('o') POWEROFF);
PAYLOAD(badmsr, 32,
        "mov $0x180000,%esp\n push $0\n push $0\n lidt (%esp)\n mov $0x12345678,%ecx\n rdmsr\n" SAY(
            'r') POWEROFF);

static void a02_cpuid_masked_and_unknown_msr_faults(void **state)
{
    struct payload_result res = run(cpuid, cpuid_end, true);

    (void)state;
    assert_ended(&res, VMM_POWEROFF);
    assert_string_equal(res.serial, "o");
    /* #GP without an interrupt table is a triple fault. */
    res = run(badmsr, badmsr_end, true);
    assert_ended(&res, VMM_TRIPLE_FAULT);
    assert_string_equal(res.serial, "");
}

/* ---- addresses ---- */

/* Reads and writes at every register and eight bytes around it, in every width; the registers that
 * end the machine are written with values that do not. Then an unknown port must read all-ones. */
PAYLOAD(
    ports, 32,
    "mov $0x100000+(4f-ports),%esi\n"
    "1: movzwl (%esi),%edx\n add $2,%esi\n test %edx,%edx\n jz 3f\n"
    "mov $24,%ebp\n sub $8,%edx\n"
    "2: in %dx,%al\n in %dx,%ax\n in %dx,%eax\n"
    "xor %eax,%eax\n out %al,%dx\n out %ax,%dx\n out %eax,%dx\n"
    "inc %edx\n dec %ebp\n jnz 2b\n jmp 1b\n"
    "3: mov $0x1234,%edx\n xor %eax,%eax\n in %dx,%eax\n cmp $-1,%eax\n" FAIL_IF(
        ne,
        '1') "mov $0xffff,%edx\n xor %eax,%eax\n in %dx,%eax\n cmp $-1,%eax\n" FAIL_IF(ne,
                                                                                       '2') "mov "
                                                                                            "$0x100"
                                                                                            "000+("
                                                                                            "4f-"
                                                                                            "ports)"
                                                                                            ",%"
                                                                                            "esi\n "
                                                                                            "mov "
                                                                                            "$0x123"
                                                                                            "4,%"
                                                                                            "edx\n "
                                                                                            "mov "
                                                                                            "$8,%"
                                                                                            "ecx\n "
                                                                                            "rep "
                                                                                            "outsw"
                                                                                            "\n"
                                                                                            "mov "
                                                                                            "$0x180"
                                                                                            "000,%"
                                                                                            "edi\n "
                                                                                            "mov "
                                                                                            "$8,%"
                                                                                            "ecx\n "
                                                                                            "rep "
                                                                                            "insw\n"
                                                                                            " cmpw "
                                                                                            "$-1,-"
                                                                                            "2(%"
                                                                                            "edi)"
                                                                                            "\n" FAIL_IF(
                                                                                                ne,
                                                                                                '3') SAY('\n')
                                                                                                SAY('o')
                                                                                                    POWEROFF
    "4: .word 0x3f8,0x400,0x600,0x60,0x505,0x70,0xcf8,0x20,0xa1,0x4d0,0\n");

static void a01_every_port_and_width(void **state)
{
    struct payload_result res = run(ports, ports_end, true);
    const char *last = memrchr(res.serial, '\n', sizeof(res.serial));

    (void)state;
    assert_ended(&res, VMM_POWEROFF);
    assert_non_null(last);
    assert_string_equal(last + 1, "o"); /* the storm wrote NULs and may have been in loop mode */
}

/* The hole: unknown addresses read all-ones in every width; ECAM and BARs take any access. */
PAYLOAD(mmio, 64,
        "mov $0x100000+(4f-mmio),%esi\n"
        "1: mov (%rsi),%edi\n add $4,%rsi\n test %edi,%edi\n jz 3f\n"
        "mov $20,%ecx\n"
        "2: mov (%rdi),%al\n mov (%rdi),%ax\n mov (%rdi),%eax\n mov (%rdi),%rax\n"
        "xor %eax,%eax\n mov %al,(%rdi)\n mov %ax,(%rdi)\n mov %eax,(%rdi)\n mov %rax,(%rdi)\n"
        "inc %edi\n loop 2b\n jmp 1b\n"
        "3: mov $0xd8000000,%edi\n xor %eax,%eax\n mov (%rdi),%rax\n inc %rax\n" FAIL_IF(
            nz, '1') "mov $0xe00ff000,%edi\n mov (%rdi),%eax\n inc %eax\n" FAIL_IF(nz, '2') SAY('o')
            POWEROFF
        "4: .long 0xbffffff8,0xc0000000,0xc0000ff0,0xc0001ff0,0xc0002ff0,0xc0003ff8\n"
        ".long 0xe0000000,0xe0000ff8,0xe0001000,0xe00ffff0,0xfec00000,0xfffffff0-16,0\n");

static void a01_every_address_and_width(void **state)
{
    struct payload p;
    struct payload_result res;

    (void)state;
    payload_init(&p, mmio, mmio_end, false);
    p.l.flags |= VMM_F_RNG | VMM_F_BALLOON;
    res = payload_run(&p);
    assert_ended(&res, VMM_POWEROFF);
    assert_string_equal(res.serial, "o");
}

/* ---- serial ---- */

PAYLOAD(flood, 32,
        "mov $6000,%ecx\n mov $0x3f8,%edx\n 1: mov $'x',%al\n test $63,%cl\n jnz 2f\n"
        "mov $'\\n',%al\n 2: out %al,%dx\n loop 1b\n" POWEROFF);

static void c01_serial_above_its_rate_is_cut_and_counted(void **state)
{
    struct payload p;
    struct payload_result res;

    (void)state;
    payload_init(&p, flood, flood_end, true);
    p.l.serial_bytes_per_s = 500;
    res = payload_run(&p);
    assert_ended(&res, VMM_POWEROFF);
    assert_int_equal(res.serial_len + res.r.serial_dropped, 6000);
    assert_true(res.serial_len >= 500 && res.serial_len < 5500);
}

static void c01_serial_reader_that_stops_holds_nobody_up(void **state)
{
    struct payload p;
    struct payload_result res;
    struct pollfd report;

    (void)state;
    payload_init(&p, flood, flood_end, true);
    assert_int_equal(fcntl(p.serial, F_SETPIPE_SZ, 4096), 4096);
    payload_start(&p);
    report = (struct pollfd){ p.report, POLLIN, 0 };
    assert_int_equal(poll(&report, 1, 10000), 1); /* the guest got through, nobody has read */
    payload_finish(&p, &res);
    assert_ended(&res, VMM_POWEROFF);
    assert_true(res.r.serial_dropped > 0);
    assert_int_equal(res.serial_len + res.r.serial_dropped, 6000);
}

/* ---- what is refused ---- */

static void assert_refused(struct payload *p, const char *about)
{
    struct payload_result res = payload_run(p);

    assert_ended(&res, VMM_REFUSED);
    if (!strstr(res.r.text, about))
        print_error("\"%s\" is not about \"%s\"\n", res.r.text, about);
    assert_non_null(strstr(res.r.text, about));
}

static void l09_memory_sizes(void **state)
{
    static const uint64_t sizes[] = {
        0,         1ull << 20, (64ull << 20) - 1, (64ull << 20) + 4096, (1ull << 40) + (1ull << 20),
        UINT64_MAX
    };
    struct payload p;
    struct payload_result res;

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        payload_init(&p, pvh, pvh_end, true);
        p.l.mem_bytes = sizes[i];
        assert_refused(&p, "memory");
    }
    payload_init(&p, pvh, pvh_end, true);
    p.l.mem_bytes = 1ull << 40; /* legal in the record; no host of ours has it */
    res = payload_run(&p);
    assert_ended(&res, VMM_HOST_ERROR);
    assert_non_null(strstr(res.r.text, "memory"));
    for (uint64_t mib = 3071; mib <= 3073; mib++) {
        payload_init(&p, pvh, pvh_end, true);
        p.l.mem_bytes = mib << 20;
        res = payload_run(&p);
        if (res.r.reason == VMM_HOST_ERROR)
            skip(); /* a small host */
        assert_ended(&res, VMM_POWEROFF);
    }
}

static void refused_fields(void **state)
{
    struct payload p;

    (void)state;
#define REFUSED(change, about)                \
    do {                                      \
        payload_init(&p, pvh, pvh_end, true); \
        change;                               \
        assert_refused(&p, about);            \
    } while (0)
    REFUSED(p.l.vcpus = 0, "vCPU");
    REFUSED(p.l.vcpus = 33, "vCPU");
    REFUSED(p.l.flags |= VMM_F_ALL + 1, "flags");
    REFUSED(p.l.files_fd = 9999, "files");
    REFUSED(p.l.ndisks = 9, "disks");
    REFUSED(p.l.nports = UINT32_MAX, "ports");
    REFUSED(p.l.flags &= ~VMM_F_SERIAL, "serial");
    REFUSED(memset(p.l.cmdline, 'a', sizeof(p.l.cmdline)), "command line");
    REFUSED(strcpy(p.l.cmdline, "a\nb"), "command line");
    REFUSED(p.l.kernel_fd = p.l.kvm_fd, "twice");
    REFUSED(p.l.initrd_fd = 0, "descriptor 0");
    REFUSED(p.l.initrd_fd = 9999, "initrd");
#undef REFUSED
}

static void refused_descriptors(void **state)
{
    struct payload p;
    int sockets[2];

    (void)state;
    payload_init(&p, pvh, pvh_end, true);
    close(p.l.kernel_fd);
    p.l.kernel_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_refused(&p, "kernel");

    payload_init(&p, pvh, pvh_end, true);
    close(p.l.kvm_fd);
    p.l.kvm_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct payload_result res = payload_run(&p);
    assert_ended(&res, VMM_HOST_ERROR);
    assert_non_null(strstr(res.r.text, "/dev/kvm"));

    payload_init(&p, pvh, pvh_end, true);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, sockets), 0);
    p.l.nports = 1;
    p.l.ports[0] = (struct vmm_launch_port){ .fd = sockets[0], .name = "a" };
    assert_refused(&p, "stream");
    close(sockets[0]);
    close(sockets[1]);
}

/* A VMM that cannot be filtered although it must be does not start. */
static void filters_that_are_required_and_cannot_be_had(void **state)
{
    struct payload p;

    (void)state;
    payload_init(&p, pvh, pvh_end, true);
    p.bare = true;
    p.l.flags |= VMM_F_FILTER;
    assert_refused(&p, "filters are required");

    payload_init(&p, pvh, pvh_end, true);
    p.bare = true;
    p.l.flags |= VMM_F_FILTER;
    p.l.filter_fd = memfd_create("empty", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_refused(&p, "not a sealed file");

    /* The kernel does not take it: a jump past the end. */
    const struct {
        struct vmm_filters head;
        uint64_t insn[VMM_FILTERS];
    } bad = { { VMM_FILTERS_MAGIC, VMM_LAUNCH_VERSION, { 1, 1 } }, { 5, 5 } };

    payload_init(&p, pvh, pvh_end, true);
    p.bare = true;
    p.l.flags |= VMM_F_FILTER;
    p.l.filter_fd = memfd_create("bad", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(write(p.l.filter_fd, &bad, sizeof(bad)), sizeof(bad));
    assert_int_equal(fcntl(p.l.filter_fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK),
                     0);

    struct payload_result res = payload_run(&p);

    assert_ended(&res, VMM_HOST_ERROR);
    assert_non_null(strstr(res.r.text, "locked down"));
    assert_int_equal(res.serial_len, 0); /* no guest instruction ran */
}

/* h05: stopped and continued at any moment, the filtered VMM goes on. */
static void h05_stopped_and_continued(void **state)
{
    struct payload p;
    struct payload_result res;
    char c;

    (void)state;
    payload_init(&p, idle, idle_end, true);
    p.l.vcpus = 2;
    payload_start(&p);
    assert_int_equal(read(p.serial, &c, 1), 1);
    for (int i = 0; i < 20; i++) {
        kill(p.pid, SIGSTOP);
        assert_int_equal(waitpid(p.pid, NULL, WUNTRACED), p.pid);
        kill(p.pid, SIGCONT);
    }
    kill(p.pid, SIGTERM);
    payload_finish(&p, &res);
    assert_ended(&res, VMM_TERMINATED);
}

static void short_or_foreign_records_are_only_logged(void **state)
{
    struct payload p;
    struct payload_result res;

    (void)state;
    for (int i = 0; i < 4; i++) {
        payload_init(&p, pvh, pvh_end, true);
        if (i == 0)
            p.record_size = 0;
        if (i == 1)
            p.record_size = sizeof(p.l) - 1;
        if (i == 2)
            p.l.magic++;
        if (i == 3)
            p.l.version++;
        res = payload_run(&p);
        assert_false(res.reported); /* nobody can say where report_fd is in such a record */
        assert_true(WIFEXITED(res.status));
        assert_int_equal(WEXITSTATUS(res.status), 1);
    }
}

static void l01_l02_kernels_refused(void **state)
{
    static const char empty[1];
    static const char text[200] = "#!/bin/sh\n";
    struct payload p;

    (void)state;
    payload_init(&p, NULL, NULL, true);
    payload_kernel(&p, empty, 0);
    assert_refused(&p, "kernel");
    payload_init(&p, NULL, NULL, true);
    payload_kernel(&p, text, sizeof(text));
    assert_refused(&p, "ELF");
    payload_init(&p, pvh, pvh_end, true);
    assert_int_equal(ftruncate(p.l.kernel_fd, 1000), 0);
    assert_refused(&p, "kernel");
}

static void l05_initrd_that_does_not_fit(void **state)
{
    struct payload p;
    FILE *f = tmpfile();

    (void)state;
    assert_non_null(f);
    assert_int_equal(ftruncate(fileno(f), 63 << 20), 0);
    payload_init(&p, pvh, pvh_end, true);
    p.l.initrd_fd = fileno(f);
    assert_refused(&p, "initrd");
    fclose(f);
}

/* ---- confinement ---- */

static void descriptors_not_named_are_closed(void **state)
{
    struct payload p;
    struct payload_result res;
    int leaked[2];
    char c;

    (void)state;
    payload_init(&p, idle, idle_end, true);
    assert_int_equal(pipe2(leaked, O_CLOEXEC), 0);
    p.extra_fd = leaked[1];
    payload_start(&p);
    /* End of file comes from carrel-vmm closing its copy, while the guest runs on. */
    assert_int_equal(read(leaked[0], &c, 1), 0);
    assert_int_equal(read(p.serial, &c, 1), 1);
    assert_int_equal(kill(p.pid, SIGTERM), 0);
    payload_finish(&p, &res);
    assert_ended(&res, VMM_TERMINATED);
    close(leaked[0]);
}

/* ---- live mounts ---- */

PAYLOAD(writes, 32, "movb $0x5a,0x200000\n" POWEROFF);

/* What came beside the first of the messages there that has any descriptors. */
static int next_descriptor(int sock)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * 2)];
        struct cmsghdr align;
    } beside;
    char bytes[512];
    struct iovec iov = { bytes, sizeof(bytes) };
    int fd = -1;

    do {
        struct msghdr h = { .msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = &beside,
                            .msg_controllen = sizeof(beside) };

        if (recvmsg(sock, &h, MSG_DONTWAIT) <= 0)
            return -1;
        if (CMSG_FIRSTHDR(&h))
            memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&h)), sizeof(fd));
    } while (fd < 0);
    return fd;
}

/* Also proves that this host's KVM takes interrupts from another process: it is tried. */
static void memory_is_lent_and_cannot_shrink(void **state)
{
    const struct vhost_head h = { VHOST_GET_FEATURES, VHOST_VERSION | VHOST_REPLY, 8 };
    const uint64_t all = ~0ull;
    struct payload_result res;
    struct payload p;
    uint8_t byte = 0;
    int pair[2], ram;
    struct stat st;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(write(pair[1], &h, sizeof(h)), sizeof(h));
    assert_int_equal(write(pair[1], &all, sizeof(all)), sizeof(all));
    payload_init(&p, writes, writes_end, true);
    p.l.files_fd = pair[0];
    res = payload_run(&p);
    assert_ended(&res, VMM_POWEROFF);
    ram = next_descriptor(pair[1]);
    assert_true(ram >= 0);
    assert_int_equal(fcntl(ram, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    assert_int_equal(fstat(ram, &st), 0);
    assert_int_equal(st.st_size, p.l.mem_bytes);
    assert_int_equal(pread(ram, &byte, 1, 0x200000), 1);
    assert_int_equal(byte, 0x5a);
    close(ram);
    close(pair[0]);
    close(pair[1]);
}

static void a_server_that_is_none(void **state)
{
    struct payload_result res;
    struct payload p;
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    close(pair[1]);
    payload_init(&p, writes, writes_end, true);
    p.l.files_fd = pair[0];
    res = payload_run(&p);
    assert_ended(&res, VMM_HOST_ERROR);
    assert_non_null(strstr(res.r.text, "files: the server is gone"));
    close(pair[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(poweroff_pvh),
        cmocka_unit_test(poweroff_64bit_entry),
        cmocka_unit_test(reboot_by_register_and_keyboard),
        cmocka_unit_test(c10_triple_fault_and_panic),
        cmocka_unit_test(terminated_while_idle_or_busy),
        cmocka_unit_test(terminated_at_once),
        cmocka_unit_test(second_cpu_starts),
        cmocka_unit_test(a02_cpuid_masked_and_unknown_msr_faults),
        cmocka_unit_test(a01_every_port_and_width),
        cmocka_unit_test(a01_every_address_and_width),
        cmocka_unit_test(c01_serial_above_its_rate_is_cut_and_counted),
        cmocka_unit_test(c01_serial_reader_that_stops_holds_nobody_up),
        cmocka_unit_test(l09_memory_sizes),
        cmocka_unit_test(refused_fields),
        cmocka_unit_test(refused_descriptors),
        cmocka_unit_test(short_or_foreign_records_are_only_logged),
        cmocka_unit_test(l01_l02_kernels_refused),
        cmocka_unit_test(l05_initrd_that_does_not_fit),
        cmocka_unit_test(descriptors_not_named_are_closed),
        cmocka_unit_test(filters_that_are_required_and_cannot_be_had),
        cmocka_unit_test(h05_stopped_and_continued),
        cmocka_unit_test(memory_is_lent_and_cannot_shrink),
        cmocka_unit_test(a_server_that_is_none),
    };

    if (access("/dev/kvm", R_OK | W_OK)) {
        perror("skipped: /dev/kvm");
        return 77;
    }
    signal(SIGPIPE, SIG_IGN);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    payload_filters = vmm_filters_open;
#endif
    return cmocka_run_group_tests_name("payload", tests, NULL, NULL);
}
