/* prepare.c - see prepare.h. A volume appears under its name when it is whole and on disk. */
#include "sandbox/volume/prepare.h"

#include "base/fd.h"
#include "base/io.h"
#include "policies/text.h"
#include "policies/words.h"
#include "sandbox/volume/fill.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define TOLD_MAX 256u /* entries left out of one mount that are told one by one */

struct preparing {
    const struct prepare_ask *ask;
    const struct mount *mount;
    const char *source;
    struct text notes;
    uint64_t left[FILL_WHYS];
    unsigned told;
};

/* A name as it can stand in a line. */
static void add_plain(struct text *t, const char *s)
{
    for (; *s; s++)
        text_add(t, "%c", (unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s);
}

static void left_out(void *arg, enum fill_why why, const char *path, const struct rule *rule)
{
    struct preparing *p = arg;

    p->left[why]++;
    if (p->told++ >= TOLD_MAX)
        return;
    text_add(&p->notes, "%s\tfile\t%s\t%s: ",
             why == FILL_SETUID || why == FILL_CHANGED || why == FILL_GONE ? "event" : "deny",
             rule ? rule->id : "", p->mount->id);
    add_plain(&p->notes, path);
    text_add(&p->notes, ": %s\n", fill_why(why));
}

static uint64_t missing(const struct preparing *p)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < FILL_WHYS; i++)
        n += i == FILL_SETUID || i == FILL_CHANGED ? 0 : p->left[i];
    return n;
}

static void conclude(struct preparing *p, const struct fill_ask *f)
{
    char line[512], size[32];
    uint64_t gone = missing(p);

    if (p->told > TOLD_MAX)
        text_add(&p->notes, "event\tfile\t\t%s: %u more were left out or changed\n", p->mount->id,
                 p->told - TOLD_MAX);
    text_add(&p->notes, "event\tmount\tstorage/%s\t%s ", p->mount->id, p->mount->id);
    add_plain(&p->notes, p->source);
    text_add(&p->notes, " at %s %s: %" PRIu64 " files, %" PRIu64 " bytes, %" PRIu64 " left out\n",
             p->mount->target, p->mount->access == ACCESS_RW ? "rw" : "ro", f->files, f->bytes,
             gone);
    if (f->bytes < 10u << 20)
        snprintf(size, sizeof(size), "%" PRIu64 " KiB", (f->bytes + 1023) >> 10);
    else
        snprintf(size, sizeof(size), "%" PRIu64 " MiB", f->bytes >> 20);
    snprintf(line, sizeof(line), "%s: %" PRIu64 " files, %s, copied to %s", p->mount->id, f->files,
             size, p->mount->target);
    if (gone)
        snprintf(line + strlen(line), sizeof(line) - strlen(line),
                 "; %" PRIu64 " left out (carrel audit query)", gone);
    if (p->ask->say)
        p->ask->say(p->ask->arg, line);
}

static int too_small(const struct preparing *p, const struct fill_ask *f, struct err *e)
{
    return err_set(e, EDQUOT,
                   "storage/%s: %s does not fit into its quota of %" PRIu64 " bytes and %" PRIu64
                   " files: it was full after %" PRIu64 " files",
                   p->mount->id, p->source, ext4_bytes(p->mount->quota.bytes),
                   p->mount->quota.inodes, f->files);
}

static int fill_image(struct preparing *p, int image, struct tree *t, char hint[240], struct err *e)
{
    const struct mount *m = p->mount;
    uint32_t user = volume_user(p->ask->policy->policy);
    auto_fd int source = open(p->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct fill_ask f = { .source = source,
                          .target = m->target,
                          .rules = p->ask->policy->rules,
                          .symlinks = m->links.symlink,
                          .setuid = m->links.setuid,
                          .uid = user,
                          .tree = t,
                          .left_out = left_out,
                          .arg = p };
    int err;

    if (source < 0)
        return err_sys(e, "storage/%s: %s", m->id, p->source);
    err = ext4_make(image, ext4_bytes(m->quota.bytes), m->quota.inodes, user, hint, e);
    if (err)
        return err_wrap(e, "storage/%s", m->id);
    f.volume = ext4_open(image, e);
    if (!f.volume)
        return -e->code;
    err = fill(&f, e);
    if (err == -EDQUOT)
        err = too_small(p, &f, e);
    if (err)
        ext4_drop(f.volume);
    else
        err = ext4_close(f.volume, e);
    if (!err)
        conclude(p, &f);
    return err;
}

static int prepare_mount(struct preparing *p, char hint[240], struct err *e)
{
    char image[VOLUME_NAME], draft[VOLUME_NAME], tree[VOLUME_NAME];
    int box = p->ask->boxfd, err;
    auto_fd int fd = -1;
    struct tree t = { 0 };

    snprintf(image, sizeof(image), VOLUME_IMAGE, p->mount->id);
    snprintf(draft, sizeof(draft), VOLUME_DRAFT, p->mount->id);
    snprintf(tree, sizeof(tree), VOLUME_TREE, p->mount->id);
    if (faccessat(box, image, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    err = volume_source(p->ask->policy, p->mount, &p->source, e);
    if (err)
        return err;
    fd = openat(box, draft, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(e, "%s", draft);
    memset(p->left, 0, sizeof(p->left));
    p->told = 0;
    err = fill_image(p, fd, &t, hint, e);
    if (!err)
        err = tree_save(&t, box, tree, e);
    if (!err && (renameat(box, draft, box, image) || fsync(box)))
        err = err_sys(e, "%s", image);
    if (err)
        unlinkat(box, draft, 0);
    tree_fini(&t);
    return err;
}

int prepare(const struct prepare_ask *ask, char hint[240], struct err *e)
{
    const struct list *mounts = &ask->policy->policy->storage.mounts;
    struct preparing p = { .ask = ask, .notes = TEXT_INIT };
    int err = 0;

    hint[0] = '\0';
    for (uint32_t i = 0; !err && i < mounts->n; i++) {
        p.mount = mounts->v[i];
        if (p.mount->access != ACCESS_NONE && p.mount->share == SHARE_COPY)
            err = prepare_mount(&p, hint, e);
    }
    if (!err && p.notes.len)
        err = io_store(ask->boxfd, VOLUME_NOTES, p.notes.p, p.notes.len, 0600, e);
    text_fini(&p.notes);
    return err;
}
