/* users.c - see users.h. */
#include "guest/users.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX   (1u << 20)
#define COLUMNS    7u /* passwd(5): name, password, uid, gid, comment, home, shell */
#define NAME_BYTES 64u

/* Part of a text that stays where it is. */
struct span {
    const char *at;
    size_t len;
};

static bool span_is(struct span s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

/* Copies what fits whole; a span too long leaves the default that is there. */
static void span_copy(struct span s, char *out, size_t size)
{
    if (s.len == 0 || s.len >= size)
        return;
    memcpy(out, s.at, s.len);
    out[s.len] = '\0';
}

/* A decimal id. (uid_t)-1 means "unchanged" to the kernel, so it is nobody's. */
static bool span_id(struct span s, uint32_t *out)
{
    uint64_t v = 0;

    if (s.len == 0 || s.len > 10)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(s.at[i] - '0');
    }
    *out = (uint32_t)v;
    return v < UINT32_MAX;
}

/* Cuts the next line of *text into columns: how many, 0 at the end of the text. */
static unsigned next_line(const char **text, struct span col[COLUMNS])
{
    const char *p = *text;
    const char *end = p + strcspn(p, "\n");
    unsigned n = 0;

    if (*p == '\0')
        return 0;
    *text = *end ? end + 1 : end;
    while (n < COLUMNS) {
        const char *stop = memchr(p, ':', (size_t)(end - p));

        if (!stop)
            stop = end;
        col[n++] = (struct span){ p, (size_t)(stop - p) };
        if (stop == end)
            break;
        p = stop + 1;
    }
    return n;
}

static bool find_user(const char *passwd, struct span who, struct user *out)
{
    struct span col[COLUMNS];
    uint32_t id = 0, uid, gid;
    bool number = span_id(who, &id);
    unsigned n;

    while ((n = next_line(&passwd, col)) > 0) {
        if (n < COLUMNS || col[0].len == 0 || !span_id(col[2], &uid) || !span_id(col[3], &gid))
            continue;
        if (number ? uid != id : (col[0].len != who.len || memcmp(col[0].at, who.at, who.len) != 0))
            continue;
        out->uid = uid;
        out->gid = gid;
        span_copy(col[0], out->name, sizeof(out->name));
        if (col[5].len && col[5].at[0] == '/')
            span_copy(col[5], out->home, sizeof(out->home));
        if (col[6].len && col[6].at[0] == '/')
            span_copy(col[6], out->shell, sizeof(out->shell));
        return true;
    }
    if (number)
        out->uid = id;
    return number;
}

static bool find_group(const char *group, struct span which, gid_t *out)
{
    struct span col[COLUMNS];
    uint32_t gid;
    unsigned n;

    if (span_id(which, out))
        return true;
    while ((n = next_line(&group, col)) > 0)
        if (n >= 3 && col[0].len == which.len && memcmp(col[0].at, which.at, which.len) == 0 &&
            span_id(col[2], &gid)) {
            *out = gid;
            return true;
        }
    return false;
}

/* Is name in the comma-separated list? */
static bool listed(struct span list, const char *name)
{
    const char *p = list.at, *end = list.at + list.len;

    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));

        if (!comma)
            comma = end;
        if (span_is((struct span){ p, (size_t)(comma - p) }, name))
            return true;
        p = comma + 1;
    }
    return false;
}

static void find_memberships(const char *group, struct user *u)
{
    struct span col[COLUMNS];
    uint32_t gid;
    unsigned n;

    if (!u->name[0])
        return;
    while (u->ngroups < USER_GROUPS_MAX && (n = next_line(&group, col)) > 0)
        if (n >= 4 && span_id(col[2], &gid) && gid != u->gid && listed(col[3], u->name))
            u->groups[u->ngroups++] = gid;
}

int user_parse(const char *spec, const char *passwd, const char *group, struct user *out,
               struct err *e)
{
    const char *colon = strchr(spec, ':');
    struct span who = { spec, colon ? (size_t)(colon - spec) : strlen(spec) };

    *out = (struct user){ .home = "/", .shell = "/bin/sh" };
    if (who.len == 0)
        who = (struct span){ "0", 1 };
    if (who.len >= NAME_BYTES || !find_user(passwd, who, out))
        return err_set(e, EINVAL, "no user \"%.*s\" in the guest", (int)(who.len & 0xff), who.at);
    if (!colon) {
        find_memberships(group, out);
        return 0;
    }
    if (!find_group(group, (struct span){ colon + 1, strlen(colon + 1) }, &out->gid))
        return err_set(e, EINVAL, "no group \"%.64s\" in the guest", colon + 1);
    return 0;
}

/* The file's text, or an empty one when there is none. */
static char *load(const char *path, struct err *e)
{
    struct err why = ERR_INIT;
    size_t len;
    char *text = io_load(AT_FDCWD, path, FILE_MAX, &len, &why);

    if (!text && why.code == ENOENT)
        return strdup("");
    if (!text && e)
        *e = why;
    return text;
}

int user_load(const char *spec, struct user *out, struct err *e)
{
    char *passwd = load("/etc/passwd", e);
    char *group = passwd ? load("/etc/group", e) : NULL;
    int err = group ? user_parse(spec, passwd, group, out, e) : e && e->code ? -e->code : -ENOMEM;

    free(passwd);
    free(group);
    return err;
}
