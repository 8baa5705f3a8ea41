/*
 * seccomp.h - which system calls a process may make, as a model, and the proof that a filter says
 * so.
 *
 * The model is a list of allowed calls with conditions of two forms only: an argument, masked,
 * equals a value. Everything else gets the default action. A filter compiled from it (by whoever)
 * is believed only after seccomp_verify has run it next to the model on both sides of every
 * condition (design D10; libseccomp's range operators once made weaker filters than their rules).
 */
#ifndef POLICIES_SECCOMP_H
#define POLICIES_SECCOMP_H

#include "policies/bpf.h"

#define SECCOMP_ARGS 6u

/* (args[index] & mask) == value. The whole argument: mask = UINT64_MAX. */
struct seccomp_arg {
    uint8_t index;
    uint64_t mask, value;
};

/* Allows call nr where all conditions hold; several rules for one nr allow what any of them does.
 */
struct seccomp_rule {
    uint32_t nr; /* x86-64 number */
    uint8_t nargs;
    struct seccomp_arg arg[SECCOMP_ARGS];
    const char *reason; /* why this process needs it: for people */
};

struct seccomp_model {
    uint32_t otherwise; /* SECCOMP_RET_* for what no rule allows */
    uint32_t foreign;   /* SECCOMP_RET_* for other architectures and the x32 ABI */
    const struct seccomp_rule *rules;
    uint32_t nrules;
};

/*
 * Is the model itself sound? Indices in range, no index twice in a rule, value inside mask, mask
 * not zero, numbers below the x32 bit, default and foreign actions that do not allow. -EINVAL says
 * where.
 */
must_check int seccomp_check(const struct seccomp_model *m, struct err *e);

/* What the model says: SECCOMP_RET_ALLOW, m->otherwise, or m->foreign. Total. */
uint32_t seccomp_decide(const struct seccomp_model *m, const struct bpf_call *call);

/* One call on which filter and model differ. */
struct seccomp_witness {
    struct bpf_call call;
    uint32_t filter, model;
};

/*
 * Runs filter and model side by side: every number a rule names and its neighbours, other
 * architectures, and for each rule every assignment of its arguments to both sides of every
 * condition bit, alone and in pairs with the other rules of the call. 0 = they agree everywhere;
 * -EINVAL = the kernel would refuse the filter; -EILSEQ = *w is where they differ. tried, when not
 * NULL, gets the number of calls compared.
 */
must_check int seccomp_verify(const struct seccomp_model *m, const struct bpf_insn *prog,
                              uint32_t len, struct seccomp_witness *w, uint64_t *tried,
                              struct err *e);

#endif
