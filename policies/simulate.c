#include "policies/simulate.h"

#include "policies/decide.h"
#include "policies/points.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 50u /* of each list, for a person */

/* The texts were read when the event was taken; what one says cannot have changed since. */
static void read_event(struct arena *a, const struct event *e, struct request *r)
{
    if (point_parse_line(a, e->text, r))
        abort();
}

static void keep(struct arena *a, const struct event ***list, uint32_t *n, const struct event *e)
{
    *(const struct event **)arena_push(a, (void **)list, *n, sizeof(void *)) = e;
    (*n)++;
}

void simulate(const struct ruleset *rs, const struct events *e, struct arena *a,
              struct simulation *s)
{
    *s = (struct simulation){ .events = e };
    for (uint32_t i = 0; i < e->n; i++) {
        const struct event *x = &e->v[i];
        struct arena tmp = ARENA_INIT;
        struct request r;
        bool now;

        read_event(&tmp, x, &r);
        now = decide(rs, &r).allowed;
        if (now == x->allowed) {
            s->unchanged += x->times;
        } else if (now) {
            keep(a, &s->allowed, &s->nallowed, x);
            s->newly_allowed += x->times;
        } else {
            keep(a, &s->denied, &s->ndenied, x);
            s->newly_denied += x->times;
        }
        arena_fini(&tmp);
    }
}

bool simulation_is_safe(const struct simulation *s)
{
    return !s->newly_denied && !s->events->nlost;
}

static void list_print(const struct ruleset *rs, const char *title, const struct event *const *v,
                       uint32_t n, struct text *out)
{
    if (n)
        text_add(out, "%s:\n", title);
    for (uint32_t i = 0; i < n && i < SHOWN_MAX; i++) {
        struct arena tmp = ARENA_INIT;
        struct request r;
        struct decision d;

        read_event(&tmp, v[i], &r);
        d = decide(rs, &r);
        point_print(&r, out);
        text_add(out, "    (at %" PRIu64, v[i]->at);
        if (v[i]->times > 1)
            text_add(out, ", %" PRIu64 " times", v[i]->times);
        if (v[i]->rule) {
            text_add(out, "; was %s by ", v[i]->allowed ? "allowed" : "denied");
            text_word(out, v[i]->rule, strlen(v[i]->rule));
        }
        text_add(out, ")\n  ");
        decision_print(rs, &r, &d, out);
        arena_fini(&tmp);
    }
    if (n > SHOWN_MAX)
        text_add(out, "... and %u more\n", n - SHOWN_MAX);
}

static void lost_print(const struct events *e, struct text *out)
{
    uint64_t kept = e->nlost < LOST_KEPT ? e->nlost : LOST_KEPT;

    if (kept)
        text_add(out, "cannot be replayed:\n");
    for (uint64_t i = 0; i < kept; i++) {
        text_add(out, "at %" PRIu64 ": ", e->lost[i].at);
        text_word(out, e->lost[i].text, strnlen(e->lost[i].text, 120));
        text_add(out, "  (%s)\n", e->lost[i].why);
    }
    if (e->nlost > kept)
        text_add(out, "... and %" PRIu64 " more\n", e->nlost - kept);
}

void simulation_print(const struct ruleset *rs, const struct simulation *s, struct text *out)
{
    const struct events *e = s->events;

    list_print(rs, "newly denied", s->denied, s->ndenied, out);
    list_print(rs, "newly allowed", s->allowed, s->nallowed, out);
    lost_print(e, out);
    text_add(out,
             "%" PRIu64 " requests: %" PRIu64 " newly denied, %" PRIu64 " newly allowed, %" PRIu64
             " unchanged; %" PRIu64 " cannot be replayed; %" PRIu64 " records are not requests\n",
             e->requests + e->nlost, s->newly_denied, s->newly_allowed, s->unchanged, e->nlost,
             e->others);
}

static void list_json(const struct ruleset *rs, const struct event *const *v, uint32_t n,
                      struct text *out)
{
    text_add(out, "[");
    for (uint32_t i = 0; i < n; i++) {
        struct arena tmp = ARENA_INIT;
        struct request r;
        struct decision d;

        read_event(&tmp, v[i], &r);
        d = decide(rs, &r);
        text_add(out, "%s{\"at\":%" PRIu64 ",\"decision\":", i ? "," : "", v[i]->at);
        decision_json(rs, &r, &d, out);
        text_add(out, ",\"point\":");
        point_json(&r, out);
        text_add(out, ",\"times\":%" PRIu64 ",\"was\":", v[i]->times);
        if (v[i]->rule)
            text_json(out, v[i]->rule);
        else
            text_add(out, "null");
        text_add(out, "}");
        arena_fini(&tmp);
    }
    text_add(out, "]");
}

void simulation_json(const struct ruleset *rs, const struct simulation *s, struct text *out)
{
    const struct events *e = s->events;

    text_add(out, "{\"lost\":%" PRIu64 ",\"newly_allowed\":", e->nlost);
    list_json(rs, s->allowed, s->nallowed, out);
    text_add(out, ",\"newly_denied\":");
    list_json(rs, s->denied, s->ndenied, out);
    text_add(out,
             ",\"not_requests\":%" PRIu64 ",\"requests\":%" PRIu64
             ",\"safe\":%s,\"unchanged\":%" PRIu64 "}",
             e->others, e->requests + e->nlost, simulation_is_safe(s) ? "true" : "false",
             s->unchanged);
}
