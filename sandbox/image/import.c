/*
 * import.c - see import.h. Three processes: this one has opened the source and waits; the reader,
 * behind its walls, turns it into a tar stream; sqfstar makes squashfs of that. What the reader has
 * to tell comes as a struct and texts through a pipe, and is believed as far as it is well-formed.
 */
#include "sandbox/image/import.h"

#include "base/fd.h"
#include "base/io.h"
#include "sandbox/image/confined.h"
#include "sandbox/image/sift.h"
#include "sandbox/image/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum {
    TEXTS_MAX = 128 << 10, /* twice LAYOUT_TEXT_MAX: user and directory, too */
    SLACK_SHIFT = 30,      /* squashfs of what cannot be compressed, beyond its contents */
};

static void archive_freep(struct archive **a)
{
    if (*a)
        archive_read_free(*a);
}

void import_result_fini(struct import_result *r)
{
    json_decref(r->run);
    *r = (struct import_result){ 0 };
}

/* Names are bytes to us; libarchive converts them by the thread's locale, which must then be one
 * that has all of them. Back to what it was on the way out. */
static locale_t use_utf8(locale_t *ours)
{
    *ours = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return *ours ? uselocale(*ours) : (locale_t)0;
}

static void use_back(locale_t was, locale_t ours)
{
    if (ours) {
        uselocale(was);
        freelocale(ours);
    }
}

static uint64_t squash_bytes(const struct import_options *o)
{
    return (o->bytes_max ? o->bytes_max : ENTRY_BYTES_MAX) + (UINT64_C(1) << SLACK_SHIFT);
}

/* --- what the reader tells -------------------------------------------------------------------- */

/* Then texts: a letter of texts_of, the text, NUL. */
struct told {
    int32_t code;
    char msg[sizeof(((struct err *)0)->msg)];
    struct import_result r; /* without pointers */
    uint32_t run;           /* whether there are texts to come, though perhaps none */
};

static const struct {
    char letter;
    bool list;
    const char *key;
} texts_of[] = {
    { 'u', false, "user" },      { 'w', false, "cwd" }, { 'e', true, "env" },
    { 'p', true, "entrypoint" }, { 'c', true, "cmd" },
};

static void put_text(FILE *f, char letter, const json_t *v)
{
    fputc(letter, f);
    fputs(json_string_value(v), f);
    fputc('\0', f);
}

static int tell(int fd, const struct err *why, const struct import_result *r)
{
    struct told t = { .code = why->code, .r = *r, .run = r->run != NULL };
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);

    if (!f)
        return -ENOMEM;
    memcpy(t.msg, why->msg, sizeof(t.msg));
    t.r.run = NULL;
    fwrite(&t, sizeof(t), 1, f);
    for (size_t i = 0; i < array_len(texts_of); i++) {
        const json_t *v = json_object_get(r->run, texts_of[i].key);

        if (json_is_string(v))
            put_text(f, texts_of[i].letter, v);
        for (size_t k = 0; k < json_array_size(v); k++)
            put_text(f, texts_of[i].letter, json_array_get(v, k));
    }

    int err = fclose(f) ? -ENOMEM : io_write_full(fd, text, len);

    free(text);
    return err;
}

static int take_text(json_t *run, const char *text)
{
    for (size_t i = 0; i < array_len(texts_of); i++) {
        const char *key = texts_of[i].key;

        if (texts_of[i].letter != *text)
            continue;
        if (!texts_of[i].list)
            return json_object_set_new(run, key, json_string(text + 1)) ? -EBADMSG : 0;
        if (!json_object_get(run, key) && json_object_set_new(run, key, json_array()))
            return -ENOMEM;
        return json_array_append_new(json_object_get(run, key), json_string(text + 1)) ? -EBADMSG
                                                                                       : 0;
    }
    return -EBADMSG;
}

static int take_texts(struct import_result *r, const char *at, const char *end)
{
    r->run = json_object();
    while (r->run && at < end) {
        size_t len = strnlen(at, (size_t)(end - at));
        int err = at + len < end && len > 0 ? take_text(r->run, at) : -EBADMSG;

        if (err)
            return err;
        at += len + 1;
    }
    return r->run ? 0 : -ENOMEM;
}

static bool is_digest(const char text[DIGEST_HEX + 1])
{
    return !*text || (strnlen(text, DIGEST_HEX + 1) == DIGEST_HEX &&
                      strspn(text, "0123456789abcdef") == DIGEST_HEX);
}

/* -EBADMSG: not what a reader says. */
static int understand(const char *text, size_t len, struct import_result *r, struct err *why)
{
    struct told t;

    if (len < sizeof(t))
        return -EBADMSG;
    memcpy(&t, text, sizeof(t));
    if (t.code < 0 || t.code > 4095 || t.msg[sizeof(t.msg) - 1] || !is_digest(t.r.manifest) ||
        !is_digest(t.r.id))
        return -EBADMSG;
    *r = t.r;
    r->run = NULL;
    why->code = t.code;
    memcpy(why->msg, t.msg, sizeof(why->msg));
    return t.run ? take_texts(r, text + sizeof(t), text + len) : 0;
}

/* --- the reader --------------------------------------------------------------------------------
 */

struct source {
    int fd; /* owned */
    bool dir;
    char *path; /* owned: absolute */
    const struct import_options *o;
};

static void source_fini(struct source *s)
{
    fd_closep(&s->fd);
    free(s->path);
}

static int read_tar(const struct source *s, struct squash *out, struct import_result *r,
                    struct err *e)
{
    cleanup_with(archive_freep) struct archive *a = archive_read_new();
    struct blob_file *f = blob_file_new();
    int err = a && f ? sift_support(a, e) : err_set(e, ENOMEM, "out of memory");

    if (!err)
        err = blob_file_open(a, f, s->fd, e);
    if (!err)
        err = sift(a, NULL, out, s->o, r, e);
    archive_freep(&a);
    a = NULL;
    blob_file_freep(&f);
    return err;
}

static int read_source(const struct source *s, struct squash *out, struct import_result *r,
                       struct err *e)
{
    cleanup_with(blobs_fini) struct blobs b = { .fd = -1 };
    cleanup_with(tree_close) struct tree tree = TREE_INIT;
    int is = blobs_open(&b, s->fd, s->dir, e);

    if (is < 0)
        return is;
    if (is && stack_is_image(&b))
        return stack_copy(&b, out, s->o, r, e);
    if (s->o->tag)
        return err_set(e, EINVAL, "not an image layout: there are no tags in it");
    if (!s->dir)
        return read_tar(s, out, r, e);

    int err = tree_open(&tree, s->path, e);

    return err ? err : sift(NULL, &tree, out, s->o, r, e);
}

/* In the child. stream: to sqfstar. */
static int reader(const struct source *s, const struct confined *walls, int stream,
                  struct import_result *r, struct err *e)
{
    struct squash out = SQUASH_INIT;
    locale_t ours;
    int err;

    use_utf8(&ours); /* reads files, so before the walls */
    err = confined_enter(walls, e);
    if (!err)
        err = squash_stream(&out, stream, e);
    if (!err)
        err = read_source(s, &out, r, e);
    return err ? err : squash_stream_end(&out, e);
}

/* Closes every descriptor but the standard ones and these. */
static int keep_only(const int fds[], size_t n)
{
    unsigned from = 3;

    for (;;) {
        unsigned next = ~0u;

        for (size_t i = 0; i < n; i++)
            if (fds[i] >= (int)from && (unsigned)fds[i] < next)
                next = (unsigned)fds[i];
        if (next > from && close_range(from, next == ~0u ? next : next - 1, 0))
            return -errno;
        if (next == ~0u)
            return 0;
        from = next + 1;
    }
}

static _Noreturn void become_reader(const struct source *s, const struct confined *walls,
                                    int stream, int result, pid_t parent)
{
    struct import_result r = { 0 };
    struct err e = ERR_INIT;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int fds[] = { s->fd, stream, result, walls->rules };

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent || null < 0 || dup2(null, 0) < 0 ||
        dup2(null, 1) < 0 || dup2(null, 2) < 0 || keep_only(fds, array_len(fds)))
        _exit(1);
    signal(SIGPIPE, SIG_IGN);

    int err = reader(s, walls, stream, &r, &e);

    if (err && !e.code)
        err_set(&e, -err, "%s", strerror(-err));
    _exit(tell(result, &e, &r) ? 1 : 0);
}

/* All that the reader has to say; sqfstar's messages meanwhile. */
static int listen_to(struct squash *sq, int fd, struct import_result *r, struct err *why)
{
    size_t max = sizeof(struct told) + TEXTS_MAX, have = 0;
    char *text = malloc(max);
    ssize_t n = 1;
    int err = text ? 0 : -ENOMEM;

    while (!err && n > 0 && have < max) {
        err = tool_wait(&sq->tool, fd);
        if (err)
            break;
        n = read(fd, text + have, max - have);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            have += (size_t)n;
    }
    if (!err)
        err = understand(text, have, r, why);
    free(text);
    return err;
}

static int end_of(pid_t pid, struct err *e)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(e, "image reader");
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
        return err_set(e, ETIME, "takes more than %d hours to read", CONFINED_SECONDS / 3600);
    if (WIFSIGNALED(status))
        return err_set(e, EIO, "its reader was killed by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status) ? err_set(e, EIO, "its reader failed") : 0;
}

/* Runs the reader and waits for it. */
static int run_reader(const struct source *s, struct squash *sq, struct import_result *r,
                      struct err *e)
{
    struct confined *walls = malloc(sizeof(*walls));
    pid_t self = getpid(), pid;
    int ends[2], err;

    if (!walls)
        return err_set(e, ENOMEM, "out of memory");
    err = confined_prepare(walls, s->dir ? s->fd : -1, e);
    if (!err && pipe2(ends, O_CLOEXEC))
        err = err_sys(e, "pipe");
    if (err) {
        confined_fini(walls);
        free(walls);
        return err;
    }

    auto_fd int result = ends[0];

    pid = fork();
    if (pid == 0)
        become_reader(s, walls, sq->tool.in, ends[1], self);
    close(ends[1]);
    confined_fini(walls);
    free(walls);
    if (pid < 0)
        return err_sys(e, "fork");
    fd_closep(&sq->tool.in);

    struct err why = ERR_INIT;
    int heard = listen_to(sq, result, r, &why);

    if (heard && heard != -EBADMSG)
        kill(pid, SIGKILL);
    err = end_of(pid, e);
    if (!err && heard)
        err = err_set(e, -heard, "its reader did not say what became of it");
    return err ? err : why.code ? err_set(e, why.code, "%s", why.msg) : 0;
}

static int import_source(const struct source *s, const char *squashfs, struct import_result *r,
                         struct err *e)
{
    cleanup_with(squash_stop) struct squash sq = SQUASH_INIT;
    struct err why = ERR_INIT;
    int err = squash_start_tool(&sq, squashfs, squash_bytes(s->o), e);

    if (err)
        return err;
    err = run_reader(s, &sq, r, &why);
    if (err && err != -EPIPE)
        return err_set(e, why.code, "%s", why.msg);

    /* sqfstar's own words, where it failed, are the better reason. */
    int end = squash_finish(&sq, e);

    return end || !err ? end : err_set(e, why.code, "%s", why.msg);
}

int import_path(const char *source, const char *squashfs, const struct import_options *o,
                struct import_result *r, struct err *e)
{
    cleanup_with(
        source_fini) struct source s = { .fd = open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK),
                                         .path = realpath(source, NULL),
                                         .o = o };
    struct err why = ERR_INIT;
    struct stat st;

    *r = (struct import_result){ 0 };
    if (s.fd < 0 || !s.path || fstat(s.fd, &st))
        return err_sys(e, "%s", source);
    s.dir = S_ISDIR(st.st_mode);
    if (!s.dir && !S_ISREG(st.st_mode))
        return err_set(e, EINVAL, "%s: neither a directory nor a file", source);

    int err = import_source(&s, squashfs, r, &why);

    return err ? err_set(e, why.code, "%s: %s", source, why.msg) : 0;
}

/* --- recipes -----------------------------------------------------------------------------------
 */

struct feed {
    struct tool *tool;
    char buf[SIFT_CHUNK];
};

static la_ssize_t read_tool(struct archive *a, void *arg, const void **buf)
{
    struct feed *f = arg;
    ssize_t n = tool_read(f->tool, f->buf, sizeof(f->buf));

    *buf = f->buf;
    if (n < 0)
        archive_set_error(a, (int)-n, "%s", strerror((int)-n));
    return n;
}

static int import_feed(struct feed *f, const char *squashfs, struct import_result *r, struct err *e)
{
    static const struct import_options usual;
    cleanup_with(archive_freep) struct archive *a = archive_read_new();
    cleanup_with(squash_stop) struct squash sq = SQUASH_INIT;
    struct err why = ERR_INIT;
    int err = a ? sift_support(a, e) : err_set(e, ENOMEM, "out of memory");

    if (!err && archive_read_open(a, f, NULL, read_tool, NULL) != ARCHIVE_OK)
        err = err_set(e, EINVAL, "%s", archive_error_string(a));
    if (!err)
        err = squash_start(&sq, squashfs, squash_bytes(&usual), e);
    if (err)
        return err;
    err = sift(a, NULL, &sq, &usual, r, &why);
    if (err && err != -EPIPE)
        return err_set(e, why.code, "%s", why.msg);

    int end = squash_finish(&sq, e);

    return end || !err ? end : err_set(e, why.code, "%s", why.msg);
}

int import_tool(struct tool *source, const char *squashfs, struct import_result *r, struct err *e)
{
    struct err mine = ERR_INIT;
    struct feed *f = malloc(sizeof(*f));

    *r = (struct import_result){ 0 };
    if (!f) {
        tool_stop(source);
        return err_set(e, ENOMEM, "out of memory");
    }
    f->tool = source;

    locale_t ours, was = use_utf8(&ours);
    int err = import_feed(f, squashfs, r, &mine);

    use_back(was, ours);
    free(f);
    if (err && err != -EINVAL) { /* not the tar's fault: whoever makes it need not go on */
        tool_stop(source);
        return err_set(e, mine.code, "%s", mine.msg);
    }

    int end = tool_finish(source, e);

    return end ? end : err ? err_set(e, mine.code, "%s", mine.msg) : 0;
}
