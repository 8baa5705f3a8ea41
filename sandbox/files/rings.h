/*
 * rings.h - requests out of the guest's rings, answers into its memory.
 *
 * Header, arguments and names are copied out once and judged in the copy. What a file's bytes are
 * is not: READ and WRITE go between the file and the guest's memory in one system call.
 */
#ifndef SANDBOX_FILES_RINGS_H
#define SANDBOX_FILES_RINGS_H

#include "sandbox/files/server.h"
#include "sandbox/files/vhost.h"

struct rings {
    struct server *server; /* borrowed */
    struct loop loop;
    struct loop_source sock; /* fd: vhost.sock */
    struct vhost vhost;
    struct err *why; /* borrowed by a turn */
    int end;         /* as vhost_receive said */
    bool busy;       /* the rings were not empty when the turn was over */
    bool dozing;     /* forgetting is looked at when a request comes, or after a while */
    uint16_t quiet;  /* chains of forgetting given back since the guest was told last */
    struct virtq_chain chain;
    struct iovec place[VIRTQ_SIZE_MAX];
    uint8_t args[MESSAGE_ARGS_MAX], data[FILES_DATA_MAX];
};

/* Takes sock, also when it fails. r is not copied or moved. */
must_check int rings_init(struct rings *r, struct server *s, int sock, struct err *e);
void rings_fini(struct rings *r);

/* Waits once, for at most most_ms (-1: for what comes), and serves: 1; 0: the connection is over;
 * -errno with *e set. */
must_check int rings_turn(struct rings *r, int most_ms, struct err *e);

/* Until the connection is over: 0; -errno with *e set. */
must_check int rings_run(struct rings *r, struct err *e);

#endif
