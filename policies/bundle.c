/* bundle.c - see bundle.h. One walk over the members writes and reads, so the two cannot differ. */
#include "policies/bundle.h"

#include "base/hex.h"

#include <endian.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC     "CARRELB2"
#define MAGIC_LEN 8u

struct codec {
    struct text *out;       /* writing; NULL: reading … */
    const uint8_t *p, *end; /* … from here */
    struct arena *a;        /* what is read lives there */
    const char *wrong;      /* the first thing that is */
};

static const void *take(struct codec *c, size_t n)
{
    const uint8_t *p = c->p;

    if (c->wrong || (size_t)(c->end - p) < n) {
        c->wrong = c->wrong ? c->wrong : "it is cut short";
        return NULL;
    }
    c->p += n;
    return p;
}

static uint64_t number(struct codec *c, uint64_t v)
{
    uint64_t le = htole64(v);
    const void *p;

    if (c->out) {
        text_bytes(c->out, (const char *)&le, sizeof(le));
        return v;
    }
    p = take(c, sizeof(le));
    if (!p)
        return 0;
    memcpy(&le, p, sizeof(le));
    return le64toh(le);
}

/* A number that is at most so large. */
static uint64_t number_to(struct codec *c, uint64_t v, uint64_t max, const char *what)
{
    v = number(c, v);
    if (v <= max)
        return v;
    c->wrong = c->wrong ? c->wrong : what;
    return 0;
}

static bool truth(struct codec *c, bool v)
{
    return number_to(c, v, 1, "a truth value that is none");
}

/* The length of a list whose members have at least `least` bytes each. */
static uint32_t length(struct codec *c, uint32_t n, size_t least)
{
    size_t left = c->out ? 0 : (size_t)(c->end - c->p);

    return (uint32_t)number_to(c, n, c->out ? UINT32_MAX : left / least, "a list is cut short");
}

static const char *string(struct codec *c, const char *s)
{
    size_t len = number(c, s ? strlen(s) : 0);
    const char *p;

    if (c->out) {
        text_bytes(c->out, s ? s : "", len);
        return s;
    }
    p = take(c, len);
    if (!p)
        return "";
    if (memchr(p, 0, len)) {
        c->wrong = "a text with a NUL";
        return "";
    }
    return arena_copy(c->a, p, len);
}

static void strings(struct codec *c, struct texts *t)
{
    t->n = length(c, t->n, sizeof(uint64_t));
    if (!c->out)
        t->v = arena_get(c->a, (t->n + 1ul) * sizeof(*t->v));
    for (uint32_t i = 0; i < t->n; i++)
        t->v[i] = string(c, t->v[i]);
}

static void pairs(struct codec *c, struct pairs *p)
{
    p->n = length(c, p->n, 2 * sizeof(uint64_t));
    if (!c->out)
        p->v = arena_get(c->a, (p->n + 1ul) * sizeof(*p->v));
    for (uint32_t i = 0; i < p->n; i++) {
        p->v[i].key = string(c, p->v[i].key);
        p->v[i].value = string(c, p->v[i].value);
    }
}

static void filter(struct codec *c, struct filter *f)
{
    struct bpf_insn *prog;
    const void *p;

    f->len = length(c, f->len, sizeof(*f->prog));
    if (c->out) {
        text_bytes(c->out, (const char *)f->prog, f->len * sizeof(*f->prog));
        return;
    }
    p = take(c, f->len * sizeof(*f->prog));
    if (!p)
        return;
    prog = arena_get(c->a, (f->len + 1ul) * sizeof(*prog));
    memcpy(prog, p, f->len * sizeof(*prog));
    f->prog = prog;
}

/* ---- the members ---- */

static void cgroup(struct codec *c, struct cgroup_value *v)
{
    v->version = (uint8_t)number_to(c, v->version, 2, "a control group of another version");
    v->file = string(c, v->file);
    v->value = string(c, v->value);
}

static void device(struct codec *c, struct device_profile *d)
{
    d->id = string(c, d->id);
    d->attach = number(c, d->attach);
    d->vendor = number(c, d->vendor);
    d->class = number(c, d->class);
    d->class_lo = (uint16_t)number_to(c, d->class_lo, UINT16_MAX, "a class code that is none");
    d->class_hi = (uint16_t)number_to(c, d->class_hi, UINT16_MAX, "a class code that is none");
    strings(c, &d->ids);
    d->count = number(c, d->count);
    d->exclusive = number(c, d->exclusive);
    d->remapped = number(c, d->remapped);
    d->reset = number(c, d->reset);
    d->between = number(c, d->between);
}

static void process(struct codec *c, struct process_profile *p)
{
    p->name = string(c, p->name);
    p->uses = (uint32_t)number_to(c, p->uses, UINT32_MAX, "uses that are none");
    filter(c, &p->filter);
}

static void tree(struct codec *c, struct file_tree *t)
{
    t->path = string(c, t->path);
    t->write = truth(c, t->write);
}

static void tool(struct codec *c, struct tool_profile *t)
{
    t->id = string(c, t->id);
    t->exec = string(c, t->exec);
    t->sha256 = string(c, t->sha256);
    t->shell = truth(c, t->shell);
    t->brokered = truth(c, t->brokered);
    t->user = number(c, t->user);
    t->caps = number(c, t->caps);
    t->cpu_s = number(c, t->cpu_s);
    t->as = number(c, t->as);
    t->fsize = number(c, t->fsize);
    t->nofile = number(c, t->nofile);
    strings(c, &t->env);
    pairs(c, &t->set);
    strings(c, &t->network);
    strings(c, &t->spawn);
    t->ntrees = length(c, t->ntrees, 2 * sizeof(uint64_t));
    if (!c->out)
        t->trees = arena_get(c->a, (t->ntrees + 1ul) * sizeof(*t->trees));
    for (uint32_t i = 0; i < t->ntrees; i++)
        tree(c, &t->trees[i]);
    filter(c, &t->filter);
}

/* A list of structs: its length, then each. LEAST: bytes that one member has at least. */
#define LIST(c, v, n, fn, least)                                 \
    do {                                                         \
        (n) = length(c, n, least);                               \
        if (!(c)->out)                                           \
            (v) = arena_get((c)->a, ((n) + 1ul) * sizeof(*(v))); \
        for (uint32_t i_ = 0; i_ < (n) && !(c)->wrong; i_++)     \
            fn(c, &(v)[i_]);                                     \
    } while (0)

static void walk(struct codec *c, struct profile *f)
{
    f->policy = string(c, f->policy);
    f->policy_hash = string(c, f->policy_hash);
    f->engine = string(c, f->engine);
    f->plan = string(c, f->plan);
    LIST(c, f->cgroup, f->ncgroup, cgroup, 24);
    strings(c, &f->nodes);
    LIST(c, f->devices, f->ndevices, device, 96);
    LIST(c, f->processes, f->nprocesses, process, 24);
    LIST(c, f->tools, f->ntools, tool, 128);
}

void bundle_write(const struct profile *f, struct text *out)
{
    struct codec c = { .out = out };
    struct profile copy = *f; /* the walk writes back what it wrote */

    text_bytes(out, MAGIC, MAGIC_LEN);
    walk(&c, &copy);
}

struct profile *bundle_parse(const void *bytes, size_t len, struct err *e)
{
    struct profile *f = calloc(1, sizeof(*f));
    struct codec c = { .p = bytes, .end = (const uint8_t *)bytes + len };
    const void *magic = take(&c, MAGIC_LEN);

    if (!f)
        abort();
    c.a = &f->arena;
    if (!magic || memcmp(magic, MAGIC, MAGIC_LEN) != 0)
        c.wrong = "it does not begin as one";
    else if (len > BUNDLE_BYTES_MAX)
        c.wrong = "it is longer than 64 MiB";
    else
        walk(&c, f);
    if (!c.wrong && c.p != c.end)
        c.wrong = "bytes follow its end";
    if (!c.wrong)
        return f;
    err_set(e, EINVAL, "not a bundle: %s (byte %zu)", c.wrong,
            (size_t)(c.p - (const uint8_t *)bytes));
    profile_free(f);
    return NULL;
}

void bundle_hash(const void *bytes, size_t len, char out[BUNDLE_HASH_HEX])
{
    unsigned char md[EVP_MAX_MD_SIZE] = { 0 };
    unsigned n = 0;

    if (!EVP_Digest(bytes, len, md, &n, EVP_sha256(), NULL) || n != 32)
        abort();
    hex_print(out, md, n);
}
