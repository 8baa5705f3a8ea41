/* kernel.c - kernel ls, default, rm. What adds kernels is in job.c. */
#include "sandbox/image/kernel.h"

#include "sandbox/cli/listing.h"
#include "sandbox/cli/tell.h"
#include "sandbox/cli/verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static json_t *kernel_object(const struct kernel *k)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:b}", "name", k->name, "version",
                     k->version ? k->version : "", "digest", k->digest, "pvh", (int)k->pvh,
                     "verity", (int)k->verity, "default", (int)k->is_default);
}

static void add_row(struct grid *g, const struct kernel *k)
{
    char digest[16];

    grid_add(g, k->name);
    grid_add(g, k->version ? k->version : "");
    snprintf(digest, sizeof(digest), "%.12s", k->digest);
    grid_add(g, digest);
    grid_add(g, k->pvh ? "pvh" : "64-bit");
    grid_add(g, k->is_default ? "yes" : "");
}

int verb_kernel_ls(struct cli *c)
{
    static const char *const columns[] = { "name", "version", "digest", "entry", "default", NULL };
    struct kernel *all = NULL;
    struct err e = ERR_INIT;
    struct listing l;
    size_t n = 0;
    int status = listing_begin(&l, c, columns, "name,version,digest,entry,default");

    if (status)
        return status;
    if (kernel_list(&all, &n, &e))
        return listing_end(&l, false, cli_fail(c, "kernel", &e, NULL));
    for (size_t i = 0; i < n; i++) {
        if (l.array)
            json_array_append_new(l.array, kernel_object(&all[i]));
        else if (!listing_name(&l, all[i].name))
            add_row(&l.grid, &all[i]);
        kernel_fini(&all[i]);
    }
    free(all);
    return listing_end(&l, true, 0);
}

int tell_kernel(struct cli *c, const char *name)
{
    struct err e = ERR_INIT;
    struct kernel k;
    int err, status = 0;

    cli_progress_end(c);
    err = kernel_load(name, &k, &e);
    if (err)
        return cli_fail(c, "kernel", &e, err == -ENOENT ? "carrel kernel fetch" : NULL);
    if (c->json)
        status = cli_json(c, kernel_object(&k)) ? 0 : EXIT_NO;
    else
        puts(k.name);
    if (!c->json && name)
        cli_note(c, "kernel %s: %s%s", k.name, k.version ? k.version : "",
                 k.is_default ? ", the default" : "");
    kernel_fini(&k);
    return status ? status : cli_finish(c);
}

int verb_kernel_default(struct cli *c)
{
    struct err e = ERR_INIT;

    if (c->args->noperands && kernel_set_default(c->args->operands[0], &e))
        return cli_fail(c, "kernel", &e, "carrel kernel ls");
    return tell_kernel(c, NULL);
}

int verb_kernel_rm(struct cli *c)
{
    int status = 0;

    for (size_t i = 0; i < c->args->noperands; i++) {
        const char *name = c->args->operands[i];
        struct err e = ERR_INIT;
        int err = kernel_remove(name, &e);

        if (err == -ENOENT && args_has(c->args, OPT_FORCE))
            continue;
        if (err)
            status = cli_fail(c, "kernel", &e, "carrel kernel ls");
        else if (c->json)
            status = cli_json(c, json_pack("{s:s}", "name", name)) ? status : EXIT_NO;
        else
            puts(name);
    }
    return status ? status : cli_finish(c);
}
