/* trust_seen.c - see trust_seen.h. */
#include "sandbox/trust_seen.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "base/io.h"
#include "sandbox/places.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC    "carrel seen"
#define SEEN_MAX 1024u

struct seen {
    uint64_t version; /* 0: none */
    char sha256[SHA256_HEX];
};

static void seen_print(const char *role, const char *name, const struct seen *s, struct text *out)
{
    text_add(out, MAGIC " 1\nrole %s\nname %s\nversion %" PRIu64 "\nsha256 %s\n", role, name,
             s->version, s->sha256);
}

static void seen_file(const char *role, const char *name, char out[SHA256_HEX])
{
    struct text t = TEXT_INIT;

    text_add(&t, "%s\n%s", role, name);
    sha256_hex(text_str(&t), t.len, out);
    text_fini(&t);
}

/* The version and hash of a record, when it is one of this role and name. */
static bool seen_parse(const char *text, size_t len, const char *role, const char *name,
                       struct seen *s)
{
    struct arena a = ARENA_INIT;
    struct note_lines l = { text, text + len };
    struct text again = TEXT_INIT;
    const char *magic = note_line(&l, &a, MAGIC), *version, *sha256;
    bool ok;

    (void)note_line(&l, &a, "role");
    (void)note_line(&l, &a, "name");
    version = note_line(&l, &a, "version");
    sha256 = note_line(&l, &a, "sha256");
    ok = magic && version && note_number(version, &s->version) && sha256 &&
         strlen(sha256) == SHA256_HEX - 1;
    if (ok) {
        memcpy(s->sha256, sha256, SHA256_HEX);
        seen_print(role, name, s, &again);
        ok = again.len == len && memcmp(again.p, text, len) == 0;
    }
    text_fini(&again);
    arena_fini(&a);
    return ok;
}

static int seen_load(int dir, const char *role, const char *name, struct seen *s, struct err *e)
{
    struct err own = ERR_INIT;
    char file[SHA256_HEX];
    size_t len;
    char *text;
    bool ok;

    *s = (struct seen){ 0 };
    seen_file(role, name, file);
    text = io_load(dir, file, SEEN_MAX, &len, &own);
    if (!text)
        return own.code == ENOENT ? 0 : err_set(e, own.code, "trust/%s", own.msg);
    ok = seen_parse(text, len, role, name, s);
    free(text);
    if (!ok)
        return err_set(
            e, EBADMSG,
            "trust/%s in the state directory is damaged: which version of %s ran here is "
            "unknown",
            file, name);
    return 0;
}

static int seen_store(int dir, const char *role, const char *name, const struct seen *s,
                      struct err *e)
{
    struct text t = TEXT_INIT;
    char file[SHA256_HEX];
    int err;

    seen_file(role, name, file);
    seen_print(role, name, s, &t);
    err = io_store(dir, file, t.p, t.len, 0600, e);
    text_fini(&t);
    return err;
}

static int refuse(const struct judgement *j, const struct judged_role *r, const struct seen *s,
                  struct problems *ps, struct err *e)
{
    char why[512];

    if (r->version == s->version)
        snprintf(why, sizeof(why),
                 "%s: role %s signed two documents as version %" PRIu64 "; sha256 %s ran here",
                 j->doc->name, r->role->id, r->version, s->sha256);
    else
        snprintf(why, sizeof(why),
                 "%s: version %" PRIu64 " of role %s, but version %" PRIu64 " ran here",
                 j->doc->name, r->version, r->role->id, s->version);
    problem_add(ps, PROBLEM_ERROR, "rollback", j->doc->file, 1, 1, "%s", why);
    return err_set(e, EACCES, "%s: %s", j->doc->file, why);
}

/* One document in one role: refused, or remembered. */
static int one(int dir, const struct judgement *j, const struct judged_role *r, bool store,
               struct problems *ps, struct err *e)
{
    struct seen s;
    int err = seen_load(dir, r->role->id, j->doc->name, &s, e);
    bool same = strcmp(s.sha256, j->doc->sha256) == 0;

    if (err)
        return err;
    if (r->version < s.version || (r->version == s.version && !same))
        return refuse(j, r, &s, ps, e);
    if (!store || r->version == s.version)
        return 0;
    s.version = r->version;
    snprintf(s.sha256, sizeof(s.sha256), "%s", j->doc->sha256);
    return seen_store(dir, r->role->id, j->doc->name, &s, e);
}

static int all(int dir, const struct trust *t, const struct judgement *js, unsigned n, bool store,
               struct problems *ps, struct err *e)
{
    int err = 0;

    for (unsigned i = 0; i < n; i++)
        for (uint32_t k = 0; k < js[i].nroles && !err; k++)
            if (trust_counts(t, &js[i].roles[k]))
                err = one(dir, &js[i], &js[i].roles[k], store, ps, e);
    return err;
}

static bool anything(const struct trust *t, const struct judgement *js, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        for (uint32_t k = 0; k < js[i].nroles; k++)
            if (trust_counts(t, &js[i].roles[k]))
                return true;
    return false;
}

int trust_seen_check(const struct trust *t, const struct judgement *js, unsigned n, bool record,
                     struct problems *ps, struct err *e)
{
    const struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char *state, *path = NULL;
    int err;

    if (!anything(t, js, n))
        return 0;
    state = places_state_dir(e);
    if (!state)
        return -e->code;
    if (asprintf(&path, "%s/trust", state) < 0)
        path = NULL;
    free(state);

    auto_fd int dir = path ? places_open_dir(path, e) : err_set(e, ENOMEM, "trust: no memory");

    free(path);
    if (dir < 0)
        return dir;

    /* Two at once must not each find the other's version missing. */
    auto_fd int lock = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (lock < 0 || FAILPOINT("trust.lock") || fcntl(lock, F_OFD_SETLKW, &whole))
        return err_sys(e, "trust/lock in the state directory");
    err = all(dir, t, js, n, false, ps, e);
    return err || !record ? err : all(dir, t, js, n, true, ps, e);
}
