/*
 * compile.h - from a seccomp model to a filter that may be loaded.
 *
 * libseccomp does the compiling and is given masked-equal conditions only; what comes back is run
 * against the model (policies/seccomp.h) before anybody sees it. A filter that leaves here agrees
 * with its rules, or nothing leaves.
 */
#ifndef SANDBOX_CONFINE_COMPILE_H
#define SANDBOX_CONFINE_COMPILE_H

#include "policies/seccomp.h"

/*
 * prog has room for BPF_INSNS_MAX instructions; *len is how many were used. -E2BIG: more than the
 * kernel takes (P12); -EILSEQ: compiled wrong (P13); -EINVAL: the model is unsound.
 */
must_check int filter_compile(const struct seccomp_model *m, struct bpf_insn *prog, uint32_t *len,
                              struct err *e);

#endif
