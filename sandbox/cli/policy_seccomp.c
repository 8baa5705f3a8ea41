/* policy_seccomp.c - policy seccomp: filters from and to what OCI runtimes and Docker write. */
#include "sandbox/cli/policy_say.h"
#include "sandbox/cli/verbs.h"
#include "sandbox/confine/compile.h"
#include "sandbox/confine/oci.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* Taken over only when it compiles: a profile that makes no filter is no answer. */
static int take_over(struct cli *c, const char *json, size_t len)
{
    struct bpf_insn prog[BPF_INSNS_MAX];
    struct text t = TEXT_INIT;
    struct err e = ERR_INIT;
    struct oci_profile *p = oci_parse(json, len, &e);
    uint32_t n;
    int status;

    if (!p || filter_compile(&p->model, prog, &n, &e)) {
        status = cli_fail(c, "policy", &e, NULL);
    } else {
        if (c->json)
            oci_section_json(p, &t);
        else
            oci_section(p, &t);
        status = policy_say(c, &t, p->nnotes ? EXIT_NO : 0);
    }
    oci_free(p);
    return status;
}

static int import(struct cli *c, const char *file)
{
    struct err e = ERR_INIT;
    size_t len;
    char *json = io_load(AT_FDCWD, file, OCI_BYTES_MAX, &len, &e);
    int status = json ? take_over(c, json, len) : cli_fail(c, "policy", &e, NULL);

    free(json);
    return status;
}

static int export(struct cli *c, const char *id)
{
    struct policy_source s;
    struct err e = ERR_INIT;
    int status = 0;

    if (policy_open(c, 1, &s, &status)) {
        struct plan *plan = profile_plan(s.policy, "kvm", &s.problems);
        struct profile *p = plan ? profile_make(s.policy, plan) : NULL;
        const struct tool_profile *tool = p ? profile_tool(p, id) : NULL;
        struct text t = TEXT_INIT;

        if (!p) {
            status = policy_say_problems(c, &s.problems, EXIT_NO);
        } else if (!tool) {
            err_set(&e, ENOENT, "no command \"%s\" in the policy", id);
            status = cli_fail(c, "policy", &e, "TOOL is the id of a rule of tools.commands");
        } else {
            status = oci_write(&tool->model, &t, &e) ? cli_fail(c, "policy", &e, NULL)
                                                     : policy_say(c, &t, 0);
        }
        profile_free(p);
        plan_free(plan);
    }
    policy_source_fini(&s);
    return status;
}

int verb_policy_seccomp(struct cli *c)
{
    char **o = c->args->operands;
    struct err e = ERR_INIT;

    if (!strcmp(o[0], "import") && c->args->noperands == 2)
        return import(c, o[1]);
    if (!strcmp(o[0], "export") && c->args->noperands == 3)
        return export(c, o[2]);
    err_set(&e, EINVAL, "policy seccomp: neither an import nor an export");
    return cli_fail_usage(c, &e, "import FILE, or export POLICY TOOL");
}
