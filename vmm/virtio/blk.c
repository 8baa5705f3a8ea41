/*
 * blk.c - see blk.h. Sections are those of virtio 1.2.
 *
 * Requests are served one at a time, from the ring straight to preadv and pwritev on guest memory:
 * nothing is allocated or copied, and nothing is in flight when a reset comes.
 */
#include "vmm/virtio/blk.h"

#include "base/fd.h"
#include "vmm/virtio/limit.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

/* Section 5.2.3: feature bits. */
#define F_SEG_MAX      (1ull << 2)
#define F_RO           (1ull << 5)
#define F_BLK_SIZE     (1ull << 6)
#define F_FLUSH        (1ull << 9)
#define F_TOPOLOGY     (1ull << 10)
#define F_DISCARD      (1ull << 13)
#define F_WRITE_ZEROES (1ull << 14)

/* Section 5.2.6: request types and status. */
#define T_IN           0u
#define T_OUT          1u
#define T_FLUSH        4u
#define T_GET_ID       8u
#define T_DISCARD      11u
#define T_WRITE_ZEROES 13u
#define S_OK           0u
#define S_IOERR        1u
#define S_UNSUPP       2u

#define SECTOR      512u
#define QUEUE_SIZE  256u
#define SEG_MAX     (QUEUE_SIZE - 2u) /* a chain less its header and status */
#define PHYSICAL    3u                /* log2 of sectors in a block of the host: 4 KiB */
#define RANGES_MAX  16u               /* segments in one discard … */
#define ZERO_RANGES 4u                /* … and in one write-zeroes: 64 MiB, as REQUEST_MAX */
#define DISCARD_MAX (1u << 22)        /* sectors in one segment: 2 GiB, a matter of metadata */
#define ZEROES_MAX  (1u << 15)        /* sectors: 16 MiB, which may have to be written */
#define UNMAP       1u                /* flag of a write-zeroes segment */
#define REQUEST_MAX (64u << 20)       /* bytes in one read or write; Linux asks for at most 4 MiB */
#define CHUNK       (1u << 20)        /* bytes in one system call */
#define TURN_BYTES  (4u << 20)        /* then other devices have their turn … */
#define TURN_CHAINS 64u
#define SYNC_BYTES  (TURN_BYTES / 8)  /* … in which a flush counts for so many, */
#define RANGE_BYTES (TURN_BYTES / 64) /* and so does a range that is discarded */
#define ID_LEN      20u

struct header {
    uint32_t type, reserved;
    uint64_t sector;
};

struct range {
    uint64_t sector;
    uint32_t sectors, flags;
};

/* Section 5.2.4. */
struct config {
    uint64_t capacity;
    uint32_t size_max, seg_max;
    uint16_t cylinders;
    uint8_t heads, sectors;
    uint32_t blk_size;
    uint8_t physical_block_exp, alignment_offset;
    uint16_t min_io_size;
    uint32_t opt_io_size;
    uint8_t writeback, unused0;
    uint16_t num_queues;
    uint32_t max_discard_sectors, max_discard_seg, discard_sector_alignment;
    uint32_t max_write_zeroes_sectors, max_write_zeroes_seg;
    uint8_t write_zeroes_may_unmap, unused1[3];
} __attribute__((packed));

struct blk {
    struct virtio_dev dev;
    struct virtq queue;
    int fd; /* owned */
    bool readonly;
    uint64_t sectors;
    uint8_t id[ID_LEN];
    struct limit bytes, ops;
    uint64_t work; /* of this turn, in bytes: what requests cost, not how long their chains are */
    struct loop_source timer; /* fd owned; -1 without a limit */
    struct virtq_chain chain; /* the request being served */
    struct iovec piece[VIRTQ_SIZE_MAX];
};

static const uint8_t zeroes[4096];

static struct blk *blk_of(const struct virtio_dev *dev)
{
    return container_of(dev, struct blk, dev);
}

/* ---- transfers ---- */

/* The next at most CHUNK bytes of iov, from byte skip of its first element on. */
static int cut(const struct iovec *iov, unsigned n, size_t skip, struct iovec *out)
{
    size_t left = CHUNK;
    int k = 0;

    for (unsigned i = 0; i < n && left; i++) {
        size_t len = iov[i].iov_len - skip;

        if (len > left)
            len = left;
        if (len)
            out[k++] = (struct iovec){ (uint8_t *)iov[i].iov_base + skip, len };
        left -= len;
        skip = 0;
    }
    return k;
}

/* Moves len bytes between iov[0 .. n) and the file. False when the host could not do all of it. */
static bool move(struct blk *b, bool write, const struct iovec *iov, unsigned n, uint64_t len,
                 off_t at)
{
    size_t skip = 0; /* in iov[0] */

    while (len) {
        int k = cut(iov, n, skip, b->piece);
        ssize_t done = write ? pwritev(b->fd, b->piece, k, at) : preadv(b->fd, b->piece, k, at);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        len -= (uint64_t)done;
        at += done;
        for (skip += (size_t)done; n && skip >= iov->iov_len; iov++, n--)
            skip -= iov->iov_len;
    }
    return true;
}

/* Does [sector, sector + n) lie on the disk? Subtractions only, so nothing wraps. */
static bool on_disk(const struct blk *b, uint64_t sector, uint64_t n)
{
    return sector <= b->sectors && n <= b->sectors - sector;
}

static bool sync_disk(struct blk *b)
{
    b->work += SYNC_BYTES;
    return !fdatasync(b->fd);
}

/* Where the guest did not agree to flush, each write waits for the medium (section 5.2.6.2). */
static bool settle(struct blk *b)
{
    return (b->dev.features & F_FLUSH) || sync_disk(b);
}

static uint8_t read_write(struct blk *b, uint64_t sector, bool write, uint32_t *written)
{
    struct virtq_chain *c = &b->chain;
    uint64_t len = write ? c->read_len : c->write_len;

    /* Other devices wait, and so does the end of the machine: not for 4 GiB. */
    if (len > REQUEST_MAX || len % SECTOR || !on_disk(b, sector, len / SECTOR) ||
        (write && b->readonly))
        return S_IOERR;
    b->work += len;
    limit_charge(&b->bytes, len); /* also when the host fails half way: it worked */
    if (!move(b, write, write ? c->iov : c->iov + c->nread, write ? c->nread : c->nwrite, len,
              (off_t)(sector * SECTOR)) ||
        (write && !settle(b)))
        return S_IOERR;
    if (!write)
        *written = (uint32_t)len;
    return S_OK;
}

/* ---- discard and write zeroes ---- */

static bool write_zeroes(struct blk *b, uint64_t sector, uint64_t n)
{
    struct iovec iov[64];
    off_t at = (off_t)(sector * SECTOR);

    for (uint64_t left = n * SECTOR; left;) {
        uint64_t len = left < sizeof(zeroes) * 64 ? left : sizeof(zeroes) * 64;
        unsigned k = 0;

        for (uint64_t set = 0; set < len; k++) {
            uint64_t part = len - set < sizeof(zeroes) ? len - set : sizeof(zeroes);

            iov[k] = (struct iovec){ (void *)zeroes, part };
            set += part;
        }
        if (!move(b, true, iov, k, len, at))
            return false;
        at += (off_t)len;
        left -= len;
    }
    return true;
}

static bool clear(const struct blk *b, int mode, const struct range *r)
{
    int err;

    do
        err = fallocate(b->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)(r->sector * SECTOR),
                        (off_t)r->sectors * SECTOR);
    while (err && errno == EINTR);
    return !err;
}

static uint8_t apply_range(struct blk *b, bool discard, const struct range *r)
{
    if (!r->sectors)
        return S_OK;
    if (discard) {
        if (clear(b, FALLOC_FL_PUNCH_HOLE, r))
            return S_OK;
        return errno == EOPNOTSUPP ? S_UNSUPP : S_IOERR;
    }
    if ((r->flags & UNMAP) && clear(b, FALLOC_FL_PUNCH_HOLE, r))
        return S_OK;
    if (clear(b, FALLOC_FL_ZERO_RANGE, r) || write_zeroes(b, r->sector, r->sectors))
        return S_OK;
    return S_IOERR;
}

/* Section 5.2.6.2: all ranges are judged before the first is touched. */
static uint8_t discard_or_zero(struct blk *b, bool discard)
{
    struct range ranges[RANGES_MAX];
    uint64_t len = b->chain.read_len, total = 0;
    uint8_t status = S_OK;
    size_t n = len / sizeof(ranges[0]);

    if (b->readonly || !len || len % sizeof(ranges[0]) ||
        n > (discard ? RANGES_MAX : ZERO_RANGES) || virtq_chain_take(&b->chain, ranges, len))
        return S_IOERR;
    for (size_t i = 0; i < n; i++) {
        struct range *r = &ranges[i];

        *r = (struct range){ le64toh(r->sector), le32toh(r->sectors), le32toh(r->flags) };
        if (r->flags & ~(discard ? 0 : UNMAP))
            return S_UNSUPP;
        if (!on_disk(b, r->sector, r->sectors) || r->sectors > (discard ? DISCARD_MAX : ZEROES_MAX))
            return S_IOERR;
        total += r->sectors;
    }
    b->work += discard ? n * RANGE_BYTES : total * SECTOR;
    for (size_t i = 0; i < n && status == S_OK; i++)
        status = apply_range(b, discard, &ranges[i]);
    if (status == S_OK && !settle(b))
        status = S_IOERR;
    if (!discard)
        limit_charge(&b->bytes, total * SECTOR);
    return status;
}

/* ---- requests ---- */

static uint8_t get_id(struct blk *b, uint32_t *written)
{
    size_t n = b->chain.write_len < ID_LEN ? b->chain.write_len : ID_LEN;

    if (virtq_chain_give(&b->chain, b->id, n))
        return S_IOERR;
    *written = (uint32_t)n;
    return S_OK;
}

static uint8_t serve_request(struct blk *b, const struct header *h, uint32_t *written)
{
    switch (le32toh(h->type)) {
    case T_IN: return read_write(b, le64toh(h->sector), false, written);
    case T_OUT: return read_write(b, le64toh(h->sector), true, written);
    case T_FLUSH: return (uint8_t)(sync_disk(b) ? S_OK : S_IOERR);
    case T_GET_ID: return get_id(b, written);
    case T_DISCARD: return discard_or_zero(b, true);
    case T_WRITE_ZEROES: return discard_or_zero(b, false);
    default: return S_UNSUPP;
    }
}

/* One chain: header first, status last, however the guest cut it up (section 5.2.6). */
static enum virtq_verdict serve_chain(struct blk *b)
{
    struct header h;
    uint32_t written = 0;
    uint8_t *status;

    if (virtq_chain_take(&b->chain, &h, sizeof(h)) || virtq_chain_last_byte(&b->chain, &status))
        return VIRTQ_BAD_GUEST;
    *status = serve_request(b, &h, &written);
    limit_charge(&b->ops, 1);
    return virtq_push(&b->queue, b->dev.host->mem, b->chain.head, written + 1) ? VIRTQ_BAD_GUEST
                                                                               : VIRTQ_CHAIN;
}

/* True when the rate limit says no; the timer then calls back. */
static bool held_back(struct blk *b)
{
    uint64_t now, wait, wait_ops;

    if (b->timer.fd < 0)
        return false;
    now = limit_now();
    wait = limit_wait(&b->bytes, now);
    wait_ops = limit_wait(&b->ops, now);
    if (wait_ops > wait)
        wait = wait_ops;
    if (wait) {
        struct itimerspec t = { .it_value = { (time_t)(wait / 1000000000u),
                                              (long)(wait % 1000000000u) } };

        timerfd_settime(b->timer.fd, 0, &t, NULL);
    }
    return wait;
}

static enum virtq_verdict notify(struct virtio_dev *dev)
{
    struct blk *b = blk_of(dev);
    const struct gmem *m = dev->host->mem;
    enum virtq_verdict v = VIRTQ_CHAIN;

    b->work = 0;
    virtq_hush(&b->queue, m);
    for (unsigned n = 0; n < TURN_CHAINS && b->work < TURN_BYTES && v == VIRTQ_CHAIN; n++) {
        if (held_back(b)) {
            v = VIRTQ_EMPTY; /* no doorbell is wanted before the timer */
            break;
        }
        v = virtq_pop(&b->queue, m, &b->chain);
        if (v == VIRTQ_EMPTY && !virtq_wait(&b->queue, m))
            v = VIRTQ_CHAIN; /* one came in meanwhile */
        else if (v == VIRTQ_CHAIN) {
            v = serve_chain(b);
            /* At once, not at the end of the turn: the guest works while we serve the next. */
            dev->interrupt(dev, 0);
        }
    }
    return v;
}

static void on_timer(struct loop_source *s, uint32_t events)
{
    struct blk *b = container_of(s, struct blk, timer);
    uint64_t times;

    (void)events;
    if (read(s->fd, &times, sizeof(times)) == sizeof(times))
        b->dev.serve(&b->dev);
}

/* ---- the device ---- */

static uint64_t features(const struct virtio_dev *dev)
{
    uint64_t all = F_SEG_MAX | F_BLK_SIZE | F_TOPOLOGY;

    return blk_of(dev)->readonly ? all | F_RO : all | F_FLUSH | F_DISCARD | F_WRITE_ZEROES;
}

static void config_read(const struct virtio_dev *dev, uint32_t off, void *dst, uint32_t len)
{
    const struct blk *b = blk_of(dev);
    struct config c = {
        .capacity = htole64(b->sectors),
        .seg_max = htole32(SEG_MAX),
        .blk_size = htole32(SECTOR),
        .physical_block_exp = PHYSICAL,
        .min_io_size = htole16(1u << PHYSICAL),
        .num_queues = htole16(1),
        .writeback = 1,
    };

    if (!b->readonly) {
        c.max_discard_sectors = htole32(DISCARD_MAX);
        c.max_discard_seg = htole32(RANGES_MAX);
        c.discard_sector_alignment = htole32(1u << PHYSICAL);
        c.max_write_zeroes_sectors = htole32(ZEROES_MAX);
        c.max_write_zeroes_seg = htole32(ZERO_RANGES);
        c.write_zeroes_may_unmap = 1;
    }
    memcpy(dst, (const uint8_t *)&c + off, len);
}

static void reset(struct virtio_dev *dev)
{
    (void)dev; /* nothing is in flight, and an armed timer finds an idle queue */
}

static void blk_free(struct virtio_dev *dev)
{
    struct blk *b = blk_of(dev);

    if (b->timer.fd >= 0)
        loop_remove(dev->host->loop, &b->timer);
    fd_closep(&b->timer.fd);
    fd_closep(&b->fd);
    virtio_dev_fini(dev);
    free(b);
}

static const struct virtio_ops ops = {
    .name = "blk",
    .id = VIRTIO_ID_BLOCK,
    .queue_size = QUEUE_SIZE,
    .vectors = 2,
    .config_size = sizeof(struct config),
    .features = features,
    .config_read = config_read,
    .notify = notify,
    .reset = reset,
    .free = blk_free,
};

/* Bytes on the disk, or -errno with *e. */
static int measure(int fd, uint64_t *bytes, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st))
        return err_sys(e, "disk");
    if (S_ISREG(st.st_mode))
        *bytes = (uint64_t)st.st_size;
    else if (!S_ISBLK(st.st_mode))
        return err_set(e, EINVAL, "disk: neither a regular file nor a block device");
    else if (ioctl(fd, BLKGETSIZE64, bytes))
        return err_sys(e, "disk: size");
    if (!*bytes || *bytes % SECTOR)
        return err_set(e, EINVAL, "disk: %llu bytes is not a whole number of 512-byte sectors",
                       (unsigned long long)*bytes);
    return 0;
}

static int make_timer(struct blk *b, struct err *e)
{
    b->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    b->timer.ready = on_timer;
    if (b->timer.fd < 0)
        return err_sys(e, "disk: timer");
    return loop_add(b->dev.host->loop, &b->timer, EPOLLIN, e);
}

struct virtio_dev *blk_new(struct host *host, const struct vmm_launch_disk *disk, struct err *e)
{
    struct blk *b;
    uint64_t bytes = 0, now = limit_now();

    if (measure(disk->fd, &bytes, e))
        return NULL;
    b = calloc(1, sizeof(*b));
    if (!b) {
        err_set(e, ENOMEM, "disk: out of memory");
        return NULL;
    }
    virtio_dev_init(&b->dev, &ops, host, &b->queue, 1);
    b->queue.size = QUEUE_SIZE;
    b->fd = -1; /* the caller's until nothing can fail */
    b->readonly = disk->flags & VMM_DISK_READONLY;
    b->sectors = bytes / SECTOR;
    memcpy(b->id, disk->serial, ID_LEN);
    limit_init(&b->bytes, disk->bytes_per_s, now);
    limit_init(&b->ops, disk->ops_per_s, now);
    b->timer.fd = -1;
    if ((disk->bytes_per_s || disk->ops_per_s) && make_timer(b, e)) {
        blk_free(&b->dev);
        return NULL;
    }
    b->fd = disk->fd;
    return &b->dev;
}
