/*
 * test_virtq_exhaustive.c - virtq_pop against a short specification, over every descriptor graph of
 * a 4-entry queue within small sets of values.
 *
 * Only what a chain runs through can matter, so a descriptor gets its values when a chain first
 * reaches it; all others keep what they had. That makes all graphs a few million.
 */
#include "base/virtq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define N     4u
#define RAM   0x4000u
#define RING  0x0000u
#define AVAIL 0x0100u
#define USED  0x0200u
#define TABLE 0x1000u     /* an indirect table well inside RAM … */
#define EDGE  (RAM - 64u) /* … and one that just fits */
#define BUF   0x2000u

#define NEXT     1u
#define WRITE    2u
#define INDIRECT 4u

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};

static uint8_t ram[RAM] __attribute__((aligned(4096)));
static const struct gmem mem = { .n = 1, .region = { { ram, 0, RAM } } };
static struct virtq queue;
static struct virtq_chain chain;
static uint64_t cases, chains;

/* ---- the specification: virtio 1.2 sections 2.7.4 to 2.7.5.3 ---- */

struct step {
    struct desc d;
    bool in_table;
};

static bool in_ram(uint64_t addr, uint64_t len)
{
    return addr < RAM && len <= RAM && addr + len <= RAM;
}

static bool good_table(const struct desc *d)
{
    return d->len && d->len % 16 == 0 && d->len / 16 <= N && in_ram(d->addr, d->len);
}

/* What the device would run through, laid out without judging: how many steps, -1 when an index
 * points at nothing. A chain that loops fills the path. */
static int lay_out(bool indirect, struct step path[3 * N])
{
    uint64_t base = RING;
    uint32_t count = N, i = 0;
    bool in_table = false;

    for (int n = 0; n < (int)(3 * N); n++) {
        struct desc *d = &path[n].d;

        if (i >= count)
            return -1;
        memcpy(d, ram + base + 16ull * i, 16);
        path[n].in_table = in_table;
        if ((d->flags & INDIRECT) && indirect && !in_table && good_table(d)) {
            base = d->addr;
            count = d->len / 16;
            i = 0;
            in_table = true;
        } else if (d->flags & NEXT) {
            i = d->next;
        } else {
            return n + 1;
        }
    }
    return 3 * N;
}

/* May a device use this path? */
static bool legal(bool indirect, const struct step *path, int n)
{
    unsigned buffers = 0;
    uint64_t total = 0;
    bool writable = false;

    for (int i = 0; i < n; i++) {
        const struct desc *d = &path[i].d;

        if (d->flags & INDIRECT) {
            if (!indirect || path[i].in_table || (d->flags & NEXT) || !good_table(d))
                return false;
            continue; /* its WRITE flag is ignored */
        }
        if (!in_ram(d->addr, d->len) || (writable && !(d->flags & WRITE)))
            return false;
        writable = d->flags & WRITE;
        total += d->len;
        buffers++;
    }
    return n > 0 && buffers <= N && total <= UINT32_MAX;
}

/* ---- both, compared ---- */

static void compare(void)
{
    static struct step path[3 * N];
    int n = lay_out(queue.indirect, path);
    bool ok = legal(queue.indirect, path, n);
    enum virtq_verdict v;

    queue.next_avail = 0;
    v = virtq_pop(&queue, &mem, &chain);
    cases++;
    if ((v == VIRTQ_CHAIN) != ok || v == VIRTQ_EMPTY)
        fail_msg("case %llu: verdict %d, specification says %d", (unsigned long long)cases, v, ok);
    if (queue.next_avail != ok)
        fail_msg("case %llu: next_avail %u", (unsigned long long)cases, queue.next_avail);
    if (!ok)
        return;
    chains++;

    unsigned k = 0, writable = 0;
    uint64_t r = 0, w = 0;

    for (int i = 0; i < n; i++) {
        const struct desc *d = &path[i].d;

        if (d->flags & INDIRECT)
            continue;
        if (chain.iov[k].iov_base != ram + d->addr || chain.iov[k].iov_len != d->len)
            fail_msg("case %llu: buffer %u", (unsigned long long)cases, k);
        writable += !!(d->flags & WRITE);
        *(d->flags & WRITE ? &w : &r) += d->len;
        k++;
    }
    if (chain.nread + chain.nwrite != k || chain.nwrite != writable || chain.read_len != r ||
        chain.write_len != w || chain.head != 0)
        fail_msg("case %llu: sums", (unsigned long long)cases);
}

/* ---- every graph ---- */

struct values {
    const uint64_t *addr;
    unsigned naddr;
    const uint32_t *len;
    unsigned nlen;
    /* What an indirect table may look like; nothing: none is entered. */
    const uint64_t *table_addr;
    unsigned ntable_addr;
    const uint32_t *table_len;
    unsigned ntable_len;
    const struct values *inside; /* the values of its entries */
};

static void grow(const struct values *v, uint64_t base, unsigned count, unsigned i, unsigned seen);

static void put(uint64_t base, unsigned i, const struct desc *d)
{
    memcpy(ram + base + 16ull * i, d, 16);
}

/* Descriptor i has its values: where does the chain go from it? */
/* NOLINTNEXTLINE(misc-no-recursion): depth first, at most eight deep */
static void follow(const struct values *v, uint64_t base, unsigned count, const struct desc *d,
                   unsigned seen)
{
    if ((d->flags & INDIRECT) && v->inside && queue.indirect && !(d->flags & NEXT) && good_table(d))
        grow(v->inside, d->addr, d->len / 16, 0, 0);
    else if (!(d->flags & INDIRECT) && (d->flags & NEXT) && d->next < count &&
             !(seen & (1u << d->next)) && in_ram(d->addr, d->len))
        grow(v, base, count, d->next, seen);
    else if (d->flags & INDIRECT && in_ram(d->addr, 16)) {
        /* Not to be entered; were it, nothing in it would be wrong. */
        put(d->addr, 0, &(struct desc){ .addr = BUF, .len = 1 });
        compare();
    } else {
        compare();
    }
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void grow(const struct values *v, uint64_t base, unsigned count, unsigned i, unsigned seen)
{
    struct desc d;

    seen |= 1u << i;
    for (d.flags = 0; d.flags < 8; d.flags++) {
        bool table = (d.flags & INDIRECT) && v->ntable_addr;
        const uint64_t *addr = table ? v->table_addr : v->addr;
        const uint32_t *len = table ? v->table_len : v->len;

        for (d.next = 0; d.next <= N; d.next++) {
            if (!(d.flags & NEXT) && d.next)
                continue; /* not looked at */
            for (unsigned a = 0; a < (table ? v->ntable_addr : v->naddr); a++)
                for (unsigned l = 0; l < (table ? v->ntable_len : v->nlen); l++) {
                    d.addr = addr[a];
                    d.len = len[l];
                    put(base, i, &d);
                    follow(v, base, count, &d, seen);
                }
        }
    }
}

static void begin(bool indirect)
{
    memset(ram, 0, sizeof(ram));
    ram[AVAIL + 2] = 1; /* one chain, whose head is descriptor 0 */
    queue = (struct virtq){ .size = N,
                            .enabled = true,
                            .indirect = indirect,
                            .desc = { RING },
                            .avail = { AVAIL },
                            .used = { USED } };
    cases = chains = 0;
}

static const uint64_t addrs[] = { BUF, RAM - 1, 0xfffffffffffffff0 };
static const uint32_t lens[] = { 0, 1, 2 };

static void v03_v04_v13_v16_direct(void **state)
{
    static const uint32_t far[] = { 0, 1, 0x2000, 0x2001, 0xffffffff };
    const struct values v = {
        addrs, array_len(addrs), far, array_len(far), NULL, 0, NULL, 0, NULL
    };

    (void)state;
    for (unsigned indirect = 0; indirect < 2; indirect++) {
        begin(indirect);
        grow(&v, RING, N, 0, 0);
        print_message("direct, indirect %snegotiated: %llu cases, %llu of them chains\n",
                      indirect ? "" : "not ", (unsigned long long)cases,
                      (unsigned long long)chains);
        assert_true(cases > 500000 && chains > 1000);
    }
}

static void v05_to_v12_indirect(void **state)
{
    static const uint64_t good[] = { BUF };
    static const uint32_t one[] = { 1 };
    static const uint64_t tables[] = { TABLE, EDGE, EDGE + 16 };
    static const uint32_t table_lens[] = { 0, 15, 16, 17, 32, 64, 80, 0xfffffff0 };
    static const uint64_t inside_addrs[] = { BUF, RAM - 1 };
    static const uint32_t inside_lens[] = { 1 };
    static const uint64_t nested[] = { TABLE + 0x100 };
    static const uint32_t nested_lens[] = { 16 };
    const struct values inside = {
        inside_addrs, 2, inside_lens, 1, nested, 1, nested_lens, 1, NULL
    };
    const struct values v = {
        good, 1, one, 1, tables, array_len(tables), table_lens, array_len(table_lens), &inside
    };

    (void)state;
    begin(true);
    grow(&v, RING, N, 0, 0);
    print_message("with tables: %llu cases, %llu of them chains\n", (unsigned long long)cases,
                  (unsigned long long)chains);
    assert_true(cases > 1000000 && chains > 1000);
}

/* All values at once, on short chains: one descriptor, then one table of one or two entries. */
static void v05_to_v12_indirect_all_values(void **state)
{
    static const uint64_t tables[] = { TABLE, RAM - 32, RAM - 16, RAM - 15 };
    static const uint32_t table_lens[] = { 16, 32 };
    const struct values inside = { addrs, array_len(addrs), lens, array_len(lens), NULL, 0, NULL, 0,
                                   NULL };
    const struct values v = { addrs,  array_len(addrs),  lens,       array_len(lens),
                              tables, array_len(tables), table_lens, array_len(table_lens),
                              &inside };

    (void)state;
    begin(true);
    grow(&v, RING, 1, 0, 0);
    print_message("short chains: %llu cases, %llu of them chains\n", (unsigned long long)cases,
                  (unsigned long long)chains);
    assert_true(cases > 1000 && chains > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v03_v04_v13_v16_direct),
        cmocka_unit_test(v05_to_v12_indirect),
        cmocka_unit_test(v05_to_v12_indirect_all_values),
    };

    return cmocka_run_group_tests_name("virtq_exhaustive", tests, NULL, NULL);
}
