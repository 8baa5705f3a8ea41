/*
 * jail_faults.c - carrel-launch on hosts that lack something, and with every one of its system
 * calls failing in turn (h08, h15).
 *
 * A filter round it answers for the kernel: a call that an old kernel does not have gets ENOSYS.
 * The n-th call of its life fails by ptrace. Whatever happens, the report says which layer it was,
 * no layer that is required is missing in silence, and nothing is left.
 */
#include "tests/payload/cell.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cmocka.h>

#define OUT8(port, value) "mov $" #port ",%dx\n mov $" #value ",%al\n out %al,%dx\n"

/* A guest that says one line and powers off. */
PAYLOAD(idle, 32, OUT8(0x3f8, '\n') OUT8(0x600, 0x34) "1: hlt\n jmp 1b");

/* ---- kernel personas ---- */

/* For this process and its children, from now on. */
static void kernel_without(const long *calls, unsigned n)
{
    struct sock_filter f[2 + 32] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    struct sock_fprog prog = { .filter = f };

    for (unsigned i = 0; i < n; i++)
        f[1 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i],
                                                (uint8_t)(n - i), 0);
    f[1 + n] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    f[2 + n] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
    prog.len = (unsigned short)(3 + n);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog))
        abort();
}

static const struct persona {
    const char *name;
    unsigned n;
    long calls[8];
    int absent; /* the layer that goes with them, or -1: none may */
} personas[] = {
    { "5.10: no Landlock",
      3,
      { SYS_landlock_create_ruleset, SYS_landlock_add_rule, SYS_landlock_restrict_self },
      JAIL_LANDLOCK },
    { "no clone3, no pidfd_open, no openat2", 3, { SYS_clone3, SYS_pidfd_open, SYS_openat2 }, -1 },
    { "no pivot_root", 1, { SYS_pivot_root }, JAIL_ROOT },
    { "no sethostname", 1, { SYS_sethostname }, JAIL_UTS },
    { "no capset", 1, { SYS_capset }, JAIL_CAPS },
};

/* In a child, under that kernel: how it went. 0 as wanted. */
static int under(const struct persona *p, enum jail_level level)
{
    struct vmm_report r = { 0 };
    struct err e = ERR_INIT;
    bool reported = false;
    int status = 0;
    struct cell c;

    cell_open(&c, "carrel-vmm", idle, idle_end, false);
    cell_give(&c, open("/usr", O_PATH | O_DIRECTORY | O_CLOEXEC));
    for (unsigned i = 0; i < JAIL_LAYERS; i++)
        if (c.jail.level[i])
            c.jail.level[i] = (uint8_t)level;
    kernel_without(p->calls, p->n);
    if (spawn_gated(&c.s, &c.run, &e) || engine_release(&c.run, &e))
        return 1;
    cell_handed_over(&c);
    cell_finish(&c, &r, &reported, &status);
    if (!engine_has_jail(&c.run))
        return 2;
    for (int i = 0; i < JAIL_SECCOMP; i++) {
        bool missing = c.run.jail.outcome[i] == JAIL_ABSENT;

        if (missing && i != p->absent)
            return 10 + i;
        if (missing && c.run.jail.error[i] != ENOSYS)
            return 3;
    }
    if (p->absent >= 0 && c.run.jail.outcome[p->absent] != JAIL_ABSENT)
        return 4;
    if (p->absent >= 0 && level == JAIL_REQUIRED) {
        char want[64];

        snprintf(want, sizeof(want), "\"%s\" is required", box_layer_name((unsigned)p->absent));
        return !jail_refusal(&c.run) || !strstr(jail_refusal(&c.run), want) || reported ? 5 : 0;
    }
    return jail_refusal(&c.run) || !reported || r.reason != VMM_POWEROFF ? 6 : 0;
}

static void h15_what_a_kernel_lacks_is_said_or_refused(void **state)
{
    unsigned wrong = 0;

    (void)state;
    for (size_t i = 0; i < array_len(personas); i++)
        for (int level = JAIL_PREFERRED; level <= JAIL_REQUIRED; level++) {
            int status;
            pid_t pid = fork();

            if (pid == 0)
                _exit(under(&personas[i], (enum jail_level)level));
            assert_int_equal(waitpid(pid, &status, 0), pid);
            if (status) {
                print_error("%s, %s: %#x\n", personas[i].name, box_level_name((unsigned)level),
                            status);
                wrong++;
            }
        }
    assert_int_equal(wrong, 0);
}

/* ---- the n-th system call fails ---- */

/* What a program is about to begin with: read from the host, not from the report. */
static bool is_bare(pid_t pid)
{
    char path[64], text[4096];
    FILE *f;
    size_t n;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    f = fopen(path, "re");
    n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    text[n] = '\0';
    if (f)
        fclose(f);
    return strstr(text, "CapPrm:\t0000000000000000\n") && strstr(text, "NoNewPrivs:\t1\n") &&
           strstr(text, "CapBnd:\t0000000000000000\n") && strstr(text, "Uid:\t2147418112\t") &&
           strstr(text, "Groups:\t \n") && strstr(text, "\t1\n");
}

/*
 * Runs the process under ptrace from the gate on; the n-th call after carrel-launch was executed is
 * not made and answers EPERM. True when there was an n-th before carrel-vmm took over.
 */
static bool fail_nth(struct cell *c, unsigned n, int *status)
{
    unsigned execs = 0, calls = 0;
    bool entry = true, hit = false, spoil = false;
    struct err e = ERR_INIT;

    if (ptrace(PTRACE_SEIZE, c->run.pid, 0,
               PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) ||
        ptrace(PTRACE_INTERRUPT, c->run.pid, 0, 0) || engine_release(&c->run, &e))
        abort();
    while (waitpid(c->run.pid, status, 0) == c->run.pid && WIFSTOPPED(*status)) {
        int sig = WSTOPSIG(*status), event = *status >> 16;
        struct user_regs_struct regs;

        if (sig == SIGSEGV || sig == SIGABRT || sig == SIGILL) {
            kill(c->run.pid, SIGKILL); /* its end; a debugger's signal would not end a PID 1 */
            continue;
        }

        if (event == PTRACE_EVENT_EXEC && ++execs == 2) {
            if (!is_bare(c->run.pid))
                fail_msg("call %u failed, and the program was not bare", n);
            ptrace(PTRACE_DETACH, c->run.pid, 0, 0);
            c->run.pid = c->run.pid > 0 ? c->run.pid : 0;
            return hit;
        }
        if (sig == (SIGTRAP | 0x80) && execs == 1) {
            ptrace(PTRACE_GETREGS, c->run.pid, 0, &regs);
            if (entry && (long)regs.orig_rax != SYS_execve && (long)regs.orig_rax != SYS_execveat &&
                (long)regs.orig_rax != SYS_exit_group && calls++ == n) {
                hit = spoil = true;
                regs.orig_rax = ~0ull; /* no such call: not made */
                ptrace(PTRACE_SETREGS, c->run.pid, 0, &regs);
            } else if (!entry && spoil) {
                spoil = false;
                regs.rax = (unsigned long long)-EPERM;
                ptrace(PTRACE_SETREGS, c->run.pid, 0, &regs);
            }
            entry = !entry;
        } else if (event == PTRACE_EVENT_EXEC) {
            entry = false; /* the exit of execveat comes next */
        }
        ptrace(PTRACE_SYSCALL, c->run.pid, 0,
               sig == SIGTRAP || event || sig == (SIGTRAP | 0x80) ? 0 : sig);
    }
    c->run.pid = 0; /* reaped */
    return hit;
}

/* Everything is required: whatever fails that matters must refuse; what then runs is whole. */
static void h08_every_nth_call_failing(void **state)
{
    unsigned n = 0, refused = 0, harmless = 0, silent = 0;

    (void)state;
    for (bool hit = true; hit && n < 1000; n++) {
        struct vmm_report r = { 0 };
        struct err e = ERR_INIT;
        bool reported = false;
        int status = 0;
        struct cell c;

        cell_open(&c, "carrel-vmm", idle, idle_end, false);
        cell_give(&c, open("/usr", O_PATH | O_DIRECTORY | O_CLOEXEC));
        jail_require_all(&c.jail);
        assert_int_equal(spawn_gated(&c.s, &c.run, &e), 0);
        cell_handed_over(&c);
        hit = fail_nth(&c, n, &status);

        bool ended = !c.run.pid;

        cell_finish(&c, &r, &reported, &status);
        if (!hit)
            break;
        if (ended) { /* refused, with a reason; or it could not even report, and said so by status
                      */
            assert_true(!reported);
            assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
            if (!jail_refusal(&c.run))
                silent++;
            refused++;
        } else { /* it did not matter: then nothing is missing */
            assert_int_equal(r.reason, VMM_POWEROFF);
            for (unsigned i = 0; i < JAIL_SECCOMP; i++)
                assert_true(c.run.jail.outcome[i] == JAIL_APPLIED || i == JAIL_CGROUP);
            harmless++;
        }
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
    }
    print_message("%u calls: %u refused, %u of those before a report could be made, %u did not "
                  "matter\n",
                  n, refused, silent, harmless);
    assert_true(n > 60 && refused > 40);
}

/* ---- directories ---- */

static void refused_with(int dir, const char *why)
{
    struct vmm_report r = { 0 };
    struct err e = ERR_INIT;
    bool reported = false;
    int status = 0;
    struct cell c;

    cell_open(&c, "carrel-vmm", idle, idle_end, false);
    cell_give(&c, dir);
    c.jail.level[JAIL_ROOT] = JAIL_REQUIRED;
    assert_int_equal(spawn_gated(&c.s, &c.run, &e), 0);
    assert_int_equal(engine_release(&c.run, &e), 0);
    cell_handed_over(&c);
    cell_finish(&c, &r, &reported, &status);
    assert_false(reported);
    assert_non_null(jail_refusal(&c.run));
    assert_non_null(strstr(jail_refusal(&c.run), why));
}

/* Its name leads to nothing, or to something else, when the tree is made. */
static void h01_a_directory_that_is_not_where_it_was(void **state)
{
    char top[] = "/tmp/carrel-faults.XXXXXX";
    int fd;

    (void)state;
    assert_non_null(mkdtemp(top));
    fd = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mount("carrel", top, "tmpfs", 0, "size=4k"), 0);
    refused_with(fd, "is not where it was");
    assert_int_equal(umount2(top, MNT_DETACH), 0);
    fd = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(rmdir(top), 0);
    refused_with(fd, strerror(ENOENT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h15_what_a_kernel_lacks_is_said_or_refused),
        cmocka_unit_test(h08_every_nth_call_failing),
        cmocka_unit_test(h01_a_directory_that_is_not_where_it_was),
    };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    fprintf(stderr, "skipped: a sanitizer makes system calls of its own, under any filter\n");
    return 77;
#endif
    if (geteuid()) {
        fprintf(stderr, "skipped: root is needed\n");
        return 77;
    }
    if (access("/dev/kvm", R_OK | W_OK)) {
        perror("skipped: /dev/kvm");
        return 77;
    }
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
