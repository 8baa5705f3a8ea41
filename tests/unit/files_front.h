/*
 * files_front.h - the other end of carrel-files' socket: a machine whose guest has its memory in a
 * memfd, speaks virtio by itself, and has everything in one thread with the server.
 */
#ifndef TESTS_UNIT_FILES_FRONT_H
#define TESTS_UNIT_FILES_FRONT_H

#include "sandbox/files/rings.h"
#include "tests/unit/files_client.h"

/* Two regions, one behind the other in the file. */
#define FRONT_LOW      (1u << 20)
#define FRONT_HIGH     (3u << 20)
#define FRONT_HIGH_GPA 0x100000000ull
#define FRONT_USER     0x7f0000000000ull /* what the machine calls the first byte of its file */

#define FRONT_SIZE 64ull /* of a ring */

/* virtio 1.2, 2.7.5. */
#define D_NEXT     1u
#define D_WRITE    2u
#define D_INDIRECT 4u

struct front_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};

struct front_ring {
    uint64_t desc, avail, used; /* guest addresses, below FRONT_LOW */
    uint16_t next, free, seen;
    int call;
};

struct front {
    struct client c; /* its server */
    struct rings r;
    struct err why; /* of the last turn */
    int sock, memfd, kick;
    uint8_t *ram;
    struct front_ring ring[VHOST_RINGS];
    uint64_t unique;
};

/* A buffer of a chain: guest address, length, D_WRITE or 0. */
struct front_buf {
    uint64_t at;
    uint32_t len;
    uint16_t flags;
};

/* mount as for client_init. Connected, and nothing said. */
void front_init(struct front *f, const char *mount);
void front_fini(struct front *f);

/* Another machine, with its memory empty, for the same server. */
void front_again(struct front *f);

/* One message, with these descriptors. */
void front_send(struct front *f, uint32_t request, uint32_t flags, const void *body, uint32_t size,
                const int *fds, unsigned nfds);
/* One turn of the server that does not wait: as rings_turn. */
int front_turn(struct front *f);
/* The same until it has nothing to do. */
int front_settle(struct front *f);
/* A message and a turn. */
int front_say(struct front *f, uint32_t request, const void *body, uint32_t size);
int front_say_fd(struct front *f, uint32_t request, const void *body, uint32_t size, int fd);
/* What it answered: a uint64_t, or dies. */
uint64_t front_answer(struct front *f, uint32_t request);

/* The pieces of an honest beginning, each with its turns; dies when one is refused. */
struct vhost_memory front_table(void);
void front_memory(struct front *f);
void front_place(struct front *f, unsigned ring, uint16_t base);
void front_enable(struct front *f, unsigned ring, unsigned on);
uint16_t front_stop(struct front *f, unsigned ring);
/* All of them. event_idx: negotiated. */
void front_start(struct front *f, bool event_idx);

/* Guest memory. */
void *front_at(struct front *f, uint64_t gpa);
/* Adds the chain; no doorbell. Its head. */
uint16_t front_post(struct front *f, unsigned ring, const struct front_buf *b, unsigned n);
void front_kick(struct front *f);
/* The next chain given back. */
bool front_reap(struct front *f, unsigned ring, uint32_t *id, uint32_t *len);
/* Interrupts since the last time. */
uint64_t front_calls(struct front *f, unsigned ring);

#endif
