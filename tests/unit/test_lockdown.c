/* test_lockdown.c - filters on their way into carrel-vmm: what is refused, what is added. */
#include "policies/bpf.h"
#include "vmm/lockdown.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <cmocka.h>

struct file {
    struct vmm_filters head;
    struct sock_filter insn[4];
};

static const struct file good = {
    .head = { VMM_FILTERS_MAGIC, VMM_LAUNCH_VERSION, { 1, 3 } },
    .insn = { { 6, 0, 0, 1 }, { 6, 0, 0, 2 }, { 6, 0, 0, 3 }, { 6, 0, 0, 4 } },
};

static int open_it(const struct file *f, size_t len, int seals, struct lockdown *k, struct err *e)
{
    struct vmm_launch l = { .filter_fd = memfd_create("f", MFD_CLOEXEC | MFD_ALLOW_SEALING) };

    assert_true(l.filter_fd >= 0);
    assert_int_equal(write(l.filter_fd, f, len), len);
    assert_int_equal(fcntl(l.filter_fd, F_ADD_SEALS, seals), 0);

    int err = lockdown_open(k, &l, e);

    assert_int_equal(fcntl(l.filter_fd, F_GETFD), -1); /* taken */
    return err;
}

#define SEALED (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

static void filters_arrive_whole(void **state)
{
    struct err e = ERR_INIT;
    struct lockdown k;

    (void)state;
    assert_int_equal(open_it(&good, sizeof(good), SEALED, &k, &e), 0);
    assert_int_equal(k.filter[VMM_FILTER_VCPU].len, 1);
    assert_int_equal(k.filter[VMM_FILTER_VCPU].filter[0].k, 1);
    assert_int_equal(k.filter[VMM_FILTER_IO].len, 3);
    assert_int_equal(k.filter[VMM_FILTER_IO].filter[2].k, 4);
    lockdown_fini(&k);
    assert_int_equal(lockdown_open(&k, &(struct vmm_launch){ .filter_fd = -1 }, &e), 0);
    assert_null(k.filter[0].filter);
}

static void assert_refused(const struct file *f, size_t len, int seals, const char *about)
{
    struct err e = ERR_INIT;
    struct lockdown k;

    assert_int_equal(open_it(f, len, seals, &k, &e), -EINVAL);
    assert_non_null(strstr(e.msg, about));
    lockdown_fini(&k);
}

static void other_files_are_refused(void **state)
{
    struct file f;

    (void)state;
    for (int seal = F_SEAL_SHRINK; seal <= F_SEAL_WRITE; seal <<= 1)
        assert_refused(&good, sizeof(good), SEALED & ~seal, "sealed");
    assert_refused(&good, sizeof(good) - 1, SEALED, "shorter");
    assert_refused(&good, sizeof(good.head) - 1, SEALED, "none");
    f = good;
    f.head.magic++;
    assert_refused(&f, sizeof(f), SEALED, "none");
    f = good;
    f.head.version--;
    assert_refused(&f, sizeof(f), SEALED, "version");
    f = good;
    f.head.len[VMM_FILTER_IO] = 0;
    assert_refused(&f, sizeof(f), SEALED, "0 instructions");
    f.head.len[VMM_FILTER_IO] = VMM_FILTER_INSNS + 1;
    assert_refused(&f, sizeof(f), SEALED, "4097 instructions");
    f.head.len[VMM_FILTER_IO] = UINT32_MAX;
    assert_refused(&f, sizeof(f), SEALED, "instructions");
}

/* Judged by our interpreter, as every filter that comes from outside is. */
static void signals_reach_this_process_only(void **state)
{
    const uint32_t pid = 0x12345;
    struct sock_filter f[LOCKDOWN_OWN_INSNS];
    struct bpf_insn prog[LOCKDOWN_OWN_INSNS];
    struct bpf_call c = { .nr = SYS_tgkill, .arch = AUDIT_ARCH_X86_64, .args = { pid, 7, 10 } };

    (void)state;
    lockdown_own_only(f, (pid_t)pid);
    memcpy(prog, f, sizeof(prog));
    assert_int_equal(bpf_check(prog, LOCKDOWN_OWN_INSNS, NULL), 0);
    assert_int_equal(bpf_run(prog, LOCKDOWN_OWN_INSNS, &c), SECCOMP_RET_ALLOW);
    for (unsigned bit = 0; bit < 64; bit++) {
        c.args[0] = pid ^ 1ull << bit;
        assert_int_equal(bpf_run(prog, LOCKDOWN_OWN_INSNS, &c), SECCOMP_RET_TRAP);
    }
    for (int nr = 0; nr < 500; nr++) { /* what else a thread may do is for the filter below it */
        c.nr = nr;
        assert_int_equal(bpf_run(prog, LOCKDOWN_OWN_INSNS, &c),
                         nr == SYS_tgkill ? SECCOMP_RET_TRAP : SECCOMP_RET_ALLOW);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_arrive_whole),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(signals_reach_this_process_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
