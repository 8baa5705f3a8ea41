/* fill.c - see fill.h. */
#include "sandbox/volume/fill.h"

#include "base/fd.h"
#include "base/hex.h"
#include "base/own.h"
#include "policies/words.h"
#include "sandbox/volume/beneath.h"
#include "sandbox/volume/inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX 126u /* of a path that decide knows */

struct walk {
    struct fill_ask *ask;
    struct err *e;
    size_t root;             /* length of path that is the mount's target */
    char path[2 * PATH_MAX]; /* in the guest */
    EVP_MD_CTX *digest;      /* owned */
    char buf[256 << 10];
};

const char *fill_why(enum fill_why why)
{
    static const char *const text[FILL_WHYS] = {
        [FILL_DENIED] = "the policy denies reading it",
        [FILL_LINK] = "a symbolic link that storage.mounts.links leaves out",
        [FILL_KIND] = "neither file, directory nor link",
        [FILL_SETUID] = "without its set-user-ID and set-group-ID bits",
        [FILL_NAME] = "no rule can speak of its name",
        [FILL_UNREADABLE] = "it cannot be read",
        [FILL_GONE] = "it vanished meanwhile",
        [FILL_CHANGED] = "it changed while it was read",
    };

    return text[why];
}

static const char *below(const struct walk *w)
{
    return w->path[w->root] ? w->path + w->root + 1 : "";
}

static void leave_out(struct walk *w, enum fill_why why, const struct rule *rule)
{
    if (w->ask->left_out)
        w->ask->left_out(w->ask->arg, why, below(w), rule);
}

/* May it be read? A name that is none is nobody's. */
static bool allowed(struct walk *w)
{
    struct request q;
    struct decision d;

    request_init(&q, SPACE_FILE);
    request_text(&q, FILE_PATH, w->path);
    request_number(&q, FILE_OP, FILE_READ);
    d = decide(w->ask->rules, &q);
    if (!d.allowed)
        leave_out(w, d.reason == REASON_MALFORMED ? FILL_NAME : FILL_DENIED, d.rule);
    return d.allowed;
}

/* 0 when the entry is left out with this reason, else the error. */
static int skip_or_fail(struct walk *w, int err)
{
    switch (-err) {
    case ENOENT:
    case ELOOP:
    case ENOTDIR:
    case EXDEV:
    case ENXIO:
    case ESTALE: leave_out(w, FILL_GONE, NULL); return 0;
    case EACCES:
    case EPERM: leave_out(w, FILL_UNREADABLE, NULL); return 0;
    default: return err_set(w->e, -err, "%s: %s", below(w), strerror(-err));
    }
}

static int64_t ns_of(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct ext4_attr attr_of(const struct walk *w, const struct stat *st)
{
    return (struct ext4_attr){ .mode = st->st_mode & 0777,
                               .uid = w->ask->uid,
                               .mtime_ns = ns_of(st->st_mtim) };
}

static struct tree_entry *note(struct walk *w, enum tree_kind kind, const struct stat *st,
                               char *link)
{
    struct tree_entry *x = tree_add(w->ask->tree, kind, strdup(below(w)), link);

    if (!x) {
        err_set(w->e, ENOMEM, "out of memory");
        return NULL;
    }
    x->mode = st->st_mode & 0777;
    x->size = kind == TREE_FILE ? (uint64_t)st->st_size : 0;
    x->mtime_ns = ns_of(st->st_mtim);
    return x;
}

/* Its bytes, until the size it had when it was opened: what is appended meanwhile could go on for
 * ever. */
static int copy_bytes(struct walk *w, int fd, uint64_t size, uint64_t *copied)
{
    *copied = 0;
    while (*copied < size) {
        size_t want = sizeof(w->buf) < size - *copied ? sizeof(w->buf) : (size_t)(size - *copied);
        ssize_t n = read(fd, w->buf, want);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(w->e, "%s", below(w));
        if (n == 0)
            break; /* F08: it became shorter */
        EVP_DigestUpdate(w->digest, w->buf, (size_t)n);

        int err = ext4_write(w->ask->volume, w->buf, (size_t)n, w->e);

        if (err)
            return err;
        *copied += (uint64_t)n;
    }
    return 0;
}

static void hex_of(EVP_MD_CTX *digest, char out[TREE_DIGEST])
{
    unsigned char raw[32];

    EVP_DigestFinal_ex(digest, raw, NULL);
    hex_print(out, raw, sizeof(raw));
}

static int fill_file(struct walk *w, int dir, const char *name, uint32_t parent)
{
    auto_fd int fd = beneath_open(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    struct tree_entry *x;
    struct stat st, after;
    uint64_t copied;
    int err;

    if (fd < 0)
        return skip_or_fail(w, fd);
    if (fstat(fd, &st))
        return err_sys(w->e, "%s", below(w));
    if (!S_ISREG(st.st_mode)) { /* swapped since it was looked at */
        leave_out(w, FILL_GONE, NULL);
        return 0;
    }

    const struct ext4_attr a = attr_of(w, &st);

    if (st.st_mode & (S_ISUID | S_ISGID) && !w->ask->setuid)
        leave_out(w, FILL_SETUID, NULL);
    EVP_DigestInit_ex(w->digest, EVP_sha256(), NULL);
    err = ext4_create(w->ask->volume, parent, name, &a, w->e);
    if (!err)
        err = copy_bytes(w, fd, (uint64_t)st.st_size, &copied);
    if (!err)
        err = ext4_finish(w->ask->volume, w->e);
    if (err)
        return err;
    if (fstat(fd, &after) || copied != (uint64_t)st.st_size ||
        ns_of(after.st_ctim) != ns_of(st.st_ctim))
        leave_out(w, FILL_CHANGED, NULL);
    x = note(w, TREE_FILE, &st, NULL);
    if (!x)
        return -ENOMEM;
    x->size = copied;
    hex_of(w->digest, x->digest);
    w->ask->files++;
    w->ask->bytes += copied;
    return 0;
}

static int fill_link(struct walk *w, int dir, const char *name, const struct stat *st,
                     uint32_t parent)
{
    const struct ext4_attr a = attr_of(w, st);
    char text[PATH_MAX], *copy;
    ssize_t n = readlinkat(dir, name, text, sizeof(text) - 1);
    bool speakable = true;
    int err;

    if (n < 0)
        return skip_or_fail(w, errno == EINVAL ? -ENOENT : -errno);
    text[n] = '\0';
    for (ssize_t i = 0; i < n; i++)
        speakable = speakable && (unsigned char)text[i] >= 0x20 && text[i] != 0x7f;
    if (n == 0 || !speakable || n >= (ssize_t)EXT4_BLOCK - 1 || w->ask->symlinks == SYMLINK_DENY ||
        (w->ask->symlinks == SYMLINK_INSIDE && !link_inside(w->ask->target, below(w), text))) {
        leave_out(w, FILL_LINK, NULL);
        return 0;
    }
    err = ext4_link(w->ask->volume, parent, name, text, &a, w->e);
    if (err)
        return err;
    copy = strdup(text);
    return copy && note(w, TREE_LINK, st, copy) ? 0 : err_set(w->e, ENOMEM, "out of memory");
}

static int fill_dir(struct walk *w, int dir, uint32_t parent, unsigned depth);

/* The depth is limited. NOLINTNEXTLINE(misc-no-recursion) */
static int fill_entry(struct walk *w, int dir, const char *name, uint32_t parent, unsigned depth)
{
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
        return skip_or_fail(w, -errno);
    if (S_ISREG(st.st_mode))
        return fill_file(w, dir, name, parent);
    if (S_ISLNK(st.st_mode))
        return fill_link(w, dir, name, &st, parent);
    if (!S_ISDIR(st.st_mode)) {
        leave_out(w, FILL_KIND, NULL);
        return 0;
    }
    if (depth >= DEPTH_MAX) {
        leave_out(w, FILL_NAME, NULL);
        return 0;
    }

    auto_fd int fd = beneath_open(dir, name, O_RDONLY | O_DIRECTORY, 0);
    struct ext4_attr a;
    uint32_t made;
    int err;

    if (fd < 0)
        return skip_or_fail(w, fd);
    if (fstat(fd, &st))
        return err_sys(w->e, "%s", below(w));
    a = attr_of(w, &st);
    err = ext4_mkdir(w->ask->volume, parent, name, &a, &made, w->e);
    if (err)
        return err;
    return note(w, TREE_DIR, &st, NULL) ? fill_dir(w, fd, made, depth + 1) : -ENOMEM;
}

struct names {
    char **v; /* owned, each too */
    size_t n, room;
};

static void names_fini(struct names *l)
{
    while (l->n)
        free(l->v[--l->n]);
    free(l->v);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All at once and sorted: a name that is moved while a directory is read can come twice. */
static int list_dir(struct walk *w, int dir, struct names *l)
{
    auto_fd int own = beneath_open(dir, ".", O_RDONLY | O_DIRECTORY, 0); /* its own position */
    auto_dir DIR *d = own < 0 ? NULL : fdopendir(own);
    const struct dirent *de;

    if (own < 0)
        return skip_or_fail(w, own);
    if (!d)
        return err_sys(w->e, "%s", below(w));
    (void)!fd_steal(&own); /* closedir closes it */
    while (errno = 0, (de = readdir(d))) {
        if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
            continue;
        if (l->n == l->room) {
            size_t room = l->room ? 2 * l->room : 64;
            char **v = reallocarray(l->v, room, sizeof(*v));

            if (!v)
                return err_set(w->e, ENOMEM, "out of memory");
            l->room = room;
            l->v = v;
        }
        l->v[l->n] = strdup(de->d_name);
        if (!l->v[l->n++])
            return err_set(w->e, ENOMEM, "out of memory");
    }
    if (errno && errno != ENOENT)
        return err_sys(w->e, "%s", below(w));
    if (l->n)
        qsort(l->v, l->n, sizeof(*l->v), by_name);
    return 0;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static int fill_dir(struct walk *w, int dir, uint32_t parent, unsigned depth)
{
    cleanup_with(names_fini) struct names l = { 0 };
    size_t len = strlen(w->path), at = len == 1 ? 0 : len; /* the root's own slash */
    int err = list_dir(w, dir, &l);

    for (size_t i = 0; i < l.n && !err; i++) {
        if (i && strcmp(l.v[i], l.v[i - 1]) == 0)
            continue;
        if ((size_t)snprintf(w->path + at, sizeof(w->path) - at, "/%s", l.v[i]) >=
                sizeof(w->path) - at ||
            strlen(w->path) >= PATH_MAX)
            leave_out(w, FILL_NAME, NULL);
        else if (allowed(w))
            err = fill_entry(w, dir, l.v[i], parent, depth);
        w->path[len] = '\0';
    }
    return err;
}

int fill(struct fill_ask *ask, struct err *e)
{
    struct walk *w = calloc(1, sizeof(*w));
    int err;

    if (w)
        w->digest = EVP_MD_CTX_new();
    if (!w || !w->digest) {
        free(w);
        return err_set(e, ENOMEM, "out of memory");
    }
    w->ask = ask;
    w->e = e;
    ask->files = ask->bytes = 0;
    snprintf(w->path, sizeof(w->path), "%s", ask->target);
    w->root = strcmp(w->path, "/") == 0 ? 0 : strlen(w->path);
    err = fill_dir(w, ask->source, EXT4_ROOT, 0);
    tree_sort(ask->tree);
    EVP_MD_CTX_free(w->digest);
    free(w);
    return err;
}
