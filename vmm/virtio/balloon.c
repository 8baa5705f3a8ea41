/*
 * balloon.c - see balloon.h. Sections are those of virtio 1.2.
 *
 * Queues are numbered as in the specification: inflate, deflate, statistics, free page hints,
 * reporting. The third and fourth are not offered; drivers before Linux 6.11 then number the queues
 * without gaps, so reporting is served on 2 as well as on 4.
 */
#include "vmm/virtio/balloon.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define F_DEFLATE_ON_OOM (1ull << 2) /* section 5.5.3 */
#define F_REPORTING      (1ull << 5)

#define INFLATE   0u
#define DEFLATE   1u
#define REPORTING 2u /* and from there on */
#define QUEUES    5u

#define QUEUE_SIZE  128u
#define TURN_CHAINS 32u
#define TURN_PAGES  8192u  /* frames or buffers in a turn: each may be a system call */
#define PAGE        4096u  /* section 5.5.6: the unit of the balloon, whatever the guest's pages */
#define PFNS_MAX    16384u /* in one request: 64 MiB of memory; Linux sends 256 */
#define PFN_BATCH   256u

struct config {
    uint32_t num_pages, actual;
};

struct balloon {
    struct virtio_dev dev;
    struct virtq queues[QUEUES];
    int advice;              /* by which the host has memory back: see balloon_new */
    uint32_t target, actual; /* atomic: read by any thread */
    uint64_t returned;       /* atomic: bytes given back to the host */
    struct virtq_chain chain;
};

static struct balloon *balloon_of(const struct virtio_dev *dev)
{
    return container_of(dev, struct balloon, dev);
}

/* Gives back the whole pages inside [at, at + len), which is guest RAM. */
static void give_back(struct balloon *b, void *at, uint64_t len)
{
    uintptr_t from = ((uintptr_t)at + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
    uintptr_t to = ((uintptr_t)at + len) & ~(uintptr_t)(PAGE - 1);

    if (from < to && !madvise((uint8_t *)at + (from - (uintptr_t)at), to - from, b->advice))
        __atomic_fetch_add(&b->returned, to - from, __ATOMIC_RELAXED);
}

/* Frame numbers of n pages: neighbours go back in one call. Frames outside RAM are ignored. */
static void inflate_pages(struct balloon *b, const uint32_t *pfn, unsigned n)
{
    const struct gmem *m = b->dev.host->mem;

    for (unsigned i = 0; i < n;) {
        uint64_t first = le32toh(pfn[i]);
        unsigned run = 1;
        void *at;

        while (i + run < n && le32toh(pfn[i + run]) == first + run)
            run++;
        at = gmem_payload(m, (gpa_t){ first * PAGE }, (uint64_t)run * PAGE);
        if (at) {
            give_back(b, at, (uint64_t)run * PAGE);
        } else if (run > 1) { /* part of it is RAM, perhaps */
            run = 1;
            at = gmem_payload(m, (gpa_t){ first * PAGE }, PAGE);
            if (at)
                give_back(b, at, PAGE);
        }
        i += run;
    }
}

static bool inflate(struct balloon *b)
{
    uint32_t pfn[PFN_BATCH];

    if (b->chain.read_len > PFNS_MAX * sizeof(pfn[0]))
        return false;
    while (b->chain.read_len >= sizeof(pfn[0])) {
        size_t n = b->chain.read_len / sizeof(pfn[0]);

        if (n > PFN_BATCH)
            n = PFN_BATCH;
        if (virtq_chain_take(&b->chain, pfn, n * sizeof(pfn[0])))
            return false;
        inflate_pages(b, pfn, (unsigned)n);
    }
    return true;
}

/* Section 5.5.6.7: each buffer is memory the guest does not use now. */
static void report(struct balloon *b)
{
    const struct virtq_chain *c = &b->chain;

    for (unsigned i = c->nread; i < c->nread + c->nwrite; i++)
        give_back(b, c->iov[i].iov_base, c->iov[i].iov_len);
}

static enum virtq_verdict serve_queue(struct balloon *b, uint16_t queue)
{
    struct virtq *q = &b->queues[queue];
    const struct gmem *m = b->dev.host->mem;
    uint64_t pages = 0;

    for (unsigned n = 0; n < TURN_CHAINS && pages < TURN_PAGES; n++) {
        enum virtq_verdict v = virtq_pop(q, m, &b->chain);

        if (v == VIRTQ_EMPTY && !virtq_wait(q, m))
            continue;
        if (v != VIRTQ_CHAIN)
            return v;
        pages += b->chain.read_len / sizeof(uint32_t) + b->chain.nwrite;
        if (queue == INFLATE && !inflate(b))
            return VIRTQ_BAD_GUEST;
        if (queue >= REPORTING && (b->dev.features & F_REPORTING))
            report(b);
        /* Deflated pages come back by being touched. */
        if (virtq_push(q, m, b->chain.head, 0))
            return VIRTQ_BAD_GUEST;
        b->dev.interrupt(&b->dev, queue);
    }
    return VIRTQ_CHAIN;
}

static enum virtq_verdict notify(struct virtio_dev *dev)
{
    struct balloon *b = balloon_of(dev);
    enum virtq_verdict all = VIRTQ_EMPTY;

    for (uint16_t i = 0; i < QUEUES; i++) {
        enum virtq_verdict v = serve_queue(b, i);

        if (v == VIRTQ_BAD_GUEST)
            return v;
        if (v == VIRTQ_CHAIN)
            all = v;
    }
    return all;
}

static uint64_t features(const struct virtio_dev *dev)
{
    (void)dev;
    return F_DEFLATE_ON_OOM | F_REPORTING;
}

static void config_read(const struct virtio_dev *dev, uint32_t off, void *dst, uint32_t len)
{
    struct config c = {
        .num_pages = htole32(__atomic_load_n(&balloon_of(dev)->target, __ATOMIC_RELAXED)),
        .actual = htole32(balloon_actual(dev)),
    };

    memcpy(dst, (const uint8_t *)&c + off, len);
}

static void config_write(struct virtio_dev *dev, uint32_t off, const void *src, uint32_t len)
{
    uint32_t v;

    if (off != offsetof(struct config, actual) || len != sizeof(v))
        return;
    memcpy(&v, src, sizeof(v));
    __atomic_store_n(&balloon_of(dev)->actual, le32toh(v), __ATOMIC_RELAXED);
}

static void reset(struct virtio_dev *dev)
{
    __atomic_store_n(&balloon_of(dev)->actual, 0, __ATOMIC_RELAXED);
}

static void balloon_free(struct virtio_dev *dev)
{
    virtio_dev_fini(dev);
    free(balloon_of(dev));
}

static const struct virtio_ops ops = {
    .name = "balloon",
    .id = VIRTIO_ID_BALLOON,
    .queue_size = QUEUE_SIZE,
    .vectors = 2,
    .config_size = sizeof(struct config),
    .features = features,
    .config_read = config_read,
    .config_write = config_write,
    .notify = notify,
    .reset = reset,
    .free = balloon_free,
};

struct virtio_dev *balloon_new(struct host *host, struct err *e)
{
    struct balloon *b = calloc(1, sizeof(*b));

    if (!b) {
        err_set(e, ENOMEM, "balloon: out of memory");
        return NULL;
    }
    virtio_dev_init(&b->dev, &ops, host, b->queues, QUEUES);
    /* Of a file it is not enough to forget where a page is mapped. */
    b->advice = host->ram >= 0 ? MADV_REMOVE : MADV_DONTNEED;
    return &b->dev;
}

void balloon_set_target(struct virtio_dev *dev, uint32_t pages)
{
    virtio_dev_lock(dev);
    __atomic_store_n(&balloon_of(dev)->target, pages, __ATOMIC_RELAXED);
    dev->config_changed(dev);
    virtio_dev_unlock(dev);
}

uint32_t balloon_actual(const struct virtio_dev *dev)
{
    return __atomic_load_n(&balloon_of(dev)->actual, __ATOMIC_RELAXED);
}

uint64_t balloon_returned_bytes(const struct virtio_dev *dev)
{
    return __atomic_load_n(&balloon_of(dev)->returned, __ATOMIC_RELAXED);
}
