/*
 * test_keeper_lockdown.c - a keeper that somebody has taken over: what it tries is refused, and
 * what serving a machine takes is not.
 */
#include "sandbox/keeper/keeper.h"

#include "base/fd.h"
#include "base/landlock.h"
#include "sandbox/audit/key.h"
#include "sandbox/places.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char top[] = "/tmp/carrel-lockdown.XXXXXX";
static char state[64], outside[64], mine[96];
static long page;
static int machine; /* its pidfd */

/* In a process of its own that is locked down: its exit status. */
static int locked(int (*act)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        struct keeper *k = calloc(1, sizeof(*k));
        struct err e = ERR_INIT;

        if (!k || keeper_lock_down(k, &e)) {
            fprintf(stderr, "%s\n", e.msg);
            _exit(99);
        }
        _exit(act());
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#define TRY(nr, ...)    \
    {                   \
#nr, nr,        \
        {               \
            __VA_ARGS__ \
        }               \
    }

static struct attempt {
    const char *name;
    long nr, arg[6];
} attempt[] = {
    TRY(SYS_socket, AF_INET, SOCK_STREAM),
    TRY(SYS_socket, AF_UNIX, SOCK_STREAM),
    TRY(SYS_socket, AF_NETLINK, SOCK_RAW),
    TRY(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, (long)top),
    TRY(SYS_connect, 0),
    TRY(SYS_bind, 0),
    TRY(SYS_listen, 0),
    TRY(SYS_sendmsg, 0), /* descriptors, to its holder */
    TRY(SYS_sendmmsg, 0),
    TRY(SYS_execve, (long)"/bin/true"),
    TRY(SYS_execveat, AT_FDCWD, (long)"/bin/true"),
    TRY(SYS_fork, 0),
    TRY(SYS_vfork, 0),
    TRY(SYS_clone, SIGCHLD),
    TRY(SYS_clone3, 0),
    TRY(SYS_ptrace, PTRACE_SEIZE, 1),
    TRY(SYS_process_vm_readv, 1),
    TRY(SYS_process_vm_writev, 1),
    TRY(SYS_kill, 0, 0),
    TRY(SYS_wait4, -1),
    TRY(SYS_pidfd_open, 1),
    TRY(SYS_pidfd_getfd, 0),
    TRY(SYS_mount, (long)"x", (long)"/tmp", (long)"tmpfs"),
    TRY(SYS_umount2, (long)"/proc", MNT_DETACH),
    TRY(SYS_pivot_root, (long)"/", (long)"/"),
    TRY(SYS_chroot, (long)"/"),
    TRY(SYS_unshare, CLONE_NEWUSER),
    TRY(SYS_setns, 0),
    TRY(SYS_setuid, 0),
    TRY(SYS_setgid, 0),
    TRY(SYS_setgroups, 0),
    TRY(SYS_capset, 0),
    TRY(SYS_prctl, 0),
    TRY(SYS_seccomp, 0),
    TRY(SYS_bpf, 0),
    TRY(SYS_io_uring_setup, 1),
    TRY(SYS_perf_event_open, 0),
    TRY(SYS_userfaultfd, 0),
    TRY(SYS_keyctl, 0),
    TRY(SYS_add_key, 0),
    TRY(SYS_init_module, 0),
    TRY(SYS_kexec_load, 0),
    TRY(SYS_reboot, 0),
    TRY(SYS_ioctl, 0, 0x5412),
    TRY(SYS_mknodat, AT_FDCWD, (long)mine, S_IFIFO),
    TRY(SYS_symlinkat, (long)"/", AT_FDCWD, (long)mine),
    TRY(SYS_linkat, AT_FDCWD, (long)outside, AT_FDCWD, (long)mine),
    TRY(SYS_fchmodat, AT_FDCWD, (long)outside, 0777),
    TRY(SYS_fchownat, AT_FDCWD, (long)outside, 1, 1),
    TRY(SYS_setxattr, (long)outside),
    TRY(SYS_truncate, (long)outside, 0),
    TRY(SYS_open_by_handle_at, AT_FDCWD),
    TRY(SYS_prlimit64, 1),
    TRY(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1),
    TRY(SYS_mprotect, 0, 4096, PROT_READ | PROT_EXEC), /* of a page of its own */
    TRY(SYS_madvise, 0, 4096, MADV_HWPOISON),
};

static int try_all(void)
{
    int worked = 0;

    for (size_t i = 0; i < array_len(attempt); i++) {
        const struct attempt *t = &attempt[i];
        long first = t->nr == SYS_mprotect || t->nr == SYS_madvise ? page : t->arg[0];

        errno = 0;
        if (syscall(t->nr, first, t->arg[1], t->arg[2], t->arg[3], t->arg[4], t->arg[5]) != -1 ||
            errno != EPERM) {
            fprintf(stderr, "%s: %s\n", t->name, strerror(errno));
            worked++;
        }
    }
    return worked;
}

/* R10, H16: no process, no socket, no code, nobody else's memory. */
static void what_it_tries_is_refused(void **s)
{
    (void)s;
    page = (long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_int_equal(locked(try_all), 0);
}

/* Refused there is that the kernel says so; a file that is not made, changed or removed. */
static int write_outside(void)
{
    char path[128];
    int worked = 0;

    worked += open(outside, O_WRONLY | O_CLOEXEC) >= 0;
    worked += open(outside, O_RDONLY | O_TRUNC | O_CLOEXEC) >= 0 && landlock_version() >= 3;
    snprintf(path, sizeof(path), "%s/new", top);
    worked += open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0;
    worked += mkdirat(AT_FDCWD, path, 0700) == 0;
    worked += renameat(AT_FDCWD, outside, AT_FDCWD, path) == 0;
    worked += renameat(AT_FDCWD, mine, AT_FDCWD, path) == 0;
    worked += unlinkat(AT_FDCWD, outside, 0) == 0;
    return worked;
}

static int serve(void)
{
    char path[128], byte = 'x';
    int fd = open(mine, O_RDWR | O_CREAT | O_CLOEXEC, 0600), failed = 0;

    failed += fd < 0 || write(fd, &byte, 1) != 1 || fdatasync(fd) || pread(fd, &byte, 1, 0) != 1;
    snprintf(path, sizeof(path), "%s/other", state);
    failed += renameat(AT_FDCWD, mine, AT_FDCWD, path) != 0;
    failed += renameat(AT_FDCWD, path, AT_FDCWD, mine) != 0;
    failed += open(outside, O_RDONLY | O_CLOEXEC) < 0;
    failed += syscall(SYS_pidfd_send_signal, machine, 0, NULL, 0) != 0; /* of another user */
    return failed;
}

/* A policy that comes later: the first to be signed, or to want a log, in this state directory. */
static int follow_policy(void)
{
    char path[128];
    struct err e = ERR_INIT;
    struct audit_key *key;
    int first, again;

    snprintf(path, sizeof(path), "%s/audit", state);
    first = places_open_dir(path, &e);
    again = places_open_dir(path, &e);
    key = again < 0 ? NULL : audit_key_own(again, "key", &e);
    if (!key)
        fprintf(stderr, "%s\n", e.msg);
    return first < 0 || !key;
}

static void a_policy_that_comes_later_can_be_taken_over(void **s)
{
    (void)s;
    assert_int_equal(locked(follow_policy), 0);
}

static void writing_is_for_the_state_directory(void **s)
{
    (void)s;
    machine = (int)syscall(SYS_pidfd_open, getpid(), 0);
    assert_true(machine >= 0);
    assert_int_equal(locked(serve), 0);
    close(machine);
    if (landlock_version() == 0) {
        print_message("this kernel has no Landlock\n");
        skip();
    }
    assert_int_equal(locked(write_outside), 0);
    assert_int_equal(access(outside, F_OK), 0);
}

static int set_up(void **s)
{
    (void)s;
    if (!mkdtemp(top))
        return -1;
    snprintf(state, sizeof(state), "%s/state", top);
    snprintf(outside, sizeof(outside), "%s/outside", top);
    snprintf(mine, sizeof(mine), "%s/mine", state);
    setenv("CARREL_STATE", state, 1);
    return mkdir(state, 0700) || close(creat(outside, 0600));
}

static int tear_down(void **s)
{
    static const char *const left[] = { "other", "audit/key", "audit/key.pub", "audit/key.lock" };
    char other[128];

    (void)s;
    for (size_t i = 0; i < array_len(left); i++) {
        snprintf(other, sizeof(other), "%s/%s", state, left[i]);
        unlink(other);
    }
    snprintf(other, sizeof(other), "%s/audit", state);
    rmdir(other);
    unlink(mine);
    unlink(outside);
    return rmdir(state) || rmdir(top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_tries_is_refused),
        cmocka_unit_test(a_policy_that_comes_later_can_be_taken_over),
        cmocka_unit_test(writing_is_for_the_state_directory),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
