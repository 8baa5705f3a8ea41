/* tally.c - see tally.h. */
#include "sandbox/audit/tally.h"

#include "sandbox/audit/object.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_TICK_NS 1000000u /* 1 ms */

/* Which lane a kind belongs to, by its first word ("connect", "file.put" …). */
static const struct {
    const char *word;
    enum tally_lane lane;
} lanes[] = {
    { "sandbox", LANE_MACHINE },  { "snapshot", LANE_MACHINE }, { "device", LANE_MACHINE },
    { "resource", LANE_MACHINE }, { "exec", LANE_EXEC },        { "signal", LANE_EXEC },
    { "file", LANE_FILES },       { "memory", LANE_FILES },     { "export", LANE_FILES },
    { "connect", LANE_NETWORK },  { "http", LANE_NETWORK },     { "secret", LANE_NETWORK },
    { "model", LANE_TOOLS },      { "tool", LANE_TOOLS },       { "policy", LANE_POLICY },
    { "audit", LANE_POLICY },     { "fork", LANE_MACHINE },     { "image", LANE_MACHINE },
    { "mount", LANE_FILES },      { "dial", LANE_NETWORK },     { "publish", LANE_NETWORK },
    { "host", LANE_TOOLS },       { "mcp", LANE_TOOLS },        { "grant", LANE_POLICY },
};

const char *tally_lane_name(enum tally_lane lane)
{
    static const char *const names[TALLY_LANES] = { "machine", "exec",  "files",
                                                    "network", "tools", "policy" };

    return names[lane];
}

enum tally_lane tally_lane_of(const char *kind)
{
    size_t n = strcspn(kind, ".");

    for (size_t i = 0; i < array_len(lanes); i++)
        if (strlen(lanes[i].word) == n && !memcmp(kind, lanes[i].word, n))
            return lanes[i].lane;
    return LANE_MACHINE;
}

struct tally *tally_new(void)
{
    struct tally *t = calloc(1, sizeof(*t));

    if (t)
        t->tick_ns = FIRST_TICK_NS;
    return t;
}

void tally_free(struct tally *t)
{
    free(t);
}

static void join_ticks(struct tally *t)
{
    for (unsigned l = 0; l < TALLY_LANES; l++) {
        struct tally_tick *k = t->tick[l];

        for (size_t i = 0; i < TALLY_TICKS / 2; i++)
            k[i] = (struct tally_tick){ k[2 * i].allowed + k[2 * i + 1].allowed,
                                        k[2 * i].denied + k[2 * i + 1].denied,
                                        k[2 * i].events + k[2 * i + 1].events };
        memset(k + TALLY_TICKS / 2, 0, sizeof(*k) * (TALLY_TICKS / 2));
    }
    t->tick_ns *= 2;
}

static void count_time(struct tally *t, const struct audit_record *r)
{
    /* A clock that runs backwards belongs to another boot of the host: it stays where we are. */
    uint64_t at = r->mono_ns > t->last_mono ? r->mono_ns : t->last_mono;
    struct tally_tick *k;

    if (!t->records)
        t->first_mono = at;
    t->last_mono = at;
    at -= t->first_mono;
    while (at / t->tick_ns >= TALLY_TICKS)
        join_ticks(t);
    k = &t->tick[tally_lane_of(r->kind)][at / t->tick_ns];
    k->allowed += r->decision == AUDIT_ALLOW;
    k->denied += r->decision == AUDIT_DENY;
    k->events += r->decision == AUDIT_EVENT;
}

static void count_rule(struct tally *t, const struct audit_record *r)
{
    struct tally_rule *rule = NULL;

    if (!r->rule[0])
        return;
    for (unsigned i = 0; i < t->nrules && !rule; i++)
        if (!strcmp(t->rule[i].id, r->rule))
            rule = &t->rule[i];
    if (!rule && t->nrules < TALLY_RULES) {
        rule = &t->rule[t->nrules++];
        memcpy(rule->id, r->rule, sizeof(rule->id));
        rule->grade = r->grade;
    }
    if (!rule) {
        t->other_rules++;
        return;
    }
    rule->allowed += r->decision == AUDIT_ALLOW;
    rule->denied += r->decision == AUDIT_DENY;
}

/* Connections and requests by destination. */
static void count_host(struct tally *t, const struct audit_record *r)
{
    struct tally_host *host = NULL;
    char name[AUDIT_RULE_MAX];

    if (tally_lane_of(r->kind) != LANE_NETWORK || r->decision == AUDIT_EVENT ||
        !object_destination(r->object, name, sizeof(name)))
        return;
    for (unsigned i = 0; i < t->nhosts && !host; i++)
        if (!strcmp(t->host[i].name, name))
            host = &t->host[i];
    if (!host && t->nhosts < TALLY_HOSTS) {
        host = &t->host[t->nhosts++];
        memcpy(host->name, name, sizeof(host->name));
    }
    if (!host) {
        t->other_hosts++;
        return;
    }
    memcpy(host->rule, r->rule, sizeof(host->rule));
    host->bytes += r->bytes;
    host->allowed += r->decision == AUDIT_ALLOW;
    host->denied += r->decision == AUDIT_DENY;
}

int tally_add(void *tally, const struct audit_record *r)
{
    struct tally *t = tally;

    count_time(t, r);
    count_rule(t, r);
    count_host(t, r);
    if (!t->records) {
        t->first_ns = r->time_ns;
        memcpy(t->sandbox, r->sandbox, sizeof(t->sandbox));
    }
    if (r->policy[0])
        memcpy(t->policy, r->policy, sizeof(t->policy));
    t->last_ns = r->time_ns;
    t->records++;
    t->allowed += r->decision == AUDIT_ALLOW;
    t->denied += r->decision == AUDIT_DENY;
    t->events += r->decision == AUDIT_EVENT;
    if (r->decision == AUDIT_DENY)
        t->latest[t->nlatest++ % TALLY_LATEST] = *r;
    return 0;
}
