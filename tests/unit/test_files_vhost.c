/*
 * test_files_vhost.c - carrel-files as the machine's process and a guest's driver meet it: honest,
 * and each rule of vhost-user and of the rings broken.
 */
#include "tests/unit/files_front.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define IN  ((uint32_t)sizeof(struct fuse_in_header))
#define OUT ((uint32_t)sizeof(struct fuse_out_header))

/* Where the test's requests and answers lie. */
#define ASK  0x10000ull
#define HEAR (FRONT_HIGH_GPA + 0x1000)

static struct front f;

static int connected(void **state)
{
    (void)state;
    front_init(&f, "access: rw, quota: {bytes: 64MiB, inodes: 1000}");
    return 0;
}

static int started(void **state)
{
    connected(state);
    front_start(&f, true);
    return 0;
}

static int over(void **state)
{
    (void)state;
    front_fini(&f);
    return 0;
}

/* ---- requests ---- */

/* Writes a request at ASK: its length. */
static uint32_t ask(uint32_t opcode, uint64_t node, const void *args, uint32_t len)
{
    const struct fuse_in_header h = {
        .len = IN + len, .opcode = opcode, .unique = ++f.unique, .nodeid = node
    };

    memcpy(front_at(&f, ASK), &h, sizeof(h));
    if (len)
        memcpy(front_at(&f, ASK + IN), args, len);
    return h.len;
}

/* The chain of one buffer each way is served: the answer's error, its length in *len. */
static int served(uint32_t in, uint32_t room, uint32_t *len)
{
    const struct front_buf b[] = { { ASK, in, 0 }, { HEAR, room, D_WRITE } };
    struct fuse_out_header h;
    uint32_t id, n;
    uint16_t head = front_post(&f, VHOST_REQUESTS, b, 2);

    front_kick(&f);
    assert_int_equal(front_settle(&f), 1);
    assert_true(front_reap(&f, VHOST_REQUESTS, &id, &n));
    assert_int_equal(id, head);
    memcpy(&h, front_at(&f, HEAR), sizeof(h));
    assert_int_equal(h.len, n);
    assert_int_equal(h.unique, f.unique);
    assert_true(n >= OUT && n <= room);
    if (len)
        *len = n - OUT;
    return h.error;
}

static int init_session(void)
{
    const struct fuse_init_in in = { .major = 7, .minor = 38, .flags = ~0u };

    return served(ask(FUSE_INIT, 0, &in, sizeof(in)), OUT + sizeof(struct fuse_init_out), NULL);
}

static uint64_t create(const char *name, uint64_t *fh)
{
    struct {
        struct fuse_create_in in;
        char name[32];
    } a = { .in = { .flags = O_RDWR | O_CREAT, .mode = S_IFREG | 0644 } };
    struct fuse_entry_out entry;
    struct fuse_open_out open;

    strcpy(a.name, name);
    assert_int_equal(
        served(ask(FUSE_CREATE, CLIENT_ROOT, &a, (uint32_t)(sizeof(a.in) + strlen(name) + 1)), 4096,
               NULL),
        0);
    memcpy(&entry, front_at(&f, HEAR + OUT), sizeof(entry));
    memcpy(&open, front_at(&f, HEAR + OUT + sizeof(entry)), sizeof(open));
    *fh = open.fh;
    return entry.nodeid;
}

/* ---- what is as it should be ---- */

static void an_honest_machine_is_answered(void **state)
{
    (void)state;
    assert_int_equal(front_say(&f, VHOST_GET_FEATURES, NULL, 0), 1);
    assert_int_equal(front_answer(&f, VHOST_GET_FEATURES), 1ull << 32 | 7ull << 28);
    assert_int_equal(front_say(&f, VHOST_GET_PROTOCOL_FEATURES, NULL, 0), 1);
    assert_int_equal(front_answer(&f, VHOST_GET_PROTOCOL_FEATURES), 9);
    assert_int_equal(front_say(&f, VHOST_GET_QUEUE_NUM, NULL, 0), 1);
    assert_int_equal(front_answer(&f, VHOST_GET_QUEUE_NUM), VHOST_RINGS);
    front_start(&f, true);
    assert_int_equal(init_session(), 0);
    assert_int_equal(front_calls(&f, VHOST_REQUESTS), 1);
    front_send(&f, VHOST_SET_OWNER, VHOST_VERSION | VHOST_NEED_REPLY, NULL, 0, NULL, 0);
    assert_int_equal(front_turn(&f), 1);
    assert_int_equal(front_answer(&f, VHOST_SET_OWNER), 0);
    close(f.sock);
    f.sock = -1;
    assert_int_equal(front_turn(&f), 0);
}

/* Everything in one go, as it may come on a stream. */
static void requests_wait_for_no_turn(void **state)
{
    const uint64_t index = VHOST_REQUESTS;

    (void)state;
    front_send(&f, VHOST_GET_FEATURES, VHOST_VERSION, NULL, 0, NULL, 0);
    front_send(&f, VHOST_SET_VRING_CALL, VHOST_VERSION, &index, 8, &f.kick, 1);
    front_send(&f, VHOST_GET_QUEUE_NUM, VHOST_VERSION, NULL, 0, NULL, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(front_turn(&f), 1);
    (void)front_answer(&f, VHOST_GET_FEATURES);
    (void)front_answer(&f, VHOST_GET_QUEUE_NUM);
    assert_true(f.r.vhost.ring[VHOST_REQUESTS].call >= 0);
}

/* ---- bytes of files ---- */

static uint8_t byte_of(uint32_t i)
{
    return (uint8_t)(i * 7 + (i >> 8) + 1);
}

/* Cuts len bytes at `at` into pieces of odd lengths, some of them empty. */
static unsigned cut(struct front_buf *b, uint64_t at, uint32_t len, uint16_t flags, uint32_t step)
{
    unsigned n = 0;

    while (len && n < 20) {
        uint32_t part = n == 19 ? len : (n * step) % (len + 1);

        b[n++] = (struct front_buf){ at, part, flags };
        at += part;
        len -= part;
    }
    return n;
}

static void put_write(uint64_t node, uint64_t fh, uint64_t off, uint32_t size)
{
    const struct fuse_write_in in = { .fh = fh, .offset = off, .size = size };
    struct fuse_in_header h;

    (void)ask(FUSE_WRITE, node, &in, sizeof(in));
    memcpy(&h, front_at(&f, ASK), sizeof(h));
    h.len += size;
    memcpy(front_at(&f, ASK), &h, sizeof(h));
    for (uint32_t i = 0; i < size; i++)
        *(uint8_t *)front_at(&f, ASK + IN + sizeof(in) + i) = byte_of(i);
}

/* Every size, in chains cut anywhere, also through headers. */
static void files_are_written_and_read_in_place(void **state)
{
    static const uint32_t sizes[] = { 0, 1, 17, 4095, 4096, 4097, 65536, FILES_DATA_MAX };
    uint64_t fh, node;

    (void)state;
    assert_int_equal(init_session(), 0);
    node = create("f", &fh);
    for (unsigned k = 0; k < array_len(sizes) * 5; k++) {
        uint32_t size = sizes[k % array_len(sizes)], step = k * 13 + 1, id, len;
        const struct fuse_read_in in = { .fh = fh, .offset = k, .size = size };
        struct fuse_out_header h;
        struct fuse_write_out out;
        struct front_buf b[40];
        unsigned n;

        put_write(node, fh, k, size);
        n = cut(b, ASK, IN + (uint32_t)sizeof(struct fuse_write_in) + size, 0, step);
        n += cut(b + n, HEAR, OUT + sizeof(out), D_WRITE, 3);
        front_post(&f, VHOST_REQUESTS, b, n);
        front_kick(&f);
        assert_int_equal(front_settle(&f), 1);
        assert_true(front_reap(&f, VHOST_REQUESTS, &id, &len));
        assert_int_equal(len, OUT + sizeof(out));
        memcpy(&h, front_at(&f, HEAR), sizeof(h));
        memcpy(&out, front_at(&f, HEAR + OUT), sizeof(out));
        assert_int_equal(h.error, 0);
        assert_int_equal(out.size, size);

        n = cut(b, ASK, ask(FUSE_READ, node, &in, sizeof(in)), 0, step);
        memset(front_at(&f, HEAR), 0xee, OUT + size + 64);
        n += cut(b + n, HEAR, OUT + size, D_WRITE, step);
        front_post(&f, VHOST_REQUESTS, b, n);
        front_kick(&f);
        assert_int_equal(front_settle(&f), 1);
        assert_true(front_reap(&f, VHOST_REQUESTS, &id, &len));
        assert_int_equal(len, OUT + size);
        memcpy(&h, front_at(&f, HEAR), sizeof(h));
        assert_int_equal(h.error, 0);
        assert_int_equal(h.len, len);
        for (uint32_t i = 0; i < size; i++)
            if (*(uint8_t *)front_at(&f, HEAR + OUT + i) != byte_of(i))
                fail_msg("byte %u of %u", i, size);
        assert_int_equal(*(uint8_t *)front_at(&f, HEAR + OUT + size), 0xee);
    }
}

int main(void)
{
#define AT_FIRST(t) cmocka_unit_test_setup_teardown(t, connected, over)
#define STARTED(t)  cmocka_unit_test_setup_teardown(t, started, over)
    const struct CMUnitTest tests[] = {
        AT_FIRST(an_honest_machine_is_answered),
        AT_FIRST(requests_wait_for_no_turn),
        STARTED(files_are_written_and_read_in_place),
    };

    signal(SIGPIPE, SIG_IGN); /* as carrel-files */
    return cmocka_run_group_tests_name("files_vhost", tests, NULL, NULL);
}
