/* test_processes.c - the tables of Carrel's own processes: small, sound, and compiled as they say.
 */
#include "policies/processes.h"
#include "policies/words.h"
#include "sandbox/confine/profile.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <asm/unistd_64.h>
#include <linux/audit.h>
#include <linux/fcntl.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cmocka.h>

static struct bpf_insn prog[BPF_INSNS_MAX];
static struct seccomp_rule rules[PROCESS_RULES_MAX];

static struct seccomp_model model_of(const char *name, unsigned uses)
{
    const struct process *p = process_find(name);
    struct seccomp_model m;

    assert_non_null(p);
    process_model(p, uses, rules, &m);
    assert_true(m.nrules <= PROCESS_RULES_MAX);
    return m;
}

static bool allowed(const struct seccomp_model *m, uint32_t nr, unsigned arg, uint64_t value)
{
    struct bpf_call call = { .nr = (int32_t)nr, .arch = AUDIT_ARCH_X86_64 };

    call.args[arg] = value;
    return seccomp_decide(m, &call) == SECCOMP_RET_ALLOW;
}

static void every_table_compiles_is_proved_and_small(void **s)
{
    (void)s;
    for (unsigned i = 0; i < process_count(); i++) {
        const struct process *p = process_at(i);

        assert_ptr_equal(process_find(p->name), p);
        for (unsigned uses = 0; uses <= USE_ALL; uses++) {
            struct seccomp_model m = model_of(p->name, uses);
            struct seccomp_witness w;
            uint64_t tried;
            uint32_t len;
            struct err e = ERR_INIT;

            for (uint32_t k = 0; k < m.nrules; k++)
                assert_true(m.rules[k].reason && m.rules[k].reason[0]);
            if (p->most)
                assert_true(process_calls(&m) <= p->most);
            if (uses != 0 && uses != USE_ALL && uses % 13)
                continue;
            if (confine_profile(p->name, uses, prog, &len, &e))
                fail_msg("%s: %s", p->name, e.msg);
            assert_int_equal(seccomp_verify(&m, prog, len, &w, &tried, &e), 0);
        }
    }
    assert_null(process_find("nobody"));
    assert_int_equal(confine_profile("nobody", 0, prog, &(uint32_t){ 0 }, NULL), -ENOENT);
}

/* Powers that no process has once it is locked down, whatever it serves. */
static void no_table_has_what_the_design_forbids(void **s)
{
    static const uint32_t never[] = { __NR_open,
                                      __NR_clone,
                                      __NR_clone3,
                                      __NR_fork,
                                      __NR_vfork,
                                      __NR_execve,
                                      __NR_execveat,
                                      __NR_ptrace,
                                      __NR_process_vm_readv,
                                      __NR_process_vm_writev,
                                      __NR_mount,
                                      __NR_setns,
                                      __NR_unshare,
                                      __NR_bpf,
                                      __NR_io_uring_setup,
                                      __NR_keyctl,
                                      __NR_init_module,
                                      __NR_prctl };
    static const uint32_t not_in_vmm[] = { __NR_openat,  __NR_openat2,  __NR_socket,
                                           __NR_connect, __NR_mmap,     __NR_mprotect,
                                           __NR_dup,     __NR_fcntl,    __NR_memfd_create,
                                           __NR_brk,     __NR_setrlimit };

    (void)s;
    for (unsigned i = 0; i < process_count(); i++) {
        struct seccomp_model m = model_of(process_at(i)->name, USE_ALL);

        for (size_t k = 0; k < array_len(never); k++)
            assert_false(allowed(&m, never[k], 0, 0));
        assert_false(allowed(&m, __NR_mmap, 2, PROT_READ | PROT_EXEC));
        assert_false(allowed(&m, __NR_mprotect, 2, PROT_READ | PROT_EXEC));
        assert_false(allowed(&m, __NR_socket, 0, AF_PACKET));
        assert_false(allowed(&m, __NR_socket, 0, AF_VSOCK));
    }
    for (unsigned i = 0; i < 2; i++) {
        struct seccomp_model m = model_of(i ? "vmm-io" : "vmm-vcpu", USE_ALL);

        for (size_t k = 0; k < array_len(not_in_vmm); k++)
            assert_false(allowed(&m, not_in_vmm[k], 0, 0));
        assert_int_equal(m.otherwise, SECCOMP_RET_TRAP);
        assert_false(allowed(&m, __NR_ioctl, 1, KVM_CREATE_VM));
        assert_false(allowed(&m, __NR_ioctl, 1, KVM_CREATE_VCPU));
        assert_false(allowed(&m, __NR_ioctl, 1, 0x5412)); /* TIOCSTI */
        assert_true(allowed(&m, __NR_ioctl, 1, KVM_SIGNAL_MSI));
        assert_false(allowed(&m, __NR_kill, 1, SIGTERM));
        assert_false(allowed(&m, __NR_tkill, 1, SIGUSR1));
        assert_false(allowed(&m, __NR_tgkill, 2, SIGKILL));
        assert_int_equal(allowed(&m, __NR_tgkill, 2, SIGUSR1), i);
        assert_false(allowed(&m, __NR_recvmsg, 0, 0)); /* it can bring descriptors */
    }
}

/* musl passes the request as an int: KVM_GET_REGS arrives with its upper half full of ones. */
static void device_requests_are_told_by_their_low_half(void **s)
{
    struct seccomp_model m = model_of("vmm-vcpu", 0);

    (void)s;
    assert_true(allowed(&m, __NR_ioctl, 1, (uint64_t)(int64_t)(int32_t)KVM_GET_REGS));
    assert_true(allowed(&m, __NR_ioctl, 1, KVM_RUN));
}

/* A link is a name for what is there, or for what is open: none is followed. */
static void carrel_files_links_what_it_names(void **s)
{
    struct seccomp_model m = model_of("files", USE_LIVE | USE_LIVE_WRITE);
    struct seccomp_model reads = model_of("files", USE_LIVE);

    (void)s;
    assert_true(allowed(&m, __NR_linkat, 4, 0));
    assert_true(allowed(&m, __NR_linkat, 4, AT_EMPTY_PATH));
    assert_false(allowed(&m, __NR_linkat, 4, AT_SYMLINK_FOLLOW));
    assert_false(allowed(&m, __NR_linkat, 4, AT_SYMLINK_FOLLOW | AT_EMPTY_PATH));
    assert_false(allowed(&reads, __NR_linkat, 4, 0));
}

static bool may(const char *name, unsigned uses, uint32_t nr, unsigned arg, uint64_t value)
{
    struct seccomp_model m = model_of(name, uses);

    return allowed(&m, nr, arg, value);
}

/* Of another process than carrel-files no interrupt comes, and only vCPUs say which those are. */
static void interrupts_of_others_are_for_live_mounts(void **s)
{
    static const unsigned requests[] = { KVM_IRQFD, KVM_SET_GSI_ROUTING };

    (void)s;
    for (size_t i = 0; i < array_len(requests); i++) {
        assert_true(may("vmm-vcpu", USE_LIVE, __NR_ioctl, 1, requests[i]));
        assert_false(may("vmm-vcpu", USE_ALL & ~USE_LIVE, __NR_ioctl, 1, requests[i]));
        assert_false(may("vmm-io", USE_ALL, __NR_ioctl, 1, requests[i]));
    }
}

/* Of what carrel-files maps, a page is given back in another way. */
static void memory_is_given_back_as_what_it_is(void **s)
{
    (void)s;
    assert_true(may("vmm-io", USE_BALLOON, __NR_madvise, 2, MADV_DONTNEED));
    assert_false(may("vmm-io", USE_ALL & ~USE_LIVE, __NR_madvise, 2, MADV_REMOVE));
    assert_true(may("vmm-io", USE_LIVE, __NR_madvise, 2, MADV_REMOVE));
    assert_false(may("vmm-io", USE_LIVE, __NR_madvise, 2, MADV_DONTNEED));
    assert_false(may("vmm-vcpu", USE_ALL, __NR_madvise, 2, MADV_REMOVE));
}

#define SOCKETS (USE_PORTS | USE_LIVE)

static void what_is_not_used_is_not_there(void **s)
{
    static const struct {
        unsigned use;
        uint32_t nr;
    } lines[] = { { SOCKETS, __NR_readv },
                  { SOCKETS, __NR_writev },
                  { SOCKETS, __NR_epoll_ctl },
                  { SOCKETS, __NR_close },
                  { USE_DISK, __NR_preadv },
                  { USE_DISK_WRITE, __NR_pwritev },
                  { USE_DISK_WRITE, __NR_fdatasync },
                  { USE_RNG, __NR_getrandom } };

    (void)s;
    for (size_t i = 0; i < array_len(lines); i++) {
        for (unsigned use = 1; use < USE_ALL; use <<= 1) { /* any of them is enough */
            struct seccomp_model with = model_of("vmm-io", use);

            assert_int_equal(allowed(&with, lines[i].nr, 0, 0), !!(lines[i].use & use));
        }

        struct seccomp_model without = model_of("vmm-io", USE_ALL & ~lines[i].use);

        assert_false(allowed(&without, lines[i].nr, 0, 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_compiles_is_proved_and_small),
        cmocka_unit_test(no_table_has_what_the_design_forbids),
        cmocka_unit_test(device_requests_are_told_by_their_low_half),
        cmocka_unit_test(carrel_files_links_what_it_names),
        cmocka_unit_test(interrupts_of_others_are_for_live_mounts),
        cmocka_unit_test(memory_is_given_back_as_what_it_is),
        cmocka_unit_test(what_is_not_used_is_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
