/*
 * tally.h - what a log amounts to: counts by rule, by destination, over time. Bounded memory, one
 * pass, whatever the log's length.
 */
#ifndef SANDBOX_AUDIT_TALLY_H
#define SANDBOX_AUDIT_TALLY_H

#include "sandbox/audit/record.h"

#define TALLY_LANES  6u   /* enum tally_lane */
#define TALLY_TICKS  480u /* columns of the timeline */
#define TALLY_RULES  512u
#define TALLY_HOSTS  256u
#define TALLY_LATEST 200u

enum tally_lane { LANE_MACHINE, LANE_EXEC, LANE_FILES, LANE_NETWORK, LANE_TOOLS, LANE_POLICY };

struct tally_rule {
    char id[AUDIT_RULE_MAX];
    char grade;
    uint64_t allowed, denied;
};

/* A destination: name:port of connections. */
struct tally_host {
    char name[AUDIT_RULE_MAX];
    char rule[AUDIT_RULE_MAX]; /* of the last decision */
    uint64_t bytes, allowed, denied;
};

struct tally_tick {
    uint32_t allowed, denied, events;
};

struct tally {
    char sandbox[AUDIT_ID_MAX], policy[AUDIT_ID_MAX];
    uint64_t first_ns, last_ns; /* UTC, of the records */
    uint64_t first_mono, last_mono;
    uint64_t records, allowed, denied, events;
    /* Time runs on the monotonic clock. When it leaves the last column, columns are joined in pairs
     * and tick_ns doubles. */
    uint64_t tick_ns;
    struct tally_tick tick[TALLY_LANES][TALLY_TICKS];
    unsigned nrules, nhosts;
    uint64_t other_rules,
        other_hosts; /* records whose rule or destination did not fit the tables */
    struct tally_rule rule[TALLY_RULES];
    struct tally_host host[TALLY_HOSTS];
    uint64_t nlatest; /* ring of the last denials */
    struct audit_record latest[TALLY_LATEST];
};

struct tally *tally_new(void);
void tally_free(struct tally *t);

/* An audit_reader: arg is the tally. */
int tally_add(void *tally, const struct audit_record *r);

const char *tally_lane_name(enum tally_lane lane);
enum tally_lane tally_lane_of(const char *kind);

#endif
