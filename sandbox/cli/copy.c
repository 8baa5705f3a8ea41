/* copy.c - cp: files into and out of a sandbox. */
#include "base/fd.h"
#include "base/io.h"
#include "sandbox/cli/box.h"
#include "sandbox/cli/confine.h"
#include "sandbox/cli/copy_path.h"
#include "sandbox/cli/size.h"
#include "sandbox/cli/totar.h"
#include "sandbox/cli/transfer.h"
#include "sandbox/cli/untar.h"
#include "sandbox/cli/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What a guest may fill of our disk when nobody says otherwise. */
#define MAX_BYTES (16ull << 30)

struct copy {
    struct cli *c;
    uint64_t max_bytes; /* out of the sandbox */
    struct copy_path src, dst;
    struct box box;
    struct msg_builder *request; /* owned */
    char hint[HINT_MAX];
    bool usage;
};

/* What a target's refusal means. */
static int explain(const struct copy *k, int err, struct err *e)
{
    const char *src = k->src.path, *dst = k->dst.path;

    switch (-err) {
    case ENOENT: return err_set(e, ENOENT, "%s/: no such directory", dst);
    case ENOTDIR:
        if (k->src.slash || k->src.contents)
            return err_set(e, ENOTDIR, "%s or %s is not a directory", src, dst);
        return err_set(e, ENOTDIR, "%s is not a directory", dst);
    case EINVAL: return err_set(e, EINVAL, "%s: nothing can be made under that name", dst);
    default: return err_set(e, -err, "%s: %s", dst, strerror(-err));
    }
}

/* ---- into the sandbox ---- */

static int write_tar(void *arg, const void *buf, size_t len, struct err *e)
{
    return transfer_write(arg, buf, len, e);
}

static int send_stdin(struct transfer *t, struct err *e)
{
    uint8_t buf[32768];
    ssize_t n;

    while ((n = read(STDIN_FILENO, buf, sizeof(buf))) != 0) {
        int err;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, "standard input");
        err = transfer_write(t, buf, (size_t)n, e);
        if (err)
            return err;
    }
    return 0;
}

static int send_tree(struct copy *k, struct transfer *t, const char *root, struct err *e)
{
    char path[PATH_MAX + 4];
    struct totar_ask ask = { .path = path, .root = root, .write = write_tar, .arg = t };
    int err;

    snprintf(path, sizeof(path), "%s%s", k->src.path, k->src.contents ? "/." : "");
    err = totar(&ask, e);
    if (!err && ask.skipped)
        cli_note(k->c, "%u sockets, fifos or devices were left out", ask.skipped);
    if (!err && ask.changed)
        cli_note(k->c, "%u files shrank while they were read; their ends are zeros", ask.changed);
    return err;
}

/* Where what we send goes, and under which name. */
static int put_target(struct copy *k, struct copy_target *to, struct err *e)
{
    struct stat st = { .st_mode = S_IFDIR };
    int there, err;

    if (!k->src.is_stream) {
        char path[PATH_MAX + 4];

        snprintf(path, sizeof(path), "%s%s", k->src.path,
                 k->src.contents ? "/."
                 : k->src.slash  ? "/"
                                 : "");
        if (lstat(path, &st))
            return err_sys(e, "%s", k->src.path);
        if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
            return err_set(e, EINVAL, "%s is neither file, directory nor link", k->src.path);
    }
    there = transfer_is_dir(&k->box, k->dst.path, k->hint, e);
    if (k->src.is_stream && there != 1)
        return there == 0 || there == -ENOENT
                   ? err_set(e, ENOTDIR, "%s is not a directory in the sandbox", k->dst.path)
                   : there;
    if (there < 0 && there != -ENOENT)
        return there;
    if (k->src.is_stream) {
        memcpy(to->dir, k->dst.path, sizeof(to->dir));
        return 0;
    }
    e->code = 0;
    err = copy_path_target(&k->src, S_ISDIR(st.st_mode), &k->dst,
                           there == 1   ? COPY_DIR
                           : there == 0 ? COPY_FILE
                                        : COPY_NOTHING,
                           to);
    return err ? explain(k, err, e) : 0;
}

static int put(struct copy *k, struct err *e)
{
    const char *user = args_text(k->c->args, OPT_USER);
    struct copy_target to;
    struct transfer t;
    int err = put_target(k, &to, e);

    if (err)
        return err;
    if (!user)
        user = k->box.config.user;
    msg_begin(k->request, MSG_PUT);
    msg_add_text(k->request, MSG_PATH, to.dir);
    msg_add_u32(k->request, MSG_FLAGS, MSG_F_NOBODY);
    if (user)
        msg_add_text(k->request, MSG_USER, user);
    err = transfer_open(&t, &k->box, k->request, k->hint, e);
    if (!err)
        err = k->src.is_stream ? send_stdin(&t, e) : send_tree(k, &t, to.root, e);
    if (!err)
        err = transfer_finish(&t, e);
    transfer_fini(&t);
    return err;
}

/* ---- out of the sandbox ---- */

static ssize_t read_tar(void *arg, const void **bytes, struct err *e)
{
    return transfer_read(arg, bytes, e);
}

static int too_large(struct copy *k)
{
    snprintf(k->hint, HINT_MAX, "--max-size SIZE allows more");
    return -E2BIG;
}

static int receive_stream(struct copy *k, struct transfer *t, struct err *e)
{
    uint64_t left = k->max_bytes;
    const void *bytes;
    ssize_t n;

    while ((n = transfer_read(t, &bytes, e)) > 0) {
        char size[32];

        if ((uint64_t)n > left) {
            err_set(e, E2BIG, "the archive is longer than %s; its beginning was written",
                    size_text(k->max_bytes, size, sizeof(size)));
            return too_large(k);
        }
        left -= (uint64_t)n;

        int err = io_write_full(STDOUT_FILENO, bytes, (size_t)n);

        if (err)
            return err_set(e, -err, "standard output: %s", strerror(-err));
    }
    return (int)n;
}

static enum copy_there what_is(const char *path)
{
    struct stat st;

    if (stat(path, &st))
        return COPY_NOTHING;
    return S_ISDIR(st.st_mode) ? COPY_DIR : COPY_FILE;
}

static int receive_tree(struct copy *k, struct transfer *t, struct err *e)
{
    bool src_is_dir = k->src.contents;
    struct copy_target to = { "", "" };
    struct untar_ask ask = {
        .root = to.root, .shown = to.dir, .read = read_tar, .arg = t, .max_bytes = k->max_bytes
    };
    int err;

    if (!src_is_dir && (k->src.slash || what_is(k->dst.path) != COPY_DIR)) {
        err = transfer_is_dir(&k->box, k->src.path, k->hint, e);
        if (err < 0 && err != -ENOENT) /* a link that leads nowhere is copied as it is */
            return err;
        src_is_dir = err == 1;
        e->code = 0;
    }
    err = copy_path_target(&k->src, src_is_dir, &k->dst, what_is(k->dst.path), &to);
    if (err)
        return explain(k, err, e);

    auto_fd int dir = open(to.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0)
        return err_sys(e, "%s", to.dir);
    ask.dirfd = dir;
    confine_to_directory(dir);
    err = untar(&ask, e);
    return err == -E2BIG ? too_large(k) : err;
}

static int get(struct copy *k, struct err *e)
{
    char path[PATH_MAX + 4];
    struct transfer t;
    int err;

    snprintf(path, sizeof(path), "%s%s", k->src.path, k->src.contents ? "/." : "");
    msg_begin(k->request, MSG_GET);
    msg_add_text(k->request, MSG_PATH, path);
    err = transfer_open(&t, &k->box, k->request, k->hint, e);
    if (!err)
        err = k->dst.is_stream ? receive_stream(k, &t, e) : receive_tree(k, &t, e);
    transfer_fini(&t);
    return err;
}

/* ---- the verb ---- */

static int parse(struct copy *k, struct err *e)
{
    char **ops = k->c->args->operands;
    int err = copy_path_parse(ops[0], &k->src);
    const char *bad = ops[0], *max = args_text(k->c->args, OPT_MAX_SIZE);

    k->usage = true;
    if (!err) {
        err = copy_path_parse(ops[1], &k->dst);
        bad = ops[1];
    }
    if (err)
        return err_set(e, -err, "\"%s\" is neither a path nor NAME:PATH", bad);
    if (k->src.box[0] && k->dst.box[0]) {
        snprintf(k->hint, HINT_MAX, "carrel cp %s - | carrel cp - %s", ops[0], ops[1]);
        return err_set(e, EINVAL, "one of SRC and DST must be here");
    }
    if (!k->src.box[0] && !k->dst.box[0]) {
        snprintf(k->hint, HINT_MAX, "carrel cp ./FILE NAME:/PATH");
        return err_set(e, EINVAL, "one of SRC and DST must be NAME:PATH");
    }
    if (max) {
        if (k->dst.box[0])
            return err_set(e, EINVAL, "--max-size is for copies out of a sandbox");
        if (size_parse(max, &k->max_bytes) || !k->max_bytes)
            return err_set(e, EINVAL, "--max-size: \"%s\" is not a size, like 512M or 2G", max);
    }
    if (k->dst.is_stream && isatty(STDOUT_FILENO))
        return err_set(e, EINVAL, "a tar archive is not for a terminal: redirect the output");
    k->usage = false;
    return 0;
}

int verb_cp(struct cli *c)
{
    struct copy k = { .c = c, .box = { .fd = -1 } };
    struct err e = ERR_INIT;
    struct store *s = NULL;
    int err = parse(&k, &e), status = 0;

    signal(SIGPIPE, SIG_IGN);
    /* Names in archives are UTF-8, whatever the user's language is. */
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        setlocale(LC_CTYPE, "");
    k.request = malloc(sizeof(*k.request));
    if (!err && !k.request)
        err = err_set(&e, ENOMEM, "out of memory");
    if (!err) {
        s = store_open(&e);
        err = s ? box_open(&k.box, s, k.src.box[0] ? k.src.box : k.dst.box, k.hint, &e) : -EIO;
    }
    if (!err && !k.max_bytes) {
        k.max_bytes = k.box.config.disk_bytes + k.box.config.mem_bytes;
        if (k.max_bytes < MAX_BYTES)
            k.max_bytes = MAX_BYTES;
    }
    if (!err)
        err = k.src.box[0] ? get(&k, &e) : put(&k, &e);
    if (err)
        status = k.usage ? cli_fail_usage(c, &e, k.hint) : cli_fail(c, "cp", &e, k.hint);
    else if (c->json && !k.dst.is_stream)
        status = cli_json(c, json_pack("{s:s, s:s}", "source", c->args->operands[0], "destination",
                                       c->args->operands[1]))
                     ? 0
                     : EXIT_NO;
    free(k.request);
    box_fini(&k.box);
    store_close(s);
    return status ? status : cli_finish(c);
}
