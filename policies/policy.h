/*
 * policy.h - a policy as typed data: what the document says, with the place of every word.
 *
 * The shape follows the field table (fields.h) member by member; a number, boolean or word is
 * always a uint64_t in base units. A field that is absent holds its default and its bit in `has` is
 * clear. All memory belongs to the policy's arena.
 */
#ifndef POLICIES_POLICY_H
#define POLICIES_POLICY_H

#include "policies/argv.h"
#include "policies/bits.h"
#include "policies/problems.h"

#define POLICY_FILES_MAX 64u

struct spot {
    uint32_t line;
    uint16_t col, file; /* file: index into policy.files */
};

#define OBJECT_KEYS_MAX 64u /* the bits of `has` */

/* The head of every map of the document. */
struct object {
    uint64_t has; /* bit i: field i of its table is in the document, or was inherited */
    uint64_t own; /* bit i: it is in the document */
    struct spot spot;
    struct spot *at; /* one a field */
};

struct range {
    uint64_t lo, hi; /* both inside */
};

struct ranges {
    struct range *v; /* sorted, disjoint */
    uint32_t n;
};

struct pair {
    const char *key, *value;
};

struct pairs {
    struct pair *v; /* sorted by key */
    uint32_t n;
};

struct matcher {
    const char *name;
    struct token token;
};

struct matchers {
    struct matcher *v; /* sorted by name */
    uint32_t n;
};

struct list {
    void **v; /* structs that begin with a struct object */
    uint32_t n;
};

struct policy_require {
    struct object o;
    uint64_t landlock, seccomp, userns, core_sched;
};

struct policy_cpu {
    struct object o;
    uint64_t vcpus, quota, nested;
};

struct policy_memory {
    struct object o;
    uint64_t max, balloon, hugepages, swap;
};

struct policy_limits {
    struct object o;
    uint64_t wall, idle, pids, open_files, console;
};

struct policy_budget {
    struct object o;
    uint64_t cpu, egress, tool_calls, forks, tokens;
};

struct policy_kernel {
    struct object o;
    const char *sha256;
};

struct policy_image {
    struct object o;
    const char *name, *sha256;
    uint64_t verity;
    struct policy_kernel kernel;
};

struct policy_snapshot {
    struct object o;
    uint64_t save, restore, max_age, reseed;
};

struct argv_rule {
    struct object o;
    struct argv_pattern allow, deny;
};

struct exec_file {
    struct object o;
    const char *path;
    uint64_t shell;
    const char *sha256;
};

struct exec_env {
    struct object o;
    struct texts allow;
    struct pairs set;
};

struct exec_syscalls {
    struct object o;
    uint64_t base;
    struct bits add, remove;
};

struct exec_rlimits {
    struct object o;
    uint64_t cpu, as, fsize;
};

struct exec_paths {
    struct object o;
    struct texts ro, rw;
};

struct command {
    struct object o;
    const char *id;
    struct exec_file exec;
    struct list argv; /* struct argv_rule */
    struct exec_env env;
    uint64_t user, broker;
    struct bits capabilities;
    struct exec_syscalls syscalls;
    struct exec_rlimits rlimits;
    struct exec_paths paths;
    struct texts network, spawn;
};

struct host_tool {
    struct object o;
    const char *id;
    struct argv_pattern command;
    const char *cwd;
    uint64_t approve;
};

struct mcp_tool {
    struct object o;
    const char *tool;
    struct matchers args;
};

struct mcp_server {
    struct object o;
    const char *id;
    struct argv_pattern server;
    const char *pin;
    struct list allow; /* struct mcp_tool */
    uint64_t max_body;
};

struct policy_tools {
    struct object o;
    uint64_t default_;
    struct list commands, host, mcp;
};

struct quota {
    struct object o;
    uint64_t bytes, inodes;
};

struct root_disk {
    struct object o;
    uint64_t mode;
    struct quota quota;
};

struct mount_links {
    struct object o;
    uint64_t symlink, hardlink, device, setuid;
};

struct mount_export {
    struct object o;
    uint64_t mode, review;
};

struct mount {
    struct object o;
    const char *id, *source, *target;
    uint64_t access, share;
    struct quota quota;
    struct texts deny_write, deny_read;
    struct mount_links links;
    struct mount_export export;
};

struct memory_volume {
    struct object o;
    const char *id, *target;
    uint64_t access, quota, keep, retain;
};

struct policy_storage {
    struct object o;
    uint64_t on_full;
    struct root_disk root;
    struct list mounts, memory;
};

struct net_limits {
    struct object o;
    uint64_t up_per_request, rate;
};

struct net_rule {
    struct object o;
    const char *id;
    struct texts hosts;
    uint64_t any_host;
    struct texts addresses;
    struct ranges ports;
    uint64_t protocol, methods;
    struct texts paths;
    struct net_limits limits;
};

struct publish {
    struct object o;
    uint64_t guest;
    const char *host;
};

struct policy_network {
    struct object o;
    uint64_t default_;
    struct list allow, deny; /* struct net_rule */
    struct list publish;
};

struct secret_source {
    struct object o;
    const char *file, *env;
};

struct secret_inject {
    struct object o;
    const char *rule, *header, *format;
};

struct secret {
    struct object o;
    const char *id;
    struct secret_source from;
    struct secret_inject inject;
};

struct model_budget {
    struct object o;
    uint64_t input_tokens, output_tokens, per_minute;
};

struct model {
    struct object o;
    const char *id, *endpoint;
    struct texts names;
    struct model_budget budget;
};

struct device_match {
    struct object o;
    uint64_t vendor, class;
    struct texts ids; /* "10de:2330" */
};

struct device_iommu {
    struct object o;
    uint64_t exclusive_group, interrupt_remapping;
};

struct device_reset {
    struct object o;
    uint64_t methods, between_tenants;
};

struct accelerator {
    struct object o;
    const char *id;
    uint64_t attach;
    struct device_match match;
    uint64_t count;
    struct device_iommu iommu;
    struct device_reset reset;
};

struct policy_audit {
    struct object o;
    uint64_t level, checkpoint, on_fail, retain;
};

struct policy {
    struct object o;
    uint64_t carrel;
    const char *name, *owner;
    struct texts extends;
    uint64_t mode;
    struct policy_require require;
    struct policy_cpu cpu;
    struct policy_memory memory;
    struct policy_limits limits;
    struct policy_budget budget;
    struct policy_image image;
    struct policy_snapshot snapshot;
    struct policy_tools tools;
    struct policy_storage storage;
    struct policy_network network;
    struct list secrets, models, accelerators;
    struct policy_audit audit;

    /* Not in the document. */
    struct arena arena; /* owned */
    const char *files[POLICY_FILES_MAX];
    uint16_t nfiles;
};

/*
 * Reads one document, as written: no parents. NULL when ps got an error. The policy is the
 * caller's; nothing in it points at the text.
 */
struct policy *policy_parse(const char *text, size_t len, const char *file, struct problems *ps);

/* As one of several layers: its places carry this file number. */
struct policy *policy_parse_layer(const char *text, size_t len, const char *file, uint16_t number,
                                  struct problems *ps);

/* A few keys of a policy, which need neither version nor name. */
struct policy *policy_parse_part(const char *text, size_t len, const char *file, uint16_t number,
                                 struct problems *ps);

/* NULL is allowed. */
void policy_free(struct policy *p);

/* "file:line", for messages. */
void policy_place(const struct policy *p, struct spot at, struct text *out);

#endif
