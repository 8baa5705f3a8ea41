/* test_boot.c - what lies in guest memory when a kernel starts, and where nothing may lie. */
#include "vmm/vm.h"
#include "vmm/x86/acpi.h"
#include "vmm/x86/boot.h"
#include "vmm/x86/elf.h"

#include <asm/bootparam.h>
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB  (1ull << 20)
#define GIB  (1ull << 30)
#define SIZE (64 * MIB)

static struct gmem mem_of(uint64_t bytes, void *host)
{
    uint64_t low = bytes < VM_HOLE_BASE ? bytes : VM_HOLE_BASE;
    struct gmem m = { .n = 1, .region = { { .host = host, .base = 0, .size = low } } };

    if (bytes > low)
        m.region[m.n++] =
            (struct gmem_region){ .host = host, .base = 4 * GIB, .size = bytes - low };
    return m;
}

/* Ascending, disjoint, all RAM but the legacy hole below 1 MiB in it, and no RAM in the hole. */
static void l09_memory_map_of_every_size(void **state)
{
    static const uint64_t sizes[] = { 64 * MIB,      65 * MIB,      2 * GIB,
                                      3 * GIB - MIB, 3 * GIB,       3 * GIB + MIB,
                                      4 * GIB,       4 * GIB + MIB, 1024 * GIB };

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct gmem m = mem_of(sizes[i], NULL);
        struct boot_range map[BOOT_RANGES];
        unsigned n = boot_map(&m, map);
        uint64_t ram = 0, end = 0;

        assert_true(n <= BOOT_RANGES);
        for (unsigned j = 0; j < n; j++) {
            assert_true(map[j].size && map[j].base >= end);
            end = map[j].base + map[j].size;
            if (map[j].type != BOOT_MAP_RAM)
                continue;
            ram += map[j].size;
            assert_true(end <= VM_HOLE_BASE || map[j].base >= VM_HOLE_END);
        }
        assert_true(ram == sizes[i] - (MIB - BOOT_LOW_END));
        assert_true(end == (m.n > 1 ? 4 * GIB + m.region[1].size : VM_ECAM_BASE + VM_ECAM_SIZE));
    }
}

struct kernel {
    Elf64_Ehdr h;
    Elf64_Phdr ph[2];
    Elf64_Nhdr note;
    char name[4];
    uint32_t entry, pad;
    char code[64];
};

static int kernel_fd(bool pvh, uint64_t at, uint64_t memsz)
{
    struct kernel k = {
        .h = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
               .e_type = ET_EXEC,
               .e_machine = EM_X86_64,
               .e_entry = at + 1,
               .e_phoff = offsetof(struct kernel, ph),
               .e_phentsize = sizeof(Elf64_Phdr),
               .e_phnum = 2 },
        .ph = { { .p_type = PT_LOAD,
                  .p_offset = offsetof(struct kernel, code),
                  .p_paddr = at,
                  .p_filesz = 64,
                  .p_memsz = memsz },
                { .p_type = PT_NOTE,
                  .p_offset = offsetof(struct kernel, note),
                  .p_filesz = 20,
                  .p_align = 4 } },
        .note = { .n_namesz = 4, .n_descsz = 4, .n_type = pvh ? 18 : 17 },
        .name = "Xen",
        .entry = (uint32_t)at + 2,
    };
    int fd = memfd_create("kernel", 0);

    memset(k.code, 'K', sizeof(k.code));
    assert_int_equal(write(fd, &k, sizeof(k)), sizeof(k));
    return fd;
}

static int initrd_fd(size_t len)
{
    int fd = memfd_create("initrd", 0);

    assert_int_equal(ftruncate(fd, (off_t)len), 0);
    if (len) {
        assert_int_equal(pwrite(fd, "first", 5, 0), 5);
        assert_int_equal(pwrite(fd, "Z", 1, (off_t)len - 1), 1);
    }
    return fd;
}

static uint8_t *ram;
static struct gmem mem;

static int fresh(void **state)
{
    (void)state;
    ram = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mem = mem_of(SIZE, ram);
    return ram == MAP_FAILED;
}

static int gone(void **state)
{
    (void)state;
    return munmap(ram, SIZE);
}

static int load(int kernel, int initrd, const char *cmdline, struct boot_entry *entry)
{
    int err = boot_load(&mem, kernel, initrd, cmdline, entry, NULL);

    close(kernel);
    if (initrd >= 0)
        close(initrd);
    return err;
}

static uint64_t le64(uint64_t at)
{
    uint64_t v;

    assert_true(at <= SIZE - 8);
    memcpy(&v, ram + at, 8);
    return v;
}

static uint32_t le32(uint64_t at)
{
    return (uint32_t)le64(at);
}

static void pvh_start_info(void **state)
{
    struct boot_entry e;
    uint64_t module, map;

    (void)state;
    assert_int_equal(load(kernel_fd(true, 2 * MIB, 4096), initrd_fd(5000), "quiet x", &e), 0);
    assert_true(e.pvh && e.ip == 2 * MIB + 2 && e.arg == BOOT_PARAMS);
    assert_memory_equal(ram + 2 * MIB, "KKKK", 4);
    assert_true(le32(e.arg) == 0x336ec578 && le32(e.arg + 4) == 1 && le32(e.arg + 12) == 1);
    assert_string_equal(ram + le64(e.arg + 24), "quiet x");
    assert_true(le64(e.arg + 32) == BOOT_TABLES);
    module = le64(e.arg + 16);
    assert_true(le64(module) == SIZE - 8192 && le64(module + 8) == 5000);
    assert_memory_equal(ram + SIZE - 8192, "first", 5);
    assert_int_equal(ram[SIZE - 8192 + 4999], 'Z');
    map = le64(e.arg + 40);
    assert_int_equal(le32(e.arg + 48), 4);
    assert_true(le64(map) == 0 && le64(map + 8) == BOOT_LOW_END && le32(map + 16) == 1);
    assert_true(le64(map + 48) == MIB && le64(map + 56) == SIZE - MIB);
}

static void zero_page(void **state)
{
    struct boot_entry e;
    const struct boot_params *p = (const void *)(ram + BOOT_PARAMS);

    (void)state;
    assert_int_equal(load(kernel_fd(false, 2 * MIB, 4096), initrd_fd(4096), "a", &e), 0);
    assert_true(!e.pvh && e.ip == 2 * MIB + 1 && e.arg == BOOT_PARAMS);
    assert_int_equal(p->hdr.header, 0x53726448);
    assert_int_equal(p->hdr.boot_flag, 0xaa55);
    assert_int_equal(p->hdr.type_of_loader, 0xff);
    assert_int_equal(p->hdr.ramdisk_image, SIZE - 4096);
    assert_int_equal(p->hdr.ramdisk_size, 4096);
    assert_true(p->acpi_rsdp_addr == BOOT_TABLES);
    assert_string_equal(ram + p->hdr.cmd_line_ptr, "a");
    assert_int_equal(p->e820_entries, 4);
    assert_true(p->e820_table[3].addr == VM_ECAM_BASE && p->e820_table[3].type == 2);
    /* One to one, from the first page to the last of 4 GiB. */
    assert_true(le64(BOOT_PAGES) == (BOOT_PAGES + 0x1000) + 3);
    for (uint64_t g = 0; g < 4; g++)
        assert_true(le64(BOOT_PAGES + 0x1000 + 8 * g) == BOOT_PAGES + 0x2000 + g * 0x1000 + 3);
    for (uint64_t i = 0; i < 2048; i += 2047)
        assert_true(le64(BOOT_PAGES + 0x2000 + 8 * i) == (i << 21) + 0x83);
    assert_true(le64(BOOT_GDT + 16) == 0x00af9b000000ffff); /* selector 0x10: 64-bit code */
}

static void no_initrd_is_said(void **state)
{
    struct boot_entry e;

    (void)state;
    assert_int_equal(load(kernel_fd(true, 2 * MIB, 4096), -1, "", &e), 0);
    assert_true(le32(e.arg + 12) == 0 && le64(e.arg + 16) == 0);
    assert_int_equal(load(kernel_fd(false, 2 * MIB, 4096), -1, "", &e), 0);
    assert_int_equal(((const struct boot_params *)(ram + BOOT_PARAMS))->hdr.ramdisk_size, 0);
}

/* A kernel that restarts through the BIOS writes ACPI's reset register there. */
static void reset_vector(void **state)
{
    const uint8_t code[] = {
        0xba, ACPI_PORT_RESET & 0xff, ACPI_PORT_RESET >> 8, 0xb0, 1, 0xee, 0xf4
    };
    struct boot_entry e;

    (void)state;
    assert_int_equal(load(kernel_fd(true, 2 * MIB, 4096), -1, "", &e), 0);
    assert_memory_equal(ram + 0xffff0, code, sizeof(code));
}

static void l05_initrd_between_kernel_and_the_top(void **state)
{
    struct boot_entry e;
    uint64_t room = SIZE - 2 * MIB - 4096;

    (void)state;
    assert_int_equal(load(kernel_fd(true, 2 * MIB, 4096), initrd_fd(room), "", &e), 0);
    assert_int_equal(load(kernel_fd(true, 2 * MIB, 4096), initrd_fd(room + 1), "", &e), -EFBIG);
    assert_int_equal(load(kernel_fd(true, 2 * MIB, 4097), initrd_fd(room), "", &e), -EFBIG);
    /* There would be room for its bytes, but not for the page it begins in. */
    assert_int_equal(load(kernel_fd(true, 2 * MIB, 100), initrd_fd(SIZE - 2 * MIB - 200), "", &e),
                     -EFBIG);
    assert_int_equal(load(kernel_fd(true, 2 * MIB, 4096), initrd_fd(SIZE + 1), "", &e), -EFBIG);
    assert_int_equal(load(kernel_fd(true, 2 * MIB, 4096), initrd_fd(0), "", &e), -EFBIG);
}

static void l02_kernel_in_ram_and_above_boot_data(void **state)
{
    struct boot_entry e;

    (void)state;
    assert_int_equal(load(kernel_fd(true, SIZE - 4096, 4096), -1, "", &e), 0);
    assert_int_equal(load(kernel_fd(true, SIZE - 4096, 4097), -1, "", &e), -EFBIG);
    assert_int_equal(load(kernel_fd(true, 3 * GIB, 4096), -1, "", &e), -EFBIG);
    assert_int_equal(load(kernel_fd(true, ELF_FLOOR - 4096, 64), -1, "", &e), -ENOEXEC);
    assert_int_equal(load(kernel_fd(true, BOOT_PARAMS, 64), -1, "", &e), -ENOEXEC);
    assert_int_equal(load(kernel_fd(true, ELF_FLOOR, 64), -1, "", &e), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(l09_memory_map_of_every_size),
        cmocka_unit_test_setup_teardown(pvh_start_info, fresh, gone),
        cmocka_unit_test_setup_teardown(zero_page, fresh, gone),
        cmocka_unit_test_setup_teardown(no_initrd_is_said, fresh, gone),
        cmocka_unit_test_setup_teardown(reset_vector, fresh, gone),
        cmocka_unit_test_setup_teardown(l05_initrd_between_kernel_and_the_top, fresh, gone),
        cmocka_unit_test_setup_teardown(l02_kernel_in_ram_and_above_boot_data, fresh, gone),
    };

    return cmocka_run_group_tests_name("boot", tests, NULL, NULL);
}
