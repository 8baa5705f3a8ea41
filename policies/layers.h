/*
 * layers.h - a document and the ones above it become one policy. A layer can only narrow: what it
 * does not say about an entry it refines, it has from the layers above; denials of all layers hold;
 * and that it allows nothing that one of them denies is proved, or refused with a request that
 * shows it.
 */
#ifndef POLICIES_LAYERS_H
#define POLICIES_LAYERS_H

#include "policies/policy.h"

#define LAYERS_DEPTH_MAX 8u

/*
 * Finds the document of a parent by name. 0, or -ENOENT, …; *text (borrowed until policy_load
 * returns) and *file, its name for messages.
 */
typedef int layer_find_fn(void *ctx, const char *name, const char **text, size_t *len,
                          const char **file);

/*
 * Parses, finds parents (find may be NULL: then there must be none), checks their hashes, inherits,
 * checks the whole, proves narrow-only. NULL when ps got an error; warnings may be there either
 * way.
 */
struct policy *policy_load(const char *text, size_t len, const char *file, layer_find_fn *find,
                           void *ctx, struct problems *ps);

/* What one document cannot show about itself field by field: required keys, references, conflicts.
 */
must_check bool policy_check(const struct policy *p, struct problems *ps);

/* The same for a part of a policy: what is beside it, and which it may name, is not known. */
must_check bool policy_check_part(const struct policy *p, struct problems *ps);

/*
 * One problem, with the request that shows it, unless child is within parent: for layers, for a
 * live reload, for a sandbox that an agent starts.
 */
must_check bool policy_must_narrow(const struct policy *child, const struct policy *parent,
                                   const char *parent_name, struct problems *ps);
struct ruleset;
must_check bool rules_must_narrow(const struct ruleset *child, const struct ruleset *parent,
                                  const char *parent_name, struct problems *ps);

/* layers.c, inherit.c */
struct table;
void inherit(struct policy *child, const struct policy *parent, struct problems *ps);

#endif
