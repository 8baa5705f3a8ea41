/* test_blk.c - the disk: what reaches the file, what the guest is told. */
#include "tests/unit/guest.h"

#include "vmm/virtio/blk.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SECTORS 256u
#define T_IN    0u
#define T_OUT   1u
#define T_FLUSH 4u
#define T_SCSI  2u
#define T_ID    8u
#define T_DISC  11u
#define T_ZERO  13u
#define F_FLUSH (1ull << 9)

/* Counted, and refused when a test says so: the linker finds this one first. */
static unsigned syncs;
static bool sync_fails;

int fdatasync(int fd)
{
    (void)fd;
    syncs++;
    if (sync_fails)
        errno = EIO;
    return sync_fails ? -1 : 0;
}

struct fixture {
    struct guest g;
    struct driver d;
    struct ring *r;
    int fd; /* the same file as the device's */
};

/* A disk of n sectors, each full of its number plus one. */
static void plug_disk(struct fixture *f, struct vmm_launch_disk *disk, unsigned n,
                      uint64_t features)
{
    uint8_t sector[512];

    guest_init(&f->g, false);
    f->fd = memfd_create("disk", MFD_CLOEXEC);
    for (unsigned i = 0; i < n; i++) {
        memset(sector, (int)(i + 1), sizeof(sector));
        assert_int_equal(write(f->fd, sector, sizeof(sector)), sizeof(sector));
    }
    disk->fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
    memcpy(disk->serial, "carrel-disk-serial20", 20);
    guest_plug(&f->g, &f->d, blk_new(&f->g.host, disk, NULL));
    drv_start(&f->d, features, 64);
    f->r = &f->d.ring[0];
}

static void plug_with(struct fixture *f, struct vmm_launch_disk *disk, uint64_t features)
{
    plug_disk(f, disk, SECTORS, features);
}

static void setup(struct fixture *f, bool readonly)
{
    struct vmm_launch_disk disk = { .flags = readonly ? VMM_DISK_READONLY : 0 };

    plug_with(f, &disk, readonly ? 0 : F_FLUSH);
}

static void teardown(struct fixture *f)
{
    guest_fini(&f->g);
    close(f->fd);
}

static off_t file_size(struct fixture *f)
{
    struct stat st;

    assert_int_equal(fstat(f->fd, &st), 0);
    return st.st_size;
}

static uint64_t file_sum(struct fixture *f)
{
    uint8_t sector[512];
    uint64_t sum = 14695981039346656037ull;

    for (off_t at = 0; pread(f->fd, sector, sizeof(sector), at) > 0; at += 512)
        for (unsigned i = 0; i < sizeof(sector); i++)
            sum = (sum ^ sector[i]) * 1099511628211ull;
    return sum;
}

static uint64_t header(struct fixture *f, uint32_t type, uint64_t sector)
{
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } h = { type, 0, sector };

    return guest_put(&f->g, &h, sizeof(h));
}

/* A request whose data is one buffer: its status. *used: what used.len said. */
static uint8_t request(struct fixture *f, uint32_t type, uint64_t sector, uint64_t data,
                       uint32_t len, bool to_guest, uint32_t *used)
{
    uint64_t status = guest_alloc(&f->g, 1);
    struct buf b[3] = { { header(f, type, sector), 16, 0 },
                        { data, len, to_guest ? D_WRITE : 0 },
                        { status, 1, D_WRITE } };

    *(uint8_t *)guest_at(&f->g, status, 1) = 0xee;
    if (!len)
        b[1] = b[2];
    ring_add(f->r, b, len ? 3 : 2);
    drv_ring(&f->d);
    assert_true(ring_reap(f->r, NULL, used));
    return *(uint8_t *)guest_at(&f->g, status, 1);
}

static void config_tells_the_disk(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, true);
    assert_int_equal(guest_r(&f.g, f.d.bar, 4), SECTORS);
    assert_int_equal(guest_r(&f.g, f.d.bar + 12, 4), 254); /* seg_max */
    assert_int_equal(guest_r(&f.g, f.d.bar + 20, 4), 512);
    assert_int_equal(drv_offered(&f.d) & (1 << 5 | F_FLUSH | 1 << 13 | 1 << 14), 1 << 5);
    teardown(&f);
    setup(&f, false);
    assert_int_equal(drv_offered(&f.d) & (1 << 5 | F_FLUSH | 1 << 13 | 1 << 14),
                     F_FLUSH | 1 << 13 | 1 << 14);
    assert_true(guest_r(&f.g, f.d.bar + 36, 4) > 0); /* max_discard_sectors */
    /* max_write_zeroes_sectors and _seg: what may have to be written for one request. */
    assert_int_equal(guest_r(&f.g, f.d.bar + 48, 4) * guest_r(&f.g, f.d.bar + 52, 4), 64 << 11);
    teardown(&f);
}

static void reads(void **state)
{
    struct fixture f;
    uint64_t data;
    uint32_t used;
    uint8_t *at;

    (void)state;
    setup(&f, true);
    data = guest_alloc(&f.g, 4096);
    assert_int_equal(request(&f, T_IN, 5, data, 1024, true, &used), 0);
    assert_int_equal(used, 1025);
    at = guest_at(&f.g, data, 4096);
    assert_int_equal(at[0], 6);
    assert_int_equal(at[511], 6);
    assert_int_equal(at[512], 7);
    assert_int_equal(at[1024], 0); /* and not one byte more */
    assert_int_equal(f.g.msi[0x41], 1);
    teardown(&f);
}

static void writes(void **state)
{
    struct fixture f;
    uint64_t data;
    uint32_t used;
    uint8_t got[1536];

    (void)state;
    setup(&f, false);
    data = guest_alloc(&f.g, 1024);
    memset(guest_at(&f.g, data, 1024), 0xab, 1024);
    assert_int_equal(request(&f, T_OUT, 255 - 1, data, 1024, false, &used), 0);
    assert_int_equal(used, 1);
    assert_int_equal(pread(f.fd, got, sizeof(got), 253L * 512), sizeof(got));
    assert_int_equal(got[511], 254);
    assert_int_equal(got[512], 0xab);
    assert_int_equal(got[1535], 0xab);
    assert_int_equal(file_size(&f), SECTORS * 512);
    assert_int_equal(request(&f, T_FLUSH, 0, 0, 0, false, &used), 0);
    assert_int_equal(used, 1);
    teardown(&f);
}

static void scattered_and_indirect(void **state)
{
    struct vmm_launch_disk disk = { 0 };
    struct fixture f;
    uint64_t table, status, data[8];
    struct buf ref;

    (void)state;
    plug_with(&f, &disk, F_FLUSH | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX);
    table = guest_alloc(&f.g, 16ull * 10);
    status = guest_alloc(&f.g, 1);
    put_desc(&f.g, table, 0, header(&f, T_IN, 8), 16, D_NEXT, 1);
    for (unsigned i = 0; i < 8; i++) { /* odd pieces of four sectors */
        static const uint32_t len[8] = { 1, 511, 513, 0, 511, 2, 509, 1 };

        data[i] = guest_alloc(&f.g, 600);
        put_desc(&f.g, table, 1 + i, data[i], len[i], D_NEXT | D_WRITE, (uint16_t)(2 + i));
    }
    put_desc(&f.g, table, 9, status, 1, D_WRITE, 0);
    ref = (struct buf){ table, 160, D_INDIRECT };
    ring_add(f.r, &ref, 1);
    drv_ring(&f.d);
    assert_true(ring_reap(f.r, NULL, NULL));
    assert_int_equal(*(uint8_t *)guest_at(&f.g, status, 1), 0);
    assert_int_equal(*(uint8_t *)guest_at(&f.g, data[0], 1), 9);
    assert_int_equal(*(uint8_t *)guest_at(&f.g, data[1] + 510, 1), 9);
    assert_int_equal(*(uint8_t *)guest_at(&f.g, data[2], 1), 10);
    assert_int_equal(*(uint8_t *)guest_at(&f.g, data[2] + 512, 1), 11);
    assert_int_equal(*(uint8_t *)guest_at(&f.g, data[4] + 510, 1), 11);
    assert_int_equal(*(uint8_t *)guest_at(&f.g, data[5], 1), 12);
    assert_int_equal(*(uint8_t *)guest_at(&f.g, data[7], 1), 12);
    teardown(&f);
}

/* Three MiB in two segments: several system calls, none of which ends where a segment does. */
static void large_requests_in_chunks(void **state)
{
    struct vmm_launch_disk disk = { 0 };
    struct fixture f;
    uint64_t data, status;
    uint32_t used;
    struct buf b[4];
    const uint32_t len = 3u << 20;

    (void)state;
    plug_disk(&f, &disk, len / 512, F_FLUSH);
    for (uint32_t i = 0; i < len; i += 4096)
        assert_int_equal(pwrite(f.fd, &i, 4, i), 4);
    data = guest_alloc(&f.g, len + 512);
    status = guest_alloc(&f.g, 1);
    b[0] = (struct buf){ header(&f, T_IN, 0), 16, 0 };
    b[1] = (struct buf){ data, len - 700000, D_WRITE };
    b[2] = (struct buf){ data + len - 700000, 700000, D_WRITE };
    b[3] = (struct buf){ status, 1, D_WRITE };
    ring_add(f.r, b, 4);
    drv_ring(&f.d);
    assert_true(ring_reap(f.r, NULL, &used));
    assert_int_equal(used, len + 1);
    for (uint32_t i = 0; i < len; i += 4096)
        assert_int_equal(*(uint32_t *)guest_at(&f.g, data + i, 4), i);
    for (uint32_t i = 0; i < len; i += 4096)
        *(uint32_t *)guest_at(&f.g, data + i, 4) = ~i;
    b[0].at = header(&f, T_OUT, 0);
    b[1].flags = b[2].flags = 0;
    ring_add(f.r, b, 4);
    drv_ring(&f.d);
    assert_true(ring_reap(f.r, NULL, &used));
    for (uint32_t i = 0; i < len; i += 4096) {
        uint32_t got;

        assert_int_equal(pread(f.fd, &got, 4, i), 4);
        assert_int_equal(got, ~i);
    }
    assert_int_equal(file_size(&f), len);
    teardown(&f);
}

static void b01_beyond_the_end(void **state)
{
    static const struct {
        uint64_t sector;
        uint32_t len;
    } bad[] = {
        { SECTORS, 512 },
        { SECTORS - 1, 1024 },
        { 0, (SECTORS + 1) * 512 },
        { 0, 511 },
        { 0, 513 },
        { 1ull << 55, 512 }, /* sector * 512 is 2^64 */
        { (1ull << 55) + 1, 512 },
        { 0xffffffffffffffff, 512 },
        { 0x7fffffffffffff, 512 },
        { 0xfffffffffffffff0, 16 * 512 }, /* sector + count wraps */
    };
    struct fixture f;
    uint64_t sum, data;
    uint32_t used;

    (void)state;
    setup(&f, false);
    sum = file_sum(&f);
    data = guest_alloc(&f.g, (SECTORS + 2ull) * 512);
    for (unsigned i = 0; i < array_len(bad); i++) {
        assert_int_equal(request(&f, T_IN, bad[i].sector, data, bad[i].len, true, &used), 1);
        assert_int_equal(used, 1);
        assert_int_equal(request(&f, T_OUT, bad[i].sector, data, bad[i].len, false, &used), 1);
    }
    assert_int_equal(file_size(&f), SECTORS * 512);
    assert_int_equal(file_sum(&f), sum);
    assert_false(drv_broken(&f.d));
    teardown(&f);
}

/* B01: one read of up to 4 GiB needs no more than 2 MiB of guest memory, named often; it would keep
 * this thread, and the end of the machine, for seconds. */
static void b01_larger_than_any_driver_asks(void **state)
{
    struct vmm_launch_disk disk = { 0 };
    struct fixture f;
    struct buf b[35] = { 0 };
    uint64_t status;

    (void)state;
    plug_disk(&f, &disk, 33 * 4096, F_FLUSH);
    status = guest_alloc(&f.g, 1);
    b[0] = (struct buf){ header(&f, T_IN, 0), 16, 0 };
    for (unsigned n = 32; n <= 33; n++) {
        for (unsigned i = 1; i <= n; i++)
            b[i] = (struct buf){ 0x200000, 0x200000, D_WRITE };
        b[n + 1] = (struct buf){ status, 1, D_WRITE };
        ring_add(f.r, b, n + 2);
        drv_ring(&f.d);
        assert_true(ring_reap(f.r, NULL, NULL));
        assert_int_equal(*(uint8_t *)guest_at(&f.g, status, 1), n > 32);
    }
    teardown(&f);
}

static void b01_file_shrunk_by_the_host(void **state)
{
    struct fixture f;
    uint32_t used;

    (void)state;
    setup(&f, true);
    assert_int_equal(ftruncate(f.fd, 10L * 512), 0);
    assert_int_equal(request(&f, T_IN, 9, 0x100000, 1024, true, &used), 1);
    assert_int_equal(request(&f, T_IN, 9, 0x100000, 512, true, &used), 0);
    teardown(&f);
}

static void b02_header_in_16_pieces(void **state)
{
    struct fixture f;
    struct buf b[18];
    uint64_t h, status, data;

    (void)state;
    setup(&f, false);
    h = header(&f, T_IN, 3);
    data = guest_alloc(&f.g, 512);
    status = guest_alloc(&f.g, 1);
    *(uint8_t *)guest_at(&f.g, status, 1) = 0xee;
    for (unsigned i = 0; i < 16; i++)
        b[i] = (struct buf){ h + i, 1, 0 };
    b[16] = (struct buf){ data, 512, D_WRITE };
    b[17] = (struct buf){ status, 1, D_WRITE };
    ring_add(f.r, b, 18);
    drv_ring(&f.d);
    assert_true(ring_reap(f.r, NULL, NULL));
    assert_int_equal(*(uint8_t *)guest_at(&f.g, status, 1), 0);
    assert_int_equal(*(uint8_t *)guest_at(&f.g, data, 1), 4);
    teardown(&f);
}

static void b02_header_and_data_in_one_buffer(void **state)
{
    struct fixture f;
    struct buf b[2];
    uint64_t h, status;
    uint8_t got;

    (void)state;
    setup(&f, false);
    h = header(&f, T_OUT, 7);
    status = guest_alloc(&f.g, 1);
    *(uint8_t *)guest_at(&f.g, status, 1) = 0xee;
    memset(guest_at(&f.g, h + 16, 512), 0x5a, 512);
    b[0] = (struct buf){ h, 16 + 512, 0 };
    b[1] = (struct buf){ status, 1, D_WRITE };
    ring_add(f.r, b, 2);
    drv_ring(&f.d);
    assert_int_equal(*(uint8_t *)guest_at(&f.g, status, 1), 0);
    assert_int_equal(pread(f.fd, &got, 1, 7L * 512 + 511), 1);
    assert_int_equal(got, 0x5a);
    teardown(&f);
}

static void b02_no_status_or_header(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct fixture f;
        struct buf b[2];
        uint64_t h;

        setup(&f, false);
        h = header(&f, T_OUT, 0);
        b[0] = (struct buf){ h, i == 2 ? 15 : 16, i == 3 ? D_WRITE : 0 };
        b[1] = (struct buf){ h + 16, i == 1 ? 0 : 1, i ? D_WRITE : 0 };
        ring_add(f.r, b, i == 3 ? 1 : 2);
        drv_ring(&f.d);
        assert_true(drv_broken(&f.d));
        assert_int_equal(f.g.mistakes, 1);
        assert_false(ring_reap(f.r, NULL, NULL));
        teardown(&f);
    }
}

static void b03_readonly(void **state)
{
    struct fixture f;
    uint64_t sum, range;
    uint32_t used;
    struct {
        uint64_t sector;
        uint32_t n, flags;
    } r = { 0, 8, 0 };

    (void)state;
    setup(&f, true);
    sum = file_sum(&f);
    range = guest_put(&f.g, &r, sizeof(r));
    assert_int_equal(request(&f, T_OUT, 0, 0x100000, 512, false, &used), 1);
    assert_int_equal(request(&f, T_DISC, 0, range, 16, false, &used), 1);
    assert_int_equal(request(&f, T_ZERO, 0, range, 16, false, &used), 1);
    assert_int_equal(request(&f, T_OUT, 0, 0, 0, false, &used), 1);
    assert_int_equal(file_sum(&f), sum);
    teardown(&f);
}

static void b03_unknown_types(void **state)
{
    static const uint32_t types[] = { T_SCSI, 3, 5, 6, 7, 9, 10, 12, 14, 0x80000000, 0xffffffff };
    struct fixture f;
    uint32_t used;

    (void)state;
    setup(&f, false);
    for (unsigned i = 0; i < array_len(types); i++) {
        assert_int_equal(request(&f, types[i], 0, 0x100000, 512, i & 1, &used), 2);
        assert_int_equal(used, 1);
    }
    assert_false(drv_broken(&f.d));
    teardown(&f);
}

static void b04_get_id(void **state)
{
    struct fixture f;
    uint8_t *at;
    uint32_t used;

    (void)state;
    setup(&f, true);
    at = guest_at(&f.g, 0x100000, 1 << 20);
    memset(at, 0x77, 1 << 20);
    assert_int_equal(request(&f, T_ID, 0, 0x100000, 1, true, &used), 0);
    assert_int_equal(used, 2);
    assert_int_equal(at[0], 'c');
    assert_int_equal(at[1], 0x77);
    assert_int_equal(request(&f, T_ID, 0, 0x100000, 1 << 20, true, &used), 0);
    assert_int_equal(used, 21);
    assert_memory_equal(at, "carrel-disk-serial20", 20);
    for (unsigned i = 20; i < 1 << 20; i++)
        assert_int_equal(at[i], 0x77);
    teardown(&f);
}

struct range {
    uint64_t sector;
    uint32_t n, flags;
};

static uint8_t ranges(struct fixture *f, uint32_t type, const struct range *r, unsigned n)
{
    uint32_t used;

    return request(f, type, 0, guest_put(&f->g, r, n * sizeof(*r)), n * 16, false, &used);
}

static bool all_zero(struct fixture *f, unsigned sector, unsigned n)
{
    uint8_t got[512];

    for (; n--; sector++) {
        assert_int_equal(pread(f->fd, got, sizeof(got), (off_t)sector * 512), 512);
        for (unsigned i = 0; i < 512; i++)
            if (got[i])
                return false;
    }
    return true;
}

static void b05_discard_and_write_zeroes(void **state)
{
    struct fixture f;
    uint8_t got;

    (void)state;
    setup(&f, false);
    assert_int_equal(ranges(&f, T_DISC, (struct range[]){ { 8, 8, 0 } }, 1), 0);
    assert_true(all_zero(&f, 8, 8));
    /* Overlapping ranges are the guest's business; the flag may unmap. */
    assert_int_equal(
        ranges(&f, T_ZERO, (struct range[]){ { 16, 4, 0 }, { 18, 4, 1 }, { 30, 0, 0 } }, 3), 0);
    assert_true(all_zero(&f, 16, 6));
    assert_int_equal(pread(f.fd, &got, 1, 7L * 512 + 511), 1);
    assert_int_equal(got, 8);
    assert_int_equal(pread(f.fd, &got, 1, 22L * 512), 1);
    assert_int_equal(got, 23);
    assert_int_equal(file_size(&f), SECTORS * 512);
    teardown(&f);
}

static void b05_refused_ranges(void **state)
{
    static const struct range out[] = {
        { SECTORS, 1, 0 },
        { SECTORS - 1, 2, 0 },
        { 0, SECTORS + 1, 0 },
        { 0, 0xffffffff, 0 },
        { 0xffffffffffffffff, 1, 0 },
        { 1ull << 55, 8, 0 },
        { 0xfffffffffffffff8, 16, 0 },
    };
    struct range many[17] = { { 0, 0, 0 } };
    struct fixture f;
    uint64_t sum;
    uint32_t used;

    (void)state;
    setup(&f, false);
    sum = file_sum(&f);
    for (unsigned t = 0; t < 2; t++) {
        uint32_t type = t ? T_DISC : T_ZERO;

        for (unsigned i = 0; i < array_len(out); i++) {
            /* Judged before anything is touched: the good range in front stays too. */
            struct range two[2] = { { 0, 8, 0 }, out[i] };

            assert_int_equal(ranges(&f, type, two, 2), 1);
        }
        assert_int_equal(ranges(&f, type, many, t ? 16 : 4), 0);
        assert_int_equal(ranges(&f, type, many, t ? 17 : 5), 1);
        assert_int_equal(request(&f, type, 0, 0, 0, false, &used), 1);         /* no range */
        assert_int_equal(request(&f, type, 0, 0x100000, 15, false, &used), 1); /* part of one */
        assert_int_equal(request(&f, type, 0, 0x100000, 1 << 20, false, &used), 1);
        assert_int_equal(ranges(&f, type, (struct range[]){ { 0, 8, 2 } }, 1), 2);
    }
    assert_int_equal(ranges(&f, T_DISC, (struct range[]){ { 0, 8, 1 } }, 1), 2);
    assert_int_equal(file_sum(&f), sum);
    assert_int_equal(file_size(&f), SECTORS * 512);
    teardown(&f);
}

/* Files that know no FALLOC_FL_ZERO_RANGE (memfd is one) get zeroes written, in chunks. */
static void b05_large_write_zeroes(void **state)
{
    struct vmm_launch_disk disk = { 0 };
    struct fixture f;

    (void)state;
    plug_disk(&f, &disk, 8200, F_FLUSH);
    assert_int_equal(ranges(&f, T_ZERO, (struct range[]){ { 1, 8191, 0 } }, 1), 0);
    assert_true(all_zero(&f, 1, 8191));
    assert_false(all_zero(&f, 0, 1));
    assert_false(all_zero(&f, 8192, 1));
    teardown(&f);
}

/*
 * B05: a turn is counted by what the host has to do, not by the bytes of the chain: 16 MiB of
 * zeroes are asked for with 16 bytes.
 */
static void b05_costly_requests_share_the_turn(void **state)
{
    struct vmm_launch_disk disk = { 0 };
    struct fixture f;
    struct range zero = { 0, 32768, 0 }, drop[16] = { 0 };
    struct {
        uint32_t type;
        const struct range *r;
        unsigned n, most;
    } cases[] = { { T_ZERO, &zero, 1, 1 }, { T_DISC, drop, 16, 4 }, { T_FLUSH, NULL, 0, 16 } };

    (void)state;
    plug_disk(&f, &disk, 32768, F_FLUSH);
    for (unsigned i = 0; i < array_len(drop); i++)
        drop[i] = (struct range){ i * 64, 8, 0 };
    for (unsigned c = 0; c < array_len(cases); c++) {
        unsigned len = cases[c].n * (unsigned)sizeof(struct range);
        struct buf b[3] = { { header(&f, cases[c].type, 0), 16, 0 },
                            { len ? guest_put(&f.g, cases[c].r, len) : 0, len, 0 },
                            { guest_alloc(&f.g, 1), 1, D_WRITE } };
        uint16_t before = f.r->idx;

        for (unsigned i = 0; i < 20; i++)
            ring_add(f.r, b, 3);
        guest_w(&f.g, f.d.bar + VIRTIO_BELL, 2, 0);
        assert_int_equal(loop_once(&f.g.loop, 0, NULL), 0);
        assert_in_range(ring_word(f.r, f.r->used + 2) - before, 1, cases[c].most);
        guest_settle(&f.g);
        assert_int_equal(ring_word(f.r, f.r->used + 2), f.r->idx); /* its turn comes again */
    }
    teardown(&f);
}

/* B06: the ring filled again and again, used entries never looked at. */
static void b06_never_reaped(void **state)
{
    struct fixture f;
    uint64_t h, status;

    (void)state;
    setup(&f, true);
    h = header(&f, T_IN, 0);
    status = guest_alloc(&f.g, 1);
    for (unsigned i = 0; i < 21; i++) {
        put_desc(&f.g, f.r->desc, 3 * i, h, 16, D_NEXT, (uint16_t)(3 * i + 1));
        put_desc(&f.g, f.r->desc, 3 * i + 1, 0x100000, 4096, D_NEXT | D_WRITE,
                 (uint16_t)(3 * i + 2));
        put_desc(&f.g, f.r->desc, 3 * i + 2, status, 1, D_WRITE, 0);
    }
    for (unsigned round = 0; round < 2000; round++) {
        for (unsigned i = 0; i < 64; i++)
            ring_post(f.r, (uint16_t)(3 * (i % 21)));
        guest_w(&f.g, f.d.bar + VIRTIO_BELL, 2, 0);
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(loop_once(&f.g.loop, 0, NULL), 0);
        assert_int_equal(ring_word(f.r, f.r->used + 2), f.r->idx);
    }
    assert_false(drv_broken(&f.d));
    teardown(&f);
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* 40 requests at 200 a second, of which 20 may come at once: at least 100 ms, and no spinning. */
static void rate_limit_holds_back(void **state)
{
    struct vmm_launch_disk disk = { .ops_per_s = 200 };
    struct fixture f;
    uint64_t start, took;
    unsigned rounds = 0;

    (void)state;
    plug_with(&f, &disk, F_FLUSH);
    start = now_ms();
    for (unsigned i = 0; i < 40; i++)
        ring_post(f.r, 0);
    put_desc(&f.g, f.r->desc, 0, header(&f, T_IN, 0), 16, D_NEXT, 1);
    put_desc(&f.g, f.r->desc, 1, 0x100000, 513, D_WRITE, 0);
    drv_ring(&f.d);
    assert_in_range(ring_word(f.r, f.r->used + 2), 18, 24);
    while (ring_word(f.r, f.r->used + 2) != 40) {
        assert_int_equal(loop_once(&f.g.loop, 1000, NULL), 0);
        rounds++;
    }
    took = now_ms() - start;
    assert_in_range(took, 90, 5000);
    assert_in_range(rounds, 1, 60);
    teardown(&f);
}

/* 128 KiB at 1 MiB a second go into debt; the next read waits until they are paid for. */
static void rate_limit_by_bytes(void **state)
{
    struct vmm_launch_disk disk = { .bytes_per_s = 1 << 20 };
    struct fixture f;
    uint64_t start;
    struct buf b[2];

    (void)state;
    plug_with(&f, &disk, F_FLUSH);
    b[0] = (struct buf){ header(&f, T_IN, 0), 16, 0 };
    b[1] = (struct buf){ 0x100000, SECTORS * 512 + 1, D_WRITE };
    start = now_ms();
    for (unsigned i = 0; i < 3; i++)
        ring_add(f.r, b, 2);
    drv_ring(&f.d);
    assert_int_equal(ring_word(f.r, f.r->used + 2), 1);
    while (ring_word(f.r, f.r->used + 2) != 3)
        assert_int_equal(loop_once(&f.g.loop, 1000, NULL), 0);
    assert_in_range(now_ms() - start, 140, 5000); /* 250 ms less the burst of 100 */
    teardown(&f);
}

/* What the host could do in part only was work as well: else a full host would lift the limit. */
static void rate_limit_counts_what_failed(void **state)
{
    struct vmm_launch_disk disk = { .bytes_per_s = 1 << 20 };
    struct fixture f;
    uint64_t status;
    struct buf b[3];

    (void)state;
    plug_with(&f, &disk, F_FLUSH);
    assert_int_equal(ftruncate(f.fd, (SECTORS - 1) * 512), 0);
    status = guest_alloc(&f.g, 1);
    b[0] = (struct buf){ header(&f, T_IN, 0), 16, 0 };
    b[1] = (struct buf){ 0x100000, SECTORS * 512, D_WRITE };
    b[2] = (struct buf){ status, 1, D_WRITE };
    for (unsigned i = 0; i < 3; i++)
        ring_add(f.r, b, 3);
    drv_ring(&f.d);
    assert_int_equal(*(uint8_t *)guest_at(&f.g, status, 1), 1);
    assert_int_equal(ring_word(f.r, f.r->used + 2), 1);
    teardown(&f);
}

/* Section 5.2.6.2: without FLUSH negotiated, what is reported as done is durable. */
static void durable_when_it_says_so(void **state)
{
    struct range zero = { 0, 8, 0 };

    (void)state;
    for (unsigned flush = 0; flush < 2; flush++) {
        struct vmm_launch_disk disk = { 0 };
        struct fixture f;
        uint32_t used;

        plug_with(&f, &disk, flush ? F_FLUSH : 0);
        syncs = 0;
        assert_int_equal(request(&f, T_IN, 0, 0x100000, 512, true, &used), 0);
        assert_int_equal(syncs, 0);
        assert_int_equal(request(&f, T_OUT, 0, 0x100000, 512, false, &used), 0);
        assert_int_equal(ranges(&f, T_ZERO, &zero, 1), 0);
        assert_int_equal(syncs, flush ? 0 : 2);
        assert_int_equal(request(&f, T_FLUSH, 0, 0, 0, false, &used), 0);
        assert_int_equal(syncs, flush ? 1 : 3);
        sync_fails = true;
        assert_int_equal(request(&f, T_OUT, 0, 0x100000, 512, false, &used), !flush);
        assert_int_equal(ranges(&f, T_ZERO, &zero, 1), !flush);
        assert_int_equal(request(&f, T_FLUSH, 0, 0, 0, false, &used), 1);
        sync_fails = false;
        teardown(&f);
    }
}

/* A descriptor that cannot be written, whatever the record said. */
static void host_refuses_to_write(void **state)
{
    struct vmm_launch_disk disk = { 0 };
    struct range r = { 0, 8, 0 };
    struct fixture f;
    char path[64];
    uint32_t used;

    (void)state;
    guest_init(&f.g, false);
    f.fd = memfd_create("disk", MFD_CLOEXEC);
    assert_int_equal(ftruncate(f.fd, 65536), 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", f.fd);
    disk.fd = open(path, O_RDONLY | O_CLOEXEC);
    guest_plug(&f.g, &f.d, blk_new(&f.g.host, &disk, NULL));
    drv_start(&f.d, F_FLUSH, 64);
    f.r = &f.d.ring[0];
    assert_int_equal(request(&f, T_OUT, 0, 0x100000, 512, false, &used), 1);
    assert_int_equal(ranges(&f, T_DISC, &r, 1), 1);
    assert_int_equal(ranges(&f, T_ZERO, &r, 1), 1);
    assert_int_equal(request(&f, T_IN, 0, 0x100000, 512, true, &used), 0);
    teardown(&f);
}

static void refused_files(void **state)
{
    struct guest g;
    struct err e = ERR_INIT;
    struct vmm_launch_disk disk = { 0 };
    int p[2];

    (void)state;
    guest_init(&g, false);
    disk.fd = memfd_create("disk", MFD_CLOEXEC);
    assert_null(blk_new(&g.host, &disk, &e)); /* empty */
    assert_int_equal(e.code, EINVAL);
    assert_int_equal(ftruncate(disk.fd, 513), 0);
    assert_null(blk_new(&g.host, &disk, &e));
    assert_int_equal(close(disk.fd), 0); /* it stayed ours */
    assert_int_equal(pipe(p), 0);
    disk.fd = p[0];
    assert_null(blk_new(&g.host, &disk, &e));
    close(p[0]);
    close(p[1]);
    disk.fd = -1;
    assert_null(blk_new(&g.host, &disk, &e));
    assert_int_equal(e.code, EBADF);
    guest_fini(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_tells_the_disk),
        cmocka_unit_test(reads),
        cmocka_unit_test(writes),
        cmocka_unit_test(scattered_and_indirect),
        cmocka_unit_test(large_requests_in_chunks),
        cmocka_unit_test(b01_beyond_the_end),
        cmocka_unit_test(b01_larger_than_any_driver_asks),
        cmocka_unit_test(b01_file_shrunk_by_the_host),
        cmocka_unit_test(b02_header_in_16_pieces),
        cmocka_unit_test(b02_header_and_data_in_one_buffer),
        cmocka_unit_test(b02_no_status_or_header),
        cmocka_unit_test(b03_readonly),
        cmocka_unit_test(b03_unknown_types),
        cmocka_unit_test(b04_get_id),
        cmocka_unit_test(b05_discard_and_write_zeroes),
        cmocka_unit_test(b05_refused_ranges),
        cmocka_unit_test(b05_large_write_zeroes),
        cmocka_unit_test(b05_costly_requests_share_the_turn),
        cmocka_unit_test(b06_never_reaped),
        cmocka_unit_test(rate_limit_holds_back),
        cmocka_unit_test(rate_limit_by_bytes),
        cmocka_unit_test(rate_limit_counts_what_failed),
        cmocka_unit_test(durable_when_it_says_so),
        cmocka_unit_test(host_refuses_to_write),
        cmocka_unit_test(refused_files),
    };

    return cmocka_run_group_tests_name("blk", tests, NULL, NULL);
}
