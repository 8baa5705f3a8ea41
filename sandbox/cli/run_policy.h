/*
 * run_policy.h - the policy of a sandbox that is about to be made: the one that was named, or
 * `locked` with the numbers of the command line; and the plan that follows from it here.
 */
#ifndef SANDBOX_CLI_RUN_POLICY_H
#define SANDBOX_CLI_RUN_POLICY_H

#include "policies/plan.h"
#include "sandbox/cli/cli.h"
#include "sandbox/cli/policy_source.h"
#include "sandbox/store.h"

struct run_policy {
    struct policy_source source;
    struct plan *plan; /* owned */
    int parent;        /* owned: directory of the sandbox on whose behalf this one is; -1: none */
    char parent_name[BOX_NAME_MAX + 1];
};

/*
 * Fills rp, and the machine's numbers in cfg from the plan. -EACCES: the policy or the host says
 * no; every reason has been printed. run_policy_fini in either case.
 */
must_check int run_policy_make(struct cli *c, struct run_policy *rp, struct box_config *cfg,
                               char hint[HINT_MAX], struct err *e);

/* Into the sandbox's directory, for its keeper. */
must_check int run_policy_save(const struct run_policy *rp, int boxfd, bool durable, struct err *e);

/* --dry-run: prints the plan. The exit status. */
int run_policy_print(struct cli *c, const struct run_policy *rp);

/* Does it have a directory that the sandbox may change and that may leave it again? */
bool run_policy_has_workspace(const struct run_policy *rp);

/* … or a memory volume that it may add to? */
bool run_policy_has_memory(const struct run_policy *rp);

void run_policy_fini(struct run_policy *rp);

#endif
