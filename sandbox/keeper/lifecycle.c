/* lifecycle.c - see lifecycle.h. */
#include "sandbox/keeper/lifecycle.h"

#include <errno.h>
#include <stdbool.h>

struct edge {
    bool valid;
    struct life_step step;
};

/* clang-format off */
#define TO(s, a) { true, { LIFE_##s, LIFE_##a } }

/* One row a state. What is not here cannot happen. */
static const struct edge edges[LIFE_STATES][LIFE_EVENTS] = {
    [LIFE_CREATED]  = { [LIFE_START]    = TO(BOOTING, LAUNCH),
                        [LIFE_STOP]     = TO(ENDED,   REAP),
                        [LIFE_KILL]     = TO(ENDED,   REAP) },

    [LIFE_BOOTING]  = { [LIFE_READY]    = TO(RUNNING, NOTHING),
                        [LIFE_STOP]     = TO(KILLING, KILL_VMM), /* nothing was written yet */
                        [LIFE_KILL]     = TO(KILLING, KILL_VMM),
                        [LIFE_DEADLINE] = TO(KILLING, KILL_VMM),
                        [LIFE_GONE]     = TO(ENDED,   REAP) },

    [LIFE_RUNNING]  = { [LIFE_DONE]     = TO(LEAVING, POWEROFF),
                        [LIFE_SPENT]    = TO(KILLING, KILL_VMM),
                        [LIFE_STOP]     = TO(ASKING,  ASK_MAIN),
                        [LIFE_KILL]     = TO(KILLING, KILL_VMM),
                        [LIFE_DEADLINE] = TO(KILLING, KILL_VMM),
                        [LIFE_GONE]     = TO(ENDED,   REAP) },

    [LIFE_ASKING]   = { [LIFE_DONE]     = TO(LEAVING, POWEROFF),
                        [LIFE_SPENT]    = TO(KILLING, KILL_VMM),
                        [LIFE_STOP]     = TO(ASKING,  NOTHING),  /* asked twice */
                        [LIFE_KILL]     = TO(KILLING, KILL_VMM),
                        [LIFE_DEADLINE] = TO(LEAVING, POWEROFF),
                        [LIFE_GONE]     = TO(ENDED,   REAP) },

    [LIFE_LEAVING]  = { [LIFE_DONE]     = TO(LEAVING, NOTHING),
                        [LIFE_SPENT]    = TO(KILLING, KILL_VMM),
                        [LIFE_STOP]     = TO(LEAVING, NOTHING),
                        [LIFE_KILL]     = TO(KILLING, KILL_VMM),
                        [LIFE_DEADLINE] = TO(FORCING, TERMINATE),
                        [LIFE_GONE]     = TO(ENDED,   REAP) },

    [LIFE_FORCING]  = { [LIFE_DONE]     = TO(FORCING, NOTHING),
                        [LIFE_SPENT]    = TO(KILLING, KILL_VMM),
                        [LIFE_STOP]     = TO(FORCING, NOTHING),
                        [LIFE_KILL]     = TO(KILLING, KILL_VMM),
                        [LIFE_DEADLINE] = TO(KILLING, KILL_VMM),
                        [LIFE_GONE]     = TO(ENDED,   REAP) },

    [LIFE_KILLING]  = { [LIFE_DONE]     = TO(KILLING, NOTHING),
                        [LIFE_SPENT]    = TO(KILLING, NOTHING),
                        [LIFE_STOP]     = TO(KILLING, NOTHING),
                        [LIFE_KILL]     = TO(KILLING, NOTHING),
                        [LIFE_DEADLINE] = TO(KILLING, KILL_VMM),
                        [LIFE_GONE]     = TO(ENDED,   REAP) },
};
/* clang-format on */

int life_next(enum life_state now, enum life_event ev, struct life_step *step, struct err *e)
{
    const struct edge *edge = &edges[now][ev];

    if (!edge->valid)
        return err_set(e, EINVAL, "cannot %s: the sandbox is %s", life_event_name(ev),
                       life_state_name(now));
    *step = edge->step;
    return 0;
}

enum box_phase life_phase(enum life_state s)
{
    static const enum box_phase phases[LIFE_STATES] = {
        [LIFE_CREATED] = BOX_CREATED,  [LIFE_BOOTING] = BOX_BOOTING,  [LIFE_RUNNING] = BOX_RUNNING,
        [LIFE_ASKING] = BOX_STOPPING,  [LIFE_LEAVING] = BOX_STOPPING, [LIFE_FORCING] = BOX_STOPPING,
        [LIFE_KILLING] = BOX_STOPPING, [LIFE_ENDED] = BOX_ENDED,
    };

    return phases[s];
}

const char *life_state_name(enum life_state s)
{
    static const char *const names[LIFE_STATES] = {
        [LIFE_CREATED] = "created", [LIFE_BOOTING] = "booting", [LIFE_RUNNING] = "running",
        [LIFE_ASKING] = "stopping", [LIFE_LEAVING] = "leaving", [LIFE_FORCING] = "being stopped",
        [LIFE_KILLING] = "killed",  [LIFE_ENDED] = "ended",
    };

    return names[s];
}

const char *life_event_name(enum life_event ev)
{
    static const char *const names[LIFE_EVENTS] = {
        [LIFE_START] = "start",       [LIFE_READY] = "be ready", [LIFE_DONE] = "finish",
        [LIFE_SPENT] = "finish",      [LIFE_STOP] = "stop",      [LIFE_KILL] = "kill",
        [LIFE_DEADLINE] = "time out", [LIFE_GONE] = "reap",
    };

    return names[ev];
}
