/*
 * power.h - every way the guest has to end the machine by itself: ACPI sleep and reset registers,
 * the keyboard controller's reset pulse, the pvpanic port.
 *
 * Each is told to the machine as a reason, at once, on the vCPU's thread.
 */
#ifndef VMM_POWER_H
#define VMM_POWER_H

#include "base/launch.h"
#include "vmm/device.h"

struct power {
    struct device acpi, keyboard, panic;
    /* Called by any vCPU thread, as often as the guest asks. */
    void (*ended)(struct power *p, enum vmm_reason reason, const char *text);
};

void power_init(struct power *p,
                void (*ended)(struct power *p, enum vmm_reason reason, const char *text));

/* -EEXIST or -ENOSPC as bus_add. */
must_check int power_add(struct power *p, struct bus *pio);

#endif
