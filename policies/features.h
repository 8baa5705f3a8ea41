/*
 * features.h - which features a policy makes use of, which exclude each other, which a host lacks.
 */
#ifndef POLICIES_FEATURES_H
#define POLICIES_FEATURES_H

#include "policies/plan.h"

/* Bit per enum feature. */
uint64_t features_of(const struct policy *p);

/* Where the policy says so. */
struct spot feature_place(const struct policy *p, enum feature f);

/* Adds an error for each feature that h lacks, and for each pair that excludes each other. */
must_check bool features_check(const struct policy *p, uint64_t features,
                               const struct host_facts *h, struct problems *ps);

#endif
