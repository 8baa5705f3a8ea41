/*
 * elf.h - a kernel image: 64-bit ELF, judged whole before a byte of it reaches guest memory.
 *
 * The file is only ever copied with bounded reads, never mapped: a file that shrinks meanwhile is
 * an error here, not a SIGBUS (L06). Nothing in it is an allocation size; time is bounded by
 * ELF_SEGMENTS and ELF_NOTES_MAX.
 */
#ifndef VMM_X86_ELF_H
#define VMM_X86_ELF_H

#include "base/err.h"
#include "base/gmem.h"

#include <sys/types.h>

#define ELF_PHDRS_MAX 64
#define ELF_SEGMENTS  16
#define ELF_NOTES_MAX 65536u      /* bytes of one note segment */
#define ELF_FLOOR     0x100000ull /* no segment below: boot data and tables live there */

/* Where the bytes come from: a descriptor, or memory in a test. */
struct elf_source {
    /* len bytes at off, as io_pread_full: the count, less at the end of the file, or -errno. */
    ssize_t (*read)(const struct elf_source *s, void *buf, size_t len, uint64_t off);
    uint64_t size; /* of the file, when it was opened */
    int fd;        /* borrowed; of elf_file sources */
};

struct elf_image {
    /*
     * entry is the 32-bit entry of the PVH note; otherwise the 64-bit one of the file. Linux is
     * entered in 64-bit mode also when it has the note: on the PVH path it looks for Xen, which
     * costs 256 exits. Other kernels may mean something else by their ELF entry.
     */
    bool pvh;
    uint64_t entry; /* physical; inside a segment's bytes */
    uint64_t end;   /* the first address above every segment */
    unsigned nsegments;
    struct elf_segment {
        uint64_t off, gpa, filesz, memsz;
    } segment[ELF_SEGMENTS]; /* disjoint, ascending, not below ELF_FLOOR */
};

/* A source that reads fd; -errno when its size cannot be told. */
must_check int elf_file(struct elf_source *s, int fd, struct err *e);

/* Reads and judges the headers and notes. */
must_check int elf_parse(const struct elf_source *s, struct elf_image *img, struct err *e);

/*
 * Copies the segments of a parsed image into guest RAM, which must be fresh: what lies between
 * filesz and memsz is not written, because it is zero already.
 */
must_check int elf_load(const struct elf_source *s, const struct elf_image *img,
                        const struct gmem *m, struct err *e);

#endif
