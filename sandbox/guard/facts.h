/*
 * facts.h - what this host and an engine can enforce today: the other half of every plan.
 *
 * A line here is a promise: a feature is named only when something holds the guest to it.
 */
#ifndef SANDBOX_GUARD_FACTS_H
#define SANDBOX_GUARD_FACTS_H

#include "policies/plan.h"

/* engine: "kvm" or "qemu"; borrowed by the facts. cgroups: the user may make one with limits. */
struct host_facts facts_of(const char *engine, bool cgroups);

#endif
