/* initrd.c - see initrd.h. */
#include "sandbox/image/initrd.h"

#include "base/modules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    HEADER = 110,    /* "070701" and thirteen fields of eight hexadecimal digits */
    NAME_MAX_ = 255, /* of a path in the archive; ours are short */
};

/* Here and not beside modules_pick, so that who only uses a kernel needs no libarchive. */
void module_list_fini(struct module_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->m[i].name);
        free(l->m[i].data);
    }
    free(l->m);
    *l = (struct module_list){ 0 };
}

void cpio_fini(struct cpio *c)
{
    free(c->data);
    *c = (struct cpio){ 0 };
}

static int grow(struct cpio *c, size_t more, struct err *e)
{
    size_t need;

    if (add_overflows(c->len, more, &need))
        return err_set(e, EFBIG, "initrd: too large");
    if (need <= c->room)
        return 0;

    size_t room = need + need / 2;
    uint8_t *data = realloc(c->data, room);

    if (!data)
        return err_set(e, ENOMEM, "initrd: out of memory");
    c->data = data;
    c->room = room;
    return 0;
}

static void put(struct cpio *c, const void *data, size_t len)
{
    if (len)
        memcpy(c->data + c->len, data, len);
    c->len += len;
}

/* Headers and contents each start at a multiple of four. */
static void align(struct cpio *c)
{
    static const uint8_t zero[4];

    put(c, zero, -c->len & 3);
}

static int add(struct cpio *c, const char *path, uint32_t mode, uint32_t rdev_major,
               uint32_t rdev_minor, const void *data, size_t len, struct err *e)
{
    char header[HEADER + 1];
    size_t name = strlen(path) + 1;

    if (name > NAME_MAX_ || len > UINT32_MAX)
        return err_set(e, EFBIG, "initrd: %s: too large", path);

    int err = grow(c, HEADER + name + len + 8, e);

    if (err)
        return err;
    /* magic, inode, mode, uid, gid, links, mtime, size, device (two), rdev (two), name size, check
     */
    snprintf(header, sizeof(header), "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
             ++c->inode, mode, 0U, 0U, S_ISDIR(mode) ? 2U : 1U, 0U, (uint32_t)len, 0U, 0U,
             rdev_major, rdev_minor, (uint32_t)name, 0U);
    put(c, header, HEADER);
    put(c, path, name);
    align(c);
    put(c, data, len);
    align(c);
    return 0;
}

int cpio_add(struct cpio *c, const char *path, uint32_t mode, const void *data, size_t len,
             struct err *e)
{
    return add(c, path, mode, 0, 0, data, len, e);
}

int cpio_add_chardev(struct cpio *c, const char *path, uint32_t mode, uint32_t major,
                     uint32_t minor, struct err *e)
{
    return add(c, path, S_IFCHR | mode, major, minor, NULL, 0, e);
}

int cpio_end(struct cpio *c, struct err *e)
{
    c->inode = UINT32_MAX; /* the trailer's is 0 */
    return add(c, "TRAILER!!!", 0, 0, 0, NULL, 0, e);
}

static int add_modules(struct cpio *c, const struct module_list *modules, struct err *e)
{
    char path[NAME_MAX_ + 1];
    char *order = NULL;
    size_t order_len = 0;
    FILE *f = open_memstream(&order, &order_len);
    int err = 0;

    if (!f)
        return err_set(e, ENOMEM, "initrd: out of memory");
    for (size_t i = 0; i < modules->n && !err; i++) {
        const struct module *m = &modules->m[i];

        fprintf(f, "%s%s.ko\n", m->verity ? MODULE_VERITY : "", m->name);
        if (snprintf(path, sizeof(path), "modules/%s.ko", m->name) >= (int)sizeof(path))
            err = err_set(e, EFBIG, "initrd: module name too long");
        else
            err = cpio_add(c, path, S_IFREG | 0644, m->data, m->len, e);
    }
    if (fclose(f) && !err)
        err = err_set(e, ENOMEM, "initrd: out of memory");
    if (!err)
        err = cpio_add(c, "modules/order", S_IFREG | 0644, order, order_len, e);
    free(order);
    return err;
}

int initrd_make(const void *init, size_t init_len, const struct module_list *modules,
                struct cpio *out, struct err *e)
{
    static const char *const dirs[] = { "dev", "proc", "sys", "run", "root", "modules" };
    int err = 0;

    *out = (struct cpio){ 0 };
    for (size_t i = 0; i < array_len(dirs) && !err; i++)
        err = cpio_add(out, dirs[i], S_IFDIR | 0755, NULL, 0, e);
    if (!err) /* so that init has a standard output before it mounts /dev */
        err = cpio_add_chardev(out, "dev/console", 0600, 5, 1, e);
    if (!err)
        err = cpio_add(out, "init", S_IFREG | 0755, init, init_len, e);
    if (!err && modules->n > 0)
        err = add_modules(out, modules, e);
    if (!err)
        err = cpio_end(out, e);
    if (err)
        cpio_fini(out);
    return err;
}
