/*
 * lifecycle.h - a sandbox's life as a table: state x event -> next state, and what to do.
 *
 * Pure. The guest's co-operation is never needed to get on: wherever something is waited for, the
 * keeper sets a deadline, and deadlines alone lead to KILLING, from where only the engine's end
 * leads on.
 */
#ifndef SANDBOX_KEEPER_LIFECYCLE_H
#define SANDBOX_KEEPER_LIFECYCLE_H

#include "base/err.h"
#include "sandbox/store.h"

enum life_state {
    LIFE_CREATED,
    LIFE_BOOTING, /* the engine runs; the guest has not answered yet */
    LIFE_RUNNING,
    LIFE_ASKING,  /* the main command got TERM */
    LIFE_LEAVING, /* the guest was told to power off */
    LIFE_FORCING, /* the engine got SIGTERM */
    LIFE_KILLING, /* the engine got SIGKILL */
    LIFE_ENDED,
    LIFE_STATES,
};

enum life_event {
    LIFE_START,
    LIFE_READY,    /* the guest answered SETUP */
    LIFE_DONE,     /* the main command ended; what is on the writable disk must survive */
    LIFE_SPENT,    /* the main command ended, and nothing must survive */
    LIFE_STOP,     /* somebody asks for an orderly end */
    LIFE_KILL,     /* somebody, or the keeper for a reason of its own, wants it to end now */
    LIFE_DEADLINE, /* the time given to this state is over */
    LIFE_GONE,     /* the engine's process ended */
    LIFE_EVENTS,
};

enum life_action {
    LIFE_NOTHING,
    LIFE_LAUNCH,    /* start the engine; deadline: boot */
    LIFE_ASK_MAIN,  /* TERM to the main command, or DONE at once without one; deadline: grace */
    LIFE_POWEROFF,  /* POWEROFF to the guest; deadline: power-off */
    LIFE_TERMINATE, /* SIGTERM to the engine; deadline: power-off */
    LIFE_KILL_VMM,  /* SIGKILL to the engine; deadline: again */
    LIFE_REAP,      /* record the end, tell everybody, go */
};

struct life_step {
    enum life_state next;
    enum life_action action;
};

/* -EINVAL, with a sentence, for what cannot happen in this state. */
must_check int life_next(enum life_state now, enum life_event ev, struct life_step *step,
                         struct err *e);

/* What of it the state file says. */
enum box_phase life_phase(enum life_state s);

const char *life_state_name(enum life_state s);
const char *life_event_name(enum life_event ev);

#endif
