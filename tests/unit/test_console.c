/* test_console.c - the wire: what the guest's ports and the host's sockets see of each other. */
#include "tests/unit/guest.h"

#include "vmm/virtio/console.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define READY 0u
#define ADD   1u
#define PORT  3u /* PORT_READY */
#define OPEN  6u
#define NAME  7u

#define RX(port) ((port) ? 2u * (port) + 2u : 0u)
#define TX(port) (RX(port) + 1u)

struct message {
    uint32_t id;
    uint16_t event, value;
    char text[56];
};

struct fixture {
    struct guest g;
    struct driver d;
    int peer[VMM_PORTS_MAX]; /* the host's ends */
    struct virtio_dev *dev;
    uint64_t inbox; /* of the control queue, 64 bytes each */
    unsigned nports;
};

static void plug(struct fixture *f, unsigned nports, uint64_t features)
{
    struct vmm_launch_port ports[VMM_PORTS_MAX];

    guest_init(&f->g, false);
    f->nports = nports;
    for (unsigned i = 0; i < nports; i++) {
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        ports[i].fd = pair[0];
        f->peer[i] = pair[1];
        memset(ports[i].name, 0, sizeof(ports[i].name));
        snprintf(ports[i].name, sizeof(ports[i].name), "carrel.port%u", i);
    }
    f->dev = console_new(&f->g.host, ports, nports, NULL);
    guest_plug(&f->g, &f->d, f->dev);
    drv_start(&f->d, features | 2, 32);
    f->inbox = guest_alloc(&f->g, 32ull * 64);
}

static void unplug(struct fixture *f)
{
    guest_fini(&f->g);
    for (unsigned i = 0; i < f->nports; i++)
        if (f->peer[i] >= 0)
            close(f->peer[i]);
}

/* Control buffers for the device: n more. */
static void offer_control(struct fixture *f, unsigned n)
{
    struct ring *r = &f->d.ring[2];

    while (n--) {
        struct buf b = { f->inbox + 64ull * (r->free % 32), 64, D_WRITE };

        ring_add(r, &b, 1);
    }
    drv_ring(&f->d);
}

static void control(struct fixture *f, uint32_t id, uint16_t event, uint16_t value)
{
    struct message m = { id, event, value, "" };
    struct buf b = { guest_put(&f->g, &m, 8), 8, 0 };

    ring_add(&f->d.ring[3], &b, 1);
    drv_ring(&f->d);
    assert_true(ring_reap(&f->d.ring[3], NULL, NULL));
}

/* The next control message the device sent; false when there is none. */
static bool heard(struct fixture *f, struct message *m)
{
    uint32_t id, len;

    memset(m, 0, sizeof(*m));
    if (!ring_reap(&f->d.ring[2], &id, &len))
        return false;
    assert_in_range(len, 8, 64);
    memcpy(m, guest_at(&f->g, f->inbox + 64ull * id, 64), len);
    return true;
}

static void expect(struct fixture *f, uint32_t id, uint16_t event, uint16_t value, const char *text)
{
    struct message m;

    assert_true(heard(f, &m));
    assert_int_equal(m.id, id);
    assert_int_equal(m.event, event);
    assert_int_equal(m.value, value);
    assert_string_equal(m.text, text);
}

/* As Linux does: announces itself, greets each port, opens it. */
static void hello(struct fixture *f)
{
    struct message m;

    offer_control(f, 16);
    control(f, 0xffffffff, READY, 1);
    for (unsigned i = 0; i < f->nports; i++) {
        control(f, i, PORT, 1);
        control(f, i, OPEN, 1);
    }
    while (heard(f, &m))
        ;
}

static uint64_t offer(struct fixture *f, unsigned port, uint32_t len)
{
    struct buf b = { guest_alloc(&f->g, len), len, D_WRITE };

    ring_add(&f->d.ring[RX(port)], &b, 1);
    drv_ring(&f->d);
    return b.at;
}

static void send_text(struct fixture *f, unsigned port, const char *text)
{
    struct buf b = { guest_put(&f->g, text, strlen(text)), (uint32_t)strlen(text), 0 };

    ring_add(&f->d.ring[TX(port)], &b, 1);
    drv_ring(&f->d);
}

static void r13_handshake(void **state)
{
    struct fixture f;
    struct message m;

    (void)state;
    plug(&f, 2, 0);
    assert_int_equal(guest_r(&f.g, f.d.bar + 4, 4), 2); /* max_nr_ports */
    assert_int_equal(drv_r(&f.d, 0x12, 2), 6);
    assert_int_equal(drv_offered(&f.d) & 7, 2); /* MULTIPORT, no emergency write, no size */
    offer_control(&f, 8);
    assert_false(heard(&f, &m)); /* the guest speaks first */
    control(&f, 0xffffffff, READY, 1);
    expect(&f, 0, ADD, 1, "");
    expect(&f, 1, ADD, 1, "");
    assert_false(heard(&f, &m));
    control(&f, 1, PORT, 1);
    expect(&f, 1, NAME, 1, "carrel.port1");
    expect(&f, 1, OPEN, 1, "");
    assert_false(heard(&f, &m));
    assert_int_equal(f.g.mistakes, 0);
    unplug(&f);
}

static void r13_few_control_buffers(void **state)
{
    struct fixture f;
    struct message m;

    (void)state;
    plug(&f, 3, VIRTIO_F_EVENT_IDX);
    control(&f, 0, READY, 1);
    for (unsigned i = 0; i < 3; i++) {
        offer_control(&f, 1);
        expect(&f, i, ADD, 1, "");
        assert_false(heard(&f, &m));
    }
    control(&f, 2, PORT, 1);
    control(&f, 0, PORT, 1);
    offer_control(&f, 2);
    expect(&f, 0, NAME, 1, "carrel.port0");
    expect(&f, 0, OPEN, 1, "");
    offer_control(&f, 2);
    expect(&f, 2, NAME, 1, "carrel.port2");
    expect(&f, 2, OPEN, 1, "");
    unplug(&f);
}

static void r13_nonsense_is_ignored(void **state)
{
    static const uint32_t ids[] = { 0, 1, 2, 3, 31, 0x7fffffff, 0xffffffff };
    struct fixture f;
    struct message m;
    unsigned said = 0;

    (void)state;
    plug(&f, 2, 0);
    offer_control(&f, 32);
    for (unsigned event = 1; event < 70; event++)
        for (unsigned i = 0; i < array_len(ids); i++) {
            f.g.next = 0x100000;
            control(&f, ids[i], (uint16_t)(event < 60 ? event : 65535 - event), 0xffff);
        }
    /* A storm: resizes, and READY ten thousand times, of which each port is told once a buffer. */
    for (unsigned i = 0; i < 10000; i++) {
        f.g.next = 0x100000;
        control(&f, i, 5, 1);
        control(&f, 0, READY, 1);
    }
    while (heard(&f, &m)) {
        assert_in_range(m.id, 0, 1);
        said++;
    }
    assert_int_equal(said, 32);
    assert_false(drv_broken(&f.d));
    assert_int_equal(f.g.mistakes, 0);
    unplug(&f);
}

static void r13_short_messages_and_buffers(void **state)
{
    struct fixture f;
    struct buf b = { 0x100000, 7, 0 };

    (void)state;
    plug(&f, 1, 0);
    ring_add(&f.d.ring[3], &b, 1); /* a message cut short means nothing */
    drv_ring(&f.d);
    assert_true(ring_reap(&f.d.ring[3], NULL, NULL));
    assert_false(drv_broken(&f.d));
    b.flags = D_WRITE; /* no room for any message */
    ring_add(&f.d.ring[2], &b, 1);
    control(&f, 0, READY, 1);
    assert_true(drv_broken(&f.d));
    unplug(&f);
}

static void both_directions(void **state)
{
    struct fixture f;
    char got[64] = "";
    uint64_t at;
    uint32_t len;

    (void)state;
    plug(&f, 3, VIRTIO_F_EVENT_IDX);
    hello(&f);
    for (unsigned p = 0; p < 3; p++) {
        send_text(&f, p, "to the host");
        assert_int_equal(read(f.peer[p], got, sizeof(got)), 11);
        assert_memory_equal(got, "to the host", 11);
        assert_true(ring_reap(&f.d.ring[TX(p)], NULL, &len));
        assert_int_equal(len, 0);
        at = offer(&f, p, 64);
        assert_false(ring_reap(&f.d.ring[RX(p)], NULL, NULL));
        assert_int_equal(write(f.peer[p], "to the guest", 12), 12);
        guest_settle(&f.g);
        assert_true(ring_reap(&f.d.ring[RX(p)], NULL, &len));
        assert_int_equal(len, 12);
        assert_memory_equal(guest_at(&f.g, at, 12), "to the guest", 12);
    }
    unplug(&f);
}

static void host_bytes_wait_for_open_port_and_buffers(void **state)
{
    struct fixture f;
    uint64_t at;
    uint32_t len;
    char big[10];

    (void)state;
    plug(&f, 1, 0);
    offer_control(&f, 8);
    at = offer(&f, 0, 4);
    assert_int_equal(write(f.peer[0], "0123456789", 10), 10);
    guest_settle(&f.g);
    assert_false(ring_reap(&f.d.ring[0], NULL, NULL)); /* not open */
    control(&f, 0, OPEN, 1);
    assert_true(ring_reap(&f.d.ring[0], NULL, &len));
    assert_int_equal(len, 4);
    assert_memory_equal(guest_at(&f.g, at, 4), "0123", 4);
    guest_settle(&f.g);
    assert_false(ring_reap(&f.d.ring[0], NULL, NULL)); /* no buffer */
    /* With bytes waiting and no room, the loop has nothing to do: it does not spin. */
    assert_true(guest_idle(&f.g));
    at = offer(&f, 0, 64);
    assert_true(ring_reap(&f.d.ring[0], NULL, &len));
    assert_int_equal(len, 6);
    assert_memory_equal(guest_at(&f.g, at, 6), "456789", 6);
    control(&f, 0, OPEN, 0);
    offer(&f, 0, 64);
    assert_int_equal(write(f.peer[0], "later", 5), 5);
    guest_settle(&f.g);
    assert_false(ring_reap(&f.d.ring[0], NULL, NULL));
    control(&f, 0, OPEN, 1);
    assert_true(ring_reap(&f.d.ring[0], NULL, &len));
    assert_int_equal(len, 5);
    assert_int_equal(recv(f.peer[0], big, sizeof(big), MSG_DONTWAIT), -1);
    unplug(&f);
}

/* Much more than socket and rings hold, both ways, in pieces that fit nothing. */
static void back_pressure(void **state)
{
    struct fixture f;
    struct ring *tx, *rx;
    uint32_t out = 0, in = 0, sent = 0, taken = 0, n = 0, id, len;
    uint64_t tx_at, rx_at;
    uint8_t buf[7001];
    const uint32_t total = 3000000;

    (void)state;
    plug(&f, 2, VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC);
    hello(&f);
    tx = &f.d.ring[TX(1)];
    rx = &f.d.ring[RX(1)];
    tx_at = guest_alloc(&f.g, 32ull * 8192);
    rx_at = guest_alloc(&f.g, 32ull * 4096);
    /* The guest writes until the socket is full and the ring too. */
    for (; n < 32; n++) {
        uint8_t *p = guest_at(&f.g, tx_at + n * 8192ull, 8192);
        struct buf b = { tx_at + n * 8192ull, 8191, 0 };

        for (unsigned i = 0; i < 8191; i++)
            p[i] = (uint8_t)((out + i) % 251);
        out += 8191;
        ring_add(tx, &b, 1);
    }
    drv_ring(&f.d);
    while (in < total) {
        ssize_t got = recv(f.peer[1], buf, sizeof(buf), MSG_DONTWAIT);

        for (ssize_t i = 0; i < got; i++)
            assert_int_equal(buf[i], (in + (uint32_t)i) % 251);
        in += got > 0 ? (uint32_t)got : 0;
        guest_settle(&f.g);
        while (ring_reap(tx, &id, &len)) { /* and again */
            uint8_t *p = guest_at(&f.g, tx_at + id * 8192ull, 8192);
            struct buf b = { tx_at + id * 8192ull, 8191, 0 };

            assert_int_equal(id, tx->free % 32);
            for (unsigned i = 0; i < 8191; i++)
                p[i] = (uint8_t)((out + i) % 251);
            out += 8191;
            ring_add(tx, &b, 1);
            drv_ring(&f.d);
        }
    }
    while (taken < total) {
        for (unsigned i = 0; i < sizeof(buf); i++)
            buf[i] = (uint8_t)((sent + i) % 241);
        ssize_t put = send(f.peer[1], buf, sizeof(buf), MSG_DONTWAIT);

        sent += put > 0 ? (uint32_t)put : 0;
        while ((uint16_t)(rx->idx - rx->seen) < 32) {
            struct buf b = { rx_at + (rx->free % 32) * 4096ull, 1000 + rx->free % 3000u, D_WRITE };

            ring_add(rx, &b, 1);
        }
        drv_ring(&f.d);
        while (ring_reap(rx, &id, &len)) {
            uint8_t *p = guest_at(&f.g, rx_at + id * 4096ull, len);

            for (uint32_t i = 0; i < len; i++)
                assert_int_equal(p[i], (taken + i) % 241);
            taken += len;
        }
    }
    assert_false(drv_broken(&f.d));
    unplug(&f);
}

/* One chain of more buffers, and of more bytes, than go in one system call. */
static void long_chains(void **state)
{
    struct fixture f;
    struct buf b[30];
    uint64_t at, table;
    uint8_t buf[8192];
    uint32_t in = 0;

    (void)state;
    plug(&f, 1, VIRTIO_F_INDIRECT_DESC);
    hello(&f);
    table = guest_alloc(&f.g, 32ull * 16);
    at = guest_alloc(&f.g, 32ull * 65536);
    for (unsigned i = 0; i < 32; i++) {
        memset(guest_at(&f.g, at + i * 65536ull, 65536), (int)i, 65536);
        put_desc(&f.g, table, i, at + i * 65536ull, i == 7 ? 0 : 65536, i < 31 ? D_NEXT : 0,
                 (uint16_t)(i + 1));
    }
    b[0] = (struct buf){ table, 512, D_INDIRECT };
    ring_add(&f.d.ring[1], b, 1);
    drv_ring(&f.d);
    while (in < 31 * 65536) {
        ssize_t got = recv(f.peer[0], buf, sizeof(buf), MSG_DONTWAIT);

        for (ssize_t i = 0; i < got; i++) {
            uint32_t part = (in + (uint32_t)i) / 65536;

            assert_int_equal(buf[i], part < 7 ? part : part + 1);
        }
        in += got > 0 ? (uint32_t)got : 0;
        guest_settle(&f.g);
    }
    assert_true(ring_reap(&f.d.ring[1], NULL, NULL));
    assert_false(ring_reap(&f.d.ring[1], NULL, NULL));
    /* Many small chains with many buffers each: more buffers than a batch has. */
    for (unsigned k = 0; k < 6; k++) {
        for (unsigned i = 0; i < 5; i++)
            b[i] = (struct buf){ at + 65536ull * (5 * k + i), 3, 0 };
        ring_add(&f.d.ring[1], b, 5);
    }
    drv_ring(&f.d);
    assert_int_equal(recv(f.peer[0], buf, sizeof(buf), MSG_DONTWAIT), 90);
    for (unsigned i = 0; i < 90; i++)
        assert_int_equal(buf[i], i / 3);
    unplug(&f);
}

/* A port with two more peers to come: each has its place at once, in their order. */
static void the_next_peer(void **state)
{
    struct fixture f;
    char got[64];
    int one[2], two[2];

    (void)state;
    plug(&f, 1, 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, one), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, two), 0);
    assert_int_equal(console_add_spares(f.dev, (int32_t[]){ one[0], two[0] }, 2, NULL), 0);
    assert_true(fcntl(one[0], F_GETFL) & O_NONBLOCK);
    hello(&f);
    assert_int_equal(write(one[1], "new", 3), 3); /* before anybody has read the last */
    assert_int_equal(write(f.peer[0], "old", 3), 3);
    close(f.peer[0]);
    f.peer[0] = -1;
    for (int i = 0; i < 3; i++) {
        offer(&f, 0, 64);
        guest_settle(&f.g);
    }
    expect(&f, 0, OPEN, 1, "");
    assert_true(ring_reap(&f.d.ring[0], NULL, NULL)); /* "old", then "new" */
    assert_true(ring_reap(&f.d.ring[0], NULL, NULL));
    send_text(&f, 0, "hello");
    assert_int_equal(recv(one[1], got, sizeof(got), MSG_DONTWAIT), 5);
    assert_memory_equal(got, "hello", 5);
    assert_int_equal(recv(two[1], got, sizeof(got), MSG_DONTWAIT), -1);
    close(one[1]);
    guest_settle(&f.g);
    expect(&f, 0, OPEN, 1, "");
    while (ring_reap(&f.d.ring[1], NULL, NULL))
        ;
    send_text(&f, 0, "again");
    assert_int_equal(recv(two[1], got, sizeof(got), MSG_DONTWAIT), 5);
    close(two[1]); /* that was the last: gone for good */
    guest_settle(&f.g);
    expect(&f, 0, OPEN, 0, "");
    assert_false(heard(&f, &(struct message){ 0 }));
    assert_true(guest_idle(&f.g));
    unplug(&f);
}

/* More buffers in one chain than a system call takes: sent in parts, given back once. */
static void chain_of_many_buffers(void **state)
{
    struct vmm_launch_port port = { .name = "x" };
    struct fixture f = { .nports = 1 };
    struct buf ref;
    uint64_t table, at;
    uint8_t got[512];
    int pair[2];

    (void)state;
    guest_init(&f.g, false);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    port.fd = pair[0];
    f.peer[0] = pair[1];
    guest_plug(&f.g, &f.d, console_new(&f.g.host, &port, 1, NULL));
    drv_start(&f.d, 2 | VIRTIO_F_INDIRECT_DESC, 128);
    table = guest_alloc(&f.g, 128ull * 16);
    at = guest_alloc(&f.g, 512);
    for (unsigned i = 0; i < 512; i++)
        *(uint8_t *)guest_at(&f.g, at + i, 1) = (uint8_t)i;
    for (unsigned i = 0; i < 128; i++)
        put_desc(&f.g, table, i, at + 3ull * i, 3, i < 127 ? D_NEXT : 0, (uint16_t)(i + 1));
    ref = (struct buf){ table, 128 * 16, D_INDIRECT };
    ring_add(&f.d.ring[1], &ref, 1);
    drv_ring(&f.d);
    assert_true(ring_reap(&f.d.ring[1], NULL, NULL));
    assert_false(ring_reap(&f.d.ring[1], NULL, NULL));
    assert_int_equal(recv(f.peer[0], got, sizeof(got), MSG_DONTWAIT), 384);
    for (unsigned i = 0; i < 384; i++)
        assert_int_equal(got[i], (uint8_t)i);
    unplug(&f);
}

static void empty_chains(void **state)
{
    struct fixture f;
    struct buf b = { 0x100000, 0, 0 };
    char got[8];

    (void)state;
    plug(&f, 1, 0);
    hello(&f);
    ring_add(&f.d.ring[1], &b, 1);
    drv_ring(&f.d);
    assert_true(ring_reap(&f.d.ring[1], NULL, NULL));
    send_text(&f, 0, "x");
    assert_int_equal(recv(f.peer[0], got, sizeof(got), MSG_DONTWAIT), 1);
    b.flags = D_WRITE; /* a receive buffer without room would be asked for ever */
    ring_add(&f.d.ring[0], &b, 1);
    assert_int_equal(write(f.peer[0], "y", 1), 1);
    drv_ring(&f.d);
    assert_true(drv_broken(&f.d));
    unplug(&f);
}

static void wrong_direction(void **state)
{
    (void)state;
    for (unsigned queue = 0; queue < 2; queue++) {
        struct fixture f;
        struct buf b = { 0x100000, 8, queue ? D_WRITE : 0 };

        plug(&f, 1, 0);
        hello(&f);
        assert_int_equal(write(f.peer[0], "y", 1), 1);
        ring_add(&f.d.ring[queue], &b, 1);
        drv_ring(&f.d);
        assert_true(drv_broken(&f.d));
        unplug(&f);
    }
}

/* A guest that shortens a chain which is half sent is told off; nothing is read past its end. */
static void chain_shortened_meanwhile(void **state)
{
    struct fixture f;
    struct buf b = { 0x100000, 1 << 20, 0 };
    uint8_t buf[4096];

    (void)state;
    plug(&f, 1, 0);
    hello(&f);
    ring_add(&f.d.ring[1], &b, 1);
    drv_ring(&f.d);
    assert_false(ring_reap(&f.d.ring[1], NULL, NULL));
    put_desc(&f.g, f.d.ring[1].desc, 0, 0x100000, 16, 0, 0);
    while (recv(f.peer[0], buf, sizeof(buf), MSG_DONTWAIT) > 0)
        ;
    guest_settle(&f.g);
    assert_true(drv_broken(&f.d));
    unplug(&f);
}

static void peer_goes_away(void **state)
{
    struct fixture f;
    struct message m;
    uint64_t at;
    uint32_t len;

    (void)state;
    plug(&f, 2, 0);
    hello(&f);
    offer_control(&f, 8);
    assert_int_equal(write(f.peer[1], "last words", 10), 10);
    close(f.peer[1]);
    f.peer[1] = -1;
    guest_settle(&f.g);
    assert_false(heard(&f, &m)); /* there is something to read yet */
    at = offer(&f, 1, 64);
    assert_true(ring_reap(&f.d.ring[RX(1)], NULL, &len));
    assert_int_equal(len, 10);
    assert_memory_equal(guest_at(&f.g, at, 10), "last words", 10);
    offer(&f, 1, 64);
    expect(&f, 1, OPEN, 0, "");
    assert_false(heard(&f, &m));
    send_text(&f, 1, "into the void"); /* does not hang the guest */
    assert_true(ring_reap(&f.d.ring[TX(1)], NULL, NULL));
    send_text(&f, 0, "still here");
    assert_true(ring_reap(&f.d.ring[TX(0)], NULL, NULL));
    assert_true(guest_idle(&f.g));
    unplug(&f);
}

/* The guest finds out by writing; what the peer said before is not lost. */
static void peer_goes_away_while_guest_writes(void **state)
{
    struct fixture f;
    uint32_t len;

    (void)state;
    plug(&f, 1, 0);
    hello(&f);
    offer_control(&f, 8);
    assert_int_equal(write(f.peer[0], "bye", 3), 3);
    close(f.peer[0]);
    f.peer[0] = -1;
    send_text(&f, 0, "hello?");
    assert_true(ring_reap(&f.d.ring[1], NULL, NULL));
    offer(&f, 0, 16);
    assert_true(ring_reap(&f.d.ring[0], NULL, &len));
    assert_int_equal(len, 3);
    offer(&f, 0, 16);
    expect(&f, 0, OPEN, 0, "");
    unplug(&f);
}

static void peer_gone_before_the_guest_came(void **state)
{
    struct fixture f;
    struct message m;

    (void)state;
    plug(&f, 1, 0);
    close(f.peer[0]);
    f.peer[0] = -1;
    guest_settle(&f.g);
    assert_true(guest_idle(&f.g)); /* does not spin on the hang-up */
    offer_control(&f, 8);
    control(&f, 0, READY, 1);
    control(&f, 0, PORT, 1);
    control(&f, 0, OPEN, 1);
    offer(&f, 0, 16);
    while (heard(&f, &m))
        ;
    control(&f, 0, PORT, 1);
    expect(&f, 0, NAME, 1, "carrel.port0");
    expect(&f, 0, OPEN, 0, "");
    unplug(&f);
}

/* A port the guest was not told of yet is not spoken about. */
static void peer_gone_before_the_port_was_known(void **state)
{
    struct fixture f;
    struct message m;

    (void)state;
    plug(&f, 1, 0);
    close(f.peer[0]);
    f.peer[0] = -1;
    offer_control(&f, 8);
    control(&f, 0, OPEN, 1);
    offer(&f, 0, 16);
    guest_settle(&f.g);
    assert_false(heard(&f, &m));
    control(&f, 0, PORT, 1);
    expect(&f, 0, NAME, 1, "carrel.port0");
    expect(&f, 0, OPEN, 0, "");
    unplug(&f);
}

static unsigned open_files(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* R12: the guest closes and opens its port in the middle of everything, and resets the device. */
static void r12_reopened_ten_thousand_times(void **state)
{
    struct fixture f;
    unsigned files;
    char got[64];

    (void)state;
    plug(&f, 2, 0);
    hello(&f);
    files = open_files();
    for (unsigned i = 0; i < 10000; i++) {
        f.g.next = 0x100000;
        control(&f, 1, OPEN, 0);
        send_text(&f, 1, "half a fra");
        assert_true(ring_reap(&f.d.ring[TX(1)], NULL, NULL));
        assert_int_equal(read(f.peer[1], got, sizeof(got)), 10);
        control(&f, 1, OPEN, 1);
    }
    assert_int_equal(open_files(), files);
    for (unsigned i = 0; i < 100; i++) {
        f.g.next = 0x100000;
        assert_int_equal(write(f.peer[1], "z", 1), 1);
        drv_start(&f.d, 2, 32);
        f.inbox = guest_alloc(&f.g, 32ull * 64);
        hello(&f);
    }
    f.g.next = 0x200000;
    offer(&f, 1, 4096);
    assert_true(ring_reap(&f.d.ring[RX(1)], NULL, NULL));
    assert_int_equal(open_files(), files);
    assert_int_equal(f.g.mistakes, 0);
    unplug(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(r13_handshake),
        cmocka_unit_test(r13_few_control_buffers),
        cmocka_unit_test(r13_nonsense_is_ignored),
        cmocka_unit_test(r13_short_messages_and_buffers),
        cmocka_unit_test(both_directions),
        cmocka_unit_test(host_bytes_wait_for_open_port_and_buffers),
        cmocka_unit_test(back_pressure),
        cmocka_unit_test(long_chains),
        cmocka_unit_test(chain_of_many_buffers),
        cmocka_unit_test(the_next_peer),
        cmocka_unit_test(peer_gone_before_the_port_was_known),
        cmocka_unit_test(empty_chains),
        cmocka_unit_test(wrong_direction),
        cmocka_unit_test(chain_shortened_meanwhile),
        cmocka_unit_test(peer_goes_away),
        cmocka_unit_test(peer_goes_away_while_guest_writes),
        cmocka_unit_test(peer_gone_before_the_guest_came),
        cmocka_unit_test(r12_reopened_ten_thousand_times),
    };

    signal(SIGPIPE, SIG_IGN); /* as carrel-vmm */
    return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
