/* power.c - see power.h. */
#include "vmm/power.h"

#include "vmm/x86/acpi.h"

#include <string.h>

#define SLEEP_ENABLE 0x20u /* ACPI 6.3, 4.8.3.7: sleep control register */
#define SLEEP_TYPE   0x1cu

#define KEYBOARD_PORT    0x64u
#define KEYBOARD_RESET   0xfeu /* pulse the reset line */
#define PANIC_PANICKED   0x1u  /* QEMU docs/specs/pvpanic: bits of the port */
#define PANIC_CRASH_LOAD 0x2u
#define PANIC_EVENTS     (PANIC_PANICKED | PANIC_CRASH_LOAD)

static void acpi_read(struct device *d, uint64_t off, void *dst, unsigned len)
{
    (void)d;
    (void)off;
    memset(dst, 0, len); /* no wake-up is ever pending */
}

static void acpi_write(struct device *d, uint64_t off, const void *src, unsigned len)
{
    struct power *p = container_of(d, struct power, acpi);
    uint8_t v = *(const uint8_t *)src;

    (void)len;
    if (off == 0 && v == (SLEEP_ENABLE | (ACPI_S5_TYPE << 2 & SLEEP_TYPE)))
        p->ended(p, VMM_POWEROFF, "the guest powered off");
    else if (off == ACPI_PORT_RESET - ACPI_PORT_SLEEP && v == ACPI_RESET_VALUE)
        p->ended(p, VMM_REBOOT, "the guest asked for a restart");
}

static void keyboard_read(struct device *d, uint64_t off, void *dst, unsigned len)
{
    (void)d;
    (void)off;
    memset(dst, 0, len); /* nothing to read, ready for a command: nobody polls for long */
}

static void keyboard_write(struct device *d, uint64_t off, const void *src, unsigned len)
{
    struct power *p = container_of(d, struct power, keyboard);

    (void)off;
    (void)len;
    if (*(const uint8_t *)src == KEYBOARD_RESET)
        p->ended(p, VMM_REBOOT, "the guest asked for a restart");
}

static void panic_read(struct device *d, uint64_t off, void *dst, unsigned len)
{
    (void)d;
    (void)off;
    memset(dst, 0, len);
    *(uint8_t *)dst = PANIC_EVENTS;
}

static void panic_write(struct device *d, uint64_t off, const void *src, unsigned len)
{
    struct power *p = container_of(d, struct power, panic);

    (void)off;
    (void)len;
    if (*(const uint8_t *)src & PANIC_PANICKED)
        p->ended(p, VMM_PANIC, "the guest kernel panicked");
}

static const struct device_ops acpi_ops = { "acpi", acpi_read, acpi_write };
static const struct device_ops keyboard_ops = { "keyboard", keyboard_read, keyboard_write };
static const struct device_ops panic_ops = { "pvpanic", panic_read, panic_write };

void power_init(struct power *p,
                void (*ended)(struct power *p, enum vmm_reason reason, const char *text))
{
    *p = (struct power){ .acpi.ops = &acpi_ops,
                         .keyboard.ops = &keyboard_ops,
                         .panic.ops = &panic_ops,
                         .ended = ended };
}

int power_add(struct power *p, struct bus *pio)
{
    int err = bus_add(pio, ACPI_PORT_SLEEP, ACPI_PORT_RESET + 1 - ACPI_PORT_SLEEP, &p->acpi);

    if (!err)
        err = bus_add(pio, KEYBOARD_PORT, 1, &p->keyboard);
    return err ? err : bus_add(pio, ACPI_PORT_PVPANIC, 1, &p->panic);
}
