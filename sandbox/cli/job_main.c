/* job_main.c - carrel-job: the verbs of carrel that parse archives and kernels. See main.c. */
#include "sandbox/cli/dispatch.h"
#include "sandbox/cli/verbs.h"

#include <errno.h>

static verb_function *const own[VERB_COUNT] = {
    [VERB_CP] = verb_cp,
    [VERB_IMAGE_IMPORT] = verb_image_import,
    [VERB_IMAGE_BUILD] = verb_image_build,
    [VERB_KERNEL_ADD] = verb_kernel_add,
    [VERB_KERNEL_FETCH] = verb_kernel_fetch,
};

static int not_here(struct cli *c, char **argv)
{
    struct err e = ERR_INIT;

    (void)argv;
    err_set(&e, EINVAL, "carrel-job is a part of carrel: call carrel");
    return cli_fail_usage(c, &e, NULL);
}

int main(int argc, char **argv)
{
    return dispatch(argc, argv, own, not_here);
}
