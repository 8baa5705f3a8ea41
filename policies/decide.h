/*
 * decide.h - may this happen? One pure function, total, without allocation, for every kind of
 * request; enforcement, check, explain and simulate ask it and nothing else.
 */
#ifndef POLICIES_DECIDE_H
#define POLICIES_DECIDE_H

#include "policies/ruleset.h"

enum reason {
    REASON_ALLOWED,
    REASON_MALFORMED, /* the request itself is none: a name or path that is not canonical, … */
    REASON_DENIED,    /* a deny rule */
    REASON_DEFAULT,   /* no rule allows it */
    REASON_ADDRESS,   /* an address that no rule can make reachable */
};

struct decision {
    bool allowed;
    bool needs_approval; /* denied only because nobody approved it */
    enum reason reason;
    const struct rule *rule; /* that decided; or came nearest, with failed set; or NULL */
    int failed;              /* the dimension in which that rule does not have it; -1 */
    const char *why;         /* REASON_MALFORMED, REASON_ADDRESS: static; else NULL */
    char grade;              /* who enforces the answer */
};

/* The answer depends on the two arguments only. */
struct decision decide(const struct ruleset *rs, const struct request *r);

/*
 * A rename: the old name is deleted, the new one created, what could not be read cannot become
 * readable, and a directory takes along nothing that a denial would catch at its new place but not
 * at its old.
 */
struct decision decide_rename(const struct ruleset *rs, const char *from, const char *to,
                              bool is_dir, uint64_t bytes, uint64_t inodes);

/*
 * Something that is to be there and is no directory: a file, a link. Where a denial speaks of what
 * lies below that very name (`.git` of `.git/hooks`), it has to be a directory, because whoever
 * reads a file or a link in its place is led to somewhere that the denial does not cover.
 */
struct decision decide_leaf(const struct ruleset *rs, const struct request *r);

/*
 * A tree whose names nobody has seen, at the path of a file request: allowed when the path is, and
 * when nothing that could lie below it would be denied the same.
 */
struct decision decide_tree(const struct ruleset *rs, const struct request *r);

/* "DENY rule file:line grade G: sentence" and the hint, for a person. */
void decision_print(const struct ruleset *rs, const struct request *r, const struct decision *d,
                    struct text *out);

/* The one denial shape: verdict, rule, place, grade, reason, hint. */
void decision_json(const struct ruleset *rs, const struct request *r, const struct decision *d,
                   struct text *out);

/* One line: "rule file:line: sentence", for a message, a log, an error. */
void decision_line(const struct ruleset *rs, const struct request *r, const struct decision *d,
                   struct text *out);

/* What would change the answer, in one sentence. */
void decision_hint(const struct ruleset *rs, const struct request *r, const struct decision *d,
                   struct text *out);

#endif
