/*
 * kernel_unpack.c - bzImage or ELF in memory -> ELF in memory. See kernel.h.
 *
 * Offsets and names are those of Documentation/arch/x86/boot.rst ("The Real-Mode Kernel Header").
 * Decompression is libarchive's, with exactly the one filter that the payload's magic asks for: no
 * nesting, no external programs.
 */
#include "sandbox/image/kernel.h"

#include "sandbox/image/kernel_elf.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    SETUP_SECTS = 0x1f1,
    BOOT_FLAG = 0x1fe,
    HEADER_MAGIC = 0x202,
    PROTOCOL = 0x206,
    XLOADFLAGS = 0x236,
    PAYLOAD_OFFSET = 0x248,
    PAYLOAD_LENGTH = 0x24c,
    INIT_SIZE = 0x260,
    HEADER_END = 0x264,

    SECTOR = 512,
    SETUP_SECTS_DEFAULT = 4, /* what 0 means, for historical reasons */
    PROTOCOL_MIN = 0x020c,   /* 2.12: xloadflags says whether there is a 64-bit entry */
    XLF_KERNEL_64 = 1,
    SIZE_TAIL = 4, /* uncompressed length, little-endian, behind every payload */
};

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
    return get16(p) | (uint32_t)get16(p + 2) << 16;
}

struct payload {
    const uint8_t *data;
    size_t len;
};

static int find_payload(const uint8_t *in, size_t len, size_t max, struct payload *out,
                        struct err *e)
{
    if (len < HEADER_END || get16(in + BOOT_FLAG) != 0xaa55 ||
        memcmp(in + HEADER_MAGIC, "HdrS", 4) != 0)
        return err_set(e, ENOEXEC, "not a kernel: neither an ELF file nor a bzImage");

    unsigned protocol = get16(in + PROTOCOL);

    if (protocol < PROTOCOL_MIN)
        return err_set(e, ENOEXEC, "bzImage: boot protocol %u.%u is older than 2.12", protocol >> 8,
                       protocol & 0xff);
    if (!(get16(in + XLOADFLAGS) & XLF_KERNEL_64))
        return err_set(e, ENOEXEC, "bzImage: not a 64-bit kernel");
    if (get32(in + INIT_SIZE) > max)
        return err_set(e, EFBIG, "bzImage: wants %u MiB of memory to start, more than %zu MiB",
                       get32(in + INIT_SIZE) >> 20, max >> 20);

    uint64_t sects = in[SETUP_SECTS] ? in[SETUP_SECTS] : SETUP_SECTS_DEFAULT;
    uint64_t start = (sects + 1) * SECTOR + get32(in + PAYLOAD_OFFSET);
    uint64_t size = get32(in + PAYLOAD_LENGTH);

    if (start > len || size > len - start)
        return err_set(e, ENOEXEC,
                       "bzImage: truncated: its payload ends at byte %" PRIu64 " of %zu",
                       start + size, len);
    if (size <= SIZE_TAIL)
        return err_set(e, ENOEXEC, "bzImage: no payload");
    *out = (struct payload){ in + start, size };
    return 0;
}

/* How each compression is recognised and which libarchive filter undoes it. gzip's own trailer
 * ends with the length; the kernel's build appends one to all others, and it is not theirs. */
static const struct {
    const char *name, *magic;
    size_t magic_len;
    int (*support)(struct archive *);
    bool tail_is_own;
} methods[] = {
    { "gzip", "\x1f\x8b\x08", 3, archive_read_support_filter_gzip, true },
    { "xz", "\xfd\x37\x7a\x58\x5a", 6, archive_read_support_filter_xz, false },
    { "zstd", "\x28\xb5\x2f\xfd", 4, archive_read_support_filter_zstd, false },
    { "lz4", "\x02\x21\x4c\x18", 4, archive_read_support_filter_lz4, false },
    { "bzip2", "BZh", 3, archive_read_support_filter_bzip2, false },
    { "lzma", "\x5d\x00\x00", 3, archive_read_support_filter_lzma, false },
};

static void reader_freep(struct archive **a)
{
    if (*a)
        archive_read_free(*a);
}

/* Opens the payload for reading through exactly one filter. */
static int open_payload(struct archive *a, const struct payload *p, struct err *e)
{
    struct archive_entry *entry;
    size_t m = 0;

    while (m < array_len(methods) && (p->len < methods[m].magic_len ||
                                      memcmp(p->data, methods[m].magic, methods[m].magic_len) != 0))
        m++;
    if (m == array_len(methods))
        return err_set(e, ENOEXEC,
                       "bzImage: payload of unknown compression (%02x %02x %02x %02x); known are "
                       "gzip, xz, zstd, lz4, bzip2, lzma",
                       p->data[0], p->data[1], p->data[2], p->data[3]);

    /* A warning means that libarchive would run an external program instead. */
    if (methods[m].support(a) != ARCHIVE_OK)
        return err_set(e, ENOTSUP, "bzImage: this libarchive cannot undo %s", methods[m].name);

    size_t len = p->len - (methods[m].tail_is_own ? 0 : SIZE_TAIL);

    if (archive_read_support_format_raw(a) != ARCHIVE_OK ||
        archive_read_open_memory(a, p->data, len) != ARCHIVE_OK ||
        archive_read_next_header(a, &entry) != ARCHIVE_OK)
        return err_set(e, ENOEXEC, "bzImage: %s payload: %s", methods[m].name,
                       archive_error_string(a) ? archive_error_string(a) : "broken");
    if (archive_filter_count(a) != 2) /* the one asked for, and the bytes themselves */
        return err_set(e, ENOEXEC, "bzImage: %s payload is compressed more than once",
                       methods[m].name);
    return 0;
}

/* The payload into buf, which has room for size + 1 bytes. */
static int unpack_payload(const struct payload *p, uint8_t *buf, size_t size, struct err *e)
{
    cleanup_with(reader_freep) struct archive *a = archive_read_new();
    bool pvh;

    if (!a)
        return err_set(e, ENOMEM, "kernel: out of memory");

    int err = open_payload(a, p, e);

    if (err)
        return err;

    la_ssize_t n = archive_read_data(a, buf, size + 1);

    if (n < 0)
        return err_set(e, ENOEXEC, "bzImage: payload: %s",
                       archive_error_string(a) ? archive_error_string(a) : "broken");
    if ((size_t)n != size)
        return err_set(e, ENOEXEC, "bzImage: payload does not unpack to the %zu bytes it announces",
                       size);
    err = kernel_check_elf(buf, size, &pvh, e);
    return err ? err_wrap(e, "bzImage") : 0;
}

static int copy_elf(const void *in, size_t len, size_t max, void **out, size_t *out_len,
                    struct err *e)
{
    bool pvh;

    if (len > max)
        return err_set(e, EFBIG, "kernel ELF: larger than %zu bytes", max);

    int err = kernel_check_elf(in, len, &pvh, e);

    if (err)
        return err;
    *out = malloc(len);
    if (!*out)
        return err_set(e, ENOMEM, "kernel: out of memory");
    memcpy(*out, in, len);
    *out_len = len;
    return 0;
}

int kernel_unpack(const void *in, size_t len, size_t max, void **out, size_t *out_len,
                  struct err *e)
{
    struct payload p = { in, len };

    if (kernel_is_elf(in, len))
        return copy_elf(in, len, max, out, out_len, e);

    int err = find_payload(in, len, max, &p, e);

    if (err)
        return err;

    /* The length is known beforehand; one that lies makes a read too short or too long. */
    size_t size = get32(p.data + p.len - SIZE_TAIL);

    if (size > max)
        return err_set(e, EFBIG, "bzImage: %zu bytes when unpacked, more than %zu", size, max);

    void *buf = malloc(size + 1);

    if (!buf)
        return err_set(e, ENOMEM, "kernel: out of memory");
    err = unpack_payload(&p, buf, size, e);
    if (err) {
        free(buf);
        return err;
    }
    *out = buf;
    *out_len = size;
    return 0;
}
