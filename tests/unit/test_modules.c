/* test_modules.c - which modules are picked, from trees of modules made here. */
#include "sandbox/image/data.h"
#include "sandbox/image/kernel_modules.h"

#include "base/io.h"
#include "base/modules.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { KO_MAX = 1024 };

struct ko {
    union {
        uint8_t b[KO_MAX];
        struct {
            Elf64_Ehdr h;
            Elf64_Shdr s[3];
        } elf;
    };
    size_t len;
};

static const char names[] = "\0.shstrtab\0.modinfo";

/* A module with nothing in it but .modinfo: header, three section headers, names, info. */
static struct ko make_ko(const char *info, size_t info_len)
{
    struct ko k = { .len = 0 };
    Elf64_Ehdr h = { .e_type = ET_REL, .e_machine = EM_X86_64 };
    size_t table = sizeof(h), names_at = table + 3 * sizeof(Elf64_Shdr);
    Elf64_Shdr s[3] = {
        { .sh_type = SHT_NULL },
        { .sh_name = 1, .sh_offset = names_at, .sh_size = sizeof(names) },
        { .sh_name = 11, .sh_offset = names_at + sizeof(names), .sh_size = info_len },
    };

    memcpy(h.e_ident, ELFMAG, SELFMAG);
    h.e_ident[EI_CLASS] = ELFCLASS64;
    h.e_shoff = table;
    h.e_shentsize = sizeof(*s);
    h.e_shnum = 3;
    h.e_shstrndx = 1;
    memcpy(k.b, &h, sizeof(h));
    memcpy(k.b + table, s, sizeof(s));
    memcpy(k.b + names_at, names, sizeof(names));
    memcpy(k.b + names_at + sizeof(names), info, info_len);
    k.len = names_at + sizeof(names) + info_len;
    return k;
}

#define KO(info) make_ko(info, sizeof(info))

static void assert_deps(const struct ko *k, const char *expect)
{
    char *deps = NULL;

    assert_int_equal(modinfo_parse(k->b, k->len, &deps, NULL), 0);
    assert_string_equal(deps, expect);
    free(deps);
}

static void dependencies_are_read(void **state)
{
    (void)state;
    struct ko k = KO("license=GPL\0depends=virtio,virtio-ring\0name=x");

    assert_deps(&k, "virtio virtio_ring");
    k = KO("depends=\0name=x");
    assert_deps(&k, "");
    k = KO("name=x");
    assert_deps(&k, "");
    k = KO("softdep=pre: crc32c  a-b post: late\0depends=one");
    assert_deps(&k, "crc32c a_b one");
    k = KO("softdep=post: late");
    assert_deps(&k, "");

    /* The section may end without a NUL. */
    k = make_ko("depends=abc", 11);
    assert_deps(&k, "abc");
}

static void broken_modules_are_refused(void **state)
{
    (void)state;
    struct ko k = KO("depends=virtio");
    Elf64_Ehdr *h = &k.elf.h;
    Elf64_Shdr *s = k.elf.s;
    char *deps;

    /* In a buffer of exactly the length, so that a sanitizer sees a read behind it. */
    for (size_t len = 0; len < k.len; len++) {
        uint8_t *cut = malloc(len ? len : 1);

        assert_non_null(cut);
        memcpy(cut, k.b, len);
        assert_int_equal(modinfo_parse(cut, len, &deps, NULL), -ENOEXEC);
        free(cut);
    }

    struct ko good = k;

#define BAD(change)                                                         \
    do {                                                                    \
        k = good;                                                           \
        change;                                                             \
        assert_int_equal(modinfo_parse(k.b, k.len, &deps, NULL), -ENOEXEC); \
    } while (0)

    BAD(h->e_shoff = UINT64_MAX - 64);
    BAD(h->e_shnum = 65535);
    BAD(h->e_shstrndx = 3);
    BAD(h->e_shentsize = 40);
    BAD(h->e_ident[EI_CLASS] = ELFCLASS32);
    BAD(s[1].sh_offset = UINT64_MAX - 4);
    BAD(s[1].sh_size = KO_MAX);
    BAD(s[2].sh_size = k.len);
    BAD(s[2].sh_offset = UINT64_MAX);
    BAD(s[2].sh_name = sizeof(names) - 8);
    BAD(s[2].sh_name = UINT32_MAX);
#undef BAD

    /* Names in a section behind the last one. */
    Elf64_Shdr last = s[1];

    k = good;
    s[1] = s[2];
    s[2] = last;
    h->e_shstrndx = 2;
    assert_deps(&k, "virtio");
    h->e_shnum = 2;
    assert_int_equal(modinfo_parse(k.b, k.len, &deps, NULL), -ENOEXEC);
}

/* --- trees ------------------------------------------------------------------------------------ */

struct tree {
    char dir[64];
};

static int set_up(void **state)
{
    static struct tree t;

    strcpy(t.dir, "/tmp/carrel-modules-XXXXXX");
    *state = &t;
    return mkdtemp(t.dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct tree *t = *state;

    return data_remove_tree(AT_FDCWD, t->dir, NULL);
}

static void put(const struct tree *t, const char *file, const void *data, size_t len)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", t->dir, file);
    for (char *p = path + strlen(t->dir) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
        *p = '/';
    }
    assert_int_equal(io_store(AT_FDCWD, path, data, len, 0644, NULL), 0);
}

static void put_ko(const struct tree *t, const char *file, const char *info, size_t len)
{
    struct ko k = make_ko(info, len);

    put(t, file, k.b, k.len);
}

#define PUT(file, info) put_ko(t, "kernel/" file, info, sizeof(info))

static char *picked(const struct tree *t, struct err *e)
{
    struct module_list l;
    static char text[512];

    text[0] = '\0';
    if (modules_pick(t->dir, &l, e))
        return NULL;
    for (size_t i = 0; i < l.n; i++) {
        strcat(text, i ? " " : "");
        strcat(text, l.m[i].verity ? MODULE_VERITY : "");
        strcat(text, l.m[i].name);
        assert_memory_equal(l.m[i].data, ELFMAG, SELFMAG);
    }
    module_list_fini(&l);
    return text;
}

static void modules_come_after_what_they_need(void **state)
{
    const struct tree *t = *state;
    struct err e = ERR_INIT;

    PUT("virtio/virtio.ko", "depends=virtio_ring");
    PUT("virtio/virtio_ring.ko", "depends=");
    PUT("virtio/virtio_pci.ko", "depends=virtio_pci_modern_dev,virtio,virtio_ring");
    PUT("virtio/virtio_pci_modern_dev.ko", "depends=");
    PUT("block/virtio_blk.ko", "depends=virtio_ring,virtio");
    PUT("char/virtio_console.ko", "depends=virtio");
    PUT("char/hw_random/virtio-rng.ko", "depends=rng-core");
    PUT("char/hw_random/rng-core.ko", "depends=");
    PUT("fs/overlay.ko", "depends=");
    PUT("net/unwanted.ko", "depends=");
    PUT("md/dm-verity.ko", "depends=dm-mod,rng-core,dm-bufio"); /* not only it needs rng-core */
    PUT("md/dm-mod.ko", "depends=");
    PUT("md/dm-bufio.ko", "depends=dm-mod");
    put(t, "modules.builtin", "kernel/fs/squashfs/squashfs.ko\nkernel/fs/ext4/ext4.ko\n", 55);
    assert_non_null(picked(t, &e));
    assert_string_equal(picked(t, &e),
                        "virtio_pci_modern_dev virtio_ring virtio virtio_pci virtio_blk "
                        "virtio_console overlay rng_core virtio_rng verity:dm_mod "
                        "verity:dm_bufio verity:dm_verity");
}

static void a_required_module_that_is_nowhere_is_named(void **state)
{
    const struct tree *t = *state;
    struct err e = ERR_INIT;

    PUT("a/virtio_pci.ko", "depends=");
    PUT("a/virtio_blk.ko", "depends=");
    PUT("a/virtio_console.ko", "depends=");
    PUT("a/overlay.ko", "depends=");
    assert_null(picked(t, &e));
    assert_int_equal(e.code, ENOENT);
    assert_non_null(strstr(e.msg, "squashfs"));

    /* A name that only ends like it is another module. */
    put(t, "modules.builtin", "a/xsquashfs.ko\na/squashfsx.ko\na/squashfs.kox\n", 45);
    assert_null(picked(t, &e));
    put(t, "modules.builtin", "kernel/fs/squashfs.ko", 21);
    assert_non_null(picked(t, &e));
}

static void a_loop_of_dependencies_is_refused(void **state)
{
    const struct tree *t = *state;
    struct err e = ERR_INIT;

    PUT("virtio_pci.ko", "depends=a");
    PUT("a.ko", "depends=b");
    PUT("b.ko", "depends=a");
    assert_null(picked(t, &e));
    assert_int_equal(e.code, ELOOP);
}

static void a_broken_module_is_named(void **state)
{
    const struct tree *t = *state;
    struct err e = ERR_INIT;

    put(t, "kernel/virtio_pci.ko", "not an ELF file", 15);
    assert_null(picked(t, &e));
    assert_int_equal(e.code, ENOEXEC);
    assert_non_null(strstr(e.msg, "virtio_pci.ko"));
    put(t, "kernel/virtio_pci.ko", "", 0);
    assert_null(picked(t, &e));
}

/* Compressed modules are undone; what compresses them is the command of that name. */
static void compressed_modules_are_undone(void **state)
{
    const struct tree *t = *state;
    static const char *const how[] = { "xz --check=crc32", "zstd -q --rm", "gzip" };
    struct err e = ERR_INIT;
    char line[256];

    PUT("virtio_pci.ko", "depends=");
    PUT("virtio_blk.ko", "depends=");
    PUT("virtio_console.ko", "depends=");
    PUT("overlay.ko", "depends=squashfs");
    PUT("squashfs.ko", "depends=");

    static const char *const which[] = { "virtio_pci", "virtio_blk", "squashfs" };

    for (size_t i = 0; i < 3; i++) {
        snprintf(line, sizeof(line), "%s %s/kernel/%s.ko", how[i], t->dir, which[i]);
        if (system(line) != 0) {
            print_message("needs xz, zstd and gzip\n");
            skip();
        }
    }
    assert_non_null(picked(t, &e));
    assert_string_equal(picked(t, &e), "virtio_pci virtio_blk virtio_console squashfs overlay");
}

static void a_missing_directory_is_an_error(void **state)
{
    (void)state;
    struct module_list l;
    struct err e = ERR_INIT;

    assert_int_equal(modules_pick("/nonexistent", &l, &e), -ENOENT);
    assert_non_null(strstr(e.msg, "/nonexistent"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dependencies_are_read),
        cmocka_unit_test(broken_modules_are_refused),
        cmocka_unit_test_setup_teardown(modules_come_after_what_they_need, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_required_module_that_is_nowhere_is_named, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_loop_of_dependencies_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_broken_module_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(compressed_modules_are_undone, set_up, tear_down),
        cmocka_unit_test(a_missing_directory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
