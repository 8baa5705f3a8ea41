/*
 * guest_client.h - the host's side of the control port, blocking, for tests.
 *
 * Mistakes of the other side end the program with a message: a test wants to see them, not to go
 * on.
 */
#ifndef TESTS_INTEGRATION_GUEST_CLIENT_H
#define TESTS_INTEGRATION_GUEST_CLIENT_H

#include "base/mark.h"
#include "base/msg.h"

#include <stddef.h>

#define CLIENT_WAIT_MS 60000 /* an emulated guest under load is slow */

struct client; /* one session on one descriptor */

/* fd is taken. */
struct client *client_new(int fd);
void client_free(struct client *c);
/* Frees it, but for the descriptor, which is the caller's again. */
int client_leave(struct client *c);
/* Sends the first bytes of a frame of its stream, of which no more will come, at the level of the
 * port. */
void client_cut(struct client *c, uint32_t id, unsigned bytes);
/* One after another on the same port: says the mark and drops what comes before the answer. */
void client_greet(struct client *c, const uint8_t mark[MARK_BYTES]);

/* A new stream. */
uint32_t client_open(struct client *c);

/* A finished request, then frames; each waits for room. */
void client_request(struct client *c, uint32_t id, struct msg_builder *b);
void client_send(struct client *c, uint32_t id, enum msg_type type, const void *body, size_t len);
void client_send_raw(struct client *c, uint32_t id, const void *bytes, size_t len);

/* As much of the body as the stream takes now: how much. */
size_t client_offer(struct client *c, uint32_t id, enum msg_type type, const void *body,
                    size_t len);

void client_close(struct client *c, uint32_t id);
void client_reset(struct client *c, uint32_t id);

/* The next frame: 1, its body borrowed until the next call; 0: the stream has ended;
 * -ETIMEDOUT. */
int client_recv(struct client *c, uint32_t id, struct msg_frame *f, int timeout_ms);

/* Writes waiting bytes and reads what came, at most timeout_ms: false when the guest is gone. */
bool client_pump(struct client *c, int timeout_ms);

/* ---- whole requests ---- */

struct client_exec {
    const char *const *argv;
    const char *const *envp; /* may be NULL */
    const char *cwd, *user;  /* may be NULL */
    uint32_t flags, timeout_ms;
    uint16_t rows, cols;
    const void *in; /* sent as stdin with MSG_F_STDIN, then its end */
    size_t in_len;
    void (*more)(struct msg_builder *b); /* adds the fields of a profile; may be NULL */
};

struct client_result {
    bool started;
    uint32_t pid;
    uint8_t *out, *err; /* owned; a NUL follows */
    size_t out_len, err_len;
    bool ended; /* EXIT or ERROR came; otherwise the stream was reset */
    uint8_t kind, code;
    uint32_t error; /* errno of an ERROR, 0: EXIT */
    char text[256]; /* of the ERROR */
};

/* Sends EXEC and returns its stream. */
uint32_t client_start(struct client *c, const struct client_exec *x);

/* Feeds stdin and collects everything to the end. */
void client_finish(struct client *c, uint32_t id, const struct client_exec *x,
                   struct client_result *r);
void client_run(struct client *c, const struct client_exec *x, struct client_result *r);
void client_result_fini(struct client_result *r);

/* PUT and GET: 0, or the errno of the ERROR, whose text goes to text. */
uint32_t client_put(struct client *c, const char *path, const char *user, const void *tar,
                    size_t len, char text[256]);
uint32_t client_get(struct client *c, const char *path, uint8_t **tar, size_t *len, char text[256]);

/* A request of no fields but these, answered DONE (0) or ERROR (errno). */
uint32_t client_simple(struct client *c, struct msg_builder *b, char text[256]);

#endif
