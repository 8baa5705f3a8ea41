/* audit_verify.c - audit verify: is what was recorded still what was recorded? */
#include "base/fd.h"
#include "base/io.h"
#include "sandbox/audit/checkpoint.h"
#include "sandbox/cli/audit_named.h"
#include "sandbox/cli/text.h"
#include "sandbox/cli/verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct verifying {
    struct cli *c;
    struct audit_host h;
    json_t *array;
    int status;
};

/* The stable word of a verdict. */
static const char *word_of(enum log_state state, const struct audit_verdict *v)
{
    switch (state) {
    case LOG_CLOSED: return "sound";
    case LOG_LIVE: return "sound-so-far";
    case LOG_CUT: return "cut-short";
    default: return v->fault == AUDIT_UNREADABLE ? "unreadable" : "tampered";
    }
}

static void tell(struct verifying *v, const struct audit_named *log, enum log_state state,
                 const struct audit_verdict *verdict, const char *why)
{
    const bool good = state == LOG_CLOSED || state == LOG_LIVE;
    char text[480], name[300], safe[600], kept[80] = "";

    if (v->c->json) {
        json_array_append_new(
            v->array,
            json_pack("{s:o, s:o, s:o, s:s, s:I, s:I, s:I, s:I, s:b, s:o, s:o}", "log",
                      cli_json_text(log->id[0] ? log->id : log->shown), "name",
                      log->name[0] ? cli_json_text(log->name) : json_null(), "sandbox",
                      cli_json_text(verdict->sandbox), "verdict", word_of(state, verdict),
                      "records", (json_int_t)verdict->records, "signed",
                      (json_int_t)verdict->covered, "checkpoints", (json_int_t)verdict->checkpoints,
                      "kept_checkpoints", (json_int_t)verdict->kept, "closed", (int)verdict->closed,
                      "tampered_at",
                      verdict->fault == AUDIT_TAMPERED ? json_integer((json_int_t)verdict->records)
                                                       : json_null(),
                      "why", good ? json_null() : cli_json_text(why)));
        return;
    }
    if (good && v->c->quiet)
        return;
    audit_verdict_text(state, verdict, why, text, sizeof(text));
    if (verdict->kept && good)
        snprintf(kept, sizeof(kept), "; it holds all that the kept checkpoint%s signed for",
                 verdict->kept > 1 ? "s were" : " was");
    printf("%s%s%s %s: %s%s\n",
           !v->c->colour_out ? ""
           : good            ? "\033[32m"
                             : "\033[31m",
           good ? "\xe2\x9c\x94" : "\xe2\x9c\x98", v->c->colour_out ? "\033[0m" : "",
           text_line(log->shown, name, sizeof(name)), text_line(text, safe, sizeof(safe)), kept);
}

static void verify_one(struct verifying *v, const char *what)
{
    struct audit_named log = { .fd = -1 };

    if (audit_named_open(v->c, &v->h, what, &log, &v->status)) {
        const struct audit_check check = { .dirfd = log.fd, .key = v->h.key, .kept_fd = v->h.kept };
        struct audit_verdict verdict;
        struct err why = ERR_INIT;
        enum log_state state = log_judge(&check, log.id[0] ? log.id : NULL, &verdict, &why);

        if (v->h.kept >= 0 && !verdict.kept && (state == LOG_CLOSED || state == LOG_LIVE)) {
            state = LOG_BROKEN;
            verdict.fault = AUDIT_UNREADABLE;
            err_set(&why, EINVAL, "--checkpoint: there is none in that file");
        }
        if (state == LOG_CUT || state == LOG_BROKEN)
            v->status = EXIT_NO;
        tell(v, &log, state, &verdict, why.msg);
    }
    audit_named_close(&log);
}

/* A kept checkpoint says itself whose it is. */
static bool kept_sandbox(int fd, char sandbox[AUDIT_ID_MAX])
{
    char text[AUDIT_NOTE_MAX + 1];
    ssize_t n = io_pread_full(fd, text, sizeof(text) - 1, 0);

    text[n < 0 ? 0 : n] = '\0';
    return sscanf(text, " carrel-audit %64s", sandbox) == 1 && logs_is_id(sandbox);
}

static void verify_all(struct verifying *v)
{
    struct err e = ERR_INIT;
    char **ids = NULL;
    size_t n = 0;

    if (v->h.logs >= 0 && logs_list(v->h.logs, &ids, &n, &e))
        v->status = cli_fail(v->c, "audit", &e, NULL);
    for (size_t i = 0; i < n; i++) {
        verify_one(v, ids[i]);
        free(ids[i]);
    }
    free(ids);
    if (!n && !v->status)
        cli_note(v->c, "there are no audit logs");
}

int verb_audit_verify(struct cli *c)
{
    struct verifying v = { .c = c, .array = json_array() };
    char sandbox[AUDIT_ID_MAX];
    struct err e = ERR_INIT;

    if (args_has(c->args, OPT_CHECKPOINT) && c->args->noperands > 1) {
        json_decref(v.array);
        err_set(&e, EINVAL, "--checkpoint is of one log: name one");
        return cli_fail_usage(c, &e, NULL);
    }
    if (audit_host_open(c, &v.h, &v.status)) {
        for (size_t i = 0; i < c->args->noperands; i++)
            verify_one(&v, c->args->operands[i]);
        if (!c->args->noperands && v.h.kept >= 0) {
            if (kept_sandbox(v.h.kept, sandbox)) {
                verify_one(&v, sandbox);
            } else {
                err_set(&e, EINVAL, "%s: not a checkpoint", args_text(c->args, OPT_CHECKPOINT));
                v.status = cli_fail(c, "audit", &e, NULL);
            }
        } else if (!c->args->noperands) {
            verify_all(&v);
        }
        if (c->json && !cli_json(c, json_incref(v.array)))
            v.status = EXIT_NO;
    }
    audit_host_close(&v.h);
    json_decref(v.array);

    int failed = cli_finish(c);

    return v.status ? v.status : failed;
}
