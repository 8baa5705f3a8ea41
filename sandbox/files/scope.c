/* scope.c - see scope.h. One walk over the members writes and reads, so the two cannot differ. */
#include "sandbox/files/scope.h"

#include "policies/words.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define MAGIC 0x31464c5252414331ull

struct codec {
    struct text *out;       /* writing; NULL: reading … */
    const uint8_t *p, *end; /* … from here */
    struct arena *a;        /* what is read lives there */
    bool wrong;
};

static const void *take(struct codec *c, size_t n)
{
    const uint8_t *p = c->p;

    if (c->wrong || (size_t)(c->end - p) < n) {
        c->wrong = true;
        return NULL;
    }
    c->p += n;
    return p;
}

static void number(struct codec *c, uint64_t *v, uint64_t max)
{
    uint64_t le = htole64(*v);
    const void *p;

    if (c->out) {
        text_bytes(c->out, (const char *)&le, sizeof(le));
        return;
    }
    p = take(c, sizeof(le));
    if (p)
        memcpy(&le, p, sizeof(le));
    *v = p ? le64toh(le) : 0;
    if (*v > max) {
        c->wrong = true;
        *v = 0;
    }
}

static void string(struct codec *c, const char **s)
{
    uint64_t len = c->out && *s ? strlen(*s) : 0;
    const char *p;

    number(c, &len, UINT32_MAX);
    if (c->out) {
        text_bytes(c->out, *s ? *s : "", len);
        return;
    }
    p = take(c, len);
    if (p && memchr(p, 0, len))
        c->wrong = true;
    *s = p && !c->wrong ? arena_copy(c->a, p, len) : "";
}

/* How many members follow, of at least 8 bytes each. */
static uint32_t count(struct codec *c, uint32_t n)
{
    uint64_t v = n;

    number(c, &v, c->out ? UINT32_MAX : (uint64_t)(c->end - c->p) / 8);
    return (uint32_t)v;
}

static void strings(struct codec *c, struct texts *t)
{
    t->n = count(c, t->n);
    if (!c->out)
        t->v = arena_get(c->a, (t->n + 1) * sizeof(*t->v));
    for (uint32_t i = 0; i < t->n; i++)
        string(c, (const char **)&t->v[i]);
}

static void quota(struct codec *c, struct quota *q)
{
    number(c, &q->bytes, UINT64_MAX);
    number(c, &q->inodes, UINT64_MAX);
}

static void mount(struct codec *c, struct mount *m)
{
    string(c, &m->id);
    string(c, &m->target);
    number(c, &m->access, ACCESS_RW);
    number(c, &m->share, SHARE_LIVE);
    quota(c, &m->quota);
    strings(c, &m->deny_read);
    strings(c, &m->deny_write);
    number(c, &m->links.symlink, SYMLINK_ALLOW);
    number(c, &m->links.hardlink, 1);
    number(c, &m->links.device, 1);
    number(c, &m->links.setuid, 1);
    if (!c->out)
        m->source = "/"; /* where it comes from is for others to know */
}

static void volume(struct codec *c, struct memory_volume *m)
{
    string(c, &m->id);
    string(c, &m->target);
    number(c, &m->access, MEMORY_WRITE);
    number(c, &m->quota, UINT64_MAX);
    number(c, &m->keep, UINT64_MAX);
    number(c, &m->retain, UINT64_MAX);
}

static void list(struct codec *c, struct list *l, size_t member)
{
    l->n = count(c, l->n);
    if (c->out)
        return;
    l->v = arena_get(c->a, (l->n + 1) * sizeof(*l->v));
    for (uint32_t i = 0; i < l->n; i++)
        l->v[i] = arena_get(c->a, member);
}

static void storage(struct codec *c, struct policy_storage *s)
{
    uint64_t magic = MAGIC;

    number(c, &magic, UINT64_MAX);
    c->wrong = c->wrong || magic != MAGIC;
    number(c, &s->root.mode, ROOT_OVERLAY);
    quota(c, &s->root.quota);
    list(c, &s->mounts, sizeof(struct mount));
    for (uint32_t i = 0; i < s->mounts.n; i++)
        mount(c, s->mounts.v[i]);
    list(c, &s->memory, sizeof(struct memory_volume));
    for (uint32_t i = 0; i < s->memory.n; i++)
        volume(c, s->memory.v[i]);
}

void scope_write(const struct policy *p, struct text *out)
{
    struct codec c = { .out = out };
    struct policy_storage s = p->storage; /* a writer changes nothing in it */

    storage(&c, &s);
}

const struct policy *scope_read(const void *bytes, size_t len, struct arena *a, struct err *e)
{
    struct codec c = { .p = bytes, .end = (const uint8_t *)bytes + len, .a = a };
    struct policy *p = arena_get(a, sizeof(*p));

    if (len <= SCOPE_BYTES_MAX)
        storage(&c, &p->storage);
    if (len > SCOPE_BYTES_MAX || c.wrong || c.p != c.end) {
        err_set(e, EINVAL, "the rules for live mounts are not what the keeper writes");
        return NULL;
    }
    return p;
}
