/* cmdline.c - see cmdline.h. Both engines get the same line, so that a guest cannot tell them. */
#include "sandbox/engine/cmdline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/*
 * quiet                  each line on a serial port costs an exit per byte; without one, time
 * panic=-1               restart at once; a restart ends the machine
 * reboot=a               by ACPI's reset register, which tells a reboot from a triple fault
 * random.trust_cpu=on    the host's entropy comes with SETUP as well; nothing waits for it
 * tsc=reliable, no_timer_check
 *                        no calibration against timers that are emulated themselves
 * cryptomgr.notests      self-tests of every cipher: a third of a second under emulation
 * i8042.*                there is no keyboard to look for
 * pci=noearly            no scan through the old configuration ports before ECAM is known: 220
 * exits
 */
static const char common[] = "quiet panic=-1 reboot=a random.trust_cpu=on tsc=reliable "
                             "no_timer_check cryptomgr.notests i8042.noaux i8042.nokbd pci=noearly";

int cmdline_make(const struct engine_spec *spec, char out[VMM_CMDLINE_MAX], struct err *e)
{
    const char *serial = spec->console_fd >= 0 ? "console=ttyS0" : "8250.nr_uarts=0";
    char layer[64];
    const char *extra = spec->cmdline_extra ? spec->cmdline_extra : "";
    int n;

    for (const char *p = extra; *p; p++)
        if (*p < ' ' || *p > '~')
            return err_set(e, EINVAL, "the kernel command line is not printable ASCII");
    if (spec->root_readonly)
        snprintf(layer, sizeof(layer), "carrel.root=ro");
    else if (spec->disk_fd >= 0)
        snprintf(layer, sizeof(layer), "carrel.overlay=vdb");
    else if (spec->overlay_bytes)
        snprintf(layer, sizeof(layer), "carrel.overlay=%" PRIu64 ",%" PRIu64, spec->overlay_bytes,
                 spec->overlay_inodes);
    else
        snprintf(layer, sizeof(layer), "carrel.overlay=tmpfs");
    n = snprintf(out, VMM_CMDLINE_MAX, "%s %s %s%s%s", common, serial, layer, *extra ? " " : "",
                 extra);
    return n < (int)VMM_CMDLINE_MAX ? 0 : err_set(e, E2BIG, "the kernel command line is too long");
}
