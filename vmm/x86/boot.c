/*
 * boot.c - see boot.h. PVH as in Xen's docs/misc/pvh.pandoc and public/arch-x86/hvm/start_info.h;
 * the zero page as in Linux's Documentation/arch/x86/boot.rst, "64-bit boot protocol".
 */
#include "vmm/x86/boot.h"

#include "base/io.h"
#include "base/launch.h"
#include "vmm/vm.h"
#include "vmm/x86/acpi.h"
#include "vmm/x86/elf.h"

#include <asm/bootparam.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define PAGE 4096u
#define MIB  (1ull << 20)

#define START_MAGIC 0x336ec578u

struct start_info {
    uint32_t magic, version, flags, nr_modules;
    uint64_t modlist, cmdline, rsdp, memmap;
    uint32_t memmap_entries, reserved;
};

struct start_module {
    uint64_t base, size, cmdline, reserved;
};

struct start_range {
    uint64_t base, size;
    uint32_t type, reserved;
};

/* All of it, as it is laid out at BOOT_PARAMS. */
struct start_page {
    struct start_info info;
    struct start_module initrd;
    struct start_range map[BOOT_RANGES];
};

_Static_assert(sizeof(struct start_info) == 56, "hvm_start_info version 1");
_Static_assert(sizeof(struct boot_params) == PAGE, "zero page");
_Static_assert(BOOT_CMDLINE + VMM_CMDLINE_MAX < BOOT_LOW_END, "boot data fits below the hole");

struct initrd {
    uint64_t base, size;
};

unsigned boot_map(const struct gmem *m, struct boot_range map[BOOT_RANGES])
{
    unsigned n = 0;

    map[n++] = (struct boot_range){ 0, BOOT_LOW_END, BOOT_MAP_RAM };
    map[n++] = (struct boot_range){ BOOT_LOW_END, MIB - BOOT_LOW_END, BOOT_MAP_RESERVED };
    map[n++] = (struct boot_range){ MIB, m->region[0].size - MIB, BOOT_MAP_RAM };
    /* PCI Firmware Specification 3.2, 4.1.2: configuration space is reserved in the map too. */
    map[n++] = (struct boot_range){ VM_ECAM_BASE, VM_ECAM_SIZE, BOOT_MAP_RESERVED };
    if (m->n > 1)
        map[n++] = (struct boot_range){ m->region[1].base, m->region[1].size, BOOT_MAP_RAM };
    return n;
}

/* The initrd goes to the top of low RAM, above the kernel's end. */
static int load_initrd(const struct gmem *m, int fd, uint64_t floor, struct initrd *out,
                       struct err *e)
{
    struct stat st;
    uint64_t low = m->region[0].size;

    if (fstat(fd, &st))
        return err_sys(e, "initrd");

    uint64_t size = (uint64_t)st.st_size;

    if (!size || size > low || ((low - size) & -(uint64_t)PAGE) < floor)
        return err_set(e, EFBIG, "initrd: %llu bytes do not fit between the kernel and %llu MiB",
                       (unsigned long long)size, (unsigned long long)(low / MIB));
    *out = (struct initrd){ .base = (low - size) & -(uint64_t)PAGE, .size = size };

    ssize_t n = io_pread_full(fd, gmem_payload(m, (gpa_t){ out->base }, size), size, 0);

    if (n < 0)
        return err_set(e, (int)-n, "initrd: read: %s", strerror((int)-n));
    if ((uint64_t)n < size)
        return err_set(e, EIO, "initrd: became shorter while it was read");
    return 0;
}

static int put(const struct gmem *m, uint64_t gpa, const void *data, size_t len, struct err *e)
{
    return gmem_write(m, (gpa_t){ gpa }, data, len)
               ? err_set(e, EFAULT, "boot data at %#llx is outside guest memory",
                         (unsigned long long)gpa)
               : 0;
}

static int put_start_info(const struct gmem *m, const struct initrd *initrd, struct err *e)
{
    struct boot_range map[BOOT_RANGES];
    struct start_page p = {
        .info = { .magic = START_MAGIC,
                  .version = 1,
                  .nr_modules = initrd->size ? 1 : 0,
                  .modlist = initrd->size ? BOOT_PARAMS + offsetof(struct start_page, initrd) : 0,
                  .cmdline = BOOT_CMDLINE,
                  .rsdp = BOOT_TABLES,
                  .memmap = BOOT_PARAMS + offsetof(struct start_page, map),
                  .memmap_entries = boot_map(m, map) },
        .initrd = { .base = initrd->base, .size = initrd->size },
    };

    for (unsigned i = 0; i < p.info.memmap_entries; i++)
        p.map[i] =
            (struct start_range){ .base = map[i].base, .size = map[i].size, .type = map[i].type };
    return put(m, BOOT_PARAMS, &p, sizeof(p), e);
}

/* Flat segments as the protocol wants them: __BOOT_CS is 0x10, __BOOT_DS is 0x18. */
static const uint64_t gdt[] = { 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff };

/* The first 4 GiB one to one, in 2 MiB pages. */
static int put_page_tables(const struct gmem *m, struct err *e)
{
    uint64_t *t = gmem_payload(m, (gpa_t){ BOOT_PAGES }, 6ull * PAGE);

    if (!t)
        return err_set(e, EFAULT, "page tables are outside guest memory");
    t[0] = (BOOT_PAGES + PAGE) | 3; /* present, writable */
    for (uint64_t i = 0; i < 4; i++)
        t[512 + i] = (BOOT_PAGES + (2 + i) * PAGE) | 3;
    for (uint64_t i = 0; i < 4ull * 512; i++)
        t[1024 + i] = (i << 21) | 0x83; /* a 2 MiB page */
    return 0;
}

static int put_zero_page(const struct gmem *m, const struct initrd *initrd, struct err *e)
{
    struct boot_range map[BOOT_RANGES];
    struct boot_params p = {
        .acpi_rsdp_addr = BOOT_TABLES,
        .e820_entries = (__u8)boot_map(m, map),
        .hdr = { .boot_flag = 0xaa55,
                 .header = 0x53726448, /* "HdrS" */
                 .version = 0x020f,
                 .type_of_loader = 0xff, /* none of the registered ones */
                 .loadflags = LOADED_HIGH,
                 .cmd_line_ptr = BOOT_CMDLINE,
                 .cmdline_size = VMM_CMDLINE_MAX - 1,
                 .ramdisk_image = (__u32)initrd->base,
                 .ramdisk_size = (__u32)initrd->size },
    };
    int err;

    for (unsigned i = 0; i < p.e820_entries; i++)
        p.e820_table[i] = (struct boot_e820_entry){ .addr = map[i].base,
                                                    .size = map[i].size,
                                                    .type = map[i].type };
    err = put(m, BOOT_PARAMS, &p, sizeof(p), e);
    if (!err)
        err = put(m, BOOT_GDT, gdt, sizeof(gdt), e);
    return err ? err : put_page_tables(m, e);
}

/*
 * Linux on hardware-reduced ACPI prefers EFI to the reset register, and without EFI ends in the
 * BIOS's reset vector, in real mode: what it finds there writes the reset register for it.
 */
static int put_reset_vector(const struct gmem *m, struct err *e)
{
    static const uint8_t code[] = {
        0xba,
        ACPI_PORT_RESET & 0xff,
        ACPI_PORT_RESET >> 8, /* mov dx, port */
        0xb0,
        ACPI_RESET_VALUE, /* mov al, value */
        0xee,             /* out dx, al */
        0xf4,
        0xeb,
        0xfd, /* hlt, again */
    };

    return put(m, BOOT_RESET, code, sizeof(code), e);
}

int boot_load(const struct gmem *m, int kernel_fd, int initrd_fd, const char *cmdline,
              struct boot_entry *entry, struct err *e)
{
    struct elf_source src;
    struct elf_image img = { 0 };
    struct initrd initrd = { 0 };
    int err = elf_file(&src, kernel_fd, e);

    if (!err)
        err = elf_parse(&src, &img, e);
    if (!err)
        err = elf_load(&src, &img, m, e);
    if (!err && initrd_fd != -1)
        err = load_initrd(m, initrd_fd, img.end, &initrd, e);
    if (!err)
        err = put(m, BOOT_CMDLINE, cmdline, strlen(cmdline) + 1, e);
    if (!err)
        err = put_reset_vector(m, e);
    if (err)
        return err;

    *entry = (struct boot_entry){ .pvh = img.pvh, .ip = img.entry, .arg = BOOT_PARAMS };
    return img.pvh ? put_start_info(m, &initrd, e) : put_zero_page(m, &initrd, e);
}
