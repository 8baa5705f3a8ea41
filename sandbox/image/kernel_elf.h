/*
 * kernel_elf.h - judges an ELF kernel in memory. Pure; the bytes may be anything.
 *
 * The VMM judges again what it loads: this is here so that a bad file is refused when it is added,
 * with a reason, and not when a sandbox starts.
 */
#ifndef SANDBOX_IMAGE_KERNEL_ELF_H
#define SANDBOX_IMAGE_KERNEL_ELF_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* True when the bytes begin like an ELF file of any kind. */
bool kernel_is_elf(const void *in, size_t len);

/* A 64-bit x86 ELF with at least one loadable segment, all of whose parts lie inside the file, and
 * no program of an operating system: it has the PVH entry note (XEN_ELFNOTE_PHYS32_ENTRY), then
 * *pvh is set, or is linked in the upper half like Linux. */
must_check int kernel_check_elf(const void *in, size_t len, bool *pvh, struct err *e);

/* Finds "Linux version X " in the image and copies X; "unknown" when there is none. */
void kernel_find_version(const void *in, size_t len, char *out, size_t room);

#endif
