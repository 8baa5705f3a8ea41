/* cmdline.h - what the kernel command line says to carrel-init. Unknown words are the kernel's. */
#ifndef GUEST_CMDLINE_H
#define GUEST_CMDLINE_H

#include "base/err.h"

#include <stdbool.h>

enum overlay_kind { OVERLAY_TMPFS, OVERLAY_VDB };

struct cmdline {
    enum overlay_kind overlay; /* carrel.overlay=tmpfs|vdb */
    bool trace;                /* carrel.trace */
};

/* Pure; text is what /proc/cmdline holds. -EINVAL for a value that is not known. */
must_check int cmdline_parse(const char *text, struct cmdline *out, struct err *e);

#endif
