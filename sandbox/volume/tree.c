/* tree.c - see tree.h. */
#include "sandbox/volume/tree.h"

#include "base/io.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (1u << 30)
#define HEAD     "carrel tree 1\n"

void tree_fini(struct tree *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->v[i].path);
        free(t->v[i].link);
    }
    free(t->v);
    *t = (struct tree){ 0 };
}

struct tree_entry *tree_add(struct tree *t, enum tree_kind kind, char *path, char *link)
{
    size_t room = t->room ? t->room * 2 : 64;
    struct tree_entry *v = t->n < t->room ? t->v : reallocarray(t->v, room, sizeof(*v));

    if (!v || !path) {
        free(path);
        free(link);
        return NULL;
    }
    if (t->n == t->room)
        t->room = room;
    t->v = v;
    v[t->n] = (struct tree_entry){ .kind = kind, .path = path, .link = link, .nlink = 1 };
    return &v[t->n++];
}

static int by_path(const void *a, const void *b)
{
    const struct tree_entry *x = a, *y = b;

    return strcmp(x->path, y->path);
}

void tree_sort(struct tree *t)
{
    if (t->n)
        qsort(t->v, t->n, sizeof(*t->v), by_path);
}

const struct tree_entry *tree_find(const struct tree *t, const char *path)
{
    const struct tree_entry key = { .path = (char *)path };

    return t->n ? bsearch(&key, t->v, t->n, sizeof(*t->v), by_path) : NULL;
}

bool tree_same(const struct tree_entry *a, const struct tree_entry *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case TREE_FILE:
        return a->size == b->size && (a->mode & 0111) == (b->mode & 0111) &&
               strcmp(a->digest, b->digest) == 0;
    case TREE_LINK: return strcmp(a->link, b->link) == 0;
    default: return true;
    }
}

int tree_save(const struct tree *t, int dirfd, const char *file, struct err *e)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    int err = 0;

    if (!f)
        return err_set(e, ENOMEM, "out of memory");
    fputs(HEAD, f);
    for (size_t i = 0; i < t->n; i++) {
        const struct tree_entry *x = &t->v[i];

        fprintf(f, "%c %o %" PRIu64 " %" PRId64 " %s\t%s\t%s\n", (char)x->kind, x->mode, x->size,
                x->mtime_ns, *x->digest ? x->digest : "-", x->path, x->link ? x->link : "");
    }
    if (ferror(f))
        err = -ENOMEM;
    if (fclose(f) || err)
        err = err_set(e, ENOMEM, "out of memory");
    else
        err = io_store(dirfd, file, text, len, 0600, e);
    free(text);
    return err;
}

/* One line without its end. */
static int parse_line(struct tree *t, char *line)
{
    char *path = strchr(line, '\t'), *link = path ? strchr(path + 1, '\t') : NULL;
    struct tree_entry *x;
    unsigned long long mode, size;
    long long mtime;
    char *at = line;
    size_t hex;

    if (!link || !line[0] || !strchr("dfl", line[0]) || line[1] != ' ')
        return -EBADMSG;
    *path++ = *link++ = '\0';
    errno = 0;
    mode = strtoull(line + 2, &at, 8);
    size = strtoull(at, &at, 10);
    mtime = strtoll(at, &at, 10);
    at += *at == ' ';
    hex = strspn(at, "0123456789abcdef");
    if (errno || mode > 07777 || !*path || (strcmp(at, "-") != 0 && (hex != 64 || at[hex])))
        return -EBADMSG;
    x = tree_add(t, (enum tree_kind)line[0], strdup(path), strdup(link));
    if (!x || !x->link)
        return -ENOMEM;
    x->mode = (unsigned)mode;
    x->size = size;
    x->mtime_ns = mtime;
    if (hex)
        memcpy(x->digest, at, hex + 1);
    return 0;
}

int tree_load(struct tree *t, int dirfd, const char *file, struct err *e)
{
    size_t len;
    char *text, *p, *nl;
    int err;

    *t = (struct tree){ 0 };
    text = io_load(dirfd, file, FILE_MAX, &len, e);
    if (!text)
        return e && e->code ? -e->code : -EIO;
    err = len < strlen(HEAD) || memcmp(text, HEAD, strlen(HEAD)) != 0 || memchr(text, 0, len) ||
                  text[len - 1] != '\n'
              ? -EBADMSG
              : 0;
    for (p = text + strlen(HEAD); !err && p < text + len; p = nl + 1) {
        nl = memchr(p, '\n', (size_t)(text + len - p));
        *nl = '\0';
        err = parse_line(t, p);
    }
    free(text);
    if (err)
        return err_set(e, -err, "%s: %s", file,
                       err == -EBADMSG ? "not what was written" : strerror(-err));
    tree_sort(t);
    return 0;
}
