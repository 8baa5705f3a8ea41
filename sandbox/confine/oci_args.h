/*
 * oci_args.h - the conditions of one entry of an OCI seccomp profile.
 */
#ifndef SANDBOX_CONFINE_OCI_ARGS_H
#define SANDBOX_CONFINE_OCI_ARGS_H

#include "base/err.h"
#include "policies/seccomp.h"
#include "sandbox/confine/ranges.h"

#include <jansson.h>

struct oci_condition {
    unsigned index;
    enum compare_op op;
    uint64_t a, b;
};

/* args may be NULL: none. */
must_check int oci_conditions(const json_t *args, struct oci_condition c[SECCOMP_ARGS], unsigned *n,
                              struct err *e);

#endif
