/* test_fs_files.c - carrel-vmm's device and carrel-files together, each in its own thread: drivers
 * come, use the files and go; none says good-bye, and each finds the same tree. */
#include "tests/unit/guest.h"

#include "sandbox/files/rings.h"
#include "tests/unit/files_client.h"
#include "vmm/virtio/fs.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define IN      sizeof(struct fuse_in_header)
#define OUT     sizeof(struct fuse_out_header)
#define ENTRIES 128u

static struct client c;
static struct guest g;
static struct driver d;

static void *be_server(void *arg)
{
    static struct rings r;
    struct err e = ERR_INIT;

    c.s.guest_memory = 1ull << 32;
    assert_int_equal(rings_init(&r, &c.s, *(int *)arg, &e), 0);
    if (rings_run(&r, &e))
        print_error("%s\n", e.msg);
    rings_fini(&r);
    return NULL;
}

/* Until the device's thread or an interrupt has something to do. */
static void wait_for_anything(void)
{
    struct pollfd p[1 + HOST_LINES] = { { g.loop.epfd, POLLIN, 0 } };

    for (unsigned i = 0; i < HOST_LINES; i++)
        p[1 + i] = (struct pollfd){ g.line[i].on ? g.line[i].efd : -1, POLLIN, 0 };
    assert_true(poll(p, array_len(p), 10000) > 0);
    guest_settle(&g);
}

/* One request of the driver: its error. What came with it is in memory at *out. */
static int ask(uint32_t opcode, uint64_t node, const void *args, uint32_t len, uint8_t **out)
{
    static uint64_t unique;

    unique += 2;

    const struct fuse_in_header h = {
        .len = (uint32_t)IN + len, .opcode = opcode, .unique = unique, .nodeid = node
    };
    struct fuse_out_header reply;
    const uint32_t room = 4096;
    const uint64_t in = guest_alloc(&g, h.len), at = guest_alloc(&g, room);
    const struct buf b[2] = { { in, h.len, 0 }, { at, room, D_WRITE } };
    struct ring *r = &d.ring[1];
    uint32_t got;

    memcpy(guest_at(&g, in, h.len), &h, IN);
    memcpy((uint8_t *)guest_at(&g, in, h.len) + IN, args, len);
    ring_set_word(r, r->avail + 4 + 2ull * ENTRIES, r->seen); /* tell me of the next (2.7.10) */
    ring_add(r, b, 2);
    guest_w(&g, d.bar + VIRTIO_BELL + 4, 2, 1);
    while (!ring_reap(r, NULL, &got))
        wait_for_anything();
    memcpy(&reply, guest_at(&g, at, OUT), OUT);
    assert_int_equal(reply.unique, h.unique);
    assert_int_equal(reply.len, got);
    *out = (uint8_t *)guest_at(&g, at, room) + OUT;
    return reply.error;
}

static void a_driver_comes_and_goes(unsigned n)
{
    const struct fuse_init_in init = { .major = 7, .minor = 38 };
    const struct fuse_open_in open_in = { .flags = O_RDONLY };
    struct fuse_read_in read_in = { .size = 1000 };
    struct fuse_entry_out entry;
    struct fuse_open_out opened;
    char text[32], path[96];
    uint8_t *out;
    FILE *f;

    snprintf(path, sizeof(path), "%s/file", c.dir);
    snprintf(text, sizeof(text), "driver %u was here", n);
    f = fopen(path, "w");
    assert_true(f && fputs(text, f) >= 0 && !fclose(f));

    g.next = 0x1000;
    drv_vectors(&d);
    drv_start(&d, n % 2 ? VIRTIO_F_EVENT_IDX : VIRTIO_F_INDIRECT_DESC, ENTRIES);
    assert_int_equal(ask(FUSE_INIT, 0, &init, sizeof(init), &out), 0);
    assert_int_equal(ask(FUSE_LOOKUP, FUSE_ROOT_ID, "0", 2, &out), -ENOENT);
    assert_int_equal(ask(FUSE_LOOKUP, CLIENT_ROOT, "file", 5, &out), 0);
    memcpy(&entry, out, sizeof(entry));
    assert_int_equal(ask(FUSE_OPEN, entry.nodeid, &open_in, sizeof(open_in), &out), 0);
    memcpy(&opened, out, sizeof(opened));
    read_in.fh = opened.fh;
    assert_int_equal(ask(FUSE_READ, entry.nodeid, &read_in, sizeof(read_in), &out), 0);
    assert_memory_equal(out, text, strlen(text));

    drv_status(&d, 0);
    while (drv_r(&d, 0x14, 1))
        wait_for_anything();
    assert_int_equal(g.peer_mistakes + g.mistakes, 0);
}

static void drivers_one_after_the_other(void **state)
{
    pthread_t thread;
    int pair[2];

    (void)state;
    client_init(&c, "access: ro", 100);
    guest_init(&g, false);
    guest_share(&g);
    assert_int_equal(fcntl(g.host.ram, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(pthread_create(&thread, NULL, be_server, &pair[1]), 0);
    guest_plug(&g, &d, fs_new(&g.host, pair[0], NULL));
    for (unsigned n = 0; n < 20; n++)
        a_driver_comes_and_goes(n);
    guest_fini(&g);
    assert_int_equal(pthread_join(thread, NULL), 0);
    client_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(drivers_one_after_the_other) };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
