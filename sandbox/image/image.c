/* image.c - the images that are there: load, open, list, remove. See image.h. */
#include "sandbox/image/image.h"

#include "base/fd.h"
#include "base/own.h"
#include "sandbox/image/image_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX ".json"

static void strings_free(char **list)
{
    for (char **s = list; s && *s; s++)
        free(*s);
    free(list);
}

void image_fini(struct image *img)
{
    free(img->name);
    free(img->source);
    free(img->user);
    free(img->cwd);
    free(img->manifest);
    free(img->id);
    strings_free(img->env);
    strings_free(img->entrypoint);
    strings_free(img->cmd);
    *img = (struct image){ 0 };
}

int images_open(struct err *e)
{
    return data_open("images", e);
}

/* A JSON array of strings as a list that ends with NULL; an absent one is empty. NULL = not that,
 * or out of memory. */
static char **strings(const json_t *a)
{
    size_t n = json_array_size(a);
    char **list = calloc(n + 1, sizeof(*list));

    for (size_t i = 0; list && i < n; i++) {
        const char *s = json_string_value(json_array_get(a, i));

        list[i] = s ? strdup(s) : NULL;
        if (!list[i]) {
            strings_free(list);
            return NULL;
        }
    }
    return list;
}

static char *string(const json_t *s)
{
    return json_is_string(s) ? strdup(json_string_value(s)) : NULL;
}

json_t *image_document(const char *name, int *images, struct err *e)
{
    char file[80];
    struct err why = ERR_INIT;

    *images = -1;
    if (data_check_name("image", name, e))
        return NULL;

    auto_fd int dir = images_open(e);

    if (dir < 0)
        return NULL;
    snprintf(file, sizeof(file), "%s" SUFFIX, name);

    json_t *j = data_load_json(dir, file, &why);

    if (!j && why.code == ENOENT)
        err_set(e, ENOENT, "image \"%s\" not found", name);
    else if (!j)
        err_set(e, why.code, "image \"%s\": %s", name, why.msg);
    else
        *images = fd_steal(&dir);
    return j;
}

static int parse(const char *name, const json_t *j, struct image *out, struct err *e)
{
    const json_t *config = json_object_get(j, "config");
    const char *digest = json_string_value(json_object_get(j, "digest"));
    struct file_id id;

    *out = (struct image){ 0 };
    if (!digest || strlen(digest) != DIGEST_HEX ||
        strspn(digest, "0123456789abcdef") != DIGEST_HEX || !json_is_object(config) ||
        file_id_parse(json_object_get(j, "file"), &id))
        return err_set(e, EINVAL, "image \"%s\": its document is not one of ours", name);
    memcpy(out->digest, digest, DIGEST_HEX + 1);
    out->bytes = id.bytes;
    out->created_ns = json_integer_value(json_object_get(j, "created_ns"));
    out->name = strdup(name);
    out->source = string(json_object_get(j, "source"));
    out->user = string(json_object_get(config, "user"));
    out->cwd = string(json_object_get(config, "cwd"));
    out->env = strings(json_object_get(config, "env"));
    out->entrypoint = strings(json_object_get(config, "entrypoint"));
    out->cmd = strings(json_object_get(config, "cmd"));
    out->manifest = string(json_object_get(j, "manifest"));
    out->id = string(json_object_get(j, "id"));
    if (!out->name || !out->env || !out->entrypoint || !out->cmd) {
        image_fini(out);
        return err_set(e, EINVAL, "image \"%s\": its configuration is not one of ours", name);
    }
    return 0;
}

/* NAME, and what follows "@sha256:" or NULL. */
static int split_pin(const char *text, char name[DATA_NAME_MAX + 1], const char **pin,
                     struct err *e)
{
    static const char mark[] = "@sha256:";
    const char *at = strchr(text, '@');
    size_t len = at ? (size_t)(at - text) : strlen(text);

    *pin = NULL;
    if (at && (strncmp(at, mark, strlen(mark)) != 0 || strlen(at) != strlen(mark) + DIGEST_HEX ||
               strspn(at + strlen(mark), "0123456789abcdef") != DIGEST_HEX))
        return err_set(e, EINVAL, "image \"%.120s\": after @ come sha256: and 64 digits", text);
    if (at)
        *pin = at + strlen(mark);
    if (len > DATA_NAME_MAX)
        return data_check_name("image", text, e);
    memcpy(name, text, len);
    name[len] = '\0';
    return 0;
}

static bool is_pinned(const struct image *img, const char *pin)
{
    return strcmp(img->digest, pin) == 0 || (img->manifest && strcmp(img->manifest, pin) == 0) ||
           (img->id && strcmp(img->id, pin) == 0);
}

int image_load(const char *text, struct image *out, struct err *e)
{
    auto_fd int images = -1;
    char name[DATA_NAME_MAX + 1];
    const char *pin;
    int err = split_pin(text, name, &pin, e);

    *out = (struct image){ 0 };
    if (err)
        return err;

    json_auto_t *j = image_document(name, &images, e);

    err = j ? parse(name, j, out, e) : e ? -e->code : -ENOENT;
    if (!err && pin && !is_pinned(out, pin)) {
        err = err_set(e, EINVAL, "image \"%s\": is sha256:%.12s..., not sha256:%.12s...", name,
                      out->manifest ? out->manifest : out->digest, pin);
        image_fini(out);
    }
    return err;
}

int image_blob(const struct image *img, struct file_id *id, struct err *e)
{
    auto_fd int images = -1;
    json_auto_t *j = image_document(img->name, &images, e);
    char path[128];

    *id = (struct file_id){ .bytes = img->bytes };
    if (!j)
        return e ? -e->code : -ENOENT;
    snprintf(path, sizeof(path), "blobs/%s.squashfs", img->digest);

    /* What was loaded is what is opened, even where the name means another image by now. */
    const char *digest = json_string_value(json_object_get(j, "digest"));
    bool same = digest && strcmp(digest, img->digest) == 0;
    auto_fd int fd = openat(images, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return err_sys(e, "image \"%s\": blob %.12s", img->name, img->digest);
    if (same && file_id_parse(json_object_get(j, "file"), id))
        return err_set(e, EINVAL, "image \"%s\": its document is not one of ours", img->name);
    return fd_steal(&fd);
}

int image_open_known(const struct image *img, struct err *e)
{
    struct file_id id;
    auto_fd int fd = image_blob(img, &id, e);
    int err = fd < 0 ? fd : data_known_file(fd, &id, img->name, e);

    if (err)
        return fd < 0 ? err : err_wrap(e, "image");
    return fd_steal(&fd);
}

static int by_name(const void *a, const void *b)
{
    const struct image *x = a, *y = b;

    return strcmp(x->name, y->name);
}

int image_list(struct image **out, size_t *n, struct err *e)
{
    int images = images_open(e);
    auto_dir DIR *d = images < 0 ? NULL : fdopendir(images);
    struct dirent *ent;
    struct image *list = NULL;
    size_t have = 0;

    if (images < 0)
        return images;
    if (!d) {
        close(images);
        return err_sys(e, "images");
    }
    while ((ent = readdir(d))) {
        size_t len = strlen(ent->d_name);
        struct image img;
        char name[256];

        if (len <= strlen(SUFFIX) || strcmp(ent->d_name + len - strlen(SUFFIX), SUFFIX) != 0)
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)(len - strlen(SUFFIX)), ent->d_name);
        if (image_load(name, &img, NULL)) /* image_load by name says what is wrong with it */
            continue;

        struct image *grown = reallocarray(list, have + 1, sizeof(*list));

        if (!grown) {
            image_fini(&img);
            for (size_t i = 0; i < have; i++)
                image_fini(&list[i]);
            free(list);
            return err_set(e, ENOMEM, "out of memory");
        }
        list = grown;
        list[have++] = img;
    }
    if (have)
        qsort(list, have, sizeof(*list), by_name);
    *out = list;
    *n = have;
    return 0;
}
