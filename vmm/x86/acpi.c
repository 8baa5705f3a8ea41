/*
 * acpi.c - see acpi.h. Section numbers are of ACPI 6.3. The DSDT is small enough to be spelled out
 * in AML (section 20); every package length takes two bytes, so nothing moves after it is written.
 */
#include "vmm/x86/acpi.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
    uint8_t *at;
    unsigned n;
};

static void put(struct bytes *b, const void *data, unsigned len)
{
    if (len > ACPI_BYTES_MAX - b->n)
        abort(); /* the largest machine fits: our own mistake */
    memcpy(b->at + b->n, data, len);
    b->n += len;
}

static void u8(struct bytes *b, uint8_t v)
{
    put(b, &v, sizeof(v));
}

static void u16(struct bytes *b, uint16_t v)
{
    put(b, &(uint16_t){ htole16(v) }, sizeof(v));
}

static void u32(struct bytes *b, uint32_t v)
{
    put(b, &(uint32_t){ htole32(v) }, sizeof(v));
}

static void u64(struct bytes *b, uint64_t v)
{
    put(b, &(uint64_t){ htole64(v) }, sizeof(v));
}

static void zeros(struct bytes *b, unsigned len)
{
    while (len--)
        u8(b, 0);
}

static uint8_t checksum(const uint8_t *at, unsigned len)
{
    uint8_t sum = 0;

    while (len--)
        sum = (uint8_t)(sum + *at++);
    return (uint8_t)-sum;
}

/* ---- tables ---- */

static unsigned table_begin(struct bytes *b, const char *signature, uint8_t revision)
{
    while (b->n % 16)
        u8(b, 0);

    unsigned start = b->n;

    put(b, signature, 4);
    u32(b, 0); /* length and … */
    u8(b, revision);
    u8(b, 0); /* … checksum: table_end */
    put(b, "CARREL", 6);
    put(b, "CARRELVM", 8);
    u32(b, 1);
    put(b, "CRRL", 4);
    u32(b, 1);
    return start;
}

static void table_end(struct bytes *b, unsigned start)
{
    uint32_t len = htole32(b->n - start);

    memcpy(b->at + start + 4, &len, sizeof(len));
    b->at[start + 9] = checksum(b->at + start, b->n - start);
}

/* 5.2.3.2: a generic address of one byte in I/O space. */
static void io_register(struct bytes *b, uint16_t port)
{
    u8(b, 1); /* system I/O */
    u8(b, 8);
    u8(b, 0);
    u8(b, 1); /* byte access */
    u64(b, port);
}

/* 5.2.12 */
static unsigned madt(struct bytes *b, unsigned vcpus)
{
    unsigned start = table_begin(b, "APIC", 5);

    u32(b, 0xfee00000);
    u32(b, 0); /* no 8259 */
    for (unsigned i = 0; i < vcpus; i++) {
        u8(b, 0); /* 5.2.12.2: processor local APIC */
        u8(b, 8);
        u8(b, (uint8_t)i);
        u8(b, (uint8_t)i);
        u32(b, 1); /* enabled */
    }
    table_end(b, start);
    return start;
}

/* PCI Firmware Specification 3.2, table 4-2. */
static unsigned mcfg(struct bytes *b, const struct acpi_machine *m)
{
    unsigned start = table_begin(b, "MCFG", 1);

    zeros(b, 8);
    u64(b, m->ecam_base);
    u16(b, 0); /* segment */
    u8(b, 0);  /* first … */
    u8(b, 0);  /* … and last bus */
    u32(b, 0);
    table_end(b, start);
    return start;
}

enum {
    BOOT_NO_VGA = 1u << 2,
    BOOT_NO_ASPM = 1u << 4,
    BOOT_NO_RTC = 1u << 5, /* no 8042: its bit is clear */
    FADT_WBINVD = 1u << 0,
    FADT_NO_PWR_BUTTON = 1u << 4,
    FADT_NO_SLP_BUTTON = 1u << 5,
    FADT_RESET_REG = 1u << 10,
    FADT_HEADLESS = 1u << 12,
    FADT_HW_REDUCED = 1u << 20,
};

/* 5.2.9 */
static unsigned fadt(struct bytes *b, uint32_t dsdt)
{
    unsigned start = table_begin(b, "FACP", 6);

    u32(b, 0);
    u32(b, dsdt);
    zeros(b, 109 - 44);
    u16(b, BOOT_NO_VGA | BOOT_NO_ASPM | BOOT_NO_RTC);
    u8(b, 0);
    u32(b, FADT_WBINVD | FADT_NO_PWR_BUTTON | FADT_NO_SLP_BUTTON | FADT_RESET_REG | FADT_HEADLESS |
               FADT_HW_REDUCED);
    io_register(b, ACPI_PORT_RESET);
    u8(b, ACPI_RESET_VALUE);
    u16(b, 0);
    u8(b, 3); /* minor version: 6.3 */
    u64(b, 0);
    u64(b, dsdt);
    zeros(b, 244 - 148);
    io_register(b, ACPI_PORT_SLEEP);
    io_register(b, ACPI_PORT_SLEEP + 1);
    put(b, "CARRELVM", 8);
    table_end(b, start);
    return start;
}

/* ---- AML ---- */

/* 20.2.4: opens a package of at most 4095 bytes, whose length package_end fills in. */
static unsigned package_begin(struct bytes *b)
{
    u16(b, 0);
    return b->n - 2;
}

static void package_end(struct bytes *b, unsigned start)
{
    unsigned len = b->n - start;

    b->at[start] = (uint8_t)(0x40 | (len & 0xf));
    b->at[start + 1] = (uint8_t)(len >> 4);
}

static unsigned device_begin(struct bytes *b, const char *name)
{
    u8(b, 0x5b);
    u8(b, 0x82);

    unsigned start = package_begin(b);

    put(b, name, 4);
    return start;
}

static void name(struct bytes *b, const char *what)
{
    u8(b, 0x08);
    put(b, what, 4);
}

static void name_int(struct bytes *b, const char *what, uint32_t value)
{
    name(b, what);
    u8(b, 0x0c);
    u32(b, value);
}

static uint32_t hex(char c)
{
    return (uint32_t)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* 19.3.4: "PNP0A08" in five-bit letters and hexadecimal digits, high byte first. */
static void name_eisa(struct bytes *b, const char *what, const char *id)
{
    uint32_t v = 0;

    for (int i = 0; i < 3; i++)
        v = v << 5 | ((uint32_t)id[i] - 0x40);
    for (int i = 3; i < 7; i++)
        v = v << 4 | hex(id[i]);
    name_int(b, what, __builtin_bswap32(v));
}

/* Opens Name (_CRS, ResourceTemplate () {: a buffer whose size is known at its end. */
struct template
{
    unsigned package, size;
};

static struct template crs_begin(struct bytes *b)
{
    struct template t;

    name(b, "_CRS");
    u8(b, 0x11);
    t.package = package_begin(b);
    u8(b, 0x0b);
    t.size = b->n;
    u16(b, 0);
    return t;
}

static void crs_end(struct bytes *b, struct template t)
{
    uint16_t len;

    u8(b, 0x79); /* 6.4.2.9: end tag, no checksum */
    u8(b, 0);
    len = htole16((uint16_t)(b->n - t.size - 2));
    memcpy(b->at + t.size, &len, sizeof(len));
    package_end(b, t.package);
}

static void crs_io(struct bytes *b, uint16_t port, uint8_t len)
{
    u8(b, 0x47); /* 6.4.2.5 */
    u8(b, 1);
    u16(b, port);
    u16(b, port);
    u8(b, 1);
    u8(b, len);
}

static void pci_root(struct bytes *b, const struct acpi_machine *m)
{
    unsigned dev = device_begin(b, "PCI0");
    struct template t;

    name_eisa(b, "_HID", "PNP0A08");
    name_eisa(b, "_CID", "PNP0A03");
    name_int(b, "_UID", 0);
    name_int(b, "_BBN", 0);
    t = crs_begin(b);
    u8(b, 0x88); /* 6.4.3.5.3: bus 0, decoded by the bridge, fixed */
    u16(b, 0x0d);
    u8(b, 2);
    u8(b, 0x0c);
    zeros(b, 9);
    u16(b, 1);
    u8(b, 0x87); /* 6.4.3.5.2: the window for BARs, read-write, not cached */
    u16(b, 0x17);
    u8(b, 0);
    u8(b, 0x0c);
    u8(b, 1);
    u32(b, 0);
    u32(b, (uint32_t)m->mmio_base);
    u32(b, (uint32_t)(m->mmio_base + m->mmio_size - 1));
    u32(b, 0);
    u32(b, (uint32_t)m->mmio_size);
    crs_end(b, t);
    package_end(b, dev);

    /* The configuration space belongs to the board, so that no BAR is put there. */
    dev = device_begin(b, "ECAM");
    name_eisa(b, "_HID", "PNP0C02");
    t = crs_begin(b);
    u8(b, 0x86); /* 6.4.3.4: 32-bit fixed memory */
    u16(b, 9);
    u8(b, 1);
    u32(b, (uint32_t)m->ecam_base);
    u32(b, (uint32_t)m->ecam_size);
    crs_end(b, t);
    package_end(b, dev);
}

static void port_device(struct bytes *b, const char *what, uint16_t port, uint8_t len)
{
    unsigned dev = device_begin(b, what);
    struct template t;

    if (port == ACPI_PORT_SERIAL) {
        name_eisa(b, "_HID", "PNP0501");
    } else {
        name(b, "_HID");
        u8(b, 0x0d);
        put(b, "QEMU0001", 9); /* the id that pvpanic drivers know */
    }
    name_int(b, "_UID", 0);
    name_int(b, "_STA", 0xf);
    t = crs_begin(b);
    crs_io(b, port, len);
    crs_end(b, t);
    package_end(b, dev);
}

static unsigned dsdt(struct bytes *b, const struct acpi_machine *m)
{
    unsigned start = table_begin(b, "DSDT", 2), scope;

    u8(b, 0x10); /* Scope (\_SB) */
    scope = package_begin(b);
    put(b, "\\_SB_", 5);
    pci_root(b, m);
    port_device(b, "PANI", ACPI_PORT_PVPANIC, 1);
    if (m->serial)
        port_device(b, "COM1", ACPI_PORT_SERIAL, 8);
    package_end(b, scope);

    u8(b, 0x08); /* Name (\_S5, Package () { type, 0, 0, 0 }) */
    put(b, "\\_S5_", 5);
    u8(b, 0x12);
    scope = package_begin(b);
    u8(b, 4);
    u8(b, 0x0a);
    u8(b, ACPI_S5_TYPE);
    zeros(b, 3); /* ZeroOp, three times */
    package_end(b, scope);
    table_end(b, start);
    return start;
}

unsigned acpi_make(const struct acpi_machine *m, uint32_t base, uint8_t out[ACPI_BYTES_MAX])
{
    struct bytes b = { .at = out };
    unsigned tables[3], xsdt;
    uint64_t xsdt_at;

    put(&b, "RSD PTR ", 8); /* 5.2.5.3 */
    u8(&b, 0);
    put(&b, "CARREL", 6);
    u8(&b, 2);
    u32(&b, 0); /* no RSDT */
    u32(&b, 36);
    zeros(&b, 8 + 4); /* XSDT: below */

    tables[0] = fadt(&b, base + dsdt(&b, m));
    tables[1] = madt(&b, m->vcpus);
    tables[2] = mcfg(&b, m);
    xsdt = table_begin(&b, "XSDT", 1);
    for (unsigned i = 0; i < 3; i++)
        u64(&b, base + tables[i]);
    table_end(&b, xsdt);

    xsdt_at = htole64(base + xsdt);
    memcpy(out + 24, &xsdt_at, sizeof(xsdt_at));
    out[8] = checksum(out, 20);
    out[32] = checksum(out, 36);
    return b.n;
}
