/* places.c - see places.h. */
#include "sandbox/places.h"

#include "base/failpoint.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *joined(struct err *e, const char *fmt, ...) printf_like(2, 3);

static char *joined(struct err *e, const char *fmt, ...)
{
    char *s;
    va_list ap;

    va_start(ap, fmt);

    int n = vasprintf(&s, fmt, ap);

    va_end(ap);
    if (n < 0) {
        err_set(e, ENOMEM, "out of memory");
        return NULL;
    }
    return s;
}

/* The directory of the running executable, without a slash at its end. */
static int own_dir(char dir[PATH_MAX], struct err *e)
{
    ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX);

    if (n < 0)
        return err_sys(e, "/proc/self/exe");
    if (n >= PATH_MAX)
        return err_set(e, ENAMETOOLONG, "/proc/self/exe: path too long");
    dir[n] = '\0';

    char *slash = strrchr(dir, '/');

    if (!slash)
        return err_set(e, ENOENT, "/proc/self/exe: not a path: %s", dir);
    *slash = '\0';
    return 0;
}

/* Takes path; gives it back when something is there that suits mode (of access(2)), else NULL. */
static char *present(char *path, int mode)
{
    if (path && access(path, mode)) {
        free(path);
        path = NULL;
    }
    return path;
}

char *places_program(const char *name, struct err *e)
{
    char dir[PATH_MAX];

    if (own_dir(dir, e))
        return NULL;

    char *found = present(joined(e, "%s/%s", dir, name), X_OK);

    if (!found)
        found = present(joined(e, "%s/../libexec/carrel/%s", dir, name), X_OK);
    if (!found)
        err_set(e, ENOENT, "%s: not found beside %s nor in ../libexec/carrel", name, dir);
    return found;
}

char *places_share(const char *path, struct err *e)
{
    char dir[PATH_MAX];

    if (own_dir(dir, e))
        return NULL;

    char *found = present(joined(e, "%s/../share/carrel/%s", dir, path), F_OK);

    /* A program of the build tree uses the recipes of its own source, whatever is installed. */
    if (!found && strncmp(dir, CARREL_BUILD_DIR "/", strlen(CARREL_BUILD_DIR "/")) == 0)
        found = present(joined(e, "%s/%s", CARREL_SOURCE_DIR, path), F_OK);
    if (!found)
        found = present(joined(e, "%s/%s", CARREL_DATADIR, path), F_OK);
    if (!found)
        err_set(e, ENOENT, "%s: not found in ../share/carrel of %s nor in %s", path, dir,
                CARREL_DATADIR);
    return found;
}

/* own: variable of Carrel. base, below_home: variable of the XDG base directory specification and
 * its default. That specification says to ignore a relative path; ours is refused. */
static char *user_dir(const char *own, const char *base, const char *below_home, struct err *e)
{
    const char *dir = getenv(own);

    if (dir && *dir) {
        if (*dir == '/')
            return joined(e, "%s", dir);
        err_set(e, EINVAL, "%s=%s: must be an absolute path", own, dir);
        return NULL;
    }
    if (geteuid() == 0)
        return joined(e, "/var/lib/carrel");
    dir = getenv(base);
    if (dir && *dir == '/')
        return joined(e, "%s/carrel", dir);
    dir = getenv("HOME");
    if (dir && *dir == '/')
        return joined(e, "%s/%s/carrel", dir, below_home);
    err_set(e, ENOENT, "no place to keep data: set HOME or %s", own);
    return NULL;
}

char *places_data_dir(struct err *e)
{
    return user_dir("CARREL_DATA", "XDG_DATA_HOME", ".local/share", e);
}

char *places_state_dir(struct err *e)
{
    return user_dir("CARREL_STATE", "XDG_STATE_HOME", ".local/state", e);
}

char *places_cache_dir(struct err *e)
{
    char *data = places_data_dir(e);
    char *cache = data ? joined(e, "%s/cache", data) : NULL;

    free(data);
    return cache;
}

/* By mkdirat, as a keeper's filter has it. */
static int make_dir(const char *path)
{
    return mkdirat(AT_FDCWD, path, 0700) && errno != EEXIST ? -1 : 0;
}

int places_open_dir(const char *path, struct err *e)
{
    char part[PATH_MAX];
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof(part))
        return err_set(e, len ? ENAMETOOLONG : EINVAL, "%s: not a usable path", path);
    memcpy(part, path, len + 1);
    for (char *p = part + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (make_dir(part))
            return err_sys(e, "%s", part);
        *p = '/';
    }
    if (FAILPOINT("places.mkdir") || make_dir(path))
        return err_sys(e, "%s", path);

    int fd = FAILPOINT("places.open") ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return err_sys(e, "%s", path);
    return fd;
}
