/* cli.c - see cli.h. */
#include "sandbox/cli/cli.h"

#include "sandbox/cli/size.h"
#include "sandbox/cli/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool wants_colour(const char *when, int fd)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    if (when && strcmp(when, "always") == 0)
        return true;
    if (when && strcmp(when, "never") == 0)
        return false;
    return isatty(fd) && !(no && *no) && term && *term && strcmp(term, "dumb") != 0;
}

void cli_init(struct cli *c, const struct command_line *args, bool json)
{
    const char *when = args_text(args, OPT_COLOR), *term = getenv("TERM");

    memset(c, 0, sizeof(*c));
    c->args = args;
    c->json = json;
    c->quiet = args_has(args, OPT_QUIET);
    c->colour_out = wants_colour(when, STDOUT_FILENO);
    c->colour_err = wants_colour(when, STDERR_FILENO);
    c->terminal_err = isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

static int fail(struct cli *c, const char *code, const struct err *e, const char *hint, int status)
{
    char line[2 * sizeof(e->msg)];

    cli_progress_end(c);
    fflush(stdout);
    fprintf(stderr, "%scarrel:%s %s\n", c->colour_err ? "\033[1;31m" : "",
            c->colour_err ? "\033[0m" : "", text_line(e->msg, line, sizeof(line)));
    if (hint && *hint)
        fprintf(stderr, "hint: %s\n", text_line(hint, line, sizeof(line)));
    if (c->json) {
        const struct verb *v = c->args->verb;
        char docs[64] = "carrel(1)";

        if (v)
            snprintf(docs, sizeof(docs), "carrel-%s(1)",
                     v->parent == VERB_COUNT ? v->name : verbs[v->parent].name);

        json_t *o =
            json_pack("{s:{s:s, s:o, s:o, s:s}}", "error", "code", code, "message",
                      cli_json_text(e->msg), "hint", cli_json_text(hint ? hint : ""), "docs", docs);

        if (!cli_json(c, o))
            fputs("carrel: the error could not be written to standard output\n", stderr);
    }
    return status;
}

/* The stable name of what an errno means here. */
static const char *kind_of(int code)
{
    static const struct {
        int code;
        const char *kind;
    } kinds[] = {
        { ENOENT, "not-found" }, { EEXIST, "exists" },      { EACCES, "permission" },
        { EPERM, "permission" }, { EROFS, "permission" },   { ENOSPC, "no-space" },
        { EDQUOT, "no-space" },  { EBUSY, "busy" },         { EWOULDBLOCK, "busy" },
        { EINVAL, "invalid" },   { ENOTUNIQ, "ambiguous" }, { ECONNREFUSED, "not-running" },
        { ENOMEM, "no-memory" }, { E2BIG, "too-long" },     { EBADMSG, "damaged" },
        { ENODEV, "absent" },    { ENXIO, "absent" },       { ENOTSUP, "unsupported" },
    };

    for (size_t i = 0; i < array_len(kinds); i++)
        if (kinds[i].code == code)
            return kinds[i].kind;
    return "failed";
}

/* What helps against the host's own refusals, where nobody knows better. */
static const char *usual_hint(const char *room, int code)
{
    bool place = strcmp(room, "state") == 0 || strcmp(room, "image") == 0 ||
                 strcmp(room, "kernel") == 0 || strcmp(room, "sandbox") == 0;

    if (!place)
        return NULL;
    if (code == ENOSPC || code == EDQUOT)
        return "make room, or set CARREL_STATE and CARREL_DATA to directories that have it";
    if (code == EACCES || code == EPERM || code == EROFS)
        return "set CARREL_STATE and CARREL_DATA to directories that you may write";
    return NULL;
}

int cli_fail(struct cli *c, const char *room, const struct err *e, const char *hint)
{
    const struct verb *v = c->args->verb;
    char code[64];

    snprintf(code, sizeof(code), "%s.%s", room,
             e->code == EACCES && strcmp(room, "policy") == 0 ? "denied" : kind_of(e->code));
    if (!hint || !*hint)
        hint = usual_hint(room, e->code);
    return fail(c, code, e, hint, v && v->runs_command ? EXIT_CARREL : EXIT_NO);
}

int cli_fail_usage(struct cli *c, const struct err *e, const char *hint)
{
    const struct verb *v = c->args->verb;

    return fail(c, "usage", e, hint, v && v->runs_command ? EXIT_CARREL : EXIT_USAGE);
}

void cli_note(struct cli *c, const char *fmt, ...)
{
    char text[480], line[480];
    va_list ap;

    if (c->quiet)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    cli_progress_end(c);
    fprintf(stderr, "carrel: %s\n", text_line(text, line, sizeof(line)));
}

void cli_progress(void *arg, const char *line)
{
    struct cli *c = arg;
    char text[160];

    if (c->quiet || !c->terminal_err)
        return;
    fprintf(stderr, "\r\033[K%s", text_line(line, text, sizeof(text)));
    fflush(stderr);
    c->progress_shown = true;
}

void cli_progress_end(struct cli *c)
{
    if (!c->progress_shown)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    c->progress_shown = false;
}

bool cli_json(struct cli *c, json_t *v)
{
    (void)c;
    if (!v)
        return false;

    int err = json_dumpf(v, stdout, JSON_COMPACT | JSON_ENCODE_ANY);

    json_decref(v);
    return err == 0 && putchar('\n') != EOF;
}

int cli_finish(struct cli *c)
{
    struct err e = ERR_INIT;

    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    /* Whoever read our output has read enough: `carrel ls | head -1`. */
    if (errno == EPIPE)
        return EXIT_NO;
    (void)err_sys(&e, "standard output");
    return cli_fail(c, "output", &e, NULL);
}

json_t *cli_json_text(const char *text)
{
    size_t len = strlen(text), partial;
    size_t good = text_utf8_prefix(text, len, &partial);

    if (good == len)
        return json_stringn_nocheck(text, len);

    /* Each bad byte becomes U+FFFD, three bytes. */
    char *fixed = malloc(3 * len + 1);
    size_t used = 0;

    if (!fixed)
        return NULL;
    for (size_t at = 0; at < len;) {
        good = text_utf8_prefix(text + at, len - at, &partial);
        memcpy(fixed + used, text + at, good);
        used += good;
        at += good;
        if (at < len) {
            fixed[used++] = '\xef';
            fixed[used++] = '\xbf';
            fixed[used++] = '\xbd';
            at++;
        }
    }

    json_t *s = json_stringn_nocheck(fixed, used);

    free(fixed);
    return s;
}

json_t *cli_json_time(int64_t ns)
{
    char buf[48];

    return ns ? json_string(time_text(ns, buf, sizeof(buf))) : json_null();
}
