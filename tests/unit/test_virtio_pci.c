/* test_virtio_pci.c - the transport: registers, status, interrupts; with pages mapped and without.
 */
#include "tests/unit/guest.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

/* A device that gives every chain back, and counts what the transport asks of it. */
struct echo {
    struct virtio_dev dev;
    struct virtq queues[3];
    struct virtq_chain chain;
    unsigned starts, resets, notifies;
    uint32_t scratch;
    bool bad, busy;
};

static struct echo *echo_of(const struct virtio_dev *dev)
{
    return container_of(dev, struct echo, dev);
}

static uint64_t echo_features(const struct virtio_dev *dev)
{
    (void)dev;
    return 1ull << 3;
}

static void echo_config_read(const struct virtio_dev *dev, uint32_t off, void *dst, uint32_t len)
{
    uint32_t words[2] = { echo_of(dev)->scratch, 0x11223344 };

    memcpy(dst, (uint8_t *)words + off, len);
}

static void echo_config_write(struct virtio_dev *dev, uint32_t off, const void *src, uint32_t len)
{
    if (off == 0 && len == 4)
        memcpy(&echo_of(dev)->scratch, src, 4);
}

static void echo_start(struct virtio_dev *dev)
{
    echo_of(dev)->starts++;
}

static void echo_reset(struct virtio_dev *dev)
{
    echo_of(dev)->resets++;
}

static enum virtq_verdict echo_notify(struct virtio_dev *dev)
{
    struct echo *s = echo_of(dev);

    s->notifies++;
    if (s->bad)
        return VIRTQ_BAD_GUEST;
    if (s->busy)
        return s->notifies < 10 ? VIRTQ_CHAIN : VIRTQ_EMPTY;
    for (uint16_t i = 0; i < dev->nqueues; i++) {
        enum virtq_verdict v;

        while ((v = virtq_pop(&s->queues[i], dev->host->mem, &s->chain)) == VIRTQ_CHAIN) {
            if (virtq_push(&s->queues[i], dev->host->mem, s->chain.head, 7))
                return VIRTQ_BAD_GUEST;
            dev->interrupt(dev, i);
        }
        if (v == VIRTQ_BAD_GUEST || !virtq_wait(&s->queues[i], dev->host->mem))
            return v == VIRTQ_BAD_GUEST ? v : VIRTQ_CHAIN;
    }
    return VIRTQ_EMPTY;
}

static void echo_free(struct virtio_dev *dev)
{
    virtio_dev_fini(dev);
    free(echo_of(dev));
}

static const struct virtio_ops echo_ops = {
    .name = "echo",
    .id = 42,
    .queue_size = 64,
    .vectors = 2,
    .config_size = 8,
    .features = echo_features,
    .config_read = echo_config_read,
    .config_write = echo_config_write,
    .start = echo_start,
    .notify = echo_notify,
    .reset = echo_reset,
    .free = echo_free,
};

struct fixture {
    struct guest g;
    struct driver d;
    struct echo *e;
};

static void plug(struct fixture *f, bool trap_all)
{
    guest_init(&f->g, trap_all);
    f->e = calloc(1, sizeof(*f->e));
    virtio_dev_init(&f->e->dev, &echo_ops, &f->g.host, f->e->queues, 3);
    guest_plug(&f->g, &f->d, &f->e->dev);
}

static void setup(struct fixture *f)
{
    plug(f, false);
}

static void teardown(struct fixture *f)
{
    guest_fini(&f->g);
}

/* One buffer through one queue; the device answers at once. */
static void roundtrip(struct fixture *f, uint16_t queue)
{
    struct ring *r = &f->d.ring[queue];
    struct buf b = { guest_alloc(&f->g, 64), 64, D_WRITE };
    uint16_t head = ring_add(r, &b, 1);
    uint32_t id, len;

    drv_ring(&f->d);
    assert_true(ring_reap(r, &id, &len));
    assert_int_equal(id, head);
    assert_int_equal(len, 7);
}

static void identity_and_capabilities(void **state)
{
    struct fixture f;
    unsigned at, seen[6] = { 0 };

    (void)state;
    setup(&f);
    assert_int_equal(guest_r(&f.g, cfg(1, 0), 4), 0x106a1af4);
    assert_int_equal(guest_r(&f.g, cfg(1, 8), 1), 1);
    assert_int_equal(guest_r(&f.g, cfg(1, 0x3d), 1), 0); /* no INTx */
    for (at = guest_r(&f.g, cfg(1, 0x34), 1); at; at = guest_r(&f.g, cfg(1, at + 1), 1)) {
        if (guest_r(&f.g, cfg(1, at), 1) != 9)
            continue;
        unsigned type = guest_r(&f.g, cfg(1, at + 3), 1);
        uint32_t off = guest_r(&f.g, cfg(1, at + 8), 4), len = guest_r(&f.g, cfg(1, at + 12), 4);

        assert_in_range(type, 1, 5);
        seen[type]++;
        assert_int_equal(guest_r(&f.g, cfg(1, at + 4), 1), 0);
        assert_true(off + len <= 0x4000);
        assert_int_equal(off % 4, 0);
        if (type == 2)
            assert_int_equal(guest_r(&f.g, cfg(1, at + 16), 4), 0);
        if (type == 4)
            assert_int_equal(len, 8);
    }
    for (unsigned i = 1; i <= 4; i++)
        assert_int_equal(seen[i], 1);
    at = drv_find_cap(&f.d, 0x11);
    assert_int_equal(guest_r(&f.g, cfg(1, at + 2), 2), 0x8001); /* two vectors, enabled */
    assert_int_equal(guest_r(&f.g, cfg(1, at + 4), 4), VIRTIO_TABLE);
    teardown(&f);
}

static void works(bool trap_all)
{
    struct fixture f;

    plug(&f, trap_all);
    assert_int_equal(drv_offered(&f.d),
                     VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC | 8);
    drv_start(&f.d, 8, 16);
    assert_int_equal(f.e->starts, 1);
    assert_int_equal(f.e->dev.features, VIRTIO_F_VERSION_1 | 8);
    for (uint16_t q = 0; q < 3; q++)
        roundtrip(&f, q);
    assert_int_equal(f.g.msi[0x41], 3);
    assert_int_equal(f.g.mistakes, 0);
    teardown(&f);
}

static void works_with_pages(void **state)
{
    (void)state;
    works(false);
}

static void works_trapped(void **state)
{
    (void)state;
    works(true);
}

static void notify_exits_only_without_doorbell(void **state)
{
    struct fixture f;
    unsigned before;

    (void)state;
    setup(&f);
    assert_int_equal(f.g.bell[0].addr, 0); /* not before DRIVER_OK */
    drv_start(&f.d, 0, 16);
    assert_int_equal(f.g.bell[0].addr, f.d.bar + VIRTIO_BELL);
    before = f.g.exits;
    for (unsigned i = 0; i < 10; i++)
        roundtrip(&f, 0);
    assert_int_equal(f.g.exits, before);
    teardown(&f);
}

/* What a start costs: the table behind docs/SPECIFICATION.md. */
static void exits_to_start(void **state)
{
    struct fixture f;
    unsigned before;

    (void)state;
    setup(&f);
    before = f.g.exits;
    drv_start(&f.d, 0, 16);
    /* 6 status, 4 features, 1 config vector, 4 a queue; addresses and reads are free. */
    assert_in_range(f.g.exits - before, 1, 23);
    teardown(&f);
}

static void v19_notify_of_queues_that_are_none(void **state)
{
    struct fixture f;
    unsigned notifies;

    (void)state;
    plug(&f, true);
    drv_start(&f.d, 0, 16);
    notifies = f.e->notifies;
    for (unsigned i = 0; i < 100000; i++)
        guest_w(&f.g, f.d.bar + VIRTIO_BELL, 2, i % 2 ? 65535 : 3);
    guest_settle(&f.g);
    assert_int_equal(f.e->notifies, notifies + 1); /* however often it rings between two turns */
    guest_w(&f.g, f.d.bar + VIRTIO_BELL, 4, 0xffffffff);
    guest_settle(&f.g);
    assert_false(drv_broken(&f.d));
    assert_int_equal(f.g.mistakes, 0);
    roundtrip(&f, 0);
    teardown(&f);
}

static void v21_frozen_after_driver_ok(void **state)
{
    struct fixture f;
    struct virtq before[3];
    uint64_t features;

    (void)state;
    setup(&f);
    drv_start(&f.d, 0, 16);
    memcpy(before, f.e->queues, sizeof(before));
    features = f.e->dev.features;
    for (uint16_t q = 0; q < 3; q++) {
        drv_set_queue(&f.d, q, 32, 0x1000, 0x2000, 0x3000);
        drv_w(&f.d, 0x1c, 2, 0);
    }
    drv_features(&f.d, ~0ull);
    drv_status(&f.d, 0xf);
    assert_memory_equal(before, f.e->queues, sizeof(before));
    assert_int_equal(f.e->dev.features, features);
    for (uint16_t q = 0; q < 3; q++) { /* and that is what it reads back */
        drv_w(&f.d, 0x16, 2, (q + 1) % 3);
        drv_w(&f.d, 0x16, 2, q);
        assert_int_equal(drv_r(&f.d, 0x18, 2), 16);
        assert_int_equal(drv_r(&f.d, 0x1c, 2), 1);
        assert_int_equal(drv_r(&f.d, 0x20, 4), f.d.ring[q].desc);
        assert_int_equal(drv_r(&f.d, 0x30, 4), f.d.ring[q].used);
    }
    roundtrip(&f, 1);
    teardown(&f);
}

static void v21_frozen_after_enable(void **state)
{
    struct fixture f;
    struct ring r;

    (void)state;
    setup(&f);
    drv_status(&f.d, 3);
    drv_features(&f.d, VIRTIO_F_VERSION_1);
    ring_init(&f.g, &r, 16);
    drv_set_queue(&f.d, 0, 16, r.desc, r.avail, r.used);
    assert_int_equal(drv_r(&f.d, 0x1c, 2), 0); /* features are not settled */
    drv_status(&f.d, 0xb);
    drv_set_queue(&f.d, 0, 16, r.desc, r.avail, r.used);
    assert_int_equal(drv_r(&f.d, 0x1c, 2), 1);
    drv_features(&f.d, VIRTIO_F_VERSION_1 | 8);
    drv_w(&f.d, 8, 4, 0);
    assert_int_equal(drv_r(&f.d, 0xc, 4), 0);
    drv_set_queue(&f.d, 0, 8, 0, 0, 0);
    drv_status(&f.d, 0xf);
    drv_set_queue(&f.d, 1, 16, r.desc, r.avail, r.used); /* too late for a new one */
    assert_int_equal(drv_r(&f.d, 0x1c, 2), 0);
    assert_false(f.e->queues[1].enabled);
    assert_int_equal(f.e->queues[0].size, 16);
    assert_int_equal(f.e->queues[0].desc.at, r.desc);
    assert_int_equal(f.e->dev.features, VIRTIO_F_VERSION_1);
    teardown(&f);
}

static void queue_state_survives_selection(bool trap_all)
{
    struct fixture f;

    plug(&f, trap_all);
    drv_status(&f.d, 3);
    drv_features(&f.d, VIRTIO_F_VERSION_1);
    drv_status(&f.d, 0xb);
    for (uint16_t q = 0; q < 3; q++) { /* laid out, not enabled, in an order no driver uses */
        drv_w(&f.d, 0x16, 2, q);
        drv_w(&f.d, 0x20, 4, 0x10000u * (q + 1u));
        drv_w(&f.d, 0x18, 2, 4);
        drv_w(&f.d, 0x28, 4, 0x10000u * (q + 1u) + 0x100);
        drv_w(&f.d, 0x1a, 2, q == 2 ? 9 : q); /* vector 9 does not exist */
        drv_w(&f.d, 0x30, 4, 0x10000u * (q + 1u) + 0x200);
    }
    drv_w(&f.d, 0x16, 2, 3); /* there is no queue 3 */
    assert_int_equal(drv_r(&f.d, 0x18, 2), 0);
    assert_int_equal(drv_r(&f.d, 0x1a, 2), 0xffff);
    drv_w(&f.d, 0x1c, 2, 1);
    for (uint16_t q = 0; q < 3; q++) {
        drv_w(&f.d, 0x16, 2, q);
        assert_int_equal(drv_r(&f.d, 0x18, 2), 4);
        assert_int_equal(drv_r(&f.d, 0x1a, 2), q == 2 ? 0xffff : q);
        assert_int_equal(drv_r(&f.d, 0x20, 4), 0x10000u * (q + 1u));
        assert_int_equal(drv_r(&f.d, 0x28, 4), 0x10000u * (q + 1u) + 0x100);
        assert_int_equal(drv_r(&f.d, 0x30, 4), 0x10000u * (q + 1u) + 0x200);
        drv_w(&f.d, 0x1c, 2, 1);
        assert_int_equal(drv_r(&f.d, 0x1c, 2), 1);
        assert_int_equal(f.e->queues[q].used.at, 0x10000u * (q + 1u) + 0x200);
    }
    teardown(&f);
}

static void queue_state_with_pages(void **state)
{
    (void)state;
    queue_state_survives_selection(false);
}

static void queue_state_trapped(void **state)
{
    (void)state;
    queue_state_survives_selection(true);
}

static void v22_malformed_queues(void **state)
{
    static const struct {
        uint16_t size;
        uint64_t desc, avail, used;
    } bad[] = {
        { 0, 0x1000, 0x2000, 0x3000 },
        { 3, 0x1000, 0x2000, 0x3000 },
        { 32769, 0x1000, 0x2000, 0x3000 },
        { 128, 0x1000, 0x2000, 0x3000 }, /* a power of two, but more than offered */
        { 16, 0x1008, 0x2000, 0x3000 },
        { 16, 0x1000, 0x2001, 0x3000 },
        { 16, 0x1000, 0x2000, 0x3002 },
        { 16, GUEST_RAM - 128, 0x2000, 0x3000 },
        { 16, 0x1000, GUEST_RAM - 36, 0x3000 },
        { 16, 0x1000, 0x2000, GUEST_RAM - 132 },
        { 16, MMIO, 0x2000, 0x3000 },
        { 16, 0x1000, ECAM, 0x3000 },
        { 16, 0xfffffffffffffff0, 0x2000, 0x3000 },
        { 16, 0x1000, 0x2000, 0xfffffffffffffffc },
    };

    (void)state;
    for (unsigned i = 0; i < array_len(bad); i++) {
        struct fixture f;

        setup(&f);
        drv_status(&f.d, 3);
        drv_features(&f.d, VIRTIO_F_VERSION_1);
        drv_status(&f.d, 0xb);
        drv_set_queue(&f.d, 0, bad[i].size, bad[i].desc, bad[i].avail, bad[i].used);
        assert_int_equal(drv_r(&f.d, 0x1c, 2), 0);
        assert_int_equal(f.g.mistakes, 1);
        drv_status(&f.d, 0xf);
        assert_true(drv_broken(&f.d));
        drv_ring(&f.d);
        assert_int_equal(f.e->notifies, 0);
        drv_start(&f.d, 0, 64); /* a reset mends it */
        roundtrip(&f, 0);
        teardown(&f);
    }
}

/* Every pair of states: what the guest may write next, and what it gets. */
static void v23_legal_transitions_only(void **state)
{
    static const uint8_t legal[] = { 0, 1, 3, 0xb, 0xf };

    (void)state;
    for (unsigned i = 0; i < array_len(legal); i++) {
        for (unsigned v = 0; v < 256; v++) {
            struct fixture f;
            uint8_t got, want = legal[i];
            static const uint8_t order[] = { 1, 2, 8, 4 };

            setup(&f);
            drv_features(&f.d, VIRTIO_F_VERSION_1);
            if (legal[i])
                drv_status(&f.d, legal[i]);
            drv_status(&f.d, (uint8_t)v);
            got = (uint8_t)drv_r(&f.d, 0x14, 1);
            if (!v) {
                want = 0;
            } else if (!(legal[i] & ~v)) {
                want |= v & 0x80;
                for (unsigned k = 0; k < 4 && (v & order[k]) && (!(v & 0x80) || (want & order[k]));
                     k++)
                    want |= order[k];
            }
            assert_int_equal(got, want);
            assert_int_equal(f.e->starts, legal[i] == 0xf || (want & 0xf) == 0xf);
            teardown(&f);
        }
    }
}

static void v23_features_must_be_offered(void **state)
{
    static const uint64_t wrong[] = {
        0,                              /* no VERSION_1: a legacy driver */
        8, VIRTIO_F_VERSION_1 | 1,      /* not offered by the device */
        VIRTIO_F_VERSION_1 | 1ull << 34 /* packed rings */
    };

    (void)state;
    for (unsigned i = 0; i < array_len(wrong); i++) {
        struct fixture f;

        setup(&f);
        drv_status(&f.d, 3);
        drv_features(&f.d, wrong[i]);
        drv_status(&f.d, 0xb);
        assert_int_equal(drv_r(&f.d, 0x14, 1), 3);
        drv_status(&f.d, 7);
        assert_int_equal(drv_r(&f.d, 0x14, 1), 3);
        assert_int_equal(f.e->starts, 0);
        teardown(&f);
    }
}

static void v23_reset_forgets(void **state)
{
    struct fixture f;
    struct ring old;
    struct buf b = { 0x20000, 64, D_WRITE };

    (void)state;
    setup(&f);
    drv_start(&f.d, 8, 16);
    roundtrip(&f, 0);
    old = f.d.ring[0];
    ring_add(&old, &b, 1);
    guest_w(&f.g, f.d.bar + VIRTIO_BELL, 2, 0); /* rung, not yet served */
    drv_status(&f.d, 0);
    assert_int_equal(drv_r(&f.d, 0x14, 1), 0); /* synchronous */
    assert_int_equal(f.g.bell[0].addr, 0);
    guest_settle(&f.g);
    assert_false(ring_reap(&old, NULL, NULL)); /* late work is dropped */
    assert_int_equal(f.g.msi[0x41], 1);
    assert_int_equal(f.e->dev.features, 0);
    assert_int_equal(drv_r(&f.d, 0x0c, 4), 0);
    assert_int_equal(drv_r(&f.d, 0x10, 2), 0xffff);
    drv_w(&f.d, 0x16, 2, 1);
    assert_int_equal(drv_r(&f.d, 0x18, 2), 64);
    assert_int_equal(drv_r(&f.d, 0x1a, 2), 0xffff);
    assert_int_equal(drv_r(&f.d, 0x1c, 2), 0);
    assert_int_equal(drv_r(&f.d, 0x20, 4), 0);
    drv_start(&f.d, 0, 16);
    roundtrip(&f, 2);
    teardown(&f);
}

static void v23_bad_guest_needs_reset(void **state)
{
    struct fixture f;
    unsigned notifies;

    (void)state;
    setup(&f);
    drv_start(&f.d, 0, 16);
    f.e->bad = true;
    drv_ring(&f.d);
    assert_true(drv_broken(&f.d));
    assert_int_equal(f.g.msi[0x40], 1); /* told by a configuration interrupt */
    assert_int_equal(f.g.mistakes, 1);
    notifies = f.e->notifies;
    drv_ring(&f.d);
    assert_int_equal(f.e->notifies, notifies);
    drv_status(&f.d, 0x4f);
    assert_int_equal(drv_r(&f.d, 0x14, 1), 0x4f);
    f.e->bad = false;
    drv_start(&f.d, 0, 16);
    roundtrip(&f, 0);
    teardown(&f);
}

static void turns_are_shared(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    drv_start(&f.d, 0, 16);
    f.e->busy = true;
    f.e->notifies = 0;
    guest_w(&f.g, f.d.bar + VIRTIO_BELL, 2, 0);
    assert_int_equal(loop_once(&f.g.loop, 0, NULL), 0);
    assert_int_equal(f.e->notifies, 1); /* then the loop may serve others … */
    guest_settle(&f.g);
    assert_int_equal(f.e->notifies, 10); /* … and comes back without a doorbell */
    teardown(&f);
}

static void config_space(bool trap_all)
{
    struct fixture f;
    uint32_t generation;

    plug(&f, trap_all);
    drv_start(&f.d, 0, 16);
    assert_int_equal(guest_r(&f.g, f.d.bar + 4, 4), 0x11223344);
    guest_w(&f.g, f.d.bar, 4, 0xabcd);
    assert_int_equal(guest_r(&f.g, f.d.bar, 4), 0xabcd);
    guest_w(&f.g, f.d.bar + 4, 4, 1);
    guest_w(&f.g, f.d.bar + 6, 4, 1); /* across the end */
    guest_w(&f.g, f.d.bar + 8, 4, 1);
    assert_int_equal(guest_r(&f.g, f.d.bar + 4, 4), 0x11223344);
    assert_int_equal(guest_r(&f.g, f.d.bar + 8, 4), 0);
    generation = drv_r(&f.d, 0x15, 1);
    virtio_dev_lock(&f.e->dev);
    f.e->scratch = 77;
    f.e->dev.config_changed(&f.e->dev);
    virtio_dev_unlock(&f.e->dev);
    assert_int_equal(guest_r(&f.g, f.d.bar, 4), 77);
    assert_int_not_equal(drv_r(&f.d, 0x15, 1), generation);
    assert_int_equal(f.g.msi[0x40], 1);
    teardown(&f);
}

static void config_space_with_pages(void **state)
{
    (void)state;
    config_space(false);
}

static void config_space_trapped(void **state)
{
    (void)state;
    config_space(true);
}

static void isr_is_cleared_by_reading(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    drv_start(&f.d, 0, 16);
    roundtrip(&f, 0);
    assert_int_equal(guest_r(&f.g, f.d.bar + VIRTIO_ISR, 1), 1);
    assert_int_equal(guest_r(&f.g, f.d.bar + VIRTIO_ISR, 1), 0);
    virtio_dev_lock(&f.e->dev);
    f.e->dev.config_changed(&f.e->dev);
    virtio_dev_unlock(&f.e->dev);
    assert_int_equal(guest_r(&f.g, f.d.bar + VIRTIO_ISR, 1), 2);
    teardown(&f);
}

/* A vector that fires while masked is pending, and is sent when it is unmasked. */
static void masked_vectors_wait(bool trap_all, bool by_function)
{
    struct fixture f;
    uint64_t entry;
    unsigned cap;

    plug(&f, trap_all);
    drv_start(&f.d, 0, 16);
    entry = f.d.bar + VIRTIO_TABLE + 16;
    cap = drv_find_cap(&f.d, 0x11);
    if (by_function)
        guest_w(&f.g, cfg(1, cap + 2), 2, 0xc000);
    else
        guest_w(&f.g, entry + 12, 4, 1);
    roundtrip(&f, 0);
    roundtrip(&f, 0);
    assert_int_equal(f.g.msi[0x41], 0);
    assert_int_equal(guest_r(&f.g, f.d.bar + 0x1800, 4), 2); /* pending bit 1 */
    guest_w(&f.g, entry + 8, 4, 0x55);                       /* the message changes meanwhile */
    if (by_function)
        guest_w(&f.g, cfg(1, cap + 2), 2, 0x8000);
    else
        guest_w(&f.g, entry + 12, 4, 0);
    assert_int_equal(f.g.msi[0x55], 1); /* once */
    assert_int_equal(guest_r(&f.g, f.d.bar + 0x1800, 4), 0);
    roundtrip(&f, 0);
    assert_int_equal(f.g.msi[0x55], 2);
    if (!trap_all)
        assert_non_null(f.g.window[3].at); /* the table is plain memory again */
    teardown(&f);
}

static void masked_vectors(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        masked_vectors_wait(i & 1, i & 2);
}

/* What is pending while MSI-X goes off and on again is still seen when its vector is unmasked. */
static void masked_vector_outlasts_msix_off(void **state)
{
    (void)state;
    for (unsigned trap = 0; trap < 2; trap++) {
        struct fixture f;
        unsigned cap;

        plug(&f, trap);
        drv_start(&f.d, 0, 16);
        cap = drv_find_cap(&f.d, 0x11);
        guest_w(&f.g, f.d.bar + VIRTIO_TABLE + 16 + 12, 4, 1);
        roundtrip(&f, 0);
        guest_w(&f.g, cfg(1, cap + 2), 2, 0);
        guest_w(&f.g, cfg(1, cap + 2), 2, 0x8000);
        assert_int_equal(f.g.msi[0x41], 0);
        guest_w(&f.g, f.d.bar + VIRTIO_TABLE + 16 + 12, 4, 0);
        assert_int_equal(f.g.msi[0x41], 1);
        teardown(&f);
    }
}

static void no_interrupts_when_off(void **state)
{
    struct fixture f;
    unsigned cap;

    (void)state;
    setup(&f);
    drv_start(&f.d, 0, 16);
    cap = drv_find_cap(&f.d, 0x11);
    guest_w(&f.g, cfg(1, cap + 2), 2, 0);
    roundtrip(&f, 0);
    assert_int_equal(f.g.msis, 0);
    guest_w(&f.g, cfg(1, cap + 2), 2, 0x8000);
    drv_w(&f.d, 0x16, 2, 0);
    drv_w(&f.d, 0x1a, 2, 0xffff);
    roundtrip(&f, 0);
    assert_int_equal(f.g.msis, 0);
    /* A message to anything but a local APIC is refused. */
    guest_w(&f.g, f.d.bar + VIRTIO_TABLE + 16, 4, 0x1000);
    roundtrip(&f, 1);
    assert_int_equal(f.g.msis, 0);
    assert_int_equal(f.g.mistakes, 1);
    teardown(&f);
}

static void bus_master_off_means_no_dma(void **state)
{
    struct fixture f;
    struct buf b = { 0x20000, 64, D_WRITE };

    (void)state;
    setup(&f);
    drv_start(&f.d, 0, 16);
    guest_w(&f.g, cfg(1, 4), 2, 2);
    ring_add(&f.d.ring[0], &b, 1);
    drv_ring(&f.d);
    assert_false(ring_reap(&f.d.ring[0], NULL, NULL));
    guest_w(&f.g, cfg(1, 4), 2, 6);
    guest_settle(&f.g);
    assert_true(ring_reap(&f.d.ring[0], NULL, NULL)); /* nothing was lost */
    assert_int_equal(f.g.msi[0x41], 1);
    teardown(&f);
}

static void bar_moves_with_its_pages_and_doorbell(void **state)
{
    struct fixture f;
    uint64_t home;

    (void)state;
    setup(&f);
    drv_start(&f.d, 0, 16);
    home = f.d.bar;
    guest_w(&f.g, cfg(1, 0x10), 4, MMIO + 0x80000);
    f.d.bar = MMIO + 0x80000;
    roundtrip(&f, 0);
    assert_int_equal(guest_r(&f.g, home, 4), 0xffffffff);
    assert_int_equal(f.g.bell[0].addr, f.d.bar + VIRTIO_BELL);
    guest_w(&f.g, cfg(1, 0x10), 4, 0x1000); /* over RAM: nowhere */
    assert_int_equal(guest_r(&f.g, f.d.bar, 4), 0xffffffff);
    assert_int_equal(f.g.bell[0].addr, 0);
    guest_w(&f.g, cfg(1, 0x10), 4, (uint32_t)home);
    f.d.bar = home;
    roundtrip(&f, 0);
    guest_w(&f.g, cfg(1, 4), 2, 4); /* no longer decodes */
    assert_int_equal(guest_r(&f.g, f.d.bar, 4), 0xffffffff);
    teardown(&f);
}

/* A01: every width at every offset of the BAR, with and without pages. */
static void a01_any_access(void **state)
{
    (void)state;
    for (unsigned trap = 0; trap < 2; trap++) {
        struct fixture f;

        plug(&f, trap);
        for (unsigned round = 0; round < 2; round++) {
            for (uint64_t off = 0; off < 0x4000; off++)
                for (unsigned len = 1; len <= 8; len++) {
                    uint8_t junk[9];

                    memset(junk, (int)(off + round), sizeof(junk));
                    bus_write(&f.g.mmio, f.d.bar + off, junk, len);
                    junk[len] = 0xa5;
                    bus_read(&f.g.mmio, f.d.bar + off, junk, len);
                    assert_int_equal(junk[len], 0xa5);
                }
            guest_settle(&f.g);
            drv_vectors(&f.d);
            drv_start(&f.d, 0, 16);
        }
        roundtrip(&f, 0);
        teardown(&f);
    }
}

static unsigned open_files(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* V24: resets while the I/O thread serves; descriptors and memory stay what they were. */
static volatile bool v24_stop;

static void *v24_io(void *arg)
{
    struct fixture *f = arg;

    while (!__atomic_load_n(&v24_stop, __ATOMIC_ACQUIRE))
        if (loop_once(&f->g.loop, 1, NULL))
            return arg;
    return NULL;
}

static void v24_resets_under_io(void **state)
{
    struct fixture f;
    pthread_t io;
    unsigned files;
    void *failed;

    (void)state;
    setup(&f);
    files = open_files();
    v24_stop = false;
    pthread_create(&io, NULL, v24_io, &f);
    for (unsigned i = 0; i < 10000; i++) {
        struct buf b = { 0x100000, 64, D_WRITE };

        f.g.next = 0x1000;
        drv_status(&f.d, 0);
        drv_status(&f.d, 3);
        drv_features(&f.d, VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX);
        drv_status(&f.d, 0xb);
        ring_init(&f.g, &f.d.ring[0], 16);
        drv_set_queue(&f.d, 0, 16, f.d.ring[0].desc, f.d.ring[0].avail, f.d.ring[0].used);
        drv_status(&f.d, 0xf);
        for (unsigned k = 0; k < 4; k++) {
            ring_add(&f.d.ring[0], &b, 1);
            guest_w(&f.g, f.d.bar + VIRTIO_BELL, 2, 0);
        }
        if (i % 2)
            continue; /* reset with work in the ring */
        while (!ring_reap(&f.d.ring[0], NULL, NULL))
            sched_yield();
    }
    __atomic_store_n(&v24_stop, true, __ATOMIC_RELEASE);
    pthread_join(io, &failed);
    assert_null(failed);
    assert_int_equal(open_files(), files);
    assert_int_equal(f.g.mistakes, 0);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_and_capabilities),
        cmocka_unit_test(works_with_pages),
        cmocka_unit_test(works_trapped),
        cmocka_unit_test(notify_exits_only_without_doorbell),
        cmocka_unit_test(exits_to_start),
        cmocka_unit_test(v19_notify_of_queues_that_are_none),
        cmocka_unit_test(v21_frozen_after_driver_ok),
        cmocka_unit_test(v21_frozen_after_enable),
        cmocka_unit_test(queue_state_with_pages),
        cmocka_unit_test(queue_state_trapped),
        cmocka_unit_test(v22_malformed_queues),
        cmocka_unit_test(v23_legal_transitions_only),
        cmocka_unit_test(v23_features_must_be_offered),
        cmocka_unit_test(v23_reset_forgets),
        cmocka_unit_test(v23_bad_guest_needs_reset),
        cmocka_unit_test(turns_are_shared),
        cmocka_unit_test(config_space_with_pages),
        cmocka_unit_test(config_space_trapped),
        cmocka_unit_test(isr_is_cleared_by_reading),
        cmocka_unit_test(masked_vectors),
        cmocka_unit_test(masked_vector_outlasts_msix_off),
        cmocka_unit_test(no_interrupts_when_off),
        cmocka_unit_test(bus_master_off_means_no_dma),
        cmocka_unit_test(bar_moves_with_its_pages_and_doorbell),
        cmocka_unit_test(a01_any_access),
        cmocka_unit_test(v24_resets_under_io),
    };

    return cmocka_run_group_tests_name("virtio_pci", tests, NULL, NULL);
}
