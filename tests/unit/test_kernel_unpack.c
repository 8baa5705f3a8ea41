/* test_kernel_unpack.c - what is taken for a kernel, and what is not. Payloads are made by the
 * command-line compressors, that is not by the library that undoes them. */
#include "sandbox/image/kernel.h"
#include "sandbox/image/kernel_elf.h"

#include "base/io.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    ELF_LEN = 8192,
    NOTE_AT = 0x400,
    NOTE_LEN = 64,
    SECTS = 3,
    PAYLOAD_AT = (SECTS + 1) * 512 + 0x100,
    MAX = 1 << 20,
};

static char dir[] = "/tmp/carrel-unpack-XXXXXX";

/* --- an ELF kernel of two segments, with a PVH note ------------------------------------------- */

struct elf {
    uint8_t b[ELF_LEN];
};

static Elf64_Ehdr *header(struct elf *k)
{
    return (Elf64_Ehdr *)k->b;
}

static Elf64_Phdr *segment(struct elf *k, unsigned i)
{
    return (Elf64_Phdr *)(k->b + sizeof(Elf64_Ehdr)) + i;
}

static Elf64_Nhdr *note(struct elf *k, size_t at)
{
    return (Elf64_Nhdr *)(k->b + NOTE_AT + at);
}

static void make_elf(struct elf *k)
{
    static const char version[] = "Linux version %s (x)\0Linux version 6.12.117-test (gcc) #1";

    memset(k, 0, sizeof(*k));
    for (size_t i = 0x1000; i < ELF_LEN; i++)
        k->b[i] = (uint8_t)(i * 7 + i / 256);
    memcpy(k->b + 0x800, version, sizeof(version));
    memcpy(header(k)->e_ident, ELFMAG, SELFMAG);
    header(k)->e_ident[EI_CLASS] = ELFCLASS64;
    header(k)->e_ident[EI_DATA] = ELFDATA2LSB;
    header(k)->e_type = ET_EXEC;
    header(k)->e_machine = EM_X86_64;
    header(k)->e_phoff = sizeof(Elf64_Ehdr);
    header(k)->e_phentsize = sizeof(Elf64_Phdr);
    header(k)->e_phnum = 2;
    *segment(k, 0) = (Elf64_Phdr){ .p_type = PT_LOAD,
                                   .p_offset = 0x1000,
                                   .p_filesz = 0xf00,
                                   .p_memsz = 0x2000,
                                   .p_vaddr = 0xffffffff81000000,
                                   .p_paddr = 0x1000000 };
    *segment(k, 1) =
        (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = NOTE_AT, .p_filesz = NOTE_LEN, .p_memsz = 0 };
    *note(k, 0) = (Elf64_Nhdr){ .n_namesz = 4, .n_descsz = 4, .n_type = 3 };
    memcpy(k->b + NOTE_AT + 12, "GNU", 4);
    *note(k, 20) = (Elf64_Nhdr){ .n_namesz = 4, .n_descsz = 8, .n_type = 18 };
    memcpy(k->b + NOTE_AT + 32, "Xen", 4);
}

static int check(const struct elf *k, bool *pvh)
{
    struct err e = ERR_INIT;
    int err = kernel_check_elf(k->b, ELF_LEN, pvh, &e);

    if (err)
        assert_true(e.msg[0] != '\0');
    return err;
}

static void l01_elf_headers(void **state)
{
    (void)state;
    struct elf k;
    bool pvh = false;

    make_elf(&k);
    assert_int_equal(check(&k, &pvh), 0);
    assert_true(pvh);

    header(&k)->e_phnum = 0;
    assert_int_equal(check(&k, &pvh), -ENOEXEC);
    header(&k)->e_phnum = 65535;
    assert_int_equal(check(&k, &pvh), -ENOEXEC);
    make_elf(&k);
    header(&k)->e_phentsize = 55;
    assert_int_equal(check(&k, &pvh), -ENOEXEC);
    make_elf(&k);
    header(&k)->e_phoff = ELF_LEN - 2 * sizeof(Elf64_Phdr) + 1;
    assert_int_equal(check(&k, &pvh), -ENOEXEC);
    header(&k)->e_phoff = UINT64_MAX - 10;
    assert_int_equal(check(&k, &pvh), -ENOEXEC);
    make_elf(&k);
    header(&k)->e_machine = EM_AARCH64;
    assert_int_equal(check(&k, &pvh), -ENOEXEC);
    make_elf(&k);
    header(&k)->e_ident[EI_CLASS] = ELFCLASS32;
    assert_int_equal(check(&k, &pvh), -ENOEXEC);
    make_elf(&k);
    header(&k)->e_type = ET_REL;
    assert_int_equal(check(&k, &pvh), -ENOEXEC);
    make_elf(&k);
    segment(&k, 0)->p_type = PT_NULL;
    assert_int_equal(check(&k, &pvh), -ENOEXEC);
    for (size_t len = 0; len < sizeof(Elf64_Ehdr); len++)
        assert_int_equal(kernel_check_elf(k.b, len, &pvh, NULL), -ENOEXEC);
}

static void l02_elf_segments(void **state)
{
    (void)state;
    struct elf k;
    bool pvh;

    make_elf(&k);
    segment(&k, 0)->p_memsz = segment(&k, 0)->p_filesz - 1;
    assert_int_equal(check(&k, &pvh), -ENOEXEC);
    make_elf(&k);
    segment(&k, 0)->p_filesz = segment(&k, 0)->p_memsz = ELF_LEN - 0x1000 + 1;
    assert_int_equal(check(&k, &pvh), -ENOEXEC);
    segment(&k, 0)->p_filesz = segment(&k, 0)->p_memsz = ELF_LEN - 0x1000;
    assert_int_equal(check(&k, &pvh), 0);
    segment(&k, 0)->p_offset = UINT64_MAX;
    assert_int_equal(check(&k, &pvh), -ENOEXEC);
    make_elf(&k);
    segment(&k, 1)->p_offset = ELF_LEN - NOTE_LEN + 1;
    assert_int_equal(check(&k, &pvh), -ENOEXEC);
}

/* /bin/ls, busybox, a shared library: all of them ELF files with something to load. */
static void l01_programs_are_no_kernels(void **state)
{
    (void)state;
    struct elf k;
    bool pvh;

    make_elf(&k);
    header(&k)->e_type = ET_DYN;
    assert_int_equal(check(&k, &pvh), -ENOEXEC);
    make_elf(&k);
    header(&k)->e_phnum = 3;
    *segment(&k, 2) = (Elf64_Phdr){ .p_type = PT_INTERP };
    assert_int_equal(check(&k, &pvh), -ENOEXEC);

    /* Without the note, only what is linked high and not loaded too low is one. */
    make_elf(&k);
    memcpy(k.b + NOTE_AT + 32, "Xem", 4);
    segment(&k, 0)->p_paddr = 1 << 20;
    assert_int_equal(check(&k, &pvh), 0);
    assert_false(pvh);
    segment(&k, 0)->p_paddr--;
    assert_int_equal(check(&k, &pvh), -ENOEXEC);
    segment(&k, 0)->p_paddr = segment(&k, 0)->p_vaddr = 0x400000;
    assert_int_equal(check(&k, &pvh), -ENOEXEC);
    memcpy(k.b + NOTE_AT + 32, "Xen", 4);
    assert_int_equal(check(&k, &pvh), 0);
}

static void l03_pvh_note(void **state)
{
    (void)state;
    struct elf k;
    bool pvh;
    struct timespec a, b;

    make_elf(&k);
    memcpy(k.b + NOTE_AT + 32, "Xem", 4);
    assert_int_equal(check(&k, &pvh), 0);
    assert_false(pvh);
    make_elf(&k);
    note(&k, 20)->n_type = 19;
    assert_int_equal(check(&k, &pvh), 0);
    assert_false(pvh);

    /* Sizes that wrap in 32 bits, or lead to the same place for ever. */
    static const uint32_t bad[] = { 0xffffffff, 0xfffffffd, 0xfffffff4, 0x80000000, NOTE_LEN };

    clock_gettime(CLOCK_MONOTONIC, &a);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        make_elf(&k);
        note(&k, 0)->n_namesz = bad[i];
        assert_int_equal(check(&k, &pvh), 0);
        assert_false(pvh);
        make_elf(&k);
        note(&k, 0)->n_descsz = bad[i];
        assert_int_equal(check(&k, &pvh), 0);
        assert_false(pvh);
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    assert_true((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 100);

    /* Cut to 32 bits, these two sizes would lead straight to the note that counts. */
    make_elf(&k);
    note(&k, 0)->n_namesz = 0xfffffffd;
    note(&k, 0)->n_descsz = 8;
    assert_int_equal(check(&k, &pvh), 0);
    assert_false(pvh);

    /* A note whose content ends exactly with the segment counts; one byte less does not. */
    make_elf(&k);
    segment(&k, 1)->p_filesz = 20 + 12 + 4 + 8;
    assert_int_equal(check(&k, &pvh), 0);
    assert_true(pvh);
    segment(&k, 1)->p_filesz--;
    assert_int_equal(check(&k, &pvh), 0);
    assert_false(pvh);
}

static void version_is_the_banner_not_its_format(void **state)
{
    (void)state;
    struct elf k;
    char v[129], small[4];

    make_elf(&k);
    kernel_find_version(k.b, ELF_LEN, v, sizeof(v));
    assert_string_equal(v, "6.12.117-test");
    kernel_find_version(k.b, ELF_LEN, small, sizeof(small));
    assert_string_equal(small, "unk");
    memset(k.b + 0x800, 0, 64);
    kernel_find_version(k.b, ELF_LEN, v, sizeof(v));
    assert_string_equal(v, "unknown");
    memcpy(k.b + ELF_LEN - 17, "Linux version 6.1", 17);
    kernel_find_version(k.b, ELF_LEN, v, sizeof(v));
    assert_string_equal(v, "6.1");
}

/* --- a bzImage around it ---------------------------------------------------------------------- */

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v);
    put16(p + 2, v >> 16);
}

struct bz {
    uint8_t *b;
    size_t len, payload;
};

/* tail: the length appended behind the payload, as the kernel's build does; -1 = none. */
static struct bz make_bz(const uint8_t *payload, size_t len, int64_t tail)
{
    struct bz z = { .payload = len + (tail >= 0 ? 4 : 0) };

    z.len = PAYLOAD_AT + z.payload + 100;
    z.b = calloc(1, z.len);
    assert_non_null(z.b);
    z.b[0x1f1] = SECTS;
    put16(z.b + 0x1fe, 0xaa55);
    memcpy(z.b + 0x202, "HdrS", 4);
    put16(z.b + 0x206, 0x020f);
    put16(z.b + 0x236, 0x3f);
    put32(z.b + 0x248, 0x100);
    put32(z.b + 0x24c, (uint32_t)z.payload);
    put32(z.b + 0x260, MAX / 2);
    memcpy(z.b + PAYLOAD_AT, payload, len);
    if (tail >= 0)
        put32(z.b + PAYLOAD_AT + len, (uint32_t)tail);
    return z;
}

static int unpack(const struct bz *z, char why[240])
{
    struct err e = ERR_INIT;
    void *out = NULL;
    size_t len = 0;
    int err = kernel_unpack(z->b, z->len, MAX, &out, &len, &e);

    if (err == 0) {
        struct elf k;

        make_elf(&k);
        assert_int_equal(len, ELF_LEN);
        assert_memory_equal(out, k.b, ELF_LEN);
        free(out);
    } else {
        assert_true(e.msg[0] != '\0');
    }
    if (why)
        memcpy(why, e.msg, sizeof(e.msg));
    return err;
}

/* Bytes through a command line: in -> file -> command <file >file.z -> out. NULL: no such command.
 */
static uint8_t *through(const char *command, const void *in, size_t in_len, size_t *len)
{
    char line[512], path[128];
    struct err e = ERR_INIT;

    snprintf(line, sizeof(line), "command -v %.*s >/dev/null", (int)strcspn(command, " "), command);
    if (system(line) != 0)
        return NULL;
    snprintf(path, sizeof(path), "%s/in", dir);
    assert_int_equal(io_store(AT_FDCWD, path, in, in_len, 0600, &e), 0);
    snprintf(line, sizeof(line), "cd %s && %s <in >out", dir, command);
    assert_int_equal(system(line), 0);
    snprintf(path, sizeof(path), "%s/out", dir);

    uint8_t *out = (uint8_t *)io_load(AT_FDCWD, path, 1 << 24, len, &e);

    assert_non_null(out);
    return out;
}

/* As in the kernel's scripts/Makefile.lib. */
static const struct {
    const char *command;
    bool tail;
} methods[] = {
    { "gzip -n -f -9", false }, { "bzip2 -9", true },
    { "lzma -9", true },        { "xz --check=crc32 --x86 --lzma2=dict=1MiB", true },
    { "lz4 -l -9 - -", true },  { "zstd -q -19 -c", true },
};

static void every_compression_is_undone(void **state)
{
    (void)state;
    struct elf k;
    char why[240];

    make_elf(&k);
    for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
        size_t len;
        uint8_t *payload = through(methods[i].command, k.b, ELF_LEN, &len);

        if (!payload) {
            print_message("not here: %s\n", methods[i].command);
            skip();
        }

        struct bz z = make_bz(payload, len, methods[i].tail ? ELF_LEN : -1);
        int err = unpack(&z, why);

        if (err)
            print_message("%s: %s\n", methods[i].command, why);
        assert_int_equal(err, 0);

        /* A length that lies by one, either way. */
        for (int by = -1; by <= 1; by += 2) {
            put32(z.b + PAYLOAD_AT + z.payload - 4, (uint32_t)(ELF_LEN + by));
            assert_true(unpack(&z, NULL) < 0);
        }
        put32(z.b + PAYLOAD_AT + z.payload - 4, MAX + 1);
        assert_int_equal(unpack(&z, NULL), -EFBIG);

        /* Cut in the middle of the payload, the tail still in its place. */
        uint8_t *half = malloc(len / 2);

        assert_non_null(half);
        memcpy(half, payload, len / 2);

        struct bz cut = make_bz(half, len / 2, ELF_LEN);

        assert_true(unpack(&cut, NULL) < 0);
        free(half);
        free(cut.b);
        free(z.b);
        free(payload);
    }
}

static struct bz gzipped(const void *in, size_t in_len)
{
    size_t len;
    uint8_t *payload = through("gzip -n", in, in_len, &len);

    if (!payload)
        skip();

    struct bz z = make_bz(payload, len, -1);

    free(payload);
    return z;
}

static void l04_setup_header(void **state)
{
    (void)state;
    struct elf k;

    make_elf(&k);

    struct bz z = gzipped(k.b, ELF_LEN);
    uint8_t *good = malloc(z.len);

    assert_non_null(good);
    memcpy(good, z.b, z.len);
    assert_int_equal(unpack(&z, NULL), 0);

#define BAD(expect, change)                           \
    do {                                              \
        memcpy(z.b, good, z.len);                     \
        change;                                       \
        assert_int_equal(unpack(&z, NULL), (expect)); \
    } while (0)

    BAD(-ENOEXEC, z.b[0x1fe] = 0x54);
    BAD(-ENOEXEC, z.b[0x202] = 'h');
    BAD(-ENOEXEC, put16(z.b + 0x206, 0x020b));
    BAD(0, put16(z.b + 0x206, 0x020c));
    BAD(-ENOEXEC, put16(z.b + 0x236, 0xfffe));
    BAD(0, put16(z.b + 0x236, 1));
    BAD(-EFBIG, put32(z.b + 0x260, MAX + 1));
    BAD(0, put32(z.b + 0x260, MAX));
    BAD(-ENOEXEC, z.b[0x1f1] = 255);
    BAD(-ENOEXEC, z.b[0x1f1] = SECTS + 1);
    BAD(-ENOEXEC, put32(z.b + 0x248, 0xffffffff));
    BAD(-ENOEXEC, put32(z.b + 0x248, 0x101));
    BAD(-ENOEXEC, put32(z.b + 0x24c, 0xffffffff));
    BAD(-ENOEXEC, put32(z.b + 0x24c, 0));
    BAD(-ENOEXEC, put32(z.b + 0x24c, 4));
    BAD(-ENOEXEC, put32(z.b + 0x24c, (uint32_t)z.payload + 101));
    BAD(-ENOEXEC, z.b[PAYLOAD_AT + 1] = 0);
#undef BAD

    memcpy(z.b, good, z.len);

    /* Truncated at every length: never a kernel, never a read beyond the end. */
    for (size_t len = 0; len < PAYLOAD_AT + z.payload; len++) {
        struct bz cut = { malloc(len ? len : 1), len, 0 };

        assert_non_null(cut.b);
        memcpy(cut.b, good, len);
        assert_int_equal(unpack(&cut, NULL), -ENOEXEC);
        free(cut.b);
    }
    free(good);
    free(z.b);
}

static void l04_setup_sects_zero_means_four(void **state)
{
    (void)state;
    struct elf k;

    make_elf(&k);

    struct bz z = gzipped(k.b, ELF_LEN);
    struct bz moved = { calloc(1, z.len + 512), z.len + 512, z.payload };

    assert_non_null(moved.b);
    memcpy(moved.b, z.b, PAYLOAD_AT);
    memcpy(moved.b + PAYLOAD_AT + 512, z.b + PAYLOAD_AT, z.payload);
    moved.b[0x1f1] = 0;
    assert_int_equal(unpack(&moved, NULL), 0);
    moved.b[0x1f1] = 4;
    assert_int_equal(unpack(&moved, NULL), 0);
    free(moved.b);
    free(z.b);
}

static void payload_that_is_no_kernel(void **state)
{
    (void)state;
    struct elf k;
    char why[240];

    make_elf(&k);
    header(&k)->e_machine = EM_386;

    struct bz z = gzipped(k.b, ELF_LEN);

    assert_int_equal(unpack(&z, why), -ENOEXEC);
    assert_non_null(strstr(why, "bzImage"));
    free(z.b);
}

/* A payload that is compressed again has only one use: to make the middle layer huge. */
static void twice_compressed_is_refused(void **state)
{
    (void)state;
    struct elf k;
    size_t len, len2;

    make_elf(&k);

    uint8_t *once = through("gzip -n", k.b, ELF_LEN, &len);

    if (!once)
        skip();

    uint8_t *twice = through("gzip -n", once, len, &len2);

    assert_non_null(twice);

    struct bz z = make_bz(twice, len2, -1);
    char why[240];

    put32(z.b + PAYLOAD_AT + len2 - 4, ELF_LEN);
    assert_int_equal(unpack(&z, why), -ENOEXEC);
    assert_non_null(strstr(why, "more than once"));
    free(z.b);
    free(once);
    free(twice);
}

static void elf_passes_as_it_is(void **state)
{
    (void)state;
    struct elf k;
    void *out = NULL;
    size_t len;

    make_elf(&k);
    assert_int_equal(kernel_unpack(k.b, ELF_LEN, ELF_LEN, &out, &len, NULL), 0);
    assert_int_equal(len, ELF_LEN);
    assert_memory_equal(out, k.b, ELF_LEN);
    free(out);
    assert_int_equal(kernel_unpack(k.b, ELF_LEN, ELF_LEN - 1, &out, &len, NULL), -EFBIG);
    header(&k)->e_phnum = 0;
    assert_int_equal(kernel_unpack(k.b, ELF_LEN, ELF_LEN, &out, &len, NULL), -ENOEXEC);
    assert_int_equal(kernel_unpack("#!/bin/sh", 9, MAX, &out, &len, NULL), -ENOEXEC);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char path[128];

    snprintf(path, sizeof(path), "%s/in", dir);
    unlink(path);
    snprintf(path, sizeof(path), "%s/out", dir);
    unlink(path);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(l01_elf_headers),
        cmocka_unit_test(l02_elf_segments),
        cmocka_unit_test(l01_programs_are_no_kernels),
        cmocka_unit_test(l03_pvh_note),
        cmocka_unit_test(version_is_the_banner_not_its_format),
        cmocka_unit_test(every_compression_is_undone),
        cmocka_unit_test(l04_setup_header),
        cmocka_unit_test(l04_setup_sects_zero_means_four),
        cmocka_unit_test(payload_that_is_no_kernel),
        cmocka_unit_test(twice_compressed_is_refused),
        cmocka_unit_test(elf_passes_as_it_is),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
