/*
 * main.c - carrel: the command line.
 *
 * Verbs that parse archives and kernels live in carrel-job, so that this program starts in a
 * millisecond and the libraries for them are not in the process that holds the terminal.
 */
#include "sandbox/cli/dispatch.h"
#include "sandbox/cli/verbs.h"
#include "sandbox/places.h"

#include <stdlib.h>
#include <unistd.h>

static verb_function *const own[VERB_COUNT] = {
    [VERB_RUN] = verb_run,
    [VERB_CREATE] = verb_create,
    [VERB_START] = verb_start,
    [VERB_EXEC] = verb_exec,
    [VERB_SHELL] = verb_shell,
    [VERB_ATTACH] = verb_attach,
    [VERB_PS] = verb_ps,
    [VERB_LS] = verb_ls,
    [VERB_LOGS] = verb_logs,
    [VERB_STOP] = verb_stop,
    [VERB_KILL] = verb_kill,
    [VERB_RM] = verb_rm,
    [VERB_WAIT] = verb_wait,
    [VERB_INSPECT] = verb_inspect,
    [VERB_ATTEST] = verb_attest,
    [VERB_IMAGE_LS] = verb_image_ls,
    [VERB_IMAGE_RM] = verb_image_rm,
    [VERB_KERNEL_LS] = verb_kernel_ls,
    [VERB_KERNEL_DEFAULT] = verb_kernel_default,
    [VERB_KERNEL_RM] = verb_kernel_rm,
    [VERB_GC] = verb_gc,
    [VERB_DOCTOR] = verb_doctor,
    [VERB_VERSION] = verb_version,
    [VERB_COMPLETION] = verb_completion,
    [VERB_HELP] = verb_help,
};

/* The same command line, in the program that can. */
static int become_job(struct cli *c, char **argv)
{
    struct err e = ERR_INIT;
    char *job = places_program("carrel-job", &e);

    if (!job)
        return cli_fail(c, "install", &e, "install or build Carrel as a whole");
    execv(job, argv);
    (void)err_sys(&e, "%s", job);
    free(job);
    return cli_fail(c, "install", &e, NULL);
}

int main(int argc, char **argv)
{
    return dispatch(argc, argv, own, become_job);
}
