/* test_bus.c - finding devices by address: whole accesses only, and never two devices at one. */
#include "vmm/device.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct probe {
    struct device dev;
    uint64_t len; /* what it was added with: nothing outside may arrive */
    uint64_t off;
    unsigned width, reads, writes, bad;
};

static void seen(struct probe *p, uint64_t off, unsigned len)
{
    if (off >= p->len || len > p->len - off)
        p->bad++;
    p->off = off;
    p->width = len;
}

static void probe_read(struct device *d, uint64_t off, void *dst, unsigned len)
{
    struct probe *p = container_of(d, struct probe, dev);

    seen(p, off, len);
    p->reads++;
    memset(dst, 0x5a, len);
}

static void probe_write(struct device *d, uint64_t off, const void *src, unsigned len)
{
    struct probe *p = container_of(d, struct probe, dev);

    (void)src;
    seen(p, off, len);
    p->writes++;
}

static const struct device_ops ops = { "probe", probe_read, probe_write };

static struct probe probe(uint64_t len)
{
    return (struct probe){ .dev.ops = &ops, .len = len };
}

static void add(struct bus *b, uint64_t base, struct probe *p)
{
    assert_int_equal(bus_add(b, base, p->len, &p->dev), 0);
}

static void a01_every_width_around_every_edge(void **state)
{
    struct bus b = { 0 };
    struct probe p[] = { probe(8), probe(1), probe(4096), probe(16) };
    static const uint64_t base[] = { 0x3f8, 0x505, 0xe0000000, UINT64_MAX - 15 };
    static const unsigned widths[] = { 1, 2, 3, 4, 5, 6, 7, 8 };

    (void)state;
    for (int i = 3; i >= 0; i--)
        add(&b, base[i], &p[i]);
    for (int i = 0; i < 4; i++) {
        for (int w = 0; w < 8; w++) {
            for (uint64_t a = base[i] - 8; a != base[i] + p[i].len + 8; a++) {
                uint64_t off = a - base[i], v = 0;
                int inside = off < p[i].len && widths[w] <= p[i].len - off;
                unsigned before = p[i].reads;
                uint64_t strays = b.strays;

                bus_read(&b, a, &v, widths[w]);
                assert_int_equal(p[i].reads - before, inside);
                assert_int_equal(b.strays - strays, !inside);
                assert_true(v ==
                            (inside ? 0x5a5a5a5a5a5a5a5a : UINT64_MAX) >> (64 - 8 * widths[w]));
                bus_write(&b, a, &v, widths[w]);
                if (inside) {
                    assert_true(p[i].off == off);
                    assert_int_equal(p[i].width, widths[w]);
                }
            }
        }
        assert_int_equal(p[i].bad, 0);
        assert_int_equal(p[i].writes, p[i].reads);
    }
}

static void overlaps_are_refused(void **state)
{
    struct bus b = { 0 };
    struct probe p = probe(16);

    (void)state;
    add(&b, 0x1000, &p);
    for (uint64_t base = 0xff1; base <= 0x100f; base++)
        assert_int_equal(bus_add(&b, base, 16, &p.dev), -EEXIST);
    assert_int_equal(bus_add(&b, 0, 0x2000, &p.dev), -EEXIST);
    assert_int_equal(bus_add(&b, 0x1008, 1, &p.dev), -EEXIST);
    assert_int_equal(bus_add(&b, 0, 0, &p.dev), -EINVAL);
    assert_int_equal(bus_add(&b, UINT64_MAX, 2, &p.dev), -EINVAL);
    assert_int_equal(b.n, 1);
    add(&b, 0xff0, &p);
    add(&b, 0x1010, &p);
    assert_int_equal(b.n, 3);
    for (unsigned i = 1; i < b.n; i++)
        assert_true(b.slot[i - 1].base < b.slot[i].base);
}

static void full_is_full_and_removal_makes_room(void **state)
{
    struct bus b = { 0 };
    struct probe p = probe(1);
    struct probe other = probe(1);
    uint8_t v;

    (void)state;
    for (unsigned i = 0; i < BUS_SLOTS; i++)
        add(&b, i * 7ull % BUS_SLOTS * 16, &p); /* 7 and 48 have no common factor: all differ */
    assert_int_equal(bus_add(&b, 8, 1, &p.dev), -ENOSPC);
    bus_remove(&b, &other.dev, 16); /* not at this address */
    bus_remove(&b, &p.dev, 17);     /* no range begins here */
    assert_int_equal(b.n, BUS_SLOTS);
    bus_remove(&b, &p.dev, 16);
    assert_int_equal(b.n, BUS_SLOTS - 1);
    bus_read(&b, 16, &v, 1);
    assert_int_equal(v, 0xff);
    bus_read(&b, 32, &v, 1);
    assert_int_equal(v, 0x5a);
    bus_remove(&b, &p.dev, 16);
    assert_int_equal(b.n, BUS_SLOTS - 1);
    add(&b, 16, &p);
}

struct mover {
    struct bus *b;
    struct probe *p;
};

static void *move(void *arg)
{
    struct mover *m = arg;

    for (int i = 0; i < 20000; i++) {
        bus_remove(m->b, &m->p->dev, 0x2000);
        assert_int_equal(bus_add(m->b, 0x1000, 16, &m->p->dev), 0);
        bus_remove(m->b, &m->p->dev, 0x1000);
        assert_int_equal(bus_add(m->b, 0x2000, 16, &m->p->dev), 0);
    }
    return NULL;
}

/* A BAR moves while another CPU looks it up: old place, new place or nowhere, never half. */
static void a_range_moves_under_lookups(void **state)
{
    struct bus b = { 0 };
    struct probe p = probe(16), still = probe(16);
    struct mover m = { &b, &p };
    pthread_t t;
    unsigned found = 0;

    (void)state;
    add(&b, 0x2000, &p);
    add(&b, 0x1800, &still);
    assert_int_equal(pthread_create(&t, NULL, move, &m), 0);
    for (int i = 0; i < 20000; i++) {
        uint32_t v = 0;

        bus_read(&b, 0x1808, &v, 4);
        found += v == 0x5a5a5a5a;
        bus_read(&b, i & 1 ? 0x1000 : 0x2000, &v, 4);
        assert_true(v == 0x5a5a5a5a || v == UINT32_MAX);
    }
    pthread_join(t, NULL);
    assert_int_equal(found, 20000);
    assert_int_equal(p.bad + still.bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a01_every_width_around_every_edge),
        cmocka_unit_test(overlaps_are_refused),
        cmocka_unit_test(full_is_full_and_removal_makes_room),
        cmocka_unit_test(a_range_moves_under_lookups),
    };

    return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}
