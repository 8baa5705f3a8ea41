/* programs.c - see programs.h. */
#include "policies/programs.h"

#include "policies/cells.h"
#include "policies/load.h"

#include <string.h>

#define DIGEST_DIGITS 64u /* of TEXT_DIGEST */

static bool is_pattern(const char *path)
{
    return strpbrk(path, "*?") != NULL;
}

/* Programs anywhere are also those that the command writes itself. */
static bool is_anywhere(const char *path)
{
    return strncmp(path, "/**", 3) == 0;
}

static uint32_t index_of(const struct policy *p, const char *id)
{
    uint32_t i = 0;

    while (i < p->tools.commands.n &&
           strcmp(((const struct command *)p->tools.commands.v[i])->id, id) != 0)
        i++;
    return i;
}

const char *program_path(const char *program)
{
    return *program == '/' ? program : program + DIGEST_DIGITS;
}

static void add(struct arena *a, const struct exec_file *x, struct programs *out)
{
    out->any |= is_anywhere(x->path);
    (void)texts_add(a, &out->paths,
                    x->sha256 ? arena_printf(a, "%s%s", x->sha256, x->path) : x->path);
}

void programs_of(struct arena *a, const struct policy *p, const struct command *c,
                 struct programs *out)
{
    const uint32_t n = p->tools.commands.n;
    uint32_t *queue = arena_get(a, (n + 1ul) * sizeof(*queue)), head = 0, tail = 0;
    bool *seen = arena_get(a, (n + 1ul) * sizeof(*seen));

    *out = (struct programs){ 0 };
    out->named = c->exec.path && !is_pattern(c->exec.path);
    out->none = c->spawn.n == 0 && out->named;
    for (const struct command *x = c;; x = p->tools.commands.v[queue[head++]]) {
        if (x->exec.path)
            add(a, &x->exec, out);
        for (uint32_t i = 0; i < x->spawn.n; i++) {
            uint32_t k = index_of(p, x->spawn.v[i]);

            if (k < n && !seen[k]) {
                seen[k] = true;
                queue[tail++] = k;
            }
        }
        if (head == tail)
            return;
    }
}

bool programs_within(const struct programs *a, const struct programs *b)
{
    bool within = b->any || (!a->any && (!b->none || a->none));

    for (uint32_t i = 0; i < a->paths.n && !b->any && within; i++)
        within = texts_have(&b->paths, a->paths.v[i]) ||
                 texts_have(&b->paths, program_path(a->paths.v[i]));
    return within;
}
