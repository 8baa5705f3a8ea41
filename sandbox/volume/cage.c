/* cage.c - see cage.h. */
#include "sandbox/volume/cage.h"

#include "base/fd.h"
#include "base/landlock.h"
#include "sandbox/confine/compile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define MEMORY_MAX (1ull << 30)
#define CPU_S      600

/* A sanitizer makes system calls of its own, under any filter. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FILTERED false
#else
#define FILTERED true
#endif

#define CALL(name, why)                   \
    {                                     \
        .nr = SYS_##name, .reason = (why) \
    }

/* The reader's come first. */
static const struct seccomp_rule calls[] = {
    CALL(read, "the pipe"),
    CALL(pread64, "blocks of the image"),
    CALL(lseek, "blocks of the image"),
    CALL(write, "what was read, to the pipe"),
    CALL(fstat, "size of the image"),
    CALL(newfstatat, "the same, as glibc calls it"),
    CALL(close, "the image"),
    CALL(mmap, "memory"),
    CALL(munmap, "memory"),
    CALL(mremap, "memory"),
    CALL(brk, "memory"),
    CALL(madvise, "memory"),
    CALL(futex, "the C library's locks"),
    CALL(getrandom, "the C library's hash seeds"),
    CALL(clock_gettime, "time, where there is no vDSO"),
    CALL(rt_sigreturn, "return of a signal handler"),
    { .nr = SYS_fcntl,
      .nargs = 1,
      .arg = { { .index = 1, .mask = UINT64_MAX, .value = F_GETFD } },
      .reason = "is the image open" },
    CALL(exit, "its end"),
    CALL(exit_group, "its end"),
#define READER_CALLS 19u
    CALL(execve, "e2fsck"),
    CALL(openat, "libraries, the image"),
    CALL(open, "the same, as old code calls it"),
    CALL(access, "ld.so"),
    CALL(mprotect, "ld.so"),
    CALL(arch_prctl, "start of the C library"),
    CALL(set_tid_address, "start of the C library"),
    CALL(set_robust_list, "start of the C library"),
    CALL(rseq, "start of the C library"),
    CALL(prlimit64, "start of the C library"),
    CALL(pwrite64, "blocks of the image"),
    CALL(fsync, "blocks of the image"),
    CALL(fdatasync, "blocks of the image"),
    CALL(fcntl, "flags of the image's descriptor"),
    CALL(rt_sigaction, "e2fsck's handlers"),
    CALL(rt_sigprocmask, "e2fsck's handlers"),
    CALL(getpid, "e2fsck"),
    CALL(getuid, "e2fsck"),
    CALL(geteuid, "e2fsck"),
    CALL(getgid, "e2fsck"),
    CALL(getegid, "e2fsck"),
    CALL(uname, "features of the kernel"),
    CALL(readlink, "name of the image"),
    CALL(fadvise64, "blocks of the image"),
    CALL(gettimeofday, "time, where there is no vDSO"),
};

static int allow_programs(int rules, int image, struct err *e)
{
    static const char *const trees[] = { "/usr", "/lib", "/lib64", "/sbin", "/etc/ld.so.cache" };
    int err = landlock_allow(rules, image,
                             LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE, e);

    for (size_t i = 0; i < array_len(trees) && !err; i++) {
        auto_fd int fd = open(trees[i], O_PATH | O_CLOEXEC);
        uint64_t access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE;

        if (fd >= 0)
            err = landlock_allow(rules, fd, access, e);
    }
    return err;
}

static int landlock(enum cage kind, int image, struct err *e)
{
    int abi = landlock_version(), err = 0;

    if (!abi) /* a reader has no call that takes a name */
        return kind == CAGE_READER ? 0 : err_set(e, EOPNOTSUPP, "this kernel has no Landlock");

    auto_fd int rules = landlock_rules(abi, LANDLOCK_EVERYTHING, e);

    if (rules < 0)
        return rules;
    if (kind == CAGE_E2FSCK)
        err = allow_programs(rules, image, e);
    return err ? err : landlock_enter(rules, e);
}

static void limit(int what, rlim_t most)
{
    const struct rlimit l = { most, most };

    (void)setrlimit(what, &l);
}

int cage_enter(enum cage kind, int image, struct err *e)
{
    static struct bpf_insn prog[BPF_INSNS_MAX];
    const struct seccomp_model model = { .otherwise = SECCOMP_RET_ERRNO | EPERM,
                                         .foreign = SECCOMP_RET_KILL_PROCESS,
                                         .rules = calls,
                                         .nrules = kind == CAGE_READER ? READER_CALLS
                                                                       : array_len(calls) };
    struct sock_fprog filter = { .filter = (struct sock_filter *)prog };
    uint32_t len = 0;
    int err = filter_compile(&model, prog, &len, e);

    if (err)
        return err;
    filter.len = (unsigned short)len;
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, CPU_S);
    if (FILTERED)
        limit(RLIMIT_AS, MEMORY_MAX);
    if (kind == CAGE_READER)
        limit(RLIMIT_FSIZE, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        return err_sys(e, "no_new_privs");
    err = landlock(kind, image, e);
    if (!err && FILTERED && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter))
        err = err_sys(e, "system call filter");
    return err;
}
