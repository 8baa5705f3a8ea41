/*
 * What plain_parse reads, libyaml must read as the same tree, place for place; documents of every
 * kind, and changed at random. An argument gives the number of random changes (60,000 without one).
 */
#include "policies/canon.h"
#include "policies/layers.h"
#include "policies/plain.h"
#include "tests/unit/policy_random.h"
#include "tests/unit/shipped.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t rounds = 60000, read_plain, read_any;

/* NOLINTNEXTLINE(misc-no-recursion): a tree */
static bool same(const struct node *a, const struct node *b)
{
    const struct node *x = a->first, *y = b->first;

    if (a->kind != b->kind || a->quoted != b->quoted || a->n != b->n || a->line != b->line ||
        a->col != b->col || a->key_line != b->key_line || a->key_col != b->key_col ||
        !a->key != !b->key || (a->key && strcmp(a->key, b->key) != 0) || !a->text != !b->text ||
        (a->text && strcmp(a->text, b->text) != 0))
        return false;
    for (; x && y; x = x->next, y = y->next)
        if (!same(x, y))
            return false;
    return !x && !y;
}

/* True: it was plain. */
static bool check(const char *text, size_t len)
{
    struct arena a = ARENA_INIT;
    struct problems ps = PROBLEMS_INIT;
    char *copy = malloc(len + 1);
    const struct node *plain, *any;

    assert_non_null(copy);
    memcpy(copy, text, len);
    plain = plain_parse(&a, copy, len);
    any = plain ? yaml_parse_any(&a, copy, len, "x", &ps) : NULL;
    if (plain && (!any || !same(plain, any)))
        fail_msg("read differently (libyaml: %s):\n%.*s", any ? "another tree" : ps.v[0].text,
                 (int)len, text);
    read_plain += plain != NULL;
    read_any++;
    problems_fini(&ps);
    arena_fini(&a);
    free(copy);
    return plain != NULL;
}

static void shapes(void **state)
{
    static const char *const plain[] = {
        "a: b\n",
        "a: b",
        "# c\na: b # d\n\n  # e\nc: 'd e'\n",
        "a:\n  b: c\n  d:\n  - e\n  - f: g\n    h: i\n  -   j: k\n",
        "l: {m: [n, \"o p\", {q: r}], s: {}}\n",
        "a:\n- b\n- c\nd: [\n  e,\n  f\n  ]\n",
        "{\"a\":{\"b\":[1,2],\"c\":\"d\"}}",
        "a: http://x.y/z\n",
        "a: [80, 443, 8000..8010, x:1]\n",
        "a: 1#b\nc: d\n",
    };
    static const char *const not_plain[] = {
        "",
        "# only\n",
        "- a\n",
        "a:\n",
        "a: b\na: c\n",
        "a: b c\n",
        "a: &x b\n",
        "a: *x\n",
        "a: !t b\n",
        "a: |\n  b\n",
        "a: \"b\\n\"\n",
        "a: 'b''c'\n",
        "a: b\n  c\n",
        "a: b\n c: d\n",
        "--- \na: b\n",
        "a: b\n---\nc: d\n",
        "a: b\n...\n",
        "a: [b c]\n",
        "a: [b: c]\n",
        "a: {b}\n",
        "a: {b:c}\n",
        "a: [b,,c]\n",
        "a: [b\n",
        "a: [\nb]\n",
        "a: -1\n",
        "a: - b\n",
        "a: ? b\n",
        "a :b\n",
        "<<: b\n",
        "a: \xc3\xa9\n",
        "a:\tb\n",
        "a: 'b'c\n",
        "a: {}#b\n",
        "a:\n  - b\n - c\n",
        "a:\n  - b\n  c: d\n",
        "{a: b}\nc\n",
        "%YAML 1.1\n---\na: b\n",
    };

    (void)state;
    for (size_t i = 0; i + 1 < array_len(plain); i++)
        if (!check(plain[i], strlen(plain[i])))
            fail_msg("not plain: %s", plain[i]);
    check(plain[array_len(plain) - 1], strlen(plain[array_len(plain) - 1]));
    for (size_t i = 0; i < array_len(not_plain); i++)
        if (check(not_plain[i], strlen(not_plain[i])))
            fail_msg("plain: %s", not_plain[i]);
}

static const char alphabet[] = "ab: -,[]{}\"'#\n\n  &*!|>%@`?.:/\\~<0";

/* A few bytes are changed, put in, taken out, or a line is moved in or out. */
static size_t change(struct rng *r, char *text, size_t len, size_t room)
{
    for (uint32_t n = 1 + rng_below(r, 3); n && len; n--) {
        size_t at = rng_below(r, (uint32_t)len);
        char c = alphabet[rng_below(r, sizeof(alphabet) - 1)];

        switch (rng_below(r, 4)) {
        case 0: text[at] = c; break;
        case 1:
            memmove(text + at, text + at + 1, len - at - 1);
            len--;
            break;
        default:
            if (len + 1 >= room)
                break;
            if (rng_below(r, 2)) { /* a line moves in */
                while (at && text[at - 1] != '\n')
                    at--;
                c = ' ';
            }
            memmove(text + at + 1, text + at, len - at);
            text[at] = c;
            len++;
            break;
        }
    }
    return len;
}

static void changed(struct rng *r, const char *text, size_t len, uint64_t times)
{
    char *copy = malloc(len + 16);

    assert_non_null(copy);
    for (uint64_t i = 0; i < times; i++) {
        memcpy(copy, text, len);
        check(copy, change(r, copy, len, len + 16));
    }
    free(copy);
}

struct documents {
    struct rng r;
    uint32_t n;
};

/* Whether it is plain, or need not be: it has an escape, or a byte that is not ASCII. */
static bool a_document_and_its_changes(const char *name, const char *suffix, struct documents *d)
{
    size_t len;
    char *text = shipped_file(name, suffix, &len);
    bool plain;

    assert_non_null(text);
    plain = check(text, len) || strchr(text, '\\') || memchr(text, 0xe2, len);
    changed(&d->r, text, len, rounds / 60);
    d->n++;
    free(text);
    return plain;
}

static void a_policy_and_its_cases(const char *name, void *ctx)
{
    if (!a_document_and_its_changes(name, ".yaml", ctx))
        fail_msg("%s.yaml takes the slow reader", name);
    a_document_and_its_changes(name, ".cases.yaml", ctx);
}

static void every_document_and_its_changes(void **state)
{
    struct documents d = { .r = { 0x2545f4914f6cdd1dull } };

    (void)state;
    shipped_each(a_policy_and_its_cases, &d);
    assert_true(d.n > 20);
}

static void random_documents_and_their_changes(void **state)
{
    struct rng r = { 0x9e3779b97f4a7c15ull };

    (void)state;
    for (uint64_t i = 0; i < rounds / 100; i++) {
        struct genome g;
        struct text t = TEXT_INIT, canonical = TEXT_INIT;
        struct policy *p;

        genome_random(&r, &g);
        genome_write(&g, "p", &t);
        check(t.p, t.len);
        changed(&r, t.p, t.len, 50);
        p = policy_parse(t.p, t.len, "p", NULL);
        if (p) {
            policy_canonical(p, &canonical);
            check(canonical.p, canonical.len);
            changed(&r, canonical.p, canonical.len, 10);
        }
        policy_free(p);
        text_fini(&t);
        text_fini(&canonical);
    }
    print_message("%llu documents, %llu of them plain\n", (unsigned long long)read_any,
                  (unsigned long long)read_plain);
    assert_true(read_plain * 10 > read_any);
}

/* Short texts over few letters: every odd corner of the grammar. */
static void short_texts(void **state)
{
    static const char letters[] = "a:- \n[]{},\"'#b";
    struct rng r = { 0xd1342543de82ef95ull };
    char s[24];

    (void)state;
    for (uint64_t i = 0; i < rounds * 10; i++) {
        size_t n = 1 + rng_below(&r, 20);

        memcpy(s, "a: ", 3);
        for (size_t k = rng_below(&r, 2) ? 3 : 0; k < n; k++)
            s[k] = letters[rng_below(&r, sizeof(letters) - 1)];
        check(s, n > 3 ? n : 3);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(every_document_and_its_changes),
        cmocka_unit_test(random_documents_and_their_changes),
        cmocka_unit_test(short_texts),
    };

    if (argc > 1)
        rounds = strtoull(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
