/*
 * fs.c - see fs.h. Sections are those of virtio 1.2.
 *
 * Descriptors are lent before the machine starts; afterwards all that is said is a few numbers. All
 * of it is said and heard on the I/O thread: a vCPU waits for nobody. A message that does not go
 * out at once is the end, as a server that is alive has read what came before.
 */
#include "vmm/virtio/fs.h"

#include "base/fd.h"
#include "base/files.h"
#include "base/vhost.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#define HIPRIO     0u /* section 5.11.2: forgetting and interrupting; then the requests */
#define REQUESTS   1u
#define NQUEUES    2u /* one queue of requests, as one thread serves them */
#define QUEUE_SIZE 128u
#define TAG_LEN    36u   /* section 5.11.4 */
#define TURN       256u  /* requests refused before other devices have their turn */
#define GREET_MS   10000 /* to the server's first word … */
#define STOP_S     10    /* … and from the driver's reset to its last */

#define NEEDED (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC)

_Static_assert(sizeof(FILES_NAME) <= TAG_LEN, "the tag");

/* Section 5.11.4. */
struct config {
    char tag[TAG_LEN]; /* padded with NUL */
    uint32_t num_request_queues;
};

/* A message, or one behind the other, without descriptors. */
struct speech {
    size_t len;
    uint8_t bytes[320];
};

/* All there are have eight bytes behind the head. */
struct reply {
    struct vhost_head head;
    struct vhost_vring_state state; /* or a uint64_t */
};

struct bell {
    struct loop_source source; /* fd owned; in the loop when there is no server */
    struct fs *fs;
};

struct fs {
    struct virtio_dev dev;
    struct virtq queues[NQUEUES];
    struct loop_source sock;  /* fd owned; -1 once the server is gone */
    struct loop_source timer; /* fd owned */
    struct bell bell[NQUEUES];
    int kick[NQUEUES];  /* as in bell */
    int call[NQUEUES];  /* owned */
    uint32_t lent;      /* bit by bit the queues that the server may use … */
    bool stopping;      /* … and was asked to let go of */
    uint32_t used;      /* those that it may have used since the last reset */
    struct reply reply; /* as far as it has come */
    size_t have;
    struct virtq_chain chain;
};

static struct fs *fs_of(const struct virtio_dev *dev)
{
    return container_of(dev, struct fs, dev);
}

/* ---- what is said ---- */

static void say(struct speech *s, uint32_t request, const void *body, uint32_t len)
{
    const struct vhost_head h = { .request = request, .flags = VHOST_VERSION, .size = len };

    if (s->len + sizeof(h) + len > sizeof(s->bytes))
        abort(); /* more queues than it was made for */
    memcpy(s->bytes + s->len, &h, sizeof(h));
    if (len)
        memcpy(s->bytes + s->len + sizeof(h), body, len);
    s->len += sizeof(h) + len;
}

static void say_state(struct speech *s, uint32_t request, uint32_t index, uint32_t num)
{
    const struct vhost_vring_state state = { index, num };

    say(s, request, &state, sizeof(state));
}

static bool send_now(const struct fs *f, const struct speech *s)
{
    return write(f->sock.fd, s->bytes, s->len) == (ssize_t)s->len;
}

/* ---- without a server ---- */

static void set_timer(struct fs *f, time_t seconds)
{
    const struct itimerspec t = { .it_value = { seconds, 0 } };

    (void)timerfd_settime(f->timer.fd, 0, &t, NULL);
}

/*
 * Takes a queue over. The server serves in order, so what it has not answered is what comes
 * behind the used index; the guest can write that too, and virtq_pop judges what follows from it.
 */
static void take_back(struct fs *f, unsigned i)
{
    struct virtq *q = &f->queues[i];

    if (gmem_load_acquire(f->dev.host->mem, (gpa_t){ q->used.at + 2 }, &q->next_used))
        return; /* not enabled, then */
    q->next_avail = q->signalled = q->next_used;
    eventfd_write(f->call[i], 1); /* which it may have owed */
}

/* The end of the connection, for good; with a reason where the server broke a rule. */
static void hang_up(struct fs *f, const char *mistake)
{
    struct loop *loop = f->dev.host->loop;

    if (mistake)
        f->dev.host->ops->peer_mistake(f->dev.host, f->dev.ops->name, mistake);
    loop_remove(loop, &f->sock);
    fd_closep(&f->sock.fd);
    set_timer(f, 0);
    for (unsigned i = 0; i < NQUEUES; i++) {
        if (f->used & 1u << i)
            take_back(f, i);
        /* Without it the guest is not heard: nothing worse than with a server that is silent. */
        (void)!loop_add(loop, &f->bell[i].source, EPOLLIN, NULL);
    }
    f->lent = 0;
    f->stopping = false;
}

/* The chain that was popped. */
static enum virtq_verdict refuse(struct fs *f, uint16_t queue)
{
    struct fuse_in_header in;
    struct fuse_out_header out = { .len = sizeof(out), .error = -ENOTCONN };
    uint32_t written = 0;

    if (queue == REQUESTS) {
        if (virtq_chain_take(&f->chain, &in, sizeof(in)))
            return VIRTQ_BAD_GUEST;
        out.unique = in.unique;
        if (virtq_chain_give(&f->chain, &out, sizeof(out)))
            return VIRTQ_BAD_GUEST;
        written = sizeof(out);
    }
    if (virtq_push(&f->queues[queue], f->dev.host->mem, f->chain.head, written))
        return VIRTQ_BAD_GUEST;
    f->dev.interrupt(&f->dev, queue);
    return VIRTQ_CHAIN;
}

static enum virtq_verdict refuse_all(struct fs *f)
{
    const struct gmem *m = f->dev.host->mem;

    for (unsigned n = 0, idle = 0; n < TURN; n++) {
        uint16_t i = n % NQUEUES;
        enum virtq_verdict v = virtq_pop(&f->queues[i], m, &f->chain);

        if (v == VIRTQ_CHAIN)
            v = refuse(f, i);
        else if (v == VIRTQ_EMPTY && !virtq_wait(&f->queues[i], m))
            v = VIRTQ_CHAIN;
        if (v == VIRTQ_BAD_GUEST)
            return v;
        idle = v == VIRTQ_EMPTY ? idle + 1 : 0;
        if (idle == NQUEUES)
            return VIRTQ_EMPTY;
    }
    return VIRTQ_CHAIN;
}

/* ---- with one ---- */

static void say_ring(struct speech *s, uint32_t i, const struct virtq *q)
{
    const struct vhost_vring_addr addr = {
        .index = i, .desc = q->desc.at, .used = q->used.at, .avail = q->avail.at
    };

    say_state(s, VHOST_SET_VRING_NUM, i, q->size);
    say_state(s, VHOST_SET_VRING_BASE, i, q->next_avail);
    say(s, VHOST_SET_VRING_ADDR, &addr, sizeof(addr));
    say_state(s, VHOST_SET_VRING_ENABLE, i, 1);
}

/* The driver is there. What it has asked for already is rung for anew. */
static void lend(struct fs *f)
{
    const uint64_t features = f->dev.features | VHOST_F_PROTOCOL_FEATURES;
    struct speech s = { 0 };

    say(&s, VHOST_SET_FEATURES, &features, sizeof(features));
    for (uint32_t i = 0; i < NQUEUES; i++)
        if (f->queues[i].enabled) {
            say_ring(&s, i, &f->queues[i]);
            f->lent |= 1u << i;
        }
    f->used |= f->lent;
    if (!send_now(f, &s))
        hang_up(f, NULL);
    for (unsigned i = 0; i < NQUEUES; i++)
        eventfd_write(f->kick[i], 1);
}

static void ask_back(struct fs *f)
{
    struct speech s = { 0 };

    for (uint32_t i = 0; i < NQUEUES; i++)
        if (f->lent & 1u << i)
            say_state(&s, VHOST_GET_VRING_BASE, i, 0);
    f->stopping = true;
    set_timer(f, STOP_S);
    if (!send_now(f, &s))
        hang_up(f, NULL);
}

static enum virtq_verdict notify(struct virtio_dev *dev)
{
    struct fs *f = fs_of(dev);

    if (f->sock.fd >= 0 && dev->running && !f->lent)
        lend(f);
    if (f->sock.fd >= 0 && !dev->running && f->lent && !f->stopping)
        ask_back(f);
    if (!dev->running && !f->lent)
        dev->stopped(dev);
    return dev->running && f->sock.fd < 0 ? refuse_all(f) : VIRTQ_EMPTY;
}

/* The reply is whole: what is wrong with it, or NULL. */
static const char *judge(const struct fs *f)
{
    const struct reply *r = &f->reply;

    if (r->head.request != VHOST_GET_VRING_BASE || r->head.flags != (VHOST_VERSION | VHOST_REPLY) ||
        r->head.size != sizeof(r->state) || r->state.index >= NQUEUES ||
        !(f->lent & 1u << r->state.index) || r->state.num > UINT16_MAX)
        return "not where a ring stopped";
    return NULL;
}

/* A ring is ours again. */
static void took_back(struct fs *f)
{
    const struct vhost_vring_state *s = &f->reply.state;
    const char *mistake = judge(f);

    f->have = 0;
    if (mistake) {
        hang_up(f, mistake);
        return;
    }
    f->queues[s->index].next_avail = (uint16_t)s->num;
    f->lent &= ~(1u << s->index);
    f->stopping = f->lent;
    if (!f->lent)
        set_timer(f, 0);
}

static void hear(struct fs *f)
{
    ssize_t n = read(f->sock.fd, (uint8_t *)&f->reply + f->have, sizeof(struct reply) - f->have);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        hang_up(f, NULL);
        return;
    }
    f->have += (size_t)n;
    if (!f->stopping)
        hang_up(f, "a reply to no request");
    else if (f->have == sizeof(struct reply))
        took_back(f);
}

/* ---- on the I/O thread ---- */

static void on_socket(struct loop_source *s, uint32_t events)
{
    struct fs *f = container_of(s, struct fs, sock);

    (void)events;
    virtio_dev_lock(&f->dev);
    hear(f);
    virtio_dev_unlock(&f->dev);
    f->dev.serve(&f->dev);
}

static void on_timer(struct loop_source *s, uint32_t events)
{
    struct fs *f = container_of(s, struct fs, timer);
    uint64_t times;

    (void)events;
    if (read(s->fd, &times, sizeof(times)) != sizeof(times))
        return;
    virtio_dev_lock(&f->dev);
    if (f->stopping)
        hang_up(f, "it does not stop");
    virtio_dev_unlock(&f->dev);
    f->dev.serve(&f->dev);
}

static void on_bell(struct loop_source *s, uint32_t events)
{
    struct fs *f = container_of(s, struct bell, source)->fs;
    eventfd_t rings;

    (void)events;
    if (!eventfd_read(s->fd, &rings))
        f->dev.serve(&f->dev);
}

/* ---- the device ---- */

static uint64_t features(const struct virtio_dev *dev)
{
    (void)dev;
    return 0; /* no notification queue */
}

static void config_read(const struct virtio_dev *dev, uint32_t off, void *dst, uint32_t len)
{
    struct config c = { .tag = FILES_NAME, .num_request_queues = NQUEUES - REQUESTS };

    (void)dev;
    memcpy(dst, (const uint8_t *)&c + off, len);
}

static void reset(struct virtio_dev *dev)
{
    fs_of(dev)->used = 0; /* what is lent is asked for by notify, which sees that it does not run */
}

static bool busy(const struct virtio_dev *dev)
{
    return fs_of(dev)->lent;
}

static void fs_free(struct virtio_dev *dev)
{
    struct fs *f = fs_of(dev);
    struct loop *loop = dev->host->loop;

    for (unsigned i = 0; i < NQUEUES; i++) {
        if (f->sock.fd < 0 && f->kick[i] >= 0)
            loop_remove(loop, &f->bell[i].source);
        fd_closep(&f->kick[i]);
        fd_closep(&f->call[i]);
    }
    if (f->sock.fd >= 0)
        loop_remove(loop, &f->sock);
    fd_closep(&f->sock.fd);
    if (f->timer.fd >= 0)
        loop_remove(loop, &f->timer);
    fd_closep(&f->timer.fd);
    virtio_dev_fini(dev);
    free(f);
}

static const struct virtio_ops ops = {
    .name = "fs",
    .id = VIRTIO_ID_FS,
    .queue_size = QUEUE_SIZE,
    .vectors = 2,
    .config_size = sizeof(struct config),
    .features = features,
    .config_read = config_read,
    .notify = notify,
    .reset = reset,
    .busy = busy,
    .free = fs_free,
};

/* ---- before the machine starts ---- */

static int lost(struct err *e)
{
    return err_set(e, EPROTO, "files: the server is gone, or does not speak vhost-user");
}

/* One message; fd[0 .. nfds) go with it. */
static int tell(int sock, uint32_t request, const void *body, uint32_t len, const int *fd,
                unsigned nfds, struct err *e)
{
    struct speech s = { 0 };
    union {
        char bytes[CMSG_SPACE(sizeof(int) * GMEM_REGIONS)];
        struct cmsghdr align;
    } beside = { 0 };
    struct iovec iov = { s.bytes, 0 };
    struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

    say(&s, request, body, len);
    iov.iov_len = s.len;
    if (nfds) {
        h.msg_control = beside.bytes;
        h.msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * nfds);
        beside.align = (struct cmsghdr){ .cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * nfds),
                                         .cmsg_level = SOL_SOCKET,
                                         .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(&beside.align), fd, sizeof(int) * nfds);
    }
    return sendmsg(sock, &h, MSG_NOSIGNAL) == (ssize_t)s.len ? 0 : lost(e);
}

/* What the server can do. */
static int greet(int sock, struct err *e)
{
    struct pollfd answer = { .fd = sock, .events = POLLIN };
    struct reply r = { 0 };
    uint64_t has;
    int err = tell(sock, VHOST_SET_OWNER, NULL, 0, NULL, 0, e);

    if (!err)
        err = tell(sock, VHOST_GET_FEATURES, NULL, 0, NULL, 0, e);
    for (size_t have = 0; !err && have < sizeof(struct reply);) {
        ssize_t n = poll(&answer, 1, GREET_MS) == 1
                        ? read(sock, (uint8_t *)&r + have, sizeof(struct reply) - have)
                        : 0;

        if (n <= 0)
            return lost(e);
        have += (size_t)n;
    }
    if (!err && (r.head.request != VHOST_GET_FEATURES ||
                 r.head.flags != (VHOST_VERSION | VHOST_REPLY) || r.head.size != sizeof(has)))
        return lost(e);
    memcpy(&has, &r.state, sizeof(has));
    if (!err && ~has & (NEEDED | VHOST_F_PROTOCOL_FEATURES))
        return err_set(e, EPROTO, "files: the server lacks features: it has %#llx",
                       (unsigned long long)has);
    return err;
}

/* Rings' addresses are counted as the guest counts them: ours are nobody's business. */
static int lend_memory(const struct host *h, int sock, struct err *e)
{
    struct vhost_memory t = { .n = h->mem->n };
    int fd[GMEM_REGIONS];
    uint64_t at = 0;

    for (unsigned i = 0; i < t.n; i++) {
        const struct gmem_region *r = &h->mem->region[i];

        t.region[i] = (struct vhost_region){ r->base, r->size, r->base, at };
        fd[i] = h->ram;
        at += r->size;
    }
    return tell(sock, VHOST_SET_MEM_TABLE, &t,
                (uint32_t)(offsetof(struct vhost_memory, region) + t.n * sizeof(t.region[0])), fd,
                t.n, e);
}

static int lend_bells(const struct fs *f, int sock, struct err *e)
{
    int err = 0;

    for (uint64_t i = 0; !err && i < NQUEUES; i++) {
        err = tell(sock, VHOST_SET_VRING_KICK, &i, sizeof(i), &f->kick[i], 1, e);
        if (!err)
            err = tell(sock, VHOST_SET_VRING_CALL, &i, sizeof(i), &f->call[i], 1, e);
    }
    return err;
}

static int open_bells(struct fs *f, struct err *e)
{
    for (unsigned i = 0; i < NQUEUES; i++) {
        f->kick[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        f->call[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        f->bell[i] = (struct bell){ { f->kick[i], on_bell }, f };
        if (f->kick[i] < 0 || f->call[i] < 0)
            return err_sys(e, "files: doorbells");
    }
    f->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (f->timer.fd < 0)
        return err_sys(e, "files: timer");
    return loop_add(f->dev.host->loop, &f->timer, EPOLLIN, e);
}

static int set_up(struct fs *f, int fd, struct err *e)
{
    const struct host *h = f->dev.host;
    int flags = fcntl(fd, F_GETFL);
    int err = open_bells(f, e);

    if (!err && (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK)))
        err = err_sys(e, "files");
    if (!err)
        err = greet(fd, e);
    if (!err)
        err = lend_memory(h, fd, e);
    if (!err)
        err = lend_bells(f, fd, e);
    return err;
}

struct virtio_dev *fs_new(struct host *host, int fd, struct err *e)
{
    struct fs *f = calloc(1, sizeof(*f));

    if (!f) {
        err_set(e, ENOMEM, "files: out of memory");
        return NULL;
    }
    virtio_dev_init(&f->dev, &ops, host, f->queues, NQUEUES);
    f->dev.kick = f->kick;
    f->dev.call = f->call;
    f->kick[HIPRIO] = f->kick[REQUESTS] = f->call[HIPRIO] = f->call[REQUESTS] = -1;
    f->sock = (struct loop_source){ .fd = -1, .ready = on_socket };
    f->timer = (struct loop_source){ .fd = -1, .ready = on_timer };
    if (!set_up(f, fd, e)) {
        f->sock.fd = fd;
        if (!loop_add(host->loop, &f->sock, EPOLLIN, e))
            return &f->dev;
        f->sock.fd = -1;
    }
    fs_free(&f->dev);
    return NULL;
}
