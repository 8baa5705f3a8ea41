/*
 * session.h - a command of the guest, connected to our terminal, pipes and signals.
 *
 * The other end is the keeper, passing on what a guest says: every frame is judged, none is
 * believed further than the output it carries.
 */
#ifndef SANDBOX_CLI_SESSION_H
#define SANDBOX_CLI_SESSION_H

#include "base/msg.h"
#include "sandbox/cli/cli.h"
#include "sandbox/cli/tty.h"
#include "sandbox/store.h"

struct session_ask {
    const char *name;         /* of the sandbox, for messages and JSON */
    int boxfd;                /* borrowed: where stop and kill are sent */
    bool owns_box;            /* the main command: interrupts escalate to the whole sandbox */
    bool wait_end;            /* goes on after the command's exit until the sandbox has ended */
    bool tty;                 /* the guest has a terminal */
    bool forward_stdin;       /* ours is the command's */
    bool leaves_when_started; /* exec -d */
    bool joins;               /* attach: the command may have started long ago */
    struct tty_keys detach;
};

enum session_how {
    SESSION_EXITED,   /* the command ended: kind and code */
    SESSION_DENIED,   /* a DENIED frame: why, hint */
    SESSION_REFUSED,  /* an ERROR frame: why */
    SESSION_ENDED,    /* the machine ended before the command's exit was known */
    SESSION_DETACHED, /* by the keys */
    SESSION_LOST,     /* the connection broke: why */
    SESSION_KILLED,   /* interrupted before the command started: signo */
};

struct session_result {
    enum session_how how;
    enum msg_exit kind;
    unsigned code;
    int signo;
    struct err why;
    char hint[HINT_MAX]; /* SESSION_DENIED, SESSION_LOST: what would change it; may be empty */
    bool goes_on;        /* SESSION_LOST: with another keeper */
    bool has_state;      /* what ENDED said */
    struct box_state state;
};

/* True when what is on descriptor 0 should be sent without being asked to: a pipe, file or socket,
 * but not a terminal or /dev/null. */
bool session_stdin_is_piped(void);

/*
 * Sends the request and carries the session to its end. sock is taken. 0 with *r filled, or
 * negative when our own side failed (standard output full, …).
 */
must_check int session_run(struct cli *c, int sock, struct msg_builder *request,
                           const struct session_ask *ask, struct session_result *r, struct err *e);

/* The exit status that stands for this result; prints what there is to say (and with --json the
 * last object of the stream). */
must_check int session_finish(struct cli *c, const struct session_ask *ask,
                              const struct session_result *r);

#endif
