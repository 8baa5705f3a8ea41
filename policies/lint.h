/*
 * lint.h - what is sound in a policy and still unwise: numbered rules, each with a reason and a
 * remedy. A number that was given up is not given again. Findings carry the name of what they are
 * about ("network/pypi"), so that they can be accepted, with a reason, wherever it stands.
 */
#ifndef POLICIES_LINT_H
#define POLICIES_LINT_H

#include "policies/ruleset.h"

#define FINDINGS_MAX 4096u /* kept; more are only counted */

enum lint_severity {
    LINT_ERROR,
    LINT_WARNING,
    LINT_NOTE,
    LINT_SEVERITIES,
};

struct lint_rule {
    const char *id, *name; /* "CR101", "any-host" */
    enum lint_severity severity;
    const char *says;   /* why, one sentence */
    const char *remedy; /* what to write instead */
};

struct finding {
    const struct lint_rule *rule; /* NULL: a problem of the document itself */
    const char *id;               /* "CR101"; "syntax", "key", … of such a problem */
    enum lint_severity severity;
    const char *file;
    uint32_t line, col;
    const char *subject; /* "network/pypi", "audit.level"; NULL without a rule */
    const char *text;
    const char *accepted; /* the reason somebody gave, or NULL */
};

struct findings {
    struct arena arena; /* owned */
    struct finding *v;
    uint32_t n, lost;                 /* kept; not kept */
    uint32_t counts[LINT_SEVERITIES]; /* what is not accepted */
    uint32_t accepted;
};

#define FINDINGS_INIT ((struct findings){ .v = NULL })

/* By number. NULL beyond the last one. */
const struct lint_rule *lint_rule_at(uint32_t i);

/* By id or name, or NULL. */
const struct lint_rule *lint_rule_find(const char *word);

/* The word of a severity, and back; false when there is no such word. */
const char *lint_severity_word(enum lint_severity s);
must_check bool lint_severity_parse(const char *word, enum lint_severity *out);

/* All that the rules find in p, sorted by place; rs is p compiled. */
void policy_lint(const struct policy *p, const struct ruleset *rs, struct findings *out);

/* What was wrong with a document that did not load, as findings without a rule. */
void findings_of_problems(struct findings *out, const struct problems *ps);

/* Takes out what these rules (ids or names) found. */
void findings_ignore(struct findings *f, const struct lint_rule *rule);

void findings_fini(struct findings *f);

/* lint_accept.c: findings that somebody looked at. One a line: RULE SUBJECT reason. */
struct acceptance {
    const struct lint_rule *rule;
    const char *subject, *reason;
    uint32_t line;
    bool used;
};

struct acceptances {
    struct arena arena; /* owned */
    const char *file;
    struct acceptance *v;
    uint32_t n;
};

/* Reads such a file. False after adding a problem. acceptances_fini in either case. */
must_check bool acceptances_parse(struct acceptances *a, const char *text, size_t len,
                                  const char *file, struct problems *ps);

/* Marks what is accepted. */
void findings_accept(struct findings *f, struct acceptances *a);

void acceptances_fini(struct acceptances *a);

/* lint_print.c: findings of several policies; texts for people, JSON, SARIF 2.1.0. */
void findings_print(const struct findings *f, struct text *out);
void findings_json(const struct findings *const *f, uint32_t n, struct text *out);
void findings_sarif(const struct findings *const *f, uint32_t n, const char *version,
                    struct text *out);
void lint_rules_print(struct text *out);
void lint_rules_json(struct text *out);

/* As the list of a manual page's source, scdoc(5). */
void lint_rules_scd(struct text *out);

#endif
