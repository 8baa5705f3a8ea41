/*
 * rings.c - see rings.h. Sections are those of virtio 1.2.
 *
 * Nobody waits for a forgetting, and Linux sends one for each file that goes. So while requests
 * come their queue's doorbell is not asked for, and its interrupts are gathered: a forgetting costs
 * no wake-up of anybody. A pause looks after those behind which no request comes.
 */
#include "sandbox/files/rings.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#define TURN       64u /* requests before the machine's process is listened to again */
#define DOZE_MS    20  /* how long forgetting may wait; so may an unmount in the guest */
#define QUIET_MOST 32u /* of the guest's queue of 128 */

/* Section 5.11.6: these have no answer; they, and only they, have the first queue. */
static bool has_no_answer(uint32_t opcode)
{
    return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET || opcode == FUSE_INTERRUPT;
}

/* ---- chains go back ---- */

static void tell_quiet(struct rings *r)
{
    if (r->quiet)
        vhost_interrupt(&r->vhost, &r->vhost.ring[VHOST_HIPRIO]);
    r->quiet = 0;
}

static enum virtq_verdict give_back(struct rings *r, unsigned i, uint32_t written)
{
    struct vhost_ring *ring = &r->vhost.ring[i];

    if (virtq_push(&ring->q, &r->vhost.memory.gmem, r->chain.head, written))
        return VIRTQ_BAD_GUEST;
    if (i == VHOST_REQUESTS)
        vhost_interrupt(&r->vhost, ring);
    else if (++r->quiet == QUIET_MOST)
        tell_quiet(r);
    return VIRTQ_CHAIN;
}

/* ---- one request ---- */

/* Where the guest wants what comes behind the header; there is room for that. */
static void find_place(struct rings *r, struct answer *a)
{
    const struct virtq_chain *c = &r->chain;
    size_t skip = sizeof(struct fuse_out_header);

    a->room = c->write_len - skip;
    for (unsigned i = 0; i < c->nwrite; i++) {
        struct iovec v = c->iov[c->nread + i];
        size_t n = skip < v.iov_len ? skip : v.iov_len;

        skip -= n;
        if (v.iov_len > n)
            r->place[a->nplace++] = (struct iovec){ (uint8_t *)v.iov_base + n, v.iov_len - n };
    }
    a->place = r->place;
}

/* Header first, as the guest's kernel believes it. An answer without room is an error in one. */
static enum virtq_verdict answer(struct rings *r, const struct message *m, const struct answer *a)
{
    bool fits = a->len <= a->room;
    uint32_t len = fits ? (uint32_t)a->len : 0;
    const struct fuse_out_header h = { .len = (uint32_t)sizeof(h) + len,
                                       .error = fits ? a->error : -EIO,
                                       .unique = m->h.unique };

    if (virtq_chain_give(&r->chain, &h, sizeof(h)) ||
        (!a->in_place && virtq_chain_give(&r->chain, a->data, len)))
        return VIRTQ_BAD_GUEST;
    return give_back(r, VHOST_REQUESTS, h.len);
}

/* The chain that was popped. */
static enum virtq_verdict serve_one(struct rings *r, unsigned i)
{
    struct virtq_chain *c = &r->chain;
    struct answer a = { .data = r->data };
    struct message m = { .at = r->args };

    if (virtq_chain_take(c, &m.h, sizeof(m.h)) || m.h.len != sizeof(m.h) + c->read_len ||
        m.h.len > FILES_MESSAGE_MAX || has_no_answer(m.h.opcode) != (i == VHOST_HIPRIO) ||
        (i == VHOST_REQUESTS && c->write_len < sizeof(struct fuse_out_header)))
        return VIRTQ_BAD_GUEST;
    m.left = message_args(m.h.opcode, c->read_len);
    if (virtq_chain_take(c, r->args, m.left))
        return VIRTQ_BAD_GUEST;
    m.data = c->iov;
    m.ndata = c->nread;
    m.data_len = c->read_len;
    if (i == VHOST_REQUESTS)
        find_place(r, &a);
    if (server_handle(r->server, &m, &a))
        return answer(r, &m, &a);
    r->dozing = true;
    return give_back(r, VHOST_HIPRIO, 0);
}

/* ---- the rings ---- */

/* Serves the next chain; VIRTQ_EMPTY: there is none, and the doorbells are armed. */
static enum virtq_verdict next(struct rings *r)
{
    const struct gmem *m = &r->vhost.memory.gmem;
    enum virtq_verdict v;

    for (unsigned i = 0; i < VHOST_RINGS; i++) {
        struct vhost_ring *ring = &r->vhost.ring[i];

        v = virtq_pop(&ring->q, m, &r->chain);
        if (v == VIRTQ_CHAIN)
            v = serve_one(r, i);
        if (v == VIRTQ_BAD_GUEST)
            vhost_break(ring);
        if (v != VIRTQ_EMPTY)
            return VIRTQ_CHAIN;
    }
    v = VIRTQ_EMPTY;
    for (unsigned i = r->dozing ? VHOST_REQUESTS : VHOST_HIPRIO; i < VHOST_RINGS; i++)
        if (!virtq_wait(&r->vhost.ring[i].q, m))
            v = VIRTQ_CHAIN;
    return v;
}

/* Is there more to do? */
static bool serve(struct rings *r)
{
    for (unsigned i = 0; i < VHOST_RINGS; i++)
        virtq_hush(&r->vhost.ring[i].q, &r->vhost.memory.gmem);
    for (unsigned n = 0; n < TURN; n++)
        if (next(r) == VIRTQ_EMPTY)
            return false;
    return true;
}

/* ---- turns ---- */

static void on_socket(struct loop_source *s, uint32_t events)
{
    struct rings *r = container_of(s, struct rings, sock);

    (void)events;
    r->vhost.rung = true;
    tell_quiet(r); /* after this request the ring may be no more */
    r->end = vhost_receive(&r->vhost, r->why);
}

int rings_turn(struct rings *r, int most_ms, struct err *e)
{
    int wait = r->busy ? 0 : r->dozing ? DOZE_MS : -1, err;

    if (most_ms >= 0 && (wait < 0 || wait > most_ms))
        wait = most_ms;
    r->vhost.rung = false;
    r->why = e;
    err = loop_once(&r->loop, wait, e);
    if (err || r->end <= 0)
        return err ? err : r->end;
    if (!r->vhost.rung && wait == DOZE_MS) {
        r->dozing = false;
        tell_quiet(r);
    }
    r->busy = serve(r);
    return 1;
}

int rings_run(struct rings *r, struct err *e)
{
    int err;

    do
        err = rings_turn(r, -1, e);
    while (err > 0);
    return err;
}

int rings_init(struct rings *r, struct server *s, int sock, struct err *e)
{
    int err = loop_init(&r->loop, e);

    r->server = s;
    r->end = 1;
    r->dozing = r->busy = false;
    r->quiet = 0;
    r->sock = (struct loop_source){ .fd = sock, .ready = on_socket };
    vhost_init(&r->vhost, sock, &r->loop);
    r->vhost.memory.most = s->guest_memory;
    if (!err)
        err = loop_add(&r->loop, &r->sock, EPOLLIN, e);
    if (err)
        rings_fini(r);
    return err;
}

void rings_fini(struct rings *r)
{
    vhost_fini(&r->vhost);
    loop_fini(&r->loop);
}
