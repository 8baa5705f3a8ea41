/* data.c - see data.h. */
#include "sandbox/image/data.h"

#include "base/fd.h"
#include "base/io.h"
#include "base/own.h"
#include "sandbox/image/image.h"
#include "sandbox/places.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { JSON_BYTES_MAX = 1 << 20 };

int data_check_name(const char *kind, const char *name, struct err *e)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789_.-";
    size_t len = strlen(name);

    if (len == 0 || len > DATA_NAME_MAX || !strchr(first, *name) || strspn(name, rest) != len)
        return err_set(
            e, EINVAL,
            "%s name \"%.64s\": must be 1 to %d of a-z 0-9 _ . - and start with a letter "
            "or digit",
            kind, name, DATA_NAME_MAX);
    return 0;
}

int data_open(const char *sub, struct err *e)
{
    auto_str char *base = places_data_dir(e);
    char path[PATH_MAX];

    if (!base)
        return e ? -e->code : -ENOENT;
    if (snprintf(path, sizeof(path), "%s%s%s", base, *sub ? "/" : "", sub) >= (int)sizeof(path))
        return err_set(e, ENAMETOOLONG, "%s: path too long", base);
    return places_open_dir(path, e);
}

int data_dir_open(struct err *e)
{
    return data_open("", e);
}

/* --- identity of a file ---------------------------------------------------------------------- */

int file_id_of(int fd, struct file_id *out, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st))
        return err_sys(e, "stat");
    *out = (struct file_id){ .bytes = (uint64_t)st.st_size,
                             .inode = st.st_ino,
                             .mtime_ns =
                                 st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec };
    return 0;
}

bool file_id_same(const struct file_id *a, const struct file_id *b)
{
    return a->bytes == b->bytes && a->inode == b->inode && a->mtime_ns == b->mtime_ns;
}

json_t *file_id_json(const struct file_id *id)
{
    return json_pack("{s:I, s:I, s:I}", "bytes", (json_int_t)id->bytes, "inode",
                     (json_int_t)id->inode, "mtime_ns", (json_int_t)id->mtime_ns);
}

int file_id_parse(const json_t *j, struct file_id *out)
{
    json_int_t bytes, inode, mtime;

    if (json_unpack((json_t *)j, "{s:I, s:I, s:I}", "bytes", &bytes, "inode", &inode, "mtime_ns",
                    &mtime) ||
        bytes < 0)
        return -EINVAL;
    *out = (struct file_id){ (uint64_t)bytes, (uint64_t)inode, mtime };
    return 0;
}

int data_known_file(int fd, const struct file_id *id, const char *what, struct err *e)
{
    struct file_id now = { 0 };
    int err = file_id_of(fd, &now, e);

    if (!err && !file_id_same(id, &now))
        err = err_set(e, ESTALE, "%s: not the file that was added, or a copy of it", what);
    return err;
}

/* --- documents ------------------------------------------------------------------------------- */

json_t *data_load_json(int dirfd, const char *path, struct err *e)
{
    size_t len;
    json_error_t why;
    auto_str char *text = io_load(dirfd, path, JSON_BYTES_MAX, &len, e);

    if (!text)
        return NULL;

    json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);

    if (!j)
        err_set(e, EINVAL, "%s:%d:%d: %s", path, why.line, why.column, why.text);
    if (j && !json_is_object(j)) {
        json_decref(j);
        j = NULL;
        err_set(e, EINVAL, "%s: not a JSON object", path);
    }
    return j;
}

int data_store_json(int dirfd, const char *path, const json_t *j, struct err *e)
{
    auto_str char *text = j ? json_dumps(j, JSON_INDENT(2) | JSON_SORT_KEYS) : NULL;

    if (!text)
        return err_set(e, ENOMEM, "%s: out of memory", path);

    size_t len = strlen(text);

    text[len] = '\n'; /* over the terminator: the length is what counts */
    return io_store(dirfd, path, text, len + 1, 0600, e);
}
