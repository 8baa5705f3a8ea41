/* rng.c - see rng.h. */
#include "vmm/virtio/rng.h"

#include "base/fd.h"
#include "vmm/virtio/limit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/timerfd.h>

#define QUEUE_SIZE  8u
#define TURN_CHAINS 16u

struct rng {
    struct virtio_dev dev;
    struct virtq queue;
    struct limit limit;
    struct loop_source timer; /* fd owned */
    struct virtq_chain chain;
};

static struct rng *rng_of(const struct virtio_dev *dev)
{
    return container_of(dev, struct rng, dev);
}

/* Bytes written into the chain: all of it, but at most RNG_REQUEST_MAX (G01). */
static uint32_t fill(struct virtq_chain *c)
{
    uint32_t done = 0;

    for (unsigned i = c->nread; i < c->nread + c->nwrite && done < RNG_REQUEST_MAX; i++) {
        size_t len = c->iov[i].iov_len, at = 0;

        if (len > RNG_REQUEST_MAX - done)
            len = RNG_REQUEST_MAX - done;
        while (at < len) {
            ssize_t n = getrandom((uint8_t *)c->iov[i].iov_base + at, len - at, 0);

            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                return done + (uint32_t)at;
            at += (size_t)n;
        }
        done += (uint32_t)len;
    }
    return done;
}

static bool held_back(struct rng *r)
{
    uint64_t wait = limit_wait(&r->limit, limit_now());

    if (wait) {
        struct itimerspec t = { .it_value = { (time_t)(wait / 1000000000u),
                                              (long)(wait % 1000000000u) } };

        timerfd_settime(r->timer.fd, 0, &t, NULL);
    }
    return wait;
}

static enum virtq_verdict notify(struct virtio_dev *dev)
{
    struct rng *r = rng_of(dev);
    const struct gmem *m = dev->host->mem;

    for (unsigned n = 0; n < TURN_CHAINS; n++) {
        enum virtq_verdict v;
        uint32_t len;

        if (held_back(r))
            return VIRTQ_EMPTY;
        v = virtq_pop(&r->queue, m, &r->chain);
        if (v == VIRTQ_EMPTY && !virtq_wait(&r->queue, m))
            continue;
        if (v != VIRTQ_CHAIN)
            return v;
        len = fill(&r->chain);
        limit_charge(&r->limit, len);
        if (virtq_push(&r->queue, m, r->chain.head, len))
            return VIRTQ_BAD_GUEST;
        dev->interrupt(dev, 0);
    }
    return VIRTQ_CHAIN;
}

static void on_timer(struct loop_source *s, uint32_t events)
{
    struct rng *r = container_of(s, struct rng, timer);
    uint64_t times;

    (void)events;
    if (read(s->fd, &times, sizeof(times)) == sizeof(times))
        r->dev.serve(&r->dev);
}

static uint64_t features(const struct virtio_dev *dev)
{
    (void)dev;
    return 0;
}

static void config_read(const struct virtio_dev *dev, uint32_t off, void *dst, uint32_t len)
{
    (void)dev;
    (void)off;
    memset(dst, 0, len); /* there is none: section 5.4.4 */
}

static void reset(struct virtio_dev *dev)
{
    (void)dev; /* nothing is in flight, and an armed timer finds an idle queue */
}

static void rng_free(struct virtio_dev *dev)
{
    struct rng *r = rng_of(dev);

    if (r->timer.fd >= 0)
        loop_remove(dev->host->loop, &r->timer);
    fd_closep(&r->timer.fd);
    virtio_dev_fini(dev);
    free(r);
}

static const struct virtio_ops ops = {
    .name = "rng",
    .id = VIRTIO_ID_ENTROPY,
    .queue_size = QUEUE_SIZE,
    .vectors = 2,
    .features = features,
    .config_read = config_read,
    .notify = notify,
    .reset = reset,
    .free = rng_free,
};

struct virtio_dev *rng_new(struct host *host, uint64_t bytes_per_s, struct err *e)
{
    struct rng *r = calloc(1, sizeof(*r));

    if (!r) {
        err_set(e, ENOMEM, "entropy device: out of memory");
        return NULL;
    }
    virtio_dev_init(&r->dev, &ops, host, &r->queue, 1);
    limit_init(&r->limit, bytes_per_s ? bytes_per_s : RNG_DEFAULT_PER_S, limit_now());
    r->timer = (struct loop_source){ .fd = -1, .ready = on_timer };
    r->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (r->timer.fd < 0 || loop_add(host->loop, &r->timer, EPOLLIN, NULL)) {
        err_sys(e, "entropy device: timer");
        rng_free(&r->dev);
        return NULL;
    }
    return &r->dev;
}
