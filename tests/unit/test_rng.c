/* test_rng.c - entropy: how much, how fast. */
#include "tests/unit/guest.h"

#include "vmm/virtio/limit.h"
#include "vmm/virtio/rng.h"

#include <stdio.h>

struct fixture {
    struct guest g;
    struct driver d;
};

static void setup(struct fixture *f, uint64_t rate)
{
    guest_init(&f->g, false);
    guest_plug(&f->g, &f->d, rng_new(&f->g.host, rate, NULL));
    drv_start(&f->d, VIRTIO_F_EVENT_IDX, 8);
}

/* Bytes of [at, at + len) that are not zero: of random ones, nearly all. */
static unsigned filled(struct fixture *f, uint64_t at, uint32_t len)
{
    const uint8_t *p = guest_at(&f->g, at, len);
    unsigned n = 0;

    for (uint32_t i = 0; i < len; i++)
        n += p[i] != 0;
    return n;
}

static void fills_buffers(void **state)
{
    struct fixture f;
    struct buf b[3] = { { 0x10000, 100, D_WRITE },
                        { 0x20000, 0, D_WRITE },
                        { 0x30000, 28, D_WRITE } };
    uint32_t len;

    (void)state;
    setup(&f, 0);
    for (unsigned i = 0; i < 2; i++) {
        ring_add(&f.d.ring[0], b, 3);
        drv_ring(&f.d);
        assert_true(ring_reap(&f.d.ring[0], NULL, &len));
        assert_int_equal(len, 128);
        assert_in_range(filled(&f, 0x10000, 100), 80, 100);
        assert_in_range(filled(&f, 0x30000, 28), 18, 28);
        assert_int_equal(filled(&f, 0x10000 + 100, 64) + filled(&f, 0x30000 + 28, 64), 0);
    }
    guest_fini(&f.g);
}

static void g01_capped(void **state)
{
    struct fixture f;
    struct buf b[2] = { { 0x10000, 60000, D_WRITE }, { 0x100000, 2 << 20, D_WRITE } };
    uint32_t len;

    (void)state;
    setup(&f, 0);
    ring_add(&f.d.ring[0], b, 2);
    drv_ring(&f.d);
    assert_true(ring_reap(&f.d.ring[0], NULL, &len));
    assert_int_equal(len, RNG_REQUEST_MAX);
    assert_int_equal(filled(&f, 0x100000 + 5536, 100000), 0);
    guest_fini(&f.g);
}

static void odd_requests(void **state)
{
    struct fixture f;
    struct buf b = { 0x10000, 16, 0 };
    uint32_t len;

    (void)state;
    setup(&f, 0);
    ring_add(&f.d.ring[0], &b, 1); /* nothing to write into: nothing is written */
    drv_ring(&f.d);
    assert_true(ring_reap(&f.d.ring[0], NULL, &len));
    assert_int_equal(len, 0);
    assert_int_equal(filled(&f, 0x10000, 16), 0);
    ring_post(&f.d.ring[0], 77);
    drv_ring(&f.d);
    assert_true(drv_broken(&f.d));
    guest_fini(&f.g);
}

static uint64_t mib = 1 << 20, none;

/* A quarter of a second's worth of a MiB a second, which is also the limit where none is given. */
static void g01_rate_limited(void **state)
{
    struct fixture f;
    struct buf b = { 0x10000, 32768, D_WRITE };
    uint64_t start = limit_now();

    setup(&f, *(const uint64_t *)*state);
    for (unsigned i = 0; i < 8; i++)
        ring_add(&f.d.ring[0], &b, 1);
    drv_ring(&f.d);
    assert_in_range(ring_word(&f.d.ring[0], f.d.ring[0].used + 2), 3, 5);
    while (ring_word(&f.d.ring[0], f.d.ring[0].used + 2) != 8)
        assert_int_equal(loop_once(&f.g.loop, 1000, NULL), 0);
    assert_in_range(limit_now() - start, 110000000, 5000000000);
    guest_fini(&f.g);
}

/* ---- the bucket itself, with a clock of its own ---- */

#define S 1000000000ull

static void limit_steady_rate(void **state)
{
    struct limit l;
    uint64_t now = 5 * S, sent = 0;

    (void)state;
    limit_init(&l, 1000, now);
    while (now < 15 * S) {
        uint64_t wait = limit_wait(&l, now);

        if (wait) {
            assert_true(wait <= S);
            now += wait;
            continue;
        }
        limit_charge(&l, 70);
        sent += 70;
    }
    assert_in_range(sent, 10000, 10000 + 100 + 140); /* ten seconds, the burst, the last debt */
}

static void limit_burst_after_idling(void **state)
{
    struct limit l;
    unsigned n = 0;

    (void)state;
    limit_init(&l, 1000, 0);
    while (!limit_wait(&l, 1000 * S) && n < 1000) {
        limit_charge(&l, 1);
        n++;
    }
    assert_in_range(n, 100, 101); /* a tenth of a second's worth, however long it idled */
}

static void limit_extremes(void **state)
{
    struct limit l;

    (void)state;
    limit_init(&l, 0, 0);
    limit_charge(&l, UINT64_MAX);
    assert_int_equal(limit_wait(&l, 0), 0);
    limit_init(&l, 1, 0);
    for (unsigned i = 0; i < 10; i++)
        limit_charge(&l, UINT64_MAX);
    assert_int_equal(limit_wait(&l, 0), S);
    assert_int_equal(limit_wait(&l, 1000000 * S), S); /* in debt for longer than anyone lives */
    limit_init(&l, UINT64_MAX, 100);
    limit_charge(&l, UINT64_MAX);
    assert_in_range(limit_wait(&l, 100), S - S / 10 - 1, S);
    assert_int_equal(limit_wait(&l, 0), limit_wait(&l, 0)); /* a clock that goes back */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_buffers),
        cmocka_unit_test(g01_capped),
        cmocka_unit_test(odd_requests),
        cmocka_unit_test_prestate(g01_rate_limited, &mib),
        cmocka_unit_test_prestate(g01_rate_limited, &none),
        cmocka_unit_test(limit_steady_rate),
        cmocka_unit_test(limit_burst_after_idling),
        cmocka_unit_test(limit_extremes),
    };

    return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
