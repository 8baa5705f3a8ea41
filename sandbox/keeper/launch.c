/*
 * launch.c - from a directory to the parts of a machine, opened by the user's own rights.
 *
 * The engine gets descriptors and no names.
 */
#include "sandbox/keeper/keeper.h"

#include "base/fd.h"
#include "sandbox/image/image.h"
#include "sandbox/image/kernel.h"
#include "sandbox/keeper/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static void parts_close(struct keeper_parts *p)
{
    int *const all[] = {
        &p->kernel, &p->initrd, &p->image, &p->disk, &p->port, &p->console, &p->log
    };

    for (size_t i = 0; i < array_len(all); i++)
        fd_closep(all[i]);
}

static int open_image(struct keeper *k, struct keeper_parts *p, struct err *e)
{
    struct image img;
    int err;

    if (!k->cfg.image)
        return err_set(e, EINVAL, "the sandbox has no image");
    if (strchr(k->cfg.image, '/')) {
        p->image = open(k->cfg.image, O_RDONLY | O_CLOEXEC);
        return p->image < 0 ? err_sys(e, "image %s", k->cfg.image) : 0;
    }
    err = image_load(k->cfg.image, &img, e);
    if (err)
        return err;
    p->image = image_open(&img, false, e);
    image_fini(&img);
    return p->image < 0 ? p->image : 0;
}

static int open_kernel(struct keeper *k, struct keeper_parts *p, struct err *e)
{
    struct kernel kernel;
    int err = kernel_load(k->cfg.kernel, &kernel, e);

    if (err)
        return err;
    err = kernel_open(&kernel, &p->kernel, &p->initrd, e);
    kernel_fini(&kernel);
    return err;
}

static int open_parts(struct keeper *k, struct keeper_parts *p, char hint[240], struct err *e)
{
    int err = open_kernel(k, p, e);

    if (!err)
        err = open_image(k, p, e);
    if (!err && k->cfg.disk_bytes) {
        p->disk = disk_open(k->boxfd, k->cfg.disk_bytes, hint, e);
        err = p->disk < 0 ? p->disk : 0;
    }
    return err;
}

int keeper_launch(struct keeper *k, char hint[240], struct err *e)
{
    cleanup_with(parts_close) struct keeper_parts p = KEEPER_PARTS_INIT;
    char why[240];
    int err = keeper_claim(k, e);

    if (err)
        return err;
    k->engine = engine_choose(k->cfg.engine, why, hint, e);
    if (!k->engine)
        return -e->code;
    keeper_log(k, "engine %s: %s", k->engine->name, why);
    keeper_trace(k, "engine chosen");
    hint[0] = '\0'; /* it was about the engine that was not chosen */
    err = open_parts(k, &p, hint, e);
    return err ? err : keeper_begin(k, &p, e);
}
