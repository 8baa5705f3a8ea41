/* inside.c - see inside.h. */
#include "sandbox/volume/inside.h"

#include <stddef.h>
#include <string.h>

bool link_inside(const char *target, const char *path, const char *link)
{
    size_t n = strcmp(target, "/") == 0 ? 0 : strlen(target);
    int depth = 0;
    bool named = false;

    if (*link == '/') {
        if (strncmp(link, target, n) != 0 || (link[n] != '/' && link[n] != '\0'))
            return false;
        link += n;
    } else {
        for (const char *p = path; (p = strchr(p, '/')); p++)
            depth++;
    }
    for (const char *p = link; *p;) {
        size_t len = strcspn(p, "/");

        if (len == 2 && p[0] == '.' && p[1] == '.')
            depth--;
        else if (len && !(len == 1 && *p == '.'))
            named = true;
        /* The parent of a name is where that leads, when it is a link itself. */
        if (depth < 0 || (named && len == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        p += len + (p[len] == '/');
    }
    return true;
}
