/* job.c - image import, pull and build, kernel add and fetch: long work on strangers' archives. */
#include "sandbox/cli/size.h"
#include "sandbox/cli/tell.h"
#include "sandbox/cli/verbs.h"
#include "sandbox/image/image.h"
#include "sandbox/image/kernel.h"

#include <errno.h>

static int import_options(struct cli *c, struct import_options *o, struct err *e)
{
    const char *max = args_text(c->args, OPT_MAX_BYTES);

    *o = (struct import_options){ .tag = args_text(c->args, OPT_TAG) };
    if (max && (size_parse(max, &o->bytes_max) || !o->bytes_max))
        return err_set(e, EINVAL, "--max-size: not a size: \"%s\" (like 512M, 2G)", max);
    return 0;
}

int verb_image_import(struct cli *c)
{
    struct err e = ERR_INIT;
    const char *name = c->args->operands[0];
    struct import_options o;

    if (import_options(c, &o, &e))
        return cli_fail_usage(c, &e, NULL);
    if (image_import(name, c->args->operands[1], &o, cli_progress, c, &e))
        return cli_fail(c, "image", &e, NULL);
    return tell_image(c, name);
}

int verb_image_pull(struct cli *c)
{
    struct err e = ERR_INIT;
    const char *ref = c->args->operands[0], *name = c->args->operands[1];
    struct import_options o;

    if (import_options(c, &o, &e))
        return cli_fail_usage(c, &e, NULL);
    if (image_pull(name, ref, &o, cli_progress, c, &e))
        return cli_fail(c, "image", &e,
                        e.code == ENOENT
                            ? "apt-get install skopeo   or   `docker save`, and carrel "
                              "image import NAME ARCHIVE"
                            : NULL);
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
