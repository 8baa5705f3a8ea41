/* One answer for every kind of request: hosts and addresses, paths and renames, tools, the denial
 * shape. */
#include "policies/decide.h"
#include "policies/layers.h"
#include "policies/points.h"
#include "policies/words.h"
#include "policies/yaml.h"

#include "base/io.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BASE "carrel: 1\nname: base\n"

struct fixture {
    struct policy *p;
    struct ruleset *rs;
};

static struct fixture made(const char *yaml, const struct addr_set *own)
{
    struct problems ps = PROBLEMS_INIT;
    struct fixture f = { policy_load(yaml, strlen(yaml), "p.yaml", NULL, NULL, &ps), NULL };
    struct text t = TEXT_INIT;

    problems_print(&ps, &t);
    if (!f.p)
        fail_msg("%s", text_str(&t));
    text_fini(&t);
    problems_fini(&ps);
    f.rs = ruleset_make(f.p, own);
    return f;
}

static void unmade(struct fixture *f)
{
    ruleset_free(f->rs);
    policy_free(f->p);
}

/* "ALLOW rule", "DENY rule", "ASK rule" as the first line of the text has them. */
static void is(const struct fixture *f, const char *request, const char *verdict)
{
    struct arena a = ARENA_INIT;
    struct request r;
    const char *why = point_parse_line(&a, request, &r);
    struct text t = TEXT_INIT;

    if (why)
        fail_msg("%s: %s", request, why);

    struct decision d = decide(f->rs, &r);

    decision_print(f->rs, &r, &d, &t);
    if (strncmp(text_str(&t), verdict, strcspn(verdict, " ")) != 0 ||
        !strstr(text_str(&t), strchr(verdict, ' ') ? strchr(verdict, ' ') + 1 : ""))
        fail_msg("%s: wanted %s, got %s", request, verdict, text_str(&t));
    text_fini(&t);
    arena_fini(&a);
}

static struct fixture draft(void)
{
    struct err e = ERR_INIT;
    char path[512];
    const char *src = getenv("CARREL_SOURCE");
    size_t n;

    snprintf(path, sizeof(path), "%s/tests/golden/policy/draft.yaml", src ? src : ".");

    char *text = io_load(AT_FDCWD, path, YAML_BYTES_MAX, &n, &e);

    if (!text)
        fail_msg("%s", e.msg);

    struct fixture f = made(text, NULL);

    free(text);
    return f;
}

static void every_kind_of_request(void **state)
{
    static const char *const cases[][2] = {
        { "http pypi.org GET /simple/x/", "ALLOW p.yaml:67  network/pypi  grade H" },
        { "http pypi.org POST /simple/x/", "DENY method POST is not in GET, HEAD" },
        { "http pypi.org GET /other", "DENY path /other is not in" },
        { "http pypi.org --protocol tls", "DENY protocol tls" },
        { "http pypi.org GET /simple/ --up 65KiB", "DENY up 65KiB is not in 0B..64KiB" },
        { "http pypi.org GET /simple/ --rate 21/s", "DENY rate 21/s" },
        { "http pypi.org GET /simple/ --tool py", "ALLOW network/pypi" },
        { "http pypi.org GET /simple/ --tool gcc", "DENY tool gcc" },
        { "http evil.org GET /", "DENY network/default" },
        { "connect api.github.com:443", "ALLOW network/gh-api" },
        { "connect api.github.com:22", "DENY port 22 is not in 443" },
        { "exec /usr/bin/python3 --broker guest -- -m pytest", "ALLOW grade G" },
        { "exec /usr/bin/python3 -- -m pytest -c x", "DENY argv" },
        { "exec /usr/bin/python3 -- -c x", "DENY argv" },
        { "exec /usr/bin/python3 --env LD_PRELOAD=x -- -m pip", "DENY which lacks LD_PRELOAD\n" },
        { "exec /usr/bin/python3 --env PIP_NO_INPUT=1 --env PYTHONPATH=x -- -m pip", "ALLOW" },
        { "exec /usr/bin/python3 --env PIP_NO_INPUT=0 -- -m pip", "DENY env" },
        { "exec /usr/bin/python3 --syscalls bpf -- -m pip", "DENY which lacks bpf" },
        { "exec /usr/bin/python3 --syscalls openat -- -m pip", "ALLOW" },
        { "exec /usr/bin/python3 --caps cap_sys_admin -- -m pip", "DENY caps" },
        { "exec /usr/bin/python3 --rw /usr/x -- -m pip", "DENY rw" },
        { "exec /usr/bin/python3 --uses spawn:gcc -- -m pip", "ALLOW" },
        { "exec /usr/bin/python3 --uses spawn:ld -- -m pip", "DENY uses" },
        { "exec /bin/sh", "DENY tools/default" },
        { "host --cwd work -- /usr/bin/git push origin main", "ASK a person has to approve" },
        { "host --cwd work --approval each -- /usr/bin/git push origin main",
          "ALLOW tools/host/git-push" },
        { "host --cwd work --approval each -- /usr/bin/git push origin dev", "DENY argv" },
        { "host --for gh -- npx @x/gh-mcp", "ALLOW tools/mcp/gh" },
        { "mcp gh list_issues --pin "
          "sha256:0000000000000000000000000000000000000000000000000000000000000003",
          "ALLOW" },
        { "mcp gh list_issues --pin "
          "sha256:0000000000000000000000000000000000000000000000000000000000000004",
          "DENY pin" },
        { "mcp gh get_file --pin "
          "sha256:0000000000000000000000000000000000000000000000000000000000000003 -- path=src/x",
          "DENY args" },
        { "mcp gh get_file --pin "
          "sha256:0000000000000000000000000000000000000000000000000000000000000003 -- path=docs/x "
          "path=y",
          "DENY twice" },
        { "mcp gh list_issues --body 65KiB --pin "
          "sha256:0000000000000000000000000000000000000000000000000000000000000003",
          "DENY body" },
        { "file read /workspace/x", "ALLOW storage/work" },
        { "file write /workspace/x --bytes 2GiB --inodes 100000", "ALLOW storage/work" },
        { "file write /workspace/x --bytes 2049MiB", "DENY bytes" },
        { "file write /workspace/.git/config", "DENY storage/work/deny_write" },
        { "file create /workspace/a/b/.git/hooks/pre-commit", "DENY storage/work/deny_write" },
        { "file read /workspace/.git/config", "ALLOW" },
        { "file read /workspace/a/.env.local", "DENY storage/work/deny_read" },
        { "file read /workspace/.environment", "ALLOW" },
        { "file hardlink /workspace/x", "DENY op hardlink" },
        { "file symlink-inside /workspace/x", "ALLOW" },
        { "file symlink-outside /workspace/x", "DENY op symlink-outside" },
        { "file read /workspace/../etc/shadow", "DENY not a canonical path" },
        { "file read //etc", "DENY not a canonical path" },
        { "file append /memory/n", "ALLOW storage/memory/notes" },
        { "file write /memory/n", "DENY op write" },
        { "file read /memory/n --age 91d", "DENY age" },
        { "mount ${cwd} /workspace rw", "ALLOW storage/work" },
        { "mount /etc /workspace ro", "DENY" },
        { "secret ghtoken api.github.com:443 --source file:/run/keys/gh --header authorization "
          "--format \"Bearer {}\" --method GET --path /repos/x",
          "ALLOW secrets/ghtoken" },
        { "secret ghtoken pypi.org:443 --source file:/run/keys/gh --header authorization --format "
          "\"Bearer {}\" --method GET --path /repos/x",
          "DENY host pypi.org" },
        { "model qwen3 https://api.deepseek.com/v1 --input 2000000", "ALLOW models/main" },
        { "model gpt https://api.deepseek.com/v1", "DENY name gpt" },
        { "device vhost-user 10de:2330 0x0302", "ALLOW accelerators/gpu" },
        { "device passthrough 10de:2330 0x0302", "DENY attach passthrough" },
        { "device vhost-user 1002:2330 0x0302", "DENY id" },
        { "snapshot restore --age 24h --reseeded true", "ALLOW snapshot/restore" },
        { "snapshot restore --age 24h", "DENY reseeded" },
        { "snapshot save", "DENY" },
        { "fork 15", "ALLOW budget/fork" },
        { "fork 16", "DENY" },
        { "publish 8080 127.0.0.1 18080", "ALLOW network/publish" },
        { "publish 8080 0.0.0.0 18080", "DENY addr" },
        { "resource memory.max 1GiB", "ALLOW memory/max" },
        { "resource memory.max 1025MiB", "DENY max 1025MiB is more than 1GiB" },
        { "resource audit.retain 1d", "DENY retain 1d is less than 90d" },
        { "image base --sha256 0000000000000000000000000000000000000000000000000000000000000001 "
          "--kernel 0000000000000000000000000000000000000000000000000000000000000002 --verity true",
          "ALLOW image/base" },
        { "image base", "DENY sha256" },
    };
    struct fixture f = draft();

    (void)state;
    for (size_t i = 0; i < array_len(cases); i++)
        is(&f, cases[i][0], cases[i][1]);
    unmade(&f);
}

static void e01_hosts_that_are_none(void **state)
{
    static const char *const bad[] = { "\"a b.c\"",
                                       "\"a\\x0d\\x0a.b\"",
                                       "a%00.b",
                                       "\"a\\\\b.c\"",
                                       "\"\\xc3\\xa9.org\"",
                                       "1.2.3.4",
                                       "2130706433",
                                       "0x7f.1",
                                       "localhost",
                                       "a..b",
                                       "xn--80ak6aa92e.com",
                                       "[::1]" };
    struct fixture f = made(BASE "network: {allow: [{id: a, any_host: true}]}\n", NULL);
    char line[128], label[80];
    struct request r;

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++) {
        snprintf(line, sizeof(line), "connect --host %s", bad[i]);
        is(&f, line, "DENY not a canonical host name");
    }
    is(&f, "connect any.host.at.all", "ALLOW");
    memset(label, 'a', 64);
    strcpy(label + 64, ".org");
    request_init(&r, SPACE_CONNECT);
    request_text(&r, CONNECT_HOST, label);
    assert_int_equal(decide(f.rs, &r).reason, REASON_MALFORMED);
    request_text(&r, CONNECT_HOST, label + 1);
    assert_true(decide(f.rs, &r).allowed);
    unmade(&f);
}

static void e09_addresses_that_are_never_reached(void **state)
{
    static const char *const never[] = {
        "127.0.0.1",
        "127.255.255.255",
        "0.0.0.0",
        "169.254.169.254",
        "169.254.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "100.100.100.200",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:8.8.8.8",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:a9fe:a9fe::1",
        "2001::1",
        "fd00:ec2::254",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "192.88.99.1",
    };
    static const char *const inside[] = { "10.0.0.1",    "172.16.0.1", "172.31.255.255",
                                          "192.168.1.1", "100.64.0.1", "fc00::1",
                                          "fdff::1" };
    static const char *const outside[] = { "8.8.8.8",         "1.1.1.1",         "172.15.255.255",
                                           "172.32.0.0",      "198.17.255.255",  "198.20.0.0",
                                           "223.255.255.255", "128.0.0.0",       "126.255.255.255",
                                           "2600::1",         "2001:4860::8888", "2003::1",
                                           "fe00::1" };
    struct addr_range host_itself = { { 4, 0, 0x08080404 }, { 4, 0, 0x08080404 } };
    struct addr_set own = { &host_itself, 1 };
    struct fixture pub = made(BASE "network: {allow: [{id: a, hosts: [x.org]}]}\n", &own);
    struct fixture all =
        made(BASE "network: {allow: [{id: a, hosts: [x.org], addresses: [0.0.0.0/0, \"::/0\"]}]}\n",
             NULL);
    char line[128];

    (void)state;
    for (size_t i = 0; i < array_len(never); i++) {
        snprintf(line, sizeof(line), "dial x.org %s", never[i]);
        is(&pub, line, "DENY network/never");
        is(&all, line, "DENY network/never");
    }
    for (size_t i = 0; i < array_len(inside); i++) {
        snprintf(line, sizeof(line), "dial x.org %s", inside[i]);
        is(&pub, line, "DENY network/a");
        is(&all, line, "ALLOW");
    }
    for (size_t i = 0; i < array_len(outside); i++) {
        snprintf(line, sizeof(line), "dial x.org %s", outside[i]);
        is(&pub, line, "ALLOW");
    }
    is(&pub, "dial x.org 8.8.4.4", "DENY");
    is(&pub, "dial x.org 8.8.4.5", "ALLOW");
    unmade(&pub);
    unmade(&all);
}

static void denials_win(void **state)
{
    struct fixture f = made(
        BASE
        "network:\n  allow: [{id: a, hosts: [\"**.x.org\"], methods: [GET, DELETE]}]\n  deny:\n"
        "  - {id: d, hosts: [secret.x.org]}\n  - {id: e, methods: [DELETE], paths: "
        "[\"/keep/**\"]}\n"
        "  - {id: g, addresses: [9.9.9.0/24]}\n",
        NULL);

    (void)state;
    is(&f, "connect a.x.org", "ALLOW");
    is(&f, "connect x.org", "DENY");
    is(&f, "connect secret.x.org", "DENY network/deny/d");
    is(&f, "connect a.secret.x.org", "ALLOW");
    is(&f, "http secret.x.org GET /", "DENY network/deny/d");
    is(&f, "http a.x.org DELETE /keep", "DENY network/deny/e");
    is(&f, "http a.x.org DELETE /keep/x", "DENY network/deny/e");
    is(&f, "http a.x.org DELETE /keeper", "ALLOW");
    is(&f, "http a.x.org GET /keep/x", "ALLOW");
    is(&f, "dial a.x.org 9.9.9.9", "DENY network/deny/g");
    is(&f, "dial a.x.org 9.9.8.9", "ALLOW");
    unmade(&f);
}

static void what_cannot_be_read_cannot_be_linked(void **state)
{
    struct fixture f = made(
        BASE
        "storage: {mounts: [{id: w, source: ./, target: /w, access: rw, deny_read: [\"*.pem\"],"
        " deny_write: [\"*.lock\"], links: {hardlink: allow, symlink: allow, device: allow, "
        "setuid: allow}}]}\n",
        NULL);

    (void)state;
    is(&f, "file hardlink /w/a", "ALLOW");
    is(&f, "file hardlink /w/k.pem", "DENY storage/w/deny_read");
    is(&f, "file hardlink /w/k.lock", "DENY storage/w/deny_write");
    is(&f, "file symlink-outside /w/a", "ALLOW");
    is(&f, "file device /w/a", "ALLOW");
    is(&f, "file setuid /w/k.lock", "DENY storage/w/deny_write");
    is(&f, "file read /w/k.lock", "ALLOW");
    is(&f, "file execute /w/k.pem", "DENY storage/w/deny_read");
    is(&f, "file write /w/k.pem", "ALLOW");
    unmade(&f);
}

static void the_deepest_mount_decides(void **state)
{
    struct fixture f = made(BASE "storage:\n  mounts:\n  - {id: w, source: ./, target: /w, access: "
                                 "ro, deny_read: [\"**/*.pem\"]}\n"
                                 "  - {id: o, source: ./o, target: /w/out, access: rw}\n  - {id: "
                                 "n, source: ./n, target: /w/out/no, access: none}\n",
                            NULL);

    (void)state;
    is(&f, "file write /w/a", "DENY storage/w");
    is(&f, "file write /w/out/a", "ALLOW storage/o");
    is(&f, "file write /w/outer", "DENY storage/w");
    is(&f, "file read /w/out/no/a", "DENY");
    is(&f, "file read /w/out/k.pem", "DENY storage/w/deny_read");
    is(&f, "file read /etc/passwd", "ALLOW storage/root");
    is(&f, "file write /etc/passwd", "DENY storage/root");
    unmade(&f);
}

static bool may_move(const struct fixture *f, const char *from, const char *to, bool dir)
{
    return decide_rename(f->rs, from, to, dir, 0, 0).allowed;
}

static void f04_renames(void **state)
{
    struct fixture f = draft();

    (void)state;
    assert_true(may_move(&f, "/workspace/a", "/workspace/b", false));
    assert_true(may_move(&f, "/workspace/a", "/workspace/b/c", true));
    assert_true(may_move(&f, "/workspace/a/b/c", "/workspace/d", true));
    /* Into a denial by the name of a parent. */
    assert_false(may_move(&f, "/workspace/x", "/workspace/.git", true));
    assert_false(may_move(&f, "/workspace/a/x", "/workspace/b/.git", true));
    assert_false(may_move(&f, "/workspace/x", "/workspace/.git/hooks", true));
    assert_true(may_move(&f, "/workspace/x", "/workspace/.git/index", false));
    assert_false(may_move(&f, "/workspace/x", "/workspace/.git/hooks/y", false));
    assert_false(may_move(&f, "/workspace/x", "/workspace/.git/config", false));
    /* Out of one. */
    assert_false(may_move(&f, "/workspace/.git", "/workspace/old", true));
    assert_true(may_move(&f, "/workspace/.git", "/workspace/sub/.git", true));
    assert_false(may_move(&f, "/workspace/.env", "/workspace/env.txt", false));
    assert_false(may_move(&f, "/workspace/a", "/etc/a", true));
    assert_false(may_move(&f, "/memory/a", "/memory/b", false));
    assert_false(may_move(&f, "/workspace/a", "/workspace/../b", false));
    unmade(&f);
}

static bool may_be_leaf(const struct fixture *f, const char *path)
{
    struct request r;

    request_init(&r, SPACE_FILE);
    request_text(&r, FILE_PATH, path);
    request_number(&r, FILE_OP, FILE_CREATE);
    return decide_leaf(f->rs, &r).allowed;
}

/* CVE-2026-55607: a file "gitdir: ./evil", or a link, in the place of the directory. */
static void f04_what_must_be_a_directory_is_nothing_else(void **state)
{
    struct fixture f = draft();

    (void)state;
    assert_true(may_be_leaf(&f, "/workspace/a"));
    assert_true(may_be_leaf(&f, "/workspace/a/.gitignore"));
    assert_true(may_be_leaf(&f, "/workspace/.git/HEAD"));
    assert_false(may_be_leaf(&f, "/workspace/.git"));
    assert_false(may_be_leaf(&f, "/workspace/a/b/.git"));
    assert_false(may_be_leaf(&f, "/workspace/.git/hooks"));
    assert_false(may_be_leaf(&f, "/workspace/.git/hooks/x"));
    assert_false(may_be_leaf(&f, "/etc/../a"));
    unmade(&f);
}

static bool may_copy(const struct fixture *f, const char *path, uint64_t op)
{
    struct request r;

    request_init(&r, SPACE_FILE);
    request_text(&r, FILE_PATH, path);
    request_number(&r, FILE_OP, op);
    return decide_tree(f->rs, &r).allowed;
}

static void f04_trees_whose_names_nobody_sees(void **state)
{
    struct fixture f =
        made(BASE "storage:\n  root: {mode: overlay}\n  mounts:\n"
                  "  - {id: w, source: ./, target: /w, access: rw, deny_read: [\"**/.env\"], "
                  "deny_write: [\"hooks/**\"]}\n"
                  "  - {id: o, source: ./o, target: /opt/o, access: ro}\n",
             NULL);

    (void)state;
    assert_true(may_copy(&f, "/tmp", FILE_CREATE));
    assert_true(may_copy(&f, "/tmp/x", FILE_READ));
    /* A denial may match below it, also where the path lies above the mount. */
    assert_false(may_copy(&f, "/w", FILE_READ));
    assert_false(may_copy(&f, "/w/a", FILE_READ));
    assert_false(may_copy(&f, "/", FILE_READ));
    assert_false(may_copy(&f, "/w", FILE_CREATE));
    assert_false(may_copy(&f, "/w/hooks", FILE_CREATE));
    assert_false(may_copy(&f, "/", FILE_CREATE));
    assert_true(may_copy(&f, "/w/a", FILE_CREATE)); /* hooks are at the top only */
    assert_true(may_copy(&f, "/w/hooksmith", FILE_CREATE));
    /* So does a mount that takes no writes. */
    assert_false(may_copy(&f, "/opt", FILE_CREATE));
    assert_false(may_copy(&f, "/opt/o", FILE_CREATE));
    assert_true(may_copy(&f, "/opt", FILE_READ));
    assert_true(may_copy(&f, "/optical", FILE_CREATE));
    unmade(&f);
}

static void the_denial_shape(void **state)
{
    struct fixture f = draft();
    struct arena a = ARENA_INIT;
    struct request r;
    struct text t = TEXT_INIT;

    (void)state;
    assert_null(point_parse_line(&a, "http pypi.org POST /simple/", &r));

    struct decision d = decide(f.rs, &r);

    decision_json(f.rs, &r, &d, &t);
    assert_string_equal(text_str(&t), "{\"allowed\":false,\"grade\":\"H\",\"hint\":\"widen method "
                                      "of rule network/pypi at p.yaml:67\","
                                      "\"place\":\"p.yaml:67\",\"reason\":\"method POST is not in "
                                      "GET, HEAD\",\"rule\":\"network/pypi\","
                                      "\"verdict\":\"deny\"}");
    text_fini(&t);
    arena_fini(&a);
    unmade(&f);
}

static void deciding_allocates_nothing(void **state)
{
    struct fixture f = draft();
    struct arena a = ARENA_INIT;
    struct request r;

    (void)state;
    assert_null(point_parse_line(
        &a, "exec /usr/bin/python3 --env PATH=x --rw /tmp/x -- -m pytest a b c", &r));

    struct mallinfo2 before = mallinfo2();

    for (int i = 0; i < 100; i++)
        assert_true(decide(f.rs, &r).allowed);
    assert_int_equal(mallinfo2().uordblks, before.uordblks);
    arena_fini(&a);
    unmade(&f);
}

static void requests_that_make_no_sense(void **state)
{
    static const char *const bad[][2] = {
        { "", "unknown kind" },
        { "htp a.b", "did you mean \"http\"" },
        { "http a.b --prot x", "no dimension" },
        { "http a.b --method", "needs a value" },
        { "http a.b FETCH /", "unknown word" },
        { "http a.b:x", "wanted" },
        { "dial a.b 1.2.3", "address" },
        { "exec /x -c", "behind --" },
        { "http a.b \"", "quote" },
        { "mcp a b -- c", "name=value" },
        { "resource memory.maxx 1GiB", "dotted path" },
        { "resource memory.max 1GB", "unit" },
        { "exec /a --caps x", "unknown name" },
        { "http a.b -- x", "no meaning" },
        { "file read \"/a\\x00\"", "NUL" },
    };

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++) {
        struct arena a = ARENA_INIT;
        struct request r;
        const char *why = point_parse_line(&a, bad[i][0], &r);

        if (!why || !strstr(why, bad[i][1]))
            fail_msg("%s: %s", bad[i][0], why ? why : "taken");
        arena_fini(&a);
    }
}

static void requests_of_absurd_size(void **state)
{
    struct fixture f = draft();
    struct request r;
    static char deep[5000];
    static const char *many[5000];

    (void)state;
    for (size_t i = 0; i + 2 < sizeof(deep); i += 2)
        memcpy(deep + i, "/a", 2);
    request_init(&r, SPACE_FILE);
    request_text(&r, FILE_PATH, deep);
    assert_int_equal(decide(f.rs, &r).reason, REASON_MALFORMED);
    deep[2 * 128] = '\0';
    request_text(&r, FILE_PATH, deep);
    assert_int_equal(decide(f.rs, &r).reason, REASON_MALFORMED);
    deep[2 * 127] = '\0';
    request_text(&r, FILE_PATH, deep);
    assert_true(decide(f.rs, &r).allowed);
    for (size_t i = 0; i < array_len(many); i++)
        many[i] = "x";
    request_init(&r, SPACE_EXEC);
    request_text(&r, EXEC_PATH, "/usr/bin/gcc");
    request_list(&r, EXEC_ARGV, many, 1025);
    assert_int_equal(decide(f.rs, &r).reason, REASON_MALFORMED);
    request_list(&r, EXEC_ARGV, many, 1024);
    assert_int_equal(decide(f.rs, &r).reason, REASON_DEFAULT);
    request_list(&r, EXEC_ARGV, many, 64);
    assert_true(decide(f.rs, &r).allowed);
    request_list(&r, EXEC_ARGV, many, 65);
    assert_false(decide(f.rs, &r).allowed);
    r.space = SPACES;
    assert_int_equal(decide(f.rs, &r).reason, REASON_MALFORMED);
    unmade(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_request),
        cmocka_unit_test(e01_hosts_that_are_none),
        cmocka_unit_test(e09_addresses_that_are_never_reached),
        cmocka_unit_test(denials_win),
        cmocka_unit_test(what_cannot_be_read_cannot_be_linked),
        cmocka_unit_test(the_deepest_mount_decides),
        cmocka_unit_test(f04_renames),
        cmocka_unit_test(f04_what_must_be_a_directory_is_nothing_else),
        cmocka_unit_test(f04_trees_whose_names_nobody_sees),
        cmocka_unit_test(the_denial_shape),
        cmocka_unit_test(deciding_allocates_nothing),
        cmocka_unit_test(requests_that_make_no_sense),
        cmocka_unit_test(requests_of_absurd_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
