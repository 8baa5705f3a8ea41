/*
 * landlock.c - a command's view of the file system: see profile.h.
 *
 * What a kernel does not know yet (base/landlock.h): before ABI 2 no file moves or is linked
 * between directories, before 3 a filter of our own refuses truncate(2), before 5 an open device
 * takes any ioctl.
 */
#include "guest/programs.h"

#include "base/fd.h"
#include "base/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXECUTE LANDLOCK_ACCESS_FS_EXECUTE
#define OF_FILES                                                              \
    (EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | \
     LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV)

/* Of the rights of an ABI, those to change a tree. */
#define NOT_TO_CHANGE \
    (uint64_t)(EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK)
#define MAY_USE (LANDLOCK_READ_TREE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_IOCTL_DEV)

/* What any program needs, and every profile with trees therefore has. */
static const struct {
    const char *path;
    uint64_t rights;
} implied[] = {
    { "/dev/null", MAY_USE },   { "/dev/zero", MAY_USE },    { "/dev/full", MAY_USE },
    { "/dev/random", MAY_USE }, { "/dev/urandom", MAY_USE }, { "/dev/tty", MAY_USE },
    { "/dev/ptmx", MAY_USE },   { "/dev/pts", MAY_USE },     { "/proc", LANDLOCK_READ_TREE },
};

static int allow(int ruleset, const char *path, uint64_t rights, bool links, struct err *e)
{
    struct open_how how = { .flags = O_PATH | O_CLOEXEC,
                            .resolve = links ? 0 : RESOLVE_NO_SYMLINKS };
    auto_fd int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
    struct stat st;

    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 && errno == ELOOP && !links)
        return err_set(e, ELOOP, "a tree to be changed, \"%.128s\", lies behind a symbolic link",
                       path);
    if (fd < 0 || fstat(fd, &st))
        return err_sys(e, "tree \"%.128s\"", path);
    if (!S_ISDIR(st.st_mode))
        rights &= OF_FILES;
    return landlock_allow(ruleset, fd, rights, e) ? err_wrap(e, "\"%.128s\"", path) : 0;
}

/* ---- programs ---- */

/* One file. What executes it goes to interpreter, "" for none: that is executed too, by the
 * kernel's own rules. */
static int allow_file(int ruleset, int fd, char interpreter[PROGRAMS_PATH], struct err *e)
{
    auto_fd int file = fd < 0 ? -1 : origin_read(fd);

    interpreter[0] = '\0';
    if (file < 0) /* nothing is there to be executed */
        return 0;
    programs_interpreter(file, interpreter);
    return landlock_allow(ruleset, fd, EXECUTE, e);
}

static int allow_program(int ruleset, int fd, struct err *e)
{
    char next[PROGRAMS_PATH];
    int err = allow_file(ruleset, fd, next, e);

    for (unsigned i = 0; i < PROGRAMS_INTERPRETERS && next[0] && !err; i++) {
        auto_fd int of = open(next, O_PATH | O_CLOEXEC);

        err = allow_file(ruleset, of, next, e);
    }
    return err;
}

static int allow_tree_of_programs(int ruleset, const char *pattern, size_t len, struct err *e)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%.*s", (int)len, pattern);
    return allow(ruleset, path, EXECUTE, true, e);
}

/* * and ? of the host's patterns mean here what they mean there, but for names with a dot in front;
 * its other characters mean themselves. */
static int allow_pattern(int ruleset, const char *pattern, struct err *e)
{
    char quoted[2 * PATH_MAX];
    size_t n = 0;
    glob_t found;
    int err = 0;

    for (const char *p = pattern; *p && n + 2 < sizeof(quoted); p++) {
        if (*p == '[' || *p == '\\')
            quoted[n++] = '\\';
        quoted[n++] = *p;
    }
    quoted[n] = '\0';
    if (glob(quoted, GLOB_NOSORT, NULL, &found))
        return 0; /* none, or none that can be seen */
    for (size_t i = 0; i < found.gl_pathc && !err; i++) {
        auto_fd int fd = open(found.gl_pathv[i], O_PATH | O_CLOEXEC);

        err = allow_program(ruleset, fd, e);
    }
    globfree(&found);
    return err;
}

/* Who replaced it is not who was meant. The rule is about the file that was looked at. */
static int allow_named(int ruleset, const struct profile_program *x, const struct origin *o,
                       struct err *e)
{
    struct program found;
    int err = programs_look(x, o, &found, NULL) ? 0 : allow_program(ruleset, found.named, e);

    origin_close(&found);
    return err;
}

static int allow_listed(int ruleset, const struct profile_program *x, const struct origin *o,
                        struct err *e)
{
    size_t len = strlen(x->path);

    if (len > 3 && strcmp(x->path + len - 3, "/**") == 0 && !memchr(x->path, '?', len) &&
        !memchr(x->path, '*', len - 2))
        return allow_tree_of_programs(ruleset, x->path, len - 3, e);
    if (strpbrk(x->path, "*?"))
        return allow_pattern(ruleset, x->path, e);
    return allow_named(ruleset, x, o, e);
}

/* The program itself is executed as the image's file, where it is that; what the command starts
 * later has the names that the root gives it. */
static int allow_programs(int ruleset, const struct profile *p, const struct origin *o,
                          const struct program *exe, struct err *e)
{
    int err = exe->own >= 0
                  ? landlock_allow(ruleset, exe->own, EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE, e)
                  : 0;

    if (!err && p->nrun)
        err = allow_program(ruleset, exe->named, e);
    for (unsigned i = 0; i < p->nrun && !err; i++)
        if (!p->exe || strcmp(p->run[i].path, p->exe) != 0)
            err = allow_listed(ruleset, &p->run[i], o, e);
    return err;
}

/* ---- the rule set ---- */

int landlock_make(const struct profile *p, const struct origin *o, const struct program *exe,
                  int *ruleset, struct err *e)
{
    const uint64_t execute = p->nrun ? 0 : EXECUTE;
    int abi, err = 0;
    uint64_t all;

    *ruleset = -1;
    if (p->nro + p->nrw == 0)
        return 0;
    abi = landlock_version();
    if (!abi)
        return p->loose ? 0 : err_set(e, EOPNOTSUPP, "this guest's kernel has no Landlock");
    all = landlock_rights(abi);

    auto_fd int fd = landlock_rules(abi, LANDLOCK_FILES, e);

    if (fd < 0)
        return fd;
    for (unsigned i = 0; i < array_len(implied) && !err; i++)
        err = allow(fd, implied[i].path, implied[i].rights & all, true, e);
    for (unsigned i = 0; i < p->nro && !err; i++)
        err = allow(fd, p->ro[i], LANDLOCK_READ_TREE | execute, true, e);
    for (unsigned i = 0; i < p->nrw && !err; i++)
        err = allow(fd, p->rw[i], (all & ~NOT_TO_CHANGE) | execute, false, e);
    if (!err)
        err = allow_programs(fd, p, o, exe, e);
    if (!err)
        *ruleset = fd_steal(&fd);
    return err;
}

/* truncate(2) changes a file by its name and no ABI before 3 asks: nobody may, then. */
static int close_truncate(const struct profile *p, struct err *e)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~0x40000000u), /* x32 */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 76, 3, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)), /* i386 */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 92, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 193, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };

    return profile_seccomp(p, program, array_len(program), e);
}

int landlock_apply(const struct profile *p, int ruleset, struct err *e)
{
    int err = ruleset < 0 ? 0 : landlock_enter(ruleset, e);

    return !err && ruleset >= 0 && landlock_version() < 3 ? close_truncate(p, e) : err;
}
