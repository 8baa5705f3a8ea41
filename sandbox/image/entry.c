/* entry.c - see entry.h. */
#include "sandbox/image/entry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 1024 };

struct name {
    bool dir;
    char path[];
};

/* FNV-1a, 64 bits. The table is bounded by ENTRY_COUNT_MAX; collisions made on purpose cost time in
 * the importing user's own process only. */
static uint64_t hash(const char *s, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)s[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* The slot of the first len bytes of path: filled with it, or empty. */
static struct name **slot(const struct entry_judge *j, const char *path, size_t len)
{
    size_t at = hash(path, len) & (j->room - 1);

    while (j->slots[at] && (strncmp(j->slots[at]->path, path, len) != 0 || j->slots[at]->path[len]))
        at = (at + 1) & (j->room - 1);
    return &j->slots[at];
}

static int grow(struct entry_judge *j, struct err *e)
{
    struct entry_judge bigger = *j;

    if (j->room && j->count < j->room / 2)
        return 0;
    bigger.room = j->room ? j->room * 2 : ROOM_FIRST;
    bigger.slots = calloc(bigger.room, sizeof(struct name *));
    if (!bigger.slots)
        return err_set(e, ENOMEM, "out of memory");
    for (size_t i = 0; i < j->room; i++)
        if (j->slots[i])
            *slot(&bigger, j->slots[i]->path, strlen(j->slots[i]->path)) = j->slots[i];
    free(j->slots);
    *j = bigger;
    return 0;
}

/* Adds the first len bytes of path, which are not there yet. */
static int insert(struct entry_judge *j, const char *path, size_t len, bool dir, struct err *e)
{
    uint64_t max = j->count_max ? j->count_max : ENTRY_COUNT_MAX;
    int err = grow(j, e);

    if (err)
        return err;
    if (j->count >= max)
        return err_set(e, EFBIG, "more than %llu entries", (unsigned long long)max);

    struct name *n = malloc(sizeof(*n) + len + 1);

    if (!n)
        return err_set(e, ENOMEM, "out of memory");
    n->dir = dir;
    memcpy(n->path, path, len);
    n->path[len] = '\0';
    *slot(j, path, len) = n;
    j->count++;
    return 0;
}

void entry_judge_fini(struct entry_judge *j)
{
    for (size_t i = 0; i < j->room; i++)
        free(j->slots[i]);
    free(j->slots);
    *j = (struct entry_judge){ 0 };
}

int entry_clean(const char *in, char out[ENTRY_NAME_MAX + 1], struct err *e)
{
    size_t len = 0, depth = 0;

    if (*in == '/')
        return err_set(e, EINVAL, "\"%.100s\": absolute name", in);
    while (*in) {
        size_t n = strcspn(in, "/");

        if (n == 2 && in[0] == '.' && in[1] == '.')
            return err_set(e, EINVAL, "\"..\" in a name");
        if (n > ENTRY_PART_MAX || len + n + 1 > ENTRY_NAME_MAX)
            return err_set(e, ENAMETOOLONG, "\"%.60s...\": name too long", in);
        if (n > 0 && !(n == 1 && *in == '.')) {
            if (++depth > ENTRY_DEPTH_MAX)
                return err_set(e, ENAMETOOLONG, "\"%.60s...\": more than %d directories deep", out,
                               ENTRY_DEPTH_MAX);
            if (len)
                out[len++] = '/';
            memcpy(out + len, in, n);
            len += n;
            out[len] = '\0';
        }
        in += n;
        in += *in == '/';
    }
    out[len] = '\0';
    return 0;
}

/* Makes sure that everything above path is a directory; what has not come is taken as one. */
static int check_parents(struct entry_judge *j, struct entry_name *n, struct err *e)
{
    bool all = true;

    n->missing = 0;
    for (char *p = strchr(n->path, '/'); p; p = strchr(p + 1, '/')) {
        size_t len = (size_t)(p - n->path);
        struct name *have = *slot(j, n->path, len);

        if (have && !have->dir)
            return err_set(e, EINVAL, "\"%.100s\": lies below something that is not a directory",
                           n->path);
        if (have) {
            n->missing = len;
            continue;
        }
        all = false;

        int err = insert(j, n->path, len, true, e);

        if (err)
            return err;
    }
    return all ? ENTRY_KEEP : ENTRY_KEEP_PARENTS;
}

static int check_hard(const struct entry_judge *j, const char *target, struct entry_name *n,
                      struct err *e)
{
    int err =
        target ? entry_clean(target, n->target, e) : err_set(e, EINVAL, "hard link to nothing");

    if (err)
        return err_wrap(e, "hard link \"%.60s\"", n->path);

    struct name *have = *slot(j, n->target, strlen(n->target));

    if (!have || have->dir)
        return err_set(e, EINVAL, "hard link \"%.60s\": \"%.100s\" is no file that came before it",
                       n->path, n->target);
    return 0;
}

int entry_judge(struct entry_judge *j, const char *path, enum entry_kind kind, const char *target,
                uint64_t size, struct entry_name *out, struct err *e)
{
    uint64_t max = j->bytes_max ? j->bytes_max : ENTRY_BYTES_MAX;
    int err =
        path && *path ? entry_clean(path, out->path, e) : err_set(e, EINVAL, "entry without name");

    out->target[0] = '\0';
    if (!err)
        err = grow(j, e);
    if (err)
        return err;
    if (!*out->path) { /* the root: always there, with attributes of our own */
        if (kind == ENTRY_DIR)
            return ENTRY_DROP;
        return err_set(e, EINVAL, "an entry for the root that is not a directory");
    }
    if (kind == ENTRY_OTHER) {
        j->dropped++;
        return ENTRY_DROP;
    }

    int verdict = check_parents(j, out, e);

    if (verdict < 0)
        return verdict;

    struct name *have = *slot(j, out->path, strlen(out->path));

    if (have && !(have->dir && kind == ENTRY_DIR))
        return err_set(e, EEXIST, "\"%.100s\" comes twice", out->path);
    if (kind == ENTRY_HARD)
        err = check_hard(j, target, out, e);
    if (!err && kind == ENTRY_FILE && (size > max || j->bytes > max - size))
        err = err_set(e, EFBIG, "\"%.100s\": more than %llu MiB in all", out->path,
                      (unsigned long long)max >> 20);
    if (!err && kind == ENTRY_FILE)
        j->bytes += size;
    if (!err && !have)
        err = insert(j, out->path, strlen(out->path), kind == ENTRY_DIR, e);
    return err ? err : verdict;
}
