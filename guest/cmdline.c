/* cmdline.c - see cmdline.h. */
#include "guest/cmdline.h"

#include <errno.h>
#include <string.h>

#define NUMBER_MAX (1ull << 62)

/* A word of the line, without the "carrel." it began with. */
struct word {
    const char *at;
    size_t len;
};

static bool word_is(struct word w, const char *text)
{
    return w.len == strlen(text) && memcmp(w.at, text, w.len) == 0;
}

/* Takes text off the front. */
static bool word_cut(struct word *w, const char *text)
{
    size_t n = strlen(text);

    if (w->len < n || memcmp(w->at, text, n) != 0)
        return false;
    w->at += n;
    w->len -= n;
    return true;
}

/* Takes a number that is not 0 off the front: decimal, without a sign or a zero before it. */
static bool word_number(struct word *w, uint64_t *out)
{
    uint64_t v = 0;

    while (w->len && *w->at >= '0' && *w->at <= '9' && v < NUMBER_MAX / 10) {
        if (v == 0 && *w->at == '0')
            return false;
        v = v * 10 + (uint64_t)(*w->at - '0');
        w->at++;
        w->len--;
    }
    *out = v;
    return v != 0;
}

enum option { TRACE = 1, OVERLAY = 2, TMP = 4, ROOT = 8 };

/* Which option it is; 0: none that is known, or its value is not. */
static enum option take(struct word w, struct cmdline *c)
{
    if (word_is(w, "trace")) {
        c->trace = true;
        return TRACE;
    }
    if (word_is(w, "root=ro")) {
        c->read_only = true;
        return ROOT;
    }
    if (word_cut(&w, "tmp="))
        return word_number(&w, &c->tmp_bytes) && w.len == 0 ? TMP : 0;
    if (!word_cut(&w, "overlay="))
        return 0;
    if (word_is(w, "vdb"))
        c->overlay = OVERLAY_VDB;
    else if (!word_is(w, "tmpfs") && !(word_number(&w, &c->overlay_bytes) && word_cut(&w, ",") &&
                                       word_number(&w, &c->overlay_inodes) && w.len == 0))
        return 0;
    return OVERLAY;
}

int cmdline_parse(const char *text, struct cmdline *out, struct err *e)
{
    unsigned seen = 0;

    *out = (struct cmdline){ .overlay = OVERLAY_TMPFS };
    for (const char *p = text + strspn(text, " \t\n"); *p; p += strspn(p, " \t\n")) {
        struct word w = { p, strcspn(p, " \t\n") };
        int shown = (int)(w.len < 64 ? w.len : 64);
        enum option o;

        p += w.len;
        if (!word_cut(&w, "carrel."))
            continue;
        o = take(w, out);
        if (o == 0)
            return err_set(e, EINVAL, "kernel command line: \"%.*s\" is not known", shown,
                           w.at - strlen("carrel."));
        if (seen & o)
            return err_set(e, EINVAL, "kernel command line: \"%.*s\" comes a second time", shown,
                           w.at - strlen("carrel."));
        seen |= o;
    }
    if (out->read_only && (out->overlay == OVERLAY_VDB || out->overlay_bytes))
        return err_set(e, EINVAL, "kernel command line: carrel.root=ro leaves no overlay");
    return 0;
}
