/* parse.c - see parse.h. */
#include "sandbox/cli/parse.h"

#include "sandbox/cli/suggest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One walk over argv. */
struct walk {
    struct command_line *a;
    int argc, at;
    char **argv;
    char *hint;
    struct err *e;
};

/*
 * Options that users of other tools reach for and that Carrel has no counterpart to: the refusal
 * says what to do instead. Nothing is accepted silently.
 */
static const struct {
    const char *name;
    char letter;
    const char *hint;
} foreign[] = {
    { "volume", 'v', "a sandbox shares no folder with the host; copy files with `carrel cp`" },
    { "mount", 0, "a sandbox shares no folder with the host; copy files with `carrel cp`" },
    { "publish", 'p', "a sandbox has no network; talk to it with `carrel exec`" },
    { "network", 0, "a sandbox has no network, and none can be granted" },
    { "net", 0, "a sandbox has no network, and none can be granted" },
    { "privileged", 0, "the command may already do anything inside its own machine: -u root" },
    { "cap-add", 0, "the command may already do anything inside its own machine: -u root" },
    { "gpus", 0, "devices of the host cannot be given to a sandbox" },
    { "device", 0, "devices of the host cannot be given to a sandbox" },
    { "entrypoint", 0, "give the whole command after the image" },
    { "hostname", 0, "the host name in the guest is the sandbox's: --name" },
    { "init", 0, "every sandbox has an init that reaps processes" },
    { "platform", 0, "images are of this machine's architecture" },
    { "pull", 0, "images are built or imported: `carrel help image`" },
};

static void foreign_hint(struct walk *w, const char *name, char letter)
{
    for (size_t i = 0; i < array_len(foreign); i++)
        if (name ? strcmp(foreign[i].name, name) == 0 : foreign[i].letter == letter)
            snprintf(w->hint, HINT_MAX, "%s", foreign[i].hint);
}

static void see_help(struct walk *w)
{
    char path[40];

    if (w->hint[0])
        return;
    if (w->a->verb)
        snprintf(w->hint, HINT_MAX, "carrel %s --help", verb_path(w->a->verb, path, sizeof(path)));
    else
        snprintf(w->hint, HINT_MAX, "carrel --help");
}

static int unknown_long(struct walk *w, const char *name)
{
    const struct verb *v = w->a->verb;
    const char *best = NULL;

    foreign_hint(w, name, 0);
    for (int id = 1; id < OPT_COUNT; id++)
        if (verb_takes(v, (enum opt_id)id))
            suggest_offer(name, opt_by_id((enum opt_id)id)->name, &best);
    if (best && !w->hint[0])
        snprintf(w->hint, HINT_MAX, "did you mean --%s?", best);
    see_help(w);
    return err_set(w->e, EINVAL, "unknown option: --%s", name);
}

static int push_value(struct walk *w, enum opt_id id, const char *text)
{
    struct command_line *a = w->a;
    struct args_value *grown = realloc(a->values, (a->nvalues + 1) * sizeof(*grown));

    if (!grown)
        return err_set(w->e, ENOMEM, "out of memory");
    a->values = grown;
    a->values[a->nvalues++] = (struct args_value){ id, text };
    return 0;
}

static bool word_is_one_of(const char *words, const char *text)
{
    size_t len = strlen(text);

    for (const char *p = words; *p; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");

        if (n == len && memcmp(p, text, n) == 0)
            return true;
        p += n;
    }
    return false;
}

static int take(struct walk *w, const struct opt *o, const char *text)
{
    if (o->kind == WORD_ONE_OF && !word_is_one_of(o->words, text)) {
        snprintf(w->hint, HINT_MAX, "one of: %s", o->words);
        return err_set(w->e, EINVAL, "--%s: not a choice: \"%s\"", o->name, text);
    }
    return push_value(w, o->id, text);
}

/* The argument of o: what is glued to it, or the next word. */
static int take_argument(struct walk *w, const struct opt *o, const char *glued)
{
    if (glued)
        return take(w, o, glued);
    if (w->at + 1 >= w->argc) {
        see_help(w);
        return err_set(w->e, EINVAL, "--%s needs an argument: %s", o->name, o->arg);
    }
    return take(w, o, w->argv[++w->at]);
}

static int parse_long(struct walk *w, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    char name[64];

    if (len >= sizeof(name)) {
        see_help(w);
        return err_set(w->e, EINVAL, "unknown option: --%s", word);
    }
    memcpy(name, word, len);
    name[len] = '\0';
    if (!w->a->verb && !equals && strcmp(name, "version") == 0) {
        w->a->version = true;
        return 0;
    }
    for (int id = 1; id < OPT_COUNT; id++) {
        const struct opt *o = opt_by_id((enum opt_id)id);

        if (!verb_takes(w->a->verb, o->id) || strcmp(o->name, name) != 0)
            continue;
        if (o->arg)
            return take_argument(w, o, equals ? equals + 1 : NULL);
        if (equals) {
            see_help(w);
            return err_set(w->e, EINVAL, "--%s takes no argument", o->name);
        }
        return push_value(w, o->id, NULL);
    }
    return unknown_long(w, name);
}

/* A cluster of letters; one that takes an argument ends it. */
static int parse_letters(struct walk *w, const char *word)
{
    for (const char *p = word; *p; p++) {
        const struct opt *o = NULL;

        for (int id = 1; id < OPT_COUNT && !o; id++)
            if (opt_by_id((enum opt_id)id)->letter == *p && verb_takes(w->a->verb, (enum opt_id)id))
                o = opt_by_id((enum opt_id)id);
        if (!o) {
            foreign_hint(w, NULL, *p);
            see_help(w);
            return err_set(w->e, EINVAL, "unknown option: -%c", *p);
        }
        if (o->arg)
            return take_argument(w, o, p[1] ? p + 1 + (p[1] == '=') : NULL);

        int err = push_value(w, o->id, NULL);

        if (err)
            return err;
    }
    return 0;
}

static int unknown_verb(struct walk *w, const char *name)
{
    const struct verb *parent = w->a->verb;
    enum verb_id under = parent ? parent->id : VERB_COUNT;
    const char *best = NULL;

    for (int i = 0; i < VERB_COUNT; i++)
        if (verbs[i].parent == under)
            suggest_offer(name, verbs[i].name, &best);
    if (best)
        snprintf(w->hint, HINT_MAX, "did you mean `carrel %s%s%s`?", parent ? parent->name : "",
                 parent ? " " : "", best);
    see_help(w);
    return err_set(w->e, EINVAL, "unknown verb: %s%s%s", parent ? parent->name : "",
                   parent ? " " : "", name);
}

static void push_operand(struct command_line *a, char *word, bool *separator)
{
    a->operands[a->noperands++] = word;
    *separator = a->verb->command && a->noperands == 1;
}

/* A word that is no option: the verb, the verb below it, or an operand. */
static int parse_word(struct walk *w, char *word, bool *options, bool *separator)
{
    struct command_line *a = w->a;

    if (!a->verb || (verb_is_group(a->verb) && a->noperands == 0)) {
        const struct verb *v = verb_find(a->verb, word);

        if (!v)
            return unknown_verb(w, word);
        a->verb = v;
        return 0;
    }
    push_operand(a, word, separator);
    if (a->verb->command)
        *options = false;
    return 0;
}

static int check_operands(struct walk *w)
{
    const struct command_line *a = w->a;
    const struct verb *v = a->verb;
    char path[40];

    if (!v || args_has(a, OPT_HELP))
        return 0;
    verb_path(v, path, sizeof(path));
    if (verb_is_group(v)) {
        see_help(w);
        return err_set(w->e, EINVAL, "%s: which verb?", path);
    }
    if (a->noperands >= v->min_operands &&
        (v->max_operands == ANY_MANY || a->noperands <= v->max_operands))
        return 0;
    snprintf(w->hint, HINT_MAX, "usage: carrel %s [OPTIONS]%s%s", path, *v->operands ? " " : "",
             v->operands);
    if (a->noperands < v->min_operands)
        return err_set(w->e, EINVAL, "%s: not enough arguments", path);
    return err_set(w->e, EINVAL, "%s: one argument too many: \"%s\"", path,
                   a->operands[v->max_operands]);
}

int args_parse(struct command_line *a, int argc, char **argv, char hint[HINT_MAX], struct err *e)
{
    struct walk w = { .a = a, .argc = argc, .at = 1, .argv = argv, .hint = hint, .e = e };
    bool options = true;
    bool separator = false; /* a "--" here stands between IMAGE and COMMAND */

    memset(a, 0, sizeof(*a));
    hint[0] = '\0';
    a->operands = calloc((size_t)argc + 1, sizeof(*a->operands));
    if (!a->operands)
        return err_set(e, ENOMEM, "out of memory");
    for (; w.at < argc; w.at++) {
        char *word = argv[w.at];
        int err = 0;

        if (options && strcmp(word, "--") == 0 && a->verb && !verb_is_group(a->verb))
            options = false;
        else if (!options && separator && strcmp(word, "--") == 0)
            separator = false;
        else if (!options)
            push_operand(a, word, &separator);
        else if (word[0] == '-' && word[1] == '-')
            err = parse_long(&w, word + 2);
        else if (word[0] == '-' && word[1])
            err = parse_letters(&w, word + 1);
        else
            err = parse_word(&w, word, &options, &separator);
        if (err)
            return err;
    }
    return check_operands(&w);
}

void args_fini(struct command_line *a)
{
    free(a->values);
    free(a->operands);
    memset(a, 0, sizeof(*a));
}

bool args_has(const struct command_line *a, enum opt_id id)
{
    for (size_t i = 0; i < a->nvalues; i++)
        if (a->values[i].id == id)
            return true;
    return false;
}

const char *args_text(const struct command_line *a, enum opt_id id)
{
    const char *text = NULL;

    for (size_t i = 0; i < a->nvalues; i++)
        if (a->values[i].id == id)
            text = a->values[i].text;
    return text;
}

const char *args_next(const struct command_line *a, enum opt_id id, size_t *at)
{
    while (*at < a->nvalues) {
        const struct args_value *v = &a->values[(*at)++];

        if (v->id == id)
            return v->text;
    }
    return NULL;
}

bool args_wants_json(const struct command_line *a, int argc, char **argv)
{
    bool command = a->verb && a->verb->command;

    if (args_has(a, OPT_JSON))
        return true;
    /* The parser stopped before it came so far: look at what could still be ours. */
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0)
            return true;
        if (command && a->noperands && argv[i] == a->operands[0])
            return false;
    }
    return false;
}
