/* box.h - one sandbox, found by what the user calls it and brought up to date. */
#ifndef SANDBOX_CLI_BOX_H
#define SANDBOX_CLI_BOX_H

#include "sandbox/cli/cli.h"
#include "sandbox/client.h"
#include "sandbox/store.h"

#include <poll.h>

struct box {
    int fd; /* owned: its directory */
    char id[BOX_ID_LEN + 1];
    struct box_config config;
    struct box_state state;
};

/* Finds, reconciles and loads. -ENOENT when there is none; hint may get a near name. box_fini in
 * either case. */
must_check int box_open(struct box *b, struct store *s, const char *what, char hint[HINT_MAX],
                        struct err *e);
void box_fini(struct box *b);

/* Has a keeper that listens, or is about to. */
bool box_lives(const struct box_state *s);

/* Connects to its keeper; -ECONNREFUSED says how it is instead. */
must_check int box_connect(const struct box *b, char hint[HINT_MAX], struct err *e);

#define KEEPER_END_MS 5000 /* for a killed keeper to be gone */

/* Waits on p, which is a connection to its keeper, as long as the keeper is one that answers.
 * -ETIMEDOUT: it is not (client_check). */
must_check int box_await(const struct box *b, struct pollfd *p, char hint[HINT_MAX], struct err *e);
/* What to do about such a keeper. */
void box_hint_silent(const char *name, char hint[HINT_MAX]);

/* A request without a session, and its answer: 0 for DONE, 1 for ENDED with *end, or negative for
 * ERROR and all else; -ECONNREFUSED or -EPIPE: it ended before it could answer (box_ended says
 * how). end may be NULL. */
must_check int box_ask(const struct box *b, struct msg_builder *request, struct box_state *end,
                       char hint[HINT_MAX], struct err *e);

/* Waits, at most ten seconds, until no keeper holds the sandbox: it lets go a moment after it has
 * told everybody that it ended. */
bool box_await_free(int boxfd);

/* Loads how one ended whose keeper was met in its last moments, or not any more. -ENOENT for an
 * ephemeral one, of which nothing is left. */
must_check int box_ended(struct box *b, struct store *s, struct err *e);

/* Runs one for each operand; all are tried. The exit status: that of the last that failed. */
int box_each(struct cli *c, int (*one)(struct cli *c, struct store *s, const char *what));

#endif
