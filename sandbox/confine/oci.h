/*
 * oci.h - seccomp profiles as OCI runtimes and Docker write them (runtime-spec, linux.seccomp).
 *
 * Reading is exact: comparisons are taken apart into masked equalities, so that what is compiled
 * from them can be proved. What cannot be taken over as it stands is said in words, one sentence
 * each; nothing is ever taken over wider than it was written.
 */
#ifndef SANDBOX_CONFINE_OCI_H
#define SANDBOX_CONFINE_OCI_H

#include "policies/profile.h"

#define OCI_BYTES_MAX (1u << 20)
#define OCI_RULES_MAX 4096u

struct oci_profile {
    struct seccomp_model model; /* what the document says */
    struct bits add;            /* calls that a policy would name to say the same */
    const char **notes;         /* where it would not be the same */
    uint32_t nnotes;
    struct arena arena; /* owned */
};

/* The JSON of a config.json, of its linux.seccomp, or of a Docker profile. NULL and *e: it is none,
 * or would take more than OCI_RULES_MAX rules. */
struct oci_profile *oci_parse(const char *json, size_t len, struct err *e);
void oci_free(struct oci_profile *p);

/* The syscalls section of a command, in one line of YAML, with the shorter of the two bases; with
 * its notes as JSON. */
void oci_section(const struct oci_profile *p, struct text *out);
void oci_section_json(const struct oci_profile *p, struct text *out);

/* A model as linux.seccomp. */
must_check int oci_write(const struct seccomp_model *m, struct text *out, struct err *e);

#endif
