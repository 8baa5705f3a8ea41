/* shipped.c - see shipped.h */
#include "tests/unit/shipped.h"

#include "base/io.h"
#include "policies/yaml.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void path_of(const char *name, const char *suffix, char path[1024])
{
    const char *src = getenv("CARREL_SOURCE");

    snprintf(path, 1024, "%s/policies/library/%s%s", src ? src : ".", name, suffix);
}

char *shipped_file(const char *name, const char *suffix, size_t *n)
{
    char path[1024];

    path_of(name, suffix, path);
    return io_load(AT_FDCWD, path, YAML_BYTES_MAX, n, NULL);
}

unsigned shipped_each(void (*see)(const char *name, void *ctx), void *ctx)
{
    char path[1024];
    struct dirent *d;
    unsigned n = 0;
    DIR *library;

    path_of("", "", path);
    library = opendir(path);
    while (library && (d = readdir(library))) {
        char *end = strstr(d->d_name, ".yaml");

        if (!end || strstr(d->d_name, ".cases."))
            continue;
        *end = '\0';
        see(d->d_name, ctx);
        n++;
    }
    if (library)
        closedir(library);
    return n;
}
