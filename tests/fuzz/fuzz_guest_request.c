/* fuzz_guest_request.c - any frame as a request to carrel-init. The first byte is its type. */
#include "guest/request.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
        request_fini(&r);
    }
    return 0;
}
