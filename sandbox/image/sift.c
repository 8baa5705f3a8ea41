/* sift.c - see sift.h. */
#include "sandbox/image/sift.h"

#include "sandbox/image/blobs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void entry_freep(struct archive_entry **en)
{
    if (*en)
        archive_entry_free(*en);
}

static void resolver_freep(struct archive_entry_linkresolver **r)
{
    if (*r)
        archive_entry_linkresolver_free(*r);
}

static const char *reason(struct archive *a)
{
    return archive_error_string(a) ? archive_error_string(a) : "cannot be read";
}

/* One archive or tree on its way. */
struct job {
    struct archive *in;                       /* borrowed; NULL: tree */
    struct tree *tree;                        /* borrowed */
    struct archive_entry_linkresolver *links; /* borrowed; of a tree, else NULL */
    struct squash *out;                       /* borrowed */
    struct import_result *r;                  /* borrowed */
    struct entry_judge judge;
    struct entry_name name;
    void *buf; /* borrowed, SIFT_CHUNK bytes */
};

static void job_fini(struct job *b)
{
    entry_judge_fini(&b->judge);
}

enum entry_kind sift_kind(struct archive_entry *en)
{
    if (archive_entry_hardlink(en))
        return ENTRY_HARD;
    switch (archive_entry_filetype(en)) {
    case AE_IFREG: return ENTRY_FILE;
    case AE_IFDIR: return ENTRY_DIR;
    case AE_IFLNK: return ENTRY_LINK;
    case AE_IFIFO: return ENTRY_FIFO;
    default: return ENTRY_OTHER;
    }
}

uint32_t sift_clamp(int64_t v)
{
    return v < 0 ? 0 : v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

void sift_note(struct import_result *r, struct archive_entry *en)
{
    unsigned long set, clear;
    enum entry_kind kind = sift_kind(en);

    archive_entry_fflags(en, &set, &clear);
    r->attributes += archive_entry_xattr_count(en) > 0 || archive_entry_acl_types(en) || set;
    r->setid += kind == ENTRY_FILE && archive_entry_mode(en) & 06000;
}

/* No names of owners, flags, lists or attributes. Set-id bits are kept: they mean something only
 * inside the guest, where su and sudo need them. */
struct archive_entry *sift_plain(const char *path, uint32_t mode, uint32_t uid, uint32_t gid,
                                 uint32_t mtime)
{
    struct archive_entry *out = archive_entry_new();

    if (!out)
        return NULL;
    archive_entry_set_pathname(out, path);
    archive_entry_set_mode(out, mode & (AE_IFMT | 07777));
    archive_entry_set_uid(out, uid);
    archive_entry_set_gid(out, gid);
    archive_entry_set_mtime(out, mtime, 0);
    archive_entry_set_size(out, 0);
    return out;
}

static struct archive_entry *plain(struct archive_entry *en, const struct entry_name *name,
                                   enum entry_kind kind)
{
    struct archive_entry *out =
        sift_plain(name->path, archive_entry_mode(en), sift_clamp(archive_entry_uid(en)),
                   sift_clamp(archive_entry_gid(en)), sift_clamp(archive_entry_mtime(en)));

    if (!out)
        return NULL;
    if (kind == ENTRY_FILE)
        archive_entry_set_size(out, archive_entry_size(en));
    if (kind == ENTRY_LINK)
        archive_entry_set_symlink(out, archive_entry_symlink(en));
    if (kind == ENTRY_HARD)
        archive_entry_set_hardlink(out, name->target);
    return out;
}

/* Directories between the last one that came and the entry itself: root's, 0755, time 0. */
static int add_parents(struct job *b)
{
    const char *path = b->name.path;

    for (const char *p = strchr(path + b->name.missing + (b->name.missing > 0), '/'); p;
         p = strchr(p + 1, '/')) {
        char part[ENTRY_NAME_MAX + 1];

        snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);

        cleanup_with(entry_freep) struct archive_entry *dir =
            sift_plain(part, AE_IFDIR | 0755, 0, 0, 0);
        int err = dir ? squash_header(b->out, dir) : -ENOMEM;

        if (err)
            return err;
    }
    return 0;
}

ssize_t sift_hole(struct archive_entry *en, void *buf, uint64_t left)
{
    size_t n = left < SIFT_CHUNK ? (size_t)left : SIFT_CHUNK;

    if (archive_entry_sparse_count(en) == 0)
        return 0;
    memset(buf, 0, n);
    return (ssize_t)n;
}

static int copy_data(struct job *b, struct archive_entry *en, int64_t size, struct err *e)
{
    while (size > 0) {
        size_t room = b->tree && size < SIFT_CHUNK ? (size_t)size : SIFT_CHUNK;
        la_ssize_t n =
            b->tree ? tree_read(b->tree, b->buf, room, e) : archive_read_data(b->in, b->buf, room);

        if (n < 0)
            return b->tree ? (int)n
                           : err_set(e, EINVAL, "\"%.100s\": %s", b->name.path, reason(b->in));
        if (n == 0 && b->in)
            n = sift_hole(en, b->buf, (uint64_t)size);
        if (n == 0 || n > size)
            return err_set(e, EAGAIN, "\"%.100s\": is not as long as announced", b->name.path);
        if (squash_data(b->out, b->buf, (size_t)n))
            return err_set(e, EPIPE, "sqfstar stopped");
        if (b->in && blobs_is_bomb((uint64_t)archive_filter_bytes(b->in, -1),
                                   (uint64_t)archive_filter_bytes(b->in, 0)))
            return err_set(e, EFBIG, "\"%.100s\": compressed more than %d:1: a bomb", b->name.path,
                           BLOBS_RATIO);
        size -= n;
    }
    return 0;
}

static int copy_entry(struct job *b, struct archive_entry *en, struct err *e)
{
    const char *path = archive_entry_pathname(en);
    enum entry_kind kind = sift_kind(en);
    int64_t size = archive_entry_size(en);

    if (kind == ENTRY_FILE && size < 0)
        return err_set(e, EINVAL, "\"%.100s\": negative size", path ? path : "");
    if (kind == ENTRY_LINK && !archive_entry_symlink(en))
        return err_set(e, EINVAL, "\"%.100s\": symbolic link to nothing", path ? path : "");
    /* No path is longer: nobody could follow it, and readers of squashfs have mistaken it. */
    if (kind == ENTRY_LINK && strlen(archive_entry_symlink(en)) > ENTRY_NAME_MAX)
        return err_set(e, ENAMETOOLONG, "\"%.100s\": symbolic link to a name too long",
                       path ? path : "");

    const char *target = archive_entry_hardlink(en);

    int verdict = entry_judge(&b->judge, path, kind, target, (uint64_t)size, &b->name, e);

    if (verdict < 0 || verdict == ENTRY_DROP)
        return verdict < 0 ? verdict : 0;
    sift_note(b->r, en);

    cleanup_with(entry_freep) struct archive_entry *out = plain(en, &b->name, kind);

    if (!out)
        return err_set(e, ENOMEM, "out of memory");
    if ((verdict == ENTRY_KEEP_PARENTS && add_parents(b)) || squash_header(b->out, out))
        return err_set(e, EPIPE, "sqfstar stopped");
    return kind == ENTRY_FILE ? copy_data(b, en, size, e) : 0;
}

/* Directories only: two names of one file become a file and a hard link to it. */
static void find_links(struct job *b, struct archive_entry **en)
{
    struct archive_entry *spare = NULL;

    if (b->links && archive_entry_filetype(*en) == AE_IFREG)
        archive_entry_linkify(b->links, en, &spare);
}

/* 1, 0 at the end, negative. */
static int next_of_tar(struct job *b, struct archive_entry *en, struct err *e)
{
    int got = archive_read_next_header2(b->in, en);

    if (got == ARCHIVE_EOF)
        return 0;
    if (got < ARCHIVE_WARN)
        return err_set(e, EINVAL, "%s%s", b->judge.count ? "" : "not a tar file: ", reason(b->in));
    /* The filter that was found and the bytes themselves; a third is an archive in an archive's
     * compression, which only bombs have. */
    if (archive_filter_count(b->in) > 2)
        return err_set(e, EINVAL, "compressed more than once");
    return 1;
}

static int copy_all(struct job *b, struct err *e)
{
    for (;;) {
        cleanup_with(entry_freep) struct archive_entry *own = archive_entry_new();
        struct archive_entry *en = own;

        if (!own)
            return err_set(e, ENOMEM, "out of memory");

        int err = b->tree ? tree_next(b->tree, own, e) : next_of_tar(b, own, e);

        if (err <= 0)
            return err;
        find_links(b, &en);
        err = en ? copy_entry(b, en, e) : 0;
        if (err)
            return err;
    }
}

int sift(struct archive *a, struct tree *tree, struct squash *out, const struct import_options *o,
         struct import_result *r, struct err *e)
{
    cleanup_with(resolver_freep) struct archive_entry_linkresolver *links =
        tree ? archive_entry_linkresolver_new() : NULL;
    cleanup_with(
        job_fini) struct job b = { .in = a, .tree = tree, .links = links, .out = out, .r = r };
    void *buf = malloc(SIFT_CHUNK);
    int err = buf && (links || !tree) ? 0 : err_set(e, ENOMEM, "out of memory");

    if (links)
        archive_entry_linkresolver_set_strategy(links, ARCHIVE_FORMAT_TAR_PAX_RESTRICTED);
    b.buf = buf;
    b.judge.bytes_max = o->bytes_max;
    b.judge.count_max = o->count_max;
    if (!err)
        err = copy_all(&b, e);
    free(buf);
    r->entries = b.judge.count;
    r->bytes = b.judge.bytes;
    r->dropped = b.judge.dropped;
    if (!err && b.judge.count == 0)
        err = err_set(e, EINVAL, "there are no files in it");
    return err;
}

/* Exactly these: libarchive would run an external program for what it was built without. */
int sift_support(struct archive *a, struct err *e)
{
    static int (*const filters[])(struct archive *) = {
        archive_read_support_filter_gzip, archive_read_support_filter_xz,
        archive_read_support_filter_zstd, archive_read_support_filter_bzip2,
        archive_read_support_filter_lz4,  archive_read_support_filter_lzma,
    };

    for (size_t i = 0; i < array_len(filters); i++)
        if (filters[i](a) != ARCHIVE_OK)
            return err_set(e, ENOTSUP, "this libarchive was built without a compression we need");
    if (archive_read_support_format_tar(a) != ARCHIVE_OK)
        return err_set(e, EIO, "%s", reason(a));
    return 0;
}
