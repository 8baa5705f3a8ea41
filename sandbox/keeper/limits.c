/*
 * limits.c - what the plan holds a sandbox to over time, by the host's own clocks: time from start
 * to end, time without work, processor time of the whole machine.
 *
 * Work is a command that runs or a transfer that lasts. A machine that only keeps itself busy is
 * not working, and pays with its processor time.
 */
#include "sandbox/keeper/keeper.h"

#include <stdio.h>
#include <time.h>

#define CPU_LOOK_MIN_MS    50
#define CPU_LOOK_MAX_MS    60000
#define CPU_LOOK_FAMILY_MS 1000

static void over(struct keeper *k, const char *which, uint64_t ms)
{
    char text[96];

    snprintf(text, sizeof(text), "%s: %llu.%03llu s are over", which,
             (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000));
    keeper_log(k, "limit: %s", text);
    guard_note(k->guard, "limit", text);
    keeper_reason(k, "limit", text);
    keeper_event(k, k->life > LIFE_RUNNING ? LIFE_KILL : LIFE_STOP);
}

static bool works(const struct keeper *k)
{
    for (size_t i = 0; i < KEEPER_SESSIONS; i++)
        if (k->sessions[i].id && &k->sessions[i] != k->setup && &k->sessions[i] != k->roster)
            return true;
    return k->await_main && !k->had_main;
}

/* Of the engine's process with all its threads. */
static uint64_t cpu_ms(const struct keeper *k)
{
    struct timespec t;
    clockid_t clock;

    if (k->run.pid <= 0 || clock_getcpuclockid(k->run.pid, &clock) || clock_gettime(clock, &t))
        return 0;
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* When it must be looked at again: no earlier than every vCPU at full speed could use it up. */
static int64_t look_at_cpu(struct keeper *k, int64_t now)
{
    uint64_t used = cpu_ms(k), budget = guard_plan(k->guard)->budget_cpu_ms;
    uint64_t delta = used > k->kept->limits.cpu_seen ? used - k->kept->limits.cpu_seen : 0, all;
    struct err e = ERR_INIT;
    bool empty = false;
    int64_t left;

    if (guard_use_cpu(k->guard, delta, &empty, &e)) {
        keeper_log(k, "budget.cpu: %s", e.msg); /* what cannot be counted is not spent */
        empty = true;
    }
    k->kept->limits.cpu_seen = used;
    all = guard_cpu_used(k->guard);
    if (empty || all >= budget) {
        over(k, "budget.cpu", budget);
        return INT64_MAX;
    }
    /* The engine has two threads besides; a family spends in common, so it is looked at more often.
     */
    left = (int64_t)((budget - all) / (k->cfg.vcpus + 2));
    left = left < CPU_LOOK_MIN_MS   ? CPU_LOOK_MIN_MS
           : left > CPU_LOOK_MAX_MS ? CPU_LOOK_MAX_MS
                                    : left;
    return now +
           (guard_has_parent(k->guard) && left > CPU_LOOK_FAMILY_MS ? CPU_LOOK_FAMILY_MS : left);
}

void limits_begin(struct keeper *k)
{
    int64_t now = keeper_now();

    k->kept->limits = (struct limits){ .begun = now, .worked = now, .cpu_due = now };
}

/* Who kept it may have lied: it can have no more time than there is. */
void limits_adopt(struct keeper *k)
{
    struct limits *l = &k->kept->limits;
    int64_t now = keeper_now();
    uint64_t used = cpu_ms(k);

    l->begun = k->hold->machine.begun;
    l->worked = l->worked < now ? l->worked : now;
    l->cpu_seen = l->cpu_seen < used ? l->cpu_seen : used;
    l->cpu_due = now;
}

void limits_again(struct keeper *k)
{
    k->kept->limits.cpu_due = keeper_now();
}

int64_t limits_tick(struct keeper *k, int64_t now)
{
    const struct plan *plan = guard_plan(k->guard);
    struct limits *l = &k->kept->limits;
    int64_t next, idle_due, wall_due = l->begun + (int64_t)plan->wall_ms;

    if (k->life != LIFE_BOOTING && k->life != LIFE_RUNNING)
        return INT64_MAX; /* it ends, under deadlines of its own */
    if (now >= wall_due) {
        over(k, "limits.wall", plan->wall_ms);
        return INT64_MAX;
    }
    if (k->life == LIFE_BOOTING || works(k))
        l->worked = now;
    idle_due = l->worked + (int64_t)plan->idle_ms;
    if (now >= idle_due) {
        over(k, "limits.idle", plan->idle_ms);
        return INT64_MAX;
    }
    if (now >= l->cpu_due)
        l->cpu_due = look_at_cpu(k, now);
    next = wall_due < idle_due ? wall_due : idle_due;
    return l->cpu_due < next ? l->cpu_due : next;
}

static uint64_t ms_of(const struct timeval *t)
{
    return (uint64_t)t->tv_sec * 1000 + (uint64_t)t->tv_usec / 1000;
}

/* What it used since it was last looked at: many short lives are as long as one. */
void limits_end(struct keeper *k, const struct rusage *used)
{
    uint64_t all = ms_of(&used->ru_utime) + ms_of(&used->ru_stime);
    struct err e = ERR_INIT;
    bool empty;

    if (all > k->kept->limits.cpu_seen &&
        guard_use_cpu(k->guard, all - k->kept->limits.cpu_seen, &empty, &e))
        keeper_log(k, "budget.cpu: %s", e.msg);
    k->kept->limits.cpu_seen = all;
}
