/*
 * test_files_vhost.c - carrel-files as the machine's process and a guest's driver meet it: honest,
 * and each rule of vhost-user and of the rings broken.
 */
#include "tests/unit/files_front.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
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

    snprintf(a.name, sizeof(a.name), "%s", name);
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

/* ---- a machine that breaks the rules ---- */

static unsigned descriptors(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* Refused, with a word about it, and no descriptor stays. */
static void refused(const char *what, unsigned before, const char *why)
{
    int n = front_turn(&f);

    if (n != -EPROTO || !strstr(f.why.msg, why))
        fail_msg("%s: %d: %s", what, n, f.why.msg);
    if (descriptors() != before)
        fail_msg("%s: %u descriptors, %u before", what, descriptors(), before);
}

static void breaks(const char *what, uint32_t request, uint32_t flags, const void *body,
                   uint32_t size, unsigned nfds, const char *why)
{
    int fds[16];
    unsigned before = descriptors();

    for (unsigned i = 0; i < nfds; i++)
        fds[i] = f.kick;
    front_send(&f, request, flags, body, size, fds, nfds);
    refused(what, before, why);
}

static void messages_that_are_none_are_refused(void **state)
{
    static const uint8_t zero[512];
    static const struct {
        const char *what;
        uint32_t request, flags, size;
        unsigned nfds;
        const char *why;
    } bad[] = {
        { "no request", 0, 1, 0, 0, "not known" },
        { "RESET_OWNER", 4, 1, 0, 0, "not known" },
        { "SET_LOG_BASE", 6, 1, 16, 1, "not known" },
        { "behind the last", 19, 1, 0, 0, "not known" },
        { "far behind", UINT32_MAX, 1, 0, 0, "not known" },
        { "version 0", VHOST_SET_OWNER, 0, 0, 0, "another version" },
        { "version 2", VHOST_SET_OWNER, 2, 0, 0, "another version" },
        { "an answer", VHOST_SET_OWNER, 5, 0, 0, "another version" },
        { "a flag", VHOST_SET_OWNER, 0x11, 0, 0, "another version" },
        { "too short", VHOST_SET_FEATURES, 1, 4, 0, "not as long" },
        { "too long", VHOST_SET_FEATURES, 1, 16, 0, "not as long" },
        { "something", VHOST_GET_FEATURES, 1, 8, 0, "not as long" },
        { "longer than any", VHOST_SET_MEM_TABLE, 1, 272, 0, "not as long" },
        { "huge", VHOST_SET_MEM_TABLE, 1, UINT32_MAX, 0, "not as long" },
        { "an empty table", VHOST_SET_MEM_TABLE, 1, 4, 0, "as many regions" },
        { "more bytes than regions", VHOST_SET_MEM_TABLE, 1, 40, 0, "as many regions" },
        { "descriptors without regions", VHOST_SET_MEM_TABLE, 1, 8, 2, "as many regions" },
        { "a descriptor for nothing", VHOST_SET_OWNER, 1, 0, 1, "too many descriptors" },
        { "two doorbells", VHOST_SET_VRING_KICK, 1, 8, 2, "too many descriptors" },
        { "nine descriptors", VHOST_SET_MEM_TABLE, 1, 8, 9, "too many descriptors" },
        { "sixteen", VHOST_SET_VRING_CALL, 1, 8, 16, "too many descriptors" },
    };

    for (size_t i = 0; i < array_len(bad); i++) {
        connected(state);
        breaks(bad[i].what, bad[i].request, bad[i].flags, bad[i].size <= 512 ? zero : NULL,
               bad[i].size, bad[i].nfds, bad[i].why);
        over(state);
    }
}

static void a_message_that_ends_early_is_refused(void **state)
{
    const struct vhost_head h = { VHOST_SET_FEATURES, VHOST_VERSION, 8 };

    for (ssize_t n = 1; n < 16; n += 4) {
        connected(state);
        assert_int_equal(send(f.sock, &h, n < 12 ? (size_t)n : 12, 0), n < 12 ? n : 12);
        shutdown(f.sock, SHUT_WR);
        assert_int_equal(front_turn(&f), -EPROTO);
        assert_non_null(strstr(f.why.msg, "cut short"));
        over(state);
    }
}

/* Each with a running machine behind it. */
static void what_does_not_exist_is_refused(void **state)
{
    static const struct {
        const char *what;
        uint32_t request;
        uint32_t index, num; /* or the halves of a uint64_t */
        unsigned nfds;
    } bad[] = {
        { "size of the third ring", VHOST_SET_VRING_NUM, 2, 64, 0 },
        { "size of ring 255", VHOST_SET_VRING_NUM, 255, 64, 0 },
        { "size while it runs", VHOST_SET_VRING_NUM, 1, 64, 0 },
        { "base of the third ring", VHOST_SET_VRING_BASE, 2, 0, 0 },
        { "base while it runs", VHOST_SET_VRING_BASE, 1, 0, 0 },
        { "stop of the third ring", VHOST_GET_VRING_BASE, 2, 0, 0 },
        { "the third ring on", VHOST_SET_VRING_ENABLE, 2, 1, 0 },
        { "neither on nor off", VHOST_SET_VRING_ENABLE, 1, 2, 0 },
        { "doorbell of the third", VHOST_SET_VRING_KICK, 2, 0, 1 },
        { "doorbell of 255", VHOST_SET_VRING_KICK, 255, 0, 1 },
        { "no doorbell", VHOST_SET_VRING_KICK, 1, 0, 0 },
        { "a doorbell that is none", VHOST_SET_VRING_KICK, 0x101, 0, 0 },
        { "interrupt of the third", VHOST_SET_VRING_CALL, 2, 0, 1 },
        { "no interrupt and no word", VHOST_SET_VRING_CALL, 1, 0, 0 },
        { "none and one", VHOST_SET_VRING_CALL, 0x101, 0, 1 },
        { "bits above", VHOST_SET_VRING_CALL, 0x201, 0, 1 },
        { "bits far above", VHOST_SET_VRING_ERR, 1, 1, 1 },
        { "features not offered", VHOST_SET_FEATURES, 7u << 28, 3, 0 },
        { "no protocol features", VHOST_SET_FEATURES, 3u << 28, 1, 0 },
        { "others while it runs", VHOST_SET_FEATURES, 5u << 28, 1, 0 },
        { "protocol features not offered", VHOST_SET_PROTOCOL_FEATURES, 11, 0, 0 },
    };

    for (size_t i = 0; i < array_len(bad); i++) {
        const struct vhost_vring_state s = { bad[i].index, bad[i].num };

        started(state);
        breaks(bad[i].what, bad[i].request, VHOST_VERSION, &s, sizeof(s), bad[i].nfds, "rule");
        over(state);
    }
}

static void a_ring_of_a_size_that_is_none_is_refused(void **state)
{
    static const uint32_t sizes[] = { 0, 3, 65, 257, 512, 0x10000, 0x10040 };

    for (size_t i = 0; i < array_len(sizes); i++) {
        const struct vhost_vring_state num = { 1, sizes[i] };
        int n;

        started(state);
        (void)front_stop(&f, 1);
        front_place(&f, 1, 0);
        n = front_say(&f, VHOST_SET_VRING_NUM, &num, sizeof(num));
        if (n > 0) {
            const struct vhost_vring_state on = { 1, 1 };

            n = front_say(&f, VHOST_SET_VRING_ENABLE, &on, sizeof(on));
        }
        assert_int_equal(n, -EPROTO);
        over(state);
    }
    started(state);
    (void)front_stop(&f, 1);
    {
        const struct vhost_vring_state base = { 1, 0x10000 };

        assert_int_equal(front_say(&f, VHOST_SET_VRING_BASE, &base, sizeof(base)), -EPROTO);
    }
    over(state);
}

/* ---- memory ---- */

static int memfd(unsigned seals)
{
    int fd = memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, FRONT_LOW + FRONT_HIGH), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, (int)seals), 0);
    return fd;
}

static void table_refused(const char *what, const struct vhost_memory *t, int fd, const char *why)
{
    int fds[VHOST_REGIONS];
    unsigned before = descriptors();

    for (unsigned i = 0; i < VHOST_REGIONS; i++)
        fds[i] = fd;
    front_send(&f, VHOST_SET_MEM_TABLE, VHOST_VERSION, t,
               (uint32_t)(8 + t->n * sizeof(t->region[0])), fds, t->n);
    if (front_turn(&f) > 0 || !strstr(f.why.msg, why))
        fail_msg("%s: %s", what, f.why.msg);
    assert_int_equal(f.r.vhost.memory.gmem.n, 0);
    assert_int_equal(descriptors(), before);
}

static void memory_that_cannot_be_trusted_is_refused(void **state)
{
    static const struct {
        const char *what, *why;
        struct vhost_region r[2];
    } bad[] = {
        { "nothing", "consist of pages", { { 0, 0, 0, 0 }, { 1 << 20, 4096, 1 << 20, 0 } } },
        { "half a page", "consist of pages", { { 0, 2048, 0, 0 }, { 1 << 20, 4096, 1 << 20, 0 } } },
        { "between pages",
          "consist of pages",
          { { 8, 4096, 0, 0 }, { 1 << 20, 4096, 1 << 20, 0 } } },
        { "offset", "consist of pages", { { 0, 4096, 0, 16 }, { 1 << 20, 4096, 1 << 20, 0 } } },
        { "at an odd address",
          "consist of pages",
          { { 0, 4096, 3, 0 }, { 1 << 20, 4096, 1 << 20, 0 } } },
        { "wraps", "wraps", { { -4096ull, 8192, 0, 0 }, { 1 << 20, 4096, 1 << 20, 0 } } },
        { "wraps where it is",
          "wraps",
          { { 0, 8192, -4096ull, 0 }, { 1 << 20, 4096, 1 << 20, 0 } } },
        { "wraps in its file",
          "wraps",
          { { 0, 8192, 0, -4096ull }, { 1 << 20, 4096, 1 << 20, 0 } } },
        { "too much", "", { { 0, 1ull << 63, 0, 0 }, { -4096ull, 4096, -4096ull, 0 } } },
        { "overlap", "overlap", { { 0, 8192, 0, 0 }, { 4096, 4096, 1 << 20, 0 } } },
        { "overlap, the other way", "overlap", { { 4096, 4096, 0, 0 }, { 0, 8192, 1 << 20, 0 } } },
        { "the same twice", "overlap", { { 0, 4096, 0, 0 }, { 1 << 20, 4096, 0, 0 } } },
        { "beyond its file", "beyond", { { 0, 4096, 0, 0 }, { 1 << 20, 8192, 1 << 20, 4190208 } } },
        { "behind its file",
          "beyond",
          { { 0, 4096, 0, 1ull << 40 }, { 1 << 20, 4096, 1 << 20, 0 } } },
    };
    struct vhost_memory t = front_table();
    int fd;

    for (size_t i = 0; i < array_len(bad); i++) {
        struct vhost_memory wrong = { .n = 2, .region = { bad[i].r[0], bad[i].r[1] } };

        connected(state);
        table_refused(bad[i].what, &wrong, f.memfd, bad[i].why);
        over(state);
    }
    connected(state);
    fd = memfd(F_SEAL_GROW);
    table_refused("not sealed", &t, fd, "sealed");
    close(fd);
    over(state);
    connected(state);
    fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, FRONT_LOW + FRONT_HIGH), 0);
    table_refused("a file", &t, fd, "sealed");
    close(fd);
    over(state);
    connected(state);
    table_refused("a socket", &t, f.sock, "sealed");
    over(state);
    connected(state);
    fd = memfd(F_SEAL_SHRINK | F_SEAL_WRITE);
    table_refused("not to be written to", &t, fd, "memory");
    close(fd);
    over(state);
    connected(state);
    fd = memfd_create("larger", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(fd, 1ll << 40), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    t.region[1].offset += 4096;
    table_refused("behind what the guest has", &t, fd, "more than the guest has");
    t.region[1].offset -= 4096;
    close(fd);
    over(state);
    connected(state);

    int two[2] = { f.memfd, memfd(F_SEAL_SHRINK) };

    front_send(&f, VHOST_SET_MEM_TABLE, VHOST_VERSION, &t, 8 + 2 * sizeof(t.region[0]), two, 2);
    assert_int_equal(front_turn(&f), -EPROTO);
    assert_non_null(strstr(f.why.msg, "more than one file"));
    close(two[1]);
    over(state);
    connected(state);
    t.n = VHOST_REGIONS + 1;
    breaks("nine regions", VHOST_SET_MEM_TABLE, VHOST_VERSION, &t, 264, 8, "as many regions");
    over(state);
}

static void a_ring_outside_of_memory_is_refused(void **state)
{
    const uint64_t end = FRONT_USER + FRONT_LOW;
    const struct {
        const char *what;
        struct vhost_vring_addr a;
    } bad[] = {
        { "in front", { 1, 0, FRONT_USER - 16, FRONT_USER, FRONT_USER + 4096, 0 } },
        { "behind", { 1, 0, FRONT_USER, FRONT_USER + 4096, end, 0 } },
        { "descriptors over the end", { 1, 0, FRONT_USER, FRONT_USER + 4096, end - 1008, 0 } },
        { "used over the end", { 1, 0, FRONT_USER, end - 512, FRONT_USER + 8192, 0 } },
        { "avail over the end", { 1, 0, FRONT_USER, FRONT_USER + 8192, end - 130, 0 } },
        { "between", { 1, 0, FRONT_USER, FRONT_USER + 4096, FRONT_USER + (1ull << 39), 0 } },
        { "nowhere", { 1, 0, UINT64_MAX - 15, UINT64_MAX - 3, UINT64_MAX - 1, 0 } },
        { "descriptors unaligned",
          { 1, 0, FRONT_USER + 8, FRONT_USER + 4096, FRONT_USER + 8192, 0 } },
        { "used unaligned", { 1, 0, FRONT_USER, FRONT_USER + 4098, FRONT_USER + 8192, 0 } },
        { "avail unaligned", { 1, 0, FRONT_USER, FRONT_USER + 4096, FRONT_USER + 8193, 0 } },
        { "of the third ring", { 2, 0, FRONT_USER, FRONT_USER + 4096, FRONT_USER + 8192, 0 } },
        { "with a log", { 1, 1, FRONT_USER, FRONT_USER + 4096, FRONT_USER + 8192, 0 } },
    };

    for (size_t i = 0; i < array_len(bad); i++) {
        struct vhost_vring_addr a = bad[i].a;

        if (i == 2) { /* the descriptors are first */
            a.desc = a.avail;
            a.avail = FRONT_USER;
        }
        started(state);
        if (front_say(&f, VHOST_SET_VRING_ADDR, &a, sizeof(a)) != -EPROTO)
            fail_msg("%s: %s", bad[i].what, f.why.msg);
        assert_false(i < 10 && f.r.vhost.ring[1].q.enabled);
        over(state);
    }
}

/* Doorbells that ring too early, and rings that are on without memory. */
static void nothing_is_served_before_all_is_said(void **state)
{
    const uint64_t features = (1ull << 32) | VHOST_F_PROTOCOL_FEATURES, index = VHOST_REQUESTS;
    const uint64_t bad[] = { 1ull << 32, 0, features | 1ull << 33, features | 1ull << 26 };
    int file;

    (void)state;
    assert_int_equal(front_say_fd(&f, VHOST_SET_VRING_KICK, &index, sizeof(index), f.kick), 1);
    front_kick(&f);
    assert_int_equal(front_settle(&f), 1);
    front_enable(&f, VHOST_REQUESTS, 1);
    front_kick(&f);
    assert_int_equal(front_settle(&f), 1);
    front_place(&f, VHOST_REQUESTS, 0);
    front_kick(&f);
    assert_int_equal(front_settle(&f), 1);
    assert_false(f.r.vhost.ring[VHOST_REQUESTS].q.enabled);
    for (size_t i = 0; i < array_len(bad); i++) {
        assert_int_equal(front_say(&f, VHOST_SET_FEATURES, &bad[i], sizeof(bad[i])), -EPROTO);
        assert_int_equal(f.r.vhost.features, 0);
        f.r.end = 1;
    }
    /* All but memory. */
    assert_int_equal(front_say(&f, VHOST_SET_FEATURES, &features, sizeof(features)), -EPROTO);
    over(state);
    connected(state);
    file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    assert_true(front_say_fd(&f, VHOST_SET_VRING_KICK, &index, sizeof(index), file) < 0);
    close(file);
}

static void an_answer_that_nobody_takes_ends_it(void **state)
{
    int n = 1;

    (void)state;
    for (unsigned i = 0; n == 1 && i < 100000; i++)
        n = front_say(&f, VHOST_GET_FEATURES, NULL, 0);
    assert_int_equal(n, -EPROTO);
    assert_non_null(strstr(f.why.msg, "not taken"));
}

/* ---- a guest that breaks the rules ---- */

static uint8_t before[FRONT_LOW + FRONT_HIGH];

/* The ring stands still, the memory too, the machine knows; after a reset it goes on. */
static void stands_still(const char *what, unsigned ring)
{
    const struct front_buf b[] = { { ASK, IN, 0 }, { HEAR, 4096, D_WRITE } };
    uint64_t index = ring, told = 0;
    uint32_t id, len;
    int error = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    assert_int_equal(front_say_fd(&f, VHOST_SET_VRING_ERR, &index, sizeof(index), error), 1);
    front_kick(&f);
    memcpy(before, f.ram, sizeof(before));
    assert_int_equal(front_settle(&f), 1);
    if (read(error, &told, sizeof(told)) != sizeof(told) || told != 1)
        fail_msg("%s: the machine is not told", what);
    close(error);
    assert_int_equal(front_say(&f, VHOST_SET_OWNER, NULL, 0), 1); /* no reason to go on */
    (void)ask(FUSE_STATFS, 1, NULL, 0);
    front_post(&f, ring, b, 2);
    memcpy(before, f.ram, sizeof(before));
    front_kick(&f);
    assert_int_equal(front_settle(&f), 1);
    if (memcmp(before, f.ram, sizeof(before)) != 0)
        fail_msg("%s: memory was touched", what);
    assert_false(front_reap(&f, ring, &id, &len));
    /* The driver begins anew. */
    (void)front_stop(&f, ring);
    front_enable(&f, ring, 1);
    assert_false(f.r.vhost.ring[ring].q.enabled); /* it is nowhere */
    (void)front_stop(&f, ring);
    front_place(&f, ring, 0);
    assert_false(f.r.vhost.ring[ring].q.enabled); /* it is off */
    memset(front_at(&f, f.ring[ring].avail), 0, 4096);
    memset(front_at(&f, f.ring[ring].used), 0, 4096);
    f.ring[ring].next = f.ring[ring].seen = f.ring[ring].free = 0;
    front_place(&f, ring, 0);
    front_enable(&f, ring, 1);
    if (ring == VHOST_REQUESTS && init_session())
        fail_msg("%s: no second beginning", what);
}

/* A request of this header, through these buffers. */
static void posted(unsigned ring, uint32_t opcode, uint32_t said, const struct front_buf *b,
                   unsigned n)
{
    const struct fuse_in_header h = { .len = said, .opcode = opcode, .unique = 1 };

    memcpy(front_at(&f, ASK), &h, sizeof(h));
    front_post(&f, ring, b, n);
}

/* Rings and chains that no driver would make. */
static void tamper(void)
{
    const struct front_buf good[] = { { ASK, IN, 0 }, { HEAR, 4096, D_WRITE } };
    static const char made[sizeof(struct fuse_mkdir_in) + 2] = "\xed\1\0\0\0\0\0\0d"; /* 0755 */
    const struct front_buf roomless[] = { { ASK, IN + sizeof(made), 0 }, { HEAR, 8, D_WRITE } };
    char path[256];

    (void)ask(FUSE_MKDIR, CLIENT_ROOT, made, sizeof(made));
    front_post(&f, 1, roomless, 2);
    stands_still("a directory without an answer", 1);
    snprintf(path, sizeof(path), "%s/d", f.c.dir);
    assert_int_equal(access(path, F_OK), -1); /* nothing is done that cannot be told */
    posted(1, FUSE_STATFS, IN, good, 2);
    *(uint16_t *)front_at(&f, f.ring[1].avail + 2) += FRONT_SIZE;
    stands_still("more than there can be", 1);
    posted(1, FUSE_STATFS, IN, good, 2);
    *(uint16_t *)front_at(&f, f.ring[1].avail + 4 + 2 * ((f.ring[1].next - 1) % FRONT_SIZE)) = 64;
    stands_still("a descriptor that is none", 1);
    posted(1, FUSE_STATFS, IN, good, 2);
    ((struct front_desc *)front_at(&f, f.ring[1].desc))[(f.ring[1].free - 1) % FRONT_SIZE].flags |=
        D_NEXT;
    ((struct front_desc *)front_at(&f, f.ring[1].desc))[(f.ring[1].free - 1) % FRONT_SIZE].next =
        (uint16_t)((f.ring[1].free - 1) % FRONT_SIZE);
    stands_still("a loop", 1);
}

static void a_guest_that_breaks_virtio_is_not_served(void **state)
{
    char line[256];
    static const struct {
        const char *what;
        struct front_buf b[2];
        unsigned ring, n;
        uint32_t opcode, said;
    } bad[] = {
        { "half a header",
          { { ASK, IN - 1, 0 }, { HEAR, 99, D_WRITE } },
          1,
          2,
          FUSE_STATFS,
          IN - 1 },
        { "a longer word", { { ASK, IN, 0 }, { HEAR, 99, D_WRITE } }, 1, 2, FUSE_STATFS, IN + 1 },
        { "a shorter word", { { ASK, IN + 1, 0 }, { HEAR, 99, D_WRITE } }, 1, 2, FUSE_STATFS, IN },
        { "no answer wanted", { { ASK, IN, 0 } }, 1, 1, FUSE_STATFS, IN },
        { "no room for a header",
          { { ASK, IN, 0 }, { HEAR, 15, D_WRITE } },
          1,
          2,
          FUSE_STATFS,
          IN },
        { "nothing to read", { { HEAR, 99, D_WRITE } }, 1, 1, FUSE_STATFS, IN },
        { "longer than any",
          { { ASK, FILES_MESSAGE_MAX + 1, 0 }, { HEAR, 99, D_WRITE } },
          1,
          2,
          FUSE_WRITE,
          FILES_MESSAGE_MAX + 1 },
        { "forgetting where answers are",
          { { ASK, IN, 0 }, { HEAR, 99, D_WRITE } },
          1,
          2,
          FUSE_FORGET,
          IN },
        { "a request where none are",
          { { ASK, IN, 0 }, { HEAR, 99, D_WRITE } },
          0,
          2,
          FUSE_STATFS,
          IN },
        { "outside", { { FRONT_LOW, IN, 0 }, { HEAR, 99, D_WRITE } }, 1, 2, FUSE_STATFS, IN },
        { "over the end",
          { { ASK, IN, 0 }, { FRONT_LOW - 50, 99, D_WRITE } },
          1,
          2,
          FUSE_STATFS,
          IN },
        { "high over the end",
          { { ASK, IN, 0 }, { FRONT_HIGH_GPA + FRONT_HIGH - 50, 99, D_WRITE } },
          1,
          2,
          FUSE_STATFS,
          IN },
        { "wraps", { { ASK, IN, 0 }, { UINT64_MAX - 50, 99, D_WRITE } }, 1, 2, FUSE_STATFS, IN },
        { "answer first", { { HEAR, 99, D_WRITE }, { ASK, IN, 0 } }, 1, 2, FUSE_STATFS, IN },
    };

    int log = memfd_create("log", MFD_CLOEXEC), said = dup(2);

    (void)state;
    assert_true(dup2(log, 2) == 2);
    for (size_t i = 0; i < array_len(bad); i++) {
        posted(bad[i].ring, bad[i].opcode, bad[i].said, bad[i].b, bad[i].n);
        stands_still(bad[i].what, bad[i].ring);
    }
    tamper();
    assert_true(dup2(said, 2) == 2);
    close(said);
    assert_int_equal(pread(log, line, sizeof(line), 0), /* once */
                     strlen("carrel-files: the guest broke a rule of virtio: its queue stands "
                            "still\n"));
    close(log);
}

/* What is wrong inside a request is that request's trouble. */
static void a_request_that_is_wrong_is_answered(void **state)
{
    static uint8_t big[65536];
    const struct fuse_read_in read = { .size = 4096 };
    const uint32_t entry = sizeof(struct fuse_entry_out);
    struct fuse_read_in in = { .size = 64 };
    uint64_t fh, node;
    uint32_t len;

    (void)state;
    assert_int_equal(init_session(), 0);
    node = create("f", &fh);
    in.fh = fh;
    put_write(node, fh, 0, 64);
    assert_int_equal(served(IN + (uint32_t)sizeof(struct fuse_write_in) + 64, 4096, NULL), 0);
    assert_int_equal(served(ask(FUSE_READ, node, &in, sizeof(in)), OUT + 63, NULL), -EIO);
    assert_int_equal(served(ask(FUSE_READ, node, &in, sizeof(in)), OUT + 64, NULL), 0);
    assert_int_equal(served(ask(FUSE_READ, node, &read, sizeof(read)), OUT + 4096, NULL), -EBADF);
    in.size = 16; /* less than there is, and than there is room for */
    memset(front_at(&f, HEAR), 0xee, 4096);
    assert_int_equal(served(ask(FUSE_READ, node, &in, sizeof(in)), OUT + 64, &len), 0);
    assert_int_equal(len, 16);
    assert_int_equal(*(uint8_t *)front_at(&f, HEAR + OUT + 16), 0xee);
    assert_int_equal(served(ask(FUSE_LOOKUP, CLIENT_ROOT, "f", 2), OUT, NULL), -EIO);
    assert_int_equal(served(ask(FUSE_LOOKUP, CLIENT_ROOT, "f", 2), OUT + entry - 4, NULL), -EIO);
    assert_int_equal(served(ask(FUSE_LOOKUP, CLIENT_ROOT, "f", 2), OUT + entry, NULL), 0);
    assert_int_equal(served(ask(FUSE_LOOKUP, CLIENT_ROOT, "f", 2), OUT + 8, NULL), -EIO);
    assert_int_equal(served(ask(FUSE_SETXATTR, node, big, sizeof(big)), 4096, NULL), -ENOSYS);
    memset(big, 'x', 9000);
    assert_int_equal(served(ask(FUSE_LOOKUP, CLIENT_ROOT, big, 9001), 4096, NULL), -EINVAL);
    big[100] = 0; /* a name, and what nobody looked at behind it */
    memset(big + 101, 0, 9000);
    assert_int_equal(served(ask(FUSE_LOOKUP, CLIENT_ROOT, big, 9001), 4096, NULL), -EINVAL);
    assert_int_equal(served(ask(FUSE_WRITE, node, &in, 20), 4096, NULL), -EINVAL);
    put_write(node, fh, 0, 64);
    ((struct fuse_write_in *)front_at(&f, ASK + IN))->size = 65;
    assert_int_equal(served(IN + (uint32_t)sizeof(struct fuse_write_in) + 64, 4096, NULL), -EINVAL);
}

/* ---- beginning and end ---- */

static void a_ring_that_is_off_is_not_touched(void **state)
{
    const struct front_buf b[] = { { ASK, IN, 0 }, { HEAR, 4096, D_WRITE } };
    uint32_t id, len;

    (void)state;
    assert_int_equal(init_session(), 0);
    for (unsigned stop = 0; stop < 2; stop++) {
        if (stop)
            assert_int_equal(front_stop(&f, VHOST_REQUESTS), f.ring[VHOST_REQUESTS].next);
        else
            front_enable(&f, VHOST_REQUESTS, 0);
        (void)ask(FUSE_STATFS, 1, NULL, 0);
        front_post(&f, VHOST_REQUESTS, b, 2);
        memcpy(before, f.ram, sizeof(before));
        front_kick(&f);
        assert_int_equal(front_settle(&f), 1);
        assert_memory_equal(before, f.ram, sizeof(before));
        assert_int_equal(front_calls(&f, VHOST_REQUESTS), !stop);
        if (stop) /* where it was, as after a pause of the machine */
            front_place(&f, VHOST_REQUESTS, (uint16_t)(f.ring[VHOST_REQUESTS].next - 1));
        front_enable(&f, VHOST_REQUESTS, 1); /* no doorbell: it looks by itself */
        assert_int_equal(front_settle(&f), 1);
        assert_true(front_reap(&f, VHOST_REQUESTS, &id, &len));
        assert_int_equal(front_calls(&f, VHOST_REQUESTS), 1);
    }
}

/* It may not have said farewell. What the first one had open is closed. */
static void a_second_driver_begins_anew(void **state)
{
    struct fuse_read_in in = { .size = 16 };
    uint64_t fh, node;
    unsigned before_open;

    (void)state;
    assert_int_equal(init_session(), 0);
    before_open = descriptors();
    for (int i = 0; i < 3; i++) {
        node = create(i ? "g" : "f", &fh);
        assert_int_equal(descriptors(), before_open + 1);
        in.fh = fh;
        for (unsigned ring = 0; ring < VHOST_RINGS; ring++) {
            (void)front_stop(&f, ring);
            memset(front_at(&f, f.ring[ring].avail), 0, 4096);
            memset(front_at(&f, f.ring[ring].used), 0, 4096);
            f.ring[ring].next = f.ring[ring].seen = f.ring[ring].free = 0;
            front_place(&f, ring, 0);
            front_enable(&f, ring, 1);
        }
        assert_int_equal(init_session(), 0);
        assert_int_equal(descriptors(), before_open);
        assert_int_equal(served(ask(FUSE_READ, node, &in, sizeof(in)), 4096, NULL), -EBADF);
        assert_int_equal(served(ask(FUSE_GETATTR, node, &in, 16), 4096, NULL), -ENOENT);
        if (i)
            assert_int_equal(served(ask(FUSE_UNLINK, CLIENT_ROOT, "g", 2), 4096, NULL), 0);
    }
}

/* In the second region, from an index on that an earlier one had. */
static void a_ring_may_be_anywhere(void **state)
{
    struct front_ring *r = &f.ring[VHOST_REQUESTS];
    struct vhost_vring_addr a = { .index = VHOST_REQUESTS };
    const uint64_t user = FRONT_USER + (1ull << 40);

    (void)state;
    front_start(&f, false);
    assert_int_equal(init_session(), 0);
    assert_int_equal(served(ask(FUSE_STATFS, 1, NULL, 0), 4096, NULL), 0);
    assert_int_equal(front_calls(&f, VHOST_REQUESTS), 2);
    assert_int_equal(front_stop(&f, VHOST_REQUESTS), 2);
    front_place(&f, VHOST_REQUESTS, 1);
    r->desc = FRONT_HIGH_GPA + 0x100000;
    r->avail = FRONT_HIGH_GPA + 0x101000;
    r->used = FRONT_HIGH_GPA + 0x102000;
    r->next = r->seen = 1;
    r->free = 0;
    *(uint16_t *)front_at(&f, r->avail + 2) = *(uint16_t *)front_at(&f, r->used + 2) = 1;
    a.desc = user + 0x100000;
    a.avail = user + 0x101000;
    a.used = user + 0x102000;
    assert_int_equal(front_say(&f, VHOST_SET_VRING_ADDR, &a, sizeof(a)), 1);
    front_enable(&f, VHOST_REQUESTS, 1);
    assert_int_equal(served(ask(FUSE_STATFS, 1, NULL, 0), 4096, NULL), 0);
    assert_int_equal(front_calls(&f, VHOST_REQUESTS), 1);
}

static void memory_may_be_lent_anew(void **state)
{
    struct vhost_memory t = front_table();
    const int fds[] = { f.memfd, f.memfd };

    (void)state;
    assert_int_equal(init_session(), 0);
    front_memory(&f); /* the rings are running */
    assert_int_equal(served(ask(FUSE_STATFS, 1, NULL, 0), 4096, NULL), 0);
    t.region[0].size = 0x2000; /* cuts the rings off */
    front_send(&f, VHOST_SET_MEM_TABLE, VHOST_VERSION, &t, 8 + 2 * sizeof(t.region[0]), fds, 2);
    assert_int_equal(front_turn(&f), -EPROTO);
}

/* What we wrote to the first would stay, and be no account of its owner's. */
static void memory_is_one_file_for_ever(void **state)
{
    const struct vhost_memory t = front_table();
    int other = memfd(F_SEAL_SHRINK);

    (void)state;
    table_refused("another file", &t, other, "more than one file");
    close(other);
}

/* ---- doorbells and interrupts ---- */

static uint16_t forget(uint64_t node)
{
    const struct fuse_forget_in in = { .nlookup = 1 };
    const struct front_buf b = { ASK + 0x8000, IN + (uint32_t)sizeof(in), 0 };
    const struct fuse_in_header h = { .len = b.len, .opcode = FUSE_FORGET, .nodeid = node };

    memcpy(front_at(&f, b.at), &h, sizeof(h));
    memcpy(front_at(&f, b.at + IN), &in, sizeof(in));
    return front_post(&f, VHOST_HIPRIO, &b, 1);
}

static uint16_t avail_event(unsigned ring)
{
    return *(uint16_t *)front_at(&f, f.ring[ring].used + 4 + 8 * FRONT_SIZE);
}

static void forgetting_wakes_nobody(void **state)
{
    uint32_t id, len;
    uint64_t fh, node;

    (void)state;
    assert_int_equal(init_session(), 0);
    assert_int_equal(avail_event(VHOST_HIPRIO), 0); /* ring for the first */
    node = create("f", &fh);
    assert_int_equal(f.c.s.nodes.live, 3);
    assert_int_equal(served(ask(FUSE_RELEASE, node, &(struct fuse_release_in){ .fh = fh },
                                sizeof(struct fuse_release_in)),
                            4096, NULL),
                     0);
    (void)forget(node);
    front_kick(&f);
    assert_int_equal(front_settle(&f), 1);
    assert_int_equal(f.c.s.nodes.live, 2);
    assert_true(front_reap(&f, VHOST_HIPRIO, &id, &len));
    assert_int_equal(len, 0);
    assert_int_equal(front_calls(&f, VHOST_HIPRIO), 0); /* later */
    assert_int_equal(avail_event(VHOST_HIPRIO), 0);     /* the next need not ring … */
    assert_int_equal(served(ask(FUSE_LOOKUP, CLIENT_ROOT, "f", 2), 4096, NULL), 0);
    memcpy(&node, front_at(&f, HEAR + OUT), sizeof(node));
    (void)forget(node); /* … as a request looks after it */
    assert_int_equal(served(ask(FUSE_STATFS, 1, NULL, 0), 4096, NULL), 0);
    assert_int_equal(f.c.s.nodes.live, 2);
    assert_int_equal(front_calls(&f, VHOST_HIPRIO), 0);
    (void)forget(node); /* or the time */
    while (f.r.dozing)
        assert_int_equal(rings_turn(&f.r, 1000, &f.why), 1);
    assert_int_equal(front_calls(&f, VHOST_HIPRIO), 1);
    assert_int_equal(avail_event(VHOST_HIPRIO), 3);
    while (front_reap(&f, VHOST_HIPRIO, &id, &len))
        ;
    for (unsigned i = 0; i < 40; i++) /* and many are told of at once */
        (void)forget(99);
    assert_int_equal(served(ask(FUSE_STATFS, 1, NULL, 0), 4096, NULL), 0);
    assert_int_equal(front_calls(&f, VHOST_HIPRIO), 1);
}

static void who_wants_no_interrupt_gets_none(void **state)
{
    (void)state;
    front_start(&f, false);
    assert_int_equal(init_session(), 0);
    assert_int_equal(front_calls(&f, VHOST_REQUESTS), 1);
    *(uint16_t *)front_at(&f, f.ring[VHOST_REQUESTS].avail) = 1; /* VIRTQ_AVAIL_F_NO_INTERRUPT */
    assert_int_equal(served(ask(FUSE_STATFS, 1, NULL, 0), 4096, NULL), 0);
    assert_int_equal(front_calls(&f, VHOST_REQUESTS), 0);
}

static void a_busy_guest_does_not_silence_the_machine(void **state)
{
    const struct front_buf b[] = { { ASK, IN, 0 }, { HEAR, 4096, D_WRITE } };

    (void)state;
    assert_int_equal(init_session(), 0);
    (void)ask(FUSE_STATFS, 1, NULL, 0);
    for (unsigned i = 0; i < FRONT_SIZE; i++)
        (void)forget(99);
    for (unsigned i = 0; i < FRONT_SIZE / 2; i++)
        (void)front_post(&f, VHOST_REQUESTS, b, 2);
    front_kick(&f);
    assert_int_equal(front_turn(&f), 1);
    assert_true(f.r.busy);
    assert_int_equal(front_say(&f, VHOST_GET_QUEUE_NUM, NULL, 0), 1);
    (void)front_answer(&f, VHOST_GET_QUEUE_NUM);
    assert_int_equal(front_settle(&f), 1);
    assert_false(f.r.busy);
}

/* ---- memory that changes while it is read ---- */

static atomic_bool done;

/* A CPU of the guest is hardware to us: the sanitizer must not see it as a thread of ours. */
__attribute__((no_sanitize("thread"), noinline)) static void *rewrite(void *arg)
{
    volatile uint8_t *name = arg;

    while (!atomic_load_explicit(&done, memory_order_relaxed))
        *name = *name == 'f' ? 's' : 'f';
    return NULL;
}

/* What is judged is what is opened, whatever the guest writes there meanwhile. */
static void a_name_is_read_once(void **state)
{
    char path[256];
    unsigned found = 0, denied = 0;
    struct stat st;
    pthread_t t;
    FILE *file;

    (void)state;
    front_init(&f, "access: rw, deny_read: ['**/s']");
    front_start(&f, true);
    assert_int_equal(init_session(), 0);
    for (const char *name = "fs"; *name; name++) {
        snprintf(path, sizeof(path), "%s/%c", f.c.dir, *name);
        file = fopen(path, "w");
        assert_non_null(file);
        fclose(file);
    }
    assert_int_equal(stat(path, &st), 0);
    atomic_store(&done, false);
    (void)ask(FUSE_LOOKUP, CLIENT_ROOT, "f", 2);
    assert_int_equal(pthread_create(&t, NULL, rewrite, front_at(&f, ASK + IN)), 0);
    for (unsigned i = 0; i < 20000; i++) {
        struct fuse_in_header h = {
            .len = IN + 2, .opcode = FUSE_LOOKUP, .unique = ++f.unique, .nodeid = CLIENT_ROOT
        };
        struct fuse_entry_out out;
        int err;

        memcpy(front_at(&f, ASK), &h, sizeof(h));
        err = served(IN + 2, 4096, NULL);
        memcpy(&out, front_at(&f, HEAR + OUT), sizeof(out));
        if (err)
            assert_int_equal(err, -EACCES);
        else
            assert_int_not_equal(out.attr.ino & 0xffffffff, st.st_ino & 0xffffffff);
        found += !err;
        denied += err != 0;
    }
    atomic_store(&done, true);
    pthread_join(t, NULL);
    assert_true(found > 100 && denied > 100);
}

int main(void)
{
#define AT_FIRST(t) cmocka_unit_test_setup_teardown(t, connected, over)
#define STARTED(t)  cmocka_unit_test_setup_teardown(t, started, over)
    const struct CMUnitTest tests[] = {
        AT_FIRST(an_honest_machine_is_answered),
        AT_FIRST(requests_wait_for_no_turn),
        STARTED(files_are_written_and_read_in_place),
        cmocka_unit_test(messages_that_are_none_are_refused),
        cmocka_unit_test(a_message_that_ends_early_is_refused),
        cmocka_unit_test(what_does_not_exist_is_refused),
        cmocka_unit_test(a_ring_of_a_size_that_is_none_is_refused),
        cmocka_unit_test(memory_that_cannot_be_trusted_is_refused),
        cmocka_unit_test(a_ring_outside_of_memory_is_refused),
        AT_FIRST(nothing_is_served_before_all_is_said),
        AT_FIRST(an_answer_that_nobody_takes_ends_it),
        STARTED(a_guest_that_breaks_virtio_is_not_served),
        STARTED(a_request_that_is_wrong_is_answered),
        STARTED(a_ring_that_is_off_is_not_touched),
        STARTED(a_second_driver_begins_anew),
        AT_FIRST(a_ring_may_be_anywhere),
        STARTED(memory_is_one_file_for_ever),
        STARTED(memory_may_be_lent_anew),
        STARTED(forgetting_wakes_nobody),
        AT_FIRST(who_wants_no_interrupt_gets_none),
        STARTED(a_busy_guest_does_not_silence_the_machine),
        cmocka_unit_test_teardown(a_name_is_read_once, over),
    };

    signal(SIGPIPE, SIG_IGN); /* as carrel-files */
    return cmocka_run_group_tests_name("files_vhost", tests, NULL, NULL);
}
