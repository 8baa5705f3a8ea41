/* cmdline.c - see cmdline.h. */
#include "guest/cmdline.h"

#include <errno.h>
#include <string.h>

static bool word_is(const char *word, size_t len, const char *text)
{
    return len == strlen(text) && memcmp(word, text, len) == 0;
}

int cmdline_parse(const char *text, struct cmdline *out, struct err *e)
{
    static const char overlay[] = "carrel.overlay=";
    const size_t prefix = sizeof(overlay) - 1;

    *out = (struct cmdline){ .overlay = OVERLAY_TMPFS };
    for (const char *p = text; *p; p += strspn(p, " \t\n")) {
        size_t len = strcspn(p, " \t\n");

        if (word_is(p, len, "carrel.trace"))
            out->trace = true;
        else if (word_is(p, len, "carrel.overlay=tmpfs"))
            out->overlay = OVERLAY_TMPFS;
        else if (word_is(p, len, "carrel.overlay=vdb"))
            out->overlay = OVERLAY_VDB;
        else if (len >= prefix && memcmp(p, overlay, prefix) == 0)
            return err_set(e, EINVAL, "kernel command line: \"%.*s\" is neither tmpfs nor vdb",
                           (int)(len < 64 ? len : 64), p);
        p += len;
    }
    return 0;
}
