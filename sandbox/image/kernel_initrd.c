/*
 * kernel_initrd.c - the initrd of a kernel for the carrel-init that is installed now, and the
 * opening of kernels that are not ready.
 *
 * It is kept as kernels/NAME/initrd-KEY.img, KEY telling that carrel-init from all others, so that
 * two installations that share a data directory do not undo each other's work. It is a hash of the
 * file's identity, not of its bytes: whoever starts a machine looks for the initrd every time.
 */
#include "sandbox/image/kernel_store.h"

#include "base/fd.h"
#include "base/io.h"
#include "base/modules.h"
#include "base/own.h"
#include "sandbox/places.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum {
    INIT_BYTES_MAX = 64 << 20,
    MODULE_BYTES_MAX = 32 << 20,
    KEEP = 4, /* initrds per kernel */
};

/* kernels/NAME/modules as a list; empty when the directory is not there. */
static int load_modules(int dir, struct module_list *out, struct err *e)
{
    auto_fd int mods = openat(dir, "modules", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    size_t len;
    char *save = NULL;

    *out = (struct module_list){ 0 };
    if (mods < 0)
        return errno == ENOENT ? 0 : err_sys(e, "modules");

    auto_str char *order = io_load(mods, "order", 1 << 16, &len, e);

    if (!order)
        return err_wrap(e, "modules");
    for (char *line = strtok_r(order, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        bool verity = strncmp(line, MODULE_VERITY, strlen(MODULE_VERITY)) == 0;

        line += verity ? strlen(MODULE_VERITY) : 0;

        struct module *grown = reallocarray(out->m, out->n + 1, sizeof(*out->m));
        char *dot = strstr(line, ".ko");
        size_t size = 0;
        char *data = strchr(line, '/') ? NULL : io_load(mods, line, MODULE_BYTES_MAX, &size, e);
        char *name = strndup(line, dot ? (size_t)(dot - line) : strlen(line));

        if (grown)
            out->m = grown;
        if (!grown || !data || !name) {
            free(data);
            free(name);
            return data ? err_set(e, ENOMEM, "out of memory") : err_wrap(e, "modules");
        }
        out->m[out->n++] = (struct module){ name, (uint8_t *)data, size, verity };
    }
    return 0;
}

/* The archive for this init, in memory. */
static int make(int dir, const char *init, size_t init_len, struct cpio *out, struct err *e)
{
    cleanup_with(module_list_fini) struct module_list mods = { 0 };
    int err = load_modules(dir, &mods, e);

    return err ? err : initrd_make(init, init_len, &mods, out, e);
}

/* Removes the oldest initrds beyond KEEP; a failure only leaves a file too many. */
static void prune(int dir)
{
    for (;;) {
        int own = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = own < 0 ? NULL : fdopendir(own);
        struct dirent *ent;
        struct timespec oldest = { 0 };
        char name[256] = "";
        unsigned n = 0;

        if (!d) {
            if (own >= 0)
                close(own);
            return;
        }
        while ((ent = readdir(d))) {
            struct stat st;

            if (strncmp(ent->d_name, KERNEL_INITRD_PREFIX, strlen(KERNEL_INITRD_PREFIX)) != 0 ||
                fstatat(dir, ent->d_name, &st, AT_SYMLINK_NOFOLLOW))
                continue;
            if (n++ == 0 || st.st_mtim.tv_sec < oldest.tv_sec ||
                (st.st_mtim.tv_sec == oldest.tv_sec && st.st_mtim.tv_nsec < oldest.tv_nsec)) {
                oldest = st.st_mtim;
                snprintf(name, sizeof(name), "%s", ent->d_name);
            }
        }
        closedir(d);
        if (n <= KEEP || unlinkat(dir, name, 0))
            return;
    }
}

/* The archive in memory, as a descriptor like any other. */
static int in_memory(const struct cpio *c, struct err *e)
{
    auto_fd int fd = memfd_create("initrd", MFD_CLOEXEC);
    int err = fd < 0 ? -errno : io_write_full(fd, c->data, c->len);

    if (err || lseek(fd, 0, SEEK_SET) < 0)
        return err_set(e, err ? -err : errno, "initrd in memory: %s", strerror(err ? -err : errno));
    return fd_steal(&fd);
}

static int keep(int dir, const char *file, const struct cpio *c, struct err *e)
{
    struct err why = ERR_INIT;
    int err = io_store(dir, file, c->data, c->len, 0600, &why);

    if (err == -EACCES || err == -EPERM || err == -EROFS || err == -ENOSPC || err == -EDQUOT)
        return in_memory(c, e);
    if (err)
        return err_set(e, why.code, "%s", why.msg);
    prune(dir);

    int fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    return fd < 0 ? err_sys(e, "%s", file) : fd;
}

int kernel_initrd(int dir, struct err *e)
{
    auto_str char *path = places_program("carrel-init", e);
    cleanup_with(cpio_fini) struct cpio c = { 0 };
    char file[KERNEL_INITRD_NAME];
    size_t len;
    /* The name first: a carrel-init replaced meanwhile makes a file that nobody looks for. */
    int err = path ? kernel_initrd_name(file, e) : e ? -e->code : -ENOENT;

    if (err)
        return err;

    int fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd >= 0)
        return fd;

    auto_str char *init = io_load(AT_FDCWD, path, INIT_BYTES_MAX, &len, e);

    if (!init)
        return e ? -e->code : -EIO;
    err = make(dir, init, len, &c, e);
    return err ? err : keep(dir, file, &c, e);
}

/* The kernel is whole, though not the file it was: by its identity now the next one knows it. */
static void keep_identity(int dir, int vmlinux)
{
    json_auto_t *j = data_load_json(dir, "kernel.json", NULL);
    struct file_id id;

    if (j && !file_id_of(vmlinux, &id, NULL) && !json_object_set_new(j, "file", file_id_json(&id)))
        (void)!data_store_json(dir, "kernel.json", j, NULL);
}

int kernel_open(const struct kernel *k, int *vmlinux, int *initrd, struct err *e)
{
    auto_fd int dir = kernel_dir(k->name, e);
    struct file_id id = { 0 };

    if (dir < 0)
        return dir;

    auto_fd int image = kernel_vmlinux(k, dir, &id, e);

    if (image < 0)
        return image;

    bool known = data_known_file(image, &id, k->name, NULL) == 0;
    int err = data_check_file(image, &id, k->digest, false, k->name, e);

    if (err)
        return err_wrap(e, "kernel");
    if (!known)
        keep_identity(dir, image);

    int rd = kernel_initrd(dir, e);

    if (rd < 0)
        return err_wrap(e, "kernel \"%s\": initrd", k->name);
    *initrd = rd;
    *vmlinux = fd_steal(&image);
    return 0;
}
