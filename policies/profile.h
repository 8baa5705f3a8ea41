/*
 * profile.h - from a policy and its plan to what confines each process: for each program of the
 * guest (a rule of tools.commands) its system calls, capabilities, file trees, limits, environment;
 * for the sandbox on the host its control group, devices, and the filters of Carrel's own
 * processes. Pure: numbers and names, nothing is applied here.
 */
#ifndef POLICIES_PROFILE_H
#define POLICIES_PROFILE_H

#include "policies/plan.h"
#include "policies/processes.h"

/* linux/landlock.h; ABI 1 to 5 handle ever more. */
#define LANDLOCK_ABIS 5u

/* A compiled filter. NULL until it is. */
struct filter {
    const struct bpf_insn *prog;
    uint32_t len;
};

struct file_tree {
    const char *path;
    bool write;
};

struct tool_profile {
    const char *id;     /* of the rule */
    const char *exec;   /* the program, or a pattern over paths */
    const char *sha256; /* of the program's content; "": any */
    bool shell, brokered;
    uint64_t user;    /* user and group id */
    uint64_t caps;    /* bit per Linux capability: permitted, effective and bounding set */
    uint64_t cpu_s;   /* RLIMIT_CPU */
    uint64_t as;      /* RLIMIT_AS */
    uint64_t fsize;   /* RLIMIT_FSIZE */
    uint64_t nofile;  /* RLIMIT_NOFILE */
    struct texts env; /* names that the caller may set, or patterns */
    struct pairs set; /* variables that are always these */
    struct texts network, spawn;
    struct file_tree *trees; /* the rule's, then what every program has; a later one adds */
    uint32_t ntrees;
    struct seccomp_model model; /* what the filter must say; not part of a bundle */
    struct filter filter;
};

struct cgroup_value {
    uint8_t version; /* 1 or 2 */
    const char *file, *value;
};

/* Threads of carrel-vmm: vCPUs, I/O, and the one that KVM makes for itself at the first KVM_RUN
 * (huge page recovery; since Linux 6.13 it counts as the process's own). */
#define VMM_THREADS(vcpus) ((uint64_t)(vcpus) + 2)

struct device_profile {
    const char *id;
    uint64_t attach, vendor, class; /* words of the language */
    uint16_t class_lo, class_hi;    /* PCI class codes */
    struct texts ids;               /* vendor:device; none: every one of the vendor */
    uint64_t count, exclusive, remapped, reset, between;
};

struct process_profile {
    const char *name;
    uint32_t uses;
    struct filter filter;
};

struct profile {
    const char *policy, *policy_hash, *engine;
    const char *plan; /* its JSON */
    struct cgroup_value *cgroup;
    uint32_t ncgroup;
    struct texts nodes; /* device nodes of the host that the machine is given */
    struct device_profile *devices;
    uint32_t ndevices;
    struct process_profile *processes;
    uint32_t nprocesses;
    struct tool_profile *tools; /* as in the policy */
    uint32_t ntools;
    struct arena arena; /* owned */
};

/*
 * The plan of a policy by itself: as much as it allows, on a host that has everything; a directory
 * of the caller stands there as /${name}. So what is compiled from it depends on the policy and the
 * engine only. NULL when ps got an error.
 */
struct plan *profile_plan(const struct policy *p, const char *engine, struct problems *ps);

/* Never fails. The profile borrows from policy and plan; it has no filters yet. */
struct profile *profile_make(const struct policy *p, const struct plan *plan);

void profile_free(struct profile *f);

/* The tool with this id, or NULL. */
const struct tool_profile *profile_tool(const struct profile *f, const char *id);

/*
 * What a program with these calls may do, arguments included: sockets of local and internet
 * families, no namespaces of its own (clone3 says ENOSYS, for its flags cannot be seen), nothing
 * pushed into a terminal's input. A condition that another granted call gets around is dropped:
 * unshare for namespaces, io_uring_setup for sockets. So a program with fewer calls never has more.
 */
void tool_model(struct arena *a, const struct bits *calls, struct seccomp_model *m);

/* Landlock: what a ruleset of this ABI handles; what a tree grants. A rule is the latter cut to the
 * former; on what is no directory, also to landlock_of_files. */
uint64_t landlock_handled(unsigned abi);
uint64_t landlock_access(bool write);
uint64_t landlock_of_files(void);

#endif
