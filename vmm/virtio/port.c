/*
 * port.c - see port.h. Many small buffers move in one system call; a batch is popped, offered to
 * the socket, and what did not move is put back.
 */
#include "vmm/virtio/port.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#define TURN_BYTES (1u << 20) /* moved in each direction before others have their turn */

/* ---- the socket in the loop ---- */

static void watch(struct port *p, uint32_t events)
{
    struct loop *l = p->dev->host->loop;

    if (p->in_loop && p->watched != events && !loop_change(l, &p->sock, events, NULL))
        p->watched = events;
}

/* Hang-ups are reported whether one wants them or not: a socket that must wait leaves the loop. */
static void unwatch(struct port *p)
{
    if (p->in_loop)
        loop_remove(p->dev->host->loop, &p->sock);
    p->in_loop = false;
}

/*
 * The peer is gone. The next one has its place at once, if there is one, and whatever was cut off
 * in the middle: who talks on a port is for those to find out who do. Without one the guest reads
 * what it has, then sees the port closed.
 */
static void hang_up(struct port *p)
{
    unwatch(p);
    fd_closep(&p->sock.fd);
    p->deaf = p->readable = p->full = false;
    while (!p->in_loop && p->nspares) {
        fd_closep(&p->sock.fd);
        p->sock.fd = p->spare[--p->nspares];
        p->watched = EPOLLIN;
        p->in_loop = !loop_add(p->dev->host->loop, &p->sock, p->watched, NULL);
    }
    if (!p->in_loop)
        fd_closep(&p->sock.fd);
    p->host_open = p->in_loop;
    if (p->ready)
        p->say |= SAY_OPEN;
}

/* ---- moving bytes ---- */

/*
 * Adds the buffers of the chain in hand to the batch, at most up to PORT_BATCH_IOV. False when they
 * do not fit; the first chain of a batch always fits, if need be in part.
 */
static bool batch_add(struct port_batch *b, unsigned k, unsigned *niov, const struct iovec *iov,
                      unsigned n)
{
    uint32_t len = 0;
    unsigned used = *niov;

    for (unsigned i = 0; i < n; i++) {
        if (!iov[i].iov_len)
            continue;
        if (used == PORT_BATCH_IOV) {
            if (k)
                return false;
            break;
        }
        b->iov[used++] = iov[i];
        len += (uint32_t)iov[i].iov_len;
    }
    b->part[k].head = b->chain.head;
    b->part[k].len = len;
    *niov = used;
    return true;
}

/* Gives the first chains of the batch back, among which the guest finds n received bytes. */
static int push_received(struct port *p, unsigned k, size_t n)
{
    struct virtq *q = &p->dev->queues[p->rx];
    unsigned done = 0;

    for (; done < k && n; done++) {
        uint32_t len = n < p->batch->part[done].len ? (uint32_t)n : p->batch->part[done].len;

        if (virtq_push(q, p->dev->host->mem, p->batch->part[done].head, len))
            return -EFAULT;
        n -= len;
    }
    virtq_unpop(q, (uint16_t)(k - done));
    p->dev->interrupt(p->dev, p->rx);
    return 0;
}

static ssize_t receive(struct port *p, struct iovec *iov, unsigned n)
{
    ssize_t got;

    do /* not recvmsg: it could bring descriptors */
        got = readv(p->sock.fd, iov, (int)n);
    while (got < 0 && errno == EINTR);
    return got < 0 && errno == EAGAIN ? -EAGAIN : got;
}

/* Socket to guest, once: up to BATCH buffers. VIRTQ_CHAIN: bytes moved, there may be more. */
static enum virtq_verdict fill(struct port *p)
{
    struct port_batch *b = p->batch;
    struct virtq *q = &p->dev->queues[p->rx];
    const struct gmem *m = p->dev->host->mem;
    enum virtq_verdict v = VIRTQ_EMPTY;
    unsigned k = 0, niov = 0;
    size_t room = 0;
    ssize_t got;

    while (k < PORT_BATCH) {
        v = virtq_pop(q, m, &b->chain);
        if (v == VIRTQ_BAD_GUEST)
            return v;
        if (v == VIRTQ_EMPTY)
            break;
        if (b->chain.nread || !b->chain.write_len)
            return VIRTQ_BAD_GUEST; /* section 5.3.6.1: receive buffers are for writing */
        if (!batch_add(b, k, &niov, b->chain.iov, b->chain.nwrite)) {
            virtq_unpop(q, 1);
            break;
        }
        room += b->part[k++].len;
    }
    if (!k)
        return virtq_wait(q, m) ? VIRTQ_EMPTY : VIRTQ_CHAIN;
    got = receive(p, b->iov, niov);
    if (got <= 0) {
        virtq_unpop(q, (uint16_t)k);
        p->readable = false;
        if (got != -EAGAIN)
            hang_up(p);
        return VIRTQ_EMPTY;
    }
    if (push_received(p, k, (size_t)got))
        return VIRTQ_BAD_GUEST;
    if ((size_t)got == room || !p->in_loop)
        return VIRTQ_CHAIN;
    p->readable = false; /* read empty; if not, the loop says so again */
    return VIRTQ_EMPTY;
}

static ssize_t transmit(struct port *p, struct iovec *iov, unsigned n)
{
    ssize_t put;

    do
        put = writev(p->sock.fd, iov, (int)n);
    while (put < 0 && errno == EINTR);
    return put < 0 && errno == EAGAIN ? -EAGAIN : put;
}

/* n bytes of the batch are in the socket: gives those chains back that went completely. */
static int push_sent(struct port *p, unsigned k, size_t n)
{
    uint16_t queue = (uint16_t)(p->rx + 1);
    struct virtq *q = &p->dev->queues[queue];
    unsigned done = 0;

    for (; done < k && n >= p->batch->part[done].len; done++) {
        n -= p->batch->part[done].len;
        p->sent = 0;
        if (virtq_push(q, p->dev->host->mem, p->batch->part[done].head, 0))
            return -EFAULT;
    }
    p->sent += (uint32_t)n;
    virtq_unpop(q, (uint16_t)(k - done));
    if (done)
        p->dev->interrupt(p->dev, queue);
    return 0;
}

/* Guest to socket, once. Without a peer the bytes are dropped, so that the guest does not hang. */
static enum virtq_verdict drain(struct port *p)
{
    struct port_batch *b = p->batch;
    struct virtq *q = &p->dev->queues[p->rx + 1];
    const struct gmem *m = p->dev->host->mem;
    unsigned k = 0, niov = 0;
    size_t total = 0;
    ssize_t put;

    while (k < PORT_BATCH) {
        enum virtq_verdict v = virtq_pop(q, m, &b->chain);

        if (v == VIRTQ_BAD_GUEST)
            return v;
        if (v == VIRTQ_EMPTY)
            break;
        /* The first chain may be the rest of one that was sent in part; it is judged anew, and a
         * guest that shortened it meanwhile is told off. */
        if (b->chain.nwrite || (!k && virtq_chain_skip(&b->chain, p->sent)))
            return VIRTQ_BAD_GUEST;
        if (!batch_add(b, k, &niov, b->chain.iov, b->chain.nread)) {
            virtq_unpop(q, 1);
            break;
        }
        total += b->part[k++].len;
        if (b->part[k - 1].len < b->chain.read_len) {
            b->part[k - 1].len = UINT32_MAX; /* more buffers than a batch: never complete here */
            break;
        }
    }
    if (!k)
        return virtq_wait(q, m) ? VIRTQ_EMPTY : VIRTQ_CHAIN;
    put = p->host_open && !p->deaf && niov ? transmit(p, b->iov, niov) : (ssize_t)total;
    if (put == -EAGAIN) {
        p->full = true;
        virtq_unpop(q, (uint16_t)k);
        return VIRTQ_EMPTY;
    }
    if (put < 0) { /* what the peer wrote before it went is still to be read */
        p->deaf = p->readable = true;
        put = (ssize_t)total;
    }
    return push_sent(p, k, (size_t)put) ? VIRTQ_BAD_GUEST : VIRTQ_CHAIN;
}

/* ---- turns ---- */

/* Repeats one direction of one port until it is done, or had its share. */
static enum virtq_verdict turn(struct port *p, enum virtq_verdict (*step)(struct port *p))
{
    for (unsigned bytes = 0; bytes < TURN_BYTES; bytes += PORT_BATCH * 4096u) {
        enum virtq_verdict v = step(p);

        if (v != VIRTQ_CHAIN)
            return v;
    }
    return VIRTQ_CHAIN;
}

enum virtq_verdict port_serve(struct port *p)
{
    enum virtq_verdict in = VIRTQ_EMPTY, out = VIRTQ_EMPTY;

    if (!p->full)
        out = turn(p, drain);
    if (out != VIRTQ_BAD_GUEST && p->readable && p->guest_open)
        in = turn(p, fill);
    if (in == VIRTQ_BAD_GUEST || out == VIRTQ_BAD_GUEST)
        return VIRTQ_BAD_GUEST;
    /* Still readable means that the guest has no buffer, or the port closed: its doorbell comes. */
    watch(p, (p->readable ? 0 : (uint32_t)EPOLLIN) | (p->full ? (uint32_t)EPOLLOUT : 0));
    return in == VIRTQ_CHAIN || out == VIRTQ_CHAIN ? VIRTQ_CHAIN : VIRTQ_EMPTY;
}

static void on_socket(struct loop_source *s, uint32_t events)
{
    struct port *p = container_of(s, struct port, sock);

    virtio_dev_lock(p->dev);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        p->readable = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        p->full = false;
    if (events & (EPOLLHUP | EPOLLERR))
        unwatch(p); /* what is left of it is read when the guest has room; no need to be told */
    else            /* without a guest, notify does not come to say what to watch */
        watch(p, (p->readable ? 0 : (uint32_t)EPOLLIN) | (p->full ? (uint32_t)EPOLLOUT : 0));
    virtio_dev_unlock(p->dev);
    p->dev->serve(p->dev);
}

/* ---- making it ---- */

/* Later there is no fcntl any more. */
static int unblock(int fd, const char *name, struct err *e)
{
    int flags = fcntl(fd, F_GETFL);

    return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) ? err_sys(e, "port \"%s\"", name)
                                                               : 0;
}

int port_open(struct port *p, struct virtio_dev *dev, struct port_batch *batch, uint16_t rx,
              const struct vmm_launch_port *from, struct err *e)
{
    *p = (struct port){ .sock = { .fd = from->fd, .ready = on_socket },
                        .dev = dev,
                        .batch = batch,
                        .rx = rx,
                        .host_open = true,
                        .watched = EPOLLIN };
    memcpy(p->name, from->name, sizeof(p->name));
    p->name[sizeof(p->name) - 1] = '\0';
    if (unblock(p->sock.fd, p->name, e))
        return -e->code;
    if (loop_add(dev->host->loop, &p->sock, p->watched, e))
        return err_wrap(e, "port \"%s\"", p->name);
    p->in_loop = true;
    return 0;
}

int port_add_spare(struct port *p, int fd, struct err *e)
{
    if (unblock(fd, p->name, e))
        return -e->code;
    p->spare[p->nspares++] = fd;
    return 0;
}

void port_close(struct port *p)
{
    unwatch(p);
    fd_closep(&p->sock.fd);
    while (p->nspares)
        fd_closep(&p->spare[--p->nspares]);
}

void port_disown(struct port *p)
{
    unwatch(p);
    p->sock.fd = -1;
}
