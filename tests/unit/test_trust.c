/* The trust document on the host, private keys in files, and versions that were seen (P09). */
#include "base/fd.h"
#include "policies/canon.h"
#include "policies/grants.h"
#include "sandbox/trust.h"
#include "sandbox/trust_key.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NOW INT64_C(1800000000)

static char dir[64];

static int forget(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int setup(void **state)
{
    char path[128];

    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/carrel-trust-XXXXXX");
    if (!mkdtemp(dir) || chdir(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/state", dir);
    setenv("CARREL_STATE", path, 1);
    snprintf(path, sizeof(path), "%s/config", dir);
    setenv("XDG_CONFIG_HOME", path, 1);
    snprintf(path, sizeof(path), "%s/trust.yaml", dir);
    setenv("CARREL_TRUST", path, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return chdir("/") || nftw(dir, forget, 8, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(name, "we");

    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    chmod(name, 0644);
}

static const uint8_t secret[ED25519_KEY_BYTES] = { 1, 2, 3 };

/* The key speaks for base, which governs org/base and may grant a little. */
static void put_trust(const char *name, const char *rest)
{
    uint8_t raw[ED25519_KEY_BYTES];
    char key[ED25519_KEY_TEXT], text[1024];

    ed25519_public(secret, raw);
    ed25519_key_print(raw, key);
    snprintf(
        text, sizeof(text),
        "carrel: 1\nkeys: [{id: alice, key: \"%s\"}]\nroles: [{id: base, keys: [alice], names: "
        "[org/base], may_grant: {budget: {egress: 1GiB}}}]\n%s",
        key, rest);
    put(name, text);
}

static struct trust *loaded(void)
{
    struct err e = ERR_INIT;
    struct trust *t;

    if (trust_load(&t, NULL, &e))
        fail_msg("%s", e.msg);
    return t;
}

static void not_loaded(int code)
{
    struct err e = ERR_INIT;
    struct trust *t;

    assert_int_equal(trust_load(&t, NULL, &e), -code);
    assert_null(t);
    assert_int_equal(e.code, code);
}

static void trust_is_found_in_order(void **state)
{
    struct trust *t;

    (void)state;
    not_loaded(ENOENT); /* what is named must be there */
    setenv("CARREL_TRUST", "trust.yaml", 1);
    not_loaded(EINVAL);
    unsetenv("CARREL_TRUST");
    if (access("/etc/carrel/trust.yaml", F_OK)) {
        t = loaded();
        assert_null(t);
    }
    assert_int_equal(mkdir("config", 0700), 0);
    assert_int_equal(mkdir("config/carrel", 0700), 0);
    put_trust("config/carrel/trust.yaml", "");
    t = loaded();
    assert_non_null(t);
    assert_null(t->required.v);
    trust_free(t);
    put("config/carrel/trust.yaml", "carrel: 2\n");
    not_loaded(EINVAL); /* one that is wrong is not passed over */
}

static void trust_that_others_can_write_is_refused(void **state)
{
    static const mode_t bad[] = { 0664, 0646, 0666 };
    struct trust *t;

    (void)state;
    put_trust("trust.yaml", "");
    t = loaded();
    assert_non_null(t);
    trust_free(t);
    for (size_t i = 0; i < array_len(bad); i++) {
        chmod("trust.yaml", bad[i]);
        not_loaded(EPERM);
    }
    chmod("trust.yaml", 0600);
    chmod(dir, 0770);
    not_loaded(EPERM);
    chmod(dir, 01777);
    trust_free(loaded());
    chmod(dir, 0700);
    if (geteuid() == 0) {
        assert_int_equal(chown("trust.yaml", 12345, 12345), 0);
        not_loaded(EPERM);
    }
    unlink("trust.yaml");
    assert_int_equal(mkdir("trust.yaml", 0700), 0);
    not_loaded(EPERM);
    rmdir("trust.yaml");
    put("trust.yaml", "carrel: 2\n");
    not_loaded(EINVAL);
}

static void keys_are_private(void **state)
{
    char public[ED25519_KEY_TEXT], again[ED25519_KEY_TEXT];
    uint8_t key[ED25519_KEY_BYTES], raw[ED25519_KEY_BYTES];
    struct err e = ERR_INIT;
    struct stat st;

    (void)state;
    umask(0);
    assert_int_equal(trust_key_make("k", public, &e), 0);
    umask(022);
    assert_int_equal(stat("k", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(trust_key_load("k", key, &e), 0);
    ed25519_public(key, raw);
    ed25519_key_print(raw, again);
    assert_string_equal(public, again);
    trust_key_wipe(key);
    for (size_t i = 0; i < sizeof(key); i++)
        assert_int_equal(key[i], 0);
    assert_int_equal(trust_key_make("k", public, &e), -EEXIST);
    /* Neither half is overwritten, and no half is left alone. */
    unlink("k");
    assert_int_equal(trust_key_make("k", public, &e), -EEXIST);
    assert_int_equal(access("k", F_OK), -1);
    unlink("k.pub");
    assert_int_equal(trust_key_make("k", public, &e), 0);
    chmod("k", 0640);
    assert_int_equal(trust_key_load("k", key, &e), -EPERM);
    chmod("k", 0604);
    assert_int_equal(trust_key_load("k", key, &e), -EPERM);
    chmod("k.pub", 0600);
    assert_int_equal(trust_key_load("k.pub", key, &e), -EINVAL);
    assert_int_equal(trust_key_load("/dev/null", key, &e), -EINVAL);
    assert_int_equal(trust_key_load("none", key, &e), -ENOENT);
}

/* One document, signed as this version. */
struct one {
    struct document doc;
    char text[256], file[32];
};

static void sign(struct one *o, const char *memory, uint64_t version)
{
    struct signatures *s = signatures_new();
    struct policy *p;
    char hash[POLICY_HASH_HEX];
    struct statement st = { .name = "org/base",
                            .role = "base",
                            .version = version,
                            .from = NOW - 60,
                            .expires = NOW + 60,
                            .sha256 = hash };
    struct text t = TEXT_INIT;

    snprintf(o->file, sizeof(o->file), "base.yaml");
    snprintf(o->text, sizeof(o->text), "carrel: 1\nname: org/base\nmemory: {max: %s}\n", memory);
    o->doc = (struct document){ NULL, o->file, o->text, strlen(o->text) };
    p = policy_parse(o->text, o->doc.len, o->file, NULL);
    assert_non_null(p);
    policy_hash(p, hash);
    policy_free(p);
    assert_null(signatures_add(s, &st, secret));
    signatures_print(s, &t);
    put("base.yaml.sig", t.p);
    text_fini(&t);
    signatures_free(s);
}

static int checked(struct one *o, enum trust_memory memory, const char *what)
{
    struct trust *t = loaded();
    struct problems ps = PROBLEMS_INIT;
    struct err e = ERR_INIT;
    struct trust_report r;
    int err = trust_check_policy(t, &o->doc, 1, NOW, memory, &r, &ps, &e);

    if (!!err != !!e.code || (what && !strstr(e.msg, what)))
        fail_msg("wanted \"%s\", got %d: %s", what, err, e.msg);
    assert_true(err != -EACCES || ps.errors);
    trust_report_fini(&r);
    assert_int_equal(trust_check_policy(t, &o->doc, 1, NOW, TRUST_LOOK, NULL, NULL, NULL), err);
    problems_fini(&ps);
    trust_free(t);
    return err;
}

static void p09_rollback(void **state)
{
    struct one o = { .text = "" };

    (void)state;
    put_trust("trust.yaml", "");
    sign(&o, "1GiB", 5);
    assert_int_equal(checked(&o, TRUST_LOOK, NULL), 0);
    sign(&o, "2GiB", 4);
    assert_int_equal(checked(&o, TRUST_LOOK, NULL), 0); /* looking remembers nothing */
    sign(&o, "1GiB", 5);
    assert_int_equal(checked(&o, TRUST_RECORD, NULL), 0);
    assert_int_equal(checked(&o, TRUST_RECORD, NULL), 0);
    sign(&o, "2GiB", 4);
    assert_int_equal(
        checked(&o, TRUST_RECORD, "org/base: version 4 of role base, but version 5 ran"), -EACCES);
    /* Also the same document under its old number. */
    sign(&o, "1GiB", 4);
    assert_int_equal(checked(&o, TRUST_LOOK, "version 4"), -EACCES);
    sign(&o, "2GiB", 5);
    assert_int_equal(checked(&o, TRUST_RECORD, "signed two documents as version 5"), -EACCES);
    sign(&o, "2GiB", 6);
    assert_int_equal(checked(&o, TRUST_RECORD, NULL), 0);
    sign(&o, "1GiB", 5);
    assert_int_equal(checked(&o, TRUST_RECORD, "version 5"), -EACCES);
}

/* What is unknown is no permission: a damaged record, a state directory that cannot be used. */
static void p09_damaged_record(void **state)
{
    char file[SHA256_HEX], path[128];
    struct one o = { .text = "" };

    (void)state;
    put_trust("trust.yaml", "");
    sign(&o, "1GiB", 5);
    assert_int_equal(checked(&o, TRUST_RECORD, NULL), 0);
    sha256_hex("base\norg/base", 13, file);
    snprintf(path, sizeof(path), "state/trust/%s", file);
    assert_int_equal(access(path, F_OK), 0);
    put(path, "carrel seen 1\nrole base\nname org/base\nversion 05\n");
    assert_int_equal(checked(&o, TRUST_RECORD, "damaged"), -EBADMSG);
    put(path, "");
    assert_int_equal(checked(&o, TRUST_LOOK, "damaged"), -EBADMSG);
    put(path, "carrel seen 1\nrole base\nname org/other\nversion 1\nsha256 "
              "0000000000000000000000000000000000000000000000000000000000000000\n");
    assert_int_equal(checked(&o, TRUST_LOOK, "damaged"), -EBADMSG);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(checked(&o, TRUST_LOOK, NULL), 0);
    setenv("CARREL_STATE", "relative", 1);
    assert_int_equal(checked(&o, TRUST_LOOK, "absolute"), -EINVAL);
}

static void p09_signature_file(void **state)
{
    struct one o = { .text = "" };

    (void)state;
    put_trust("trust.yaml", "");
    sign(&o, "1GiB", 1);
    assert_int_equal(checked(&o, TRUST_LOOK, NULL), 0);
    snprintf(o.text, sizeof(o.text), "carrel: 1\nname: org/base\nmemory: {max: 2GiB}\n");
    assert_int_equal(checked(&o, TRUST_LOOK, "signed another document"), -EACCES);
    put("base.yaml.sig", "nonsense\n");
    assert_int_equal(checked(&o, TRUST_LOOK, "not a signature file"), -EACCES);
    unlink("base.yaml.sig");
    assert_int_equal(checked(&o, TRUST_LOOK, "needs 1 signature of role base and has 0"), -EACCES);
    /* A name that no role speaks for needs none. */
    snprintf(o.text, sizeof(o.text), "carrel: 1\nname: mine\nmemory: {max: 2GiB}\n");
    o.doc.len = strlen(o.text);
    assert_int_equal(checked(&o, TRUST_LOOK, NULL), 0);
    put("base.yaml.sig", "nonsense\n"); /* but damage is not passed over */
    assert_int_equal(checked(&o, TRUST_LOOK, "not a signature file"), -EACCES);
    unlink("base.yaml.sig");
    snprintf(o.text, sizeof(o.text), "carrel: 1\nnome: mine\n");
    o.doc.len = strlen(o.text);
    assert_int_equal(checked(&o, TRUST_LOOK, "not a sound policy"), -EINVAL);
}

static void grants_come_from_files(void **state)
{
    struct one o = { .text = "" };
    struct trust *t;
    struct policy *p;
    struct grants *g = grants_new("x");
    char hash[POLICY_HASH_HEX];
    struct grant l = { .id = "more",
                       .policy = "org/base",
                       .sha256 = hash,
                       .role = "base",
                       .from = NOW - 60,
                       .expires = NOW + 60,
                       .widen = "budget: {egress: 1GiB}" };
    struct text text = TEXT_INIT;
    struct err e = ERR_INIT;

    (void)state;
    put_trust("trust.yaml", "");
    t = loaded();
    sign(&o, "1GiB", 1);
    p = policy_parse(o.text, o.doc.len, "base.yaml", NULL);
    policy_hash(p, hash);
    assert_true(grants_add(g, &l, secret, NULL));
    grants_print(g, &text);
    put("more.grant", text.p);
    assert_int_equal(trust_widen(t, "more.grant", &o.doc, p, NOW, NULL, NULL, &e), 0);
    assert_int_equal(p->budget.egress, 1ull << 30);
    policy_free(p);
    p = policy_parse(o.text, o.doc.len, "base.yaml", NULL);
    assert_int_equal(trust_widen(t, "more.grant", &o.doc, p, NOW + 60, NULL, NULL, &e), -EACCES);
    assert_non_null(strstr(e.msg, "expired"));
    assert_int_equal(trust_widen(t, "none.grant", &o.doc, p, NOW, NULL, NULL, &e), -ENOENT);
    put("more.grant", "nonsense");
    assert_int_equal(trust_widen(t, "more.grant", &o.doc, p, NOW, NULL, NULL, &e), -EACCES);
    policy_free(p);
    text_fini(&text);
    grants_free(g);
    trust_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(trust_is_found_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(trust_that_others_can_write_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_are_private, setup, teardown),
        cmocka_unit_test_setup_teardown(p09_rollback, setup, teardown),
        cmocka_unit_test_setup_teardown(p09_damaged_record, setup, teardown),
        cmocka_unit_test_setup_teardown(p09_signature_file, setup, teardown),
        cmocka_unit_test_setup_teardown(grants_come_from_files, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
