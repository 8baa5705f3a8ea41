/*
 * cases.h - test cases beside a policy: requests with the answer that is expected, the rules they
 * reach, and whether they would notice the loss of each rule.
 *
 *   carrel: 1
 *   cases:
 *     - {ask: http pypi.org GET /simple/x, expect: allow, rule: network/pypi}
 *     - {ask: connect pypi.org:22, expect: deny}
 */
#ifndef POLICIES_CASES_H
#define POLICIES_CASES_H

#include "policies/decide.h"
#include "policies/mutants.h"

enum expected {
    EXPECT_ALLOW,
    EXPECT_DENY,
    EXPECT_ASK, /* denied until a person approves */
};

struct test_case {
    uint32_t line, col;
    const char *ask;
    struct request request;
    enum expected expect;
    const char *rule; /* that must decide; or NULL */
    struct decision got;
    bool ok;
};

struct cases {
    const char *file;
    struct test_case *v;
    uint32_t n, failed;
    /* Coverage: of the rules that grant or deny something (numbers of the document are not
     * counted). */
    uint32_t *hits; /* one a rule of the ruleset */
    uint32_t rules, reached;
    uint32_t noticed;       /* rules whose loss changes the outcome of a case */
    bool *missed;           /* one a rule: its loss would go unnoticed */
    struct mutants mutants; /* every change of a rule, losses too */
    struct arena arena;     /* owned */
};

/*
 * Parses the cases and runs them. NULL when the document is wrong (ps says why); a case that fails
 * is not an error here.
 */
struct cases *cases_run(const char *text, size_t len, const char *file, const struct policy *p,
                        struct problems *ps);

void cases_free(struct cases *c);

/* Rules reached, and changes of rules noticed: whole percents, rounded down; of nothing, 100. */
uint32_t cases_coverage(const struct cases *c);
uint32_t cases_noticed(const struct cases *c);

/* "policy test" as text (failures, rules never reached, losses unnoticed, one summary line) and
 * JSON. */
void cases_print(const struct cases *c, const struct ruleset *rs, struct text *out);
void cases_json(const struct cases *c, const struct ruleset *rs, struct text *out);

#endif
