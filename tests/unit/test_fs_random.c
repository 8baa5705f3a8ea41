/*
 * test_fs_random.c - the file system device between a guest and a server that both do things in any
 * order: requests cut anywhere, memory rewritten while it is read, resets, the bus turned off,
 * replies in any order and in pieces of any length, a server that does not read.
 *
 * Both keep the rules that the device judges, so whatever is lost, comes twice, lands in memory
 * that is not the device's (any more), or keeps the I/O thread busy for nothing, is the device's
 * fault.
 */
#include "tests/unit/guest.h"

#include "base/files.h"
#include "vmm/virtio/fs.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN     sizeof(struct fuse_in_header)
#define OUT    sizeof(struct fuse_out_header)
#define SLOTS  12u
#define BODY   (32u << 10)
#define SOCKET 4096 /* so that a body goes out in several pieces */
#define ROUNDS 40u
#define STEPS  2000u

/* A request of the guest: always at the same place in its memory, posted again and again. */
struct slot {
    uint64_t in, out;
    uint16_t head;
    bool posted;
    uint32_t room, body;
    uint8_t seed;   /* of body */
    bool rewritten; /* by the guest, while it was being sent */
    uint8_t *was;   /* what the guest last knew to be at out */
};

/* What the server was asked, and has not answered. */
struct heard {
    uint64_t unique;
    uint32_t room; /* 0: of an older driver */
    unsigned slot;
};

static struct {
    struct guest g;
    struct driver d;
    struct slot slot[SLOTS];
    uint64_t start; /* of memory for rings */
    int peer;
    uint32_t random;
    bool over;                      /* the server is gone, or broke a rule */
    unsigned epoch;                 /* drivers so far; in each request as its nodeid */
    unsigned answers, resets, late; /* that it tests what it says; late: heard after a reset */

    uint8_t got[IN + BODY];
    uint32_t have;
    struct heard heard[2 * SLOTS];
    unsigned nheard;

    uint8_t reply[OUT + BODY]; /* being uttered */
    uint32_t len, said;
} t;

static uint32_t any(uint32_t below)
{
    t.random = t.random * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)t.random * below) >> 32);
}

/* Mostly small, at times all of it. */
static uint32_t length(uint32_t most)
{
    return any(4) ? any(64) : any(most + 1);
}

static uint8_t byte_of(uint8_t seed, uint32_t i)
{
    return (uint8_t)(seed + i * 7 + (i >> 8));
}

static void know(struct slot *s)
{
    memcpy(s->was, guest_at(&t.g, s->out, OUT + BODY), OUT + BODY);
}

/* ---- the guest ---- */

static void start_driver(void)
{
    t.g.next = t.start;
    drv_start(&t.d, any(2) ? VIRTIO_F_EVENT_IDX : 0, 128);
    for (unsigned i = 0; i < SLOTS; i++)
        t.slot[i].posted = false;
    for (unsigned i = 0; i < t.nheard; i++)
        t.heard[i].room = 0;
    t.epoch++;
}

/* At most 3 buffers each way, some of them empty. */
static unsigned cut(struct buf *b, uint64_t at, uint32_t len, uint16_t flags)
{
    unsigned n = 1 + any(3);

    for (unsigned i = 0; i < n; i++) {
        uint32_t part = i + 1 == n ? len : any(len + 1);

        b[i] = (struct buf){ at, part, flags };
        at += part;
        len -= part;
    }
    return n;
}

static void post(unsigned i)
{
    struct slot *s = &t.slot[i];
    struct fuse_in_header h = { .opcode = i ? FUSE_WRITE : FUSE_BATCH_FORGET, .unique = i };
    struct buf b[6];
    uint8_t *at = guest_at(&t.g, s->in, IN + BODY);
    unsigned n;

    s->body = length(BODY);
    s->room = (uint32_t)OUT + length(BODY);
    s->seed = (uint8_t)any(256);
    s->rewritten = false;
    h.uid = s->seed;
    h.len = (uint32_t)IN + s->body;
    h.nodeid = t.epoch;
    memcpy(at, &h, IN);
    for (uint32_t k = 0; k < s->body; k++)
        at[IN + k] = byte_of(s->seed, k);
    memset(guest_at(&t.g, s->out, OUT + BODY), (int)any(256), OUT + BODY);
    know(s);
    n = cut(b, s->in, h.len, 0);
    if (i)
        n += cut(b + n, s->out, s->room, D_WRITE);
    /* Slots have descriptors of their own. */
    t.d.ring[i > 0].free = (uint16_t)(i * 8);
    s->head = ring_add(&t.d.ring[i > 0], b, n);
    s->posted = true;
}

static void check_reply(const struct slot *s, uint32_t len)
{
    const uint8_t *at = guest_at(&t.g, s->out, OUT + BODY);
    struct fuse_out_header h;

    memcpy(&h, at, OUT);
    if (t.over && len == OUT && h.error) {
        assert_int_equal(h.error, -ENOTCONN);
        return; /* what came of a reply before is behind it */
    }
    assert_int_equal(h.error, 0);
    assert_int_equal(h.len, len);
    assert_int_equal(h.unique, s - t.slot);
    assert_in_range(len, OUT, s->room);
    for (uint32_t i = OUT; i < len; i++)
        if (at[i] != byte_of((uint8_t)(s->seed + 1), i))
            fail_msg("byte %u of %u of a reply", i, len);
    assert_memory_equal(at + len, s->was + len, OUT + BODY - len);
}

static void reap(void)
{
    uint32_t id, len;

    while (ring_reap(&t.d.ring[0], &id, &len)) {
        assert_true(t.slot[0].posted);
        assert_int_equal(id, t.slot[0].head);
        assert_int_equal(len, 0);
        t.slot[0].posted = false;
    }
    while (ring_reap(&t.d.ring[1], &id, &len)) {
        struct slot *s = &t.slot[id / 8];

        assert_in_range(id / 8, 1, SLOTS - 1);
        assert_true(s->posted);
        assert_int_equal(id, s->head);
        check_reply(s, len);
        s->posted = false;
        know(s);
        t.answers++;
    }
    for (unsigned i = 0; !any(8) && i < SLOTS; i++) /* nobody else's memory changes */
        if (!t.slot[i].posted)
            assert_memory_equal(guest_at(&t.g, t.slot[i].out, OUT + BODY), t.slot[i].was,
                                OUT + BODY);
}

static void rewrite(struct slot *s)
{
    memset(guest_at(&t.g, s->in + IN, BODY), (int)any(256), BODY);
    s->rewritten = true;
}

/* ---- the server ---- */

static void judge_request(const struct fuse_in_header *h)
{
    struct slot *s = &t.slot[h->unique];
    bool ours = h->nodeid == t.epoch;
    uint32_t i = 0;

    if (ours) {
        if (h->unique) { /* a forget goes back to the guest before it is heard */
            assert_true(s->posted);
            assert_int_equal(h->len, IN + s->body);
        }
        for (; i < h->len - IN; i++)
            if (t.got[IN + i] != byte_of((uint8_t)h->uid, i) && !s->rewritten)
                fail_msg("byte %u of %u of a request", i, h->len);
    } else {
        t.late++;
    }
    if (!h->unique)
        return;
    for (i = 0; i < t.nheard; i++)
        assert_int_not_equal(t.heard[i].unique, h->unique);
    assert_in_range(t.nheard, 0, SLOTS - 1);
    t.heard[t.nheard++] = (struct heard){ h->unique, ours ? s->room : 0, (unsigned)h->unique };
}

static void hear(uint32_t most)
{
    while (most) {
        struct fuse_in_header h = { .len = IN };
        uint32_t want;
        ssize_t n;

        if (t.have >= IN)
            memcpy(&h, t.got, IN);
        assert_in_range(h.len, IN, sizeof(t.got));
        assert_in_range(h.unique, 0, SLOTS - 1);
        if (t.have == h.len && t.have >= IN && h.opcode) {
            judge_request(&h);
            t.have = 0;
            continue;
        }
        want = h.len - t.have;
        n = read(t.peer, t.got + t.have, want < most ? want : most);
        if (n < 0)
            return;
        assert_int_not_equal(n, 0);
        t.have += (uint32_t)n;
        most -= (uint32_t)n;
    }
}

static void begin_reply(void)
{
    unsigned i = any(t.nheard);
    struct heard h = t.heard[i];
    struct fuse_out_header o = { .len = (uint32_t)OUT, .unique = h.unique };

    t.heard[i] = t.heard[--t.nheard];
    if (h.room)
        o.len += any(2) ? h.room - (uint32_t)OUT : any(h.room - (uint32_t)OUT + 1);
    t.len = o.len;
    t.said = 0;
    memcpy(t.reply, &o, OUT);
    for (uint32_t k = OUT; k < t.len; k++)
        t.reply[k] = byte_of((uint8_t)(t.slot[h.slot].seed + 1), k);
}

static void utter(uint32_t most)
{
    while (most) {
        uint32_t left = t.len - t.said;
        ssize_t n;

        if (!left && !t.nheard)
            return;
        if (!left) {
            begin_reply();
            continue;
        }
        n = write(t.peer, t.reply + t.said, left < most ? left : most);
        if (n < 0) {
            assert_int_equal(errno, EAGAIN);
            return;
        }
        t.said += (uint32_t)n;
        most -= (uint32_t)n;
    }
}

/* ---- both ---- */

static void step(void)
{
    unsigned i = any(SLOTS);

    switch (any(16)) {
    case 0:
    case 1:
    case 2:
    case 3:
        if (!t.slot[i].posted)
            post(i);
        break;
    case 4:
    case 5:
    case 6: hear(length(BODY)); break;
    case 7:
    case 8:
    case 9: utter(length(BODY)); break;
    case 10:
        if (i)
            rewrite(&t.slot[i]);
        break;
    case 11: /* bus mastering off, and on */
        guest_w(&t.g, cfg(1, 4), 2, 2);
        utter(any(100));
        guest_settle(&t.g);
        assert_true(guest_idle(&t.g));
        guest_w(&t.g, cfg(1, 4), 2, 6);
        break;
    case 12:
        if (any(24))
            break;
        drv_status(&t.d, 0);
        for (unsigned k = 0; k < SLOTS; k++) /* now it is the guest's alone */
            know(&t.slot[k]);
        utter(any(1000));
        guest_settle(&t.g);
        assert_true(guest_idle(&t.g));
        t.resets++;
        start_driver();
        break;
    default:
        guest_w(&t.g, t.d.bar + VIRTIO_BELL, 2, 0);
        for (unsigned k = any(4); k--;)
            assert_int_equal(loop_once(&t.g.loop, 0, NULL), 0);
    }
    reap();
}

static bool pending(void)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if (t.slot[i].posted)
            return true;
    return t.have || t.nheard || t.said < t.len;
}

/* All that was asked is answered, and then nobody has anything to do. */
static void finish(void)
{
    guest_w(&t.g, t.d.bar + VIRTIO_BELL, 2, 0);
    for (unsigned i = 0; i < 10000 && pending(); i++) {
        guest_settle(&t.g);
        hear(UINT32_MAX);
        guest_settle(&t.g);
        utter(UINT32_MAX);
        guest_settle(&t.g);
        reap();
    }
    assert_false(pending());
    assert_true(guest_idle(&t.g));
    assert_int_equal(t.g.mistakes, 0);
    assert_int_equal(t.g.peer_mistakes, 0);
}

/* The server's end, of any kind and at any moment: nobody waits for it. */
static void end(void)
{
    static const uint8_t junk[OUT] = { 0xff };

    t.over = true;
    switch (any(4)) {
    case 0: assert_int_equal(shutdown(t.peer, SHUT_WR), 0); break;
    case 1: assert_int_equal(shutdown(t.peer, SHUT_RDWR), 0); break;
    case 2: /* in the middle of a reply it would be data */
        if (t.said == t.len)
            assert_int_equal(write(t.peer, junk, OUT), OUT);
        else
            assert_int_equal(shutdown(t.peer, SHUT_WR), 0);
        break;
    default: close(t.peer); t.peer = -1;
    }
    if (any(2)) {
        guest_settle(&t.g);
        reap();
        for (unsigned k = 0; k < SLOTS; k++)
            know(&t.slot[k]);
        start_driver();
    }
    for (unsigned n = 0; n < 3; n++) {
        for (unsigned i = 0; i < SLOTS; i++)
            if (!t.slot[i].posted)
                post(i);
        guest_w(&t.g, t.d.bar + VIRTIO_BELL, 2, 0);
        guest_settle(&t.g);
        reap();
        assert_true(guest_idle(&t.g));
    }
    for (unsigned i = 0; i < SLOTS; i++)
        assert_false(t.slot[i].posted);
    assert_int_equal(t.g.mistakes, 0);
    assert_in_range(t.g.peer_mistakes, 0, 1);
}

static void plug(uint32_t seed)
{
    const int room = SOCKET;
    int pair[2];

    memset(&t, 0, sizeof(t));
    t.random = seed;
    guest_init(&t.g, seed % 2);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
    assert_int_equal(fcntl(pair[1], F_SETFL, O_RDWR | O_NONBLOCK), 0);
    t.peer = pair[1];
    for (unsigned i = 0; i < SLOTS; i++) {
        t.slot[i].in = guest_alloc(&t.g, IN + BODY);
        t.slot[i].out = guest_alloc(&t.g, OUT + BODY);
        t.slot[i].was = calloc(1, OUT + BODY);
        assert_non_null(t.slot[i].was);
    }
    t.start = t.g.next;
    guest_plug(&t.g, &t.d, fs_new(&t.g.host, pair[0], NULL));
    start_driver();
}

static void unplug(void)
{
    for (unsigned i = 0; i < SLOTS; i++)
        free(t.slot[i].was);
    guest_fini(&t.g);
    if (t.peer >= 0)
        close(t.peer);
}

static void whatever_the_order(void **state)
{
    unsigned answers = 0, resets = 0, late = 0;

    (void)state;
    for (uint32_t seed = 0; seed < ROUNDS; seed++) {
        plug(seed);
        for (unsigned i = 0; i < STEPS; i++)
            step();
        finish();
        answers += t.answers;
        resets += t.resets;
        late += t.late;
        unplug();
    }
    assert_true(answers > 40 * ROUNDS && resets > ROUNDS && late > ROUNDS);
}

static void whenever_the_server_ends(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 5 * ROUNDS; seed++) {
        plug(seed);
        for (unsigned i = any(200); i--;)
            step();
        end();
        unplug();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(whatever_the_order),
                                        cmocka_unit_test(whenever_the_server_ends) };

    signal(SIGPIPE, SIG_IGN); /* as carrel-vmm */
    return cmocka_run_group_tests_name("fs_random", tests, NULL, NULL);
}
