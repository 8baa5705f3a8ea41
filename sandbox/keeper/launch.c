/*
 * launch.c - from a directory and the parts that were handed over to a machine.
 *
 * The engine gets descriptors and no names.
 */
#include "sandbox/keeper/keeper.h"

#include "base/fd.h"
#include "sandbox/keeper/disk.h"

void keeper_parts_close(struct keeper_parts *p)
{
    int *const all[] = { &p->kernel, &p->initrd, &p->image,   &p->disk,
                         &p->port,   &p->files,  &p->console, &p->log };

    for (size_t i = 0; i < array_len(all); i++)
        fd_closep(all[i]);
    while (p->nspares)
        fd_closep(&p->spares[--p->nspares]);
    while (p->nvolumes)
        fd_closep(&p->volumes[--p->nvolumes].fd);
}

int keeper_launch(struct keeper *k, struct keeper_parts *given, char hint[240], struct err *e)
{
    cleanup_with(keeper_parts_close) struct keeper_parts p = *given;
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
    p.open_disk = disk_open;
    return keeper_begin(k, &p, hint, e);
}
