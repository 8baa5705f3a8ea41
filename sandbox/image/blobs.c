/* blobs.c - see blobs.h. */
#include "sandbox/image/blobs.h"

#include "base/fd.h"
#include "base/io.h"
#include "sandbox/image/data.h"
#include "sandbox/image/entry.h"

#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { LINKS_MAX = 8 };

static void archive_freep(struct archive **a)
{
    if (*a)
        archive_read_free(*a);
}

static void entry_freep(struct archive_entry **en)
{
    if (*en)
        archive_entry_free(*en);
}

/* --- members of a tar ------------------------------------------------------------------------- */

/* docker save | gzip, and what else tools pack layouts with. */
static struct archive *open_tar(int fd, struct blob_file *f, struct err *e)
{
    struct archive *a = archive_read_new();

    if (!a || archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
        archive_read_support_filter_zstd(a) != ARCHIVE_OK ||
        archive_read_support_filter_xz(a) != ARCHIVE_OK ||
        archive_read_support_filter_bzip2(a) != ARCHIVE_OK ||
        archive_read_support_format_tar(a) != ARCHIVE_OK) {
        err_set(e, ENOTSUP, "this libarchive cannot read tar files");
        archive_freep(&a);
        return NULL;
    }
    if (blob_file_open(a, f, fd, e)) {
        archive_freep(&a);
        return NULL;
    }
    return a;
}

/* 1, 0 at the end, negative. */
static int next_member(struct archive *a, struct archive_entry *en, struct err *e)
{
    int got = archive_read_next_header2(a, en);

    if (got == ARCHIVE_EOF)
        return 0;
    if (got < ARCHIVE_WARN)
        return err_set(e, EINVAL, "%s",
                       archive_error_string(a) ? archive_error_string(a) : "cannot be read");
    if (archive_filter_count(a) > 2)
        return err_set(e, EINVAL, "compressed more than once");
    if (blobs_is_bomb((uint64_t)archive_filter_bytes(a, -1), (uint64_t)archive_filter_bytes(a, 0)))
        return err_set(e, EFBIG, "compressed more than %d:1: a bomb", BLOBS_RATIO);
    return 1;
}

/* Whether a file system could not begin like this: names that layouts and docker archives have. */
static bool is_layout_name(const char *name)
{
    static const char *const names[] = { "oci-layout", "index.json", "manifest.json",
                                         "repositories", "blobs" };
    size_t len = strcspn(name, "/");

    for (size_t i = 0; i < array_len(names); i++)
        if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
            return true;
    if (strncmp(name, "sha256:", 7) == 0)
        name += 7;
    return strspn(name, "0123456789abcdef") == DIGEST_HEX;
}

static int keep_member(struct blobs *b, struct archive_entry *en, uint32_t seq, const char *name,
                       struct err *e)
{
    const char *link = archive_entry_hardlink(en);
    const char *soft = archive_entry_symlink(en);
    struct blobs_member *grown, *m;
    char to[2 * ENTRY_NAME_MAX];

    if (b->nmembers == BLOBS_MEMBERS_MAX)
        return err_set(e, EFBIG, "an image layout of more than %d files", BLOBS_MEMBERS_MAX);
    /* docker save names a layer that comes again "../ID/layer.tar", from its directory. */
    if (!link && soft) {
        const char *slash = strrchr(name, '/');
        int above = slash ? (int)(slash - name) : 0;

        if (strncmp(soft, "../", 3) == 0) {
            soft += 3;
            while (above > 0 && name[above - 1] != '/')
                above--;
        } else if (above) {
            above++;
        }
        if (snprintf(to, sizeof(to), "%.*s%s", above, name, soft) >= (int)sizeof(to))
            return err_set(e, ENAMETOOLONG, "\"%.100s\": leads to a name too long", name);
        link = to;
    }
    grown = reallocarray(b->members, b->nmembers + 1, sizeof(*grown));
    if (!grown)
        return err_set(e, ENOMEM, "out of memory");
    b->members = grown;
    m = &grown[b->nmembers++];
    *m = (struct blobs_member){ .name = strdup(name),
                                .link = link ? strdup(link) : NULL,
                                .bytes = (uint64_t)archive_entry_size(en),
                                .seq = seq };
    return m->name && (m->link || !link) ? 0 : err_set(e, ENOMEM, "out of memory");
}

static const struct blobs_member *member(const struct blobs *b, const char *name)
{
    for (size_t i = 0; i < b->nmembers; i++)
        if (strcmp(b->members[i].name, name) == 0)
            return &b->members[i];
    return NULL;
}

/* 1, or 0 at the first name that no layout has. */
static int list_members(struct blobs *b, struct archive *a, struct archive_entry *en, struct err *e)
{
    uint32_t seq = 0;
    int got;

    for (; (got = next_member(a, en, e)) > 0; seq++) {
        const char *path = archive_entry_pathname(en);
        char name[ENTRY_NAME_MAX + 1];
        mode_t type = archive_entry_filetype(en);
        bool link = archive_entry_hardlink(en) || type == AE_IFLNK;

        if (!path || entry_clean(path, name, NULL) || (*name && !is_layout_name(name)))
            return 0;
        if (type == AE_IFDIR || (type != AE_IFREG && !link))
            continue;
        if (member(b, name))
            return err_set(e, EEXIST, "\"%.100s\" comes twice", name);

        int err = keep_member(b, en, seq, name, e);

        if (err)
            return err;
    }
    return got < 0 ? got : b->nmembers > 0;
}

static int open_members(struct blobs *b, struct err *e)
{
    struct err why = ERR_INIT;
    cleanup_with(blob_file_freep) struct blob_file *f = blob_file_new();
    cleanup_with(entry_freep) struct archive_entry *en = archive_entry_new();
    cleanup_with(archive_freep) struct archive *a = f ? open_tar(b->fd, f, &why) : NULL;
    int got;

    if (!f || !en)
        return err_set(e, ENOMEM, "out of memory");
    got = a ? list_members(b, a, en, &why) : -why.code;
    /* No tar file at all, or a broken one: whoever reads it as a file system says what is wrong. */
    if (got == -EINVAL && b->nmembers == 0)
        return 0;
    return got < 0 ? err_set(e, why.code, "%s", why.msg) : got;
}

int blobs_open(struct blobs *b, int fd, bool dir, struct err *e)
{
    int err;

    *b = (struct blobs){ .fd = fd, .dir = dir };
    if (dir)
        return blobs_have(b, "oci-layout") && blobs_have(b, "index.json");
    err = open_members(b, e);
    return err > 0 ? blobs_have(b, "index.json") || blobs_have(b, "manifest.json") : err;
}

void blobs_fini(struct blobs *b)
{
    for (size_t i = 0; i < b->nmembers; i++) {
        free(b->members[i].name);
        free(b->members[i].link);
    }
    free(b->members);
    *b = (struct blobs){ .fd = -1 };
}

/* --- one blob --------------------------------------------------------------------------------- */

static int open_beneath(int dir, const char *name)
{
    const struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                                  .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };

    return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

bool blobs_have(const struct blobs *b, const char *name)
{
    if (!b->dir)
        return member(b, name);

    auto_fd int fd = open_beneath(b->fd, name);

    return fd >= 0;
}

/* Follows links; NULL: leads nowhere. */
static const struct blobs_member *resolve(const struct blobs *b, const char *name)
{
    char clean[ENTRY_NAME_MAX + 1];

    for (int i = 0; i < LINKS_MAX; i++) {
        const struct blobs_member *m = entry_clean(name, clean, NULL) ? NULL : member(b, clean);

        if (!m || !m->link)
            return m;
        name = m->link;
    }
    return NULL;
}

static int missing(const char *name, struct err *e)
{
    return err_set(e, ENOENT, "%.120s: missing", name);
}

static int open_member(const struct blobs *b, const char *name, struct blob *out, struct err *e)
{
    const struct blobs_member *m = resolve(b, name);
    cleanup_with(entry_freep) struct archive_entry *en = archive_entry_new();

    if (!m)
        return missing(name, e);
    out->file = blob_file_new();
    if (!out->file || !en)
        return err_set(e, ENOMEM, "out of memory");
    out->a = open_tar(b->fd, out->file, e);
    if (!out->a)
        return e ? -e->code : -EINVAL;
    for (uint32_t i = 0; i <= m->seq; i++) {
        int got = next_member(out->a, en, e);

        if (got <= 0)
            return got ? got : missing(name, e);
    }
    out->bytes = m->bytes;
    return 0;
}

int blob_open(const struct blobs *b, const char *name, struct blob *out, struct err *e)
{
    struct stat st;

    *out = BLOB_INIT;
    snprintf(out->name, sizeof(out->name), "%s", name);
    if (!b->dir)
        return open_member(b, name, out, e);
    out->fd = open_beneath(b->fd, name);
    if (out->fd < 0)
        return errno == ENOENT ? missing(name, e) : err_sys(e, "%.120s", name);
    if (fstat(out->fd, &st) || !S_ISREG(st.st_mode))
        return err_set(e, EINVAL, "%.120s: not a file", name);
    out->bytes = (uint64_t)st.st_size;
    return 0;
}

ssize_t blob_read(struct blob *in, void *buf, size_t len, struct err *e)
{
    ssize_t n = in->a ? archive_read_data(in->a, buf, len) : io_read_full(in->fd, buf, len);

    if (n < 0 && in->a)
        return err_set(e, EINVAL, "%s: %s", in->name,
                       archive_error_string(in->a) ? archive_error_string(in->a)
                                                   : "cannot be read");
    return n < 0 ? err_set(e, (int)-n, "%s: %s", in->name, strerror((int)-n)) : n;
}

void blob_close(struct blob *in)
{
    archive_freep(&in->a);
    blob_file_freep(&in->file);
    fd_closep(&in->fd);
    *in = BLOB_INIT;
}

char *blobs_load(const struct blobs *b, const char *name, size_t max, const char *digest,
                 uint64_t bytes, size_t *len, struct err *e)
{
    cleanup_with(blob_close) struct blob in = BLOB_INIT;
    char hex[DIGEST_HEX + 1] = "";
    char *text;

    if (blob_open(b, name, &in, e))
        return NULL;
    if (in.bytes > max || (bytes != UINT64_MAX && in.bytes != bytes)) {
        err_set(e, EINVAL, "%.120s: %llu bytes, not %s%llu", name, (unsigned long long)in.bytes,
                in.bytes > max ? "at most " : "the announced ",
                (unsigned long long)(in.bytes > max ? max : bytes));
        return NULL;
    }
    text = malloc(in.bytes + 1);
    if (!text) {
        err_set(e, ENOMEM, "out of memory");
        return NULL;
    }

    ssize_t n = blob_read(&in, text, in.bytes, e);

    if (n >= 0 && (uint64_t)n != in.bytes)
        n = err_set(e, EINVAL, "%.120s: is cut off", name);
    if (n >= 0 && digest && data_digest_bytes(text, (size_t)n, hex, e))
        n = -1;
    if (n >= 0 && digest && strcmp(hex, digest) != 0)
        n = err_set(e, EBADMSG, "%.120s: its digest is sha256:%.12s..., not sha256:%.12s...", name,
                    hex, digest);
    if (n < 0) {
        free(text);
        return NULL;
    }
    text[n] = '\0';
    *len = (size_t)n;
    return text;
}
