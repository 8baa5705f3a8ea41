/* changes.c - see changes.h. */
#include "sandbox/volume/changes.h"

#include "base/fd.h"
#include "base/hex.h"
#include "policies/words.h"
#include "sandbox/volume/beneath.h"
#include "sandbox/volume/fill.h"
#include "sandbox/volume/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void changes_fini(struct changes *c)
{
    free(c->v);
    *c = (struct changes){ 0 };
}

const char *change_path(const struct change *x)
{
    return x->is ? x->is->path : x->was->path;
}

static unsigned risks_of(const struct tree_entry *x)
{
    unsigned risks = 0;

    if (!x)
        return 0;
    if (x->kind == TREE_FILE && x->mode & 0111)
        risks |= REVIEW_EXECUTABLE;
    if (x->path[0] == '.' || strstr(x->path, "/."))
        risks |= REVIEW_HIDDEN;
    if (x->kind == TREE_LINK)
        risks |= REVIEW_SYMLINK;
    if (x->binary)
        risks |= REVIEW_BINARY;
    if (x->kind == TREE_FILE && x->size > REVIEW_LARGE_BYTES)
        risks |= REVIEW_LARGE;
    return risks;
}

static bool plain(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return false;
    return true;
}

static int add(struct changes *c, const struct tree_entry *was, const struct tree_entry *is)
{
    size_t room = c->room ? 2 * c->room : 64;
    struct change *v = c->n < c->room ? c->v : reallocarray(c->v, room, sizeof(*v));
    struct change *x;

    if (!v)
        return -ENOMEM;
    if (c->n == c->room)
        c->room = room;
    c->v = v;
    x = &v[c->n++];
    *x = (struct change){ .was = was, .is = is, .risks = risks_of(is) };
    x->what = !was ? CHANGE_ADDED : is ? CHANGE_CHANGED : CHANGE_DELETED;
    if (is && (is->kind == TREE_OTHER || !plain(is->path) || (is->link && !plain(is->link))))
        x->fate = CHANGE_REFUSED;
    return 0;
}

int changes_make(struct changes *c, const struct tree *was, const struct tree *is, struct err *e)
{
    size_t i = 0, k = 0;
    int err = 0;

    *c = (struct changes){ 0 };
    while (!err && (i < was->n || k < is->n)) {
        int order = i == was->n ? 1 : k == is->n ? -1 : strcmp(was->v[i].path, is->v[k].path);

        if (order < 0)
            err = add(c, &was->v[i++], NULL);
        else if (order > 0)
            err = add(c, NULL, &is->v[k++]);
        else {
            if (!tree_same(&was->v[i], &is->v[k]))
                err = add(c, &was->v[i], &is->v[k]);
            i++;
            k++;
        }
    }
    return err ? err_set(e, ENOMEM, "out of memory") : 0;
}

static bool may(struct change *x, const struct ruleset *rs, const char *path, uint64_t op)
{
    struct request q;
    struct decision d;

    request_init(&q, SPACE_FILE);
    request_text(&q, FILE_PATH, path);
    request_number(&q, FILE_OP, op);
    request_number(&q, FILE_BYTES, x->is ? x->is->size : 0);
    d = decide(rs, &q);
    if (!d.allowed) {
        x->fate = d.reason == REASON_MALFORMED ? CHANGE_REFUSED : CHANGE_DENIED;
        x->rule = d.rule;
    }
    return d.allowed;
}

/* Do denials have the same to say of what would be below it as below any other name there? */
static bool at_home(struct change *x, const struct ruleset *rs, const char *path)
{
    char other[2 * PATH_MAX];
    struct decision d;
    static const char reading[] = "/deny_read"; /* as compile_storage calls it */
    const char *slash = strrchr(path, '/');
    size_t n;

    snprintf(other, sizeof(other), "%.*s/carrel.any", (int)(slash - path), path);
    d = decide_rename(rs, other, path, true, 0, 0);
    if (d.allowed)
        return true;
    if (d.reason != REASON_DENIED || !d.rule)
        return true; /* about the other name, or about creating: asked before */
    n = strlen(d.rule->id);
    if (x->is->kind == TREE_FILE && n > sizeof(reading) - 1 &&
        strcmp(d.rule->id + n - (sizeof(reading) - 1), reading) == 0)
        return true; /* a file that may not be read may still be made */
    x->fate = CHANGE_DENIED;
    x->rule = d.rule;
    return false;
}

void changes_decide(struct changes *c, const struct ruleset *rs, const char *target)
{
    static const uint64_t ops[] = {
        [CHANGE_ADDED] = FILE_CREATE, [CHANGE_CHANGED] = FILE_WRITE, [CHANGE_DELETED] = FILE_DELETE
    };

    for (size_t i = 0; i < c->n; i++) {
        struct change *x = &c->v[i];
        char path[2 * PATH_MAX];

        if (x->fate != CHANGE_GOES)
            continue;
        if ((size_t)snprintf(path, sizeof(path), "%s/%s", strcmp(target, "/") ? target : "",
                             change_path(x)) >= sizeof(path)) {
            x->fate = CHANGE_REFUSED;
            continue;
        }
        if (!may(x, rs, path, ops[x->what]))
            continue;
        if (x->is && x->is->kind == TREE_LINK &&
            !may(x, rs, path,
                 link_inside(target, x->is->path, x->is->link) ? FILE_SYMLINK_INSIDE
                                                               : FILE_SYMLINK_OUTSIDE))
            continue;
        /* A file or link in place of a directory that rules protect things in would lead round
         * them: .git as a link, or as a pointer (F04). */
        if (x->is && x->is->kind != TREE_DIR && !at_home(x, rs, path))
            continue;
        /* What it was goes with it. */
        if (x->was && x->is && x->was->kind != x->is->kind)
            (void)may(x, rs, path, FILE_DELETE);
    }
}

/* ---- the host ---- */

static int same_digest(int fd, const struct tree_entry *x)
{
    char buf[64 << 10], hex[TREE_DIGEST];
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    unsigned char raw[32];
    ssize_t n = 0;

    if (!digest)
        return -ENOMEM;
    EVP_DigestInit_ex(digest, EVP_sha256(), NULL);
    while ((n = read(fd, buf, sizeof(buf))) > 0)
        EVP_DigestUpdate(digest, buf, (size_t)n);
    n = n < 0 ? -errno : 0;
    EVP_DigestFinal_ex(digest, raw, NULL);
    EVP_MD_CTX_free(digest);
    hex_print(hex, raw, sizeof(raw));
    return n ? (int)n : strcmp(hex, x->digest) == 0;
}

static int file_is(int dir, const char *name, const struct tree_entry *x)
{
    auto_fd int fd = beneath_open(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    struct stat st;

    if (fd < 0)
        return fd == -ENOENT || fd == -ELOOP || fd == -ENXIO ? 0 : fd;
    if (fstat(fd, &st))
        return -errno;
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != x->size ||
        !(st.st_mode & 0111) != !(x->mode & 0111))
        return 0;
    return same_digest(fd, x);
}

int change_host_is(int dirfd, const char *path, const struct tree_entry *x)
{
    const char *name;
    auto_fd int dir = beneath_parent(dirfd, path, &name);
    char link[PATH_MAX];
    struct stat st;
    ssize_t n;

    if (dir < 0) /* what is in no directory is not there */
        return dir == -ENOENT || dir == -ENOTDIR || dir == -ELOOP ? x == NULL : dir;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? x == NULL : -errno;
    if (!x)
        return 0;
    switch (x->kind) {
    case TREE_DIR: return S_ISDIR(st.st_mode);
    case TREE_FILE: return S_ISREG(st.st_mode) ? file_is(dir, name, x) : 0;
    case TREE_LINK:
        n = S_ISLNK(st.st_mode) ? readlinkat(dir, name, link, sizeof(link) - 1) : -1;
        if (n < 0)
            return 0;
        link[n] = '\0';
        return strcmp(link, x->link) == 0;
    default: return 0;
    }
}

int changes_compare(struct changes *c, int dirfd, bool force, struct err *e)
{
    for (size_t i = 0; i < c->n; i++) {
        struct change *x = &c->v[i];
        const char *path = change_path(x);
        int now;

        if (x->fate != CHANGE_GOES)
            continue;
        now = change_host_is(dirfd, path, x->is);
        if (now > 0) {
            x->fate = CHANGE_DONE;
            continue;
        }
        if (now == 0 && !force)
            now = change_host_is(dirfd, path, x->was);
        if (now < 0)
            return err_set(e, -now, "%s: %s", path, strerror(-now));
        if (!now && !force)
            x->fate = CHANGE_CONFLICT;
    }
    return 0;
}
