/* test_cli_parse.c - the table's own rules, and command lines against it. */
#include "sandbox/cli/parse.h"
#include "sandbox/cli/suggest.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct command_line a;
static char hint[HINT_MAX];
static struct err e;
static char program[] = "carrel";

/* Parses "run -d mini": words are separated by single spaces. */
static int parse(const char *line)
{
    static char buf[512];
    static char *argv[40];
    int argc = 0;
    char *rest = buf, *word;

    args_fini(&a);
    e = ERR_INIT;
    snprintf(buf, sizeof(buf), "%s", line);
    argv[argc++] = program;
    while ((word = strsep(&rest, " ")))
        argv[argc++] = word;
    argv[argc] = NULL;
    return args_parse(&a, argc, argv, hint, &e);
}

static void expect_operands(const char *joined)
{
    char all[256] = "";
    size_t used = 0;

    for (size_t i = 0; i < a.noperands; i++)
        used +=
            (size_t)snprintf(all + used, sizeof(all) - used, "%s%s", i ? " " : "", a.operands[i]);
    assert_null(a.operands[a.noperands]);
    assert_string_equal(all, joined);
}

/* ---- the table ---- */

static void table_is_in_order(void **state)
{
    (void)state;
    for (int i = 0; i < VERB_COUNT; i++) {
        const struct verb *v = &verbs[i];

        assert_int_equal(v->id, i);
        assert_non_null(v->summary);
        assert_true(v->max_operands >= v->min_operands);
        assert_ptr_equal(verb_find(v->parent == VERB_COUNT ? NULL : &verbs[v->parent], v->name), v);
    }
    for (int id = 1; id < OPT_COUNT; id++) {
        const struct opt *o = opt_by_id((enum opt_id)id);

        assert_int_equal(o->id, id);
        assert_non_null(o->help);
        assert_true((o->kind == WORD_NOTHING) == (o->arg == NULL));
        assert_true((o->kind == WORD_ONE_OF) == (o->words != NULL));
    }
}

static void table_has_no_letter_or_name_twice(void **state)
{
    (void)state;
    for (int i = 0; i < VERB_COUNT; i++) {
        bool letters[128] = { false };

        for (int id = 1; id < OPT_COUNT; id++) {
            const struct opt *o = opt_by_id((enum opt_id)id);

            if (!verb_takes(&verbs[i], o->id))
                continue;
            if (o->letter)
                assert_false(letters[(int)o->letter]);
            letters[(int)o->letter] = true;
            for (int other = id + 1; other < OPT_COUNT; other++)
                if (verb_takes(&verbs[i], (enum opt_id)other))
                    assert_string_not_equal(o->name, opt_by_id((enum opt_id)other)->name);
        }
    }
}

/* ---- the parser ---- */

static void docker_letters_in_clusters(void **state)
{
    (void)state;
    assert_int_equal(parse("run -itd -m512M -e A=1 -eB -l=k=v --memory=1G --env C mini ls -l"), 0);
    assert_true(args_has(&a, OPT_INTERACTIVE));
    assert_true(args_has(&a, OPT_TTY));
    assert_true(args_has(&a, OPT_DETACH));
    assert_false(args_has(&a, OPT_RM));
    assert_string_equal(args_text(&a, OPT_MEMORY), "1G");
    assert_string_equal(args_text(&a, OPT_LABEL), "k=v");
    expect_operands("mini ls -l");

    size_t at = 0;

    assert_string_equal(args_next(&a, OPT_ENV, &at), "A=1");
    assert_string_equal(args_next(&a, OPT_ENV, &at), "B");
    assert_string_equal(args_next(&a, OPT_ENV, &at), "C");
    assert_null(args_next(&a, OPT_ENV, &at));
}

static void command_keeps_its_own_options(void **state)
{
    (void)state;
    assert_int_equal(parse("run mini sh -c -- --json"), 0);
    expect_operands("mini sh -c -- --json");
    assert_false(args_has(&a, OPT_JSON));
    assert_int_equal(parse("run mini -- -x"), 0);
    expect_operands("mini -x");
    assert_int_equal(parse("run mini -- --"), 0);
    expect_operands("mini --");
    assert_int_equal(parse("run -- mini -- x"), 0);
    expect_operands("mini x");
    assert_int_equal(parse("exec box -- cat --"), 0);
    expect_operands("box cat --");
    assert_int_equal(parse("run mini --"), 0);
    expect_operands("mini");
}

static void other_verbs_take_options_anywhere(void **state)
{
    (void)state;
    assert_int_equal(parse("logs box -f --tail 3"), 0);
    assert_true(args_has(&a, OPT_FOLLOW));
    assert_string_equal(args_text(&a, OPT_TAIL), "3");
    expect_operands("box");
    assert_int_equal(parse("rm -- -f"), 0);
    expect_operands("-f");
    assert_false(args_has(&a, OPT_FORCE));
    assert_int_equal(parse("cp - box:/x"), 0);
    expect_operands("- box:/x");
}

static void same_letter_means_what_its_verb_says(void **state)
{
    (void)state;
    assert_int_equal(parse("rm -f x"), 0);
    assert_true(args_has(&a, OPT_FORCE) && !args_has(&a, OPT_FOLLOW));
    assert_int_equal(parse("stop -t 5 x"), 0);
    assert_string_equal(args_text(&a, OPT_GRACE), "5");
    assert_int_equal(parse("ls -q"), 0);
    assert_true(args_has(&a, OPT_IDS) && !args_has(&a, OPT_QUIET));
}

static void global_options_before_the_verb(void **state)
{
    (void)state;
    assert_int_equal(parse("--json ls"), 0);
    assert_true(args_has(&a, OPT_JSON));
    assert_int_equal(a.verb->id, VERB_LS);
    assert_int_equal(parse("--version"), 0);
    assert_true(a.version);
    assert_int_equal(parse("image ls --json"), 0);
    assert_int_equal(a.verb->id, VERB_IMAGE_LS);
    assert_int_equal(parse("image --help"), 0);
    assert_int_equal(a.verb->id, VERB_IMAGE);
    assert_int_equal(parse("run --help"), 0);
}

static void refuses(const char *line, const char *message, const char *remedy)
{
    assert_int_equal(parse(line), -EINVAL);
    assert_string_equal(e.msg, message);
    assert_string_equal(hint, remedy);
}

static void mistakes_are_explained(void **state)
{
    (void)state;
    refuses("rnu", "unknown verb: rnu", "did you mean `carrel run`?");
    refuses("xyzzy", "unknown verb: xyzzy", "carrel --help");
    refuses("kernel fetsh", "unknown verb: kernel fetsh", "did you mean `carrel kernel fetch`?");
    refuses("run --nmae x mini", "unknown option: --nmae", "did you mean --name?");
    refuses("run --nmae=x mini", "unknown option: --nmae", "did you mean --name?");
    refuses("ls --name x", "unknown option: --name", "carrel ls --help");
    refuses("run -Z mini", "unknown option: -Z", "carrel run --help");
    refuses("run -v /a:/b mini", "unknown option: -v",
            "a sandbox shares no folder with the host; copy files with `carrel cp`");
    refuses("run --net none mini", "unknown option: --net",
            "a sandbox has no network, and none can be granted");
    refuses("run --name", "--name needs an argument: NAME", "carrel run --help");
    refuses("run --rm=true mini", "--rm takes no argument", "carrel run --help");
    refuses("run --engine xen mini", "--engine: not a choice: \"xen\"", "one of: kvm qemu");
    refuses("run --engine kvm\x01qemu mini", "--engine: not a choice: \"kvm\x01qemu\"",
            "one of: kvm qemu");
    refuses("run", "run: not enough arguments",
            "usage: carrel run [OPTIONS] IMAGE [--] [COMMAND...]");
    refuses("exec box", "exec: not enough arguments",
            "usage: carrel exec [OPTIONS] NAME [--] COMMAND...");
    refuses("ps x", "ps: one argument too many: \"x\"", "usage: carrel ps [OPTIONS]");
    refuses("image", "image: which verb?", "carrel image --help");
    /* A verb's option before the verb is not known yet. */
    refuses("-d run mini", "unknown option: -d", "carrel --help");
}

static void prefixes_of_options_are_no_options(void **state)
{
    (void)state;
    assert_int_equal(parse("run --mem 1G mini"), -EINVAL);
    assert_int_equal(parse("run --mini"), -EINVAL);
}

static void json_is_known_even_of_a_line_that_fails(void **state)
{
    char verb[] = "run", bad[] = "--bad", json[] = "--json", image[] = "mini", dashes[] = "--";
    char *argv[] = { program, verb, bad, json, image, NULL };

    (void)state;
    args_fini(&a);
    assert_int_equal(args_parse(&a, 5, argv, hint, &e), -EINVAL);
    assert_true(args_wants_json(&a, 5, argv));
    argv[3] = dashes;
    argv[4] = json;
    args_fini(&a);
    assert_int_equal(args_parse(&a, 5, argv, hint, &e), -EINVAL);
    assert_false(args_wants_json(&a, 5, argv));
}

/* ---- did you mean ---- */

static void distances(void **state)
{
    (void)state;
    assert_int_equal(suggest_distance("", "abc"), 3);
    assert_int_equal(suggest_distance("abc", ""), 3);
    assert_int_equal(suggest_distance("kitten", "sitting"), 3);
    assert_int_equal(suggest_distance("same", "same"), 0);
    assert_int_equal(suggest_distance("rnu", "run"), 1); /* neighbours swapped */
    assert_int_equal(suggest_distance("ab", "ba"), 1);
    assert_int_equal(suggest_distance("flaw", "lawn"), 2);
}

static void only_near_words_are_offered(void **state)
{
    const char *best = NULL;
    char longer[100];

    (void)state;
    suggest_offer("xyzzy", "run", &best);
    assert_null(best);
    suggest_offer("memry", "name", &best);
    assert_null(best);
    suggest_offer("memry", "memory", &best);
    assert_string_equal(best, "memory");
    suggest_offer("memry", "memo", &best);
    assert_string_equal(best, "memory");
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    best = NULL;
    suggest_offer(longer, longer, &best);
    assert_null(best);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_in_order),
        cmocka_unit_test(table_has_no_letter_or_name_twice),
        cmocka_unit_test(docker_letters_in_clusters),
        cmocka_unit_test(command_keeps_its_own_options),
        cmocka_unit_test(other_verbs_take_options_anywhere),
        cmocka_unit_test(same_letter_means_what_its_verb_says),
        cmocka_unit_test(global_options_before_the_verb),
        cmocka_unit_test(mistakes_are_explained),
        cmocka_unit_test(prefixes_of_options_are_no_options),
        cmocka_unit_test(json_is_known_even_of_a_line_that_fails),
        cmocka_unit_test(distances),
        cmocka_unit_test(only_near_words_are_offered),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    args_fini(&a);
    return failed;
}
