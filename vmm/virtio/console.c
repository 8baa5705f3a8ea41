/*
 * console.c - see console.h. Sections are those of virtio 1.2.
 *
 * Queues (section 5.3.2): receive and transmit of port 0, control receive and transmit, then two
 * for each further port. Messages for the guest are not queued: what a port still has to say is a
 * set of bits, turned into messages as the guest offers buffers. So nothing grows, whatever either
 * side does.
 */
#include "vmm/virtio/console.h"

#include "base/fd.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define F_MULTIPORT (1ull << 1) /* section 5.3.3 */

/* Section 5.3.6.2: control messages. */
#define EV_DEVICE_READY 0u
#define EV_PORT_ADD     1u
#define EV_PORT_READY   3u
#define EV_PORT_OPEN    6u
#define EV_PORT_NAME    7u

#define QUEUE_SIZE  128u
#define CONTROL_RX  2u
#define CONTROL_TX  3u
#define BATCH       32u        /* chains in one system call */
#define BATCH_IOV   64u        /* and their buffers */
#define TURN_BYTES  (1u << 20) /* a port moves in each direction before the others' turn */
#define TURN_EVENTS 256u       /* control messages taken in one turn */

struct control {
    uint32_t id;
    uint16_t event, value;
};

/* Section 5.3.4. */
struct config {
    uint16_t cols, rows;
    uint32_t max_nr_ports, emerg_wr;
};

/* What a port still has to tell the guest. */
#define SAY_ADD  1u
#define SAY_NAME 2u
#define SAY_OPEN 4u /* host_open, as it is when there is a buffer for it */

struct console;

struct port {
    struct loop_source sock; /* fd owned; -1 once the peer is gone */
    struct console *con;     /* the console this port is in */
    char name[VMM_PORT_NAME];
    uint32_t watched; /* events asked of the loop … */
    bool in_loop;     /* … while the loop has the socket at all */
    uint32_t say;     /* SAY_* */
    bool host_open;   /* the peer is there */
    bool deaf;        /* … but no longer takes bytes */
    bool ready;       /* the guest knows the port */
    bool guest_open;  /* and has it open */
    bool readable;    /* the loop said so, and nothing has been read to the end since */
    bool full;        /* the socket takes no more for now */
    uint32_t sent;    /* bytes of the first waiting transmit chain already in the socket */
};

struct console {
    struct virtio_dev dev;
    unsigned nports;
    struct virtq queues[VIRTIO_QUEUES_MAX];
    struct port ports[VMM_PORTS_MAX];

    /* The transfer in hand: up to BATCH chains and their buffers. */
    struct virtq_chain chain;
    struct iovec iov[BATCH_IOV];
    struct {
        uint16_t head;
        uint32_t len;
    } part[BATCH];
};

static struct console *console_of(const struct virtio_dev *dev)
{
    return container_of(dev, struct console, dev);
}

static uint16_t rx_queue(unsigned port)
{
    return (uint16_t)(port ? 2 * port + 2 : 0);
}

/* ---- the socket in the loop ---- */

static void watch(struct port *p, uint32_t events)
{
    struct loop *l = p->con->dev.host->loop;

    if (p->in_loop && p->watched != events && !loop_change(l, &p->sock, events, NULL))
        p->watched = events;
}

/* Hang-ups are reported whether one wants them or not: a socket that must wait leaves the loop. */
static void unwatch(struct port *p)
{
    if (p->in_loop)
        loop_remove(p->con->dev.host->loop, &p->sock);
    p->in_loop = false;
}

/* The peer is gone, for good. The guest reads what it has, then sees the port closed. */
static void hang_up(struct port *p)
{
    unwatch(p);
    fd_closep(&p->sock.fd);
    p->host_open = p->readable = p->full = false;
    if (p->ready)
        p->say |= SAY_OPEN;
}

/* ---- moving bytes ---- */

/*
 * Adds the buffers of the chain in hand to the batch, at most up to BATCH_IOV. False when they do
 * not fit; the first chain of a batch always fits, if need be in part.
 */
static bool batch_add(struct console *c, unsigned k, unsigned *niov, const struct iovec *iov,
                      unsigned n)
{
    uint32_t len = 0;
    unsigned used = *niov;

    for (unsigned i = 0; i < n; i++) {
        if (!iov[i].iov_len)
            continue;
        if (used == BATCH_IOV) {
            if (k)
                return false;
            break;
        }
        c->iov[used++] = iov[i];
        len += (uint32_t)iov[i].iov_len;
    }
    c->part[k].head = c->chain.head;
    c->part[k].len = len;
    *niov = used;
    return true;
}

/* Gives the first chains of the batch back, among which the guest finds n received bytes. */
static int push_received(struct console *c, uint16_t queue, unsigned k, size_t n)
{
    struct virtq *q = &c->queues[queue];
    unsigned done = 0;

    for (; done < k && n; done++) {
        uint32_t len = n < c->part[done].len ? (uint32_t)n : c->part[done].len;

        if (virtq_push(q, c->dev.host->mem, c->part[done].head, len))
            return -EFAULT;
        n -= len;
    }
    virtq_unpop(q, (uint16_t)(k - done));
    c->dev.interrupt(&c->dev, queue);
    return 0;
}

static ssize_t receive(struct port *p, struct iovec *iov, unsigned n)
{
    struct msghdr m = { .msg_iov = iov, .msg_iovlen = n };
    ssize_t got;

    do
        got = recvmsg(p->sock.fd, &m, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    return got < 0 && errno == EAGAIN ? -EAGAIN : got;
}

/* Socket to guest, once: up to BATCH buffers. VIRTQ_CHAIN: bytes moved, there may be more. */
static enum virtq_verdict fill(struct console *c, unsigned i)
{
    struct port *p = &c->ports[i];
    uint16_t queue = rx_queue(i);
    const struct gmem *m = c->dev.host->mem;
    enum virtq_verdict v = VIRTQ_EMPTY;
    unsigned k = 0, niov = 0;
    size_t room = 0;
    ssize_t got;

    while (k < BATCH) {
        v = virtq_pop(&c->queues[queue], m, &c->chain);
        if (v == VIRTQ_BAD_GUEST)
            return v;
        if (v == VIRTQ_EMPTY)
            break;
        if (c->chain.nread || !c->chain.write_len)
            return VIRTQ_BAD_GUEST; /* section 5.3.6.1: receive buffers are for writing */
        if (!batch_add(c, k, &niov, c->chain.iov, c->chain.nwrite)) {
            virtq_unpop(&c->queues[queue], 1);
            break;
        }
        room += c->part[k++].len;
    }
    if (!k)
        return virtq_wait(&c->queues[queue], m) ? VIRTQ_EMPTY : VIRTQ_CHAIN;
    got = receive(p, c->iov, niov);
    if (got <= 0) {
        virtq_unpop(&c->queues[queue], (uint16_t)k);
        p->readable = false;
        if (got != -EAGAIN)
            hang_up(p);
        return VIRTQ_EMPTY;
    }
    if (push_received(c, queue, k, (size_t)got))
        return VIRTQ_BAD_GUEST;
    if ((size_t)got == room || !p->in_loop)
        return VIRTQ_CHAIN;
    p->readable = false; /* read empty; if not, the loop says so again */
    return VIRTQ_EMPTY;
}

static ssize_t transmit(struct port *p, struct iovec *iov, unsigned n)
{
    struct msghdr m = { .msg_iov = iov, .msg_iovlen = n };
    ssize_t put;

    do
        put = sendmsg(p->sock.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (put < 0 && errno == EINTR);
    return put < 0 && errno == EAGAIN ? -EAGAIN : put;
}

/* n bytes of the batch are in the socket: gives those chains back that went completely. */
static int push_sent(struct console *c, unsigned i, unsigned k, size_t n)
{
    struct port *p = &c->ports[i];
    uint16_t queue = (uint16_t)(rx_queue(i) + 1);
    struct virtq *q = &c->queues[queue];
    unsigned done = 0;

    for (; done < k && n >= c->part[done].len; done++) {
        n -= c->part[done].len;
        p->sent = 0;
        if (virtq_push(q, c->dev.host->mem, c->part[done].head, 0))
            return -EFAULT;
    }
    p->sent += (uint32_t)n;
    virtq_unpop(q, (uint16_t)(k - done));
    if (done)
        c->dev.interrupt(&c->dev, queue);
    return 0;
}

/* Guest to socket, once. Without a peer the bytes are dropped, so that the guest does not hang. */
static enum virtq_verdict drain(struct console *c, unsigned i)
{
    struct port *p = &c->ports[i];
    struct virtq *q = &c->queues[rx_queue(i) + 1];
    const struct gmem *m = c->dev.host->mem;
    unsigned k = 0, niov = 0;
    size_t total = 0;
    ssize_t put;

    while (k < BATCH) {
        enum virtq_verdict v = virtq_pop(q, m, &c->chain);

        if (v == VIRTQ_BAD_GUEST)
            return v;
        if (v == VIRTQ_EMPTY)
            break;
        /* The first chain may be the rest of one that was sent in part; it is judged anew, and a
         * guest that shortened it meanwhile is told off. */
        if (c->chain.nwrite || (!k && virtq_chain_skip(&c->chain, p->sent)))
            return VIRTQ_BAD_GUEST;
        if (!batch_add(c, k, &niov, c->chain.iov, c->chain.nread)) {
            virtq_unpop(q, 1);
            break;
        }
        total += c->part[k++].len;
        if (c->part[k - 1].len < c->chain.read_len) {
            c->part[k - 1].len = UINT32_MAX; /* more buffers than a batch: never complete here */
            break;
        }
    }
    if (!k)
        return virtq_wait(q, m) ? VIRTQ_EMPTY : VIRTQ_CHAIN;
    put = p->host_open && !p->deaf && niov ? transmit(p, c->iov, niov) : (ssize_t)total;
    if (put == -EAGAIN) {
        p->full = true;
        virtq_unpop(q, (uint16_t)k);
        return VIRTQ_EMPTY;
    }
    if (put < 0) { /* what the peer wrote before it went is still to be read */
        p->deaf = p->readable = true;
        put = (ssize_t)total;
    }
    return push_sent(c, i, k, (size_t)put) ? VIRTQ_BAD_GUEST : VIRTQ_CHAIN;
}

/* ---- control messages ---- */

/* Tells the guest one thing. VIRTQ_CHAIN: told. */
static enum virtq_verdict say(struct console *c, unsigned i, uint16_t event, uint16_t value,
                              const char *text)
{
    struct virtq *q = &c->queues[CONTROL_RX];
    const struct gmem *m = c->dev.host->mem;
    struct control msg = { htole32(i), htole16(event), htole16(value) };
    uint32_t len = (uint32_t)strlen(text);
    enum virtq_verdict v = virtq_pop(q, m, &c->chain);

    if (v == VIRTQ_EMPTY && !virtq_wait(q, m))
        v = virtq_pop(q, m, &c->chain);
    if (v != VIRTQ_CHAIN)
        return v;
    if (virtq_chain_give(&c->chain, &msg, sizeof(msg)) || virtq_chain_give(&c->chain, text, len) ||
        virtq_push(q, m, c->chain.head, (uint32_t)sizeof(msg) + len))
        return VIRTQ_BAD_GUEST;
    c->dev.interrupt(&c->dev, CONTROL_RX);
    return VIRTQ_CHAIN;
}

static enum virtq_verdict say_all(struct console *c)
{
    for (unsigned i = 0; i < c->nports; i++) {
        struct port *p = &c->ports[i];

        while (p->say) {
            uint32_t bit = p->say & -p->say; /* lowest first: add, name, open */
            uint16_t event = bit == SAY_ADD    ? EV_PORT_ADD
                             : bit == SAY_NAME ? EV_PORT_NAME
                                               : EV_PORT_OPEN;
            enum virtq_verdict v = say(c, i, event, bit == SAY_OPEN ? p->host_open : 1,
                                       bit == SAY_NAME ? p->name : "");

            if (v != VIRTQ_CHAIN)
                return v;
            p->say &= ~bit;
        }
    }
    return VIRTQ_EMPTY;
}

/* Section 5.3.6.2. Events and ports that do not exist are ignored (R13). */
static void heed(struct console *c, const struct control *msg)
{
    uint32_t id = le32toh(msg->id);
    bool yes = le16toh(msg->value) == 1;
    uint16_t event = le16toh(msg->event);

    if (event == EV_DEVICE_READY) {
        for (unsigned i = 0; yes && i < c->nports; i++)
            c->ports[i].say |= SAY_ADD;
        return;
    }
    if (id >= c->nports)
        return;
    if (event == EV_PORT_READY && yes) {
        c->ports[id].ready = true;
        c->ports[id].say |= SAY_NAME | SAY_OPEN;
    } else if (event == EV_PORT_OPEN) {
        c->ports[id].guest_open = yes;
    }
}

static enum virtq_verdict listen_to_guest(struct console *c)
{
    struct virtq *q = &c->queues[CONTROL_TX];
    const struct gmem *m = c->dev.host->mem;

    for (unsigned n = 0; n < TURN_EVENTS; n++) {
        struct control msg;
        enum virtq_verdict v = virtq_pop(q, m, &c->chain);

        if (v == VIRTQ_EMPTY && !virtq_wait(q, m))
            continue;
        if (v != VIRTQ_CHAIN)
            return v;
        if (!virtq_chain_take(&c->chain, &msg, sizeof(msg)))
            heed(c, &msg);
        if (virtq_push(q, m, c->chain.head, 0))
            return VIRTQ_BAD_GUEST;
        c->dev.interrupt(&c->dev, CONTROL_TX);
    }
    return VIRTQ_CHAIN;
}

/* ---- turns ---- */

/* Repeats one direction of one port until it is done, or had its share. */
static enum virtq_verdict turn(struct console *c, unsigned i,
                               enum virtq_verdict (*step)(struct console *c, unsigned i))
{
    for (unsigned bytes = 0; bytes < TURN_BYTES; bytes += BATCH * 4096u) {
        enum virtq_verdict v = step(c, i);

        if (v != VIRTQ_CHAIN)
            return v;
    }
    return VIRTQ_CHAIN;
}

static enum virtq_verdict serve_port(struct console *c, unsigned i)
{
    struct port *p = &c->ports[i];
    enum virtq_verdict in = VIRTQ_EMPTY, out = VIRTQ_EMPTY;

    if (!p->full)
        out = turn(c, i, drain);
    if (out != VIRTQ_BAD_GUEST && p->readable && p->guest_open)
        in = turn(c, i, fill);
    if (in == VIRTQ_BAD_GUEST || out == VIRTQ_BAD_GUEST)
        return VIRTQ_BAD_GUEST;
    /* Still readable means that the guest has no buffer, or the port closed: its doorbell comes. */
    watch(p, (p->readable ? 0 : (uint32_t)EPOLLIN) | (p->full ? (uint32_t)EPOLLOUT : 0));
    return in == VIRTQ_CHAIN || out == VIRTQ_CHAIN ? VIRTQ_CHAIN : VIRTQ_EMPTY;
}

static enum virtq_verdict notify(struct virtio_dev *dev)
{
    struct console *c = console_of(dev);
    enum virtq_verdict v = listen_to_guest(c);
    bool more = v == VIRTQ_CHAIN;

    for (unsigned i = 0; i < c->nports && v != VIRTQ_BAD_GUEST; i++) {
        v = serve_port(c, i);
        more |= v == VIRTQ_CHAIN;
    }
    if (v != VIRTQ_BAD_GUEST)
        v = say_all(c);
    if (v == VIRTQ_BAD_GUEST)
        return v;
    return more ? VIRTQ_CHAIN : VIRTQ_EMPTY;
}

static void on_socket(struct loop_source *s, uint32_t events)
{
    struct port *p = container_of(s, struct port, sock);

    virtio_dev_lock(&p->con->dev);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        p->readable = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        p->full = false;
    if (events & (EPOLLHUP | EPOLLERR))
        unwatch(p); /* what is left of it is read when the guest has room; no need to be told */
    else            /* without a guest, notify does not come to say what to watch */
        watch(p, (p->readable ? 0 : (uint32_t)EPOLLIN) | (p->full ? (uint32_t)EPOLLOUT : 0));
    virtio_dev_unlock(&p->con->dev);
    p->con->dev.serve(&p->con->dev);
}

/* ---- the device ---- */

static uint64_t features(const struct virtio_dev *dev)
{
    (void)dev;
    return F_MULTIPORT;
}

static void config_read(const struct virtio_dev *dev, uint32_t off, void *dst, uint32_t len)
{
    struct config cfg = { .max_nr_ports = htole32(console_of(dev)->nports) };

    memcpy(dst, (const uint8_t *)&cfg + off, len);
}

static void reset(struct virtio_dev *dev)
{
    struct console *c = console_of(dev);

    for (unsigned i = 0; i < c->nports; i++) {
        c->ports[i].say = 0;
        c->ports[i].ready = c->ports[i].guest_open = false;
        c->ports[i].sent = 0;
    }
}

static void console_free(struct virtio_dev *dev)
{
    struct console *c = console_of(dev);

    for (unsigned i = 0; i < c->nports; i++) {
        unwatch(&c->ports[i]);
        fd_closep(&c->ports[i].sock.fd);
    }
    virtio_dev_fini(dev);
    free(c);
}

static const struct virtio_ops ops = {
    .name = "console",
    .id = VIRTIO_ID_CONSOLE,
    .queue_size = QUEUE_SIZE,
    .vectors = 2,
    .config_size = sizeof(struct config),
    .features = features,
    .config_read = config_read,
    .notify = notify,
    .reset = reset,
    .free = console_free,
};

static int add_port(struct console *c, const struct vmm_launch_port *from, struct err *e)
{
    struct port *p = &c->ports[c->nports];

    p->con = c;
    p->sock = (struct loop_source){ .fd = from->fd, .ready = on_socket };
    memcpy(p->name, from->name, sizeof(p->name));
    p->name[sizeof(p->name) - 1] = '\0';
    p->host_open = true;
    p->watched = EPOLLIN;
    c->nports++;
    if (loop_add(c->dev.host->loop, &p->sock, p->watched, e))
        return err_wrap(e, "port \"%s\"", p->name);
    p->in_loop = true;
    return 0;
}

struct virtio_dev *console_new(struct host *host, const struct vmm_launch_port *ports,
                               unsigned nports, struct err *e)
{
    struct console *c = calloc(1, sizeof(*c));

    if (!c || !nports || nports > VMM_PORTS_MAX) {
        err_set(e, c ? EINVAL : ENOMEM, "console of %u ports", nports);
        free(c);
        return NULL;
    }
    virtio_dev_init(&c->dev, &ops, host, c->queues, (uint16_t)(2 * (nports + 1)));
    for (unsigned i = 0; i < nports; i++) {
        if (!add_port(c, &ports[i], e))
            continue;
        for (unsigned k = 0; k < c->nports; k++) { /* the descriptors stay the caller's */
            unwatch(&c->ports[k]);
            c->ports[k].sock.fd = -1;
        }
        console_free(&c->dev);
        return NULL;
    }
    return &c->dev;
}
