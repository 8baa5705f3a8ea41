/* test_fs.c - the file system device: a driver on one side, a server that is this test on the
 * other, and each of them breaking the rules. */
#include "tests/unit/guest.h"

#include "base/files.h"
#include "vmm/virtio/fs.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN      sizeof(struct fuse_in_header)
#define OUT     sizeof(struct fuse_out_header)
#define ENTRIES 128u
#define BIG     FILES_DATA_MAX

struct fixture {
    struct guest g;
    struct driver d;
    int peer; /* the server's end; -1 once it died */
};

/* With a socket that takes so many bytes at a time, as the kernel counts; 0: as it is made. */
static void plug_narrow(struct fixture *f, uint64_t features, int room)
{
    int pair[2];

    guest_init(&f->g, false);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    if (room)
        assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
    assert_int_equal(fcntl(pair[1], F_SETFL, O_RDWR | O_NONBLOCK), 0);
    f->peer = pair[1];
    guest_plug(&f->g, &f->d, fs_new(&f->g.host, pair[0], NULL));
    drv_start(&f->d, features, ENTRIES);
}

static void plug(struct fixture *f, uint64_t features)
{
    plug_narrow(f, features, 0);
}

static void unplug(struct fixture *f)
{
    guest_fini(&f->g);
    if (f->peer >= 0)
        close(f->peer);
}

/* A request as the guest keeps it. */
struct ask {
    uint64_t unique, in, out; /* where in its memory */
    uint32_t len, room;
};

static uint8_t pattern(uint64_t unique, uint32_t i)
{
    return (uint8_t)(unique * 31 + i * 7ull + (i >> 8));
}

/* Writes a request of `body` bytes behind its header, with room for a reply of `room` in all. */
static struct ask make(struct fixture *f, uint32_t opcode, uint64_t unique, uint32_t body,
                       uint32_t room)
{
    struct fuse_in_header h = { .len = (uint32_t)IN + body, .opcode = opcode, .unique = unique };
    struct ask a = { .unique = unique, .len = h.len, .room = room };
    uint8_t *at;

    a.in = guest_alloc(&f->g, h.len);
    a.out = guest_alloc(&f->g, room);
    at = guest_at(&f->g, a.in, h.len);
    memcpy(at, &h, sizeof(h));
    for (uint32_t i = 0; i < body; i++)
        at[IN + i] = pattern(unique, i);
    memset(guest_at(&f->g, a.out, room), 0xee, room);
    return a;
}

/* Posts it, as one buffer each way, or cut in two at the bytes given. */
static void post_cut(struct fixture *f, unsigned queue, const struct ask *a, uint32_t cut_in,
                     uint32_t cut_out)
{
    struct buf b[4];
    unsigned n = 0;

    if (cut_in)
        b[n++] = (struct buf){ a->in, cut_in, 0 };
    b[n++] = (struct buf){ a->in + cut_in, a->len - cut_in, 0 };
    if (cut_out)
        b[n++] = (struct buf){ a->out, cut_out, D_WRITE };
    if (a->room)
        b[n++] = (struct buf){ a->out + cut_out, a->room - cut_out, D_WRITE };
    ring_add(&f->d.ring[queue], b, n);
    drv_ring(&f->d);
}

static void post(struct fixture *f, unsigned queue, const struct ask *a)
{
    post_cut(f, queue, a, 0, 0);
}

static struct ask ask(struct fixture *f, uint64_t unique, uint32_t body, uint32_t room)
{
    struct ask a = make(f, FUSE_LOOKUP, unique, body, room);

    post(f, 1, &a);
    return a;
}

/* What the server has received: exactly this request next. */
static void heard(struct fixture *f, uint64_t unique, uint32_t body)
{
    static uint8_t got[IN + BIG + 4096];
    struct fuse_in_header h;
    uint32_t have = 0;

    while (have < IN + body) {
        ssize_t n = read(f->peer, got + have, IN + body - have);

        guest_settle(&f->g);
        assert_true(n > 0);
        have += (uint32_t)n;
    }
    memcpy(&h, got, sizeof(h));
    assert_int_equal(h.len, IN + body);
    assert_int_equal(h.unique, unique);
    for (uint32_t i = 0; i < body; i++)
        if (got[IN + i] != pattern(unique, i))
            fail_msg("byte %u of request %llu", i, (unsigned long long)unique);
}

static void heard_nothing(struct fixture *f)
{
    uint8_t byte;

    assert_int_equal(read(f->peer, &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
}

/* Bytes of the server; the device takes them meanwhile. */
static void utter(struct fixture *f, const void *bytes, size_t len)
{
    for (const uint8_t *at = bytes; len;) {
        ssize_t n = write(f->peer, at, len);

        guest_settle(&f->g);
        assert_true(n > 0);
        at += n;
        len -= (size_t)n;
    }
}

static size_t reply_bytes(uint8_t *to, uint64_t unique, uint32_t body, int32_t error)
{
    struct fuse_out_header h = { .len = (uint32_t)OUT + body, .error = error, .unique = unique };

    memcpy(to, &h, sizeof(h));
    for (uint32_t i = 0; i < body; i++)
        to[OUT + i] = pattern(unique + 1, i);
    return h.len;
}

static void reply(struct fixture *f, uint64_t unique, uint32_t body)
{
    static uint8_t bytes[OUT + BIG + 4096];

    utter(f, bytes, reply_bytes(bytes, unique, body, 0));
}

/* The guest has the reply to a, and it is the next in the used ring. */
static void answered(struct fixture *f, const struct ask *a, uint32_t body)
{
    struct fuse_out_header h;
    const uint8_t *at = guest_at(&f->g, a->out, a->room);
    uint32_t len;

    assert_true(ring_reap(&f->d.ring[1], NULL, &len));
    assert_int_equal(len, OUT + body);
    memcpy(&h, at, sizeof(h));
    assert_int_equal(h.len, len);
    assert_int_equal(h.unique, a->unique);
    assert_int_equal(h.error, 0);
    for (uint32_t i = 0; i < body; i++)
        if (at[OUT + i] != pattern(a->unique + 1, i))
            fail_msg("byte %u of reply %llu", i, (unsigned long long)a->unique);
    for (uint32_t i = (uint32_t)OUT + body; i < a->room; i++)
        assert_int_equal(at[i], 0xee);
}

static void failed(struct fixture *f, const struct ask *a, int error)
{
    struct fuse_out_header h;
    uint32_t len;

    assert_true(ring_reap(&f->d.ring[1], NULL, &len));
    assert_int_equal(len, OUT);
    memcpy(&h, guest_at(&f->g, a->out, OUT), sizeof(h));
    assert_int_equal(h.len, OUT);
    assert_int_equal(h.unique, a->unique);
    assert_int_equal(h.error, error);
}

static void refused(struct fixture *f, const struct ask *a)
{
    failed(f, a, -ENOTCONN);
}

static void nothing_more(struct fixture *f)
{
    assert_false(ring_reap(&f->d.ring[0], NULL, NULL));
    assert_false(ring_reap(&f->d.ring[1], NULL, NULL));
    assert_true(guest_idle(&f->g));
    assert_int_equal(f->g.mistakes, 0);
}

/* ---- both at their best ---- */

static void what_the_driver_sees(void **state)
{
    struct fixture f;
    char tag[37] = "";

    (void)state;
    plug(&f, 0);
    assert_int_equal(guest_r(&f.g, cfg(1, 2), 2), 0x1040 + 26);
    for (unsigned i = 0; i < 36; i++)
        tag[i] = (char)guest_r(&f.g, f.d.bar + i, 1);
    assert_string_equal(tag, "carrel.files");
    for (unsigned i = 12; i < 36; i++)
        assert_int_equal(tag[i], 0);
    assert_int_equal(guest_r(&f.g, f.d.bar + 36, 4), 1);
    assert_int_equal(drv_r(&f.d, 0x12, 2), 2);
    assert_int_equal(drv_offered(&f.d) & 0xffffff, 0);
    unplug(&f);
}

static void request_and_reply(void **state)
{
    struct fixture f;
    struct ask a;

    (void)state;
    plug(&f, 0);
    a = ask(&f, 2, 11, 200);
    heard(&f, 2, 11);
    heard_nothing(&f);
    nothing_more(&f);
    for (unsigned q = 0; q < 2; q++) /* the doorbell is wanted */
        assert_int_equal(ring_word(&f.d.ring[q], f.d.ring[q].used), 0);
    reply(&f, 2, 100);
    answered(&f, &a, 100);
    a = ask(&f, 4, 0, OUT);
    heard(&f, 4, 0);
    reply(&f, 4, 0);
    answered(&f, &a, 0);
    nothing_more(&f);
    unplug(&f);
}

static void signals_what_it_gives_back(void **state)
{
    struct fixture f;

    (void)state;
    plug(&f, 0);
    ask(&f, 2, 0, OUT);
    ask(&f, 4, 0, OUT);
    assert_int_equal(f.g.msi[0x41], 0);
    reply(&f, 4, 0);
    assert_int_equal(f.g.msi[0x41], 1);
    reply(&f, 2, 0);
    assert_int_equal(f.g.msi[0x41], 2);
    unplug(&f);
}

/* However the guest cuts its buffers up. */
static void chains_cut_at_every_byte(void **state)
{
    struct fixture f;

    (void)state;
    plug(&f, 0);
    for (uint32_t i = 1; i < IN + 8; i++) {
        struct ask a;

        f.g.next = 0x100000;
        a = make(&f, FUSE_LOOKUP, i, 8, OUT + 32);
        post_cut(&f, 1, &a, i, i);
        heard(&f, i, 8);
        reply(&f, i, 32);
        answered(&f, &a, 32);
    }
    nothing_more(&f);
    unplug(&f);
}

/* However the socket cuts the stream up, with a second reply behind. */
static void replies_cut_at_every_byte(void **state)
{
    struct fixture f;
    uint8_t bytes[2 * (OUT + 24)];

    (void)state;
    plug(&f, 0);
    for (size_t i = 1; i < sizeof(bytes); i++) {
        struct ask a, b;

        f.g.next = 0x100000;
        a = ask(&f, 2, 0, 64);
        b = ask(&f, 4, 0, 64);
        heard(&f, 2, 0);
        heard(&f, 4, 0);
        reply_bytes(bytes, 4, 24, 0);
        reply_bytes(bytes + OUT + 24, 2, 24, 0);
        utter(&f, bytes, i);
        utter(&f, bytes + i, sizeof(bytes) - i);
        answered(&f, &b, 24);
        answered(&f, &a, 24);
    }
    nothing_more(&f);
    unplug(&f);
}

static void many_at_once_in_any_order(void **state)
{
    static uint8_t bytes[64 * (OUT + 60)];
    struct fixture f;
    struct ask a[64];
    size_t len = 0;

    (void)state;
    plug(&f, 0);
    for (unsigned i = 0; i < 64; i++)
        a[i] = ask(&f, 1000 + i, 3, 128);
    for (unsigned i = 0; i < 64; i++)
        heard(&f, 1000 + i, 3);
    for (unsigned i = 0; i < 64; i++)
        len += reply_bytes(bytes + len, 1000 + (i * 37) % 64, i % 60, 0);
    utter(&f, bytes, len);
    for (unsigned i = 0; i < 64; i++)
        answered(&f, &a[(i * 37) % 64], i % 60);
    nothing_more(&f);
    unplug(&f);
}

/* More than the socket holds, both ways; what does not fit waits without spinning. */
static void large_and_full(void **state)
{
    struct fixture f;
    struct ask a, b, c;

    (void)state;
    plug(&f, 0);
    a = ask(&f, 2, BIG, OUT + 8);
    b = make(&f, FUSE_READ, 4, 100, OUT + BIG);
    post_cut(&f, 1, &b, 70, 100001);
    c = make(&f, FUSE_WRITE, 6, BIG, OUT + BIG);
    post_cut(&f, 1, &c, 250001, 5000);
    assert_true(guest_idle(&f.g));
    drv_ring(&f.d); /* notify while the socket is full */
    assert_true(guest_idle(&f.g));
    heard(&f, 2, BIG);
    heard(&f, 4, 100);
    reply(&f, 4, BIG); /* while c is not even sent */
    answered(&f, &b, BIG);
    heard(&f, 6, BIG);
    reply(&f, 2, 8);
    answered(&f, &a, 8);
    reply(&f, 6, BIG);
    answered(&f, &c, BIG);
    heard_nothing(&f);
    nothing_more(&f);
    unplug(&f);
}

static void a_table_of_all_entries(void **state)
{
    struct fixture f;
    struct ask a[ENTRIES], one;
    struct buf b[2];

    (void)state;
    plug(&f, VIRTIO_F_INDIRECT_DESC);
    for (unsigned i = 0; i < ENTRIES; i++) { /* each takes one entry of the ring */
        uint64_t table = guest_alloc(&f.g, 32);
        struct buf ref = { table, 32, D_INDIRECT };

        a[i] = make(&f, FUSE_LOOKUP, i, 1, 32);
        put_desc(&f.g, table, 0, a[i].in, a[i].len, D_NEXT, 1);
        put_desc(&f.g, table, 1, a[i].out, a[i].room, D_WRITE, 0);
        ring_add(&f.d.ring[1], &ref, 1);
    }
    drv_ring(&f.d);
    for (unsigned i = 0; i < ENTRIES; i++)
        heard(&f, i, 1);
    for (unsigned i = ENTRIES; i--;)
        reply(&f, i, 16);
    for (unsigned i = ENTRIES; i--;)
        answered(&f, &a[i], 16);
    nothing_more(&f);
    /* More than the ring has entries: a guest that uses a descriptor twice. */
    one = make(&f, FUSE_LOOKUP, 0, 0, 32);
    b[0] = (struct buf){ one.in, one.len, 0 };
    b[1] = (struct buf){ one.out, one.room, D_WRITE };
    for (unsigned i = 0; i <= ENTRIES; i++) {
        struct fuse_in_header h = { .len = IN, .opcode = FUSE_LOOKUP, .unique = 5000 + i };

        assert_false(drv_broken(&f.d));
        memcpy(guest_at(&f.g, one.in, IN), &h, IN);
        f.d.ring[1].free = 0;
        ring_add(&f.d.ring[1], b, 2);
        drv_ring(&f.d);
    }
    assert_true(drv_broken(&f.d));
    unplug(&f);
}

static void forgetting_has_no_reply(void **state)
{
    static const uint32_t opcodes[] = { FUSE_FORGET, FUSE_BATCH_FORGET, FUSE_INTERRUPT };
    struct fixture f;
    struct ask a;
    uint32_t len;

    (void)state;
    plug(&f, 0);
    a = ask(&f, 9, 0, OUT);
    heard(&f, 9, 0);
    for (unsigned i = 0; i < 3; i++) {
        struct ask b = make(&f, opcodes[i], 9, 8, i == 2 ? OUT : 0); /* its number is nobody's */

        post(&f, 0, &b);
        assert_true(ring_reap(&f.d.ring[0], NULL, &len));
        assert_int_equal(len, 0);
    }
    heard_nothing(&f); /* it goes with what is asked next */
    reply(&f, 9, 0);
    answered(&f, &a, 0);
    a = ask(&f, 10, 3, OUT);
    for (unsigned i = 0; i < 3; i++)
        heard(&f, 9, 8);
    heard(&f, 10, 3);
    reply(&f, 10, 0);
    answered(&f, &a, 0);
    nothing_more(&f);
    unplug(&f);
}

/* Until the device's timer: whatever else happens on its loop meanwhile. */
static void await_quiet_end(struct fixture *f)
{
    while (ring_word(&f->d.ring[0], f->d.ring[0].used) != 0)
        assert_int_equal(loop_once(&f->g.loop, 10000, NULL), 0);
}

/* Nothing is asked behind it: a timer sends it, and only then is the doorbell wanted again. What
 * the guest adds meanwhile without ringing is found. */
static void forgetting_alone_is_sent_in_a_while(void **state)
{
    struct fixture f;
    struct ask a, b;

    (void)state;
    plug(&f, 0);
    a = make(&f, FUSE_FORGET, 1, 8, 0);
    b = make(&f, FUSE_FORGET, 3, 8, 0);
    post(&f, 0, &a);
    assert_int_equal(ring_word(&f.d.ring[0], f.d.ring[0].used), 1);
    assert_int_equal(ring_word(&f.d.ring[1], f.d.ring[1].used), 0);
    assert_int_equal(f.g.msi[0x41], 0);
    heard_nothing(&f);
    ring_add(&f.d.ring[0], &(struct buf){ b.in, b.len, 0 }, 1);
    await_quiet_end(&f);
    heard(&f, 1, 8);
    heard(&f, 3, 8);
    for (unsigned i = 0; i < 2; i++)
        assert_true(ring_reap(&f.d.ring[0], NULL, NULL));
    assert_true(f.g.msi[0x41] > 0);
    nothing_more(&f);
    unplug(&f);
}

/* More than is kept, of every length: all of it comes, in order, and nothing is written beyond. */
static void much_forgetting(void **state)
{
    struct fixture f;
    struct ask a;

    (void)state;
    plug(&f, 0);
    for (uint32_t i = 0; i < 700; i += 25) {
        f.g.next = 0x100000;
        for (uint32_t k = i; k < i + 25; k++) {
            a = make(&f, FUSE_BATCH_FORGET, k, k * 7, 0);
            post(&f, 0, &a);
            assert_true(ring_reap(&f.d.ring[0], NULL, NULL));
        }
        a = ask(&f, 10000, 0, OUT);
        for (uint32_t k = i; k < i + 25; k++)
            heard(&f, k, k * 7);
        heard(&f, 10000, 0);
        reply(&f, 10000, 0);
        answered(&f, &a, 0);
    }
    await_quiet_end(&f);
    nothing_more(&f);
    unplug(&f);
}

/* What is kept goes out in several pieces, and the request behind it. */
static void much_is_kept_for_a_narrow_socket(void **state)
{
    struct fixture f;
    struct ask a;

    (void)state;
    plug_narrow(&f, 0, 1);
    for (uint32_t i = 0; i < 80; i++) {
        a = make(&f, FUSE_FORGET, i, 8, 0);
        post(&f, 0, &a);
    }
    a = ask(&f, 1000, 4000, OUT);
    for (uint32_t i = 0; i < 80; i++)
        heard(&f, i, 8);
    heard(&f, 1000, 4000);
    reply(&f, 1000, 0);
    answered(&f, &a, 0);
    unplug(&f);
}

/* What was kept for the server is of before the reset, and comes before what comes after it. */
static void reset_while_a_forget_is_kept(void **state)
{
    struct fixture f;
    struct ask a;

    (void)state;
    plug(&f, 0);
    a = make(&f, FUSE_FORGET, 1, 8, 0);
    post(&f, 0, &a);
    drv_start(&f.d, 0, ENTRIES);
    a = ask(&f, 2, 5, OUT);
    heard(&f, 1, 8);
    heard(&f, 2, 5);
    reply(&f, 2, 0);
    answered(&f, &a, 0);
    nothing_more(&f);
    unplug(&f);
}

/* A reply for which the guest left no room is that one request's error, and nobody else's; nothing
 * is written where there was no room. The socket brings it in two pieces, or all. */
static void no_room_for_the_reply(void **state)
{
    static const uint32_t bodies[] = { 1, 33, 5000, BIG }, rooms[] = { OUT, OUT + 32 };
    static uint8_t bytes[OUT + BIG];

    (void)state;
    for (unsigned i = 0; i < array_len(bodies) * array_len(rooms) * 2; i++) {
        uint32_t body = bodies[i / 4], room = rooms[i / 2 % 2];
        struct fixture f;
        struct ask a, b;
        size_t len = reply_bytes(bytes, 2, body, 0), cut = i % 2 ? OUT + body / 2 : len;

        if (OUT + body <= room)
            continue;
        plug(&f, 0);
        a = ask(&f, 2, 0, room);
        b = ask(&f, 4, 0, OUT + BIG);
        heard(&f, 2, 0);
        heard(&f, 4, 0);
        utter(&f, bytes, cut);
        utter(&f, bytes + cut, len - cut);
        failed(&f, &a, -EIO);
        for (uint32_t k = OUT; k < room; k++)
            assert_int_equal(*(uint8_t *)guest_at(&f.g, a.out + k, 1), 0xee);
        reply(&f, 4, BIG);
        answered(&f, &b, BIG);
        nothing_more(&f);
        assert_int_equal(f.g.peer_mistakes, 0);
        unplug(&f);
    }
}

/* ---- the guest at its worst ---- */

static void bad(struct fixture *f, const char *what)
{
    if (!drv_broken(&f->d))
        fail_msg("%s: taken", what);
    assert_int_equal(f->g.mistakes, 1);
    assert_int_equal(f->g.peer_mistakes, 0);
    heard_nothing(f);
    unplug(f);
}

static void bad_lengths(void **state)
{
    const struct {
        uint32_t says, len;
    } cases[] = {
        { IN - 1, IN - 1 }, { IN, IN - 1 }, { IN + 1, IN },
        { IN, IN + 1 },     { 0, IN },      { UINT32_MAX, IN },
        { 0x80000000, IN }, { IN - 1, IN }, { FILES_MESSAGE_MAX + 1, FILES_MESSAGE_MAX + 1 },
        { 0, 0 },
    };

    (void)state;
    for (unsigned i = 0; i < array_len(cases); i++) {
        struct fixture f;
        struct ask a;

        plug(&f, 0);
        a = make(&f, FUSE_LOOKUP, 2, BIG + 8192, 64);
        memcpy(guest_at(&f.g, a.in, 4), &cases[i].says, 4);
        a.len = cases[i].len;
        post(&f, 1, &a);
        bad(&f, "a length");
    }
}

static void longest_request(void **state)
{
    struct fixture f;

    (void)state;
    plug(&f, 0);
    ask(&f, 2, FILES_MESSAGE_MAX - IN, OUT);
    heard(&f, 2, FILES_MESSAGE_MAX - IN);
    nothing_more(&f);
    unplug(&f);
}

static void no_room_for_a_reply(void **state)
{
    (void)state;
    for (uint32_t room = 0; room < OUT; room += OUT - 1) {
        struct fixture f;

        plug(&f, 0);
        ask(&f, 2, 4, room);
        bad(&f, "room");
    }
}

static void duplicate_unique(void **state)
{
    struct fixture f;
    struct ask a;

    (void)state;
    plug(&f, 0);
    for (unsigned i = 0; i < 3; i++) { /* one after the other is no duplicate */
        a = ask(&f, 7, 0, OUT);
        heard(&f, 7, 0);
        reply(&f, 7, 0);
        answered(&f, &a, 0);
    }
    ask(&f, 8, 0, OUT);
    ask(&f, 7, 0, OUT);
    heard(&f, 8, 0);
    heard(&f, 7, 0);
    ask(&f, 8, 0, OUT);
    bad(&f, "a duplicate");
}

static void wrong_queue(void **state)
{
    static const struct {
        uint32_t opcode;
        unsigned queue;
    } cases[] = { { FUSE_FORGET, 1 },
                  { FUSE_BATCH_FORGET, 1 },
                  { FUSE_INTERRUPT, 1 },
                  { FUSE_LOOKUP, 0 },
                  { FUSE_INIT, 0 } };

    (void)state;
    for (unsigned i = 0; i < array_len(cases); i++) {
        struct fixture f;
        struct ask a;

        plug(&f, 0);
        a = make(&f, cases[i].opcode, 2, 8, OUT);
        post(&f, cases[i].queue, &a);
        bad(&f, "a queue");
    }
}

/* What was judged is what is sent: a guest that rewrites it meanwhile cannot shift the stream. */
static void rewritten_while_it_is_sent(void **state)
{
    struct fixture f;
    struct ask a, b;

    (void)state;
    plug(&f, 0);
    a = ask(&f, 2, BIG, OUT);
    b = ask(&f, 4, 30, OUT);
    memset(guest_at(&f.g, a.in, IN), 0xff, IN);
    heard(&f, 2, BIG);
    heard(&f, 4, 30);
    reply(&f, 4, 0);
    answered(&f, &b, 0);
    nothing_more(&f);
    unplug(&f);
}

/* ---- the server at its worst ---- */

/* Whatever ended it: nothing hangs, now or later, and the machine lives on. */
static void is_over(struct fixture *f)
{
    struct ask later, forget = make(f, FUSE_FORGET, 1, 8, 0);
    uint32_t len;

    later = ask(f, 77, 9, OUT + 9);
    refused(f, &later);
    later = ask(f, 77, BIG, OUT);
    refused(f, &later);
    post(f, 0, &forget);
    assert_true(ring_reap(&f->d.ring[0], NULL, &len));
    assert_int_equal(len, 0);
    assert_false(drv_broken(&f->d));
    nothing_more(f);
}

static void wrong_replies(void **state)
{
    static const struct {
        const char *what;
        struct fuse_out_header h;
    } cases[] = {
        { "to no request", { .len = OUT, .unique = 3 } },
        { "a notification", { .len = OUT, .unique = 0, .error = 2 } },
        { "to a forget", { .len = OUT, .unique = 6 } },
        { "no length", { .len = 0, .unique = 2 } },
        { "short", { .len = OUT - 1, .unique = 2 } },
        { "too long for any", { .len = FILES_MESSAGE_MAX + 1, .unique = 4 } },
        { "negative length", { .len = UINT32_MAX, .unique = 4 } },
        { "a positive error", { .len = OUT, .unique = 2, .error = 1 } },
        { "no error of Linux", { .len = OUT, .unique = 2, .error = -512 } },
        { "the least error", { .len = OUT, .unique = 2, .error = INT32_MIN } },
        { "an error with data", { .len = OUT + 1, .unique = 2, .error = -EIO } },
    };

    (void)state;
    for (unsigned i = 0; i < array_len(cases); i++) {
        struct fixture f;
        struct ask a, b, forget;

        plug(&f, 0);
        a = ask(&f, 2, 0, OUT + 32);
        b = ask(&f, 4, 0, FILES_MESSAGE_MAX + 8);
        forget = make(&f, FUSE_FORGET, 6, 8, 0);
        post(&f, 0, &forget);
        assert_true(ring_reap(&f.d.ring[0], NULL, NULL));
        (void)!write(f.peer, &cases[i].h, OUT);
        guest_settle(&f.g);
        if (f.g.peer_mistakes != 1)
            fail_msg("%s: taken", cases[i].what);
        refused(&f, &a);
        refused(&f, &b);
        is_over(&f);
        assert_int_equal(f.g.peer_mistakes, 1);
        unplug(&f);
    }
}

static void right_errors(void **state)
{
    static const int32_t errors[] = { -1, -ENOENT, -511 };
    struct fixture f;

    (void)state;
    plug(&f, 0);
    for (unsigned i = 0; i < array_len(errors); i++) {
        struct ask a = ask(&f, 2, 0, 128);
        struct fuse_out_header h;
        uint8_t bytes[OUT];

        utter(&f, bytes, reply_bytes(bytes, 2, 0, errors[i]));
        assert_true(ring_reap(&f.d.ring[1], NULL, NULL));
        memcpy(&h, guest_at(&f.g, a.out, OUT), OUT);
        assert_int_equal(h.error, errors[i]);
    }
    nothing_more(&f);
    unplug(&f);
}

static void answered_twice(void **state)
{
    struct fixture f;
    struct ask a;

    (void)state;
    plug(&f, 0);
    a = ask(&f, 2, 0, OUT);
    reply(&f, 2, 0);
    answered(&f, &a, 0);
    reply(&f, 2, 0);
    assert_int_equal(f.g.peer_mistakes, 1);
    is_over(&f);
    unplug(&f);
}

/* A reply to what the server has not seen in full. */
static void answered_before_it_was_asked(void **state)
{
    struct fixture f;
    struct ask a;

    (void)state;
    plug(&f, 0);
    a = ask(&f, 2, BIG, OUT);
    reply(&f, 2, 0);
    assert_int_equal(f.g.peer_mistakes, 1);
    refused(&f, &a);
    is_over(&f);
    unplug(&f);
}

static void die(struct fixture *f)
{
    close(f->peer);
    f->peer = -1;
    guest_settle(&f->g);
}

static void server_dies(void **state)
{
    struct fixture f;
    struct ask a, b, c;

    (void)state;
    plug(&f, 0);
    a = ask(&f, 2, 5, 300);
    b = ask(&f, 4, 5, OUT + BIG);
    c = ask(&f, 6, BIG, OUT); /* does not fit into the socket */
    heard(&f, 2, 5);
    heard(&f, 4, 5);
    reply(&f, 2, 200);
    answered(&f, &a, 200);
    {
        static uint8_t bytes[OUT + BIG];

        reply_bytes(bytes, 4, BIG, 0);
        utter(&f, bytes, OUT + 10000); /* its last words are half a reply */
    }
    die(&f);
    refused(&f, &b);
    refused(&f, &c);
    is_over(&f);
    assert_int_equal(f.g.peer_mistakes, 0);
    unplug(&f);
}

static void server_dies_while_a_forget_waits(void **state)
{
    struct fixture f;
    struct ask a, forget;
    uint32_t len;

    (void)state;
    plug(&f, 0);
    a = ask(&f, 2, BIG, OUT);
    forget = make(&f, FUSE_BATCH_FORGET, 3, BIG, 0);
    post(&f, 0, &forget);
    heard(&f, 2, BIG); /* and the forget is half sent */
    assert_false(ring_reap(&f.d.ring[0], NULL, NULL));
    die(&f);
    refused(&f, &a);
    assert_true(ring_reap(&f.d.ring[0], NULL, &len));
    assert_int_equal(len, 0);
    is_over(&f);
    unplug(&f);
}

/* The device finds out by writing. */
static void server_is_deaf(void **state)
{
    struct fixture f;
    struct ask a, b;

    (void)state;
    plug(&f, 0);
    a = ask(&f, 2, 0, OUT);
    assert_int_equal(shutdown(f.peer, SHUT_RD), 0);
    b = ask(&f, 4, 0, OUT);
    refused(&f, &a);
    refused(&f, &b);
    is_over(&f);
    unplug(&f);
}

static void server_gone_before_the_driver_came(void **state)
{
    struct fixture f;

    (void)state;
    plug(&f, 0);
    drv_status(&f.d, 0);
    die(&f);
    assert_true(guest_idle(&f.g)); /* does not spin on the hang-up */
    drv_start(&f.d, 0, ENTRIES);
    is_over(&f);
    drv_start(&f.d, 0, ENTRIES);
    is_over(&f);
    unplug(&f);
}

/* ---- resets ---- */

static void reset_with_requests_in_flight(void **state)
{
    struct fixture f;
    struct ask a, b, again;

    (void)state;
    plug(&f, 0);
    a = ask(&f, 2, 5, OUT + 64);
    b = ask(&f, 4, 5, OUT + 64);
    heard(&f, 2, 5);
    heard(&f, 4, 5);
    drv_start(&f.d, 0, ENTRIES);
    again = ask(&f, 4, 6, OUT + 64); /* a new driver counts from the start */
    heard_nothing(&f);
    reply(&f, 4, 64);
    heard_nothing(&f);
    assert_false(ring_reap(&f.d.ring[1], NULL, NULL));
    reply(&f, 2, 64);
    heard(&f, 4, 6);
    reply(&f, 4, 7);
    answered(&f, &again, 7);
    for (unsigned i = 0; i < OUT + 64; i++) { /* the old driver's memory */
        assert_int_equal(*(uint8_t *)guest_at(&f.g, a.out + i, 1), 0xee);
        assert_int_equal(*(uint8_t *)guest_at(&f.g, b.out + i, 1), 0xee);
    }
    nothing_more(&f);
    unplug(&f);
}

/* The socket says something while there is no driver: kept for the next, without spinning. */
static void replies_without_a_driver(void **state)
{
    struct fixture f;
    struct ask a;

    (void)state;
    plug(&f, 0);
    ask(&f, 2, 0, OUT);
    drv_status(&f.d, 0);
    reply(&f, 2, 0);
    assert_true(guest_idle(&f.g));
    drv_start(&f.d, 0, ENTRIES);
    a = ask(&f, 2, 1, OUT + 1);
    heard(&f, 2, 0);
    heard(&f, 2, 1);
    reply(&f, 2, 1);
    answered(&f, &a, 1);
    nothing_more(&f);
    unplug(&f);
}

/* Half of a request is out: the rest follows, as zeroes. Half of a reply is in: the rest is lost.
 */
static void reset_in_the_middle(void **state)
{
    static uint8_t bytes[OUT + BIG], got[IN + BIG];
    struct fixture f;
    struct ask a, b, c;
    size_t have = 0, zero;

    (void)state;
    plug(&f, 0);
    a = ask(&f, 2, 4, OUT + BIG);
    heard(&f, 2, 4);
    reply_bytes(bytes, 2, BIG, 0);
    utter(&f, bytes, OUT + 5000);
    b = ask(&f, 4, BIG, OUT);
    assert_int_equal(*(uint8_t *)guest_at(&f.g, a.out + OUT + 4999, 1), pattern(3, 4999));
    drv_start(&f.d, 0, ENTRIES);
    memset(guest_at(&f.g, b.in, b.len), 0x5e, b.len); /* the guest has a secret there now */
    memset(guest_at(&f.g, a.out, a.room), 0xee, a.room);
    c = ask(&f, 2, 9, OUT + 3);
    utter(&f, bytes + OUT + 5000, BIG - 5000);
    for (uint32_t i = 0; i < a.room; i++)
        assert_int_equal(*(uint8_t *)guest_at(&f.g, a.out + i, 1), 0xee);
    while (have < sizeof(got)) {
        ssize_t n = read(f.peer, got + have, sizeof(got) - have);

        guest_settle(&f.g);
        assert_true(n > 0);
        have += (size_t)n;
    }
    for (zero = IN; zero < sizeof(got) && got[zero] == pattern(4, (uint32_t)(zero - IN)); zero++)
        ;
    assert_in_range(zero, IN + 1, sizeof(got) - 1);
    for (; zero < sizeof(got); zero++)
        assert_int_equal(got[zero], 0);
    heard_nothing(&f);
    reply(&f, 4, 0);
    heard(&f, 2, 9);
    reply(&f, 2, 3);
    answered(&f, &c, 3);
    nothing_more(&f);
    unplug(&f);
}

/* A forget that is half out when the reset comes is nobody's chain any more. */
static void reset_in_the_middle_of_a_forget(void **state)
{
    static uint8_t got[IN + BIG];
    struct fixture f;
    struct ask a;

    (void)state;
    plug(&f, 0);
    a = make(&f, FUSE_BATCH_FORGET, 3, BIG, 0);
    post(&f, 0, &a);
    drv_start(&f.d, 0, ENTRIES);
    for (size_t have = 0; have < sizeof(got);) {
        ssize_t n = read(f.peer, got + have, sizeof(got) - have);

        guest_settle(&f.g);
        assert_true(n > 0);
        have += (size_t)n;
    }
    heard_nothing(&f);
    nothing_more(&f);
    a = ask(&f, 3, 0, OUT);
    heard(&f, 3, 0);
    reply(&f, 3, 0);
    answered(&f, &a, 0);
    nothing_more(&f);
    unplug(&f);
}

/* A request that found the socket full: taken from the ring, but of its bytes none is out. */
static void reset_before_its_first_byte(void **state)
{
    struct fixture f;
    struct ask a;
    unsigned sent;
    uint64_t n;

    (void)state;
    plug(&f, 0);
    for (n = 1; n < ENTRIES / 2; n++)
        ask(&f, n, 8192, OUT);
    drv_start(&f.d, 0, ENTRIES);
    a = ask(&f, 1, 1, OUT);
    for (sent = 1; sent < n; sent++) {
        int have = 0;

        assert_int_equal(ioctl(f.peer, FIONREAD, &have), 0);
        if (!have)
            break;
        heard(&f, sent, 8192);
    }
    assert_in_range(sent, 2, n - 1); /* some were sent, and some were not */
    while (--sent)
        reply(&f, sent, 0);
    heard(&f, 1, 1);
    reply(&f, 1, 0);
    answered(&f, &a, 0);
    nothing_more(&f);
    unplug(&f);
}

/* What was not begun to be sent the server never hears of. */
static void reset_before_it_was_sent(void **state)
{
    static uint8_t junk[4096];
    struct fixture f;
    struct ask a;
    size_t sent = 0;

    (void)state;
    plug(&f, 0);
    ask(&f, 2, BIG, OUT);
    ask(&f, 4, 0, OUT); /* waits in the ring */
    while (read(f.peer, junk, 1) == 1 && ++sent < IN)
        ;
    drv_start(&f.d, 0, ENTRIES);
    a = ask(&f, 6, 0, OUT);
    for (sent = IN; sent < IN + BIG;) {
        ssize_t n =
            read(f.peer, junk, IN + BIG - sent < sizeof(junk) ? IN + BIG - sent : sizeof(junk));

        guest_settle(&f.g);
        assert_true(n > 0);
        sent += (size_t)n;
    }
    heard_nothing(&f);
    reply(&f, 2, 0);
    heard(&f, 6, 0);
    reply(&f, 6, 0);
    answered(&f, &a, 0);
    nothing_more(&f);
    unplug(&f);
}

/* A server that died of half-sent things, a guest that resets: again and again, and nothing is
 * left over. */
static void broken_guest_comes_back(void **state)
{
    struct fixture f;

    (void)state;
    plug(&f, 0);
    for (uint64_t i = 0; i < 200; i++) {
        struct ask a;

        f.g.next = 0x200000;
        a = ask(&f, 1, 3, OUT);
        ask(&f, 1, 3, OUT);
        assert_true(drv_broken(&f.d));
        heard(&f, 1, 3);
        heard_nothing(&f);
        reply(&f, 1, 0);
        assert_true(guest_idle(&f.g));
        drv_start(&f.d, i & 1 ? VIRTIO_F_EVENT_IDX : 0, ENTRIES);
        a = ask(&f, 1, 3, OUT);
        heard(&f, 1, 3);
        reply(&f, 1, 0);
        answered(&f, &a, 0);
    }
    assert_int_equal(f.g.peer_mistakes, 0);
    unplug(&f);
}

static void bad_descriptor(void **state)
{
    struct fixture f;
    struct err e = ERR_INIT;
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

    (void)state;
    guest_init(&f.g, false);
    assert_null(fs_new(&f.g.host, -1, &e));
    assert_int_equal(e.code, EBADF);
    assert_null(fs_new(&f.g.host, fd, &e)); /* no loop takes a file */
    assert_int_equal(close(fd), 0);         /* still the caller's */
    f.peer = -1;
    unplug(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_driver_sees),
        cmocka_unit_test(request_and_reply),
        cmocka_unit_test(signals_what_it_gives_back),
        cmocka_unit_test(chains_cut_at_every_byte),
        cmocka_unit_test(replies_cut_at_every_byte),
        cmocka_unit_test(many_at_once_in_any_order),
        cmocka_unit_test(large_and_full),
        cmocka_unit_test(a_table_of_all_entries),
        cmocka_unit_test(forgetting_has_no_reply),
        cmocka_unit_test(forgetting_alone_is_sent_in_a_while),
        cmocka_unit_test(much_forgetting),
        cmocka_unit_test(much_is_kept_for_a_narrow_socket),
        cmocka_unit_test(reset_while_a_forget_is_kept),
        cmocka_unit_test(no_room_for_the_reply),
        cmocka_unit_test(bad_lengths),
        cmocka_unit_test(longest_request),
        cmocka_unit_test(no_room_for_a_reply),
        cmocka_unit_test(duplicate_unique),
        cmocka_unit_test(wrong_queue),
        cmocka_unit_test(rewritten_while_it_is_sent),
        cmocka_unit_test(wrong_replies),
        cmocka_unit_test(right_errors),
        cmocka_unit_test(answered_twice),
        cmocka_unit_test(answered_before_it_was_asked),
        cmocka_unit_test(server_dies),
        cmocka_unit_test(server_dies_while_a_forget_waits),
        cmocka_unit_test(server_is_deaf),
        cmocka_unit_test(server_gone_before_the_driver_came),
        cmocka_unit_test(reset_with_requests_in_flight),
        cmocka_unit_test(replies_without_a_driver),
        cmocka_unit_test(reset_in_the_middle),
        cmocka_unit_test(reset_in_the_middle_of_a_forget),
        cmocka_unit_test(reset_before_its_first_byte),
        cmocka_unit_test(reset_before_it_was_sent),
        cmocka_unit_test(broken_guest_comes_back),
        cmocka_unit_test(bad_descriptor),
    };

    signal(SIGPIPE, SIG_IGN); /* as carrel-vmm */
    return cmocka_run_group_tests_name("fs", tests, NULL, NULL);
}
