/*
 * holder.h - the process that outlives a keeper, so that its machine may.
 *
 * `carrel` starts the holder; the holder forks the keeper and does nothing but wait. The machine
 * and its carrel-files are the holder's children, too (spawn.h, sibling): they live as long as the
 * holder does. When a keeper is killed (SIGKILL, nothing else: one that died of what it read would
 * be asked to read it again), the holder forks the next one, with the descriptors that the first
 * had given for this. It parses nothing of anybody's: descriptors go through it, and how its
 * children ended.
 *
 * When the holder dies the kernel kills all of them, and when it gives up it ends.
 */
#ifndef SANDBOX_KEEPER_HOLDER_H
#define SANDBOX_KEEPER_HOLDER_H

#include "base/err.h"
#include "base/mark.h"
#include "base/sha256.h"
#include "policies/plan.h"
#include "sandbox/engine/engine.h"

#include <sys/resource.h>
#include <sys/types.h>

struct kept;

/* How a child of the holder ended. */
struct hold_end {
    pid_t pid;
    int status;
    struct rusage used;
};

/* What the first keeper gives for those to come, before it has heard anything of its guest:
 * whatever becomes of it later, this stays true. */
enum hold_fd {
    HOLD_LOCK,    /* the sandbox's: never free while somebody holds it */
    HOLD_DOOR,    /* keeper.sock: clients wait there */
    HOLD_ENGINE,  /* its pidfd */
    HOLD_REPORT,  /* what it says of itself */
    HOLD_LOG,     /* its standard error */
    HOLD_CONSOLE, /* the guest's kernel messages */
    HOLD_UID,     /* the claim to its uid */
    HOLD_FILES,   /* the pidfd of carrel-files */
    HOLD_DENIALS, /* and what that reports */
    HOLD_SPARE,   /* our ends of its spare control connections, one a keeper */
    HOLD_FDS = HOLD_SPARE + ENGINE_SPARES,
};

/* Beside the descriptors. Addresses are the same in all keepers: they are forks of one program. */
struct hold_machine {
    const struct engine *engine;
    pid_t pid;
    uint32_t uid;  /* its claim's; 0: none */
    int64_t begun; /* ms, as keeper_now */
    struct host_facts host;
    uint8_t mark[MARK_BYTES]; /* that the guest was given */
    uint32_t ncgroups;
    char cgroup[JAIL_CGROUPS_MAX][160];
    pid_t files;                 /* carrel-files; 0: there is none */
    uint8_t rules[SHA256_BYTES]; /* of what that was told */
};

/* As a keeper sees its holder. */
struct hold {
    pid_t pid;
    int socket;                  /* to it */
    struct kept *kept;           /* memory of all keepers */
    unsigned turn;               /* which keeper this is, from 0 */
    int fd[HOLD_FDS];            /* owned; -1: none */
    struct hold_machine machine; /* from the second turn on */
};

/*
 * Becomes the holder of keepers, each of which calls keep and exits with what it returns. Returns
 * when there is to be no other: 0, or -errno when there was not even one. `once` is closed when the
 * first keeper has it.
 */
must_check int hold_keepers(int (*keep)(struct hold *h, void *arg), void *arg, int once,
                            struct err *e);

/* Gives this and copies of these; -1 is skipped. Once. */
must_check int hold_give(const struct hold *h, const struct hold_machine *m, const int fd[HOLD_FDS],
                         struct err *e);

/* The next child of the holder that has ended; false: none, yet. Each is told of once, to one
 * keeper. */
bool hold_ended(const struct hold *h, struct hold_end *end);

#endif
