/*
 * boot.h - what a kernel finds in memory when it starts: memory map, command line, initrd, ACPI.
 *
 * The boot data is in the first MiB, below anything a kernel image may occupy (ELF_FLOOR), so that
 * neither can overwrite the other. A kernel with a PVH note gets hvm_start_info; another one gets
 * the zero page of the 64-bit boot protocol.
 */
#ifndef VMM_X86_BOOT_H
#define VMM_X86_BOOT_H

#include "base/err.h"
#include "base/gmem.h"

/* The first MiB, by address. */
#define BOOT_GDT        0x1000u
#define BOOT_PAGES      0x2000u /* six pages: the first 4 GiB, one to one */
#define BOOT_PARAMS     0x8000u /* zero page, or hvm_start_info with its lists */
#define BOOT_CMDLINE    0xa000u
#define BOOT_LOW_END    0xa0000u
#define BOOT_TABLES     0xe0000u /* ACPI */
#define BOOT_TABLES_END 0xffff0u
#define BOOT_RESET      0xffff0u /* where a PC's CPU starts, and a kernel jumps to restart it */

/* Where and how the first CPU starts. */
struct boot_entry {
    bool pvh;     /* 32-bit protected mode with ebx = arg; otherwise 64-bit mode with rsi = arg */
    uint64_t ip;  /* physical, below 4 GiB */
    uint64_t arg; /* physical address of the boot data */
};

enum boot_map_type { BOOT_MAP_RAM = 1, BOOT_MAP_RESERVED = 2 };

/* One range of the memory map; as E820 and PVH number the types. */
struct boot_range {
    uint64_t base, size;
    enum boot_map_type type;
};

#define BOOT_RANGES 6

/* The memory map of a machine with this RAM, ascending: how many ranges. */
unsigned boot_map(const struct gmem *m, struct boot_range map[BOOT_RANGES]);

/*
 * Loads kernel, initrd (-1: none), command line and memory map into fresh guest RAM, and says where
 * the first CPU starts. The ACPI tables (acpi.h) lie at BOOT_TABLES already or will.
 */
must_check int boot_load(const struct gmem *m, int kernel_fd, int initrd_fd, const char *cmdline,
                         struct boot_entry *entry, struct err *e);

#endif
