/* test_virtq.c - the ring code on its own: rules of the ring, doorbells, interrupts, hostile
 * memory. */
#include "tests/unit/guest.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

struct fixture {
    struct guest g; /* its RAM; the bus is not used */
    struct ring r;
    struct virtq q;
    struct virtq_chain c;
};

static void setup(struct fixture *f, uint16_t size)
{
    guest_init(&f->g, true);
    ring_init(&f->g, &f->r, size);
    f->q = (struct virtq){
        .size = size, .desc = { f->r.desc }, .avail = { f->r.avail }, .used = { f->r.used }
    };
    assert_true(virtq_check(&f->q, &f->g.mem));
    f->q.enabled = true;
}

static void teardown(struct fixture *f)
{
    guest_fini(&f->g);
}

static enum virtq_verdict pop(struct fixture *f)
{
    return virtq_pop(&f->q, &f->g.mem, &f->c);
}

static void idle_queue_is_left_alone(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, 8);
    f.q = (struct virtq){ .size = 8 }; /* everything at address 0 */
    memset(guest_at(&f.g, 0, 256), 0x5a, 256);
    assert_int_equal(pop(&f), VIRTQ_EMPTY);
    virtq_hush(&f.q, &f.g.mem);
    assert_true(virtq_wait(&f.q, &f.g.mem));
    assert_false(virtq_wants_interrupt(&f.q, &f.g.mem));
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(*(uint8_t *)guest_at(&f.g, i, 1), 0x5a);
    teardown(&f);
}

static void chains_in_order_and_around(void **state)
{
    struct fixture f;
    uint32_t id, len;

    (void)state;
    setup(&f, 4);
    f.q.next_avail = f.q.next_used = f.r.idx = f.r.seen = 65530; /* across the wrap of 16 bits */
    ring_set_word(&f.r, f.r.avail + 2, 65530);
    ring_set_word(&f.r, f.r.used + 2, 65530);
    for (unsigned i = 0; i < 100; i++) {
        struct buf b[2] = { { 0x2000 + i, 10, 0 }, { 0x3000, 20 + i, D_WRITE } };
        uint16_t head = ring_add(&f.r, b, 2);

        assert_int_equal(pop(&f), VIRTQ_CHAIN);
        assert_int_equal(f.c.head, head);
        assert_int_equal(f.c.nread, 1);
        assert_int_equal(f.c.nwrite, 1);
        assert_int_equal(f.c.read_len, 10);
        assert_int_equal(f.c.write_len, 20 + i);
        assert_ptr_equal(f.c.iov[0].iov_base, guest_at(&f.g, 0x2000 + i, 1));
        assert_int_equal(pop(&f), VIRTQ_EMPTY);
        assert_int_equal(virtq_push(&f.q, &f.g.mem, f.c.head, i), 0);
        assert_true(ring_reap(&f.r, &id, &len));
        assert_int_equal(id, head);
        assert_int_equal(len, i);
        assert_false(ring_reap(&f.r, &id, &len));
    }
    teardown(&f);
}

static void unpop_gives_the_same_again(void **state)
{
    struct fixture f;
    struct buf b = { 0x2000, 10, 0 };

    (void)state;
    setup(&f, 4);
    for (unsigned i = 0; i < 3; i++)
        ring_add(&f.r, &b, 1);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(pop(&f), VIRTQ_CHAIN);
    virtq_unpop(&f.q, 2);
    assert_int_equal(pop(&f), VIRTQ_CHAIN);
    assert_int_equal(f.c.head, 1);
    assert_int_equal(pop(&f), VIRTQ_CHAIN);
    assert_int_equal(f.c.head, 2);
    assert_int_equal(pop(&f), VIRTQ_EMPTY);
    teardown(&f);
}

static void v01_index_too_far_ahead(void **state)
{
    (void)state;
    for (unsigned ahead = 1; ahead < 65536; ahead += ahead < 20 ? 1 : 997) {
        struct fixture f;

        setup(&f, 8);
        for (unsigned i = 0; i < 8; i++)
            put_desc(&f.g, f.r.desc, i, 0x2000, 1, 0, 0);
        ring_set_word(&f.r, f.r.avail + 2, (uint16_t)ahead);
        assert_int_equal(pop(&f), ahead <= 8 ? VIRTQ_CHAIN : VIRTQ_BAD_GUEST);
        teardown(&f);
    }
}

static void v02_head_out_of_range(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, 8);
    ring_post(&f.r, 8);
    assert_int_equal(pop(&f), VIRTQ_BAD_GUEST);
    assert_int_equal(f.q.next_avail, 0);
    teardown(&f);
    setup(&f, 8);
    ring_post(&f.r, 65535);
    assert_int_equal(pop(&f), VIRTQ_BAD_GUEST);
    teardown(&f);
}

static void v04_cycles_end(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, 256);
    for (unsigned i = 0; i < 256; i++)
        put_desc(&f.g, f.r.desc, i, 0x2000, 1, D_NEXT, (uint16_t)((i + 1) % 256));
    ring_post(&f.r, 0);
    assert_int_equal(pop(&f), VIRTQ_BAD_GUEST);
    put_desc(&f.g, f.r.desc, 255, 0x2000, 1, 0, 0); /* exactly the queue's size is a chain */
    assert_int_equal(pop(&f), VIRTQ_CHAIN);
    assert_int_equal(f.c.nread, 256);
    teardown(&f);
}

static void v05_direct_and_indirect_together(void **state)
{
    struct fixture f;
    uint64_t table;

    (void)state;
    setup(&f, 8);
    f.q.indirect = true;
    table = guest_alloc(&f.g, 8ull * 16);
    for (unsigned i = 0; i < 3; i++)
        put_desc(&f.g, f.r.desc, i, 0x2000, 1, D_NEXT, (uint16_t)(i + 1));
    put_desc(&f.g, f.r.desc, 3, table, 8 * 16, D_INDIRECT | D_WRITE, 0); /* V11, V12 */
    for (unsigned i = 0; i < 8; i++)
        put_desc(&f.g, table, i, 0x2000, 1, i < 5 ? D_NEXT : 0, (uint16_t)(i + 1));
    ring_post(&f.r, 0);
    assert_int_equal(pop(&f), VIRTQ_BAD_GUEST); /* 3 + 6 */
    put_desc(&f.g, table, 4, 0x2000, 1, 0, 0);
    assert_int_equal(pop(&f), VIRTQ_CHAIN); /* 3 + 5 */
    assert_int_equal(f.c.nread, 8);
    assert_int_equal(f.c.nwrite, 0);
    teardown(&f);
}

/* A buffer or a table that begins in one region of RAM and would go on in the hole. */
static void v10_v14_regions(void **state)
{
    static const struct {
        uint64_t at;
        uint32_t len;
        bool ok;
    } t[] = {
        { GUEST_RAM - 64, 64, true },
        { GUEST_RAM - 64, 65, false },
        { GUEST_RAM - 64, 80, false },
        { GUEST_RAM, 16, false },
        { GUEST_HIGH, 64, true },
        { GUEST_HIGH - 16, 64, false },
        { GUEST_HIGH - 16, 16, false },
        { GUEST_HIGH + HIGH_LEN - 64, 64, true },
        { GUEST_HIGH + HIGH_LEN, 16, false },
        { GUEST_HIGH + HIGH_LEN - 64, 80, false },
        { MMIO, 64, false },
        { ECAM, 64, false },
        { 0xfffffffffffffff0, 16, false },
        { 0xfffffffffffffff0, 64, false },
        { 1ull << 63, 64, false },
    };

    (void)state;
    for (unsigned i = 0; i < array_len(t); i++)
        for (unsigned indirect = 0; indirect < 2; indirect++) {
            struct fixture f;
            struct buf b = { t[i].at, t[i].len, indirect ? D_INDIRECT : D_WRITE };

            setup(&f, 8);
            f.q.indirect = true;
            for (uint64_t at = GUEST_RAM - 64; at < GUEST_RAM; at += 16)
                put_desc(&f.g, at, 0, 0x2000, 1, 0, 0);
            for (uint64_t at = GUEST_HIGH; at < GUEST_HIGH + HIGH_LEN; at += 16)
                put_desc(&f.g, at, 0, 0x2000, 1, 0, 0);
            ring_add(&f.r, &b, 1);
            assert_int_equal(pop(&f), t[i].ok && !(indirect && t[i].len % 16) ? VIRTQ_CHAIN
                                                                              : VIRTQ_BAD_GUEST);
            teardown(&f);
        }
}

static void v15_lengths(void **state)
{
    struct fixture f;
    /* A region of 3 GiB that is never touched, to make chains of more than 4 GiB of. */
    const uint64_t huge = 3ull << 30;
    void *at = mmap(NULL, huge, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    (void)state;
    setup(&f, 8);
    if (at != MAP_FAILED) {
        f.g.mem.region[1] = (struct gmem_region){ at, GUEST_HIGH, huge };
        struct buf b[2] = { { GUEST_HIGH, 0x80000000u, 0 }, { GUEST_HIGH, 0x7fffffffu, D_WRITE } };

        ring_add(&f.r, b, 2);
        assert_int_equal(pop(&f), VIRTQ_CHAIN);
        assert_int_equal(f.c.read_len + f.c.write_len, UINT32_MAX);
        b[1].len++;
        ring_add(&f.r, b, 2);
        assert_int_equal(pop(&f), VIRTQ_BAD_GUEST);
        f.g.mem.region[1] = (struct gmem_region){ guest_ram(HIGH_LEN), GUEST_HIGH, HIGH_LEN };
        munmap(at, huge);
    }
    teardown(&f);
}

static void v17_used_ring_over_the_rest(void **state)
{
    struct fixture f;
    struct buf b = { 0x2000, 10, D_WRITE };

    (void)state;
    for (unsigned over = 0; over < 2; over++) {
        setup(&f, 8);
        f.q.used.at = over ? f.r.desc : f.r.avail + 2; /* 4-byte alignment is the transport's */
        for (unsigned i = 0; i < 100; i++) {
            ring_add(&f.r, &b, 1);
            if (pop(&f) == VIRTQ_CHAIN)
                assert_int_equal(virtq_push(&f.q, &f.g.mem, f.c.head, 0xffffffff), 0);
        }
        teardown(&f);
    }
}

static void chain_edges(void **state)
{
    struct fixture f;
    struct buf b[5] = {
        { 0x2000, 3, 0 },       { 0x3000, 0, 0 },       { 0x4000, 5, 0 },
        { 0x5000, 4, D_WRITE }, { 0x6000, 0, D_WRITE },
    };
    uint8_t got[8], *last;

    (void)state;
    setup(&f, 8);
    memcpy(guest_at(&f.g, 0x2000, 3), "abc", 3);
    memcpy(guest_at(&f.g, 0x4000, 5), "defgh", 5);
    ring_add(&f.r, b, 5);
    assert_int_equal(pop(&f), VIRTQ_CHAIN);
    assert_int_equal(virtq_chain_take(&f.c, got, 9), -EBADMSG);
    assert_int_equal(virtq_chain_take(&f.c, got, 4), 0);
    assert_memory_equal(got, "abcd", 4);
    assert_int_equal(f.c.read_len, 4);
    assert_int_equal(virtq_chain_skip(&f.c, 5), -EBADMSG);
    assert_int_equal(virtq_chain_skip(&f.c, 1), 0);
    assert_int_equal(virtq_chain_take(&f.c, got, 3), 0);
    assert_memory_equal(got, "fgh", 3);
    assert_int_equal(virtq_chain_take(&f.c, got, 1), -EBADMSG);
    assert_int_equal(virtq_chain_last_byte(&f.c, &last), 0);
    assert_ptr_equal(last, guest_at(&f.g, 0x5003, 1));
    assert_int_equal(f.c.write_len, 3);
    assert_int_equal(virtq_chain_give(&f.c, "wxyz", 4), -EBADMSG);
    assert_int_equal(virtq_chain_give(&f.c, "wx", 2), 0);
    assert_int_equal(virtq_chain_give(&f.c, "y", 1), 0);
    assert_memory_equal(guest_at(&f.g, 0x5000, 4), "wxy\0", 4);
    assert_int_equal(virtq_chain_last_byte(&f.c, &last), -EBADMSG);
    teardown(&f);
}

static void doorbells_by_flag(void **state)
{
    struct fixture f;
    struct buf b = { 0x2000, 1, 0 };

    (void)state;
    setup(&f, 8);
    virtq_hush(&f.q, &f.g.mem);
    assert_int_equal(ring_word(&f.r, f.r.used), 1);
    assert_true(virtq_wait(&f.q, &f.g.mem));
    assert_int_equal(ring_word(&f.r, f.r.used), 0);
    ring_add(&f.r, &b, 1);
    assert_false(virtq_wait(&f.q, &f.g.mem));
    teardown(&f);
}

static void doorbells_by_event(void **state)
{
    struct fixture f;
    struct buf b = { 0x2000, 1, 0 };
    uint64_t event;

    (void)state;
    setup(&f, 8);
    f.q.event_idx = true;
    event = f.r.used + 4 + 8ull * 8;
    for (uint16_t i = 1; i < 20; i++) {
        ring_add(&f.r, &b, 1);
        assert_false(virtq_wait(&f.q, &f.g.mem));
        assert_int_equal(pop(&f), VIRTQ_CHAIN);
        assert_int_equal(ring_word(&f.r, event), i - 1); /* not moved by serving … */
        assert_true(virtq_wait(&f.q, &f.g.mem));
        assert_int_equal(ring_word(&f.r, event), i); /* … but by waiting */
        assert_int_equal(ring_word(&f.r, f.r.used), 0);
    }
    teardown(&f);
}

static void push(struct fixture *f, unsigned n)
{
    while (n--)
        assert_int_equal(virtq_push(&f->q, &f->g.mem, 0, 0), 0);
}

static void interrupts_by_flag(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, 8);
    assert_false(virtq_wants_interrupt(&f.q, &f.g.mem));
    push(&f, 2);
    assert_true(virtq_wants_interrupt(&f.q, &f.g.mem));
    assert_false(virtq_wants_interrupt(&f.q, &f.g.mem));
    ring_set_word(&f.r, f.r.avail, 1);
    push(&f, 1);
    assert_false(virtq_wants_interrupt(&f.q, &f.g.mem));
    teardown(&f);
}

/* Section 2.7.7.2, all starting points, all steps, all events near them. */
static void interrupts_by_event(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, 8);
    f.q.event_idx = true;
    for (unsigned start = 65500; start < 65600; start++)
        for (unsigned step = 1; step <= 8; step++)
            for (int event = -10; event < 18; event++) {
                f.q.next_used = f.q.signalled = (uint16_t)start;
                ring_set_word(&f.r, f.r.avail + 4 + 16, (uint16_t)((int)start + event));
                push(&f, step);
                assert_int_equal(virtq_wants_interrupt(&f.q, &f.g.mem),
                                 event >= 0 && event < (int)step);
            }
    teardown(&f);
}

/* ---- another CPU ---- */

/*
 * V18: the guest's other CPU rewrites a chain's descriptors, and the table's, while it is walked.
 * A CPU of the guest is hardware to us: the sanitizer must not see it as a thread of ours.
 */
static volatile bool v18_stop;

__attribute__((no_sanitize("thread"), noinline)) static void v18_scribble(volatile uint64_t *words,
                                                                          unsigned n)
{
    static const uint64_t evil[] = {
        0x2000, GUEST_RAM - 1, 0xfffffffffffffff0, MMIO, GUEST_HIGH,
    };
    static const uint64_t tail[] = {
        /* len | flags << 32 | next << 48 */
        64,
        0xffffffff,
        64 | 1ull << 32 | 1ull << 48,
        64 | 3ull << 32 | 2ull << 48,
        64 | 1ull << 32 | 7ull << 48,
        32 | 4ull << 32,
        0xfffffff0 | 4ull << 32,
        64 | 2ull << 32,
        64 | 1ull << 32 | 0xffffull << 48,
    };
    uint64_t x = 88172645463325252ull;

    while (!__atomic_load_n(&v18_stop, __ATOMIC_RELAXED)) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        words[2 * (x % n)] = evil[(x >> 20) % array_len(evil)];
        words[2 * ((x >> 40) % n) + 1] = tail[(x >> 50) % array_len(tail)];
    }
}

static void *v18_cpu(void *arg)
{
    v18_scribble(arg, 8);
    return NULL;
}

static void v18_double_fetch(void **state)
{
    struct fixture f;
    pthread_t cpu;
    unsigned good = 0, bad = 0;

    (void)state;
    setup(&f, 8);
    f.q.indirect = true;
    v18_stop = false;
    pthread_create(&cpu, NULL, v18_cpu, guest_at(&f.g, f.r.desc, 128));
    ring_set_word(&f.r, f.r.avail + 2, 1);
    for (unsigned i = 0; i < 1000000; i++) {
        f.q.next_avail = 0;
        if (pop(&f) != VIRTQ_CHAIN) {
            bad++;
            continue;
        }
        good++;
        uint64_t len[2] = { 0, 0 };

        for (unsigned k = 0; k < f.c.nread + f.c.nwrite; k++) {
            const uint8_t *at = f.c.iov[k].iov_base;
            bool inside = false;

            for (unsigned r = 0; r < 2; r++) {
                const struct gmem_region *m = &f.g.mem.region[r];

                inside |= at >= m->host && at < m->host + m->size &&
                          f.c.iov[k].iov_len <= (size_t)(m->host + m->size - at);
            }
            assert_true(inside);
            len[k >= f.c.nread] += f.c.iov[k].iov_len;
        }
        assert_true(f.c.nread + f.c.nwrite <= 8);
        assert_int_equal(len[0], f.c.read_len);
        assert_int_equal(len[1], f.c.write_len);
    }
    v18_stop = true;
    pthread_join(cpu, NULL);
    print_message("%u chains, %u refused\n", good, bad);
    teardown(&f);
}

/*
 * V20: a driver and a device on two threads, each waking the other only as EVENT_IDX says, with
 * events the driver sets at random within what it has in flight. Whoever is not woken waits for
 * ever; the test's own timeout would say so.
 */
struct v20 {
    struct fixture f;
    unsigned doorbell, interrupt; /* futex-like words, spun on */
    bool stop;
};

#define V20_REQUESTS 1000000u

static void v20_wait(unsigned *word, const bool *stop)
{
    while (!__atomic_exchange_n(word, 0, __ATOMIC_ACQUIRE) &&
           !(stop && __atomic_load_n(stop, __ATOMIC_ACQUIRE)))
        sched_yield();
}

static void *v20_device(void *arg)
{
    struct v20 *t = arg;
    struct fixture *f = &t->f;

    while (!__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE)) {
        v20_wait(&t->doorbell, &t->stop);
        do {
            while (pop(f) == VIRTQ_CHAIN) {
                if (virtq_push(&f->q, &f->g.mem, f->c.head, 0))
                    return arg;
                if (virtq_wants_interrupt(&f->q, &f->g.mem))
                    __atomic_store_n(&t->interrupt, 1, __ATOMIC_RELEASE);
            }
        } while (!virtq_wait(&f->q, &f->g.mem));
    }
    return NULL;
}

static void v20_no_lost_wakeup(void **state)
{
    static struct v20 t;
    struct ring *r = &t.f.r;
    pthread_t device;
    uint32_t x = 2463534242u;
    unsigned in_flight = 0, done = 0, slept = 0;
    void *failed;

    (void)state;
    setup(&t.f, 16);
    t.f.q.event_idx = true;
    t.doorbell = t.interrupt = 0;
    t.stop = false;
    for (unsigned i = 0; i < 16; i++)
        put_desc(&t.f.g, r->desc, i, 0x2000, 1, 0, 0);
    pthread_create(&device, NULL, v20_device, &t);
    while (done < V20_REQUESTS) {
        unsigned n, want;
        uint16_t old = r->idx, event;

        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        for (n = x % (17 - in_flight); n; n--, in_flight++) {
            ring_set_word(r, r->avail + 4 + 2ull * (r->idx % 16), r->idx % 16);
            r->idx++;
        }
        ring_set_word(r, r->avail + 2, r->idx);
        event = ring_word(r, r->used + 4 + 8ull * 16);
        if ((uint16_t)(r->idx - event - 1) < (uint16_t)(r->idx - old))
            __atomic_store_n(&t.doorbell, 1, __ATOMIC_RELEASE);
        if (!in_flight)
            continue;
        want = 1 + (x >> 8) % in_flight; /* sleep until so many are done */
        ring_set_word(r, r->avail + 4 + 2ull * 16, (uint16_t)(r->seen + want - 1));
        while ((uint16_t)(ring_word(r, r->used + 2) - r->seen) < want) {
            v20_wait(&t.interrupt, NULL);
            slept++;
        }
        while (ring_reap(r, NULL, NULL)) {
            in_flight--;
            done++;
        }
    }
    __atomic_store_n(&t.stop, true, __ATOMIC_RELEASE);
    pthread_join(device, &failed);
    assert_null(failed);
    print_message("%u requests, slept %u times\n", done, slept);
    teardown(&t.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_queue_is_left_alone),
        cmocka_unit_test(chains_in_order_and_around),
        cmocka_unit_test(unpop_gives_the_same_again),
        cmocka_unit_test(v01_index_too_far_ahead),
        cmocka_unit_test(v02_head_out_of_range),
        cmocka_unit_test(v04_cycles_end),
        cmocka_unit_test(v05_direct_and_indirect_together),
        cmocka_unit_test(v10_v14_regions),
        cmocka_unit_test(v15_lengths),
        cmocka_unit_test(v17_used_ring_over_the_rest),
        cmocka_unit_test(chain_edges),
        cmocka_unit_test(doorbells_by_flag),
        cmocka_unit_test(doorbells_by_event),
        cmocka_unit_test(interrupts_by_flag),
        cmocka_unit_test(interrupts_by_event),
        cmocka_unit_test(v18_double_fetch),
        cmocka_unit_test(v20_no_lost_wakeup),
    };

    return cmocka_run_group_tests_name("virtq", tests, NULL, NULL);
}
