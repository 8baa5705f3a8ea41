/* image_inspect.c - image inspect: --verify reads the whole image. */
#include "base/fd.h"
#include "sandbox/cli/tell.h"
#include "sandbox/cli/verbs.h"
#include "sandbox/image/image.h"

int verb_image_inspect(struct cli *c)
{
    bool verify = args_has(c->args, OPT_VERIFY);
    json_t *all = json_array();
    size_t n = c->args->noperands;
    int status = 0;

    for (size_t i = 0; i < n; i++) {
        struct err e = ERR_INIT;
        struct image img;

        if (image_load(c->args->operands[i], &img, &e)) {
            status = cli_fail(c, "image", &e, "carrel image ls");
            continue;
        }

        auto_fd int fd = verify ? image_open(&img, true, &e) : -1;

        if (verify && fd < 0)
            status = cli_fail(c, "image", &e, "import or build it again");
        else
            json_array_append_new(all, tell_image_object(&img));
        image_fini(&img);
    }
    for (size_t i = 0; i < (n > 1 ? 1 : json_array_size(all)); i++) {
        json_t *shown = n > 1 ? all : json_array_get(all, 0);

        json_dumpf(shown, stdout, c->json ? JSON_COMPACT : JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(all);
    return status ? status : cli_finish(c);
}
