/*
 * kernel.c - adds a kernel: unpack, judge, pick modules, and put in place in one step. See
 * kernel.h.
 */
#include "sandbox/image/kernel.h"

#include "base/fd.h"
#include "base/io.h"
#include "base/modules.h"
#include "base/own.h"
#include "sandbox/image/kernel_elf.h"
#include "sandbox/image/kernel_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    FILE_MAX = 256 << 20, /* of the file given; Debian's are 10 MiB, a vmlinux with symbols 60 */
    ELF_MAX = 512 << 20,  /* unpacked */
};

static void say_line(image_progress *say, void *arg, const char *fmt, ...) printf_like(3, 4);

static void say_line(image_progress *say, void *arg, const char *fmt, ...)
{
    char line[240];
    va_list ap;

    if (!say)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    say(arg, line);
}

static int write_file(int dir, const char *name, const void *data, size_t len, struct err *e)
{
    auto_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_sys(e, "%s", name);

    int err = io_write_full(fd, data, len);

    if (err)
        return err_set(e, -err, "%s: %s", name, strerror(-err));
    return fsync(fd) ? err_sys(e, "%s", name) : 0;
}

/* modules/NAME.ko and modules/order, the form in which they go into every initrd of this kernel. */
static int write_modules(int dir, const struct module_list *mods, json_t *names, struct err *e)
{
    if (mods->n == 0)
        return 0;
    if (mkdirat(dir, "modules", 0700))
        return err_sys(e, "modules");

    auto_fd int fd = openat(dir, "modules", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_str char *order = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&order, &len);
    int err = fd < 0 ? err_sys(e, "modules") : 0;

    if (!f)
        return err_set(e, ENOMEM, "out of memory");
    for (size_t i = 0; i < mods->n && !err; i++) {
        char file[256];

        if (snprintf(file, sizeof(file), "%s.ko", mods->m[i].name) >= (int)sizeof(file))
            err = err_set(e, ENAMETOOLONG, "module name too long");
        else
            err = write_file(fd, file, mods->m[i].data, mods->m[i].len, e);
        fprintf(f, "%s%s\n", mods->m[i].verity ? MODULE_VERITY : "", file);
        if (!err && json_array_append_new(names, json_string(mods->m[i].name)))
            err = err_set(e, ENOMEM, "out of memory");
    }
    if (fclose(f) && !err)
        err = err_set(e, ENOMEM, "out of memory");
    return err ? err : write_file(fd, "order", order, len, e);
}

/* What is known about a kernel before it has a place. */
struct unpacked {
    void *elf; /* owned */
    size_t len;
    bool pvh;
    char version[129];
    char digest[DIGEST_HEX + 1];
};

static void unpacked_fini(struct unpacked *u)
{
    free(u->elf);
}

static int unpack_file(const char *image, struct unpacked *u, struct err *e)
{
    size_t len;
    auto_str char *file = io_load(AT_FDCWD, image, FILE_MAX, &len, e);

    if (!file)
        return e ? -e->code : -EIO;

    int err = kernel_unpack(file, len, ELF_MAX, &u->elf, &u->len, e);

    if (!err)
        err = kernel_check_elf(u->elf, u->len, &u->pvh, e);
    if (err)
        return err_wrap(e, "%s", image);
    kernel_find_version(u->elf, u->len, u->version, sizeof(u->version));
    return data_digest_bytes(u->elf, u->len, u->digest, e);
}

/* Everything about the kernel, in a directory of its own. */
static int fill(int dir, const struct unpacked *u, const char *name, const char *source,
                const struct module_list *mods, struct err *e)
{
    json_auto_t *names = json_array();
    struct file_id id = { 0 };
    int err = write_file(dir, "vmlinux", u->elf, u->len, e);

    if (!err)
        err = write_modules(dir, mods, names, e);
    if (err)
        return err;

    auto_fd int vmlinux = openat(dir, "vmlinux", O_RDONLY | O_CLOEXEC);

    if (vmlinux < 0)
        return err_sys(e, "vmlinux");
    err = file_id_of(vmlinux, &id, e);
    if (err)
        return err;

    json_auto_t *j = json_pack("{s:s, s:s, s:s, s:s, s:b, s:O, s:o}", "name", name, "version",
                               u->version, "digest", u->digest, "source", source, "pvh", u->pvh,
                               "modules", names, "file", file_id_json(&id));

    err = data_store_json(dir, "kernel.json", j, e);
    if (err)
        return err;

    auto_fd int initrd = kernel_initrd(dir, e);

    return initrd < 0 ? err_wrap(e, "initrd") : 0;
}

/* Moves the finished directory to kernels/NAME: a new name, or exchanged with what was there, which
 * then goes with the temporary directory. */
static int place(struct data_tmp *t, const char *name, struct err *e)
{
    auto_fd int kernels = kernels_open(e);

    if (kernels < 0)
        return kernels;
    if (renameat2(t->fd, "kernel", kernels, name, RENAME_NOREPLACE)) {
        if (errno != EEXIST)
            return err_sys(e, "kernels/%s", name);
        if (renameat2(t->fd, "kernel", kernels, name, RENAME_EXCHANGE))
            return err_sys(e, "kernels/%s", name);
    }
    if (fsync(kernels))
        return err_sys(e, "kernels");

    struct stat st;

    if (strcmp(name, "lean") == 0 || fstatat(kernels, "default", &st, 0))
        return kernel_point_default(kernels, name, e);
    return 0;
}

int kernel_add(const char *name, const char *image, const char *modules, image_progress *say,
               void *arg, struct err *e)
{
    return kernel_add_from(name, image, modules, image, say, arg, e);
}

int kernel_add_from(const char *name, const char *image, const char *modules, const char *source,
                    image_progress *say, void *arg, struct err *e)
{
    cleanup_with(unpacked_fini) struct unpacked u = { 0 };
    cleanup_with(module_list_fini) struct module_list mods = { 0 };
    cleanup_with(data_tmp_free) struct data_tmp t = DATA_TMP_INIT;
    int err = data_check_name("kernel", name, e);

    if (!err && strcmp(name, "default") == 0)
        err = err_set(e, EINVAL, "kernel name \"default\": is the word for the chosen one");
    if (err)
        return err;
    say_line(say, arg, "unpacking %s", image);
    err = unpack_file(image, &u, e);
    if (!err && modules)
        err = modules_pick(modules, &mods, e);
    if (!err)
        err = data_tmp_new(&t, e);
    if (err)
        return err;
    if (mkdirat(t.fd, "kernel", 0700))
        return err_sys(e, "%s", t.path);

    auto_fd int dir = openat(t.fd, "kernel", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0)
        return err_sys(e, "%s", t.path);
    err = fill(dir, &u, name, source, &mods, e);
    if (!err)
        err = place(&t, name, e);
    if (!err)
        say_line(say, arg, "kernel %s: Linux %s, %zu MiB, %zu modules%s", name, u.version,
                 u.len >> 20, mods.n, u.pvh ? "" : ", no PVH entry");
    return err;
}
