/* test_pci.c - configuration space: what is there, what can be changed, what is not there. */
#include "tests/unit/guest.h"

#include <stdio.h>

struct toy {
    struct pci_function f;
    uint64_t at[PCI_BARS]; /* where each BAR decodes */
    unsigned writes, configured;
    uint64_t last_off;
    unsigned *freed; /* told when it is freed */
};

static struct toy *toy_of(struct pci_function *f)
{
    return container_of(f, struct toy, f);
}

static void toy_read(struct pci_function *f, unsigned bar, uint64_t off, void *dst, unsigned len)
{
    assert_true(off + len <= f->bar[bar].size);
    memset(dst, (int)(0x10 * (bar + 1)), len);
}

static void toy_write(struct pci_function *f, unsigned bar, uint64_t off, const void *src,
                      unsigned len)
{
    (void)src;
    assert_true(off + len <= f->bar[bar].size);
    toy_of(f)->writes++;
    toy_of(f)->last_off = off;
}

static void toy_decode(struct pci_function *f, unsigned bar, uint64_t gpa, bool on)
{
    struct toy *t = toy_of(f);

    assert_int_equal(t->at[bar], on ? 0 : gpa); /* on, off, on … */
    t->at[bar] = on ? gpa : 0;
}

static void toy_configured(struct pci_function *f, unsigned off, unsigned len)
{
    (void)off;
    (void)len;
    toy_of(f)->configured++;
}

static void toy_free(struct pci_function *f)
{
    for (unsigned i = 0; i < PCI_BARS; i++)
        assert_int_equal(toy_of(f)->at[i], 0);
    ++*toy_of(f)->freed;
    free(toy_of(f));
}

static const struct pci_ops toy_ops = { .name = "toy",
                                        .read = toy_read,
                                        .write = toy_write,
                                        .decode = toy_decode,
                                        .configured = toy_configured,
                                        .free = toy_free };
static const struct pci_id toy_id = { .vendor = 0x1234,
                                      .device = 0x5678,
                                      .subvendor = 0x9abc,
                                      .subdevice = 0xdef0,
                                      .class_code = 0x030201,
                                      .revision = 7 };
static unsigned freed;

static struct toy *add_toy(struct guest *g)
{
    struct toy *t = calloc(1, sizeof(*t));

    t->f.ops = &toy_ops;
    t->freed = &freed;
    assert_int_equal(pci_add(g->root, &t->f, &toy_id, NULL), 0);
    return t;
}

/* The bus with one toy: BARs 0 (16 KiB) and 2 (64 KiB). */
static struct toy *setup(struct guest *g, bool trap_all)
{
    struct toy *t;

    guest_init(g, trap_all);
    t = add_toy(g);
    assert_int_equal(pci_add_bar(&t->f, 0, 0x4000, NULL), 0);
    assert_int_equal(pci_add_bar(&t->f, 2, 0x10000, NULL), 0);
    assert_int_equal(pci_root_start(g->root, NULL), 0);
    return t;
}

static void headers(void **state)
{
    struct guest g;

    (void)state;
    for (unsigned trap = 0; trap < 2; trap++) {
        setup(&g, trap);
        assert_int_equal(guest_r(&g, cfg(0, 0), 4), 0x00081b36);
        assert_int_equal(guest_r(&g, cfg(0, 8), 4), 0x06000000);
        assert_int_equal(guest_r(&g, cfg(0, 0xe), 1), 0x80); /* several functions */
        assert_int_equal(guest_r(&g, cfg(1, 0), 4), 0x56781234);
        assert_int_equal(guest_r(&g, cfg(1, 8), 4), 0x03020107);
        assert_int_equal(guest_r(&g, cfg(1, 0x2c), 4), 0xdef09abc);
        assert_int_equal(guest_r(&g, cfg(1, 4), 4), 0x0404); /* no capability yet */
        assert_int_equal(guest_r(&g, cfg(1, 0x100), 4), 0);  /* nor an extended one */
        assert_int_equal(g.exits == 0, !trap);               /* reads are free */
        guest_fini(&g);
    }
}

static void absent_is_all_ones(void **state)
{
    struct guest g;

    (void)state;
    for (unsigned trap = 0; trap < 2; trap++) {
        setup(&g, trap);
        for (unsigned fn = 2; fn < 256; fn++) {
            assert_int_equal(guest_r(&g, cfg(fn, 0), 4), 0xffffffff);
            assert_int_equal(guest_r(&g, cfg(fn, 0xffe), 2), 0xffff);
            guest_w(&g, cfg(fn, 4), 4, 0); /* and stays so */
            assert_int_equal(guest_r(&g, cfg(fn, 4), 4), 0xffffffff);
        }
        assert_int_equal(guest_r(&g, cfg(256, 0), 4), 0xffffffff); /* there is one bus */
        guest_fini(&g);
    }
}

static void read_only_fields(void **state)
{
    struct guest g;
    uint8_t before[4096], after[4096];

    (void)state;
    setup(&g, false);
    memcpy(before, g.window[0].at + 4096, sizeof(before));
    for (unsigned off = 0; off < 4096; off++)
        if ((off < 4 || off >= 6) && off != 0xc && (off < 0x10 || off >= 0x14) &&
            (off < 0x18 || off >= 0x1c) && off != 0x3c)
            guest_w(&g, cfg(1, off), 1, 0xa5);
    memcpy(after, g.window[0].at + 4096, sizeof(after));
    assert_memory_equal(before, after, sizeof(before));
    guest_w(&g, cfg(1, 4), 4, 0xffffffff);
    assert_int_equal(guest_r(&g, cfg(1, 4), 4), 0x0406); /* memory, master, INTx off */
    guest_w(&g, cfg(1, 0x3c), 2, 0xffff);
    assert_int_equal(guest_r(&g, cfg(1, 0x3c), 2), 0x00ff);
    guest_fini(&g);
}

static void bar_sizing(void **state)
{
    struct guest g;

    (void)state;
    for (unsigned trap = 0; trap < 2; trap++) {
        struct toy *t = setup(&g, trap);

        for (unsigned i = 0; i < 7; i++) {
            static const uint32_t size[] = { 0x4000, 0, 0x10000, 0, 0, 0, 0 };
            uint64_t reg = cfg(1, i < 6 ? 0x10 + 4 * i : 0x30); /* the last is the ROM */
            uint32_t old = guest_r(&g, reg, 4);

            guest_w(&g, reg, 4, 0xffffffff);
            assert_int_equal(guest_r(&g, reg, 4), size[i] ? -size[i] : 0);
            guest_w(&g, reg, 4, old);
            assert_int_equal(guest_r(&g, reg, 4), old);
            if (size[i])
                assert_int_equal(old % size[i], 0);
        }
        assert_int_equal(t->at[0], 0); /* it does not decode yet */
        guest_w(&g, cfg(1, 4), 2, 2);
        assert_int_equal(t->at[0], guest_r(&g, cfg(1, 0x10), 4));
        assert_int_equal(guest_r(&g, t->at[0] + 0x3ffc, 4), 0x10101010);
        assert_int_equal(guest_r(&g, t->at[2] + 0xffff, 1), 0x30);
        guest_w(&g, t->at[2] + 8, 4, 1);
        assert_int_equal(t->writes, 1);
        assert_int_equal(t->last_off, 8);
        guest_fini(&g);
    }
}

/* Of the writes that size a function's BARs, those to registers that are none do not exit. */
static void sizing_is_cheap(void **state)
{
    struct guest g;
    unsigned before;

    (void)state;
    setup(&g, false);
    before = g.exits;
    for (unsigned i = 0; i < 7; i++) {
        uint64_t reg = cfg(1, i < 6 ? 0x10 + 4 * i : 0x30);
        uint32_t old = guest_r(&g, reg, 4);

        guest_w(&g, reg, 4, 0xffffffff);
        guest_w(&g, reg, 4, old);
    }
    assert_int_equal(g.exits - before, 6); /* BARs 0, 1 and 2; the hole begins after the last */
    before = g.exits;
    for (unsigned i = 0; i < 7; i++) {
        guest_w(&g, cfg(0, i < 6 ? 0x10 + 4 * i : 0x30), 4, 0xffffffff);
        assert_int_equal(guest_r(&g, cfg(0, i < 6 ? 0x10 + 4 * i : 0x30), 4), 0);
    }
    assert_int_equal(g.exits - before, 1);
    guest_fini(&g);
}

static void bars_answer_inside_the_window_only(void **state)
{
    static const uint32_t bad[] = {
        0,
        0x1000,
        0xfee00000,
        (uint32_t)ECAM,
        (uint32_t)(MMIO - 0x4000),
        (uint32_t)(MMIO + MMIO_LEN),
        0xffffc000,
    };
    struct guest g;
    struct toy *t;
    uint32_t home;

    (void)state;
    t = setup(&g, false);
    guest_w(&g, cfg(1, 4), 2, 2);
    home = guest_r(&g, cfg(1, 0x10), 4);
    for (unsigned i = 0; i < array_len(bad); i++) {
        guest_w(&g, cfg(1, 0x10), 4, bad[i]);
        assert_int_equal(t->at[0], 0);
        assert_int_equal(guest_r(&g, cfg(1, 0x10), 4), bad[i] & ~0x3fffu);
        guest_w(&g, cfg(1, 0x10), 4, home);
        assert_int_equal(t->at[0], home);
    }
    guest_w(&g, cfg(1, 0x10), 4, (uint32_t)(MMIO + MMIO_LEN - 0x4000));
    assert_int_equal(t->at[0], MMIO + MMIO_LEN - 0x4000);
    guest_w(&g, cfg(1, 0x10), 4, (uint32_t)t->at[2] + 0x4000); /* over another BAR */
    assert_int_equal(t->at[0], 0);
    assert_int_equal(guest_r(&g, t->at[2] + 0x4000, 1), 0x30);
    for (unsigned b = 0; b < 4; b++) /* byte by byte, through all the addresses in between */
        guest_w(&g, cfg(1, 0x10 + b), 1, home >> (8 * b));
    assert_int_equal(t->at[0], home);
    guest_w(&g, cfg(1, 4), 2, 0);
    assert_int_equal(t->at[0] + t->at[2], 0);
    guest_fini(&g);
}

/* A01: any width, any place, any order; writes across a function's or the bus's end. */
static void a01_any_access(void **state)
{
    (void)state;
    for (unsigned trap = 0; trap < 2; trap++) {
        struct guest g;
        uint32_t x = 1;

        setup(&g, trap);
        for (unsigned i = 0; i < 200000; i++) {
            uint64_t junk, off;

            x = x * 1664525 + 1013904223;
            off = (x >> 8) % (3 * 4096);
            junk = 0x0101010101010101ull * (x >> 24);
            bus_write(&g.mmio, ECAM + off, &junk, 1 + x / 8 % 8);
            bus_read(&g.mmio, ECAM + off, &junk, 1 + x / 8 % 8);
        }
        /* What a width reads is what single bytes read, also across a function's end. */
        for (uint64_t off = 4096; off < 2 * 4096 - 8; off++)
            for (unsigned len = 1; len <= 8; len++) {
                uint8_t whole[9], byte;

                memset(whole, 0xa5, sizeof(whole));
                bus_read(&g.mmio, ECAM + off, whole, len);
                assert_int_equal(whole[len], 0xa5);
                for (unsigned i = 0; i < len; i++) {
                    bus_read(&g.mmio, ECAM + off + i, &byte, 1);
                    assert_int_equal(whole[i], byte);
                }
            }
        bus_write(&g.mmio, ECAM + PCI_ECAM_SIZE - 4, "12345678", 8);
        assert_int_equal(guest_r(&g, cfg(1, 0), 4), 0x56781234);
        guest_fini(&g);
    }
}

static void capabilities(void **state)
{
    struct guest g;
    struct toy *t;
    uint8_t body[64] = { 0 }, at, prev = 0x34;
    unsigned n = 0;

    (void)state;
    guest_init(&g, true);
    t = add_toy(&g);
    for (unsigned len = 3; (at = pci_add_cap(&t->f, (uint8_t)(n + 1), body, (uint8_t)len)); n++) {
        assert_int_equal(at % 4, 0);
        assert_int_equal(guest_r(&g, cfg(1, prev), 1), at);
        assert_int_equal(guest_r(&g, cfg(1, at), 1), n + 1);
        assert_int_equal(guest_r(&g, cfg(1, at + 1), 1), 0);
        assert_true(at + len <= 256);
        prev = (uint8_t)(at + 1);
        len = len == 60 ? 8 : 60;
    }
    assert_true(n >= 4);
    assert_int_equal(guest_r(&g, cfg(1, 6), 1) & 0x10, 0x10);
    guest_fini(&g);
}

static void the_bus_fills_up(void **state)
{
    struct guest g;
    struct err e = ERR_INIT;
    struct toy extra = { .f.ops = &toy_ops };
    struct toy *t = NULL;

    (void)state;
    freed = 0;
    guest_init(&g, false);
    for (unsigned i = 1; i < PCI_FUNCTIONS; i++)
        t = add_toy(&g);
    assert_int_equal(pci_add(g.root, &extra.f, &toy_id, &e), -ENOSPC);
    assert_int_equal(pci_add_bar(&t->f, 0, 0x80000, NULL), 0);
    assert_int_equal(pci_add_bar(&t->f, 1, 0x80000, NULL), 0);
    assert_int_equal(pci_add_bar(&t->f, 2, 0x1000, &e), -ENOSPC); /* of the window */
    assert_int_equal(pci_root_start(g.root, NULL), 0);
    assert_int_equal(guest_r(&g, cfg(15, 0), 4), 0x56781234);
    assert_int_equal(guest_r(&g, cfg(16, 0), 4), 0xffffffff);
    guest_fini(&g);
    assert_int_equal(freed, PCI_FUNCTIONS - 1);
}

static void stop_takes_everything_out(void **state)
{
    struct guest g;
    struct toy *t;

    (void)state;
    t = setup(&g, false);
    guest_w(&g, cfg(1, 4), 2, 6);
    assert_int_not_equal(t->at[0], 0);
    pci_root_stop(g.root);
    assert_int_equal(t->at[0], 0);
    assert_null(g.window[0].at);
    guest_fini(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers),          cmocka_unit_test(absent_is_all_ones),
        cmocka_unit_test(read_only_fields), cmocka_unit_test(bar_sizing),
        cmocka_unit_test(sizing_is_cheap),  cmocka_unit_test(bars_answer_inside_the_window_only),
        cmocka_unit_test(a01_any_access),   cmocka_unit_test(capabilities),
        cmocka_unit_test(the_bus_fills_up), cmocka_unit_test(stop_takes_everything_out),
    };

    return cmocka_run_group_tests_name("pci", tests, NULL, NULL);
}
