/*
 * fetch.c - a distribution's kernel package, downloaded and unpacked but not installed.
 *
 * Works without root: apt-get download needs only the package lists, and where those are missing
 * they are fetched into the cache.
 */
#include "sandbox/image/kernel_store.h"

#include "base/fd.h"
#include "base/own.h"
#include "sandbox/image/tool.h"
#include "sandbox/places.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULT_PACKAGE "linux-image-cloud-amd64"

enum { META_DEPTH_MAX = 4 }; /* packages that only name another one */

/* The path of the only (or first) entry of dir that matches pattern, in out. False: none. */
static bool match_in(const char *dir, const char *pattern, char out[PATH_MAX])
{
    auto_dir DIR *d = opendir(dir);
    struct dirent *ent;

    while (d && (ent = readdir(d)))
        if (fnmatch(pattern, ent->d_name, FNM_PERIOD) == 0)
            return snprintf(out, PATH_MAX, "%s/%s", dir, ent->d_name) < PATH_MAX;
    return false;
}

/* A package name as Debian's policy 5.6.7 has it: it becomes an argument of apt-get. */
static int check_package(const char *p, struct err *e)
{
    size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789+-.");

    if (n < 2 || p[n] != '\0' || !strchr("abcdefghijklmnopqrstuvwxyz0123456789", *p))
        return err_set(e, EINVAL, "\"%.80s\" is not the name of a package", p);
    return 0;
}

static int apt_error(int err, const char *package, struct err *e)
{
    if (err == -ENOENT)
        return err_set(e, ENOENT,
                       "no apt-get here: download %s another way and use \"carrel kernel add NAME "
                       "FILE --modules DIR\"",
                       package);
    return err_wrap(e, "download of %s", package);
}

/* Downloads with the system's package lists; when that fails, with lists of our own, fetched now.
 */
static int download(const char *package, const char *dir, image_progress *say, void *arg,
                    struct err *e)
{
    const char *const plain[] = { "apt-get",  "-q",    "-o", "APT::Sandbox::User=",
                                  "download", package, NULL };
    struct err first = ERR_INIT;
    char lists[PATH_MAX], cache[PATH_MAX];
    auto_str char *base = NULL;
    int err = tool_run(plain, dir, NULL, NULL, NULL, &first);

    if (err == 0)
        return 0;
    base = err == -ENOENT ? NULL : places_cache_dir(e);
    if (!base || snprintf(lists, sizeof(lists), "Dir::State=%s/apt", base) >= (int)sizeof(lists) ||
        snprintf(cache, sizeof(cache), "Dir::Cache=%s/apt", base) >= (int)sizeof(cache)) {
        if (e)
            *e = first;
        return apt_error(err, package, e);
    }

    char need[PATH_MAX];

    if (snprintf(need, sizeof(need), "%s/apt/lists/partial", base) >= (int)sizeof(need))
        return err_set(e, ENAMETOOLONG, "%s: path too long", base);

    auto_fd int made = places_open_dir(need, e);
    const char *const update[] = { "apt-get", "-q",
                                   "-o",      "APT::Sandbox::User=",
                                   "-o",      lists,
                                   "-o",      cache,
                                   "-o",      "Dir::State::status=/var/lib/dpkg/status",
                                   "update",  NULL };
    const char *const again[] = { "apt-get",  "-q",
                                  "-o",       "APT::Sandbox::User=",
                                  "-o",       lists,
                                  "-o",       cache,
                                  "-o",       "Dir::State::status=/var/lib/dpkg/status",
                                  "download", package,
                                  NULL };

    if (made < 0)
        return made;
    if (say)
        say(arg, "fetching package lists");
    /* Where update fails but the package was simply unknown, the first reason is the better one. */
    if (tool_run(update, dir, NULL, NULL, NULL, e) || tool_run(again, dir, NULL, NULL, NULL, e)) {
        if (e)
            *e = first;
        return apt_error(err, package, e);
    }
    return 0;
}

/* The one package of a metapackage's Depends that holds the kernel: "linux-image-6.1.0-49-… (= …)".
 */
static int depends_on(const char *deb, char out[256], struct err *e)
{
    const char *const argv[] = { "dpkg-deb", "-f", deb, "Depends", NULL };
    auto_str char *text = NULL;
    int err = tool_run(argv, NULL, &text, NULL, NULL, e);
    char *save = NULL;

    if (err)
        return err;
    for (char *dep = strtok_r(text, ",", &save); dep; dep = strtok_r(NULL, ",", &save)) {
        dep += strspn(dep, " \n");

        size_t n = strcspn(dep, " (|\n");

        if (strncmp(dep, "linux-image-", 12) == 0 && n < 256) {
            memcpy(out, dep, n);
            out[n] = '\0';
            return 0;
        }
    }
    return err_set(e, ENOENT, "%s holds no kernel and depends on none",
                   strrchr(deb, '/') ? strrchr(deb, '/') + 1 : deb);
}

/* Downloads the package into dir/N and unpacks it in dir/N/x; follows metapackages. root: where the
 * kernel's files are then; name: the package they came with. */
static int obtain(char name[256], const char *dir, char root[PATH_MAX], image_progress *say,
                  void *arg, struct err *e)
{
    char sub[PATH_MAX], deb[PATH_MAX], path[PATH_MAX], boot[PATH_MAX];

    for (int depth = 0; depth < META_DEPTH_MAX; depth++) {
        char line[300];
        int err = check_package(name, e);

        if (err)
            return err;
        if (snprintf(sub, sizeof(sub), "%s/%d", dir, depth) >= (int)sizeof(sub) ||
            snprintf(root, PATH_MAX, "%s/x", sub) >= PATH_MAX)
            return err_set(e, ENAMETOOLONG, "%s: path too long", dir);
        if (mkdir(sub, 0700))
            return err_sys(e, "%s", sub);
        snprintf(line, sizeof(line), "downloading %s", name);
        if (say)
            say(arg, line);
        err = download(name, sub, say, arg, e);
        if (err)
            return err;
        if (!match_in(sub, "*.deb", deb))
            return err_set(e, ENOENT, "apt-get downloaded no package for %s", name);

        const char *const extract[] = { "dpkg-deb", "-x", deb, root, NULL };

        err = tool_run(extract, NULL, NULL, NULL, NULL, e);
        if (err)
            return err_wrap(e, "unpacking %s", name);
        if (snprintf(path, sizeof(path), "%s/boot", root) < (int)sizeof(path) &&
            match_in(path, "vmlinuz-*", boot))
            return 0;
        err = depends_on(deb, name, e);
        if (err)
            return err;
    }
    return err_set(e, ELOOP, "%s: too many packages that only name another one", name);
}

int kernel_fetch(const char *name, const char *package, image_progress *say, void *arg,
                 struct err *e)
{
    cleanup_with(data_tmp_free) struct data_tmp t = DATA_TMP_INIT;
    char root[PATH_MAX], dir[PATH_MAX], image[PATH_MAX], modules[PATH_MAX], source[300], from[256];
    int err = data_check_name("kernel", name, e);

    if (!package)
        package = DEFAULT_PACKAGE;
    if (!err && snprintf(from, sizeof(from), "%s", package) >= (int)sizeof(from))
        err = err_set(e, ENAMETOOLONG, "package name too long");

    if (!err)
        err = data_tmp_new(&t, e);
    if (!err)
        err = obtain(from, t.path, root, say, arg, e);
    if (err)
        return err;
    if (snprintf(dir, sizeof(dir), "%s/boot", root) >= (int)sizeof(dir) ||
        !match_in(dir, "vmlinuz-*", image))
        return err_set(e, ENOENT, "the package has no /boot/vmlinuz-*");
    if (snprintf(dir, sizeof(dir), "%s/lib/modules", root) >= (int)sizeof(dir))
        return err_set(e, ENAMETOOLONG, "%s: path too long", root);
    if (!match_in(dir, "[0-9]*", modules)) /* merged /usr */
        if (snprintf(dir, sizeof(dir), "%s/usr/lib/modules", root) >= (int)sizeof(dir) ||
            !match_in(dir, "[0-9]*", modules))
            return err_set(e, ENOENT, "the package has no /lib/modules");
    snprintf(source, sizeof(source), "package %s", from);
    return kernel_add_from(name, image, modules, source, say, arg, e);
}
