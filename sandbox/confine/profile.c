/* profile.c - see profile.h. */
#include "sandbox/confine/profile.h"

#include <errno.h>
#include <string.h>

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

static void keep(struct profile *f, struct filter *out, const struct bpf_insn *prog, uint32_t len)
{
    struct bpf_insn *copy = arena_get(&f->arena, len * sizeof(*copy));

    memcpy(copy, prog, len * sizeof(*copy));
    *out = (struct filter){ copy, len };
}

int confine_compile(struct profile *f, struct err *e)
{
    struct bpf_insn prog[BPF_INSNS_MAX];
    uint32_t len = 0;
    int err = 0;

    for (uint32_t i = 0; i < f->nprocesses && !err; i++) {
        err = confine_profile(f->processes[i].name, f->processes[i].uses, prog, &len, e);
        if (!err)
            keep(f, &f->processes[i].filter, prog, len);
    }
    for (uint32_t i = 0; i < f->ntools && !err; i++) {
        err = filter_compile(&f->tools[i].model, prog, &len, e);
        if (err)
            err_wrap(e, "tools/commands/%s", f->tools[i].id);
        else
            keep(f, &f->tools[i].filter, prog, len);
    }
    return err;
}
