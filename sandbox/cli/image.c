/* image.c - image ls and rm. What makes images is in job.c. */
#include "sandbox/image/image.h"

#include "sandbox/cli/listing.h"
#include "sandbox/cli/size.h"
#include "sandbox/cli/tell.h"
#include "sandbox/cli/verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static json_t *texts(char *const *list)
{
    json_t *a = json_array();

    for (size_t i = 0; list && list[i]; i++)
        json_array_append_new(a, cli_json_text(list[i]));
    return a;
}

/* "sha256:HEX", as others write it, or null. */
static json_t *digest(const char *hex)
{
    return hex ? json_sprintf("sha256:%s", hex) : json_null();
}

json_t *tell_image_object(const struct image *img)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:I, s:o, s:o, s:{s:s?, s:s?, s:o, s:o, s:o}}", "name",
                     img->name, "digest", img->digest, "manifest", digest(img->manifest), "id",
                     digest(img->id), "bytes", (json_int_t)img->bytes, "created",
                     cli_json_time(img->created_ns), "source",
                     img->source ? cli_json_text(img->source) : json_null(), "config", "user",
                     img->user, "cwd", img->cwd, "env", texts(img->env), "entrypoint",
                     texts(img->entrypoint), "cmd", texts(img->cmd));
}

static void add_row(struct grid *g, const struct image *img)
{
    char buf[64];

    grid_add(g, img->name);
    snprintf(buf, sizeof(buf), "%.12s", img->digest);
    grid_add(g, buf);
    grid_add(g, size_text(img->bytes, buf, sizeof(buf)));
    grid_add(g, time_text(img->created_ns, buf, sizeof(buf)));
    grid_add(g, img->source ? img->source : "");
}

int tell_image(struct cli *c, const char *name)
{
    struct err e = ERR_INIT;
    struct image img;
    char size[32];
    int status = 0;

    cli_progress_end(c);
    if (image_load(name, &img, &e))
        return cli_fail(c, "image", &e, NULL);
    if (c->json) {
        status = cli_json(c, tell_image_object(&img)) ? 0 : EXIT_NO;
    } else {
        puts(img.name);
        cli_note(c, "image %s: %s, sha256 %.12s", img.name,
                 size_text(img.bytes, size, sizeof(size)), img.digest);
    }
    image_fini(&img);
    return status ? status : cli_finish(c);
}

int verb_image_ls(struct cli *c)
{
    static const char *const columns[] = { "name", "digest", "size", "created", "source", NULL };
    struct image *all = NULL;
    struct err e = ERR_INIT;
    struct listing l;
    size_t n = 0;
    int status = listing_begin(&l, c, columns, "name,digest,size,created,source");

    if (status)
        return status;
    if (image_list(&all, &n, &e))
        return listing_end(&l, false, cli_fail(c, "image", &e, NULL));
    for (size_t i = 0; i < n; i++) {
        if (l.array)
            json_array_append_new(l.array, tell_image_object(&all[i]));
        else if (!listing_name(&l, all[i].name))
            add_row(&l.grid, &all[i]);
        image_fini(&all[i]);
    }
    free(all);
    return listing_end(&l, true, 0);
}

int verb_image_rm(struct cli *c)
{
    int status = 0;

    for (size_t i = 0; i < c->args->noperands; i++) {
        const char *name = c->args->operands[i];
        struct err e = ERR_INIT;
        int err = image_remove(name, &e);

        if (err == -ENOENT && args_has(c->args, OPT_FORCE))
            continue;
        if (err)
            status = cli_fail(c, "image", &e, "carrel image ls");
        else if (c->json)
            status = cli_json(c, json_pack("{s:s}", "name", name)) ? status : EXIT_NO;
        else
            puts(name);
    }
    return status ? status : cli_finish(c);
}
