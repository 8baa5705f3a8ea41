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

/*
 * Allows call nr where all conditions hold; several rules for one nr allow what any of them does.
 * With an action (SECCOMP_RET_ERRNO | n) the call gets that instead, whatever its arguments: for a
 * call whose absence a C library copes with, when it is told so in the right words.
 */
struct seccomp_rule {
    uint32_t nr; /* x86-64 number */
    uint8_t nargs;
    uint32_t action; /* 0: allow */
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
 * not zero, numbers below the x32 bit, default and foreign actions that do not allow, a rule with
 * an action the only one of its call. -EINVAL says where.
 */
must_check int seccomp_check(const struct seccomp_model *m, struct err *e);

/* What the model says: SECCOMP_RET_ALLOW, a rule's action, m->otherwise, or m->foreign. Total. */
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

#define SECCOMP_LEAVES_MAX (1u << 17)

/*
 * The exact answer: walks filter and model over calls of which only some bits are decided, and
 * decides one more wherever either of them looks at it. At the end every call there is lies in one
 * region on which both were seen to agree. Answers as seccomp_verify, and -E2BIG when that takes
 * more than SECCOMP_LEAVES_MAX regions; their number is in *leaves (may be NULL).
 */
must_check int seccomp_prove(const struct seccomp_model *m, const struct bpf_insn *prog,
                             uint32_t len, struct seccomp_witness *w, uint64_t *leaves,
                             struct err *e);

/* -EILSEQ, with the witness in words. */
int seccomp_differ(const struct seccomp_witness *w, struct err *e);

#endif
