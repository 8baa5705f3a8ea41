/* vhost.c - see vhost.h. The names in quotes are sections of QEMU's "Vhost-user Protocol". */
#include "sandbox/files/vhost.h"

#include "base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* virtio 1.2, 6: feature bits. */
#define F_INDIRECT_DESC (1ull << 28)
#define F_EVENT_IDX     (1ull << 29)
#define F_VERSION_1     (1ull << 32)

#define FEATURES (F_INDIRECT_DESC | F_EVENT_IDX | F_VERSION_1 | VHOST_F_PROTOCOL_FEATURES)
/* MQ: QEMU wants it of whoever has more than one ring. */
#define PROTOCOL_FEATURES (VHOST_PROTOCOL_F_MQ | VHOST_PROTOCOL_F_REPLY_ACK)

struct packet {
    struct vhost_head head;
    union {
        uint64_t u64;
        struct vhost_memory memory;
        struct vhost_vring_state state;
        struct vhost_vring_addr addr;
    } body;
    int fds[VHOST_REGIONS]; /* owned; what is kept becomes -1 */
    unsigned nfds;
};

static int broke(struct err *e, const struct packet *p, const char *why)
{
    return err_set(e, EPROTO, "the machine's process broke a rule of vhost-user: request %u: %s",
                   p->head.request, why);
}

static void packet_fini(struct packet *p)
{
    while (p->nfds)
        fd_closep(&p->fds[--p->nfds]);
}

/* ---- the socket ---- */

/* Takes over what came beside the bytes; false: not all of it fitted. */
static bool take_fds(struct packet *p, struct msghdr *h)
{
    bool fits = !(h->msg_flags & MSG_CTRUNC);

    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
            fits = fits && p->nfds < VHOST_REGIONS;
            if (fits)
                p->fds[p->nfds++] = fd;
            else
                close(fd);
        }
    }
    return fits;
}

/* len bytes and what is beside them: the count, less at the connection's end; -EMSGSIZE: more
 * descriptors than any request has; -errno. */
static ssize_t receive(const struct vhost *v, struct packet *p, void *to, size_t len)
{
    size_t have = 0;

    while (have < len) {
        union {
            char bytes[CMSG_SPACE(sizeof(int) * VHOST_REGIONS)];
            struct cmsghdr align;
        } beside;
        struct iovec iov = { (char *)to + have, len - have };
        struct msghdr h = { .msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = beside.bytes,
                            .msg_controllen = sizeof(beside.bytes) };
        ssize_t n = recvmsg(v->sock, &h, MSG_CMSG_CLOEXEC);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (!take_fds(p, &h))
            return -EMSGSIZE;
        if (n == 0)
            break;
        have += (size_t)n;
    }
    return (ssize_t)have;
}

/* It waits for nobody: who does not read its answers gets none. */
static int answer(const struct vhost *v, struct packet *p, uint32_t size, struct err *e)
{
    char bytes[sizeof(p->head) + sizeof(p->body.u64)];
    size_t len = sizeof(p->head) + size;

    p->head.flags = VHOST_VERSION | VHOST_REPLY;
    p->head.size = size;
    memcpy(bytes, &p->head, sizeof(p->head));
    memcpy(bytes + sizeof(p->head), &p->body, size);
    if (send(v->sock, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)len)
        return broke(e, p, "its answer is not taken");
    return 0;
}

static int answer_u64(const struct vhost *v, struct packet *p, uint64_t value, struct err *e)
{
    p->body.u64 = value;
    return answer(v, p, sizeof(p->body.u64), e);
}

/* ---- the rings ---- */

static bool begin(struct vhost *v, struct vhost_ring *r)
{
    const struct gmem *m = &v->memory.gmem;
    struct virtq *q = &r->q;

    q->indirect = v->features & F_INDIRECT_DESC;
    q->event_idx = v->features & F_EVENT_IDX;
    if (!memory_find(&v->memory, r->addr.desc, &q->desc) ||
        !memory_find(&v->memory, r->addr.avail, &q->avail) ||
        !memory_find(&v->memory, r->addr.used, &q->used) || !virtq_check(q, m) ||
        gmem_load_acquire(m, (gpa_t){ q->used.at + 2 }, &q->next_used))
        return false;
    q->signalled = q->next_used;
    q->enabled = true;
    return true;
}

/* "Ring states": what of them follows from all that was said. */
static int settle(struct vhost *v, const struct packet *p, struct err *e)
{
    for (unsigned i = 0; i < VHOST_RINGS; i++) {
        struct vhost_ring *r = &v->ring[i];
        bool runs = r->placed && r->wanted && !r->broken && r->kick.fd >= 0 && v->features;

        if (!runs)
            r->q.enabled = false;
        else if (!r->q.enabled && !begin(v, r))
            return broke(e, p, "a ring that is not in the guest's memory");
    }
    return 0;
}

void vhost_interrupt(struct vhost *v, struct vhost_ring *r)
{
    const uint64_t one = 1;

    if (r->q.enabled && virtq_wants_interrupt(&r->q, &v->memory.gmem) && r->call >= 0)
        (void)!write(r->call, &one, sizeof(one));
}

void vhost_break(struct vhost_ring *r)
{
    const uint64_t one = 1;

    r->broken = true;
    r->q.enabled = false;
    if (r->error >= 0)
        (void)!write(r->error, &one, sizeof(one));
    if (!r->vhost->told)
        fprintf(stderr, "carrel-files: the guest broke a rule of virtio: its queue stands still\n");
    r->vhost->told = true;
}

/* ---- "Front-end message types" ---- */

static int get_features(struct vhost *v, struct packet *p, struct err *e)
{
    return answer_u64(v, p, FEATURES, e);
}

static int set_features(struct vhost *v, struct packet *p, struct err *e)
{
    uint64_t f = p->body.u64;

    if (f & ~FEATURES || !(f & VHOST_F_PROTOCOL_FEATURES))
        return broke(e, p, "features that were not offered, or not those that must be");
    for (unsigned i = 0; i < VHOST_RINGS; i++)
        if (v->ring[i].q.enabled && f != v->features)
            return broke(e, p, "a ring is running");
    v->features = f;
    return 0;
}

static int set_owner(struct vhost *v, struct packet *p, struct err *e)
{
    (void)v;
    (void)p;
    (void)e;
    return 0; /* whose it is says the socket */
}

static int get_protocol_features(struct vhost *v, struct packet *p, struct err *e)
{
    return answer_u64(v, p, PROTOCOL_FEATURES, e);
}

static int set_protocol_features(struct vhost *v, struct packet *p, struct err *e)
{
    (void)v;
    return p->body.u64 & ~PROTOCOL_FEATURES ? broke(e, p, "features that were not offered") : 0;
}

static int get_queue_num(struct vhost *v, struct packet *p, struct err *e)
{
    return answer_u64(v, p, VHOST_RINGS, e);
}

/* The rings are where they were: settle looks them up in the new memory. */
static int set_mem_table(struct vhost *v, struct packet *p, struct err *e)
{
    const struct vhost_memory *t = &p->body.memory;

    /* There are at most VHOST_REGIONS descriptors. */
    if (p->nfds != t->n || p->head.size != 8 + t->n * sizeof(t->region[0]))
        return broke(e, p, "as many regions as bytes and descriptors");
    for (unsigned i = 0; i < VHOST_RINGS; i++)
        v->ring[i].q.enabled = false;
    memory_unmap(&v->memory);
    return memory_map(&v->memory, t, p->fds, e);
}

/* The ring that the message is about; NULL: there is none. */
static struct vhost_ring *ring_of(struct vhost *v, uint64_t index)
{
    return index < VHOST_RINGS ? &v->ring[index] : NULL;
}

static int set_vring_num(struct vhost *v, struct packet *p, struct err *e)
{
    struct vhost_ring *r = ring_of(v, p->body.state.index);

    if (!r || r->q.enabled || p->body.state.num > VIRTQ_SIZE_MAX)
        return broke(e, p, "no such ring, or it is running, or too large");
    r->q.size = (uint16_t)p->body.state.num;
    return 0;
}

static int set_vring_addr(struct vhost *v, struct packet *p, struct err *e)
{
    struct vhost_ring *r = ring_of(v, p->body.addr.index);

    if (!r || p->body.addr.flags)
        return broke(e, p, "no such ring, or a log");
    r->addr = p->body.addr;
    r->placed = true;
    r->q.enabled = false; /* settle starts it there */
    return 0;
}

static int set_vring_base(struct vhost *v, struct packet *p, struct err *e)
{
    struct vhost_ring *r = ring_of(v, p->body.state.index);

    if (!r || r->q.enabled || p->body.state.num > UINT16_MAX)
        return broke(e, p, "no such ring, or it is running, or no index");
    r->q.next_avail = (uint16_t)p->body.state.num;
    return 0;
}

/* Stopped: not touched until it is placed and enabled anew. Its descriptors may stay. */
static int get_vring_base(struct vhost *v, struct packet *p, struct err *e)
{
    struct vhost_ring *r = ring_of(v, p->body.state.index);

    if (!r)
        return broke(e, p, "no such ring");
    r->placed = r->wanted = r->broken = r->q.enabled = false;
    p->body.state.num = r->q.next_avail;
    return answer(v, p, sizeof(p->body.state), e);
}

static int set_vring_enable(struct vhost *v, struct packet *p, struct err *e)
{
    struct vhost_ring *r = ring_of(v, p->body.state.index);

    if (!r || p->body.state.num > 1)
        return broke(e, p, "no such ring, or neither on nor off");
    r->wanted = p->body.state.num;
    return 0;
}

/* The ring of a message with a descriptor, or with the word that there is none; *fd is the caller's
 * then. NULL: neither. */
static struct vhost_ring *take_fd(struct vhost *v, struct packet *p, int *fd)
{
    bool none = p->body.u64 & VHOST_VRING_NO_FD;
    struct vhost_ring *r = ring_of(v, p->body.u64 & VHOST_VRING_INDEX);

    if (!r || p->body.u64 & ~(VHOST_VRING_INDEX | VHOST_VRING_NO_FD) || p->nfds != !none)
        return NULL;
    *fd = none ? -1 : fd_steal(&p->fds[0]);
    return r;
}

static int set_vring_kick(struct vhost *v, struct packet *p, struct err *e)
{
    auto_fd int fd = -1;
    struct vhost_ring *r = take_fd(v, p, &fd);

    if (!r || fd < 0) /* who never rings would have us look for ever */
        return broke(e, p, "no such ring, or no doorbell");
    if (r->kick.fd >= 0)
        loop_remove(v->loop, &r->kick);
    fd_closep(&r->kick.fd);
    r->kick.fd = fd_steal(&fd);
    return loop_add(v->loop, &r->kick, EPOLLIN | (uint32_t)EPOLLET, e);
}

static int set_vring_call(struct vhost *v, struct packet *p, struct err *e)
{
    auto_fd int fd = -1;
    struct vhost_ring *r = take_fd(v, p, &fd);

    if (!r)
        return broke(e, p, "no such ring, or no descriptor");
    fd_closep(&r->call);
    r->call = fd_steal(&fd);
    return 0;
}

static int set_vring_err(struct vhost *v, struct packet *p, struct err *e)
{
    auto_fd int fd = -1;
    struct vhost_ring *r = take_fd(v, p, &fd);

    if (!r)
        return broke(e, p, "no such ring, or no descriptor");
    fd_closep(&r->error);
    r->error = fd_steal(&fd);
    return 0;
}

#define ANY_SIZE UINT32_MAX

/* All that may be asked. What answers itself needs no acknowledgement. */
static const struct request {
    int (*follow)(struct vhost *v, struct packet *p, struct err *e);
    uint32_t size;
    unsigned fds; /* at most */
    bool answers;
} requests[] = {
    [VHOST_GET_FEATURES] = { get_features, 0, 0, true },
    [VHOST_SET_FEATURES] = { set_features, 8, 0, false },
    [VHOST_SET_OWNER] = { set_owner, 0, 0, false },
    [VHOST_SET_MEM_TABLE] = { set_mem_table, ANY_SIZE, VHOST_REGIONS, false },
    [VHOST_SET_VRING_NUM] = { set_vring_num, 8, 0, false },
    [VHOST_SET_VRING_ADDR] = { set_vring_addr, 40, 0, false },
    [VHOST_SET_VRING_BASE] = { set_vring_base, 8, 0, false },
    [VHOST_GET_VRING_BASE] = { get_vring_base, 8, 0, true },
    [VHOST_SET_VRING_KICK] = { set_vring_kick, 8, 1, false },
    [VHOST_SET_VRING_CALL] = { set_vring_call, 8, 1, false },
    [VHOST_SET_VRING_ERR] = { set_vring_err, 8, 1, false },
    [VHOST_GET_PROTOCOL_FEATURES] = { get_protocol_features, 0, 0, true },
    [VHOST_SET_PROTOCOL_FEATURES] = { set_protocol_features, 8, 0, false },
    [VHOST_GET_QUEUE_NUM] = { get_queue_num, 0, 0, true },
    [VHOST_SET_VRING_ENABLE] = { set_vring_enable, 8, 0, false },
};

static int follow(struct vhost *v, struct packet *p, const struct request *q, struct err *e)
{
    bool asked = p->head.flags & VHOST_NEED_REPLY && !q->answers;
    int err = q->follow(v, p, e);

    if (!err)
        err = settle(v, p, e);
    if (!err && asked)
        err = answer_u64(v, p, 0, e);
    return err;
}

/* What is wrong with the head, or NULL. */
static const char *judge(const struct packet *p)
{
    const struct vhost_head *h = &p->head;
    const struct request *q = h->request < array_len(requests) ? &requests[h->request] : NULL;

    if (!q || !q->follow)
        return "not known";
    if ((h->flags & ~VHOST_NEED_REPLY) != VHOST_VERSION)
        return "another version, or no request";
    if (q->size == ANY_SIZE ? h->size > sizeof(p->body) : h->size != q->size)
        return "not as long as it has to be";
    return NULL;
}

/* All of a request: what is wrong with it, or NULL with *n as vhost_receive returns. */
static const char *take(struct vhost *v, struct packet *p, int *n)
{
    ssize_t got = receive(v, p, &p->head, sizeof(p->head));
    const char *wrong = NULL;

    if (got > 0)
        wrong = got < (ssize_t)sizeof(p->head) ? "cut short" : judge(p);
    if (got > 0 && !wrong && p->head.size) {
        got = receive(v, p, &p->body, p->head.size);
        wrong = got >= 0 && got < (ssize_t)p->head.size ? "cut short" : NULL;
    }
    if (got == -EMSGSIZE || (got > 0 && !wrong && p->nfds > requests[p->head.request].fds))
        wrong = "too many descriptors";
    *n = got > 0 ? 1 : (int)got;
    return wrong;
}

int vhost_receive(struct vhost *v, struct err *e)
{
    cleanup_with(packet_fini) struct packet p = { 0 };
    int n;
    const char *wrong = take(v, &p, &n);

    if (wrong)
        return broke(e, &p, wrong);
    if (n < 0)
        return err_set(e, -n, "the machine's process: %s", strerror(-n));
    if (n == 0)
        return 0;
    n = follow(v, &p, &requests[p.head.request], e);
    return n ? n : 1;
}

static void on_kick(struct loop_source *s, uint32_t events)
{
    (void)events;
    container_of(s, struct vhost_ring, kick)->vhost->rung = true;
}

void vhost_init(struct vhost *v, int sock, struct loop *loop)
{
    *v = (struct vhost){ .sock = sock, .loop = loop };
    for (unsigned i = 0; i < VHOST_RINGS; i++)
        v->ring[i] = (struct vhost_ring){
            .vhost = v, .kick = { .fd = -1, .ready = on_kick }, .call = -1, .error = -1
        };
}

void vhost_fini(struct vhost *v)
{
    for (unsigned i = 0; i < VHOST_RINGS; i++) {
        if (v->ring[i].kick.fd >= 0)
            loop_remove(v->loop, &v->ring[i].kick);
        fd_closep(&v->ring[i].kick.fd);
        fd_closep(&v->ring[i].call);
        fd_closep(&v->ring[i].error);
    }
    memory_unmap(&v->memory);
    fd_closep(&v->sock);
}
