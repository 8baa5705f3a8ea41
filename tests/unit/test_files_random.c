/*
 * test_files_random.c - a guest and its machine that do honest things in any order: files written
 * and read in chains cut anywhere, several at once, rings stopped and started, memory lent anew,
 * drivers that vanish. Whatever is lost, comes twice, has other bytes, or lands in memory that is
 * not its request's, is carrel-files' fault.
 */
#include "tests/unit/files_front.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define IN     ((uint32_t)sizeof(struct fuse_in_header))
#define OUT    ((uint32_t)sizeof(struct fuse_out_header))
#define BODY   65536u /* at most, of a READ or a WRITE */
#define FILE_  (4u * BODY)
#define SLOTS  8u
#define SLOT   (2ull * BODY + 8192) /* of guest memory */
#define ROUNDS 12u
#define STEPS  4000u

struct slot {
    uint64_t in, out;
    uint16_t head;
    bool posted, read;
    uint32_t room, len; /* of the answer */
    uint64_t unique;
    uint8_t expect[BODY]; /* when it is read: requests are served in order */
};

static struct {
    struct front f;
    uint32_t random;
    uint64_t node, fh;
    uint8_t file[FILE_]; /* as it is when all that was posted is served */
    uint32_t size;
    struct slot slot[SLOTS];
    unsigned answers, resets;
} t;

static uint32_t any(uint32_t below)
{
    t.random = t.random * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)t.random * below) >> 32);
}

static uint32_t length(uint32_t most)
{
    return any(4) ? any(64) : any(most + 1);
}

/* At most 3 buffers, some of them empty. */
static unsigned cut(struct front_buf *b, uint64_t at, uint32_t len, uint16_t flags)
{
    unsigned n = 1 + any(3);

    for (unsigned i = 0; i < n; i++) {
        uint32_t part = i + 1 == n ? len : any(len + 1);

        b[i] = (struct front_buf){ at, part, flags };
        at += part;
        len -= part;
    }
    return n;
}

static void post(struct slot *s, uint32_t opcode, const void *args, uint32_t nargs, uint32_t data,
                 uint32_t answer)
{
    const struct fuse_in_header h = { .len = IN + nargs + data,
                                      .opcode = opcode,
                                      .unique = s->unique = ++t.f.unique,
                                      .nodeid = opcode == FUSE_CREATE ? CLIENT_ROOT : t.node };
    struct front_buf b[6];
    unsigned n;

    memcpy(front_at(&t.f, s->in), &h, sizeof(h));
    if (nargs)
        memcpy(front_at(&t.f, s->in + IN), args, nargs);
    s->room = OUT + answer + (any(2) ? any(100) : 0);
    s->len = OUT + answer;
    memset(front_at(&t.f, s->out), 0xee, s->room + 64);
    n = cut(b, s->in, h.len, 0);
    n += cut(b + n, s->out, s->room, D_WRITE);
    t.f.ring[VHOST_REQUESTS].free = (uint16_t)((s - t.slot) * 8); /* descriptors of its own */
    s->head = front_post(&t.f, VHOST_REQUESTS, b, n);
    s->posted = true;
}

static void post_write(struct slot *s)
{
    struct fuse_write_in in = { .fh = t.fh, .size = length(BODY) };

    in.offset = any(FILE_ - in.size + 1);
    for (uint32_t i = 0; i < in.size; i++)
        *(uint8_t *)front_at(&t.f, s->in + IN + sizeof(in) + i) = t.file[in.offset + i] =
            (uint8_t)any(256);
    if (in.size && in.offset + in.size > t.size)
        t.size = (uint32_t)in.offset + in.size;
    s->read = false;
    post(s, FUSE_WRITE, &in, sizeof(in), in.size, sizeof(struct fuse_write_out));
}

static void post_read(struct slot *s)
{
    struct fuse_read_in in = { .fh = t.fh, .size = length(BODY), .offset = any(FILE_) };
    uint32_t there = in.offset < t.size ? t.size - (uint32_t)in.offset : 0;

    if (there > in.size)
        there = in.size;
    memcpy(s->expect, t.file + in.offset, there);
    s->read = true;
    post(s, FUSE_READ, &in, sizeof(in), 0, in.size);
    s->len = OUT + there;
}

static void check(struct slot *s, uint32_t len)
{
    const uint8_t *at = front_at(&t.f, s->out);
    struct fuse_out_header h;

    memcpy(&h, at, sizeof(h));
    assert_int_equal(h.error, 0);
    assert_int_equal(h.unique, s->unique);
    assert_int_equal(h.len, len);
    assert_int_equal(len, s->len);
    if (s->read)
        assert_memory_equal(at + OUT, s->expect, len - OUT);
    for (uint32_t i = len; i < s->room + 64; i++)
        assert_int_equal(at[i], 0xee);
    t.answers++;
}

static void reap(void)
{
    uint32_t id, len;

    while (front_reap(&t.f, VHOST_REQUESTS, &id, &len)) {
        struct slot *s = &t.slot[id / 8];

        assert_in_range(id / 8, 0, SLOTS - 1);
        assert_true(s->posted && id == s->head);
        check(s, len);
        s->posted = false;
    }
}

/* Whatever was posted is served now: a file can be written to by who reads no answer. */
static void drain(void)
{
    front_kick(&t.f);
    assert_int_equal(front_settle(&t.f), 1);
    reap();
    for (unsigned i = 0; i < SLOTS; i++)
        assert_false(t.slot[i].posted);
}

static void begin(void)
{
    const struct fuse_init_in init = { .major = 7, .minor = 38, .flags = ~0u };
    struct {
        struct fuse_create_in in;
        char name[2];
    } create = { .in = { .flags = O_RDWR | O_CREAT, .mode = S_IFREG | 0644 }, .name = "f" };
    struct fuse_entry_out entry;
    struct fuse_open_out open;
    struct slot *s = &t.slot[0];

    s->read = false;
    post(s, FUSE_INIT, &init, sizeof(init), 0, sizeof(struct fuse_init_out));
    drain();
    post(s, FUSE_CREATE, &create, sizeof(create.in) + 2, 0, sizeof(entry) + sizeof(open));
    drain();
    memcpy(&entry, front_at(&t.f, s->out + OUT), sizeof(entry));
    memcpy(&open, front_at(&t.f, s->out + OUT + sizeof(entry)), sizeof(open));
    t.node = entry.nodeid;
    t.fh = open.fh;
}

/* The rings are stopped and a driver that knows nothing begins; or, with keep, the machine paused.
 */
static void restart(bool keep)
{
    uint16_t base[VHOST_RINGS];

    for (unsigned i = 0; i < VHOST_RINGS; i++)
        base[i] = front_stop(&t.f, i);
    if (any(2))
        front_memory(&t.f);
    for (unsigned i = 0; i < VHOST_RINGS; i++) {
        struct front_ring *r = &t.f.ring[i];

        if (!keep) {
            memset(front_at(&t.f, r->avail), 0, 4096);
            memset(front_at(&t.f, r->used), 0, 4096);
            r->next = r->seen = r->free = base[i] = 0;
        }
        front_place(&t.f, i, base[i]);
        front_enable(&t.f, i, 1);
    }
}

static void step(void)
{
    struct slot *s = &t.slot[any(SLOTS)];
    const struct fuse_forget_in one = { .nlookup = 0 };
    struct fuse_in_header h = { .len = IN + sizeof(one), .opcode = FUSE_FORGET, .nodeid = t.node };
    const struct front_buf b = { 0x8000, h.len, 0 };
    uint32_t id, len;

    switch (any(40)) {
    case 0: restart(true); break;
    case 1:
        if (any(8))
            break;
        drain();
        restart(false);
        begin();
        t.resets++;
        break;
    case 2: front_memory(&t.f); break;
    case 3:
        front_enable(&t.f, VHOST_REQUESTS, 0);
        front_kick(&t.f);
        assert_int_equal(front_settle(&t.f), 1);
        front_enable(&t.f, VHOST_REQUESTS, 1);
        break;
    case 4:
        memcpy(front_at(&t.f, b.at), &h, sizeof(h));
        memcpy(front_at(&t.f, b.at + IN), &one, sizeof(one));
        front_post(&t.f, VHOST_HIPRIO, &b, 1);
        while (front_reap(&t.f, VHOST_HIPRIO, &id, &len))
            ;
        front_kick(&t.f);
        break;
    case 5:
    case 6:
    case 7:
    case 8:
        front_kick(&t.f);
        assert_int_equal(front_turn(&t.f), 1);
        reap();
        break;
    default:
        if (s->posted)
            break;
        if (any(2))
            post_write(s);
        else
            post_read(s);
    }
}

static void whatever_the_order(void **state)
{
    unsigned answers = 0, resets = 0;

    (void)state;
    for (uint32_t seed = 0; seed < ROUNDS; seed++) {
        memset(&t, 0, sizeof(t));
        t.random = seed;
        front_init(&t.f, "access: rw, quota: {bytes: 64MiB, inodes: 1000}");
        front_start(&t.f, seed % 2);
        for (unsigned i = 0; i < SLOTS; i++) {
            t.slot[i].in = FRONT_HIGH_GPA + i * SLOT;
            t.slot[i].out = t.slot[i].in + BODY + 4096;
        }
        begin();
        for (unsigned i = 0; i < STEPS; i++)
            step();
        drain();
        answers += t.answers;
        resets += t.resets;
        front_fini(&t.f);
    }
    assert_true(answers > 500 * ROUNDS && resets > 2 * ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(whatever_the_order) };

    signal(SIGPIPE, SIG_IGN); /* as carrel-files */
    return cmocka_run_group_tests_name("files_random", tests, NULL, NULL);
}
