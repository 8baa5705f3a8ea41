/*
 * load.h - from nodes to typed values; shared by load.c (maps and lists) and values.c (the rest).
 */
#ifndef POLICIES_LOAD_H
#define POLICIES_LOAD_H

#include "policies/fields.h"
#include "policies/yaml.h"

struct loader {
    struct policy *p;
    struct problems *ps;
    const char *file;
    uint16_t number; /* of the file */
    bool failed;
    uint32_t problems;    /* of this document: after PROBLEMS_MAX nobody reads on */
    uint32_t items;       /* in sets, so far */
    struct arena scratch; /* of the value that is read */
};

static inline bool load_full(const struct loader *l)
{
    return l->problems >= PROBLEMS_MAX;
}

/* One problem at a node; the walk goes on to find the others. */
void load_error(struct loader *l, const struct node *n, const char *fmt, ...) printf_like(3, 4);

/* "value \"x\" of key: wanted what". */
void load_wrong(struct loader *l, const struct node *n, const struct field *f, const char *wanted);

/* Everything but F_OBJECT and F_LIST. m is the member. */
void load_value(struct loader *l, const struct field *f, const struct node *n, void *m);

/* The keys of a map, as its table says. */
void load_object(struct loader *l, const struct table *t, const struct node *n, void *object);

/* F_ARGV and F_MATCHERS. */
void load_argv(struct loader *l, const struct field *f, const struct node *n,
               struct argv_pattern *m);
void load_matchers(struct loader *l, const struct field *f, const struct node *n,
                   struct matchers *m);

/* "lo..hi" or one number, at most max. */
bool range_parse(const char *s, uint64_t max, struct range *r);

/* Adds to a sorted set; false when it was there. */
bool texts_add(struct arena *a, struct texts *t, const char *s);

/* Adds a range, merging it with its neighbours. */
void ranges_add(struct arena *a, struct ranges *r, uint64_t lo, uint64_t hi);

#endif
