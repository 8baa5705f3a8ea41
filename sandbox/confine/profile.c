/* profile.c - see profile.h. */
#include "sandbox/confine/profile.h"

#include <errno.h>

int confine_profile(const char *name, unsigned uses, struct bpf_insn *prog, uint32_t *len,
                    struct err *e)
{
    const struct process *p = process_find(name);
    struct seccomp_rule rules[PROCESS_RULES_MAX];
    struct seccomp_model m;
    int err;

    if (!p)
        return err_set(e, ENOENT, "no process \"%s\" has a filter", name);
    process_model(p, uses, rules, &m);
    err = filter_compile(&m, prog, len, e);
    return err ? err_wrap(e, "%s", name) : 0;
}
