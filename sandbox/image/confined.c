/* confined.c - see confined.h. Adding a line to the table is a security decision. */
#include "sandbox/image/confined.h"

#include "base/fd.h"
#include "base/landlock.h"
#include "sandbox/confine/compile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* A sanitizer's shadow is terabytes of address space, and it looks at signal stacks on the way out.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

/* clang-format off */
#define CALL(name, why)          { .nr = __NR_##name, .reason = (why) }
#define CALL_WITH(name, i, m, v, why) \
    { .nr = __NR_##name, .nargs = 1, .arg = { { (i), (m), (v) } }, .reason = (why) }

/* The kernel looks at 32 bits of an open's flags, so the filter does too. */
#define WRITING ((uint64_t)(O_ACCMODE | O_CREAT | O_TRUNC))

static const struct seccomp_rule calls[] = {
    CALL(read, "the archive"),
    CALL(pread64, "the archive"),
    CALL(lseek, "the archive"),
    CALL(fstat, "what a descriptor is"),
    CALL(sendto, "the stream to sqfstar, on its socket"),
    CALL(write, "the result"),
    CALL(close, "what is done with"),
    CALL(brk, "memory"),
    CALL_WITH(mmap, 2, PROT_EXEC, 0, "memory, never executable"),
    CALL_WITH(mprotect, 2, PROT_EXEC, 0, "memory, never executable"),
    CALL(mremap, "memory"),
    CALL(munmap, "memory"),
    CALL(madvise, "memory"),
    CALL(futex, "the C library's locks"),
    CALL(getrandom, "the C library's tables"),
    CALL(clock_gettime, "times of entries, where the host's vDSO has no clock"),
    CALL(getpid, "abort"),
    CALL(gettid, "abort"),
    CALL_WITH(tgkill, 2, 0xffffffff, SIGABRT, "abort"),
    CALL(rt_sigaction, "abort"),
    CALL(rt_sigprocmask, "abort"),
    CALL(rt_sigreturn, "back from a signal"),
    CALL(restart_syscall, "after a stop"),
    CALL(exit_group, "the end"),
#ifdef SANITIZED
    CALL(sigaltstack, "the sanitizer"),
#endif
};

/* Of a directory, or a layout that is one. */
static const struct seccomp_rule tree_calls[] = {
    CALL_WITH(openat, 2, WRITING, O_RDONLY, "below the directory: Landlock"),
    CALL(openat2, "blobs, beneath the directory only"),
    CALL(getdents64, "listings"),
    CALL(newfstatat, "what an entry is"),
    CALL(readlink, "symbolic links, as data"),
    CALL(readlinkat, "symbolic links, as data"),
    CALL(fstatfs, "how fts walks"),
    CALL(fcntl, "flags of descriptors"),
};
/* clang-format on */

/* --- Landlock --------------------------------------------------------------------------------- */

/* Everything that this kernel can take away, with nothing granted; -1: it has no Landlock. */
static int new_rules(void)
{
    int abi = landlock_version();

    return abi ? landlock_rules(abi, LANDLOCK_EVERYTHING, NULL) : -1;
}

static int grant_path(int rules, const char *path, uint64_t access, struct err *e)
{
    auto_fd int fd = open(path, O_PATH | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st))
        return 0; /* not there: nothing to grant */
    return landlock_allow(rules, fd,
                          S_ISDIR(st.st_mode) ? access : access & ~LANDLOCK_ACCESS_FS_READ_DIR, e);
}

/* --- the parser ------------------------------------------------------------------------------- */

int confined_prepare(struct confined *c, int dirfd, struct err *e)
{
    struct seccomp_rule rules[array_len(calls) + array_len(tree_calls)];
    struct seccomp_model m = { SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_KILL_PROCESS, rules,
                               array_len(calls) };
    int err;

    memcpy(rules, calls, sizeof(calls));
    if (dirfd >= 0) {
        memcpy(rules + m.nrules, tree_calls, sizeof(tree_calls));
        m.nrules += array_len(tree_calls);
    }
    c->rules = -1;
    err = filter_compile(&m, c->prog, &c->len, e);
    if (err)
        return err_wrap(e, "image reader");
    c->rules = new_rules();
    return c->rules >= 0 && dirfd >= 0 ? landlock_allow(c->rules, dirfd, LANDLOCK_READ_TREE, e) : 0;
}

void confined_fini(struct confined *c)
{
    fd_closep(&c->rules);
}

static int limit(int what, uint64_t most)
{
    struct rlimit now;

    if (getrlimit((__rlimit_resource_t)what, &now))
        return -errno;
    if (now.rlim_max != RLIM_INFINITY && now.rlim_max < most)
        most = now.rlim_max;
    now = (struct rlimit){ most, most };
    return setrlimit((__rlimit_resource_t)what, &now) ? -errno : 0;
}

static int limits(void)
{
    int err = limit(RLIMIT_CPU, CONFINED_SECONDS);

    if (!err)
        err = limit(RLIMIT_FSIZE, 0);
    if (!err)
        err = limit(RLIMIT_CORE, 0);
    if (!err)
        err = limit(RLIMIT_NPROC, 0);
#ifndef SANITIZED
    if (!err)
        err = limit(RLIMIT_AS, CONFINED_MEMORY);
#endif
    return err;
}

int confined_enter(const struct confined *c, struct err *e)
{
    const struct sock_fprog filter = { (unsigned short)c->len, (struct sock_filter *)c->prog };
    int err = limits();

    if (err)
        return err_set(e, -err, "image reader: limits: %s", strerror(-err));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        return err_sys(e, "image reader");
    if (c->rules >= 0 && landlock_enter(c->rules, e))
        return err_wrap(e, "image reader");
    if (c->rules >= 0)
        close(c->rules);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter))
        return err_sys(e, "image reader: seccomp");
    return 0;
}

/* --- sqfstar ---------------------------------------------------------------------------------- */

/* Where programs and their libraries are. */
static int grant_programs(int rules, struct err *e)
{
    static const char *const places[] = { "/usr",   "/bin",       "/sbin",     "/lib",
                                          "/lib64", "/nix/store", "/gnu/store" };
    static const char *const files[] = { "/etc/ld.so.cache", "/sys/devices/system/cpu/online" };
    const char *path = getenv("PATH");
    int err = 0;

    for (size_t i = 0; i < array_len(places) && !err; i++)
        err = grant_path(rules, places[i], LANDLOCK_READ_TREE | LANDLOCK_ACCESS_FS_EXECUTE, e);
    for (size_t i = 0; i < array_len(files) && !err; i++)
        err = grant_path(rules, files[i], LANDLOCK_ACCESS_FS_READ_FILE, e);
    while (path && *path && !err) {
        size_t len = strcspn(path, ":");
        char dir[4096];

        snprintf(dir, sizeof(dir), "%.*s", (int)len, path);
        if (*dir == '/' && dir[strspn(dir, "/")]) /* not the root, which is everything */
            err = grant_path(rules, dir, LANDLOCK_READ_TREE | LANDLOCK_ACCESS_FS_EXECUTE, e);
        path += len + (path[len] == ':');
    }
    return err ? err
               : grant_path(rules, "/dev/null", LANDLOCK_READ_TREE | LANDLOCK_ACCESS_FS_WRITE_FILE,
                            e);
}

int confined_tool_prepare(struct confined_tool *c, const char *path, uint64_t bytes, struct err *e)
{
    const char *slash = strrchr(path, '/');
    char dir[4096];

    *c = (struct confined_tool){ .rules = new_rules(), .bytes = bytes };
    if (c->rules < 0)
        return 0;
    snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + (slash == path) : 1,
             slash ? path : ".");

    int err = grant_programs(c->rules, e);

    return err ? err
               : grant_path(c->rules, dir,
                            LANDLOCK_READ_TREE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE,
                            e);
}

int confined_tool_enter(const struct confined_tool *c)
{
    int err = limit(RLIMIT_FSIZE, c->bytes);

    if (!err)
        err = limit(RLIMIT_CORE, 0);
    if (!err && c->rules >= 0 &&
        (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || landlock_enter(c->rules, NULL)))
        err = -errno;
    return err;
}

void confined_tool_fini(struct confined_tool *c)
{
    fd_closep(&c->rules);
}
