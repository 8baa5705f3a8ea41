/*
 * complete.c - see complete.h.
 *
 * The three scripts have one shape: find the verb among the words so far, then offer its options,
 * or what its operands are. Names of sandboxes, images and kernels are asked of carrel itself.
 */
#include "sandbox/cli/complete.h"

#include "sandbox/cli/table.h"

#include <errno.h>
#include <string.h>

/* A command that lists the candidates for a kind of word; NULL: none. */
static const char *lister(enum word_kind kind)
{
    switch (kind) {
    case WORD_BOX: return "carrel ls -q 2>/dev/null";
    case WORD_RUNNING: return "carrel ps -q 2>/dev/null";
    case WORD_IMAGE: return "carrel image ls -q 2>/dev/null; echo mini; echo base";
    case WORD_LOG: return "carrel audit ls --format name,id 2>/dev/null | sed 1d";
    case WORD_KERNEL: return "carrel kernel ls -q 2>/dev/null";
    case WORD_POLICY: return "carrel policy ls 2>/dev/null";
    case WORD_SIGNAL: return "echo HUP INT QUIT KILL USR1 USR2 TERM CONT STOP";
    default: return NULL;
    }
}

/* "image:ls" is the key of the verb in the scripts. */
static void key_of(const struct verb *v, char *buf, size_t len)
{
    if (v->parent != VERB_COUNT)
        snprintf(buf, len, "%s:%s", verbs[v->parent].name, v->name);
    else
        snprintf(buf, len, "%s", v->name);
}

static void verb_words(FILE *to, enum verb_id parent)
{
    bool first = true;

    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (verbs[i].parent != parent)
            continue;
        fprintf(to, "%s%s", first ? "" : " ", verbs[i].name);
        first = false;
    }
}

static void option_words(FILE *to, const struct verb *v)
{
    bool first = true;

    for (int id = 1; id < OPT_COUNT; id++) {
        const struct opt *o = opt_by_id((enum opt_id)id);

        if (!verb_takes(v, o->id))
            continue;
        fprintf(to, "%s--%s", first ? "" : " ", o->name);
        if (o->letter)
            fprintf(to, " -%c", o->letter);
        first = false;
    }
}

/* "$key == image || $key == kernel": the word so far is a group, and a verb of it comes. */
static void group_test(FILE *to)
{
    bool first = true;

    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (!verb_is_group(&verbs[i]))
            continue;
        fprintf(to, "%s$key == %s", first ? "" : " || ", verbs[i].name);
        first = false;
    }
}

/* ---- bash ---- */

static void bash_candidates(FILE *to, enum word_kind kind, const char *words)
{
    const char *list = lister(kind);

    if (kind == WORD_FILE || kind == WORD_COPY || kind == WORD_POLICY || kind == WORD_COMMAND)
        fputs("COMPREPLY=($(compgen -f -- \"$cur\"))", to);
    else if (kind == WORD_DIR)
        fputs("COMPREPLY=($(compgen -d -- \"$cur\"))", to);
    else if (kind == WORD_ONE_OF)
        fprintf(to, "COMPREPLY=($(compgen -W '%s' -- \"$cur\"))", words);
    else if (kind == WORD_VERB) {
        fputs("COMPREPLY=($(compgen -W '", to);
        verb_words(to, VERB_COUNT);
        fputs("' -- \"$cur\"))", to);
    } else if (list)
        fprintf(to, "COMPREPLY=($(compgen -W \"$(%s)\" -- \"$cur\"))", list);
    else
        fputs("COMPREPLY=()", to);
}

static void bash_option_arguments(FILE *to)
{
    fputs("    case $key,$prev in\n", to);
    for (size_t i = 0; i < VERB_COUNT; i++) {
        const struct verb *v = &verbs[i];
        char key[40];

        key_of(v, key, sizeof(key));
        for (int id = 1; id < OPT_COUNT; id++) {
            const struct opt *o = opt_by_id((enum opt_id)id);

            if (!o->arg || !verb_takes(v, o->id) || verb_is_group(v))
                continue;
            fprintf(to, "    %s,--%s", key, o->name);
            if (o->letter)
                fprintf(to, "|%s,-%c", key, o->letter);
            fputs(") ", to);
            bash_candidates(to, o->kind, o->words);
            fputs("; return ;;\n", to);
        }
    }
    fputs("    esac\n", to);
}

static void bash_operands(FILE *to)
{
    fputs("    case $key in\n    '') COMPREPLY=($(compgen -W '", to);
    verb_words(to, VERB_COUNT);
    fputs(" --help --version' -- \"$cur\")) ;;\n", to);
    for (size_t i = 0; i < VERB_COUNT; i++) {
        const struct verb *v = &verbs[i];
        char key[40];

        key_of(v, key, sizeof(key));
        fprintf(to, "    %s)\n", key);
        if (verb_is_group(v)) {
            fputs("        COMPREPLY=($(compgen -W '", to);
            verb_words(to, v->id);
            fputs("' -- \"$cur\")) ;;\n", to);
            continue;
        }
        fputs("        if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '", to);
        option_words(to, v);
        fputs("' -- \"$cur\"))\n        elif ((operands == 0)); then ", to);
        if (v->id == VERB_COMPLETION)
            bash_candidates(to, WORD_ONE_OF, "bash zsh fish");
        else
            bash_candidates(to, v->first, NULL);
        fputs("\n        else ", to);
        bash_candidates(to, v->rest, NULL);
        fputs("; fi ;;\n", to);
    }
    fputs("    esac\n", to);
}

/* Options that take the next word, per verb: needed to tell operands from arguments. */
static void bash_takers(FILE *to)
{
    fputs("    case $1,$2 in\n", to);
    for (size_t i = 0; i < VERB_COUNT; i++) {
        const struct verb *v = &verbs[i];
        char key[40];

        key_of(v, key, sizeof(key));
        for (int id = 1; id < OPT_COUNT; id++) {
            const struct opt *o = opt_by_id((enum opt_id)id);

            if (!o->arg || !verb_takes(v, o->id) || verb_is_group(v))
                continue;
            fprintf(to, "    %s,--%s", key, o->name);
            if (o->letter)
                fprintf(to, "|%s,-%c", key, o->letter);
            fputs(") return 0 ;;\n", to);
        }
    }
    fputs("    esac\n    return 1\n", to);
}

static void bash_print(FILE *to)
{
    fputs("# bash completion for carrel: source <(carrel completion bash)\n"
          "_carrel_takes_word() {\n",
          to);
    bash_takers(to);
    fputs("}\n"
          "_carrel() {\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    local key='' operands=0 i word\n"
          "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "        word=${COMP_WORDS[i]}\n"
          "        if [[ $word == -- ]]; then ((operands += 1))\n"
          "        elif [[ $word == -* ]]; then\n"
          "            if _carrel_takes_word \"$key\" \"$word\"; then ((i += 1)); fi\n"
          "        elif [[ -z $key ]]; then key=$word\n"
          "        elif [[ ",
          to);
    group_test(to);
    fputs(" ]]; then key=$key:$word\n"
          "        else ((operands += 1)); fi\n"
          "    done\n",
          to);
    bash_option_arguments(to);
    bash_operands(to);
    fputs("}\ncomplete -o filenames -F _carrel carrel\n", to);
}

/* ---- zsh ---- */

/* Text inside single quotes of a spec: ' and the characters that _arguments reads are escaped. */
static void zsh_text(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", to);
        else if (strchr("[]:\\", *text))
            fprintf(to, "\\%c", *text);
        else
            fputc(*text, to);
    }
}

static void zsh_action(FILE *to, enum word_kind kind, const char *words)
{
    const char *list = lister(kind);

    if (kind == WORD_FILE || kind == WORD_COPY || kind == WORD_POLICY || kind == WORD_COMMAND)
        fputs("_files", to);
    else if (kind == WORD_DIR)
        fputs("_files -/", to);
    else if (kind == WORD_ONE_OF)
        fprintf(to, "(%s)", words);
    else if (kind == WORD_VERB) {
        fputc('(', to);
        verb_words(to, VERB_COUNT);
        fputc(')', to);
    } else if (list)
        fprintf(to, "($(%s))", list);
    else
        fputc(' ', to);
}

static void zsh_option(FILE *to, const struct opt *o)
{
    for (int form = o->letter ? 0 : 1; form < 2; form++) {
        fputs(" \\\n            '*", to);
        if (form == 0)
            fprintf(to, "-%c[", o->letter);
        else
            fprintf(to, "--%s%s[", o->name, o->arg ? "=" : "");
        zsh_text(to, o->help);
        fputc(']', to);
        if (o->arg) {
            fputc(':', to);
            zsh_text(to, o->arg);
            fputc(':', to);
            zsh_action(to, o->kind, o->words);
        }
        fputc('\'', to);
    }
}

static void zsh_verb(FILE *to, const struct verb *v)
{
    char key[40];

    key_of(v, key, sizeof(key));
    fprintf(to, "        %s)\n", key);
    if (verb_is_group(v)) {
        fputs("            compadd ", to);
        verb_words(to, v->id);
        fputs(" ;;\n", to);
        return;
    }
    fputs("            _arguments -s", to);
    for (int id = 1; id < OPT_COUNT; id++)
        if (verb_takes(v, (enum opt_id)id))
            zsh_option(to, opt_by_id((enum opt_id)id));
    if (v->max_operands > 0) {
        fputs(" \\\n            '1:operand:", to);
        if (v->id == VERB_COMPLETION)
            zsh_action(to, WORD_ONE_OF, "bash zsh fish");
        else
            zsh_action(to, v->first, NULL);
        fputc('\'', to);
    }
    if (v->max_operands > 1) {
        fputs(" \\\n            '*:operand:", to);
        zsh_action(to, v->rest, NULL);
        fputc('\'', to);
    }
    fputs(" ;;\n", to);
}

static void zsh_print(FILE *to)
{
    fputs(
        "#compdef carrel\n"
        "# zsh completion for carrel: source <(carrel completion zsh), or a file _carrel in fpath\n"
        "_carrel() {\n"
        "    local key=''\n"
        "    if ((CURRENT == 2)); then\n"
        "        compadd ",
        to);
    verb_words(to, VERB_COUNT);
    fputs("\n        return\n"
          "    fi\n"
          "    key=$words[2]\n"
          "    shift words; ((CURRENT -= 1))\n"
          "    if [[ (",
          to);
    group_test(to);
    fputs(") && $CURRENT -gt 2 ]]; then\n"
          "        key=$key:$words[2]\n"
          "        shift words; ((CURRENT -= 1))\n"
          "    fi\n"
          "    case $key in\n",
          to);
    for (size_t i = 0; i < VERB_COUNT; i++)
        zsh_verb(to, &verbs[i]);
    fputs("    esac\n}\n"
          "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _carrel \"$@\"; "
          "else compdef _carrel carrel; fi\n",
          to);
}

/* ---- fish ---- */

static void fish_text(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            fputc('\\', to);
        fputc(*text, to);
    }
}

/* The -a and -f/-r of one word. */
static void fish_candidates(FILE *to, enum word_kind kind, const char *words)
{
    const char *list = lister(kind);

    if (kind == WORD_FILE || kind == WORD_DIR || kind == WORD_COPY || kind == WORD_POLICY ||
        kind == WORD_COMMAND)
        fputs(" -F", to);
    else if (kind == WORD_ONE_OF)
        fprintf(to, " -f -a '%s'", words);
    else if (kind == WORD_VERB) {
        fputs(" -f -a '", to);
        verb_words(to, VERB_COUNT);
        fputc('\'', to);
    } else if (kind == WORD_SIGNAL)
        fputs(" -f -a 'HUP INT QUIT KILL USR1 USR2 TERM CONT STOP'", to);
    else if (list)
        fprintf(to, " -f -a '(%s)'", list);
    else
        fputs(" -f", to);
}

static void fish_verb(FILE *to, const struct verb *v)
{
    char when[96];

    if (v->parent == VERB_COUNT)
        snprintf(when, sizeof(when), "__fish_seen_subcommand_from %s", v->name);
    else
        snprintf(when, sizeof(when),
                 "__fish_seen_subcommand_from %s; and __fish_seen_subcommand_from %s",
                 verbs[v->parent].name, v->name);
    if (v->parent == VERB_COUNT)
        fprintf(to, "complete -c carrel -n __fish_use_subcommand -f -a %s -d '", v->name);
    else
        fprintf(to, "complete -c carrel -n '__fish_seen_subcommand_from %s' -f -a %s -d '",
                verbs[v->parent].name, v->name);
    fish_text(to, v->summary);
    fputs("'\n", to);
    if (verb_is_group(v))
        return;
    for (int id = 1; id < OPT_COUNT; id++) {
        const struct opt *o = opt_by_id((enum opt_id)id);

        if (!verb_takes(v, o->id))
            continue;
        fprintf(to, "complete -c carrel -n '%s' -l %s", when, o->name);
        if (o->letter)
            fprintf(to, " -s %c", o->letter);
        if (o->arg) {
            fputs(" -r", to);
            fish_candidates(to, o->kind, o->words);
        }
        fputs(" -d '", to);
        fish_text(to, o->help);
        fputs("'\n", to);
    }
    if (v->max_operands == 0)
        return;
    fprintf(to, "complete -c carrel -n '%s'", when);
    if (v->id == VERB_COMPLETION)
        fish_candidates(to, WORD_ONE_OF, "bash zsh fish");
    else
        fish_candidates(to, v->first, NULL);
    fputc('\n', to);
}

static void fish_print(FILE *to)
{
    fputs("# fish completion for carrel: carrel completion fish | source\n"
          "complete -c carrel -f\n",
          to);
    for (size_t i = 0; i < VERB_COUNT; i++)
        fish_verb(to, &verbs[i]);
}

int complete_print(FILE *to, const char *shell)
{
    if (strcmp(shell, "bash") == 0)
        bash_print(to);
    else if (strcmp(shell, "zsh") == 0)
        zsh_print(to);
    else if (strcmp(shell, "fish") == 0)
        fish_print(to);
    else
        return -EINVAL;
    return 0;
}
