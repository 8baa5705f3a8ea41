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

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The rest of the word: an absolute path without empty, "." or ".." components. */
static bool word_target(struct word w, char out[CMDLINE_TARGET])
{
    size_t n = 0, begin = 0;

    for (size_t i = 0; i < w.len; i++) {
        int c = (unsigned char)w.at[i];

        if (c == '%') {
            int hi = i + 2 < w.len ? hex(w.at[i + 1]) : -1;
            int lo = i + 2 < w.len ? hex(w.at[i + 2]) : -1;

            if (hi < 0 || lo < 0 || (c = hi << 4 | lo) == 0)
                return false;
            i += 2;
        }
        if (n + 1 >= CMDLINE_TARGET)
            return false;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    if (n < 2 || out[0] != '/' || out[n - 1] == '/')
        return false;
    for (size_t i = 1; i <= n; i++) {
        const char *part = out + begin + 1;
        size_t len = i - begin - 1;

        if (out[i] != '/' && out[i] != '\0')
            continue;
        if (len == 0 || (part[0] == '.' && (len == 1 || (len == 2 && part[1] == '.'))))
            return false;
        begin = i;
    }
    return true;
}

static bool word_mount(struct word w, struct cmdline *c)
{
    struct cmdline_mount *m = &c->mounts[c->nmounts];
    const char *comma = memchr(w.at, ',', w.len);
    size_t n = comma ? (size_t)(comma - w.at) : 0;

    if (c->nmounts == CMDLINE_MOUNTS || n == 0 || n >= sizeof(m->serial))
        return false;
    memcpy(m->serial, w.at, n);
    m->serial[n] = '\0';
    w.at += n + 1;
    w.len -= n + 1;
    m->read_only = word_cut(&w, "ro,");
    if (!m->read_only && !word_cut(&w, "rw,"))
        return false;
    for (unsigned i = 0; i < c->nmounts; i++)
        if (strcmp(c->mounts[i].serial, m->serial) == 0)
            return false;
    if (!word_target(w, m->target))
        return false;
    c->nmounts++;
    return true;
}

static bool word_live(struct word w, struct cmdline *c)
{
    struct cmdline_live *m = &c->live[c->nlive];
    const char *comma = memchr(w.at, ',', w.len);
    size_t n = comma ? (size_t)(comma - w.at) : 0;

    if (c->nlive == FILES_MOUNTS_MAX || n == 0 || n >= sizeof(m->id) || memchr(w.at, '/', n) ||
        w.at[0] == '.')
        return false;
    memcpy(m->id, w.at, n);
    m->id[n] = '\0';
    w.at += n + 1;
    w.len -= n + 1;
    m->read_only = word_cut(&w, "ro,");
    if (!m->read_only && !word_cut(&w, "rw,"))
        return false;
    for (unsigned i = 0; i < c->nlive; i++)
        if (strcmp(c->live[i].id, m->id) == 0)
            return false;
    if (!word_target(w, m->target))
        return false;
    c->nlive++;
    return true;
}

/* BLOCKS,ROOT: 64 lower-case hexadecimal digits. */
static bool word_verity(struct word w, struct cmdline *c)
{
    if (!word_number(&w, &c->verity_blocks) || !word_cut(&w, ",") ||
        w.len != sizeof(c->verity_root) - 1)
        return false;
    for (size_t i = 0; i < w.len; i++)
        if (hex(w.at[i]) < 0)
            return false;
    memcpy(c->verity_root, w.at, w.len);
    return true;
}

enum option { TRACE = 1, OVERLAY = 2, TMP = 4, ROOT = 8, MOUNT = 16, LIVE = 32, VERITY = 128 };

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
    if (word_cut(&w, "verity="))
        return word_verity(w, c) ? VERITY : 0;
    if (word_cut(&w, "mount="))
        return word_mount(w, c) ? MOUNT : 0;
    if (word_cut(&w, "live="))
        return word_live(w, c) ? LIVE : 0;
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
        if (o != MOUNT && o != LIVE && (seen & o))
            return err_set(e, EINVAL, "kernel command line: \"%.*s\" comes a second time", shown,
                           w.at - strlen("carrel."));
        seen |= o;
    }
    if (out->read_only && (out->overlay == OVERLAY_VDB || out->overlay_bytes))
        return err_set(e, EINVAL, "kernel command line: carrel.root=ro leaves no overlay");
    return 0;
}
