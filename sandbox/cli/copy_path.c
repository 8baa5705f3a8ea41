/* copy_path.c - see copy_path.h. */
#include "sandbox/cli/copy_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "a//b/." -> "a//b" and what its end said. */
static void strip_end(struct copy_path *p)
{
    size_t len = strlen(p->path);

    if (len >= 2 && strcmp(p->path + len - 2, "/.") == 0) {
        p->contents = true;
        p->path[--len] = '\0';
    } else if (strcmp(p->path, ".") == 0) {
        p->contents = true;
    }
    while (len > 1 && p->path[len - 1] == '/') {
        p->slash = true;
        p->path[--len] = '\0';
    }
}

int copy_path_parse(const char *text, struct copy_path *p)
{
    size_t name = strcspn(text, ":/");

    memset(p, 0, sizeof(*p));
    if (strcmp(text, "-") == 0) {
        p->is_stream = true;
        return 0;
    }
    if (text[name] == ':') {
        if (name == 0)
            return -EINVAL;
        if (name >= sizeof(p->box))
            return -ENAMETOOLONG;
        memcpy(p->box, text, name);
        text += name + 1;
    }
    if (*text == '\0')
        return -EINVAL;
    if (snprintf(p->path, sizeof(p->path), "%s%s", p->box[0] && *text != '/' ? "/" : "", text) >=
        (int)sizeof(p->path))
        return -ENAMETOOLONG;
    strip_end(p);
    return 0;
}

const char *copy_path_base(const struct copy_path *p, char buf[NAME_MAX + 1])
{
    const char *slash = strrchr(p->path, '/'), *base = slash ? slash + 1 : p->path;

    size_t len = strlen(base);

    if (len > NAME_MAX || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
        len = 0;
    memcpy(buf, base, len);
    buf[len] = '\0';
    return buf;
}

static int into(const char *dir, const struct copy_path *src, struct copy_target *out)
{
    if (snprintf(out->dir, sizeof(out->dir), "%s", dir) >= (int)sizeof(out->dir))
        return -ENAMETOOLONG;
    if (src->contents || !*copy_path_base(src, out->root))
        snprintf(out->root, sizeof(out->root), ".");
    return 0;
}

/* As DST itself: the directory above it, and its name there. */
static int as_itself(const struct copy_path *dst, struct copy_target *out)
{
    const char *slash = strrchr(dst->path, '/');

    if (!*copy_path_base(dst, out->root))
        return -EINVAL;
    if (!slash)
        snprintf(out->dir, sizeof(out->dir), ".");
    else if (slash == dst->path)
        snprintf(out->dir, sizeof(out->dir), "/");
    else
        snprintf(out->dir, sizeof(out->dir), "%.*s", (int)(slash - dst->path), dst->path);
    return 0;
}

int copy_path_target(const struct copy_path *src, bool src_is_dir, const struct copy_path *dst,
                     enum copy_there there, struct copy_target *out)
{
    if ((src->slash || src->contents) && !src_is_dir)
        return -ENOTDIR;
    switch (there) {
    case COPY_DIR: return into(dst->path, src, out);
    case COPY_FILE: return src_is_dir || dst->slash ? -ENOTDIR : as_itself(dst, out);
    case COPY_NOTHING: break;
    }
    if (!src_is_dir && (dst->slash || dst->contents))
        return -ENOENT;
    return as_itself(dst, out);
}
