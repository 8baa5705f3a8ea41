/*
 * profile.h - the filters of Carrel's own processes, compiled and proved, ready to be loaded.
 */
#ifndef SANDBOX_CONFINE_PROFILE_H
#define SANDBOX_CONFINE_PROFILE_H

#include "policies/profile.h"
#include "sandbox/confine/compile.h"

/*
 * The filter of the process of this name (processes.h) in a sandbox with these uses. prog has room
 * for BPF_INSNS_MAX instructions. -ENOENT: no such process; else as filter_compile.
 */
must_check int confine_profile(const char *name, unsigned uses, struct bpf_insn *prog,
                               uint32_t *len, struct err *e);

/* Compiles every filter of a profile; they live in its arena. */
must_check int confine_compile(struct profile *f, struct err *e);

#endif
