/* test_merge.c - layers become one tree: whiteouts, links, what lies below what. */
#include "sandbox/image/merge.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A layer: entries separated by spaces. "d/" directory, "l>t" symbolic link, "h=t" hard link,
 * "f|" fifo, "n!" a device; else a file. Layers are given from the bottom up. */
static int add(struct merge *m, const char *word, uint32_t layer, struct err *e)
{
    char path[8192], *at;
    struct merge_entry en = { .path = path, .kind = ENTRY_FILE, .size = 10 };

    strcpy(path, word);
    en.attr.mode = 0700 + layer; /* to see where attributes come from */
    if ((at = strchr(path, '>')))
        en.kind = ENTRY_LINK;
    else if ((at = strchr(path, '=')))
        en.kind = ENTRY_HARD;
    if (at) {
        *at = '\0';
        en.target = at + 1;
    }
    at = path + strlen(path) - 1;
    if (en.kind == ENTRY_FILE && *at == '/')
        en.kind = ENTRY_DIR;
    else if (en.kind == ENTRY_FILE && (*at == '|' || *at == '!')) {
        en.kind = *at == '|' ? ENTRY_FIFO : ENTRY_OTHER;
        *at = '\0';
    }
    return merge_add(m, &en, e);
}

static int merge(struct merge *m, const char *const layers[], uint32_t n, struct err *e)
{
    for (uint32_t i = n; i-- > 0;) {
        char text[512], *save = NULL;

        merge_layer(m, i);
        strcpy(text, layers[i]);
        for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
            int err = add(m, w, i, e);

            if (err)
                return err;
        }
    }
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "a/:1 a/f:0 l>t:2": what is seen, sorted, with the layer it comes from. */
static const char *seen(const struct merge *m)
{
    static char out[4096];
    char *words[64] = { NULL };
    size_t n = 0;

    for (uint32_t at = merge_next(m, 0); at != MERGE_NONE; at = merge_next(m, at)) {
        const struct merge_node *node = &m->nodes[at];
        const struct merge_inode *i = node->inode == MERGE_NONE ? NULL : &m->inodes[node->inode];
        char path[ENTRY_NAME_MAX + 1];

        merge_path(m, at, path);
        words[n] = malloc(1024);
        if (!i && !node->set)
            sprintf(words[n++], "%.900s/:-", path);
        else if (!i)
            sprintf(words[n++], "%.900s/:%u", path, node->attr.mode - 0700);
        else
            sprintf(words[n++], "%.900s%s%s:%u", path, i->kind == ENTRY_LINK ? ">" : "",
                    i->kind == ENTRY_LINK ? merge_name(m, i->target) : "", i->layer);
        assert_true(n < 64);
    }
    qsort(words, n, sizeof(*words), by_text);
    *out = '\0';
    for (size_t i = 0; i < n; i++) {
        sprintf(out + strlen(out), "%s%s", i ? " " : "", words[i]);
        free(words[i]);
    }
    return out;
}

static void layers_become_one_tree(void **state)
{
    (void)state;
    static const struct {
        const char *layers[4], *seen; /* bottom first */
        const char *why;              /* refused */
    } cases[] = {
        { { "a/ a/f b" }, "a/:0 a/f:0 b:0", NULL },
        { { "a/f" }, "a/:- a/f:0", NULL },
        { { "a/ a/f", "a/f" }, "a/:0 a/f:1", NULL },
        { { "a/ a/f", "a/" }, "a/:1 a/f:0", NULL },
        { { "a/f a/", "a/g" }, "a/:0 a/f:0 a/g:1", NULL },
        /* whiteouts: of layers below only, in any place of the layer */
        { { "a/ a/f a/g", "a/.wh.f" }, "a/:0 a/g:0", NULL },
        { { "a/ a/f", "a/f a/.wh.f" }, "a/:0 a/f:1", NULL },
        { { "a/ a/f", "a/.wh.f a/f" }, "a/:0 a/f:1", NULL },
        { { "a/ a/f", ".wh.a" }, "", NULL },
        { { "a/ a/f a/b/c", ".wh.a", "a/n" }, "a/:- a/n:2", NULL },
        { { "a/ a/f", ".wh.a a/" }, "a/:1", NULL },
        { { "f", ".wh.f", "f" }, "f:2", NULL },
        { { "a/.wh.f" }, "", NULL },
        { { "f .wh.f" }, "f:0", NULL },
        { { ".wh.nothing f" }, "f:0", NULL },
        /* opaque directories */
        { { "a/ a/f a/b/c", "a/ a/.wh..wh..opq a/n" }, "a/:1 a/n:1", NULL },
        { { "a/ a/f a/b/c", "a/n a/ a/.wh..wh..opq" }, "a/:1 a/n:1", NULL },
        { { "a/ a/b/ a/b/c", "a/b/d a/.wh..wh..opq" }, "a/:0 a/b/:- a/b/d:1", NULL },
        { { "f a/g", ".wh..wh..opq h" }, "h:1", NULL },
        { { "a/f", "a/.wh..wh..opq", "a/g" }, "a/:- a/g:2", NULL },
        { { "x .wh..wh.plnk/ .wh..wh.plnk/1 .wh..wh.aufs" }, "x:0", NULL },
        /* one kind in place of another */
        { { "a/ a/f", "a" }, "a:1", NULL },
        { { "a", "a/ a/f" }, "a/:1 a/f:1", NULL },
        { { "a/ a/f", "a", "a/ a/g" }, "a/:2 a/g:2", NULL },
        { { "a>b", "a/ a/f" }, "a/:1 a/f:1", NULL },
        { { "a/ a/f", "a>b" }, "a>b:1", NULL },
        { { "a>b", "a/f" }, NULL, "not a directory in layer 1" },
        { { "a", ".wh.a a/f" }, "a/:- a/f:1", NULL },
        { { "a|", "b" }, "a:0 b:1", NULL },
        { { "a!", "b" }, "b:1", NULL },
        /* within one layer */
        { { "a a" }, NULL, "\"a\" comes twice" },
        { { "a/ a/" }, "a/:0", NULL },
        { { "a/ a" }, NULL, "comes twice" },
        { { "a a/" }, NULL, "comes twice" },
        { { "a a/f" }, NULL, "below something that is not a directory" },
        { { "a>b a/f" }, NULL, "below something that is not a directory" },
        { { "a/f a" }, NULL, "comes twice" },
        { { "x", "a a/f", ".wh.a" }, NULL, "below something that is not a directory" },
        { { ".wh." }, NULL, "whiteout of nothing" },
        { { ".wh.." }, NULL, "whiteout of nothing" },
        { { "a/.wh..." }, NULL, "whiteout of nothing" },
        { { ".wh.a/f" }, NULL, "below a whiteout" },
        { { "../a" }, NULL, "\"..\"" },
        { { "/a" }, NULL, "absolute" },
        { { "a/.wh.b/../../x" }, NULL, "\"..\"" },
        /* hard links */
        { { "f h=f" }, "f:0 h:0", NULL },
        { { "f h=./f", ".wh.f" }, "h:0", NULL },
        { { "f h=f", "f" }, "f:1 h:0", NULL },
        { { "f h=f i=h" }, "f:0 h:0 i:0", NULL },
        { { "l>t h=l" }, "h>t:0 l>t:0", NULL },
        { { "h=f f" }, NULL, "no file that came before it in its layer" },
        { { "f", "h=f" }, NULL, "no file that came before it in its layer" },
        { { "h=f", "f" }, NULL, "no file that came before it in its layer" },
        { { "d/ h=d" }, NULL, "no file that came before it" },
        { { "h=h" }, NULL, "no file that came before it" },
        { { "h=/etc/shadow" }, NULL, "absolute" },
        { { "h=../x" }, NULL, "\"..\"" },
        { { "h=" }, NULL, "hard link to nothing" },
        { { "h=." }, NULL, "no file that came before it" },
    };

    for (size_t i = 0; i < array_len(cases); i++) {
        struct merge m = { 0 };
        struct err e = ERR_INIT;
        uint32_t n = 0;

        while (n < 4 && cases[i].layers[n])
            n++;

        int err = merge(&m, cases[i].layers, n, &e);

        if (!err != !cases[i].why || (err && !strstr(e.msg, cases[i].why)))
            fail_msg("case %zu (%s ...): %d %s", i, cases[i].layers[0], err, e.msg);
        if (!err && strcmp(seen(&m), cases[i].seen) != 0)
            fail_msg("case %zu (%s ...): %s", i, cases[i].layers[0], seen(&m));
        merge_fini(&m);
    }
}

/* Contents are found by layer and place; what nobody sees is not read. */
static void contents_are_found_again(void **state)
{
    (void)state;
    static const char *const layers[] = { "d/ a b h=b", ".wh.a c", "c" };
    struct merge m = { 0 };
    struct err e = ERR_INIT;
    char path[ENTRY_NAME_MAX + 1];

    assert_int_equal(merge(&m, layers, 3, &e), 0);
    assert_null(merge_find(&m, 0, 0)); /* a directory */
    assert_null(merge_find(&m, 0, 1)); /* a is gone */
    assert_null(merge_find(&m, 1, 1)); /* c lies below c */
    assert_non_null(merge_find(&m, 2, 0));
    assert_null(merge_find(&m, 2, 1));
    assert_null(merge_find(&m, 3, 0));
    assert_null(merge_find(&m, 0, 3)); /* a link is no file of its own */

    const struct merge_inode *b = merge_find(&m, 0, 2);

    assert_non_null(b);
    merge_path(&m, b->first, path);
    assert_string_equal(path, "h"); /* the last of its names */
    merge_path(&m, m.nodes[b->first].alias, path);
    assert_string_equal(path, "b");
    assert_int_equal(m.nodes[m.nodes[b->first].alias].alias, MERGE_NONE);
    merge_fini(&m);
    assert_int_equal(merge_next(&m, 0), MERGE_NONE);
    assert_null(merge_find(&m, 0, 0));
}

static void l08_limits(void **state)
{
    (void)state;
    struct merge m = { .count_max = 3, .bytes_max = 25 };
    struct err e = ERR_INIT;

    merge_layer(&m, 1);
    assert_int_equal(add(&m, "a", 1, &e), 0);
    merge_layer(&m, 0);
    assert_int_equal(add(&m, "a", 0, &e), 0); /* hidden, and counted */
    assert_int_equal(m.bytes, 20);
    assert_int_equal(add(&m, "b", 0, &e), -EFBIG); /* bytes */
    assert_int_equal(add(&m, "b/", 0, &e), 0);
    assert_int_equal(add(&m, "c/", 0, &e), -EFBIG); /* entries */
    merge_fini(&m);

    m = (struct merge){ .count_max = 3 };
    merge_layer(&m, 0);
    assert_int_equal(add(&m, "a/b/c/d", 0, &e), -EFBIG); /* what it makes on the way */
    merge_fini(&m);

    /* one entry of 8 EiB */
    m = (struct merge){ 0 };
    merge_layer(&m, 0);
    assert_int_equal(
        merge_add(&m, &(struct merge_entry){ .path = "x", .size = UINT64_C(1) << 63 }, &e), -EFBIG);
    assert_int_equal(merge_add(&m, &(struct merge_entry){ .path = "x", .size = UINT64_MAX }, &e),
                     -EFBIG);
    merge_fini(&m);
}

static void l08_depth(void **state)
{
    (void)state;
    static char path[4 * ENTRY_DEPTH_MAX];

    for (int more = 0; more < 2; more++) {
        struct merge m = { 0 };
        struct err e = ERR_INIT;

        *path = '\0';
        for (int i = 0; i < ENTRY_DEPTH_MAX + more; i++)
            strcat(path, i ? "/d" : "d");
        merge_layer(&m, 0);
        assert_int_equal(add(&m, path, 0, &e), more ? -ENAMETOOLONG : 0);
        merge_fini(&m);
    }
}

static void many_names(void **state)
{
    (void)state;
    struct merge m = { 0 };
    struct err e = ERR_INIT;
    char word[64], path[ENTRY_NAME_MAX + 1];
    uint32_t n = 0;

    for (uint32_t layer = 3; layer-- > 0;) {
        merge_layer(&m, layer);
        for (uint32_t i = 0; i < 20000; i++) {
            sprintf(word, "d%u/f%u", i % 97, i + layer * 10000);
            assert_int_equal(add(&m, word, layer, &e), 0);
        }
    }
    for (uint32_t at = merge_next(&m, 0); at != MERGE_NONE; at = merge_next(&m, at)) {
        merge_path(&m, at, path);
        n++;
    }
    assert_true(n > 40000 + 97 && n <= 60000 + 97);
    merge_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_become_one_tree),
        cmocka_unit_test(contents_are_found_again),
        cmocka_unit_test(l08_limits),
        cmocka_unit_test(l08_depth),
        cmocka_unit_test(many_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
