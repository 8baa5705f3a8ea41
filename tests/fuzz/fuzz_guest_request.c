/* fuzz_guest_request.c - any frame as a request to carrel-init. The first byte is its type. */
#include "guest/request.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was accepted of a profile is whole and in range: the sum is there to read all of it. */
static size_t touch_profile(const struct profile *p)
{
    const uint8_t *code = (const uint8_t *)p->filter;
    size_t sum = p->exe ? strlen(p->exe) : 0;

    for (unsigned i = 0; i < p->nro + p->nrw; i++) {
        const char *tree = i < p->nro ? p->ro[i] : p->rw[i - p->nro];

        if (tree[0] != '/' || strlen(tree) >= PATH_BYTES)
            abort();
        sum += strlen(tree);
    }
    for (unsigned i = 0; i < p->nrun; i++) {
        const struct profile_program *x = &p->run[i];

        if (x->path[0] != '/')
            abort();
        sum += strlen(x->path) + (x->sha256 ? x->sha256[SHA256_BYTES - 1] : 0u);
    }
    sum += p->sha256 ? p->sha256[SHA256_BYTES - 1] : 0u;
    for (unsigned i = 0; i < p->nlimits; i++) {
        if (p->limits[i].which >= 16)
            abort();
        sum += p->limits[i].value;
    }
    for (size_t i = 0; i < p->nfilter * sizeof(*p->filter); i++)
        sum += code[i];
    if (p->nfilter > MSG_FILTER_MAX || p->ro[p->nro] || p->rw[p->nrw] ||
        (p->exe && p->exe[0] != '/') || (p->has_uid && p->uid == UINT32_MAX) ||
        ((p->sha256 || p->own) && !p->exe) ||
        (!p->present && (p->exe || p->nrun || p->own || p->nro || p->nrw || p->nlimits ||
                         p->nfilter || p->has_uid || p->has_caps)))
        abort();
    return sum;
}

/* Every text of a request that was accepted is a string inside its block. */
static size_t touch(const struct request *r)
{
    const char *const texts[] = { r->cwd, r->user, r->path, r->hostname };
    size_t sum = 0;

    for (unsigned i = 0; i < r->argc; i++)
        sum += strlen(r->argv[i]);
    for (unsigned i = 0; i < r->envc; i++)
        sum += strlen(r->envp[i]);
    for (size_t i = 0; i < array_len(texts); i++)
        sum += texts[i] ? strlen(texts[i]) : 0;
    if (r->argv[r->argc] || r->envp[r->envc] || r->seed_len > sizeof(r->seed) ||
        (r->cwd && r->cwd[0] != '/') || (r->path && r->path[0] != '/') ||
        (r->type == MSG_EXEC && !r->argc))
        abort();
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct msg_frame m = { 0 };
    struct err e = ERR_INIT;
    struct request r;

    if (size < 1 || size - 1 > MSG_MAX)
        return 0;
    m = (struct msg_frame){ .type = data[0], .len = (uint32_t)size - 1, .body = data + 1 };
    if (request_parse(&m, &r, &e) == 0) {
        (void)touch(&r);
        if (touch_profile(&r.profile) && r.type != MSG_EXEC && r.profile.present)
            abort();
        request_fini(&r);
    }
    return 0;
}
