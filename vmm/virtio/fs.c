/*
 * fs.c - see fs.h. Sections are those of virtio 1.2.
 *
 * A request goes to the socket straight from guest memory, behind a copy of its header that was
 * judged; so whatever the guest does to its memory meanwhile, the stream keeps its framing. Its
 * chain then waits in a table, by `unique`, for the reply. Small replies come through a buffer,
 * several in one system call; the rest of a large one is read into guest memory directly.
 *
 * Nobody waits for a forgetting, and Linux sends one for each file that goes. So they are gathered,
 * sent in front of the next request, and for a while their queue's doorbell is not asked for: they
 * cost no wake-up of anybody. A timer looks after those behind which no request comes.
 *
 * After a reset no byte of guest memory is touched, but the stream must go on: what was promised of
 * a request is sent as zeroes, replies to forgotten requests are dropped, and no new request starts
 * before the last of them came: `unique` is the driver's own, and a new driver may begin again.
 */
#include "vmm/virtio/fs.h"

#include "base/fd.h"
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#define HIPRIO     0u /* section 5.11.2: forgetting and interrupting; then the requests */
#define REQUESTS   1u
#define NQUEUES    2u /* one queue of requests, as one thread serves them */
#define QUEUE_SIZE 128u
#define TAG_LEN    36u        /* section 5.11.4 */
#define TURN_BYTES (1u << 20) /* moved in each direction before other devices have their turn … */
#define TURN_COST  4096u      /* … in which a message counts for so many at least */
#define DOZE_NS    20000000   /* how long forgetting may wait; so may an unmount in the guest */
#define ERRNO_END  512        /* Linux: an error of a FUSE reply is above -512 */

_Static_assert(sizeof(struct fuse_in_header) == FILES_REQUEST_MIN, "base/files.h");
_Static_assert(sizeof(struct fuse_out_header) == FILES_REPLY_MIN, "base/files.h");
_Static_assert(sizeof(FILES_NAME) <= TAG_LEN, "the tag");

/* Section 5.11.4. */
struct config {
    char tag[TAG_LEN]; /* padded with NUL */
    uint32_t num_request_queues;
};

/* A chain of the request queue whose reply has not come. */
struct request {
    uint64_t unique;
    uint64_t room; /* bytes in iov */
    uint16_t head;
    uint16_t niov;
    bool forgotten; /* by a reset: iov is no longer ours */
    bool small;     /* iov has no room for the reply that comes */
    struct iovec iov[QUEUE_SIZE];
};

struct fs {
    struct virtio_dev dev;
    struct virtq queues[NQUEUES];
    struct loop_source sock;  /* fd owned; -1 once the server is gone */
    struct loop_source timer; /* fd owned */
    bool dozing;              /* until the timer: HIPRIO is looked at when a request comes … */
    bool owed;                /* … and its interrupt sent with that one's reply */
    uint32_t watched;         /* events asked of the loop … */
    bool in_loop;             /* … while the loop has the socket at all */
    bool readable, full;      /* as the loop said, and nothing has told otherwise since */

    /* Whole messages without a reply, whose chains are given back already; they go first. */
    struct {
        uint32_t len, done;
        uint8_t buf[4096];
    } held;

    /* The message being sent; len 0: none. */
    struct {
        struct fuse_in_header head;
        uint32_t len, done;
        uint16_t queue;
        bool zeroes;             /* its chain was forgotten */
        struct request *request; /* NULL: has no reply */
        struct virtq_chain chain;
    } out;

    /* The reply being received, then bytes of later ones; request NULL: no header yet. */
    struct {
        struct request *request;
        uint32_t len, done;
        uint32_t have; /* of buf */
        uint8_t buf[4096];
    } in;

    unsigned nwaiting;   /* the first of waiting[] are in use, the others free */
    unsigned nforgotten; /* of these */
    struct request *waiting[QUEUE_SIZE];
    struct request request[QUEUE_SIZE];
    struct iovec piece[VIRTQ_SIZE_MAX + 2]; /* with what is held and a header */
};

static const uint8_t zeroes[4096];

static struct fs *fs_of(const struct virtio_dev *dev)
{
    return container_of(dev, struct fs, dev);
}

/* ---- the table ---- */

static struct request *find(const struct fs *f, uint64_t unique)
{
    for (unsigned i = 0; i < f->nwaiting; i++)
        if (f->waiting[i]->unique == unique)
            return f->waiting[i];
    return NULL;
}

static void drop(struct fs *f, struct request *r)
{
    unsigned i = 0;

    while (f->waiting[i] != r)
        i++;
    f->waiting[i] = f->waiting[--f->nwaiting];
    f->waiting[f->nwaiting] = r;
    f->nforgotten -= r->forgotten;
}

/* ---- bytes ---- */

/* The part of iov[0 .. n) that is len bytes long and skip bytes in: how many pieces. */
static unsigned cut(const struct iovec *iov, unsigned n, uint64_t skip, uint64_t len,
                    struct iovec *piece)
{
    unsigned k = 0;

    for (unsigned i = 0; i < n && len; i++) {
        uint64_t part = iov[i].iov_len;

        if (skip >= part) {
            skip -= part;
            continue;
        }
        part -= skip;
        if (part > len)
            part = len;
        piece[k++] = (struct iovec){ (uint8_t *)iov[i].iov_base + skip, part };
        len -= part;
        skip = 0;
    }
    return k;
}

static bool unwanted(const struct request *r)
{
    return r->forgotten || r->small;
}

/* Into the guest, at byte `at` of where the reply goes. */
static void put(struct fs *f, struct request *r, uint32_t at, const uint8_t *src, uint32_t len)
{
    unsigned k = unwanted(r) ? 0 : cut(r->iov, r->niov, at, len, f->piece);

    for (unsigned i = 0; i < k; i++) {
        memcpy(f->piece[i].iov_base, src, f->piece[i].iov_len);
        src += f->piece[i].iov_len;
    }
}

/* ---- chains go back ---- */

static void pay(struct fs *f)
{
    if (f->owed)
        f->dev.interrupt(&f->dev, HIPRIO);
    f->owed = false;
}

static enum virtq_verdict give_back(struct fs *f, uint16_t queue, uint16_t head, uint32_t written)
{
    if (virtq_push(&f->queues[queue], f->dev.host->mem, head, written))
        return VIRTQ_BAD_GUEST;
    if (queue == REQUESTS)
        f->dev.interrupt(&f->dev, REQUESTS);
    else
        f->owed = true;
    if (!f->dozing || queue == REQUESTS)
        pay(f);
    return VIRTQ_CHAIN;
}

/* The reply is whole. */
static enum virtq_verdict complete(struct fs *f, struct request *r, uint32_t len)
{
    bool forgotten = r->forgotten;

    drop(f, r);
    return forgotten ? VIRTQ_CHAIN : give_back(f, REQUESTS, r->head, len);
}

/* Answered here. There is room for that, as was judged. */
static enum virtq_verdict refuse(struct fs *f, struct request *r, int error)
{
    struct fuse_out_header h = { .len = sizeof(h), .error = error, .unique = r->unique };

    r->small = false;
    put(f, r, 0, (const uint8_t *)&h, sizeof(h));
    return complete(f, r, sizeof(h));
}

/* ---- the socket in the loop ---- */

static void watch(struct fs *f)
{
    uint32_t events = (f->readable ? 0 : (uint32_t)EPOLLIN) | (f->full ? (uint32_t)EPOLLOUT : 0);

    if (f->in_loop && f->watched != events &&
        !loop_change(f->dev.host->loop, &f->sock, events, NULL))
        f->watched = events;
}

/* Hang-ups are reported whether one wants them or not: a socket that must wait leaves the loop. */
static void unwatch(struct fs *f)
{
    if (f->in_loop)
        loop_remove(f->dev.host->loop, &f->sock);
    f->in_loop = false;
}

/* The end of the connection, for good; with a reason where the server broke a rule. */
static enum virtq_verdict hang_up(struct fs *f, const char *mistake)
{
    enum virtq_verdict v = VIRTQ_CHAIN;

    if (mistake)
        f->dev.host->ops->peer_mistake(f->dev.host, f->dev.ops->name, mistake);
    unwatch(f);
    fd_closep(&f->sock.fd);
    f->readable = f->full = false;
    f->held.len = f->held.done = 0;
    if (f->out.len && !f->out.request && !f->out.zeroes)
        v = give_back(f, f->out.queue, f->out.chain.head, 0);
    f->out.len = f->out.done = 0;
    while (f->nwaiting && v == VIRTQ_CHAIN)
        v = refuse(f, f->waiting[0], -ENOTCONN);
    return v;
}

/* ---- to the server ---- */

/* base/files.h: these have no reply; section 5.11.6: they, and only they, have the first queue. */
static bool has_no_reply(uint32_t opcode)
{
    return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET || opcode == FUSE_INTERRUPT;
}

static void doze(struct fs *f)
{
    const struct itimerspec t = { .it_value = { 0, DOZE_NS } };

    if (!f->dozing)
        f->dozing = timerfd_settime(f->timer.fd, 0, &t, NULL) == 0;
}

/* Takes the whole message over, if there is room. */
static bool hold(struct fs *f, const struct fuse_in_header *h, struct virtq_chain *c)
{
    uint8_t *at = f->held.buf + f->held.len;

    doze(f);
    if (!f->dozing || h->len > sizeof(f->held.buf) - f->held.len)
        return false;
    memcpy(at, h, sizeof(*h));
    if (virtq_chain_take(c, at + sizeof(*h), h->len - sizeof(*h)))
        return false;
    f->held.len += h->len;
    return true;
}

/* Judges the chain that was popped: it is what out is to send, or has been held or refused. */
static enum virtq_verdict begin(struct fs *f, uint16_t queue)
{
    struct virtq_chain *c = &f->out.chain;
    struct fuse_in_header *h = &f->out.head;
    struct request *r = f->waiting[f->nwaiting % QUEUE_SIZE];

    if (virtq_chain_take(c, h, sizeof(*h)) || h->len > FILES_MESSAGE_MAX ||
        h->len != sizeof(*h) + c->read_len || has_no_reply(h->opcode) != (queue == HIPRIO))
        return VIRTQ_BAD_GUEST;
    f->out.queue = queue;
    f->out.done = 0;
    f->out.zeroes = false;
    f->out.request = NULL;
    if (queue == REQUESTS) {
        if (c->write_len < sizeof(struct fuse_out_header) || f->nwaiting == QUEUE_SIZE ||
            find(f, h->unique))
            return VIRTQ_BAD_GUEST;
        r->unique = h->unique;
        r->room = c->write_len;
        r->head = c->head;
        r->niov = c->nwrite;
        r->forgotten = r->small = false;
        memcpy(r->iov, c->iov + c->nread, c->nwrite * sizeof(r->iov[0]));
        f->nwaiting++;
        f->out.request = r;
    }
    if (f->sock.fd < 0 && queue == REQUESTS)
        return refuse(f, r, -ENOTCONN);
    if (f->sock.fd < 0 || (queue == HIPRIO && hold(f, h, c)))
        return give_back(f, queue, c->head, 0);
    f->out.len = h->len;
    return VIRTQ_CHAIN;
}

/* Takes the next request; VIRTQ_EMPTY: there is none, and the doorbells are armed. */
static enum virtq_verdict next(struct fs *f)
{
    const struct gmem *m = f->dev.host->mem;
    enum virtq_verdict v = VIRTQ_EMPTY;

    for (uint16_t q = 0; q < NQUEUES; q++) {
        v = virtq_pop(&f->queues[q], m, &f->out.chain);
        if (v != VIRTQ_EMPTY)
            return v == VIRTQ_CHAIN ? begin(f, q) : v;
    }
    for (uint16_t q = f->dozing ? REQUESTS : HIPRIO; q < NQUEUES; q++)
        if (!virtq_wait(&f->queues[q], m))
            v = VIRTQ_CHAIN;
    return v;
}

/* Where the rest of what is held and of the message is. */
static unsigned rest(struct fs *f)
{
    const uint32_t head = sizeof(f->out.head);
    uint32_t done = f->out.done, left = f->out.len - done;
    unsigned k = 0;

    if (f->held.done < f->held.len)
        f->piece[k++] = (struct iovec){ f->held.buf + f->held.done, f->held.len - f->held.done };
    if (left && done < head) {
        f->piece[k++] = (struct iovec){ (uint8_t *)&f->out.head + done, head - done };
        left -= head - done;
        done = head;
    }
    if (!f->out.zeroes)
        return k + cut(f->out.chain.iov, f->out.chain.nread, done - head, left, f->piece + k);
    for (; left && k < array_len(f->piece); k++) {
        uint32_t part = left < sizeof(zeroes) ? left : (uint32_t)sizeof(zeroes);

        f->piece[k] = (struct iovec){ (void *)zeroes, part };
        left -= part;
    }
    return k;
}

static void sent(struct fs *f, uint32_t n)
{
    uint32_t held = f->held.len - f->held.done;

    if (n < held) {
        f->held.done += n;
        return;
    }
    f->held.len = f->held.done = 0;
    f->out.done += n - held;
}

/* Sends what can be sent of what is held and in hand. VIRTQ_EMPTY: the socket is full. */
static enum virtq_verdict push_out(struct fs *f)
{
    while (f->held.len || f->out.done < f->out.len) {
        ssize_t put = writev(f->sock.fd, f->piece, (int)rest(f));

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno == EAGAIN) {
            f->full = true;
            return VIRTQ_EMPTY;
        }
        if (put < 0)
            return hang_up(f, NULL);
        sent(f, (uint32_t)put);
    }
    if (!f->out.len)
        return VIRTQ_CHAIN;
    f->out.len = f->out.done = 0;
    if (f->out.request || f->out.zeroes)
        return VIRTQ_CHAIN;
    return give_back(f, f->out.queue, f->out.chain.head, 0);
}

static enum virtq_verdict send_all(struct fs *f)
{
    enum virtq_verdict v = VIRTQ_CHAIN;

    for (uint32_t bytes = 0; v == VIRTQ_CHAIN && bytes < TURN_BYTES; bytes += TURN_COST) {
        bytes += f->out.len;
        if (f->out.len || (f->held.len && !f->dozing))
            v = f->full ? VIRTQ_EMPTY : push_out(f);
        else
            v = f->nforgotten ? VIRTQ_EMPTY : next(f);
    }
    return v;
}

/* ---- from the server ---- */

/* What is wrong with a reply's header, or NULL; r is whose it is, if anybody's. */
static const char *judge(const struct fs *f, const struct fuse_out_header *h,
                         const struct request *r)
{
    if (h->len < sizeof(*h) || h->len > FILES_MESSAGE_MAX)
        return "a reply of impossible length";
    if (!r || (f->out.len && f->out.request == r)) /* not even asked in full */
        return "a reply to no request";
    /* As Linux judges what is written to /dev/fuse; over virtio it takes anything. */
    if (h->error > 0 || h->error <= -ERRNO_END || (h->error && h->len != sizeof(*h)))
        return "a reply with an impossible error";
    return NULL;
}

/* Hands on what is in the buffer: all but the beginning of a header. */
static enum virtq_verdict hand_on(struct fs *f)
{
    enum virtq_verdict v = VIRTQ_CHAIN;
    uint32_t at = 0, n;

    while (v == VIRTQ_CHAIN) {
        struct request *r = f->in.request;

        if (!r) {
            struct fuse_out_header h;
            const char *mistake;

            if (f->in.have - at < sizeof(h))
                break;
            memcpy(&h, f->in.buf + at, sizeof(h));
            r = find(f, h.unique);
            mistake = judge(f, &h, r);
            if (mistake)
                return hang_up(f, mistake);
            r->small = h.len > r->room; /* the guest's doing: it is read, and the rest goes on */
            f->in.request = r;
            f->in.len = h.len;
            f->in.done = 0;
        }
        n = f->in.len - f->in.done;
        if (n > f->in.have - at)
            n = f->in.have - at;
        put(f, r, f->in.done, f->in.buf + at, n);
        at += n;
        f->in.done += n;
        if (f->in.done < f->in.len)
            break;
        f->in.request = NULL;
        v = r->small ? refuse(f, r, -EIO) : complete(f, r, f->in.len);
    }
    f->in.have -= at;
    memmove(f->in.buf, f->in.buf + at, f->in.have);
    return v;
}

/* Reads once: the rest of the reply in hand to its place, what follows into the buffer. How many
 * bytes were asked for in *asked. */
static ssize_t pull(struct fs *f, size_t *asked)
{
    struct request *r = f->in.request;
    uint32_t left = r ? f->in.len - f->in.done : 0;
    unsigned k = 0;
    ssize_t got;

    if (left && !unwanted(r))
        k = cut(r->iov, r->niov, f->in.done, left, f->piece);
    else
        left = 0;
    f->piece[k] = (struct iovec){ f->in.buf + f->in.have, sizeof(f->in.buf) - f->in.have };
    *asked = left + f->piece[k].iov_len;
    do /* not recvmsg: it could bring descriptors */
        got = readv(f->sock.fd, f->piece, (int)k + 1);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        uint32_t direct = got < (ssize_t)left ? (uint32_t)got : left;

        f->in.done += direct;
        f->in.have += (uint32_t)(got - direct);
    }
    return got;
}

static enum virtq_verdict receive_all(struct fs *f)
{
    enum virtq_verdict v = VIRTQ_CHAIN;

    for (size_t bytes = 0; f->sock.fd >= 0 && v == VIRTQ_CHAIN && bytes < TURN_BYTES;
         bytes += TURN_COST) {
        size_t asked;
        ssize_t got = pull(f, &asked);

        if (got < 0 && errno == EAGAIN) {
            f->readable = false;
            return VIRTQ_EMPTY;
        }
        if (got <= 0)
            return hang_up(f, NULL);
        bytes += (size_t)got;
        v = hand_on(f);
        if ((size_t)got < asked && f->in_loop) {
            f->readable = false; /* read empty; if not, the loop says so again */
            return v == VIRTQ_CHAIN ? VIRTQ_EMPTY : v;
        }
    }
    return v;
}

/* ---- turns ---- */

static enum virtq_verdict notify(struct virtio_dev *dev)
{
    struct fs *f = fs_of(dev);
    enum virtq_verdict in = VIRTQ_EMPTY, out;

    for (uint16_t q = 0; q < NQUEUES; q++)
        virtq_hush(&f->queues[q], dev->host->mem);
    if (f->readable)
        in = receive_all(f);
    out = in == VIRTQ_BAD_GUEST ? in : send_all(f);
    watch(f);
    if (in == VIRTQ_BAD_GUEST || out == VIRTQ_BAD_GUEST)
        return VIRTQ_BAD_GUEST;
    return in == VIRTQ_CHAIN || out == VIRTQ_CHAIN ? VIRTQ_CHAIN : VIRTQ_EMPTY;
}

static void on_socket(struct loop_source *s, uint32_t events)
{
    struct fs *f = container_of(s, struct fs, sock);

    virtio_dev_lock(&f->dev);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        f->readable = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        f->full = false;
    if (events & (EPOLLHUP | EPOLLERR))
        unwatch(f); /* what is left of it is read when there is a driver */
    virtio_dev_unlock(&f->dev);
    f->dev.serve(&f->dev);
    virtio_dev_lock(&f->dev);
    watch(f); /* where there is no driver, notify did not */
    virtio_dev_unlock(&f->dev);
}

static void on_timer(struct loop_source *s, uint32_t events)
{
    struct fs *f = container_of(s, struct fs, timer);
    uint64_t times;

    (void)events;
    if (read(s->fd, &times, sizeof(times)) != sizeof(times))
        return;
    virtio_dev_lock(&f->dev);
    f->dozing = false;
    pay(f);
    virtio_dev_unlock(&f->dev);
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

/* Of what was not yet begun to be sent the server never hears. */
static void reset(struct virtio_dev *dev)
{
    struct fs *f = fs_of(dev);

    if (f->out.len && !f->out.done) {
        if (f->out.request)
            drop(f, f->out.request);
        f->out.len = 0;
    }
    f->out.zeroes = f->out.len;
    for (unsigned i = 0; i < f->nwaiting; i++)
        f->waiting[i]->forgotten = true;
    f->nforgotten = f->nwaiting;
    f->owed = f->dozing = false;
}

static void fs_free(struct virtio_dev *dev)
{
    struct fs *f = fs_of(dev);

    unwatch(f);
    fd_closep(&f->sock.fd);
    if (f->timer.fd >= 0)
        loop_remove(dev->host->loop, &f->timer);
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
    .free = fs_free,
};

struct virtio_dev *fs_new(struct host *host, int fd, struct err *e)
{
    struct fs *f = calloc(1, sizeof(*f));
    int flags = fcntl(fd, F_GETFL);

    if (!f) {
        err_set(e, ENOMEM, "files: out of memory");
        return NULL;
    }
    virtio_dev_init(&f->dev, &ops, host, f->queues, NQUEUES);
    for (unsigned i = 0; i < QUEUE_SIZE; i++)
        f->waiting[i] = &f->request[i];
    f->sock = (struct loop_source){ .fd = fd, .ready = on_socket };
    f->watched = EPOLLIN;
    f->timer = (struct loop_source){ timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
                                     on_timer };
    if (f->timer.fd < 0 || loop_add(host->loop, &f->timer, EPOLLIN, NULL))
        err_sys(e, "files: timer");
    else if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
        err_sys(e, "files");
    else if (!loop_add(host->loop, &f->sock, f->watched, e))
        f->in_loop = true;
    if (!f->in_loop) {
        f->sock.fd = -1; /* the caller's */
        fs_free(&f->dev);
        return NULL;
    }
    return &f->dev;
}
