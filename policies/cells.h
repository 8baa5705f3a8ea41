/*
 * cells.h - one dimension of one clause: a set of values, with membership.
 */
#ifndef POLICIES_CELLS_H
#define POLICIES_CELLS_H

#include "policies/fields.h"
#include "policies/globs.h"
#include "policies/hosts.h"
#include "policies/spaces.h"

struct globs {
    struct glob *v;
    uint32_t n;
};

struct argvs {
    struct argv_pattern *v;
    uint32_t n;
};

struct cell {
    enum dim_type type;
    bool absent_ok; /* a request without this dimension is inside */
    union {
        uint64_t bits;        /* DIM_ENUM */
        struct ranges ranges; /* DIM_NUM */
        struct {
            struct host_pattern *v;
            uint32_t n;
        } hosts; /* DIM_HOST */
        struct {
            struct globs pos, neg;
        } globs; /* DIM_GLOB, DIM_ALL_GLOB: in one of pos and in none of neg */
        struct {
            struct argvs pos, neg;
        } argv;                /* DIM_ARGV: neg matches anywhere in the list */
        struct texts words;    /* DIM_WORD, DIM_ALL_WORD: sorted */
        struct addr_set addrs; /* DIM_ADDR */
        struct matchers args;  /* DIM_ARGS */
        struct bits all;       /* DIM_ALL_BITS */
    };
};

/* A NULL cell has every value, also none. */
bool cell_has(const struct cell *c, const struct value *v);

bool texts_have(const struct texts *t, const char *s);

/*
 * Cheap and one-sided: true only if every value of a is in b. False may mean "not seen at a
 * glance".
 */
bool cell_within(const struct cell *a, const struct cell *b);

/* Cheap and one-sided: true only if no value is in both. */
bool cell_disjoint(const struct cell *a, const struct cell *b);

/* What cell_has costs at most, and what the two above do, in the units of solve.h. */
uint64_t cell_size(const struct cell *c);
uint64_t cell_looks(const struct cell *a, const struct cell *b);

#endif
