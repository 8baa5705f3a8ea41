/* squash.c - see squash.h. */
#include "sandbox/image/squash.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TAR_BLOCK = 1 << 16 };

#define COMPRESSION "lz4"

const char squash_recipe[] = "squashfs " COMPRESSION " 1";

static la_ssize_t write_tool(struct archive *a, void *arg, const void *buf, size_t len)
{
    struct squash *s = arg;
    int err = tool_write(&s->tool, buf, len);

    if (err == 0)
        return (la_ssize_t)len;
    archive_set_error(a, -err, "%s", strerror(-err));
    return -1;
}

int squash_start(struct squash *s, const char *path, struct err *e)
{
    /* clang-format off */
    const char *const argv[] = {
        "sqfstar", "-comp", COMPRESSION, "-Xhc", "-no-xattrs", "-reproducible", "-mkfs-time", "0",
        "-root-time", "0", "-root-mode", "755", "-root-uid", "0", "-root-gid", "0",
        "-exit-on-error", "-no-progress", "-quiet", path, NULL,
    };
    /* clang-format on */
    int err = tool_start(&s->tool, argv, TOOL_IN, NULL, NULL, NULL, NULL, e);

    if (err)
        return err;
    s->tar = archive_write_new();
    if (!s->tar || archive_write_set_format_pax(s->tar) != ARCHIVE_OK ||
        archive_write_set_options(s->tar, "hdrcharset=BINARY") < ARCHIVE_WARN ||
        archive_write_set_bytes_per_block(s->tar, TAR_BLOCK) != ARCHIVE_OK ||
        archive_write_open(s->tar, s, NULL, write_tool, NULL) != ARCHIVE_OK)
        return err_set(e, EIO, "tar stream: %s",
                       s->tar && archive_error_string(s->tar) ? archive_error_string(s->tar)
                                                              : "out of memory");
    return 0;
}

int squash_header(struct squash *s, struct archive_entry *entry)
{
    return archive_write_header(s->tar, entry) < ARCHIVE_WARN ? -EIO : 0;
}

int squash_data(struct squash *s, const void *buf, size_t len)
{
    return archive_write_data(s->tar, buf, len) == (la_ssize_t)len ? 0 : -EIO;
}

int squash_finish(struct squash *s, struct err *e)
{
    int closed = archive_write_close(s->tar);
    char why[200];

    snprintf(why, sizeof(why), "%s",
             archive_error_string(s->tar) ? archive_error_string(s->tar) : "failed");
    archive_write_free(s->tar);
    s->tar = NULL;

    int err = tool_finish(&s->tool, e);

    if (err == -ENOENT)
        return err_set(e, ENOENT, "sqfstar not found: install squashfs-tools (4.5 or newer)");
    if (!err && closed != ARCHIVE_OK)
        err = err_set(e, EIO, "tar stream: %s", why);
    return err;
}

void squash_stop(struct squash *s)
{
    /* The tool first: without a reader the rest of the stream ends at once. */
    tool_stop(&s->tool);
    if (s->tar)
        archive_write_free(s->tar);
    s->tar = NULL;
}
