/* job_main.c - carrel-job: the verbs of carrel that parse archives, kernels and policies. See
 * main.c. */
#include "sandbox/cli/dispatch.h"
#include "sandbox/cli/parts.h"
#include "sandbox/cli/verbs.h"
#include "sandbox/cli/volumes.h"

#include <errno.h>
#include <string.h>

static verb_function *const own[VERB_COUNT] = {
    [VERB_CP] = verb_cp,
    [VERB_EXPORT] = verb_export,
    [VERB_MEMORY_LS] = verb_memory_ls,
    [VERB_MEMORY_SHOW] = verb_memory_show,
    [VERB_MEMORY_DIFF] = verb_memory_diff,
    [VERB_MEMORY_ROLLBACK] = verb_memory_rollback,
    [VERB_MEMORY_EXPORT] = verb_memory_export,
    [VERB_MEMORY_RM] = verb_memory_rm,
    [VERB_IMAGE_IMPORT] = verb_image_import,
    [VERB_IMAGE_PULL] = verb_image_pull,
    [VERB_IMAGE_BUILD] = verb_image_build,
    [VERB_IMAGE_INSPECT] = verb_image_inspect,
    [VERB_KERNEL_ADD] = verb_kernel_add,
    [VERB_KERNEL_FETCH] = verb_kernel_fetch,
    [VERB_POLICY_LS] = verb_policy_ls,
    [VERB_POLICY_LINT] = verb_policy_lint,
    [VERB_POLICY_SHOW] = verb_policy_show,
    [VERB_POLICY_CHECK] = verb_policy_check,
    [VERB_POLICY_EXPLAIN] = verb_policy_explain,
    [VERB_POLICY_DIFF] = verb_policy_diff,
    [VERB_POLICY_NARROWER] = verb_policy_narrower,
    [VERB_POLICY_TEST] = verb_policy_test,
    [VERB_POLICY_SCHEMA] = verb_policy_schema,
    [VERB_POLICY_APPLY] = verb_policy_apply,
    [VERB_POLICY_COMPILE] = verb_policy_compile,
    [VERB_POLICY_SECCOMP] = verb_policy_seccomp,
    [VERB_POLICY_KEYGEN] = verb_policy_keygen,
    [VERB_POLICY_SIGN] = verb_policy_sign,
    [VERB_POLICY_VERIFY] = verb_policy_verify,
    [VERB_POLICY_GRANT] = verb_policy_grant,
    [VERB_POLICY_SIMULATE] = verb_policy_simulate,
    [VERB_POLICY_LEARN] = verb_policy_learn,
    [VERB_AUDIT_LS] = verb_audit_ls,
    [VERB_AUDIT_VERIFY] = verb_audit_verify,
    [VERB_AUDIT_QUERY] = verb_audit_query,
    [VERB_AUDIT_TAIL] = verb_audit_tail,
    [VERB_AUDIT_REPORT] = verb_audit_report,
    [VERB_AUDIT_EXPORT] = verb_audit_export,
    [VERB_AUDIT_PRUNE] = verb_audit_prune,
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
    if (argc == 4 && strcmp(argv[1], PARTS_OPTION) == 0) /* from parts.c, not from a person */
        return parts_serve(argv[2], argv[3]);
    if ((argc == 2 || argc == 3) && /* from volumes.c */
        (strcmp(argv[1], VOLUMES_PREPARE) == 0 || strcmp(argv[1], VOLUMES_CHANGES) == 0))
        return volumes_serve(argv[1], argc == 3);
    return dispatch(argc, argv, own, not_here);
}
