/* learner.h - what the parts of learn share: the requests of the run, and how freely to write. */
#ifndef POLICIES_LEARNER_H
#define POLICIES_LEARNER_H

#include "policies/decide.h"
#include "policies/learn.h"

/* Beyond these counts single values become a pattern. */
#define LEARN_FILES_MAX 4u /* in one directory: then the directory */
#define LEARN_HOSTS_MAX 4u /* under one pattern of the parent: then that pattern */
#define LEARN_WORDS_MAX 8u /* at one place of an argument list: then any word */

/* How a kind of request is written: each is tried when the one before cannot be proved. */
enum freedom {
    FREEDOM_GENERAL, /* with patterns */
    FREEDOM_EXACT,   /* only what was seen */
    FREEDOM_NONE,    /* not at all */
};

struct seen {
    const char *text;
    struct request r;
    const struct rule *rule; /* of the parent, that allows it */
    const char *why;         /* it is left out; NULL: it is learned */
};

struct learner {
    const struct ruleset *rules; /* of the parent */
    const struct policy *parent;
    const char *name, *ref;
    struct seen *v; /* sorted by text, no two alike */
    uint32_t n;
    uint8_t freedom[SPACES];
    struct arena arena;
};

/* Calls of a rule, one after the other; at starts at 0. */
struct seen *learner_next(const struct learner *l, enum space_id space, struct spot rule,
                          uint32_t *at);

/* Was anything of this kind learned that the rule at this place allows? */
bool learner_uses(const struct learner *l, enum space_id space, struct spot rule);

/* The whole document. */
void learner_write(const struct learner *l, struct text *out);

/* Its parts: members of a map, each with a comma behind. */
void learner_write_tools(const struct learner *l, struct text *out);
void learner_write_network(const struct learner *l, struct text *out);

/* [a,b,c] */
void learner_list(const struct texts *t, struct text *out);

/*
 * Texts that are paths: those of a directory with more than LEARN_FILES_MAX become one, which is
 * the directory and tail.
 */
void learner_fold(struct arena *a, struct texts *paths, const char *tail);

/* argv: patterns for the lists of one command. */
void learner_argv(struct arena *a, const struct args *const *lists, uint32_t n,
                  enum freedom freedom, struct text *out);

#endif
