/*
 * notes.c - what was done before there was a log to say it in: the filling of volumes, by a job
 * that the keeper never talks to.
 */
#include "sandbox/guard/internal.h"

#include "base/io.h"
#include "sandbox/volume/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct rule *rule_by_id(const struct guard *g, const char *id)
{
    for (uint32_t i = 0; i < g->rules->nrules; i++)
        if (strcmp(g->rules->rules[i].id, id) == 0)
            return &g->rules->rules[i];
    return NULL;
}

/* Cuts a field off the line; NULL when there is none. */
static char *cut(char **line)
{
    char *field = *line, *tab = field ? strchr(field, '\t') : NULL;

    if (!tab)
        return NULL;
    *tab = '\0';
    *line = tab + 1;
    return field;
}

static int take(struct guard *g, char *line, struct err *e)
{
    const char *word = cut(&line), *kind = cut(&line), *id = cut(&line);
    const struct rule *rule;
    bool deny;

    if (!id)
        return err_set(e, EBADMSG, VOLUME_NOTES ": not what was written");
    rule = *id ? rule_by_id(g, id) : NULL;
    deny = strcmp(word, "deny") == 0;
    return guard_record(g, deny ? AUDIT_DENY : AUDIT_EVENT, kind, rule, deny ? 'H' : '-', line, e);
}

int guard_take_notes(struct guard *g, int boxfd, struct err *e)
{
    struct err why = ERR_INIT;
    size_t len;
    char *text, *next;
    int err = 0;

    text = io_load(boxfd, VOLUME_NOTES, VOLUME_NOTES_MAX, &len, &why);
    if (!text)
        return why.code == ENOENT ? 0 : err_set(e, why.code, "%s", why.msg);
    if (len == 0 || text[len - 1] != '\n' || memchr(text, 0, len))
        err = err_set(e, EBADMSG, VOLUME_NOTES ": not what was written");
    for (char *p = text; !err && p < text + len; p = next) {
        char *end = memchr(p, '\n', (size_t)(text + len - p));

        *end = '\0';
        next = end + 1;
        err = take(g, p, e);
    }
    free(text);
    /* Told twice after a crash in between, never not at all. */
    if (!err && unlinkat(boxfd, VOLUME_NOTES, 0))
        err = err_sys(e, VOLUME_NOTES);
    return err;
}
