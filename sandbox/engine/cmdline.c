/* cmdline.c - see cmdline.h. Both engines get the same line. */
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

/* What a word of the line can hold stands for itself; the rest is written %XX. */
static void add_target(char *out, size_t room, const char *target)
{
    size_t n = 0;

    for (const char *p = target; *p && n + 4 < room; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || strchr("/._-", *p);

        n += (size_t)snprintf(out + n, room - n, plain ? "%c" : "%%%02x", (unsigned char)*p);
    }
}

static int add_verity(const struct engine_spec *spec, char out[VMM_CMDLINE_MAX], struct err *e)
{
    size_t used = strlen(out), room = VMM_CMDLINE_MAX - used;

    if (spec->verity_blocks && (size_t)snprintf(out + used, room, " carrel.verity=%" PRIu64 ",%s",
                                                spec->verity_blocks, spec->verity_root) >= room)
        return err_set(e, E2BIG, "the kernel command line is too long");
    return 0;
}

/* Appends a word for each volume; what does not fit is refused. */
static int add_volumes(const struct engine_spec *spec, char out[VMM_CMDLINE_MAX], struct err *e)
{
    for (unsigned i = 0; i < spec->nvolumes; i++) {
        const struct engine_volume *v = &spec->volumes[i];
        size_t used = strlen(out), room = VMM_CMDLINE_MAX - used;
        char target[3 * 256 + 4] = "";

        if (v->target[0] != '/' || strlen(v->target) > 255)
            return err_set(e, EINVAL, "the target of a mount is no absolute path: %s", v->target);
        add_target(target, sizeof(target), v->target);
        if ((size_t)snprintf(out + used, room, " carrel.mount=vol%u,%s,%s", i,
                             v->readonly ? "ro" : "rw", target) >= room)
            return err_set(e, E2BIG, "the kernel command line is too long");
    }
    return 0;
}

/* A word for each live mount. */
static int add_live(const struct engine_spec *spec, char out[VMM_CMDLINE_MAX], struct err *e)
{
    for (unsigned i = 0; i < spec->nlive; i++) {
        const struct engine_live *l = &spec->live[i];
        size_t used = strlen(out), room = VMM_CMDLINE_MAX - used;
        char target[3 * 256 + 4] = "";

        if (l->target[0] != '/' || strlen(l->target) > 255)
            return err_set(e, EINVAL, "the target of a mount is no absolute path: %s", l->target);
        add_target(target, sizeof(target), l->target);
        if ((size_t)snprintf(out + used, room, " carrel.live=%s,%s,%s", l->id,
                             l->readonly ? "ro" : "rw", target) >= room)
            return err_set(e, E2BIG, "the kernel command line is too long");
    }
    return 0;
}

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
    if (n >= (int)VMM_CMDLINE_MAX)
        return err_set(e, E2BIG, "the kernel command line is too long");
    n = add_verity(spec, out, e);
    if (!n)
        n = add_volumes(spec, out, e);
    return n ? n : add_live(spec, out, e);
}
