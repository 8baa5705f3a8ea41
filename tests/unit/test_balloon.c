/* test_balloon.c - memory given back: which pages, and which never. */
#include "tests/unit/guest.h"

#include "vmm/virtio/balloon.h"

#include <stdio.h>

#define REPORTING (1ull << 5)

struct fixture {
    struct guest g;
    struct driver d;
    struct virtio_dev *dev;
};

static void setup_in(struct fixture *f, bool shared, uint64_t features)
{
    guest_init(&f->g, false);
    if (shared)
        guest_share(&f->g);
    f->dev = balloon_new(&f->g.host, NULL);
    guest_plug(&f->g, &f->d, f->dev);
    drv_start(&f->d, features, 16);
}

static void setup(struct fixture *f, uint64_t features)
{
    setup_in(f, false, features);
}

static void mark(struct fixture *f, uint64_t gpa, uint64_t len)
{
    memset(guest_at(&f->g, gpa, len), 0x5a, len);
}

static bool gone(struct fixture *f, uint64_t gpa)
{
    return *(uint8_t *)guest_at(&f->g, gpa, 1) == 0;
}

static void pfns(struct fixture *f, unsigned queue, const uint32_t *pfn, unsigned n)
{
    struct buf b = { guest_put(&f->g, pfn, n * 4ull), n * 4, 0 };

    ring_add(&f->d.ring[queue], &b, 1);
    drv_ring(&f->d);
}

static void inflate_and_deflate_in(bool shared)
{
    static const uint32_t list[] = { 0x100, 0x101, 0x102, 0x180, 0x17f, 0x100000 /* 4 GiB */ };
    struct fixture f;

    setup_in(&f, shared, 0);
    mark(&f, 0xff000, 0x100000);
    mark(&f, GUEST_HIGH, 0x2000);
    pfns(&f, 0, list, array_len(list));
    assert_true(ring_reap(&f.d.ring[0], NULL, NULL));
    assert_false(gone(&f, 0xfffff));
    for (unsigned i = 0; i < 5; i++) {
        assert_true(gone(&f, list[i] * 4096ull));
        assert_true(gone(&f, list[i] * 4096ull + 4095));
    }
    assert_false(gone(&f, 0x103000));
    assert_false(gone(&f, 0x17efff));
    assert_false(gone(&f, 0x181000));
    assert_true(gone(&f, GUEST_HIGH));
    assert_false(gone(&f, GUEST_HIGH + 4096));
    assert_int_equal(balloon_returned_bytes(f.dev), 6 * 4096);
    mark(&f, 0x100000, 0x3000);
    pfns(&f, 1, list, 3); /* deflate touches nothing */
    assert_true(ring_reap(&f.d.ring[1], NULL, NULL));
    assert_false(gone(&f, 0x100000));
    assert_int_equal(balloon_returned_bytes(f.dev), 6 * 4096);
    guest_fini(&f.g);
}

static void inflate_and_deflate(void **state)
{
    (void)state;
    inflate_and_deflate_in(false);
}

static void inflate_and_deflate_what_is_lent(void **state)
{
    (void)state;
    inflate_and_deflate_in(true);
}

static void frames_that_are_not_ram(void **state)
{
    /* The last frame of low RAM, then a run out of it; devices; nothing at all. */
    static const uint32_t list[] = {
        GUEST_RAM / 4096 - 1,
        GUEST_RAM / 4096,
        GUEST_RAM / 4096 + 1,
        0xfffff,
        0x100000,
        (uint32_t)(MMIO >> 12),
        (uint32_t)(ECAM >> 12),
        0xfee00,
        0xffffffff,
        0xfffffffe,
        (uint32_t)((GUEST_HIGH + HIGH_LEN) >> 12),
    };
    struct fixture f;

    (void)state;
    setup(&f, 0);
    mark(&f, GUEST_RAM - 0x2000, 0x2000);
    mark(&f, GUEST_HIGH, HIGH_LEN);
    pfns(&f, 0, list, array_len(list));
    assert_true(ring_reap(&f.d.ring[0], NULL, NULL));
    assert_false(drv_broken(&f.d));
    assert_int_equal(balloon_returned_bytes(f.dev), 2 * 4096);
    assert_true(gone(&f, GUEST_RAM - 1));
    assert_false(gone(&f, GUEST_RAM - 4097));
    assert_true(gone(&f, GUEST_HIGH));
    assert_false(gone(&f, GUEST_HIGH + 4096));
    guest_fini(&f.g);
}

static void lists_of_any_length(void **state)
{
    struct fixture f;
    uint32_t *many = calloc(16385, 4);
    struct buf b = { 0x1000, 7, 0 };

    (void)state;
    setup(&f, 0);
    for (unsigned i = 0; i < 16385; i++)
        many[i] = 0x200 + i % 0x100;
    f.g.next = 0x300000;
    pfns(&f, 0, many, 16384);
    assert_false(drv_broken(&f.d));
    assert_int_equal(balloon_returned_bytes(f.dev), 16384ull * 4096);
    ring_add(&f.d.ring[0], &b, 1); /* a number and three quarters */
    drv_ring(&f.d);
    assert_false(drv_broken(&f.d));
    pfns(&f, 0, many, 16385); /* work without bounds is refused */
    assert_true(drv_broken(&f.d));
    free(many);
    guest_fini(&f.g);
}

/* Eight requests of 16384 scattered frames are not one turn: others wait for this thread. */
static void long_lists_share_the_turn(void **state)
{
    struct fixture f;
    uint32_t *many = calloc(16384, 4);
    struct ring *r;
    struct buf b;

    (void)state;
    setup(&f, 0);
    for (unsigned i = 0; i < 16384; i++)
        many[i] = 0x200 + 2 * (i % 0x40);
    f.g.next = 0x300000;
    b = (struct buf){ guest_put(&f.g, many, 16384 * 4), 16384 * 4, 0 };
    r = &f.d.ring[0];
    for (unsigned i = 0; i < 8; i++)
        ring_add(r, &b, 1);
    guest_w(&f.g, f.d.bar + VIRTIO_BELL, 2, 0);
    assert_int_equal(loop_once(&f.g.loop, 0, NULL), 0);
    assert_int_equal(ring_word(r, r->used + 2), 1);
    guest_settle(&f.g);
    assert_int_equal(ring_word(r, r->used + 2), 8);
    assert_int_equal(balloon_returned_bytes(f.dev), 8 * 16384ull * 4096);
    free(many);
    guest_fini(&f.g);
}

static void reporting_whole_pages_only(void **state)
{
    (void)state;
    for (unsigned q = 2; q < 5; q++) {
        struct fixture f;
        struct buf b[3] = {
            { 0x100000, 0x3000, D_WRITE },
            { 0x110001, 0x2fff, D_WRITE },
            { 0x120800, 0x0800, D_WRITE },
        };

        setup(&f, REPORTING);
        mark(&f, 0xff000, 0x30000);
        ring_add(&f.d.ring[q], b, 3);
        drv_ring(&f.d);
        assert_true(ring_reap(&f.d.ring[q], NULL, NULL));
        assert_false(gone(&f, 0xfffff));
        assert_true(gone(&f, 0x100000));
        assert_true(gone(&f, 0x102fff));
        assert_false(gone(&f, 0x103000));
        assert_false(gone(&f, 0x110001)); /* begins inside a page */
        assert_true(gone(&f, 0x111000));
        assert_true(gone(&f, 0x112fff));
        assert_false(gone(&f, 0x113000));
        assert_false(gone(&f, 0x120800)); /* less than a page */
        guest_fini(&f.g);
    }
}

static void reporting_needs_its_feature(void **state)
{
    struct fixture f;
    struct buf b = { 0x100000, 0x3000, D_WRITE };

    (void)state;
    setup(&f, 0);
    mark(&f, 0x100000, 0x3000);
    ring_add(&f.d.ring[2], &b, 1);
    drv_ring(&f.d);
    assert_false(gone(&f, 0x100000));
    b.flags = 0; /* readable buffers are not reported ones */
    guest_fini(&f.g);
    setup(&f, REPORTING);
    mark(&f, 0x100000, 0x3000);
    ring_add(&f.d.ring[2], &b, 1);
    drv_ring(&f.d);
    assert_false(gone(&f, 0x100000));
    guest_fini(&f.g);
}

static void target_and_actual(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, 0);
    assert_int_equal(guest_r(&f.g, f.d.bar, 4), 0);
    balloon_set_target(f.dev, 1234);
    assert_int_equal(guest_r(&f.g, f.d.bar, 4), 1234);
    assert_int_equal(f.g.msi[0x40], 1);
    guest_w(&f.g, f.d.bar, 4, 99); /* the target is ours */
    guest_w(&f.g, f.d.bar + 4, 2, 99);
    guest_w(&f.g, f.d.bar + 4, 4, 1000);
    assert_int_equal(guest_r(&f.g, f.d.bar, 4), 1234);
    assert_int_equal(guest_r(&f.g, f.d.bar + 4, 4), 1000);
    assert_int_equal(balloon_actual(f.dev), 1000);
    guest_fini(&f.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inflate_and_deflate),
        cmocka_unit_test(inflate_and_deflate_what_is_lent),
        cmocka_unit_test(frames_that_are_not_ram),
        cmocka_unit_test(lists_of_any_length),
        cmocka_unit_test(long_lists_share_the_turn),
        cmocka_unit_test(reporting_whole_pages_only),
        cmocka_unit_test(reporting_needs_its_feature),
        cmocka_unit_test(target_and_actual),
    };

    return cmocka_run_group_tests_name("balloon", tests, NULL, NULL);
}
