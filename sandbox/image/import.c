/* import.c - see import.h. */
#include "sandbox/image/import.h"

#include "sandbox/image/squash.h"
#include "sandbox/image/tree.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CHUNK = 1 << 18 };

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

static void resolver_freep(struct archive_entry_linkresolver **r)
{
    if (*r)
        archive_entry_linkresolver_free(*r);
}

static void strp(char **s)
{
    free(*s);
}

static const char *reason(struct archive *a)
{
    return archive_error_string(a) ? archive_error_string(a) : "cannot be read";
}

/* One import on its way. */
struct job {
    struct archive *in;                       /* borrowed; NULL: tree */
    struct tree *tree;                        /* borrowed */
    struct archive_entry_linkresolver *links; /* of a tree; else NULL */
    struct entry_judge *judge;                /* borrowed */
    struct squash out;
    struct entry_name name;
    void *buf; /* owned, CHUNK bytes */
};

static enum entry_kind kind_of(struct archive_entry *en)
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

/* squashfs keeps seconds in 32 bits, and ids too. */
static int64_t clamp32(int64_t v)
{
    return v < 0 ? 0 : v > UINT32_MAX ? UINT32_MAX : v;
}

/* A new entry that says only what we let through: no names of owners, flags, lists or attributes.
 * Set-id bits are kept: they mean something only inside the guest. */
static struct archive_entry *plain(struct archive_entry *en, const struct entry_name *name,
                                   enum entry_kind kind)
{
    struct archive_entry *out = archive_entry_new();

    if (!out)
        return NULL;
    archive_entry_set_pathname(out, name->path);
    archive_entry_set_mode(out, archive_entry_mode(en) & (AE_IFMT | 07777));
    archive_entry_set_uid(out, clamp32(archive_entry_uid(en)));
    archive_entry_set_gid(out, clamp32(archive_entry_gid(en)));
    archive_entry_set_mtime(out, clamp32(archive_entry_mtime(en)), 0);
    archive_entry_set_size(out, kind == ENTRY_FILE ? archive_entry_size(en) : 0);
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
        cleanup_with(entry_freep) struct archive_entry *dir = archive_entry_new();
        char part[ENTRY_NAME_MAX + 1];

        if (!dir)
            return -ENOMEM;
        snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
        archive_entry_set_pathname(dir, part);
        archive_entry_set_mode(dir, AE_IFDIR | 0755);
        archive_entry_set_mtime(dir, 0, 0);
        archive_entry_set_size(dir, 0);

        int err = squash_header(&b->out, dir);

        if (err)
            return err;
    }
    return 0;
}

static int copy_data(struct job *b, int64_t size, struct err *e)
{
    while (size > 0) {
        size_t room = b->tree && size < CHUNK ? (size_t)size : CHUNK;
        la_ssize_t n =
            b->tree ? tree_read(b->tree, b->buf, room, e) : archive_read_data(b->in, b->buf, room);

        if (n < 0)
            return b->tree ? (int)n
                           : err_set(e, EINVAL, "\"%.100s\": %s", b->name.path, reason(b->in));
        if (n == 0 || n > size)
            return err_set(e, EAGAIN, "\"%.100s\": is not as long as announced", b->name.path);
        if (squash_data(&b->out, b->buf, (size_t)n))
            return err_set(e, EPIPE, "sqfstar stopped");
        size -= n;
    }
    return 0;
}

static int copy_entry(struct job *b, struct archive_entry *en, struct err *e)
{
    const char *path = archive_entry_pathname(en);
    enum entry_kind kind = kind_of(en);
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

    int verdict = entry_judge(b->judge, path, kind, target, (uint64_t)size, &b->name, e);

    if (verdict < 0 || verdict == ENTRY_DROP)
        return verdict < 0 ? verdict : 0;

    cleanup_with(entry_freep) struct archive_entry *out = plain(en, &b->name, kind);

    if (!out)
        return err_set(e, ENOMEM, "out of memory");
    if ((verdict == ENTRY_KEEP_PARENTS && add_parents(b)) || squash_header(&b->out, out))
        return err_set(e, EPIPE, "sqfstar stopped");
    return kind == ENTRY_FILE ? copy_data(b, size, e) : 0;
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
        return err_set(e, EINVAL, "%s%s", b->judge->count ? "" : "not a tar file: ", reason(b->in));
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

/* Runs the import into squashfs. sqfstar's own words, where it failed, are the better reason. */
static int run(struct job *b, const char *squashfs, struct err *e)
{
    struct err why = ERR_INIT;
    int err = squash_start(&b->out, squashfs, e);

    if (err) {
        squash_stop(&b->out);
        return err;
    }
    b->buf = malloc(CHUNK);
    err = b->buf ? copy_all(b, &why) : err_set(&why, ENOMEM, "out of memory");
    if (!err && b->judge->count == 0)
        err = err_set(&why, EINVAL, "there are no files in it");
    if (err && err != -EPIPE) {
        squash_stop(&b->out);
        return err_set(e, why.code, "%s", why.msg);
    }

    int end = squash_finish(&b->out, e);

    return end || !err ? end : err_set(e, why.code, "%s", why.msg);
}

static void job_fini(struct job *b)
{
    free(b->buf);
}

/* --- sources --------------------------------------------------------------------------------- */

/* Exactly these: libarchive would run an external program for what it was built without. */
static int support_tar(struct archive *a, struct err *e)
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

static int import_dir(const char *source, const char *squashfs, struct entry_judge *j,
                      struct err *e)
{
    cleanup_with(tree_close) struct tree tree = TREE_INIT;
    cleanup_with(resolver_freep) struct archive_entry_linkresolver *links =
        archive_entry_linkresolver_new();
    cleanup_with(
        job_fini) struct job b = { .tree = &tree, .links = links, .judge = j, .out = SQUASH_INIT };
    int err = links ? tree_open(&tree, source, e) : err_set(e, ENOMEM, "out of memory");

    if (err)
        return err;
    archive_entry_linkresolver_set_strategy(links, ARCHIVE_FORMAT_TAR_PAX_RESTRICTED);
    return run(&b, squashfs, e);
}

static int import_tar(const char *source, const char *squashfs, struct entry_judge *j,
                      struct err *e)
{
    cleanup_with(archive_freep) struct archive *a = archive_read_new();
    cleanup_with(job_fini) struct job b = { .in = a, .judge = j, .out = SQUASH_INIT };
    int err = a ? support_tar(a, e) : err_set(e, ENOMEM, "out of memory");

    if (err)
        return err;
    if (archive_read_open_filename(a, source, CHUNK) != ARCHIVE_OK)
        return err_set(e, EIO, "%s", reason(a));
    return run(&b, squashfs, e);
}

/* Names are bytes to us; libarchive converts them by the thread's locale, which must then be one
 * that has all of them. Back to what it was on the way out. */
static locale_t use_utf8(locale_t *ours)
{
    *ours = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return *ours ? uselocale(*ours) : (locale_t)0;
}

static void use_back(locale_t was, locale_t ours)
{
    if (ours) {
        uselocale(was);
        freelocale(ours);
    }
}

int import_path(const char *source, const char *squashfs, struct entry_judge *j, struct err *e)
{
    struct stat st;
    cleanup_with(strp) char *real = realpath(source, NULL);

    if (!real || stat(real, &st))
        return err_sys(e, "%s", source);

    struct err why = ERR_INIT;
    locale_t ours, was = use_utf8(&ours);
    int err;

    if (S_ISDIR(st.st_mode))
        err = import_dir(real, squashfs, j, &why);
    else if (S_ISREG(st.st_mode))
        err = import_tar(real, squashfs, j, &why);
    else
        err = err_set(&why, EINVAL, "neither a directory nor a file");
    use_back(was, ours);
    return err ? err_set(e, why.code, "%s: %s", source, why.msg) : 0;
}

struct feed {
    struct tool *tool;
    char buf[CHUNK];
};

static la_ssize_t read_tool(struct archive *a, void *arg, const void **buf)
{
    struct feed *f = arg;
    ssize_t n = tool_read(f->tool, f->buf, sizeof(f->buf));

    *buf = f->buf;
    if (n < 0)
        archive_set_error(a, (int)-n, "%s", strerror((int)-n));
    return n;
}

static int import_feed(struct feed *f, const char *squashfs, struct entry_judge *j, struct err *e)
{
    cleanup_with(archive_freep) struct archive *a = archive_read_new();
    cleanup_with(job_fini) struct job b = { .in = a, .judge = j, .out = SQUASH_INIT };
    int err = a ? support_tar(a, e) : err_set(e, ENOMEM, "out of memory");

    if (err)
        return err;
    if (archive_read_open(a, f, NULL, read_tool, NULL) != ARCHIVE_OK)
        return err_set(e, EINVAL, "%s", reason(a));
    return run(&b, squashfs, e);
}

int import_tool(struct tool *source, const char *squashfs, struct entry_judge *j, struct err *e)
{
    struct err mine = ERR_INIT;
    struct feed *f = malloc(sizeof(*f));

    if (!f) {
        tool_stop(source);
        return err_set(e, ENOMEM, "out of memory");
    }
    f->tool = source;

    locale_t ours, was = use_utf8(&ours);
    int err = import_feed(f, squashfs, j, &mine);

    use_back(was, ours);
    free(f);
    if (err && err != -EINVAL) { /* not the tar's fault: whoever makes it need not go on */
        tool_stop(source);
        return err_set(e, mine.code, "%s", mine.msg);
    }

    int end = tool_finish(source, e);

    return end ? end : err ? err_set(e, mine.code, "%s", mine.msg) : 0;
}
