/* job.c - image import and build, kernel add and fetch: long work on strangers' archives. */
#include "sandbox/cli/tell.h"
#include "sandbox/cli/verbs.h"
#include "sandbox/image/image.h"
#include "sandbox/image/kernel.h"

#include <errno.h>

int verb_image_import(struct cli *c)
{
    struct err e = ERR_INIT;
    const char *name = c->args->operands[0];
    const struct import_options o = { 0 };

    if (image_import(name, c->args->operands[1], &o, cli_progress, c, &e))
        return cli_fail(c, "image", &e, NULL);
    return tell_image(c, name);
}

int verb_image_build(struct cli *c)
{
    struct err e = ERR_INIT;
    const char *name = c->args->operands[0];
    bool force = args_has(c->args, OPT_REBUILD);

    if (image_build(name, force, cli_progress, c, &e))
        return cli_fail(c, "image", &e, e.code == ENOENT ? "carrel doctor" : NULL);
    return tell_image(c, name);
}

int verb_kernel_add(struct cli *c)
{
    struct err e = ERR_INIT;
    const char *name = c->args->operands[0];

    if (kernel_add(name, c->args->operands[1], args_text(c->args, OPT_MODULES), cli_progress, c,
                   &e))
        return cli_fail(c, "kernel", &e, NULL);
    return tell_kernel(c, name);
}

int verb_kernel_fetch(struct cli *c)
{
    struct err e = ERR_INIT;
    const char *name = c->args->noperands ? c->args->operands[0] : "debian";

    if (kernel_fetch(name, args_text(c->args, OPT_PACKAGE), cli_progress, c, &e))
        return cli_fail(c, "kernel", &e, NULL);
    return tell_kernel(c, name);
}
