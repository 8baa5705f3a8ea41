/* dump.c - see dump.h: the half that believes nothing. */
#include "sandbox/volume/dump.h"

#include "base/fd.h"
#include "base/hex.h"
#include "base/io.h"
#include "sandbox/volume/cage.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ext4's superblock: at 1024; s_magic at 56, s_feature_incompat at 96 (Linux
 * Documentation/filesystems/ext4/super.rst). */
#define SUPER          1024
#define MAGIC_AT       56
#define MAGIC          0xef53u
#define INCOMPAT_AT    96
#define NEEDS_RECOVERY 4u

struct parse {
    int pipe;
    const struct dump_ask *ask;
    struct tree *t;
    struct err *e;
    uint64_t left; /* bytes of files that the volume can hold in all */
    uint64_t staged;
    EVP_MD_CTX *digest; /* owned */
    char buf[256 << 10];
};

static int broken(struct parse *p, const char *what)
{
    return err_set(p->e, EBADMSG, "the volume cannot be read: %s", what);
}

static int get(struct parse *p, void *buf, size_t len)
{
    ssize_t n = io_read_full(p->pipe, buf, len);

    return n == (ssize_t)len ? 0 : broken(p, "its reader gave up");
}

/* "a/b", each component a name. */
static bool path_ok(const char *path, size_t len)
{
    unsigned depth = 1;

    if (len == 0 || memchr(path, 0, len))
        return false;
    for (size_t at = 0; at <= len;) {
        const char *part = path + at;
        size_t n = strcspn(part, "/");

        if (n == 0 || n > 255 || (n == 1 && part[0] == '.') ||
            (n == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        depth++;
        at += n + 1;
    }
    return depth <= DUMP_DEPTH + 1;
}

static char *get_text(struct parse *p, uint32_t len)
{
    char *s = len < DUMP_PATH ? malloc(len + 1) : NULL;

    if (!s || get(p, s, len)) {
        free(s);
        return NULL;
    }
    s[len] = '\0';
    return s;
}

/* Keeps the bytes in the stage until it is known whether they are wanted. */
static int get_bytes(struct parse *p, struct tree_entry *x)
{
    const struct tree_entry *was = p->ask->base ? tree_find(p->ask->base, x->path) : NULL;
    uint64_t done = 0;
    unsigned char raw[32];
    uint32_t bad;
    int err = 0;

    if (x->size > p->left)
        return broken(p, "its files are more than it holds (hard links?)");
    p->left -= x->size;
    x->at = p->staged;
    EVP_DigestInit_ex(p->digest, EVP_sha256(), NULL);
    while (done < x->size && !err) {
        size_t want = sizeof(p->buf) < x->size - done ? sizeof(p->buf) : (size_t)(x->size - done);

        err = get(p, p->buf, want);
        if (err)
            return err;
        if (done == 0 && memchr(p->buf, 0, want < 8000 ? want : 8000))
            x->binary = true;
        EVP_DigestUpdate(p->digest, p->buf, want);
        err = io_write_full(p->ask->stage, p->buf, want);
        if (err)
            return err_set(p->e, -err, "keeping what the volume holds: %s", strerror(-err));
        done += want;
    }
    EVP_DigestFinal_ex(p->digest, raw, NULL);
    hex_print(x->digest, raw, sizeof(raw));
    err = get(p, &bad, sizeof(bad));
    if (err)
        return err;
    if (bad)
        x->kind = TREE_OTHER;
    if (bad || (was && tree_same(was, x))) {
        if (ftruncate(p->ask->stage, (off_t)p->staged) ||
            lseek(p->ask->stage, (off_t)p->staged, SEEK_SET) < 0)
            return err_sys(p->e, "keeping what the volume holds");
        return 0;
    }
    p->staged += x->size;
    return 0;
}

static int get_entry(struct parse *p, const struct dump_head *h)
{
    char *path = get_text(p, h->path), *link;
    struct tree_entry *x;

    if (!path)
        return broken(p, "a path");
    link = get_text(p, h->link);
    if (!link || !path_ok(path, h->path) ||
        (h->kind == TREE_LINK && (!*link || strlen(link) != h->link))) {
        free(path);
        free(link);
        return broken(p, "a path");
    }
    x = tree_add(p->t, h->kind == 'b' ? TREE_OTHER : (enum tree_kind)h->kind, path, link);
    if (!x)
        return err_set(p->e, ENOMEM, "out of memory");
    x->mode = h->mode & 07777;
    x->nlink = h->nlink;
    x->size = h->size;
    x->mtime_ns = h->mtime_ns;
    return h->kind == TREE_FILE ? get_bytes(p, x) : 0;
}

/* Two entries of one name, or one below what is no directory: no tree. */
static int check_tree(struct parse *p)
{
    struct tree *t = p->t;

    tree_sort(t);
    for (size_t i = 0; i < t->n; i++) {
        const char *slash = strrchr(t->v[i].path, '/');
        char above[DUMP_PATH];
        const struct tree_entry *dir;

        if (i && strcmp(t->v[i].path, t->v[i - 1].path) == 0)
            return broken(p, "two entries of one name");
        if (!slash)
            continue;
        memcpy(above, t->v[i].path, (size_t)(slash - t->v[i].path));
        above[slash - t->v[i].path] = '\0';
        dir = tree_find(t, above);
        if (!dir || dir->kind != TREE_DIR)
            return broken(p, "an entry in no directory");
    }
    return 0;
}

int dump_parse(int pipe, uint64_t limit, const struct dump_ask *ask, struct tree *t, struct err *e)
{
    struct parse *p = calloc(1, sizeof(*p));
    struct dump_head h;
    int err = 0;

    *t = (struct tree){ 0 };
    if (p)
        p->digest = EVP_MD_CTX_new();
    if (!p || !p->digest) {
        free(p);
        return err_set(e, ENOMEM, "out of memory");
    }
    p->pipe = pipe;
    p->ask = ask;
    p->t = t;
    p->e = e;
    p->left = limit;
    while (!err) {
        err = get(p, &h, sizeof(h));
        if (!err && (h.magic != DUMP_MAGIC || !strchr("dflobe", h.kind) || !h.kind))
            err = broken(p, "a record");
        if (!err && h.kind == 'e')
            break;
        if (!err && t->n >= DUMP_ENTRIES)
            err = broken(p, "too many entries");
        if (!err)
            err = get_entry(p, &h);
    }
    if (!err)
        err = check_tree(p);
    EVP_MD_CTX_free(p->digest);
    free(p);
    return err;
}

/* ---- the processes ---- */

static int wait_for(pid_t pid, int *status)
{
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

static _Noreturn void become_e2fsck(int image)
{
    char name[] = "e2fsck", option[] = "-E", only[] = "journal_only", yes[] = "-y", path[32],
         env_path[] = "PATH=/usr/sbin:/sbin:/usr/bin:/bin";
    char *const argv[] = { name, yes, option, only, path, NULL };
    char *const env[] = { env_path, NULL };
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    snprintf(path, sizeof(path), "/proc/self/fd/%d", 3);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
        dup2(null, 2) < 0 || (image != 3 && dup2(image, 3) < 0) || fcntl(3, F_SETFD, 0) ||
        close_range(4, ~0u, 0) || cage_enter(CAGE_E2FSCK, 3, NULL))
        _exit(126);
    execve("/usr/sbin/e2fsck", argv, env);
    execve("/sbin/e2fsck", argv, env);
    _exit(127);
}

/* As the guest's kernel would at its next mount. */
static int replay(int image, struct err *e)
{
    unsigned char super[1024];
    int status = 0, err;
    pid_t pid;

    if (io_pread_full(image, super, sizeof(super), SUPER) != sizeof(super) ||
        (super[MAGIC_AT] | super[MAGIC_AT + 1] << 8) != (int)MAGIC)
        return err_set(e, EBADMSG, "the volume holds no ext4 file system");
    if (!(super[INCOMPAT_AT] & NEEDS_RECOVERY))
        return 0;
    pid = fork();
    if (pid < 0)
        return err_sys(e, "e2fsck");
    if (pid == 0)
        become_e2fsck(image);
    err = wait_for(pid, &status);
    if (err || !WIFEXITED(status) || WEXITSTATUS(status) > 3) /* 0 to 3: mended, or nothing to */
        return err_set(e, EBADMSG, "the volume's journal cannot be replayed: e2fsck %s %d",
                       WIFEXITED(status) ? "exited with" : "was killed by signal",
                       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return 0;
}

static _Noreturn void become_reader(int image, int pipe)
{
    auto_fd int own = -1;
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", image);
    own = open(path, O_RDONLY | O_CLOEXEC); /* it cannot write to it, either */
    if (own < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) || dup2(own, 3) < 0 || dup2(pipe, 4) < 0 ||
        close_range(5, ~0u, 0) || close_range(0, 2, 0) || cage_enter(CAGE_READER, 3, NULL))
        _exit(126);
    _exit(dump_write(3, 4));
}

int dump_read(const struct dump_ask *ask, struct tree *t, struct err *e)
{
    struct stat st;
    int ends[2], status = 0, err = replay(ask->image, e);
    pid_t pid;

    *t = (struct tree){ 0 };
    if (err)
        return err;
    if (fstat(ask->image, &st) || pipe2(ends, O_CLOEXEC))
        return err_sys(e, "reading a volume");

    auto_fd int ours = ends[0];
    auto_fd int theirs = ends[1];

    pid = fork();
    if (pid < 0)
        return err_sys(e, "reading a volume");
    if (pid == 0) {
        /* Out of the way of the numbers that are about to be taken. */
        int image = fcntl(ask->image, F_DUPFD_CLOEXEC, 10);
        int pipe = fcntl(theirs, F_DUPFD_CLOEXEC, 10);

        become_reader(image, pipe);
    }
    fd_closep(&theirs);
    err = dump_parse(ours, (uint64_t)st.st_size, ask, t, e);
    fd_closep(&ours);
    if (err)
        kill(pid, SIGKILL); /* our child, not reaped: the pid is still its own */
    if (wait_for(pid, &status) || (!err && (!WIFEXITED(status) || WEXITSTATUS(status))))
        err = err_set(e, EBADMSG, "the volume cannot be read: its reader failed");
    return err;
}
