/* help.c - see help.h. */
#include "sandbox/cli/help.h"

#include <errno.h>
#include <string.h>

#define LEFT 30 /* where the explanations begin */

/* "-m, --memory SIZE" */
static void option_usage(const struct opt *o, char *buf, size_t len)
{
    char letter[5] = "    ";

    if (o->letter)
        snprintf(letter, sizeof(letter), "-%c, ", o->letter);
    snprintf(buf, len, "%s--%s%s%s", letter, o->name, o->arg ? " " : "", o->arg ? o->arg : "");
}

static void print_pair(FILE *to, const char *left, const char *right)
{
    if (strlen(left) + 4 > LEFT)
        fprintf(to, "  %s\n%*s%s\n", left, LEFT, "", right);
    else
        fprintf(to, "  %-*s%s\n", LEFT - 2, left, right);
}

static void print_options(FILE *to, const struct verb *v)
{
    char usage[80];

    fputs("\nOptions:\n", to);
    for (size_t i = 0; i < VERB_OPTS && v->opts[i]; i++) {
        option_usage(opt_by_id(v->opts[i]), usage, sizeof(usage));
        print_pair(to, usage, opt_by_id(v->opts[i])->help);
    }
    for (int id = 1; id < OPT_COUNT; id++) {
        if (!verb_takes(NULL, (enum opt_id)id))
            continue;
        option_usage(opt_by_id((enum opt_id)id), usage, sizeof(usage));
        print_pair(to, usage, opt_by_id((enum opt_id)id)->help);
    }
}

static void print_verbs(FILE *to, enum verb_id parent)
{
    fputs("\nVerbs:\n", to);
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (verbs[i].parent == parent)
            print_pair(to, verbs[i].name, verbs[i].summary);
}

static void print_top(FILE *to)
{
    fputs("carrel - a private machine for each AI agent\n\n"
          "Usage: carrel VERB [OPTIONS] ...\n",
          to);
    print_verbs(to, VERB_COUNT);
    fputs("\nExit status: the command's own; 125 Carrel failed, 126 cannot be executed, 127 not\n"
          "found, 128+N killed by signal N, 124 --timeout ran out. Other verbs: 0, 1 failed, 2 "
          "usage.\n"
          "\nA first sandbox:  carrel image build mini && carrel run mini -- echo hello\n"
          "This host:        carrel doctor\n"
          "More on a verb:   carrel help VERB\n",
          to);
}

void help_print(FILE *to, const struct verb *v)
{
    char path[40];

    if (!v) {
        print_top(to);
        return;
    }
    verb_path(v, path, sizeof(path));
    fprintf(to, "carrel %s - %s\n\n", path, v->summary);
    if (verb_is_group(v)) {
        fprintf(to, "Usage: carrel %s %s\n", path, v->operands);
        print_verbs(to, v->id);
        return;
    }
    fprintf(to, "Usage: carrel %s [OPTIONS]%s%s\n", path, *v->operands ? " " : "", v->operands);
    if (v->about)
        fprintf(to, "\n%s\n", v->about);
    print_options(to, v);
}

/* ---- manual pages ---- */

/* Characters that scdoc(5) gives a meaning. */
static void scd_text(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (strchr("\\_*<[#+~", *text))
            fputc('\\', to);
        fputc(*text, to);
    }
}

static void scd_option(FILE *to, const struct opt *o)
{
    if (o->letter)
        fprintf(to, "*-%c*, ", o->letter);
    fprintf(to, "*--%s*", o->name);
    if (o->arg) {
        fputs(" _", to);
        scd_text(to, o->arg);
        fputc('_', to);
    }
    fputs("\n\t", to);
    scd_text(to, o->help);
    fputs("\n\n", to);
}

static void scd_options(FILE *to, const struct verb *v)
{
    for (size_t i = 0; i < VERB_OPTS && v->opts[i]; i++)
        scd_option(to, opt_by_id(v->opts[i]));
    for (int id = 1; id < OPT_COUNT; id++)
        if (verb_takes(NULL, (enum opt_id)id))
            scd_option(to, opt_by_id((enum opt_id)id));
}

static void scd_synopsis(FILE *to, const struct verb *v)
{
    char path[40];

    fprintf(to, "*carrel %s* ", verb_path(v, path, sizeof(path)));
    scd_text(to, verb_is_group(v) ? "VERB ..." : "[OPTIONS] ");
    if (!verb_is_group(v))
        scd_text(to, v->operands);
    fputs("\n\n", to);
}

static void scd_verbs(FILE *to)
{
    char path[40];

    for (size_t i = 0; i < VERB_COUNT; i++) {
        const struct verb *v = &verbs[i];

        if (verb_is_group(v))
            continue;
        fprintf(to, "*%s* ", verb_path(v, path, sizeof(path)));
        scd_text(to, v->operands);
        fputs("\n\t", to);
        scd_text(to, v->summary);
        fprintf(to, ": *carrel-%s*(1)\n\n",
                v->parent == VERB_COUNT ? v->name : verbs[v->parent].name);
    }
}

/* "image ls" */
static const struct verb *named(char *text)
{
    const struct verb *v = NULL;
    char *rest = text, *word;

    while ((word = strsep(&rest, " "))) {
        v = verb_find(v, word);
        if (!v)
            return NULL;
    }
    return v;
}

int help_expand_page(FILE *from, FILE *to, help_part_fn *part)
{
    char line[1024];

    while (fgets(line, sizeof(line), from)) {
        size_t len = strlen(line);
        const struct verb *v;

        if (line[0] != '@' || len < 3 || strcmp(line + len - 2, "@\n") != 0) {
            fputs(line, to);
            continue;
        }
        line[len - 2] = '\0';
        if (strcmp(line, "@VERBS") == 0) {
            scd_verbs(to);
            continue;
        }
        if (part && part(line + 1, to))
            continue;

        char *name = strchr(line, ' ');

        v = name ? named(name + 1) : NULL;
        if (!v)
            return -EINVAL;
        if (strncmp(line, "@OPTIONS ", 9) == 0)
            scd_options(to, v);
        else if (strncmp(line, "@SYNOPSIS ", 10) == 0)
            scd_synopsis(to, v);
        else
            return -EINVAL;
    }
    return ferror(from) || ferror(to) ? -EIO : 0;
}
