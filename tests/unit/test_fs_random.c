/*
 * test_fs_random.c - the file system device between a guest and a server that both do things in any
 * order: requests, resets, the bus turned off, vectors masked and moved, a server that stops late,
 * in pieces, or dies.
 *
 * Both keep the rules that the device judges, so whatever is lost, answered twice or touched when
 * nobody may, and an interrupt that does not come, is the device's fault.
 */
#include "tests/unit/guest.h"

#include "base/vhost.h"
#include "vmm/virtio/fs.h"

#include <linux/fuse.h>
#include <signal.h>
#include <sys/socket.h>

#define IN      sizeof(struct fuse_in_header)
#define OUT     sizeof(struct fuse_out_header)
#define ENTRIES 128u
#define RINGS   2u
#define SLOTS   24u
#define SERVED  77 /* the error in a server's answer */
#define ROUNDS  150u
#define STEPS   600u

/* A request of the guest, always at the same place in its memory. */
struct slot {
    uint64_t in, out;
    bool posted;
};

static struct {
    struct guest g;
    struct driver d;
    uint64_t start; /* of memory for rings */
    struct slot slot[SLOTS];
    bool up, bus; /* a driver is there; the device may use the bus */
    uint32_t random;

    /* The server. */
    int peer; /* -1: dead */
    int kick[RINGS], call[RINGS];
    bool runs[RINGS];
    uint16_t next[RINGS];
    uint8_t words[64]; /* still to be said */
    size_t nwords;

    /* Of each queue: its vector, and whether its used ring grew behind the last interrupt. */
    unsigned vector[RINGS];
    bool unheard[RINGS];
    bool masked[2];
    uint32_t data[2];

    unsigned served, refused, resets, deaths; /* that it tests what it says */
} t;

static uint32_t any(uint32_t below)
{
    t.random = t.random * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)t.random * below) >> 32);
}

/* ---- the server ---- */

static void follow(const struct vhost_head *h, const uint8_t *body)
{
    struct vhost_vring_state s;
    struct vhost_vring_addr a;

    memcpy(&s, body, sizeof(s));
    memcpy(&a, body, sizeof(a));
    switch (h->request) {
    case VHOST_SET_VRING_BASE:
        assert_false(t.runs[s.index]);
        t.next[s.index] = (uint16_t)s.num;
        break;
    case VHOST_SET_VRING_ADDR:
        assert_int_equal(a.desc, t.d.ring[a.index].desc);
        assert_int_equal(a.avail, t.d.ring[a.index].avail);
        assert_int_equal(a.used, t.d.ring[a.index].used);
        break;
    case VHOST_SET_VRING_ENABLE:
        assert_false(t.runs[s.index]);
        t.runs[s.index] = true;
        break;
    case VHOST_GET_VRING_BASE: {
        const uint32_t reply[] = { VHOST_GET_VRING_BASE, VHOST_VERSION | VHOST_REPLY, 8, s.index,
                                   t.next[s.index] };

        assert_true(t.runs[s.index]);
        t.runs[s.index] = false;
        memcpy(t.words + t.nwords, reply, sizeof(reply));
        t.nwords += sizeof(reply);
        break;
    }
    default: break;
    }
}

static void listen_to_device(void)
{
    struct vhost_head h;
    uint8_t body[512] = { 0 };

    while (t.peer >= 0 && recv(t.peer, &h, sizeof(h), MSG_DONTWAIT) == sizeof(h)) {
        assert_int_equal(recv(t.peer, body, h.size, MSG_DONTWAIT), h.size);
        follow(&h, body);
    }
}

static void answer_device(void)
{
    size_t n = 1 + any((uint32_t)t.nwords);

    if (t.peer < 0 || !t.nwords)
        return;
    assert_int_equal(write(t.peer, t.words, n), n);
    t.nwords -= n;
    memmove(t.words, t.words + n, t.nwords);
}

/* One chain of a ring, if it may and there is one; at times without saying so at once. */
static void serve(unsigned q, bool call)
{
    struct ring *r = &t.d.ring[q];
    uint32_t e[2] = { 0, 0 };
    uint16_t used;
    struct {
        uint64_t at;
        uint32_t len;
        uint16_t flags, next;
    } d[2];

    if (t.peer < 0 || !t.runs[q] || ring_word(r, r->avail + 2) == t.next[q])
        return;
    e[0] = ring_word(r, r->avail + 4 + 2ull * (t.next[q]++ % ENTRIES));
    memcpy(&d[0], guest_at(&t.g, r->desc + 16ull * e[0], 16), 16);
    if (d[0].flags & D_NEXT) {
        struct fuse_in_header in;
        struct fuse_out_header out = { .len = OUT, .error = -SERVED };

        memcpy(&in, guest_at(&t.g, d[0].at, IN), IN);
        memcpy(&d[1], guest_at(&t.g, r->desc + 16ull * d[0].next, 16), 16);
        out.unique = in.unique;
        memcpy(guest_at(&t.g, d[1].at, OUT), &out, OUT);
        e[1] = OUT;
    }
    used = ring_word(r, r->used + 2);
    memcpy(guest_at(&t.g, r->used + 4 + 8ull * (used % ENTRIES), 8), e, 8);
    ring_set_word(r, r->used + 2, (uint16_t)(used + 1));
    if (call) {
        t.unheard[q] = true;
        eventfd_write(t.call[q], 1);
    }
}

static void die(void)
{
    for (unsigned q = 0; q < RINGS; q++) {
        serve(q, false); /* its last deed */
        t.unheard[q] |= t.runs[q];
        t.runs[q] = false;
    }
    close(t.peer);
    t.peer = -1;
    t.nwords = 0;
    t.deaths++;
}

/* ---- the guest ---- */

static void post(unsigned i)
{
    struct slot *s = &t.slot[i];
    unsigned q = i % 4 == 0 ? 0 : 1;
    struct fuse_in_header in = { .len = IN, .unique = i };
    struct buf b[2] = { { s->in, IN, 0 }, { s->out, OUT, D_WRITE } };

    if (!t.up || s->posted)
        return;
    memcpy(guest_at(&t.g, s->in, IN), &in, IN);
    memset(guest_at(&t.g, s->out, OUT), 0, OUT);
    s->posted = true;
    ring_add(&t.d.ring[q], b, 1 + q);
    guest_w(&t.g, t.d.bar + VIRTIO_BELL + 4ull * q, 2, q);
}

static void reap(unsigned q)
{
    struct ring *r = &t.d.ring[q];
    uint32_t id, len;

    while (ring_reap(r, &id, &len)) {
        struct fuse_out_header out = { 0 };
        uint64_t at;
        unsigned i = 0;

        memcpy(&at, guest_at(&t.g, r->desc + 16ull * id, 8), 8);
        while (i < SLOTS - 1 && t.slot[i].in != at)
            i++;
        assert_true(t.slot[i].in == at && t.slot[i].posted); /* and not answered before */
        t.slot[i].posted = false;
        if (q == 0) {
            assert_int_equal(len, 0);
            continue;
        }
        assert_int_equal(len, OUT);
        memcpy(&out, guest_at(&t.g, t.slot[i].out, OUT), OUT);
        assert_int_equal(out.unique, i);
        assert_true(out.error == -SERVED || (out.error == -ENOTCONN && t.peer < 0));
        t.served += out.error == -SERVED;
        t.refused += out.error == -ENOTCONN;
    }
}

static void set_bus(bool on)
{
    guest_w(&t.g, cfg(1, 4), 2, on ? 6 : 2);
    t.bus = on;
}

static void set_mask(unsigned v, bool on)
{
    guest_w(&t.g, t.d.bar + VIRTIO_TABLE + 16ull * v + 12, 4, on);
    t.masked[v] = on;
}

static void move_message(unsigned v)
{
    t.data[v] = 0x40 + any(100);
    guest_w(&t.g, t.d.bar + VIRTIO_TABLE + 16ull * v + 8, 4, t.data[v]);
}

static void move_queue(unsigned q)
{
    t.vector[q] = any(2);
    drv_w(&t.d, 0x16, 2, q);
    drv_w(&t.d, 0x1a, 2, t.vector[q]);
}

static void start_driver(void)
{
    t.g.next = t.start;
    drv_vectors(&t.d);
    drv_start(&t.d, any(2) ? VIRTIO_F_EVENT_IDX : 0, ENTRIES);
    for (unsigned i = 0; i < RINGS; i++) {
        t.vector[i] = 1;
        t.masked[i] = t.unheard[i] = false;
        t.data[i] = 0x40 + i;
    }
    for (unsigned i = 0; i < SLOTS; i++)
        t.slot[i].posted = false;
    t.up = true;
}

static void reset(void)
{
    uint8_t before[64], after[64];
    struct ring *r = &t.d.ring[1];

    drv_status(&t.d, 0);
    t.up = false;
    t.resets++;
    guest_settle(&t.g);
    listen_to_device();
    while (t.nwords) {
        assert_int_equal(drv_r(&t.d, 0x14, 1), 0xf);
        answer_device();
        guest_settle(&t.g);
    }
    assert_int_equal(drv_r(&t.d, 0x14, 1), 0);
    memcpy(before, guest_at(&t.g, r->used, 64), 64);
    guest_settle(&t.g);
    memcpy(after, guest_at(&t.g, r->used, 64), 64);
    assert_memory_equal(before, after, 64);
}

/* ---- what has to be so after each step ---- */

static void look(void)
{
    uint32_t was[256];

    memcpy(was, t.g.msi, sizeof(was));
    guest_settle(&t.g);
    assert_true(guest_idle(&t.g));
    assert_int_equal(t.g.mistakes, 0);
    assert_int_equal(t.g.peer_mistakes, 0);
    for (unsigned q = 0; q < RINGS; q++) {
        bool on = t.up && t.bus && !t.masked[t.vector[q]];

        if (t.unheard[q] && on)
            assert_true(t.g.msi[t.data[t.vector[q]]] != was[t.data[t.vector[q]]]);
        if (on)
            t.unheard[q] = false;
        if (t.up)
            reap(q);
    }
}

static void step(void)
{
    switch (any(16)) {
    default: post(any(SLOTS)); break;
    case 5:
    case 6:
    case 7:
    case 8: serve(any(2), true); break;
    case 9: listen_to_device(); break;
    case 10: answer_device(); break;
    case 11: set_mask(any(2), any(2)); break;
    case 12: move_message(any(2)); break;
    case 13: move_queue(any(2)); break;
    case 14:
        if (!any(8))
            set_bus(!t.bus);
        break;
    case 15:
        if (any(12))
            break;
        if (t.up)
            reset();
        set_bus(true);
        start_driver();
    }
    if (t.peer >= 0 && !any(2000))
        die();
    look();
}

static void hear_greeting(void)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * GMEM_REGIONS)];
        struct cmsghdr align;
    } beside;
    uint8_t bytes[512] = { 0 };

    for (unsigned n = 0; n < RINGS * 2 + 3;) {
        struct iovec iov = { bytes, sizeof(bytes) };
        struct msghdr h = { .msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = &beside,
                            .msg_controllen = sizeof(beside) };
        unsigned nfds = 0;

        assert_true(recvmsg(t.peer, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) > 0);
        if (CMSG_FIRSTHDR(&h)) /* a message with descriptors is read by itself */
            nfds = (unsigned)((CMSG_FIRSTHDR(&h)->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        if (nfds == 1)
            memcpy(n % 2 ? &t.kick[(n - 3) / 2] : &t.call[(n - 3) / 2],
                   CMSG_DATA(CMSG_FIRSTHDR(&h)), sizeof(int));
        for (unsigned i = 0; nfds == 2 && i < 2; i++)
            close(((int *)(void *)CMSG_DATA(CMSG_FIRSTHDR(&h)))[i]);
        n = nfds ? n + 1 : 3;
        n = nfds == 2 ? 3 : n;
    }
}

static void round_of(uint32_t seed)
{
    const uint64_t features = VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC |
                              VHOST_F_PROTOCOL_FEATURES;
    struct vhost_head h = { VHOST_GET_FEATURES, VHOST_VERSION | VHOST_REPLY, 8 };
    int pair[2];

    memset((char *)&t, 0, offsetof(typeof(t), served));
    t.random = seed;
    guest_init(&t.g, seed % 4 == 0);
    guest_share(&t.g);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    t.peer = pair[1];
    assert_int_equal(write(t.peer, &h, sizeof(h)), sizeof(h));
    assert_int_equal(write(t.peer, &features, 8), 8);
    guest_plug(&t.g, &t.d, fs_new(&t.g.host, pair[0], NULL));
    hear_greeting();
    t.bus = true;
    for (unsigned i = 0; i < SLOTS; i++) {
        t.slot[i].in = guest_alloc(&t.g, IN);
        t.slot[i].out = guest_alloc(&t.g, OUT);
    }
    t.start = t.g.next;
    start_driver();
    for (unsigned i = 0; i < STEPS; i++)
        step();
    /* In the end everything is answered. */
    set_bus(true);
    for (unsigned v = 0; v < 2; v++)
        set_mask(v, false);
    for (unsigned i = 0; i < 40 * SLOTS; i++) {
        listen_to_device();
        answer_device();
        serve(i % 2, true);
        look();
    }
    for (unsigned i = 0; i < SLOTS; i++)
        assert_false(t.slot[i].posted);
    guest_fini(&t.g);
    if (t.peer >= 0)
        close(t.peer);
    for (unsigned i = 0; i < RINGS; i++) {
        close(t.kick[i]);
        close(t.call[i]);
    }
}

static void any_order(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= ROUNDS; seed++)
        round_of(seed);
    print_message("%u served, %u refused, %u resets, %u deaths\n", t.served, t.refused, t.resets,
                  t.deaths);
    assert_true(t.served > 4000 && t.refused > 1000 && t.resets > 100 && t.deaths > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(any_order) };

    signal(SIGPIPE, SIG_IGN); /* as carrel-vmm */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
