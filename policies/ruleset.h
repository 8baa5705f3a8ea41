/*
 * ruleset.h - a policy compiled: rules, their clauses (a cell a dimension, or everything), and an
 * index that finds the few clauses that can match a request. Flat and read-only once made.
 *
 * A point is allowed when an allow clause has it and no deny clause does. Nothing else is ever
 * asked.
 */
#ifndef POLICIES_RULESET_H
#define POLICIES_RULESET_H

#include "policies/cells.h"

struct rule {
    const char *id; /* "network/pypi" */
    const char *section;
    struct spot spot;
    char grade;
    bool deny;
};

struct clause {
    uint32_t rule;
    bool deny;
    const struct cell *cell[DIMS_MAX]; /* NULL: every value */
};

struct bucket {
    uint64_t hash; /* 0: empty */
    uint32_t first, n;
};

struct clauses {
    struct clause *v;
    uint32_t n;
    /* The index: keys of dimension 0 to runs of `order`; `any` is the run without a key. */
    struct bucket *buckets;
    uint32_t mask;
    uint32_t *order;
    uint32_t any_first, any_n;
};

struct ruleset {
    const struct policy *policy; /* borrowed, outlives the ruleset */
    struct rule *rules;
    uint32_t nrules;
    struct clauses space[SPACES];
    /* Sets that many clauses share. */
    struct addr_set reachable; /* the public addresses, without the host's own */
    struct bits base[3];       /* by words_syscall_base */
    struct arena arena;        /* owned */
};

/*
 * Never fails: the policy was checked. own are the host's addresses, never reachable (may be NULL);
 * they are copied.
 */
struct ruleset *ruleset_make(const struct policy *p, const struct addr_set *own);

/* Only numbers, images, snapshots, models and devices: for decide on those. */
struct ruleset *ruleset_machine(const struct policy *p);

/* Only the requests of its network rules (SPACE_HTTP): hosts, ports, methods and paths, and no
 * index. Not for decide. */
struct ruleset *ruleset_requests(const struct policy *p);

/* Only paths and mounts: for decide on those. */
struct ruleset *ruleset_storage(const struct policy *p);

void ruleset_free(struct ruleset *rs);

/* For ruleset.c and its parts. Empty, of this policy: */
struct ruleset *ruleset_begin(const struct policy *p);
struct cell *cell_new(struct ruleset *rs, enum dim_type type);
struct clause *clause_new(struct ruleset *rs, enum space_id space, uint32_t rule);
uint32_t rule_new(struct ruleset *rs, const char *section, const char *part, const char *id,
                  struct spot at, char grade, bool deny);

const struct cell *cell_number_to(struct ruleset *rs, uint64_t max);
const struct cell *cell_number(struct ruleset *rs, uint64_t lo, uint64_t hi);
const struct cell *cell_bits(struct ruleset *rs, uint64_t bits);
const struct cell *cell_word(struct ruleset *rs, const char *word);

void compile_network(struct ruleset *rs, const struct addr_set *own);
void compile_requests(struct ruleset *rs);
void compile_tools(struct ruleset *rs);
void compile_storage(struct ruleset *rs);
void compile_rest(struct ruleset *rs);

/* index.c */
void index_make(struct ruleset *rs);

/* Calls with each run of clauses that may have the point; order holds indices of clauses. */
struct run {
    const uint32_t *v;
    uint32_t n;
};

#define RUNS_MAX 160u

/* At most RUNS_MAX runs; a name has at most 127 labels, a path at most that many is looked at. */
uint32_t index_find(const struct clauses *c, const struct request *r, struct run runs[RUNS_MAX]);

#endif
