/* kernel_modules.c - see kernel_modules.h. */
#include "sandbox/image/kernel_modules.h"

#include "base/fd.h"
#include "base/io.h"

#include <archive.h>
#include <archive_entry.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MODULE_BYTES_MAX = 32 << 20, /* the largest of Debian's is 6 MiB */
    DEPTH_MAX = 16,              /* of dependencies; more is a loop */
    FOUND_MAX = 16384,           /* module files in one directory */
};

/* In the order they are wanted; each is preceded by what it depends on. A guest cannot start
 * without the required ones. */
static const struct {
    const char *name;
    bool required, verity;
} wanted[] = {
    { .name = "virtio_pci", .required = true },
    { .name = "virtio_blk", .required = true },
    { .name = "virtio_console", .required = true },
    { .name = "squashfs", .required = true },
    { .name = "overlay", .required = true },
    { .name = "virtio_balloon" },
    { .name = "virtio_rng" },
    { .name = "tun" },
    { .name = "fuse" },
    { .name = "virtiofs" },
    { .name = "erofs" },
    { .name = "ext4" },
    { .name = "pvpanic_mmio" },
    { .name = "pvpanic_pci" },
    { .name = "pvpanic" },
    { .name = MODULE_FOR_VERITY, .verity = true }, /* and what only it needs */
};

/* --- .modinfo -------------------------------------------------------------------------------- */

/* The section's bytes, or NULL when the file has none or is not a 64-bit ELF. */
static const char *find_modinfo(const uint8_t *b, size_t len, size_t *size)
{
    Elf64_Ehdr h;
    Elf64_Shdr names, s;
    uint64_t end;

    if (len < sizeof(h))
        return NULL;
    memcpy(&h, b, sizeof(h));
    if (memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 || h.e_ident[EI_CLASS] != ELFCLASS64 ||
        h.e_shentsize != sizeof(s) || h.e_shstrndx >= h.e_shnum ||
        add_overflows(h.e_shoff, (uint64_t)h.e_shnum * sizeof(s), &end) || end > len)
        return NULL;
    memcpy(&names, b + h.e_shoff + h.e_shstrndx * sizeof(s), sizeof(names));
    if (add_overflows(names.sh_offset, names.sh_size, &end) || end > len)
        return NULL;
    for (unsigned i = 0; i < h.e_shnum; i++) {
        static const char want[] = ".modinfo";

        memcpy(&s, b + h.e_shoff + i * sizeof(s), sizeof(s));
        if (s.sh_name > names.sh_size || names.sh_size - s.sh_name < sizeof(want) ||
            memcmp(b + names.sh_offset + s.sh_name, want, sizeof(want)) != 0)
            continue;
        if (add_overflows(s.sh_offset, s.sh_size, &end) || end > len)
            return NULL;
        *size = s.sh_size;
        return (const char *)b + s.sh_offset;
    }
    return NULL;
}

/* Appends the names in text (separated by commas or spaces) to the list in out. */
static void append_names(FILE *out, const char *text, size_t len, bool *first)
{
    for (size_t i = 0; i < len;) {
        size_t n = 0;

        while (i + n < len && text[i + n] != ',' && text[i + n] != ' ')
            n++;
        if (n > 0) {
            if (!*first)
                fputc(' ', out);
            *first = false;
            for (size_t k = 0; k < n; k++)
                fputc(text[i + k] == '-' ? '_' : text[i + k], out);
        }
        i += n + 1;
    }
}

/* "softdep=pre: a b post: c": what stands between "pre:" and "post:". */
static void append_softdep(FILE *out, const char *text, size_t len, bool *first)
{
    const char *pre = memmem(text, len, "pre:", 4);

    if (!pre)
        return;
    pre += 4;

    size_t rest = (size_t)(text + len - pre);
    const char *post = memmem(pre, rest, "post:", 5);

    append_names(out, pre, post ? (size_t)(post - pre) : rest, first);
}

int modinfo_parse(const void *ko, size_t len, char **out, struct err *e)
{
    size_t size = 0, outlen = 0;
    const char *info = find_modinfo(ko, len, &size);
    bool first = true;

    if (!info)
        return err_set(e, ENOEXEC, "not a kernel module");
    *out = NULL;

    FILE *f = open_memstream(out, &outlen);

    if (!f)
        return err_set(e, ENOMEM, "out of memory");
    for (size_t at = 0; at < size;) {
        const char *line = info + at;
        size_t n = strnlen(line, size - at);

        if (n > 8 && memcmp(line, "depends=", 8) == 0)
            append_names(f, line + 8, n - 8, &first);
        else if (n > 8 && memcmp(line, "softdep=", 8) == 0)
            append_softdep(f, line + 8, n - 8, &first);
        at += n + 1;
    }
    if (fclose(f)) {
        free(*out);
        *out = NULL;
        return err_set(e, ENOMEM, "out of memory");
    }
    return 0;
}

/* --- the directory --------------------------------------------------------------------------- */

struct file {
    char *name; /* canonical */
    char *path;
};

struct tree {
    struct file *f;
    size_t n;
    char *builtin; /* text of modules.builtin, or NULL */
};

static void tree_fini(struct tree *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->f[i].name);
        free(t->f[i].path);
    }
    free(t->f);
    free(t->builtin);
}

/* "virtio-rng.ko.xz" -> "virtio_rng"; NULL when it is not a module's file name. */
static char *canonical(const char *file)
{
    const char *ko = strstr(file, ".ko");
    char *name;

    if (!ko || ko == file || (ko[3] != '\0' && ko[3] != '.'))
        return NULL;
    name = strndup(file, (size_t)(ko - file));
    for (char *p = name; p && *p; p++)
        if (*p == '-')
            *p = '_';
    return name;
}

static int tree_add(struct tree *t, const char *path, char *name, struct err *e)
{
    struct file *f = t->n < FOUND_MAX ? reallocarray(t->f, t->n + 1, sizeof(*t->f)) : NULL;
    char *copy = strdup(path);

    if (!f || !copy) {
        if (f)
            t->f = f;
        free(name);
        free(copy);
        return err_set(e, ENOMEM, "%s: too many modules", path);
    }
    t->f = f;
    f[t->n].name = name;
    f[t->n].path = copy;
    t->n++;
    return 0;
}

static int tree_load(struct tree *t, const char *dir, struct err *e)
{
    char *roots[] = { (char *)dir, NULL };
    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *ent;
    size_t len;
    int err = 0;

    if (!fts)
        return err_sys(e, "%s", dir);
    while (!err && (ent = fts_read(fts))) {
        char *name;

        if (ent->fts_info == FTS_DNR || ent->fts_info == FTS_ERR || ent->fts_info == FTS_NS) {
            errno = ent->fts_errno;
            err = err_sys(e, "%s", ent->fts_path);
        } else if (ent->fts_info == FTS_F && (name = canonical(ent->fts_name))) {
            err = tree_add(t, ent->fts_path, name, e);
        }
    }
    fts_close(fts);
    if (err)
        return err;

    auto_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return err_sys(e, "%s", dir);
    t->builtin = io_load(fd, "modules.builtin", 4 << 20, &len, NULL);
    return 0;
}

static const char *tree_find(const struct tree *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->f[i].name, name) == 0)
            return t->f[i].path;
    return NULL;
}

/* modules.builtin has a line "kernel/fs/ext4/ext4.ko" for each. */
static bool tree_builtin(const struct tree *t, const char *name)
{
    for (const char *line = t->builtin; line && *line;) {
        const char *end = strchrnul(line, '\n');
        const char *slash = memrchr(line, '/', (size_t)(end - line));
        const char *base = slash ? slash + 1 : line;
        size_t n = strlen(name);
        bool same = (size_t)(end - base) == n + 3 && memcmp(end - 3, ".ko", 3) == 0;

        for (size_t i = 0; same && i < n; i++)
            same = (base[i] == '-' ? '_' : base[i]) == name[i];
        if (same)
            return true;
        line = *end ? end + 1 : end;
    }
    return false;
}

/* --- picking --------------------------------------------------------------------------------- */

static void reader_freep(struct archive **a)
{
    if (*a)
        archive_read_free(*a);
}

/* Reads a .ko, .ko.gz, .ko.xz or .ko.zst whole. */
static int load_module(const char *path, struct module *m, struct err *e)
{
    cleanup_with(reader_freep) struct archive *a = archive_read_new();
    struct archive_entry *entry;
    uint8_t *data = a ? malloc(MODULE_BYTES_MAX) : NULL;

    m->data = data; /* owned from here, also on failure */
    if (!data)
        return err_set(e, ENOMEM, "%s: out of memory", path);
    if (archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
        archive_read_support_filter_xz(a) != ARCHIVE_OK ||
        archive_read_support_filter_zstd(a) != ARCHIVE_OK ||
        archive_read_support_format_raw(a) != ARCHIVE_OK)
        return err_set(e, ENOTSUP, "this libarchive lacks gzip, xz or zstd");
    if (archive_read_open_filename(a, path, 1 << 16) != ARCHIVE_OK ||
        archive_read_next_header(a, &entry) != ARCHIVE_OK)
        return err_set(e, EINVAL, "%s: %s", path,
                       archive_error_string(a) ? archive_error_string(a) : "cannot be read");

    la_ssize_t n = archive_read_data(a, data, MODULE_BYTES_MAX);

    if (n < 0)
        return err_set(e, EINVAL, "%s: %s", path,
                       archive_error_string(a) ? archive_error_string(a) : "broken");
    if (n == MODULE_BYTES_MAX)
        return err_set(e, EFBIG, "%s: larger than %d MiB", path, MODULE_BYTES_MAX >> 20);

    uint8_t *fit = realloc(data, n ? (size_t)n : 1);

    if (fit)
        m->data = fit;
    m->len = (size_t)n;
    return 0;
}

static bool picked(const struct module_list *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->m[i].name, name) == 0)
            return true;
    return false;
}

/* A module whose dependencies are being picked. */
struct frame {
    struct module m; /* owned */
    char *deps;      /* owned */
    char *rest;      /* of deps, still to be looked at */
};

static void frame_fini(struct frame *f)
{
    free(f->m.name);
    free(f->m.data);
    free(f->deps);
    *f = (struct frame){ 0 };
}

/* Loads a module into a frame; what it holds is the frame's also on failure. */
static int frame_init(struct frame *f, const char *name, const char *path, bool verity,
                      struct err *e)
{
    *f = (struct frame){ .m = { .name = strdup(name), .verity = verity } };

    if (!f->m.name) {
        err_set(e, ENOMEM, "out of memory");
        return -ENOMEM;
    }

    char *deps = NULL;
    int err = load_module(path, &f->m, e);

    if (err)
        return err;
    err = modinfo_parse(f->m.data, f->m.len, &deps, e);
    if (err) {
        err_wrap(e, "%s", path);
        return err;
    }
    f->deps = f->rest = deps;
    return 0;
}

/* Moves the frame's module to the end of the list. */
static int append(struct module_list *l, struct frame *f, struct err *e)
{
    struct module *grown = reallocarray(l->m, l->n + 1, sizeof(*l->m));

    if (!grown)
        return err_set(e, ENOMEM, "out of memory");
    l->m = grown;
    l->m[l->n++] = f->m;
    f->m.name = NULL;
    f->m.data = NULL;
    return 0;
}

/* Picks a module after everything it needs, depth first. A name that is nowhere in the tree is a
 * soft dependency or built in. */
static int pick(const struct tree *t, struct module_list *l, const char *name, bool verity,
                struct err *e)
{
    struct frame stack[DEPTH_MAX] = { 0 };
    unsigned depth = 0;
    const char *next = name;
    int err = 0;

    for (;;) {
        const char *path = next && *next && !picked(l, next) ? tree_find(t, next) : NULL;

        if (path && depth == DEPTH_MAX) {
            err = err_set(e, ELOOP, "%s: modules that depend on each other", path);
        } else if (path) {
            err = frame_init(&stack[depth++], next, path, verity, e);
        } else if (depth > 0 && !stack[depth - 1].rest) {
            err = append(l, &stack[--depth], e);
            frame_fini(&stack[depth]);
        }
        if (err || depth == 0)
            break;
        next = strsep(&stack[depth - 1].rest, " ");
    }
    while (depth > 0)
        frame_fini(&stack[--depth]);
    return err;
}

int modules_pick(const char *dir, struct module_list *out, struct err *e)
{
    cleanup_with(tree_fini) struct tree t = { 0 };
    int err = tree_load(&t, dir, e);

    *out = (struct module_list){ 0 };
    for (size_t i = 0; !err && i < array_len(wanted); i++) {
        err = pick(&t, out, wanted[i].name, wanted[i].verity, e);
        if (!err && wanted[i].required && !picked(out, wanted[i].name) &&
            !tree_builtin(&t, wanted[i].name))
            err = err_set(e, ENOENT,
                          "%s: module %s is neither there nor built in; a guest cannot start "
                          "without it",
                          dir, wanted[i].name);
    }
    if (err)
        module_list_fini(out);
    return err;
}
