/*
 * scope.h - what carrel-files must know of a policy, and nothing else: the storage section, in
 * bytes of one spelling, so that two that mean the same are the same.
 */
#ifndef SANDBOX_FILES_SCOPE_H
#define SANDBOX_FILES_SCOPE_H

#include "base/err.h"
#include "policies/policy.h"
#include "policies/text.h"

#include <stddef.h>

#define SCOPE_BYTES_MAX (1u << 20) /* a document has 256 KiB */

/* Appends the bytes. */
void scope_write(const struct policy *p, struct text *out);

/* A policy with that section only, for ruleset_storage; policy_free is not for it. *a owns it.
 * NULL with *e set: these are not the bytes. */
const struct policy *scope_read(const void *bytes, size_t len, struct arena *a, struct err *e);

#endif
