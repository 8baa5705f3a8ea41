/*
 * policy_naive.h - the policy read as slowly and plainly as its documentation: no clauses, no
 * index, no code shared with policies/ but the data and the vocabularies. What decide says must be
 * what this says.
 */
#ifndef TESTS_POLICY_NAIVE_H
#define TESTS_POLICY_NAIVE_H

#include "policies/policy.h"
#include "policies/spaces.h"

bool naive_allows(const struct policy *p, const struct request *r);

#endif
