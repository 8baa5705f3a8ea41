/* test_elf.c - kernel images, one field wrong at a time (L01-L03, L06). */
#include "vmm/x86/elf.h"

#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* A file in memory, as small as a kernel can be: two segments and a PVH note. */
struct file {
    Elf64_Ehdr h;
    Elf64_Phdr ph[4];
    Elf64_Nhdr note;
    char name[4];
    uint32_t entry;
    char pad[4];
    char code[64], data[32];
};

struct memory_source {
    struct elf_source s;
    const uint8_t *at;
    uint64_t real; /* what is really there, when less than s.size */
};

static ssize_t memory_read(const struct elf_source *s, void *buf, size_t len, uint64_t off)
{
    const struct memory_source *m = (const void *)s;
    size_t n = off >= m->real ? 0 : m->real - off < len ? m->real - off : len;

    memcpy(buf, m->at + off, n);
    return (ssize_t)n;
}

static struct memory_source source(const void *at, uint64_t size)
{
    return (
        struct memory_source){ .s = { .read = memory_read, .size = size }, .at = at, .real = size };
}

#define OFF(member) offsetof(struct file, member)

static struct file good(void)
{
    struct file f = {
        .h = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
               .e_type = ET_EXEC,
               .e_machine = EM_X86_64,
               .e_entry = 0x200010,
               .e_phoff = OFF(ph),
               .e_phentsize = sizeof(Elf64_Phdr),
               .e_phnum = 4 },
        .ph = { { .p_type = PT_LOAD, /* out of order on purpose */
                  .p_offset = OFF(data),
                  .p_paddr = 0x300000,
                  .p_filesz = 32,
                  .p_memsz = 0x1000 },
                { .p_type = PT_LOAD,
                  .p_offset = OFF(code),
                  .p_paddr = 0x200000,
                  .p_filesz = 64,
                  .p_memsz = 64 },
                { .p_type = PT_NOTE, .p_offset = OFF(note), .p_filesz = 20, .p_align = 4 },
                { .p_type = PT_GNU_STACK } },
        .note = { .n_namesz = 4, .n_descsz = 4, .n_type = 18 },
        .name = "Xen",
        .entry = 0x200020,
    };

    memset(f.code, 'c', sizeof(f.code));
    memset(f.data, 'd', sizeof(f.data));
    return f;
}

static int parse(const struct file *k, uint64_t size, struct elf_image *img, struct err *e)
{
    struct memory_source s = source(k, size);

    return elf_parse(&s.s, img, e);
}

static void assert_rejected(const struct file *k)
{
    struct elf_image img;
    struct err e = ERR_INIT;

    assert_int_equal(parse(k, sizeof(*k), &img, &e), -ENOEXEC);
    assert_true(e.msg[0]);
}

/* A good file with one change, an expression on f. */
static struct file f;
#define REJECTED(change) (f = good(), (change), assert_rejected(&f))

static void good_by_pvh_and_by_entry(void **state)
{
    f = good();
    struct elf_image img;

    (void)state;
    assert_int_equal(parse(&f, sizeof(f), &img, NULL), 0);
    assert_true(img.pvh);
    assert_true(img.entry == 0x200020);
    assert_true(img.end == 0x301000);
    assert_int_equal(img.nsegments, 2);
    assert_true(img.segment[0].gpa == 0x200000 && img.segment[1].gpa == 0x300000);

    f.note.n_type = 17;
    assert_int_equal(parse(&f, sizeof(f), &img, NULL), 0);
    assert_false(img.pvh);
    assert_true(img.entry == 0x200010);
    f = good();
    memcpy(f.name, "XeN", 4);
    assert_int_equal(parse(&f, sizeof(f), &img, NULL), 0);
    assert_false(img.pvh);
    f = good();
    f.h.e_type = ET_DYN;
    f.note.n_descsz = 8; /* the padding behind it is zero */
    f.ph[2].p_filesz = 24;
    assert_int_equal(parse(&f, sizeof(f), &img, NULL), 0);
    assert_true(img.pvh && img.entry == 0x200020);
}

/* A second note by "Linux": its 64-bit entry is taken, where there is one. */
static void linux_is_entered_in_64_bit_mode(void **state)
{
    struct {
        struct file f;
        Elf64_Nhdr xen;
        char xen_name[4];
        uint32_t entry;
        Elf64_Nhdr note;
        char name[8];
    } k = { .f = good(),
            .xen = good().note,
            .xen_name = "Xen",
            .entry = 0x200020,
            .note = { .n_namesz = 6, .n_type = 0x100 },
            .name = "Linux" };
    struct memory_source s = source(&k, sizeof(k));
    struct elf_image img;

    (void)state;
    k.f.ph[2].p_offset = sizeof(k.f);
    k.f.ph[2].p_filesz = sizeof(k) - sizeof(k.f);
    assert_int_equal(elf_parse(&s.s, &img, NULL), 0);
    assert_false(img.pvh);
    assert_true(img.entry == 0x200010);
    k.f.h.e_entry = 0xffffffff81000000;
    assert_int_equal(elf_parse(&s.s, &img, NULL), 0);
    assert_true(img.pvh && img.entry == 0x200020);
    k.f.h.e_entry = 0x200010;
    k.name[0] = 'X';
    assert_int_equal(elf_parse(&s.s, &img, NULL), 0);
    assert_true(img.pvh && img.entry == 0x200020);
}

static void l01_headers(void **state)
{
    (void)state;
    REJECTED(f.h.e_phnum = 0);
    REJECTED(f.h.e_phnum = ELF_PHDRS_MAX + 1);
    REJECTED(f.h.e_phnum = 65535);
    REJECTED(f.h.e_phentsize = 0);
    REJECTED(f.h.e_phentsize = 55);
    REJECTED(f.h.e_phentsize = 57);
    REJECTED(f.h.e_phoff = sizeof(f));
    REJECTED(f.h.e_phoff = sizeof(f) - 4 * sizeof(Elf64_Phdr) + 1);
    REJECTED(f.h.e_phoff = UINT64_MAX);
    REJECTED(f.h.e_phoff = UINT64_MAX - 100);
    REJECTED(f.h.e_ident[0] = 0);
    REJECTED(f.h.e_ident[EI_CLASS] = ELFCLASS32);
    REJECTED(f.h.e_ident[EI_DATA] = ELFDATA2MSB);
    REJECTED(f.h.e_machine = EM_AARCH64);
    REJECTED(f.h.e_type = ET_REL);
    REJECTED(memcpy(&f.h, "MZ", 2));

    f = good();
    struct elf_image img;

    for (uint64_t n = 0; n < sizeof(f); n++) /* every truncation */
        assert_int_equal(parse(&f, n, &img, NULL), -ENOEXEC);
}

static void l02_segments(void **state)
{
    (void)state;
    REJECTED(f.ph[0].p_filesz = 0x1001); /* beyond memsz */
    REJECTED(f.ph[0].p_memsz = 31);
    REJECTED(f.ph[0].p_filesz = 33); /* beyond the file */
    REJECTED(f.ph[0].p_offset = sizeof(f) - 31);
    REJECTED(f.ph[0].p_offset = UINT64_MAX);
    REJECTED((f.ph[0].p_offset = UINT64_MAX - 15, f.ph[0].p_filesz = 32));
    REJECTED((f.ph[0].p_filesz = UINT64_MAX, f.ph[0].p_memsz = UINT64_MAX));
    REJECTED(f.ph[0].p_paddr = UINT64_MAX - 0xffe); /* wraps by one byte */
    REJECTED(f.ph[0].p_paddr = 0);
    REJECTED(f.ph[0].p_paddr = ELF_FLOOR - 1); /* over boot data */
    REJECTED(f.ph[0].p_paddr = 0x20003f);      /* the last byte of the other segment */
    REJECTED(f.ph[0].p_paddr = 0x1ff001);      /* runs into the other segment */
    REJECTED((f.ph[0].p_paddr = 0x200000, f.ph[0].p_memsz = 64));
    REJECTED((f.ph[0].p_memsz = f.ph[1].p_memsz = 0, f.ph[0].p_filesz = f.ph[1].p_filesz = 0));
    REJECTED((f.ph[0].p_type = f.ph[1].p_type = PT_NULL));

    f = good();
    struct elf_image img;

    f.ph[0].p_paddr = 0x200040; /* neighbours are fine */
    assert_int_equal(parse(&f, sizeof(f), &img, NULL), 0);
    f.ph[0].p_paddr = ELF_FLOOR;
    assert_int_equal(parse(&f, sizeof(f), &img, NULL), 0);
}

static void entry_must_be_code(void **state)
{
    (void)state;
    REJECTED(f.entry = 0);
    REJECTED(f.entry = 0x1fffff);
    REJECTED(f.entry = 0x200040);
    REJECTED(f.entry = 0x300020); /* in memory, but not from the file */
    REJECTED((f.note.n_type = 0, f.h.e_entry = 0xffffffff81000000));
    REJECTED((f.note.n_type = 0, f.h.e_entry = 0x200040));
    /* A 64-bit PVH entry above 4 GiB cannot be reached from 32-bit mode. */
    REJECTED((f.note.n_descsz = 8, f.ph[2].p_filesz = 24, f.pad[0] = 1));
}

static void l03_notes(void **state)
{
    (void)state;
    REJECTED(f.note.n_namesz = UINT32_MAX);
    REJECTED(f.note.n_descsz = UINT32_MAX);
    REJECTED((f.note.n_namesz = UINT32_MAX, f.note.n_descsz = UINT32_MAX));
    REJECTED(f.note.n_descsz = 5);
    REJECTED((f.note.n_descsz = 5, f.ph[2].p_filesz = 24));
    REJECTED((f.note.n_descsz = 0, f.ph[2].p_filesz = 16));
    REJECTED(f.ph[2].p_filesz = 19); /* the entry is cut */
    REJECTED(f.ph[2].p_filesz = ELF_NOTES_MAX + 1);
    REJECTED(f.ph[2].p_offset = sizeof(f) - 19);
    REJECTED(f.ph[2].p_offset = UINT64_MAX);
}

/* A note segment full of empty notes, the largest allowed: found to have no PVH entry, at once. */
static void l03_many_notes_end(void **state)
{
    static struct {
        struct file f;
        Elf64_Nhdr note[ELF_NOTES_MAX / sizeof(Elf64_Nhdr)];
    } big;
    struct memory_source s = source(&big, sizeof(big));
    struct elf_image img;

    (void)state;
    big.f = good();
    big.f.ph[2].p_offset = sizeof(big.f);
    big.f.ph[2].p_filesz = sizeof(big.note);
    assert_int_equal(elf_parse(&s.s, &img, NULL), 0);
    assert_false(img.pvh);
}

static void too_many_segments(void **state)
{
    struct {
        Elf64_Ehdr h;
        Elf64_Phdr ph[ELF_SEGMENTS + 1];
    } k = { .h = good().h };
    struct memory_source s = source(&k, sizeof(k));
    struct elf_image img;

    (void)state;
    k.h.e_phoff = sizeof(k.h);
    k.h.e_phnum = ELF_SEGMENTS + 1;
    k.h.e_entry = 0x200000;
    for (unsigned i = 0; i <= ELF_SEGMENTS; i++)
        k.ph[i] = (Elf64_Phdr){
            .p_type = PT_LOAD, .p_paddr = 0x200000 + i * 64, .p_filesz = 64, .p_memsz = 64
        };
    assert_int_equal(elf_parse(&s.s, &img, NULL), -ENOEXEC);
    k.h.e_phnum--;
    assert_int_equal(elf_parse(&s.s, &img, NULL), 0);
    assert_int_equal(img.nsegments, ELF_SEGMENTS);
}

static void l02_outside_guest_memory_l06_file_that_shrinks(void **state)
{
    static uint8_t ram[0x301000];
    struct gmem m = { .n = 1, .region = { { .host = ram, .base = 0, .size = sizeof(ram) } } };
    f = good();
    struct memory_source s = source(&f, sizeof(f));
    struct elf_image img;

    (void)state;
    assert_int_equal(elf_parse(&s.s, &img, NULL), 0);
    assert_int_equal(elf_load(&s.s, &img, &m, NULL), 0);
    assert_memory_equal(ram + 0x200000, f.code, 64);
    assert_memory_equal(ram + 0x300000, f.data, 32);
    assert_int_equal(ram[0x200040], 0);
    assert_int_equal(ram[0x300020], 0);

    m.region[0].size--;
    assert_int_equal(elf_load(&s.s, &img, &m, NULL), -EFBIG);
    m.region[0].size++;
    s.real = sizeof(f) - 1; /* truncated between check and load */
    assert_int_equal(elf_load(&s.s, &img, &m, NULL), -ENOEXEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_by_pvh_and_by_entry),
        cmocka_unit_test(linux_is_entered_in_64_bit_mode),
        cmocka_unit_test(l01_headers),
        cmocka_unit_test(l02_segments),
        cmocka_unit_test(entry_must_be_code),
        cmocka_unit_test(l03_notes),
        cmocka_unit_test(l03_many_notes_end),
        cmocka_unit_test(too_many_segments),
        cmocka_unit_test(l02_outside_guest_memory_l06_file_that_shrinks),
    };

    return cmocka_run_group_tests_name("elf", tests, NULL, NULL);
}
