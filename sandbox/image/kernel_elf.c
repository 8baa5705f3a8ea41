/* kernel_elf.c - see kernel_elf.h. Every offset is checked against the length before it is used. */
#include "sandbox/image/kernel_elf.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    PHNUM_MAX = 64,         /* Linux has five; the VMM accepts no more than this */
    PHYS32_ENTRY = 18,      /* XEN_ELFNOTE_PHYS32_ENTRY, xen/include/public/elfnote.h */
    VERSION_MAX = 128,      /* of /proc/version's third word */
    KERNEL_NOTES_MAX = 256, /* notes looked at per segment; Linux has a dozen */
    KERNEL_LOWEST = 1 << 20 /* no kernel is loaded below: boot.rst, "The Memory Layout" */
};

/* Linux is linked in the upper half, Documentation/arch/x86/x86_64/mm.rst; no program is. */
#define KERNEL_HALF (UINT64_C(1) << 63)

bool kernel_is_elf(const void *in, size_t len)
{
    return len >= SELFMAG && memcmp(in, ELFMAG, SELFMAG) == 0;
}

/* True when [off, off + size) lies inside len bytes. */
static bool inside(uint64_t off, uint64_t size, size_t len)
{
    uint64_t end;

    return !add_overflows(off, size, &end) && end <= len;
}

/* Sizes of a note's name and content are padded to four bytes in the file. */
static uint64_t padded(uint32_t n)
{
    return ((uint64_t)n + 3) & ~(uint64_t)3;
}

/* Walks one PT_NOTE segment. True when the PVH note is in it. */
static bool has_pvh_note(const uint8_t *seg, uint64_t len)
{
    uint64_t at = 0;

    for (unsigned n = 0; n < KERNEL_NOTES_MAX && len - at >= sizeof(Elf64_Nhdr); n++) {
        Elf64_Nhdr h;

        memcpy(&h, seg + at, sizeof(h));
        at += sizeof(h);

        /* Neither sum can wrap: both parts are below 2^32 + 4. */
        uint64_t body = padded(h.n_namesz) + padded(h.n_descsz);

        if (body > len - at)
            return false;
        if (h.n_type == PHYS32_ENTRY && h.n_namesz == 4 && h.n_descsz >= 4 &&
            memcmp(seg + at, "Xen", 4) == 0)
            return true;
        at += body;
    }
    return false;
}

static int check_segment(const Elf64_Phdr *ph, size_t len, struct err *e)
{
    if (!inside(ph->p_offset, ph->p_filesz, len))
        return err_set(e, ENOEXEC, "kernel ELF: a segment lies beyond the end of the file");
    if (ph->p_type == PT_LOAD && ph->p_filesz > ph->p_memsz)
        return err_set(e, ENOEXEC, "kernel ELF: a segment is larger in the file than in memory");
    return 0;
}

static int check_header(const Elf64_Ehdr *h, size_t len, struct err *e)
{
    if (!kernel_is_elf(h, sizeof(*h)) || h->e_ident[EI_CLASS] != ELFCLASS64 ||
        h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_machine != EM_X86_64)
        return err_set(e, ENOEXEC, "not a 64-bit x86 ELF kernel");
    if (h->e_type == ET_DYN)
        return err_set(e, ENOEXEC, "not a kernel: a program or library of an operating system");
    if (h->e_type != ET_EXEC)
        return err_set(e, ENOEXEC, "kernel ELF: type %u is not an executable", h->e_type);
    if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 || h->e_phnum > PHNUM_MAX)
        return err_set(e, ENOEXEC, "kernel ELF: %u program headers of %u bytes", h->e_phnum,
                       h->e_phentsize);
    if (!inside(h->e_phoff, (uint64_t)h->e_phnum * sizeof(Elf64_Phdr), len))
        return err_set(e, ENOEXEC, "kernel ELF: program headers beyond the end of the file");
    return 0;
}

/* What the program headers tell. */
struct parts {
    unsigned loads;
    bool high; /* something is linked where kernels are, and loaded where they may be */
    bool pvh;
};

static int take_segment(const uint8_t *b, size_t len, const Elf64_Phdr *ph, struct parts *parts,
                        struct err *e)
{
    if (ph->p_type == PT_INTERP)
        return err_set(e, ENOEXEC, "not a kernel: a program that asks for an interpreter");
    if (ph->p_type != PT_LOAD && ph->p_type != PT_NOTE)
        return 0;

    int err = check_segment(ph, len, e);

    if (err)
        return err;
    if (ph->p_type == PT_NOTE && has_pvh_note(b + ph->p_offset, ph->p_filesz))
        parts->pvh = true;
    if (ph->p_type == PT_LOAD && ph->p_memsz) {
        parts->loads++;
        if (ph->p_vaddr >= KERNEL_HALF && ph->p_paddr >= KERNEL_LOWEST)
            parts->high = true;
    }
    return 0;
}

int kernel_check_elf(const void *in, size_t len, bool *pvh, struct err *e)
{
    const uint8_t *b = in;
    struct parts parts = { 0 };
    Elf64_Ehdr h;

    if (len < sizeof(h))
        return err_set(e, ENOEXEC, "kernel ELF: only %zu bytes", len);
    memcpy(&h, b, sizeof(h));

    int err = check_header(&h, len, e);

    for (unsigned i = 0; !err && i < h.e_phnum; i++) {
        Elf64_Phdr ph;

        memcpy(&ph, b + h.e_phoff + i * sizeof(ph), sizeof(ph));
        err = take_segment(b, len, &ph, &parts, e);
    }
    if (err)
        return err;
    if (parts.loads == 0)
        return err_set(e, ENOEXEC, "kernel ELF: nothing to load in it");
    if (!parts.pvh && !parts.high)
        return err_set(e, ENOEXEC,
                       "not a kernel: no PVH entry, and nothing in it is linked like a kernel");
    *pvh = parts.pvh;
    return 0;
}

void kernel_find_version(const void *in, size_t len, char *out, size_t room)
{
    static const char mark[] = "Linux version ";
    const char *at = in, *end = at + len;

    snprintf(out, room, "unknown");
    while ((at = memmem(at, (size_t)(end - at), mark, sizeof(mark) - 1))) {
        at += sizeof(mark) - 1;

        /* The kernel also has the format string, "Linux version %s": a version starts with a digit.
         */
        size_t n = 0;

        while (at + n < end && n < VERSION_MAX && at[n] > ' ' && at[n] < 0x7f)
            n++;
        if (n > 0 && n < room && *at >= '0' && *at <= '9') {
            memcpy(out, at, n);
            out[n] = '\0';
            return;
        }
    }
}
