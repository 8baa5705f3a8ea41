/* Which programs a command may execute once it runs: policies/programs.h. */
#include "policies/layers.h"
#include "policies/programs.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct arena arena;
static struct policy *policy;

/* Rules a, b, c, d with these rests, each "exec: {path: …}, spawn: [...]". */
static void of(const char *a, const char *b, const char *c, const char *d)
{
    const char *rest[] = { a, b, c, d };
    struct problems ps = PROBLEMS_INIT;
    char yaml[1024];
    size_t n = (size_t)snprintf(yaml, sizeof(yaml), "carrel: 1\nname: t\ntools:\n  commands:\n");

    for (unsigned i = 0; i < 4; i++)
        n += (size_t)snprintf(yaml + n, sizeof(yaml) - n, "    - {id: %c, %s}\n", 'a' + (char)i,
                              rest[i]);
    policy = policy_load(yaml, n, "t.yaml", NULL, NULL, &ps);
    assert_non_null(policy);
    problems_fini(&ps);
}

static struct programs programs(unsigned i)
{
    struct programs out;

    programs_of(&arena, policy, policy->tools.commands.v[i], &out);
    return out;
}

static void has(unsigned i, const char *expect)
{
    struct programs p = programs(i);
    char text[256] = "";
    size_t n =
        (size_t)snprintf(text, sizeof(text), "%s%s", p.any ? "any" : "", p.none ? "none" : "");

    for (uint32_t k = 0; k < p.paths.n; k++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, " %s", p.paths.v[k]);
    assert_string_equal(text, expect);
}

static int setup(void **state)
{
    (void)state;
    arena = ARENA_INIT;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    policy_free(policy);
    policy = NULL;
    arena_fini(&arena);
    return 0;
}

static void what_spawn_names(void **state)
{
    (void)state;
    of("exec: {path: /bin/a}", "exec: {path: /bin/b}, spawn: [b]",
       "exec: {path: /bin/c}, spawn: [d, a]", "exec: {path: \"/x/d?\"}, spawn: [b, c]");
    has(0, "none /bin/a");
    has(1, " /bin/b");
    has(2, " /bin/a /bin/b /bin/c /x/d?"); /* and what those start: one domain holds them all */
    has(3, " /bin/a /bin/b /bin/c /x/d?");
}

/* A pattern is a rule for many programs, each of which may start the others. */
static void patterns(void **state)
{
    (void)state;
    of("exec: {path: \"/bin/*\"}", "exec: {path: \"/**\"}", "exec: {path: /c}, spawn: [b]",
       "exec: {path: \"/**/d\"}");
    has(0, " /bin/*");
    has(1, "any /**");
    has(2, "any /** /c");
    has(3, "any /**/d"); /* wherever: also where it writes */
}

static void what_is_within_what(void **state)
{
    (void)state;
    of("exec: {path: /bin/a}", "exec: {path: /bin/a}, spawn: [b]",
       "exec: {path: /bin/a}, spawn: [b, d]", "exec: {path: \"/**\"}");

    struct programs alone = programs(0), itself = programs(1), any = programs(2);

    assert_true(programs_within(&alone, &alone) && programs_within(&alone, &itself) &&
                programs_within(&alone, &any) && programs_within(&itself, &any) &&
                programs_within(&any, &any));
    assert_false(programs_within(&itself, &alone));
    assert_false(programs_within(&any, &itself));
    assert_false(programs_within(&any, &alone));
    itself.paths.v[0] = "/bin/other";
    assert_false(programs_within(&itself, &alone));
    alone.none = false;
    assert_false(programs_within(&itself, &alone));
}

#define A "00000000000000000000000000000000000000000000000000000000000000aa"
#define B "00000000000000000000000000000000000000000000000000000000000000bb"

static void pins(void **state)
{
    (void)state;
    of("exec: {path: /bin/a, sha256: " A "}", "exec: {path: /bin/b}, spawn: [a, d]",
       "exec: {path: /bin/a}, spawn: [a]", "exec: {path: /bin/a, sha256: " B "}");
    has(0, "none " A "/bin/a");
    has(1, " /bin/b " A "/bin/a " B "/bin/a");
    has(2, " /bin/a " A "/bin/a"); /* whatever it holds */
    assert_string_equal(program_path("/bin/a"), "/bin/a");
    assert_string_equal(program_path(A "/bin/a"), "/bin/a");

    struct programs one = programs(0), both = programs(1), all = programs(2), other = programs(3);

    assert_true(one.named && programs_within(&one, &both) && programs_within(&other, &both));
    assert_true(programs_within(&one, &all) && programs_within(&other, &all));
    assert_false(programs_within(&one, &other) || programs_within(&all, &both));
    one.none = other.none = false;
    assert_false(programs_within(&one, &other) || programs_within(&all, &one));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_spawn_names, setup, teardown),
        cmocka_unit_test_setup_teardown(pins, setup, teardown),
        cmocka_unit_test_setup_teardown(patterns, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_within_what, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
