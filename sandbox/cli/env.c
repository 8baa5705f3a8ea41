/* env.c - see env.h. */
#include "sandbox/cli/env.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENV_FILE_MAX (1u << 20)

void env_free(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

static bool same_name(const char *a, const char *b)
{
    size_t len = strcspn(a, "=");

    return strcspn(b, "=") == len && memcmp(a, b, len) == 0;
}

bool env_has(char *const *list, const char *name)
{
    for (size_t i = 0; list && list[i]; i++)
        if (same_name(list[i], name))
            return true;
    return false;
}

int env_set(char ***list, const char *assignment, struct err *e)
{
    size_t n = 0;

    if (*assignment == '=' || !strchr(assignment, '='))
        return err_set(e, EINVAL, "environment: \"%s\" is not NAME=VALUE", assignment);

    char *copy = strdup(assignment);

    if (!copy)
        return err_set(e, ENOMEM, "out of memory");
    for (; *list && (*list)[n]; n++) {
        if (!same_name((*list)[n], assignment))
            continue;
        free((*list)[n]);
        (*list)[n] = copy;
        return 0;
    }

    char **grown = realloc(*list, (n + 2) * sizeof(*grown));

    if (!grown) {
        free(copy);
        return err_set(e, ENOMEM, "out of memory");
    }
    grown[n] = copy;
    grown[n + 1] = NULL;
    *list = grown;
    return 0;
}

int env_set_all(char ***list, char *const *from, struct err *e)
{
    for (size_t i = 0; from && from[i]; i++) {
        int err = env_set(list, from[i], e);

        if (err)
            return err;
    }
    return 0;
}

int env_pass(char ***list, const char *text, struct err *e)
{
    const char *own;
    char *both;
    int err;

    if (*text == '\0' || strchr(text, '='))
        return env_set(list, text, e);
    own = getenv(text);
    if (!own)
        return 0;
    if (asprintf(&both, "%s=%s", text, own) < 0)
        return err_set(e, ENOMEM, "out of memory");
    err = env_set(list, both, e);
    free(both);
    return err;
}

int env_load(char ***list, const char *path, struct err *e)
{
    size_t len;
    char *text = io_load(AT_FDCWD, path, ENV_FILE_MAX, &len, e), *rest = text, *line;
    unsigned n = 0;
    int err = 0;

    if (!text)
        return e ? -e->code : -EIO;
    if (memchr(text, '\0', len))
        err = err_set(e, EINVAL, "%s: holds a NUL byte", path);
    while (!err && (line = strsep(&rest, "\n"))) {
        n++;
        line += strspn(line, " \t");
        line[strcspn(line, "\r")] = '\0';
        if (*line == '\0' || *line == '#')
            continue;
        err = env_pass(list, line, e);
        if (err)
            err_wrap(e, "%s:%u", path, n);
    }
    free(text);
    return err;
}
