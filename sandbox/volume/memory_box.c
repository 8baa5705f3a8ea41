/* memory_box.c - see memory.h: a sandbox gets its copy, and what it made of it is adopted. */
#include "sandbox/volume/memory.h"

#include "base/fd.h"
#include "base/io.h"
#include "policies/words.h"
#include "sandbox/store.h"
#include "sandbox/volume/ext4.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INODES 16384u

static void say(const struct adopt_ask *ask, const char *fmt, ...) printf_like(2, 3);

static void say(const struct adopt_ask *ask, const char *fmt, ...)
{
    char line[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (ask->say)
        ask->say(ask->arg, line);
}

static bool writes(const struct memory_volume *v)
{
    return v->access >= MEMORY_APPEND;
}

static int box_id(int boxfd, char id[BOX_ID_LEN + 1], struct err *e)
{
    struct box_config c;
    int err = box_load_config(boxfd, &c, e);

    if (err)
        return err;
    memcpy(id, c.id, BOX_ID_LEN + 1);
    box_config_fini(&c);
    return 0;
}

static int load_base(int boxfd, const char *id, uint64_t *version)
{
    char name[VOLUME_NAME], *text;
    size_t len;

    snprintf(name, sizeof(name), VOLUME_BASE, id);
    text = io_load(boxfd, name, 32, &len, NULL);
    if (!text)
        return -ENOENT;
    *version = 0;
    for (size_t i = 0; i < len && text[i] >= '0' && text[i] <= '9'; i++)
        *version = *version * 10 + (uint64_t)(text[i] - '0');
    free(text);
    return 0;
}

static int save_base(int boxfd, const char *id, uint64_t version, struct err *e)
{
    char name[VOLUME_NAME], text[32];
    int n = snprintf(text, sizeof(text), "%" PRIu64 "\n", version);

    snprintf(name, sizeof(name), VOLUME_BASE, id);
    return io_store(boxfd, name, text, (size_t)n, 0600, e);
}

/* ---- after the end ---- */

static void tell_refusal(const struct adopt_ask *ask, const struct memory_volume *v,
                         const struct memory_diff *d)
{
    static const char *const what[] = {
        [CHANGE_ADDED] = "add", [CHANGE_CHANGED] = "change", [CHANGE_DELETED] = "delete"
    };
    size_t refused = 0;

    for (size_t i = 0; i < d->changes.n; i++) {
        const struct change *x = &d->changes.v[i];
        char line[1024];

        if (x->fate == CHANGE_GOES)
            continue;
        refused++;
        snprintf(line, sizeof(line), "memory %s: %s %.800s", v->id, what[x->what], change_path(x));
        if (ask->record && refused <= 256)
            ask->record(ask->arg, true, x->rule ? x->rule->id : "", line);
    }
    say(ask, "memory %s: not adopted: %zu of its changes are not allowed (access: %s)", v->id,
        refused, words_memory[v->access]);
}

static int adopt_copy(const struct adopt_ask *ask, const struct memory *m,
                      const struct memory_volume *v, const char *id, uint64_t base, int image,
                      struct err *e)
{
    auto_fd int was = base ? memory_image(m, base, e) : -1;
    struct memory_diff d;
    char line[200];
    uint64_t number = 0;
    int err = base && was < 0 ? was : memory_diff(&d, ask->boxfd, was, image, e);

    if (base && was < 0)
        return err;
    if (!err && d.changes.n && !memory_decide(&d, ask->policy->rules, v->target)) {
        tell_refusal(ask, v, &d);
    } else if (!err && d.changes.n) {
        err = memory_add(m, image, id, &number, e);
        if (!err) {
            memory_prune(m, v->keep, v->retain, v->quota);
            snprintf(line, sizeof(line), "memory %s: version %" PRIu64 ", %zu changes", v->id,
                     number, d.changes.n);
            if (ask->record)
                ask->record(ask->arg, false, "", line);
            say(ask, "%s", line);
        }
    }
    memory_diff_fini(&d);
    return err;
}

/* With the volume's lock. Its copy is done with, whatever became of it. */
static int adopt_one(const struct adopt_ask *ask, const struct memory *m,
                     const struct memory_volume *v, const char *id, struct err *e)
{
    char image[VOLUME_NAME], name[VOLUME_NAME];
    auto_fd int fd = -1;
    uint64_t base;
    int err = 0;

    snprintf(image, sizeof(image), VOLUME_IMAGE, v->id);
    snprintf(name, sizeof(name), VOLUME_BASE, v->id);
    if (load_base(ask->boxfd, v->id, &base))
        return 0;
    fd = openat(ask->boxfd, image, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno != ENOENT)
        return err_sys(e, "%s", image);
    if (fd >= 0 && base != memory_newest(m)) {
        say(ask, "memory %s: not adopted: another version came between", v->id);
        if (ask->record)
            ask->record(ask->arg, true, "", "memory: another version came between");
    } else if (fd >= 0) {
        err = adopt_copy(ask, m, v, id, base, fd, e);
    }
    if (err)
        return err_wrap(e, "memory %s", v->id);
    if ((unlinkat(ask->boxfd, name, 0) || unlinkat(m->dir, MEMORY_PENDING, 0)) && errno != ENOENT)
        return err_sys(e, "memory %s", v->id);
    return 0;
}

int memory_adopt(const struct adopt_ask *ask, struct err *e)
{
    const struct list *all = &ask->policy->policy->storage.memory;
    char id[BOX_ID_LEN + 1];
    int err = box_id(ask->boxfd, id, e);

    for (uint32_t i = 0; i < all->n && !err; i++) {
        const struct memory_volume *v = all->v[i];
        struct memory m;
        uint64_t base;

        if (!writes(v) || load_base(ask->boxfd, v->id, &base))
            continue;
        err = memory_open(&m, v->id, true, MEMORY_OWN, e);
        if (!err)
            err = adopt_one(ask, &m, v, id, e);
        memory_close(&m);
    }
    return err;
}

/* ---- before the start ---- */

/* The one who had it last left before its copy was looked at. */
static int adopt_pending(const struct adopt_ask *ask, const struct memory *m, struct err *e)
{
    char id[BOX_ID_LEN + 1], found[BOX_ID_LEN + 1];
    size_t len;
    char *text = io_load(m->dir, MEMORY_PENDING, BOX_ID_LEN + 1, &len, NULL);
    struct store *s;
    struct volume_policy p;
    struct adopt_ask other = *ask;
    int err = 0;

    if (!text || len < BOX_ID_LEN) {
        free(text);
        return 0;
    }
    memcpy(id, text, BOX_ID_LEN);
    id[BOX_ID_LEN] = '\0';
    free(text);
    s = store_open(e);
    if (!s)
        return -e->code;
    (void)!store_reconcile(s, id, NULL); /* its machine may have outlived its keeper */

    auto_fd int fd = store_find(s, id, found, NULL);
    auto_fd int own = fd >= 0 ? box_lock(fd, NULL) : -1;
    char mine[BOX_ID_LEN + 1] = "";

    store_close(s);
    if (fd < 0) { /* it was removed, and its copy with it */
        unlinkat(m->dir, MEMORY_PENDING, 0);
        return 0;
    }
    if (box_id(ask->boxfd, mine, NULL) == 0 && strcmp(mine, id) == 0)
        other.boxfd = ask->boxfd; /* this one, started again: its lock is held */
    else if (own < 0)
        return err_set(e, EBUSY, "the memory volume %s is in use by the sandbox %s", m->id, id);
    else
        other.boxfd = fd;
    err = volume_policy_load(&p, other.boxfd, e);
    other.policy = &p;
    for (uint32_t i = 0; !err && i < p.policy->storage.memory.n; i++) {
        const struct memory_volume *v = p.policy->storage.memory.v[i];

        if (strcmp(v->id, m->id) == 0)
            err = adopt_one(&other, m, v, id, e);
    }
    volume_policy_fini(&p);
    return err;
}

static int make_copy(const struct adopt_ask *ask, const struct memory *m,
                     const struct memory_volume *v, char hint[240], struct err *e)
{
    char image[VOLUME_NAME], draft[VOLUME_NAME];
    uint64_t newest = memory_newest(m);
    auto_fd int from = newest ? memory_image(m, newest, e) : -1;
    auto_fd int fd = -1;
    uint32_t user = volume_user(ask->policy->policy);
    struct ext4 *x;
    int err;

    if (newest && from < 0)
        return from;
    snprintf(image, sizeof(image), VOLUME_IMAGE, v->id);
    snprintf(draft, sizeof(draft), VOLUME_DRAFT, v->id);
    fd = openat(ask->boxfd, draft, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(e, "%s", draft);
    if (newest) {
        err = volume_copy(from, fd, e);
    } else {
        err = ext4_make(fd, ext4_bytes(v->quota), INODES, user, hint, e);
        x = err ? NULL : ext4_open(fd, e);
        if (!err)
            err = x ? ext4_close(x, e) : -e->code;
    }
    if (!err && writes(v))
        err = save_base(ask->boxfd, v->id, newest, e);
    if (!err && renameat(ask->boxfd, draft, ask->boxfd, image))
        err = err_sys(e, "%s", image);
    if (err)
        unlinkat(ask->boxfd, draft, 0);
    return err ? err_wrap(e, "storage/memory/%s", v->id) : 0;
}

static int prepare_one(const struct adopt_ask *ask, const struct memory_volume *v, const char *id,
                       char hint[240], struct err *e)
{
    struct err busy = ERR_INIT;
    struct memory m;
    int err = memory_open(&m, v->id, true, MEMORY_OWN, &busy);

    /* Who only reads takes the newest version there is. */
    if (err == -EBUSY && !writes(v)) {
        memory_close(&m);
        err = memory_open(&m, v->id, true, MEMORY_LOOK, &busy);
    } else if (!err) {
        err = adopt_pending(ask, &m, &busy);
        if (err == -EBUSY && !writes(v))
            err = 0;
    }
    if (err)
        err = err_set(e, busy.code, "%s", busy.msg);
    if (!err)
        err = make_copy(ask, &m, v, hint, e);
    if (!err && writes(v))
        err = io_store(m.dir, MEMORY_PENDING, id, strlen(id), 0600, e);
    memory_close(&m);
    return err;
}

int memory_prepare(const struct adopt_ask *ask, char hint[240], struct err *e)
{
    const struct list *all = &ask->policy->policy->storage.memory;
    char id[BOX_ID_LEN + 1];
    int err = all->n ? box_id(ask->boxfd, id, e) : 0;

    for (uint32_t i = 0; i < all->n && !err; i++)
        if (((const struct memory_volume *)all->v[i])->access != MEMORY_NONE)
            err = prepare_one(ask, all->v[i], id, hint, e);
    return err;
}
