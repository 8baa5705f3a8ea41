/* kernel_store.c - the kernels that are there: load, list, default, remove. See kernel.h. */
#include "sandbox/image/kernel_store.h"

#include "base/fd.h"
#include "base/own.h"
#include "sandbox/places.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULT_LINK "default"

void kernel_fini(struct kernel *k)
{
    free(k->name);
    free(k->version);
    *k = (struct kernel){ 0 };
}

int kernels_open(struct err *e)
{
    return data_open("kernels", e);
}

/* The name that the default link holds, or -ENOENT. */
static int read_default(int kernels, char name[64])
{
    ssize_t n = readlinkat(kernels, DEFAULT_LINK, name, 64);

    if (n < 0)
        return -errno;
    if (n == 0 || n >= 64)
        return -ENOENT;
    name[n] = '\0';
    return data_check_name("kernel", name, NULL) ? -ENOENT : 0;
}

int kernel_dir(const char *name, struct err *e)
{
    int err = data_check_name("kernel", name, e);
    auto_fd int kernels = err ? err : kernels_open(e);

    if (kernels < 0)
        return kernels;

    int fd = openat(kernels, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT)
        return err_set(e, ENOENT,
                       "kernel \"%s\" not found; see \"carrel kernel ls\", add one with \"carrel "
                       "kernel add\" or \"carrel kernel fetch\"",
                       name);
    return fd < 0 ? err_sys(e, "kernel \"%s\"", name) : fd;
}

static bool has_module(const json_t *modules, const char *name)
{
    for (size_t i = 0; i < json_array_size(modules); i++) {
        const char *m = json_string_value(json_array_get(modules, i));

        if (m && strcmp(m, name) == 0)
            return true;
    }
    return false;
}

/* kernel.json of an opened kernel directory. */
static int load_from(int dir, const char *name, struct kernel *out, struct err *e)
{
    json_auto_t *j = data_load_json(dir, "kernel.json", e);
    const char *version, *digest;
    int pvh;

    *out = (struct kernel){ 0 };
    if (!j)
        return err_wrap(e, "kernel \"%s\"", name);
    if (json_unpack(j, "{s:s, s:s, s:b}", "version", &version, "digest", &digest, "pvh", &pvh) ||
        strlen(digest) != DIGEST_HEX)
        return err_set(e, EINVAL, "kernel \"%s\": kernel.json is not one of ours", name);
    out->name = strdup(name);
    out->version = strdup(version);
    memcpy(out->digest, digest, DIGEST_HEX + 1);
    out->pvh = pvh;
    out->verity = has_module(json_object_get(j, "modules"), MODULE_FOR_VERITY);
    if (!out->name || !out->version) {
        kernel_fini(out);
        return err_set(e, ENOMEM, "out of memory");
    }
    return 0;
}

int kernel_load(const char *name, struct kernel *out, struct err *e)
{
    char def[64] = "";
    auto_fd int kernels = kernels_open(e);

    *out = (struct kernel){ 0 };
    if (kernels < 0)
        return kernels;
    if (read_default(kernels, def) && !name)
        return err_set(e, ENOENT,
                       "no kernel yet: \"carrel kernel fetch\" downloads one, \"carrel kernel add "
                       "NAME FILE\" takes yours");
    if (!name)
        name = def;

    auto_fd int dir = kernel_dir(name, e);
    int err = dir < 0 ? dir : load_from(dir, name, out, e);

    if (!err)
        out->is_default = strcmp(name, def) == 0;
    return err;
}

int kernel_vmlinux(const struct kernel *k, int dir, struct file_id *id, struct err *e)
{
    json_auto_t *j = data_load_json(dir, "kernel.json", e);
    auto_fd int image = j ? openat(dir, "vmlinux", O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;

    if (!j)
        return err_wrap(e, "kernel \"%s\"", k->name);
    if (image < 0)
        return err_sys(e, "kernel \"%s\": vmlinux", k->name);
    if (file_id_parse(json_object_get(j, "file"), id))
        return err_set(e, EINVAL, "kernel \"%s\": kernel.json is not one of ours", k->name);
    return fd_steal(&image);
}

/* FNV-1a, of what changes whenever another carrel-init is put in place. */
static uint64_t mix(uint64_t hash, uint64_t v)
{
    for (int i = 0; i < 8; i++, v >>= 8)
        hash = (hash ^ (v & 0xff)) * 0x100000001b3u;
    return hash;
}

int kernel_initrd_name(char file[KERNEL_INITRD_NAME], struct err *e)
{
    auto_str char *path = places_program("carrel-init", e);
    uint64_t hash = 0xcbf29ce484222325u;
    struct stat st;

    if (!path)
        return e ? -e->code : -ENOENT;
    if (stat(path, &st))
        return err_sys(e, "%s", path);
    hash = mix(mix(mix(hash, st.st_ino), (uint64_t)st.st_size), st.st_dev);
    hash = mix(mix(hash, (uint64_t)st.st_mtim.tv_sec), (uint64_t)st.st_mtim.tv_nsec);
    hash = mix(mix(hash, (uint64_t)st.st_ctim.tv_sec), (uint64_t)st.st_ctim.tv_nsec);
    snprintf(file, KERNEL_INITRD_NAME, KERNEL_INITRD_PREFIX "%016llx.img",
             (unsigned long long)hash);
    return 0;
}

int kernel_open_known(const struct kernel *k, int *vmlinux, int *initrd, struct err *e)
{
    auto_fd int dir = kernel_dir(k->name, e);
    char file[KERNEL_INITRD_NAME];
    struct file_id id = { 0 };

    if (dir < 0)
        return dir;

    auto_fd int image = kernel_vmlinux(k, dir, &id, e);
    int err = image < 0 ? image : data_known_file(image, &id, k->name, e);

    if (!err)
        err = kernel_initrd_name(file, e);
    if (err)
        return err;

    int rd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (rd < 0)
        return errno == ENOENT ? err_set(e, ESTALE, "kernel \"%s\": no initrd yet", k->name)
                               : err_sys(e, "kernel \"%s\": %s", k->name, file);
    *initrd = rd;
    *vmlinux = fd_steal(&image);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct kernel *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static void list_free(struct kernel *k, size_t n)
{
    for (size_t i = 0; i < n; i++)
        kernel_fini(&k[i]);
    free(k);
}

int kernel_list(struct kernel **out, size_t *n, struct err *e)
{
    int kernels = kernels_open(e);
    auto_dir DIR *d = kernels < 0 ? NULL : fdopendir(kernels);
    struct dirent *ent;
    struct kernel *list = NULL;
    size_t have = 0;

    if (kernels < 0)
        return kernels;
    if (!d) {
        close(kernels);
        return err_sys(e, "kernels");
    }
    while ((ent = readdir(d))) {
        struct kernel k;
        struct kernel *grown;

        /* A directory that is no kernel is passed over here; kernel_load says what is wrong. */
        if (data_check_name("kernel", ent->d_name, NULL) ||
            strcmp(ent->d_name, DEFAULT_LINK) == 0 || kernel_load(ent->d_name, &k, NULL))
            continue;
        grown = reallocarray(list, have + 1, sizeof(*list));
        if (!grown) {
            kernel_fini(&k);
            list_free(list, have);
            return err_set(e, ENOMEM, "out of memory");
        }
        list = grown;
        list[have++] = k;
    }
    if (have)
        qsort(list, have, sizeof(*list), by_name);
    *out = list;
    *n = have;
    return 0;
}

int kernel_point_default(int kernels, const char *name, struct err *e)
{
    char tmp[64];

    snprintf(tmp, sizeof(tmp), ".default.%d", (int)getpid());
    unlinkat(kernels, tmp, 0);
    if (symlinkat(name, kernels, tmp) || renameat(kernels, tmp, kernels, DEFAULT_LINK)) {
        int err = err_sys(e, "default kernel");

        unlinkat(kernels, tmp, 0);
        return err;
    }
    return 0;
}

int kernel_set_default(const char *name, struct err *e)
{
    struct kernel k;
    int err = kernel_load(name, &k, e);
    auto_fd int kernels = err ? err : kernels_open(e);

    if (kernels < 0)
        return kernels;
    err = kernel_point_default(kernels, k.name, e);
    kernel_fini(&k);
    return err;
}

/* The default link leads nowhere any more: the first kernel that is left takes its place. */
static int mend_default(int kernels, struct err *e)
{
    struct kernel *list = NULL;
    size_t n = 0;
    int err = kernel_list(&list, &n, e);

    if (err)
        return err;
    if (n > 0)
        err = kernel_point_default(kernels, list[0].name, e);
    else if (unlinkat(kernels, DEFAULT_LINK, 0) && errno != ENOENT)
        err = err_sys(e, "default kernel");
    list_free(list, n);
    return err;
}

int kernel_remove(const char *name, struct err *e)
{
    char def[64];
    auto_fd int dir = kernel_dir(name, e);
    auto_fd int kernels = dir < 0 ? -1 : kernels_open(e);
    struct data_tmp t;
    int err;

    if (dir < 0 || kernels < 0)
        return dir < 0 ? dir : kernels;

    /* Out of sight in one step; a machine that has it open keeps it. */
    err = data_tmp_new(&t, e);
    if (err)
        return err;
    if (renameat(kernels, name, t.fd, name))
        err = err_sys(e, "kernel \"%s\"", name);
    data_tmp_free(&t);
    if (!err && read_default(kernels, def) == 0 && strcmp(def, name) == 0)
        err = mend_default(kernels, e);
    return err;
}
