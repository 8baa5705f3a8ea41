/* programs.c - see programs.h. */
#include "guest/programs.h"

#include "base/fd.h"
#include "base/hex.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE       4096u
#define EXEC_AT    16u /* on the page at 0; not 0 itself, which is no path for execve */
#define X32        0x40000000u
#define NOEXEC     8u   /* MFD_NOEXEC_SEAL, linux/memfd.h, Linux 6.3; an older kernel says EINVAL */
#define HEAD_BYTES 256u /* BINPRM_BUF_SIZE, linux/binfmts.h */
#define PHDRS_MAX  (65536u / sizeof(Elf64_Phdr)) /* no kernel executes more, fs/binfmt_elf.c */

#define CHUNK 65536u

/* ---- what is executed ---- */

static bool is_script(int fd)
{
    char head[2];

    return pread(fd, head, sizeof(head), 0) == (ssize_t)sizeof(head) && head[0] == '#' &&
           head[1] == '!';
}

static int hash(int fd, uint8_t out[SHA256_BYTES])
{
    static uint8_t chunk[CHUNK]; /* of a process that only becomes a program */
    struct sha256 s;
    ssize_t n;

    sha256_init(&s);
    for (off_t at = 0; (n = pread(fd, chunk, sizeof(chunk), at)) != 0; at += n) {
        if (n < 0)
            return -errno;
        sha256_add(&s, chunk, (size_t)n);
    }
    sha256_end(&s, out);
    return 0;
}

static int check_content(const struct profile_program *x, int own, struct err *e)
{
    char hex[2 * SHA256_BYTES + 1];
    uint8_t is[SHA256_BYTES] = { 0 };
    int err;

    if (own < 0)
        return err_set(e, EACCES, "\"%.128s\" is pinned, and not known to be the image's", x->path);
    err = hash(own, is);
    if (err)
        return err_set(e, -err, "\"%.128s\": %s", x->path, strerror(-err));
    hex_print(hex, is, sizeof(is));
    return memcmp(is, x->sha256, sizeof(is)) == 0
               ? 0
               : err_set(e, EACCES, "\"%.96s\" is not what the policy pins: its sha256 is %s",
                         x->path, hex);
}

int programs_look(const struct profile_program *x, const struct origin *o, struct program *out,
                  struct err *e)
{
    int err = origin_open(o, x->path, out, e);

    if (!err && x->sha256)
        err = check_content(x, out->own, e);
    if (err)
        origin_close(out);
    return err;
}

/* Whoever interprets the image's program is the image's. One that is not there is for execve to
 * miss. */
static int check_interpreters(int own, const struct origin *o, struct err *e)
{
    auto_fd int fd = fcntl(own, F_DUPFD_CLOEXEC, 3);
    char path[PROGRAMS_PATH];

    for (unsigned i = 0; i < PROGRAMS_INTERPRETERS; i++) {
        struct program x;
        int err;

        programs_interpreter(fd, path);
        err = path[0] ? origin_open(o, path, &x, e) : -ENOENT;
        if (err == -ENOENT)
            return 0;
        if (!err && x.own < 0)
            err = err_set(e, EACCES, "\"%.128s\" is not the image's", path);
        if (err)
            return err_wrap(e, "its interpreter");
        fd_closep(&fd);
        fd = fd_steal(&x.own);
        origin_close(&x);
    }
    return 0;
}

int programs_check(const struct profile *p, const struct origin *o, struct program *out,
                   struct err *e)
{
    const struct profile_program x = { p->exe, p->sha256 };
    int err;

    *out = PROGRAM_NONE;
    if (!p->exe)
        return 0;
    if (!p->own && !p->sha256) {
        out->named = open(p->exe, O_PATH | O_CLOEXEC);
        return 0;
    }
    err = programs_look(&x, o, out, e);
    if (!err && out->own >= 0)
        err = check_interpreters(out->own, o, e);
    return err;
}

int programs_fix(const struct profile *p, const struct program *exe, char at[PROGRAMS_AT],
                 struct err *e)
{
    const bool script = exe->own >= 0 && is_script(exe->own);

    at[0] = '\0';
    if (exe->own < 0 || (script && !p->sha256))
        return 0;
    snprintf(at, PROGRAMS_AT, "/proc/self/fd/%d/%s", exe->dir, exe->name);
    return script && fcntl(exe->dir, F_SETFD, 0) ? err_sys(e, "the directory of a script") : 0;
}

/* ---- once ---- */

/* The page must be out of reach for who has no capability, or the filter says nothing. */
static int check_reach(struct err *e)
{
    FILE *f = fopen("/proc/sys/vm/mmap_min_addr", "re");
    char text[32] = "";
    bool out_of_reach = f && fgets(text, sizeof(text), f) && strtoul(text, NULL, 10) >= PAGE;

    if (f)
        (void)fclose(f);
    return out_of_reach ? 0
                        : err_set(e, EOPNOTSUPP, "this guest's kernel lets programs map address 0");
}

int programs_prepare(const struct profile *p, struct err *e)
{
    int err = p->once ? check_reach(e) : 0;

    if (err || !p->once)
        return err;
    return mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                0) == MAP_FAILED
               ? err_sys(e, "the page for the program's path")
               : 0;
}

int programs_exec(const struct profile *p, const char *path, char *const *argv, char *const *env)
{
    volatile uintptr_t at = EXEC_AT; /* no constant: compilers know what lies at 0 */
    char *page = (char *)at;         /* NOLINT(performance-no-int-to-ptr): as the filter has it */
    size_t len = strlen(path) + 1;

    if (p->once && len > PAGE - EXEC_AT)
        return ENAMETOOLONG;
    if (p->once)
        path = memcpy(page, path, len);
    execve(path, argv, env);
    return errno;
}

#define NR   ((uint32_t)offsetof(struct seccomp_data, nr))
#define ARCH ((uint32_t)offsetof(struct seccomp_data, arch))
/* Little-endian: the low half comes first. */
#define LOW(i)  ((uint32_t)offsetof(struct seccomp_data, args[i]))
#define HIGH(i) (LOW(i) + 4)

#define LOAD(at)        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define IF(is, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, is, yes, no)
#define ANSWER(verdict) BPF_STMT(BPF_RET | BPF_K, verdict)
#define REFUSED         (SECCOMP_RET_ERRNO | EPERM)

/* execve and execveat: x86-64 59, 322; x32 520, 545; i386 11, 358. */
static int nothing_more(const struct profile *p, struct err *e)
{
    struct sock_filter program[] = {
        LOAD(ARCH),
        IF(AUDIT_ARCH_X86_64, 0, 11),
        LOAD(NR),
        IF(59, 0, 4),
        LOAD(HIGH(0)),
        IF(0, 0, 9),
        LOAD(LOW(0)),
        IF(EXEC_AT, 8, 7),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~X32),
        IF(59, 5, 0),
        IF(322, 4, 0),
        IF(520, 3, 0),
        IF(545, 2, 3),
        LOAD(NR), /* i386 */
        IF(11, 0, 2),
        ANSWER(REFUSED),
        ANSWER(SECCOMP_RET_ALLOW),
        IF(358, 0, 1),
        ANSWER(REFUSED),
        ANSWER(SECCOMP_RET_ALLOW),
    };

    return profile_seccomp(p, program, array_len(program), e);
}

/* Landlock judges no file that has no directory: memory is none that could be executed. */
static int files_only(const struct profile *p, struct err *e)
{
    struct sock_filter program[] = {
        LOAD(ARCH),
        IF(AUDIT_ARCH_X86_64, 0, 7),
        LOAD(NR),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~X32),
        IF(319 /* memfd_create */, 0, 3),
        LOAD(LOW(1)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NOEXEC, 1, 0),
        ANSWER(REFUSED),
        ANSWER(SECCOMP_RET_ALLOW),
        LOAD(NR), /* i386 */
        IF(356, 0, 1),
        ANSWER(REFUSED),
        ANSWER(SECCOMP_RET_ALLOW),
    };

    return profile_seccomp(p, program, array_len(program), e);
}

int programs_close(const struct profile *p, struct err *e)
{
    if (p->once)
        return nothing_more(p, e);
    return p->nrun ? files_only(p, e) : 0;
}

/* ---- interpreters ---- */

/* "#! PATH ARGUMENT", as fs/binfmt_script.c reads it: not when it cannot see the path's end. */
static void of_script(const char *head, size_t have, char *out)
{
    const char *from = head + 2 + strspn(head + 2, " \t");
    size_t len = strcspn(from, " \t\n");

    if (from[0] == '/' && (from[len] || have < HEAD_BYTES - 1))
        snprintf(out, PROGRAMS_PATH, "%.*s", (int)len, from);
}

/* PT_INTERP of a 64-bit program; others are not executed at all (the filter's foreign calls). */
static void of_elf(int fd, char *out)
{
    Elf64_Ehdr h;
    Elf64_Phdr ph;

    if (pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) || h.e_ident[EI_CLASS] != ELFCLASS64 ||
        h.e_phentsize != sizeof(ph))
        return;
    for (unsigned i = 0; i < h.e_phnum && i < PHDRS_MAX; i++) {
        uint64_t at = h.e_phoff + i * sizeof(ph); /* as far as the kernel: a file may have holes */

        if (pread(fd, &ph, sizeof(ph), (off_t)at) != (ssize_t)sizeof(ph))
            return;
        if (ph.p_type != PT_INTERP)
            continue;
        if (ph.p_filesz < 2 || ph.p_filesz > PROGRAMS_PATH ||
            pread(fd, out, ph.p_filesz, (off_t)ph.p_offset) != (ssize_t)ph.p_filesz ||
            out[0] != '/')
            out[0] = '\0';
        out[ph.p_filesz <= PROGRAMS_PATH && ph.p_filesz ? ph.p_filesz - 1 : 0] = '\0';
        return;
    }
}

void programs_interpreter(int fd, char out[PROGRAMS_PATH])
{
    char head[HEAD_BYTES] = "";
    ssize_t n;

    out[0] = '\0';
    n = pread(fd, head, sizeof(head) - 1, 0);
    if (n < 4)
        return;
    if (head[0] == '#' && head[1] == '!')
        of_script(head, (size_t)n, out);
    else if (memcmp(head, ELFMAG, SELFMAG) == 0)
        of_elf(fd, out);
}
