/* test_fs.c - the file system device: a driver on one side, a vhost-user server that is this test
 * on the other, and each of them breaking the rules. */
#include "tests/unit/guest.h"

#include "base/vhost.h"
#include "vmm/virtio/fs.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#define IN      sizeof(struct fuse_in_header)
#define OUT     sizeof(struct fuse_out_header)
#define ENTRIES 128u
#define RINGS   2u
#define FEATURES \
    (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC | VHOST_F_PROTOCOL_FEATURES)

/* A thousand times faster: the device's seconds. */
int timerfd_settime(int fd, int flags, const struct itimerspec *t, struct itimerspec *old)
{
    struct itimerspec fast = *t;

    fast.it_value.tv_nsec = fast.it_value.tv_sec * 1000000;
    fast.it_value.tv_sec = 0;
    return (int)syscall(SYS_timerfd_settime, fd, flags, &fast, old);
}

struct fixture {
    struct guest g;
    struct driver d;
    int own;  /* the device's end, borrowed */
    int peer; /* the server's end; -1 once it died */
    int kick[RINGS], call[RINGS], ram;
    struct vhost_memory table;
};

struct said {
    struct vhost_head head;
    union {
        uint64_t u64;
        struct vhost_memory memory;
        struct vhost_vring_state state;
        struct vhost_vring_addr addr;
    } body;
    int fd[GMEM_REGIONS];
    unsigned nfds;
};

/* ---- the server's ears and mouth ---- */

static bool anything(const struct fixture *f)
{
    uint8_t byte;

    return recv(f->peer, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static struct said hear(struct fixture *f, uint32_t request, uint32_t size)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * GMEM_REGIONS)];
        struct cmsghdr align;
    } beside;
    struct said s = { 0 };
    struct iovec iov = { &s.head, sizeof(s.head) };
    struct msghdr h = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &beside, .msg_controllen = sizeof(beside)
    };

    assert_int_equal(recvmsg(f->peer, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC), sizeof(s.head));
    if (CMSG_FIRSTHDR(&h)) {
        s.nfds = (unsigned)((CMSG_FIRSTHDR(&h)->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(s.fd, CMSG_DATA(CMSG_FIRSTHDR(&h)), s.nfds * sizeof(int));
    }
    assert_int_equal(s.head.request, request);
    assert_int_equal(s.head.flags, VHOST_VERSION);
    assert_int_equal(s.head.size, size);
    if (size) /* reading nothing would lose what comes beside the next one */
        assert_int_equal(recv(f->peer, &s.body, size, MSG_DONTWAIT), size);
    return s;
}

static void utter(int fd, uint32_t request, uint32_t flags, uint32_t size, const void *body,
                  size_t len)
{
    struct vhost_head h = { request, flags, size };
    uint8_t bytes[64];

    memcpy(bytes, &h, sizeof(h));
    memcpy(bytes + sizeof(h), body, len);
    assert_int_equal(write(fd, bytes, sizeof(h) + len), sizeof(h) + len);
}

static void promise(int fd, uint64_t features)
{
    utter(fd, VHOST_GET_FEATURES, VHOST_VERSION | VHOST_REPLY, 8, &features, 8);
}

static void hear_greeting(struct fixture *f)
{
    struct said s;

    hear(f, VHOST_SET_OWNER, 0);
    hear(f, VHOST_GET_FEATURES, 0);
    s = hear(f, VHOST_SET_MEM_TABLE, 8 + 2 * sizeof(struct vhost_region));
    assert_int_equal(s.nfds, 2);
    f->table = s.body.memory;
    f->ram = s.fd[0];
    close(s.fd[1]);
    for (unsigned i = 0; i < RINGS; i++) {
        s = hear(f, VHOST_SET_VRING_KICK, 8);
        assert_int_equal(s.body.u64, i);
        assert_int_equal(s.nfds, 1);
        f->kick[i] = s.fd[0];
        s = hear(f, VHOST_SET_VRING_CALL, 8);
        assert_int_equal(s.body.u64, i);
        assert_int_equal(s.nfds, 1);
        f->call[i] = s.fd[0];
    }
    assert_false(anything(f));
}

/* Everything up to where the driver comes. */
static void plug_silent(struct fixture *f, bool trap_all)
{
    int pair[2];

    memset(f, 0, sizeof(*f));
    guest_init(&f->g, trap_all);
    guest_share(&f->g);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    f->own = pair[0];
    f->peer = pair[1];
    promise(f->peer, FEATURES | 1u << 26); /* and one that we do not know */
    guest_plug(&f->g, &f->d, fs_new(&f->g.host, pair[0], NULL));
    hear_greeting(f);
}

static bool rung(int efd)
{
    eventfd_t n;

    return !eventfd_read(efd, &n);
}

static struct vhost_vring_addr hear_ring(struct fixture *f, unsigned i, uint16_t base)
{
    struct said s = hear(f, VHOST_SET_VRING_NUM, 8), at;

    assert_int_equal(s.body.state.index, i);
    assert_int_equal(s.body.state.num, ENTRIES);
    s = hear(f, VHOST_SET_VRING_BASE, 8);
    assert_int_equal(s.body.state.index, i);
    assert_int_equal(s.body.state.num, base);
    at = hear(f, VHOST_SET_VRING_ADDR, 40);
    assert_int_equal(at.body.addr.index, i);
    assert_int_equal(at.body.addr.flags, 0);
    assert_int_equal(at.body.addr.log, 0);
    s = hear(f, VHOST_SET_VRING_ENABLE, 8);
    assert_int_equal(s.body.state.index, i);
    assert_int_equal(s.body.state.num, 1);
    return at.body.addr;
}

/* The device says that there is a driver, whose features these are. */
static void hear_start(struct fixture *f, uint64_t features)
{
    struct said s = hear(f, VHOST_SET_FEATURES, 8);

    assert_int_equal(s.body.u64, features | VIRTIO_F_VERSION_1 | VHOST_F_PROTOCOL_FEATURES);
    for (unsigned i = 0; i < RINGS; i++) {
        struct vhost_vring_addr at = hear_ring(f, i, 0);

        assert_int_equal(at.desc, f->d.ring[i].desc);
        assert_int_equal(at.avail, f->d.ring[i].avail);
        assert_int_equal(at.used, f->d.ring[i].used);
    }
    assert_false(anything(f));
    for (unsigned i = 0; i < RINGS; i++) /* for what was asked before */
        assert_true(rung(f->kick[i]));
}

static void plug(struct fixture *f, uint64_t features)
{
    plug_silent(f, false);
    drv_start(&f->d, features, ENTRIES);
    hear_start(f, features);
}

static void unplug(struct fixture *f)
{
    guest_fini(&f->g);
    if (f->peer >= 0)
        close(f->peer);
    for (unsigned i = 0; i < RINGS; i++) {
        close(f->kick[i]);
        close(f->call[i]);
    }
    close(f->ram);
}

static void hear_stop(struct fixture *f)
{
    for (unsigned i = 0; i < RINGS; i++) {
        struct said s = hear(f, VHOST_GET_VRING_BASE, 8);

        assert_int_equal(s.body.state.index, i);
    }
    assert_false(anything(f));
}

static void tell_base(struct fixture *f, uint32_t index, uint32_t num)
{
    const struct vhost_vring_state state = { index, num };

    utter(f->peer, VHOST_GET_VRING_BASE, VHOST_VERSION | VHOST_REPLY, 8, &state, 8);
    guest_settle(&f->g);
}

static uint8_t status(struct fixture *f)
{
    return (uint8_t)drv_r(&f->d, 0x14, 1);
}

/* ---- the guest's requests ---- */

struct ask {
    uint64_t unique, in, out; /* where in its memory */
};

static struct ask post(struct fixture *f, unsigned queue, uint64_t unique, uint32_t len,
                       uint32_t room)
{
    struct fuse_in_header h = { .len = len, .opcode = FUSE_LOOKUP, .unique = unique };
    struct ask a = { unique, guest_alloc(&f->g, IN), guest_alloc(&f->g, OUT + 64) };
    struct buf b[2] = { { a.in, len, 0 }, { a.out, room, D_WRITE } };

    memcpy(guest_at(&f->g, a.in, IN), &h, IN);
    memset(guest_at(&f->g, a.out, OUT + 64), 0xee, OUT + 64);
    ring_add(&f->d.ring[queue], b, room ? 2 : 1);
    guest_w(f->d.g, f->d.bar + VIRTIO_BELL + 4ull * queue, 2, queue);
    return a;
}

static struct ask ask(struct fixture *f, uint64_t unique)
{
    return post(f, 1, unique, IN, OUT + 32);
}

static struct ask forget(struct fixture *f)
{
    return post(f, 0, 0, IN, 0);
}

/* The server answers so many of a ring. */
static void serve(struct fixture *f, unsigned queue, unsigned n)
{
    struct ring *r = &f->d.ring[queue];
    uint16_t used = ring_word(r, r->used + 2);

    while (n--) {
        uint32_t e[2] = { *(uint16_t *)guest_at(&f->g, r->avail + 4 + 2ull * (used % r->size), 2),
                          16 };

        memcpy(guest_at(&f->g, r->used + 4 + 8ull * (used % r->size), 8), e, 8);
        ring_set_word(r, r->used + 2, ++used);
    }
}

/* The next in the used ring is the answer of a device without a server. */
static void refused(struct fixture *f, const struct ask *a)
{
    struct fuse_out_header h;
    const uint8_t *at = guest_at(&f->g, a->out, OUT + 64);
    uint32_t len;

    assert_true(ring_reap(&f->d.ring[1], NULL, &len));
    assert_int_equal(len, OUT);
    memcpy(&h, at, sizeof(h));
    assert_int_equal(h.len, OUT);
    assert_int_equal(h.error, -ENOTCONN);
    assert_int_equal(h.unique, a->unique);
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(at[OUT + i], 0xee);
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
    unsigned cap;

    (void)state;
    plug_silent(&f, false);
    assert_int_equal(guest_r(&f.g, cfg(1, 2), 2), 0x1040 + 26);
    for (unsigned i = 0; i < 36; i++)
        tag[i] = (char)guest_r(&f.g, f.d.bar + i, 1);
    assert_string_equal(tag, "carrel.files");
    assert_int_equal(guest_r(&f.g, f.d.bar + 36, 4), 1);
    assert_int_equal(drv_r(&f.d, 0x12, 2), 2);
    assert_int_equal(drv_offered(&f.d),
                     VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC);
    for (unsigned i = 0; i < 2; i++) { /* each queue has its own doorbell */
        drv_w(&f.d, 0x16, 2, i);
        assert_int_equal(drv_r(&f.d, 0x1e, 2), i);
    }
    for (cap = guest_r(&f.g, cfg(1, 0x34), 1); guest_r(&f.g, cfg(1, cap + 3), 1) != 2;)
        cap = guest_r(&f.g, cfg(1, cap + 1), 1);
    assert_int_equal(guest_r(&f.g, cfg(1, cap + 12), 4), 8);
    assert_int_equal(guest_r(&f.g, cfg(1, cap + 16), 4), 4);
    unplug(&f);
}

static void memory_is_lent_as_the_guest_counts_it(void **state)
{
    struct fixture f;

    (void)state;
    plug_silent(&f, false);
    assert_int_equal(f.table.n, 2);
    for (unsigned i = 0; i < 2; i++) {
        const struct vhost_region *r = &f.table.region[i];
        const struct gmem_region *m = &f.g.mem.region[i];
        uint8_t *at =
            mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, f.ram, (off_t)r->offset);

        assert_int_equal(r->guest, m->base);
        assert_int_equal(r->size, m->size);
        assert_int_equal(r->user, m->base); /* no pointer of ours */
        assert_ptr_not_equal(at, MAP_FAILED);
        at[4097] = (uint8_t)(7 + i);
        assert_int_equal(m->host[4097], 7 + i);
        munmap(at, r->size);
    }
    unplug(&f);
}

/* Neither an exit nor the I/O thread: a request and its answer go past us. */
static void doorbells_and_interrupts_go_past(void **state)
{
    struct fixture f;
    unsigned exits;

    (void)state;
    plug(&f, VIRTIO_F_EVENT_IDX);
    exits = f.g.exits;
    ask(&f, 2);
    assert_int_equal(f.g.exits, exits);
    assert_true(guest_idle(&f.g));
    assert_true(rung(f.kick[1]));
    assert_false(rung(f.kick[0]));
    forget(&f);
    assert_true(rung(f.kick[0]));
    assert_false(rung(f.kick[1]));
    serve(&f, 1, 1);
    eventfd_write(f.call[1], 1);
    assert_true(guest_idle(&f.g));
    guest_hear_lines(&f.g);
    assert_int_equal(f.g.msi[0x41], 1);
    assert_int_equal(f.g.msis, 1);
    assert_true(ring_reap(&f.d.ring[1], NULL, NULL));
    nothing_more(&f);
    unplug(&f);
}

static void a_host_that_traps_doorbells(void **state)
{
    struct fixture f;

    (void)state;
    plug_silent(&f, true);
    drv_start(&f.d, 0, ENTRIES);
    hear_start(&f, 0);
    forget(&f);
    assert_true(rung(f.kick[0]) && !rung(f.kick[1]));
    ask(&f, 2);
    assert_true(!rung(f.kick[0]) && rung(f.kick[1]));
    guest_w(&f.g, f.d.bar + VIRTIO_BELL + 8, 2, 2); /* of no queue */
    assert_true(!rung(f.kick[0]) && !rung(f.kick[1]));
    unplug(&f);
}

/* ---- interrupts ---- */

static void signal_all(struct fixture *f)
{
    for (unsigned i = 0; i < RINGS; i++)
        eventfd_write(f->call[i], 1);
    guest_settle(&f->g);
}

static void mask(struct fixture *f, unsigned v, bool on)
{
    guest_w(&f->g, f->d.bar + VIRTIO_TABLE + 16ull * v + 12, 4, on);
    guest_hear_lines(&f->g);
}

static void what_is_masked_waits(void **state)
{
    struct fixture f;

    (void)state;
    plug(&f, 0);
    mask(&f, 1, true);
    signal_all(&f);
    signal_all(&f);
    assert_int_equal(f.g.msis, 0);
    mask(&f, 0, false); /* of another */
    assert_int_equal(f.g.msis, 0);
    mask(&f, 1, false);
    assert_int_equal(f.g.msi[0x41], 2); /* one of each queue */
    assert_int_equal(f.g.msis, 2);
    signal_all(&f);
    assert_int_equal(f.g.msi[0x41], 4);
    unplug(&f);
}

static void a_vector_that_moves(void **state)
{
    struct fixture f;

    (void)state;
    plug(&f, 0);
    signal_all(&f);
    assert_int_equal(f.g.msi[0x41], 2);
    guest_w(&f.g, f.d.bar + VIRTIO_TABLE + 16 + 8, 4, 0x77);
    signal_all(&f);
    assert_int_equal(f.g.msi[0x77], 2);
    drv_w(&f.d, 0x16, 2, 0);
    drv_w(&f.d, 0x1a, 2, 0); /* queue 0 to the other vector */
    signal_all(&f);
    assert_int_equal(f.g.msi[0x40], 1);
    assert_int_equal(f.g.msi[0x77], 3);
    drv_w(&f.d, 0x1a, 2, 0xffff); /* to none */
    signal_all(&f);
    assert_int_equal(f.g.msi[0x77], 4);
    assert_int_equal(f.g.msis, 2 + 2 + 2 + 1);
    unplug(&f);
}

/* No write into memory by way of an interrupt: what is no message to a CPU is none at all. */
static void messages_to_elsewhere_are_not_sent(void **state)
{
    static const uint32_t bad[][2] = { { 0xfed00000, 0 }, { 0x1000, 0 }, { MSI_ADDR, 1 } };
    struct fixture f;

    (void)state;
    plug(&f, 0);
    for (size_t i = 0; i < array_len(bad); i++) {
        guest_w(&f.g, f.d.bar + VIRTIO_TABLE + 16, 4, bad[i][0]);
        guest_w(&f.g, f.d.bar + VIRTIO_TABLE + 20, 4, bad[i][1]);
        signal_all(&f);
        assert_int_equal(f.g.msis, 0);
    }
    guest_w(&f.g, f.d.bar + VIRTIO_TABLE + 20, 4, 0);
    guest_settle(&f.g);
    assert_int_equal(f.g.msi[0x41], 2);
    unplug(&f);
}

static void control(struct fixture *f, uint16_t v)
{
    guest_w(&f->g, cfg(1, drv_find_cap(&f->d, 0x11) + 2), 2, v);
    guest_hear_lines(&f->g);
}

static void msix_as_a_whole(void **state)
{
    struct fixture f;

    (void)state;
    plug(&f, 0);
    control(&f, 0xc000); /* all masked */
    signal_all(&f);
    assert_int_equal(f.g.msis, 0);
    control(&f, 0x8000);
    assert_int_equal(f.g.msis, 2);
    control(&f, 0); /* off */
    signal_all(&f);
    assert_int_equal(f.g.msis, 2);
    unplug(&f);
}

static void without_lines_there_is_no_device(void **state)
{
    struct fixture f = { 0 };
    struct err e = ERR_INIT;
    int pair[2];

    (void)state;
    guest_init(&f.g, false);
    guest_share(&f.g);
    f.g.no_lines = true;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    promise(pair[1], FEATURES);
    assert_int_equal(virtio_pci_add(f.g.root, fs_new(&f.g.host, pair[0], &e), &e), -ENOSYS);
    assert_non_null(strstr(e.msg, "interrupts"));
    guest_fini(&f.g);
    close(pair[1]);
}

/* ---- reset and stop ---- */

static void a_reset_is_over_when_the_server_says_so(void **state)
{
    struct fixture f;

    (void)state;
    plug(&f, 0);
    ask(&f, 2);
    for (unsigned i = 0; i < 3; i++) { /* once is enough */
        drv_status(&f.d, 0);
        guest_settle(&f.g);
    }
    hear_stop(&f);
    assert_int_equal(status(&f), 0xf);
    signal_all(&f);
    assert_int_equal(f.g.msis, 0);
    guest_w(&f.g, f.d.bar + VIRTIO_BELL + 4, 2, 1);
    assert_int_equal(f.g.bell[0].addr, 0);
    tell_base(&f, 1, 1);
    assert_int_equal(status(&f), 0xf);
    drv_w(&f.d, 0x10, 2, 1); /* its registers stand still */
    assert_int_equal(drv_r(&f.d, 0x10, 2), 0);
    tell_base(&f, 0, 0);
    assert_int_equal(status(&f), 0);
    assert_int_equal(drv_r(&f.d, 0x10, 2), 0xffff);
    assert_int_equal(f.g.peer_mistakes, 0);
    assert_true(guest_idle(&f.g));
    unplug(&f);
}

static void drivers_come_and_go(void **state)
{
    struct fixture f;

    (void)state;
    plug_silent(&f, false);
    drv_status(&f.d, 0); /* nothing to stop */
    guest_settle(&f.g);
    assert_false(anything(&f));
    assert_int_equal(status(&f), 0);
    for (unsigned i = 0; i < 20; i++) {
        uint64_t features = i % 2 ? VIRTIO_F_EVENT_IDX : VIRTIO_F_INDIRECT_DESC;

        f.g.next = 0x1000;
        guest_w(&f.g, cfg(1, 4), 2, 6);
        drv_vectors(&f.d);
        drv_start(&f.d, features, ENTRIES);
        hear_start(&f, features);
        drv_status(&f.d, 0);
        drv_status(&f.d, 1);
        guest_settle(&f.g);
        hear_stop(&f);
        tell_base(&f, 0, i);
        tell_base(&f, 1, 0xffff);
        assert_int_equal(status(&f), 0);
    }
    assert_int_equal(f.g.peer_mistakes, 0);
    unplug(&f);
}

/* The I/O thread had no time between the two: the server never hears of it. */
static void started_and_reset_at_once(void **state)
{
    struct fixture f;
    struct ring r;

    (void)state;
    plug_silent(&f, false);
    drv_status(&f.d, 3);
    drv_features(&f.d, VIRTIO_F_VERSION_1);
    drv_status(&f.d, 0xb);
    ring_init(&f.g, &r, ENTRIES);
    drv_set_queue(&f.d, 1, ENTRIES, r.desc, r.avail, r.used);
    drv_status(&f.d, 0xf);
    drv_status(&f.d, 0);
    assert_int_equal(status(&f), 0);
    guest_settle(&f.g);
    assert_false(anything(&f));
    unplug(&f);
}

static void only_what_is_enabled_is_lent(void **state)
{
    struct fixture f;
    struct ring r;

    (void)state;
    plug_silent(&f, false);
    drv_status(&f.d, 3);
    drv_features(&f.d, VIRTIO_F_VERSION_1);
    drv_status(&f.d, 0xb);
    ring_init(&f.g, &r, ENTRIES);
    drv_set_queue(&f.d, 1, ENTRIES, r.desc, r.avail, r.used);
    drv_status(&f.d, 0xf);
    guest_settle(&f.g);
    hear(&f, VHOST_SET_FEATURES, 8);
    hear_ring(&f, 1, 0);
    assert_false(anything(&f));
    drv_status(&f.d, 0);
    guest_settle(&f.g);
    assert_int_equal(hear(&f, VHOST_GET_VRING_BASE, 8).body.state.index, 1);
    assert_false(anything(&f));
    tell_base(&f, 1, 0);
    assert_int_equal(status(&f), 0);
    unplug(&f);
}

/* A device that may not touch memory does not let anybody else. */
static void the_bus_is_turned_off_and_on(void **state)
{
    struct fixture f;

    (void)state;
    plug(&f, 0);
    guest_w(&f.g, cfg(1, 4), 2, 2);
    guest_settle(&f.g);
    hear_stop(&f);
    signal_all(&f);
    assert_int_equal(f.g.msis, 0);
    guest_w(&f.g, cfg(1, 4), 2, 6); /* before it has stopped */
    guest_settle(&f.g);
    assert_false(anything(&f));
    assert_int_equal(f.g.msis, 2);
    tell_base(&f, 0, 3);
    tell_base(&f, 1, 0xfffe);
    assert_int_equal(status(&f), 0xf);
    hear(&f, VHOST_SET_FEATURES, 8);
    hear_ring(&f, 0, 3);
    hear_ring(&f, 1, 0xfffe);
    assert_true(rung(f.kick[0]) && rung(f.kick[1]));
    unplug(&f);
}

static void wait_for_timer(struct fixture *f)
{
    struct pollfd p = { .fd = f->g.loop.epfd, .events = POLLIN };

    assert_int_equal(poll(&p, 1, 10000), 1);
    guest_settle(&f->g);
}

static void a_server_that_does_not_stop(void **state)
{
    struct fixture f;
    struct ask a;

    (void)state;
    plug(&f, 0);
    drv_status(&f.d, 0);
    guest_settle(&f.g);
    tell_base(&f, 0, 0); /* only one ring */
    assert_int_equal(status(&f), 0xf);
    wait_for_timer(&f);
    assert_int_equal(status(&f), 0);
    assert_int_equal(f.g.peer_mistakes, 1);
    drv_vectors(&f.d);
    drv_start(&f.d, 0, ENTRIES);
    a = ask(&f, 9);
    guest_settle(&f.g);
    refused(&f, &a);
    nothing_more(&f);
    unplug(&f);
}

/* ---- a guest that breaks the rules ---- */

static void try_queue(struct fixture *f, uint16_t size, uint64_t desc, uint64_t avail,
                      uint64_t used)
{
    uint32_t before = f->g.mistakes;

    drv_status(&f->d, 0);
    drv_status(&f->d, 3);
    drv_features(&f->d, VIRTIO_F_VERSION_1);
    drv_status(&f->d, 0xb);
    drv_set_queue(&f->d, 1, size, desc, avail, used);
    assert_int_equal(drv_r(&f->d, 0x1c, 2), 0);
    drv_status(&f->d, 0xf);
    guest_settle(&f->g);
    assert_true(drv_broken(&f->d));
    assert_true(f->g.mistakes > before);
    assert_false(anything(f));
}

static void rings_outside_memory_are_not_lent(void **state)
{
    const uint64_t top = GUEST_RAM, high = GUEST_HIGH + HIGH_LEN;
    struct fixture f;

    (void)state;
    plug_silent(&f, false);
    try_queue(&f, ENTRIES, top - 16ull * ENTRIES + 16, 0x1000, 0x2000);
    try_queue(&f, ENTRIES, 0x3000, high - 6 - 2ull * ENTRIES + 2, 0x2000);
    try_queue(&f, ENTRIES, 0x3000, 0x1000, high - 8ull * ENTRIES);
    try_queue(&f, ENTRIES, ~0ull - 15, 0x1000, 0x2000);
    try_queue(&f, ENTRIES, 0x3008, 0x1000, 0x2000);
    try_queue(&f, ENTRIES, MMIO, 0x1000, 0x2000);
    try_queue(&f, 0, 0x3000, 0x1000, 0x2000);
    try_queue(&f, 3, 0x3000, 0x1000, 0x2000);
    try_queue(&f, 256, 0x3000, 0x1000, 0x2000);
    unplug(&f);
}

/* ---- a server that goes away ---- */

static void die(struct fixture *f)
{
    close(f->peer);
    f->peer = -1;
    guest_settle(&f->g);
}

static void what_was_answered_is_not_answered_again(void **state)
{
    struct fixture f;
    struct ask a[5];

    (void)state;
    plug(&f, 0);
    for (unsigned i = 0; i < 4; i++)
        a[i] = ask(&f, 10 + i);
    forget(&f);
    serve(&f, 1, 2); /* and was about to say so */
    die(&f);
    assert_int_equal(f.g.peer_mistakes, 0);
    assert_true(f.g.msi[0x41] >= 1);
    for (unsigned i = 0; i < 2; i++)
        assert_true(ring_reap(&f.d.ring[1], NULL, NULL));
    refused(&f, &a[2]);
    refused(&f, &a[3]);
    assert_true(ring_reap(&f.d.ring[0], NULL, NULL));
    nothing_more(&f);
    a[4] = ask(&f, 20);
    forget(&f);
    guest_settle(&f.g);
    refused(&f, &a[4]);
    assert_true(ring_reap(&f.d.ring[0], NULL, NULL));
    nothing_more(&f);
    drv_status(&f.d, 0);
    assert_int_equal(status(&f), 0);
    drv_vectors(&f.d);
    drv_start(&f.d, VIRTIO_F_EVENT_IDX, ENTRIES);
    a[0] = ask(&f, 30);
    guest_settle(&f.g);
    refused(&f, &a[0]);
    nothing_more(&f);
    unplug(&f);
}

/* It pushed, and died before it called; the guest has nothing else to wait for. */
static void an_interrupt_that_was_owed(void **state)
{
    struct fixture f;

    (void)state;
    plug(&f, VIRTIO_F_EVENT_IDX);
    ask(&f, 2);
    serve(&f, 1, 1);
    die(&f);
    assert_int_equal(f.g.msi[0x41], 2); /* of either queue */
    assert_true(ring_reap(&f.d.ring[1], NULL, NULL));
    nothing_more(&f);
    unplug(&f);
}

static void gone_before_the_driver_came(void **state)
{
    struct fixture f;
    struct ask a;

    (void)state;
    plug_silent(&f, false);
    die(&f);
    assert_true(guest_idle(&f.g));
    drv_start(&f.d, 0, ENTRIES);
    a = ask(&f, 9);
    guest_settle(&f.g);
    refused(&f, &a);
    nothing_more(&f);
    unplug(&f);
}

static void gone_while_it_was_to_stop(void **state)
{
    struct fixture f;

    (void)state;
    plug(&f, 0);
    ask(&f, 2);
    drv_status(&f.d, 0);
    guest_settle(&f.g);
    assert_int_equal(status(&f), 0xf);
    die(&f);
    assert_int_equal(status(&f), 0);
    assert_int_equal(ring_word(&f.d.ring[1], f.d.ring[1].used + 2), 0); /* not touched */
    assert_true(guest_idle(&f.g));
    drv_vectors(&f.d); /* nor is the next driver told of anything */
    drv_start(&f.d, 0, ENTRIES);
    assert_int_equal(f.g.msis, 0);
    unplug(&f);
}

static void gone_while_the_bus_is_off(void **state)
{
    struct fixture f;
    struct ask a;

    (void)state;
    plug(&f, 0);
    ask(&f, 1);
    a = ask(&f, 2);
    serve(&f, 1, 1);
    guest_w(&f.g, cfg(1, 4), 2, 2);
    guest_settle(&f.g);
    tell_base(&f, 0, 0);
    tell_base(&f, 1, 1);
    die(&f);
    assert_true(ring_reap(&f.d.ring[1], NULL, NULL));
    nothing_more(&f);
    guest_w(&f.g, cfg(1, 4), 2, 6);
    guest_settle(&f.g);
    refused(&f, &a);
    nothing_more(&f);
    unplug(&f);
}

/* Who does not read is not waited for. */
static void a_server_that_is_deaf(void **state)
{
    struct fixture f;
    struct ask a;

    (void)state;
    plug_silent(&f, false);
    while (write(f.own, "x", 1) == 1)
        ;
    assert_int_equal(errno, EAGAIN);
    drv_start(&f.d, 0, ENTRIES);
    a = ask(&f, 2);
    guest_settle(&f.g);
    refused(&f, &a);
    nothing_more(&f);
    unplug(&f);
}

/* ---- a server that breaks the rules ---- */

static void utter_bad(struct fixture *f, uint32_t request, uint32_t flags, uint32_t size,
                      uint32_t index, uint32_t num)
{
    const struct vhost_vring_state state = { index, num };
    struct ask a;

    plug(f, 0);
    a = ask(f, 2);
    drv_status(&f->d, 0);
    guest_settle(&f->g);
    hear_stop(f);
    tell_base(f, 0, 0);
    utter(f->peer, request, flags, size, &state, 8);
    guest_settle(&f->g);
    assert_int_equal(f->g.peer_mistakes, 1);
    assert_int_equal(status(f), 0);
    assert_int_equal(read(f->peer, &a, 1), 0);
    assert_true(guest_idle(&f->g));
    unplug(f);
}

static void wrong_replies(void **state)
{
    const uint32_t good = VHOST_VERSION | VHOST_REPLY;
    struct fixture f;

    (void)state;
    utter_bad(&f, VHOST_GET_FEATURES, good, 8, 1, 0);
    utter_bad(&f, VHOST_GET_VRING_BASE, VHOST_VERSION, 8, 1, 0);
    utter_bad(&f, VHOST_GET_VRING_BASE, good | VHOST_NEED_REPLY, 8, 1, 0);
    utter_bad(&f, VHOST_GET_VRING_BASE, good, 4, 1, 0);
    utter_bad(&f, VHOST_GET_VRING_BASE, good, 1u << 30, 1, 0);
    utter_bad(&f, VHOST_GET_VRING_BASE, good, 8, 0, 0); /* has stopped already */
    utter_bad(&f, VHOST_GET_VRING_BASE, good, 8, 2, 0);
    utter_bad(&f, VHOST_GET_VRING_BASE, good, 8, 33, 0);
    utter_bad(&f, VHOST_GET_VRING_BASE, good, 8, 1, 0x10000);
}

static void replies_to_nothing(void **state)
{
    struct fixture f;
    struct ask a;

    (void)state;
    for (unsigned started = 0; started < 2; started++) {
        plug_silent(&f, false);
        if (started)
            drv_start(&f.d, 0, ENTRIES);
        assert_int_equal(write(f.peer, "x", 1), 1);
        guest_settle(&f.g);
        assert_int_equal(f.g.peer_mistakes, 1);
        if (!started)
            drv_start(&f.d, 0, ENTRIES);
        a = ask(&f, 2);
        guest_settle(&f.g);
        refused(&f, &a);
        nothing_more(&f);
        unplug(&f);
    }
}

/* However the socket cuts them. */
static void replies_byte_by_byte(void **state)
{
    struct fixture f;

    (void)state;
    plug(&f, 0);
    drv_status(&f.d, 0);
    guest_settle(&f.g);
    for (uint32_t i = 0; i < RINGS; i++) {
        const uint32_t words[] = { VHOST_GET_VRING_BASE, VHOST_VERSION | VHOST_REPLY, 8, i, 0 };

        for (unsigned k = 0; k < sizeof(words); k++) {
            assert_int_equal(status(&f), 0xf);
            assert_int_equal(write(f.peer, (const uint8_t *)words + k, 1), 1);
            guest_settle(&f.g);
        }
    }
    assert_int_equal(status(&f), 0);
    assert_int_equal(f.g.peer_mistakes, 0);
    unplug(&f);
}

/* ---- a guest that breaks the rules when there is no server ---- */

static void bad_rings_are_the_guests_end(void **state)
{
    struct fixture f;
    struct ask a;

    (void)state;
    for (unsigned how = 0; how < 4; how++) {
        plug(&f, 0);
        if (how == 0)
            post(&f, 1, 2, IN - 1, OUT);
        else if (how == 1)
            post(&f, 1, 2, IN, OUT - 1);
        else if (how == 2)
            ring_post(&f.d.ring[1], ENTRIES);
        else
            ring_set_word(&f.d.ring[1], f.d.ring[1].used + 2, ENTRIES + 1);
        die(&f);
        assert_true(drv_broken(&f.d));
        assert_int_equal(f.g.mistakes, 1);
        drv_status(&f.d, 0);
        drv_vectors(&f.d);
        drv_start(&f.d, 0, ENTRIES);
        a = ask(&f, 2);
        guest_settle(&f.g);
        refused(&f, &a);
        assert_true(guest_idle(&f.g));
        unplug(&f);
    }
}

/* ---- before there is a machine ---- */

static void not_made(int peer, int own, const char *about)
{
    struct guest g;
    struct err e = ERR_INIT;

    guest_init(&g, false);
    guest_share(&g);
    assert_null(fs_new(&g.host, own, &e));
    assert_int_equal(e.code, EPROTO);
    assert_non_null(strstr(e.msg, about));
    assert_int_equal(fcntl(own, F_GETFD), FD_CLOEXEC); /* still the caller's */
    close(own);
    if (peer >= 0)
        close(peer);
    guest_fini(&g);
}

static void servers_that_are_none(void **state)
{
    static const uint64_t needed[] = { VIRTIO_F_VERSION_1, VIRTIO_F_EVENT_IDX,
                                       VIRTIO_F_INDIRECT_DESC, VHOST_F_PROTOCOL_FEATURES };
    static const uint32_t wrong[][3] = { { VHOST_SET_OWNER, 5, 8 },
                                         { VHOST_GET_FEATURES, 1, 8 },
                                         { VHOST_GET_FEATURES, 5, 4 },
                                         { VHOST_GET_FEATURES, 6, 8 } };
    const uint64_t all = ~0ull;
    int pair[2];

    (void)state;
    for (unsigned i = 0; i < array_len(needed); i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        promise(pair[1], FEATURES & ~needed[i]);
        not_made(pair[1], pair[0], "lacks");
    }
    for (unsigned i = 0; i < array_len(wrong); i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        utter(pair[1], wrong[i][0], wrong[i][1], wrong[i][2], &all, 8);
        not_made(pair[1], pair[0], "vhost-user");
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(write(pair[1], "short", 5), 5);
    assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
    not_made(pair[1], pair[0], "gone");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    close(pair[1]);
    not_made(-1, pair[0], "gone");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_driver_sees),
        cmocka_unit_test(memory_is_lent_as_the_guest_counts_it),
        cmocka_unit_test(doorbells_and_interrupts_go_past),
        cmocka_unit_test(a_host_that_traps_doorbells),
        cmocka_unit_test(what_is_masked_waits),
        cmocka_unit_test(a_vector_that_moves),
        cmocka_unit_test(messages_to_elsewhere_are_not_sent),
        cmocka_unit_test(msix_as_a_whole),
        cmocka_unit_test(without_lines_there_is_no_device),
        cmocka_unit_test(a_reset_is_over_when_the_server_says_so),
        cmocka_unit_test(drivers_come_and_go),
        cmocka_unit_test(started_and_reset_at_once),
        cmocka_unit_test(only_what_is_enabled_is_lent),
        cmocka_unit_test(the_bus_is_turned_off_and_on),
        cmocka_unit_test(a_server_that_does_not_stop),
        cmocka_unit_test(rings_outside_memory_are_not_lent),
        cmocka_unit_test(what_was_answered_is_not_answered_again),
        cmocka_unit_test(an_interrupt_that_was_owed),
        cmocka_unit_test(gone_before_the_driver_came),
        cmocka_unit_test(gone_while_it_was_to_stop),
        cmocka_unit_test(gone_while_the_bus_is_off),
        cmocka_unit_test(a_server_that_is_deaf),
        cmocka_unit_test(wrong_replies),
        cmocka_unit_test(replies_to_nothing),
        cmocka_unit_test(replies_byte_by_byte),
        cmocka_unit_test(bad_rings_are_the_guests_end),
        cmocka_unit_test(servers_that_are_none),
    };

    signal(SIGPIPE, SIG_IGN); /* as carrel-vmm */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
