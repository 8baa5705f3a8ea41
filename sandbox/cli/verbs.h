/* verbs.h - what each verb does. Each returns the exit status. */
#ifndef SANDBOX_CLI_VERBS_H
#define SANDBOX_CLI_VERBS_H

#include "sandbox/cli/cli.h"

int verb_run(struct cli *c);
int verb_create(struct cli *c);
int verb_start(struct cli *c);
int verb_exec(struct cli *c);
int verb_shell(struct cli *c);
int verb_attach(struct cli *c);
int verb_ps(struct cli *c);
int verb_ls(struct cli *c);
int verb_logs(struct cli *c);
int verb_cp(struct cli *c);
int verb_export(struct cli *c);
int verb_memory_ls(struct cli *c);
int verb_memory_show(struct cli *c);
int verb_memory_diff(struct cli *c);
int verb_memory_rollback(struct cli *c);
int verb_memory_export(struct cli *c);
int verb_memory_rm(struct cli *c);
int verb_stop(struct cli *c);
int verb_kill(struct cli *c);
int verb_rm(struct cli *c);
int verb_wait(struct cli *c);
int verb_inspect(struct cli *c);
int verb_attest(struct cli *c);
int verb_image_ls(struct cli *c);
int verb_image_import(struct cli *c);
int verb_image_pull(struct cli *c);
int verb_image_build(struct cli *c);
int verb_image_rm(struct cli *c);
int verb_image_inspect(struct cli *c);
int verb_kernel_ls(struct cli *c);
int verb_kernel_add(struct cli *c);
int verb_kernel_fetch(struct cli *c);
int verb_kernel_default(struct cli *c);
int verb_kernel_rm(struct cli *c);
int verb_policy_ls(struct cli *c);
int verb_policy_lint(struct cli *c);
int verb_policy_show(struct cli *c);
int verb_policy_check(struct cli *c);
int verb_policy_explain(struct cli *c);
int verb_policy_diff(struct cli *c);
int verb_policy_narrower(struct cli *c);
int verb_policy_test(struct cli *c);
int verb_policy_schema(struct cli *c);
int verb_policy_apply(struct cli *c);
int verb_policy_compile(struct cli *c);
int verb_policy_seccomp(struct cli *c);
int verb_policy_keygen(struct cli *c);
int verb_policy_sign(struct cli *c);
int verb_policy_verify(struct cli *c);
int verb_policy_grant(struct cli *c);
int verb_policy_simulate(struct cli *c);
int verb_policy_learn(struct cli *c);
int verb_audit_ls(struct cli *c);
int verb_audit_verify(struct cli *c);
int verb_audit_query(struct cli *c);
int verb_audit_tail(struct cli *c);
int verb_audit_report(struct cli *c);
int verb_audit_export(struct cli *c);
int verb_audit_prune(struct cli *c);
int verb_gc(struct cli *c);
int verb_doctor(struct cli *c);
int verb_version(struct cli *c);
int verb_completion(struct cli *c);
int verb_help(struct cli *c);

#endif
