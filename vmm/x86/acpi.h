/*
 * acpi.h - the tables that tell an unmodified Linux what this machine is, and is not.
 *
 * Hardware-reduced ACPI 6.3: no PM timer, no fixed events, no SCI; interrupts are messages, so the
 * MADT lists local APICs only. Pure: bytes out of numbers.
 */
#ifndef VMM_X86_ACPI_H
#define VMM_X86_ACPI_H

#include "base/gmem.h"

#include <stdbool.h>
#include <stdint.h>

/* I/O ports the tables announce and power.c and serial.c answer. */
#define ACPI_PORT_SLEEP   0x600u /* sleep control; the status register is the next port */
#define ACPI_PORT_RESET   0x602u
#define ACPI_PORT_PVPANIC 0x505u
#define ACPI_PORT_SERIAL  0x3f8u

#define ACPI_RESET_VALUE 1u
#define ACPI_S5_TYPE     5u /* SLP_TYP of \_S5 */

struct acpi_machine {
    unsigned vcpus; /* APIC ids 0 .. vcpus - 1 */
    bool serial;
    uint64_t ecam_base, ecam_size; /* configuration space of bus 0 */
    uint64_t mmio_base, mmio_size; /* window for BARs, below 4 GiB */
};

#define ACPI_BYTES_MAX 4096

/*
 * Writes the tables, RSDP first, as they must lie at guest address base (16-byte aligned, below
 * 4 GiB): the bytes used.
 */
unsigned acpi_make(const struct acpi_machine *m, uint32_t base, uint8_t out[ACPI_BYTES_MAX]);

#endif
