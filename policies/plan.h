/*
 * plan.h - a policy, a request and the facts of a host become a plan, in which every number is
 * final. What the host or the engine cannot enforce, and features that exclude each other, are
 * refused here, by name and place, and never later. Nothing after the plan makes a choice.
 */
#ifndef POLICIES_PLAN_H
#define POLICIES_PLAN_H

#include "policies/policy.h"
#include "policies/text.h"

/* What a policy can need and an engine on a host can give. */
enum feature {
    FEATURE_CPU_QUOTA,
    FEATURE_NESTED,
    FEATURE_BALLOON,
    FEATURE_HUGEPAGES,
    FEATURE_SWAP,
    FEATURE_VERITY,
    FEATURE_SAVE,
    FEATURE_RESTORE,
    FEATURE_FORK,
    FEATURE_COMMANDS, /* decisions on programs in the guest */
    FEATURE_BROKER,   /* … made outside it */
    FEATURE_HOST_TOOLS,
    FEATURE_MCP,
    FEATURE_OVERLAY, /* a root that takes writes */
    FEATURE_MOUNTS,
    FEATURE_VOLUMES,
    FEATURE_NETWORK,
    FEATURE_PUBLISH,
    FEATURE_SECRETS,
    FEATURE_MODELS,
    FEATURE_VFIO,
    FEATURE_VHOST_USER,
    FEATURE_AUDIT,
    FEATURES,
};

/* What the host can do; filled by who looked. */
struct host_facts {
    const char *engine;                         /* "kvm", "qemu", "libvirt" */
    uint64_t features;                          /* bit per enum feature */
    bool landlock, seccomp, userns, core_sched; /* confinement that works here */
    bool interrupt_remapping;
    uint64_t cpus, memory; /* memory: bytes that may be given away */
};

/* What was asked for at start; 0 and NULL: whatever the policy says. */
struct plan_request {
    uint64_t vcpus, memory, wall_ms, idle_ms;
    uint64_t disk;            /* bytes of a writable layer on disk */
    bool restore, save, fork; /* features that will be used in this run */
    const char *image, *image_sha256, *kernel_sha256;
    const struct pair *vars; /* of the caller, for ${name} in sources; "cwd" is always wanted */
    uint32_t nvars;
};

struct plan_mount {
    const char *id, *source, *target; /* source is resolved; NULL for a volume */
    uint64_t access;                  /* words_access, or words_memory for a volume */
    uint64_t share;                   /* words_share */
    uint64_t bytes, inodes, keep, retain_ms;
    bool volume;
};

struct plan {
    char policy_hash[65];
    const char *policy, *engine;
    uint64_t mode;
    uint64_t vcpus, cpu_percent, memory, swap, hugepages;
    bool nested, balloon, verity;
    uint64_t wall_ms, idle_ms, pids, open_files, console;
    uint64_t budget_cpu_ms, budget_egress, budget_tool_calls, budget_forks, budget_tokens;
    bool landlock, seccomp, userns, core_sched;
    bool save, restore, reseed;
    uint64_t snapshot_max_age_ms;
    const char *image, *image_sha256, *kernel_sha256;
    uint64_t root, root_bytes, root_inodes, on_full;
    uint64_t disk; /* bytes; 0: what the guest writes stays in its memory */
    struct plan_mount *mounts;
    uint32_t nmounts;
    uint32_t commands, host_tools, mcp_servers, net_rules, net_denials, publish, secrets, models,
        devices;
    uint64_t audit_level, audit_checkpoint_ms, audit_on_fail, audit_retain_ms;
    uint64_t features;  /* what this plan makes use of */
    const char **notes; /* choices that the plan made, one sentence each */
    uint32_t nnotes;
    struct arena arena; /* owned */
};

/* NULL when ps got an error. */
struct plan *plan_make(const struct policy *p, const struct plan_request *r,
                       const struct host_facts *h, struct problems *ps);

void plan_free(struct plan *plan);

/* Where a mount comes from, with the caller's variables in place; NULL when it speaks of one that
 * the caller did not give. In the arena, or the mount's own text. */
const char *plan_source(struct arena *a, const struct mount *m, const struct pair *vars,
                        uint32_t nvars);

void plan_print(const struct plan *plan, struct text *out);
void plan_json(const struct plan *plan, struct text *out);

const char *feature_name(enum feature f);

#endif
