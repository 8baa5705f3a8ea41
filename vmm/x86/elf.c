/* elf.c - see elf.h. ELF-64 as in the System V ABI; the PVH note as in Xen's public/elfnote.h. */
#include "vmm/x86/elf.h"

#include "base/io.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NOTE_PVH_ENTRY 18u /* XEN_ELFNOTE_PHYS32_ENTRY */

static ssize_t file_read(const struct elf_source *s, void *buf, size_t len, uint64_t off)
{
    return io_pread_full(s->fd, buf, len, (off_t)off);
}

int elf_file(struct elf_source *s, int fd, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st))
        return err_sys(e, "kernel");
    *s = (struct elf_source){ .read = file_read, .size = (uint64_t)st.st_size, .fd = fd };
    return 0;
}

/* All len bytes at off, or an error: the caller has checked that they lie inside the file. */
static int read_all(const struct elf_source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
    ssize_t n = s->read(s, buf, len, off);

    if (n < 0)
        return err_set(e, (int)-n, "kernel: read: %s", strerror((int)-n));
    if ((size_t)n < len)
        return err_set(e, ENOEXEC, "kernel: ends at byte %llu of %llu",
                       (unsigned long long)off + (unsigned long long)n,
                       (unsigned long long)s->size);
    return 0;
}

static bool inside(const struct elf_source *s, uint64_t off, uint64_t len)
{
    return off <= s->size && len <= s->size - off;
}

static int check_header(const struct elf_source *s, const Elf64_Ehdr *h, struct err *e)
{
    if (!memcmp(h, "MZ", 2))
        return err_set(
            e, ENOEXEC,
            "kernel: a compressed bzImage; it must be unpacked to its ELF vmlinux first");
    if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 || h->e_ident[EI_CLASS] != ELFCLASS64 ||
        h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_machine != EM_X86_64 ||
        (h->e_type != ET_EXEC && h->e_type != ET_DYN))
        return err_set(e, ENOEXEC, "kernel: not a 64-bit x86 ELF executable");
    if (!h->e_phnum || h->e_phnum > ELF_PHDRS_MAX || h->e_phentsize != sizeof(Elf64_Phdr))
        return err_set(e, ENOEXEC, "kernel: %u program headers of %u bytes: from 1 to %u of %zu",
                       h->e_phnum, h->e_phentsize, ELF_PHDRS_MAX, sizeof(Elf64_Phdr));
    if (!inside(s, h->e_phoff, h->e_phnum * sizeof(Elf64_Phdr)))
        return err_set(e, ENOEXEC, "kernel: program headers outside the file");
    return 0;
}

/* Adds a PT_LOAD in its place of the ascending list. */
static int add_segment(const struct elf_source *s, struct elf_image *img, const Elf64_Phdr *p,
                       struct err *e)
{
    uint64_t end;
    unsigned i = img->nsegments;

    if (!p->p_memsz)
        return 0;
    if (p->p_filesz > p->p_memsz || !inside(s, p->p_offset, p->p_filesz))
        return err_set(e, ENOEXEC,
                       "kernel: a segment at %#llx is larger than its bytes in the file",
                       (unsigned long long)p->p_paddr);
    if (p->p_paddr < ELF_FLOOR || add_overflows(p->p_paddr, p->p_memsz, &end))
        return err_set(e, ENOEXEC, "kernel: a segment at %#llx: allowed is %#llx and above",
                       (unsigned long long)p->p_paddr, (unsigned long long)ELF_FLOOR);
    if (i == ELF_SEGMENTS)
        return err_set(e, ENOEXEC, "kernel: more than %d segments", ELF_SEGMENTS);

    for (; i && img->segment[i - 1].gpa > p->p_paddr; i--)
        img->segment[i] = img->segment[i - 1];
    img->segment[i] = (struct elf_segment){
        .off = p->p_offset, .gpa = p->p_paddr, .filesz = p->p_filesz, .memsz = p->p_memsz
    };
    img->nsegments++;
    return 0;
}

static int check_segments(struct elf_image *img, struct err *e)
{
    if (!img->nsegments)
        return err_set(e, ENOEXEC, "kernel: nothing to load in it");
    for (unsigned i = 0; i < img->nsegments; i++) {
        const struct elf_segment *g = &img->segment[i];

        if (i && g->gpa < img->end)
            return err_set(e, ENOEXEC, "kernel: two segments overlap at %#llx",
                           (unsigned long long)g->gpa);
        img->end = g->gpa + g->memsz;
    }
    return 0;
}

static bool has_bytes_at(const struct elf_image *img, uint64_t gpa)
{
    for (unsigned i = 0; i < img->nsegments; i++) {
        const struct elf_segment *g = &img->segment[i];

        if (gpa >= g->gpa && gpa - g->gpa < g->filesz)
            return true;
    }
    return false;
}

/* What the notes say. */
struct notes {
    bool pvh, is_linux;
    uint64_t pvh_entry;
};

static int judge_note(const Elf64_Nhdr *n, const uint8_t *name, const uint8_t *desc,
                      struct notes *out, struct err *e)
{
    if (n->n_namesz == 6 && !memcmp(name, "Linux", 6))
        out->is_linux = true;
    if (n->n_type != NOTE_PVH_ENTRY || n->n_namesz != 4 || memcmp(name, "Xen", 4) != 0 || out->pvh)
        return 0;
    if (n->n_descsz != 4 && n->n_descsz != 8)
        return err_set(e, ENOEXEC, "kernel: its PVH note has %u bytes", n->n_descsz);
    memcpy(&out->pvh_entry, desc, n->n_descsz);
    out->pvh = true;
    return 0;
}

static int walk_notes(const uint8_t *at, uint64_t len, uint64_t align, struct notes *out,
                      struct err *e)
{
    uint64_t pos = 0;

    while (pos < len && len - pos >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr n;
        uint64_t name = pos + sizeof(n), desc;
        int err;

        memcpy(&n, at + pos, sizeof(n));
        desc = (name + n.n_namesz + align - 1) & -align; /* 32-bit sizes: no sum wraps 64 bits */
        if (desc > len || n.n_descsz > len - desc)
            return err_set(e, ENOEXEC, "kernel: a note is larger than its segment");
        err = judge_note(&n, at + name, at + desc, out, e);
        if (err)
            return err;
        pos = (desc + n.n_descsz + align - 1) & -align;
    }
    return 0;
}

static int read_notes(const struct elf_source *s, const Elf64_Phdr *p, struct notes *out,
                      struct err *e)
{
    int err;

    if (p->p_filesz > ELF_NOTES_MAX || !inside(s, p->p_offset, p->p_filesz))
        return err_set(e, ENOEXEC, "kernel: a note segment of %llu bytes",
                       (unsigned long long)p->p_filesz);
    if (!p->p_filesz)
        return 0;

    uint8_t *bytes = malloc(p->p_filesz);

    if (!bytes)
        return err_set(e, ENOMEM, "kernel: no memory for its notes");
    err = read_all(s, bytes, p->p_filesz, p->p_offset, e);
    if (!err)
        err = walk_notes(bytes, p->p_filesz, p->p_align == 8 ? 8 : 4, out, e);
    free(bytes);
    return err;
}

static int choose_entry(struct elf_image *img, const struct notes *n, uint64_t file_entry,
                        struct err *e)
{
    bool file_ok = !(file_entry >> 32) && has_bytes_at(img, file_entry);

    img->pvh = n->pvh && !(n->is_linux && file_ok);
    img->entry = img->pvh ? n->pvh_entry : file_entry;
    if (img->entry >> 32 || !has_bytes_at(img, img->entry))
        return err_set(e, ENOEXEC, "kernel: its %s entry %#llx is outside its segments",
                       img->pvh ? "PVH" : "64-bit", (unsigned long long)img->entry);
    return 0;
}

int elf_parse(const struct elf_source *s, struct elf_image *img, struct err *e)
{
    Elf64_Ehdr h;
    Elf64_Phdr ph[ELF_PHDRS_MAX];
    struct notes notes = { 0 };
    int err;

    *img = (struct elf_image){ 0 };
    if (s->size < sizeof(h))
        return err_set(e, ENOEXEC, "kernel: not a 64-bit x86 ELF executable");
    err = read_all(s, &h, sizeof(h), 0, e);
    if (!err)
        err = check_header(s, &h, e);
    if (!err)
        err = read_all(s, ph, h.e_phnum * sizeof(ph[0]), h.e_phoff, e);
    if (err)
        return err;

    for (unsigned i = 0; !err && i < h.e_phnum; i++) {
        if (ph[i].p_type == PT_LOAD)
            err = add_segment(s, img, &ph[i], e);
        else if (ph[i].p_type == PT_NOTE)
            err = read_notes(s, &ph[i], &notes, e);
    }
    if (!err)
        err = check_segments(img, e);
    return err ? err : choose_entry(img, &notes, h.e_entry, e);
}

int elf_load(const struct elf_source *s, const struct elf_image *img, const struct gmem *m,
             struct err *e)
{
    for (unsigned i = 0; i < img->nsegments; i++) {
        const struct elf_segment *g = &img->segment[i];
        void *at = gmem_payload(m, (gpa_t){ g->gpa }, g->memsz);

        if (!at)
            return err_set(e, EFBIG, "kernel: needs memory up to %llu MiB",
                           (unsigned long long)((img->end + (1u << 20) - 1) >> 20));

        int err = read_all(s, at, g->filesz, g->off, e);

        if (err)
            return err;
    }
    return 0;
}
