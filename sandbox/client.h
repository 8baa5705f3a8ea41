/*
 * client.h - how the CLI starts keepers and talks to them.
 *
 * The socket speaks msg.h frames; each connection carries one request. A requester that closes its
 * end, or only its sending half, is gone: its EXEC, PUT or GET ends (but see ATTACH). The keeper
 * closes its end when the answer is complete; for an EXEC with MSG_F_MAIN, an ATTACH, STOP, WAIT
 * and a KILL without SIGNO, that is when the sandbox has ended and, when ephemeral, nothing of it
 * is left. Each of these gets ENDED as its last frame, MAIN and ATTACH after EXIT when the command
 * came that far; a request that is cut off by the end of the machine gets ENDED in place of its
 * answer.
 */
#ifndef SANDBOX_CLIENT_H
#define SANDBOX_CLIENT_H

#include "base/err.h"
#include "base/msg.h"
#include "sandbox/store.h"

/* What a machine is made of on disk, each open for reading. */
struct client_parts {
    int kernel, initrd, image;
};

#define CLIENT_PARTS_INIT ((struct client_parts){ -1, -1, -1 })

/* Starts the keeper of a created (or ended, not ephemeral) sandbox, in a session of its own, and
 * returns once it listens or has failed (the parts are borrowed meanwhile); its failure comes back
 * as *e (with a hint where there is one in `hint`, which may be empty). The machine is then
 * booting. */
must_check int client_start(int boxfd, const struct client_parts *parts, char hint[240],
                            struct err *e);

/* The same, but the main command, whatever config.json says, will come as an EXEC with MSG_F_MAIN
 * from the caller (`run` in the foreground: nothing it prints may be missed). Until it comes, the
 * keeper waits 10 s, then ends the sandbox. client_start itself runs config.json's argv, with its
 * output in output.log and to whoever attaches. */
must_check int client_start_for_main(int boxfd, const struct client_parts *parts, char hint[240],
                                     struct err *e);

/* Connects to the keeper: a blocking stream socket, the caller's. -ECONNREFUSED when none listens;
 * -ETIMEDOUT when so many wait already that it cannot be one that answers. */
must_check int client_connect(int boxfd, struct err *e);

/*
 * Whether a keeper that has been silent for CLIENT_QUIET_MS is one that answers at all: a STATUS on
 * a connection of its own, at most CLIENT_ANSWER_MS. 0: it does, or it has gone, which the first
 * connection tells. -ETIMEDOUT: it is stopped, or hangs; *e names its process. -EINTR: a signal
 * came; nothing is known.
 */
#define CLIENT_QUIET_MS  5000
#define CLIENT_ANSWER_MS 10000
must_check int client_check(int boxfd, struct err *e);

/* CLIENT_QUIET_MS, or what CARREL_QUIET_MS says, for tests. For poll(). */
int client_quiet_ms(void);

/* A connection with its receive buffer. */
struct client {
    int fd; /* owned */
    size_t have, used;
    uint8_t buf[2 * (MSG_HEADER + MSG_MAX)];
};

must_check int client_send(struct client *c, enum msg_type type, const void *body, size_t len,
                           struct err *e);
must_check int client_request(struct client *c, struct msg_builder *b, struct err *e);

/* Waits for the next frame; *f borrows from the client until the next call. 1 = frame, 0 = the
 * keeper closed, negative = error. */
must_check int client_next(struct client *c, struct msg_frame *f, struct err *e);

#endif
