/* Who a command runs as: guest/users.h. */
#include "guest/users.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char passwd[] = "root:x:0:0:root:/root:/bin/ash\n"
                             "# a comment: with: colons\n"
                             "short:x:5\n"
                             "nonum:x:1x:5::/home/nonum:/bin/sh\n"
                             "huge:x:4294967295:5::/:/bin/sh\n"
                             "agent:x:1000:1001:An Agent,,,:/home/agent:/bin/bash\n"
                             "1000:x:7:7::/named-1000:/bin/sh\n"
                             "agent:x:2000:2000:a second one:/other:/bin/sh\n"
                             "bare:x:3000:3000:::\n"
                             "relative:x:3001:3001::home:sh\n"
                             "last:x:9:9::/last:/bin/last";
static const char group[] = "root:x:0:\n"
                            "tty:x:5:agents,agent2\n"
                            "wheel:x:10:root,agent\n"
                            "docker:x:11:agent\n"
                            "self:x:1001:agent\n"
                            "broken:x:zz:agent\n"
                            "short:x\n"
                            "audio:x:12:agent,other";

static struct user get(const char *spec)
{
    struct err e = ERR_INIT;
    struct user u;

    assert_int_equal(user_parse(spec, passwd, group, &u, &e), 0);
    return u;
}

static void by_name(void **state)
{
    struct user u = get("agent");

    (void)state;
    assert_int_equal(u.uid, 1000);
    assert_int_equal(u.gid, 1001);
    assert_string_equal(u.name, "agent");
    assert_string_equal(u.home, "/home/agent");
    assert_string_equal(u.shell, "/bin/bash");
    /* Not tty (other names), not its own group again, and the last line without a newline. */
    assert_int_equal(u.ngroups, 3);
    assert_int_equal(u.groups[0], 10);
    assert_int_equal(u.groups[1], 11);
    assert_int_equal(u.groups[2], 12);
    assert_int_equal(get("last").uid, 9);
}

static void by_number(void **state)
{
    (void)state;
    assert_string_equal(get("1000").name, "agent");
    assert_string_equal(get("1000").home, "/home/agent");

    struct user u = get("4242");

    assert_int_equal(u.uid, 4242);
    assert_int_equal(u.gid, 0);
    assert_int_equal(u.ngroups, 0);
    assert_string_equal(u.name, "");
    assert_string_equal(u.home, "/");
    assert_string_equal(u.shell, "/bin/sh");
    assert_int_equal(get("4294967294").uid, 4294967294u);
}

static void root_is_the_default(void **state)
{
    (void)state;
    assert_int_equal(get("").uid, 0);
    assert_string_equal(get("").home, "/root");
    assert_string_equal(get("").shell, "/bin/ash");
}

static void with_group(void **state)
{
    (void)state;
    assert_int_equal(get("agent:tty").gid, 5);
    assert_int_equal(get("agent:tty").ngroups, 0);
    assert_int_equal(get("agent:77").gid, 77);
    assert_int_equal(get("4242:4343").uid, 4242);
    assert_int_equal(get("4242:4343").gid, 4343);
    assert_int_equal(get(":10").gid, 10);
}

static void strange_entries(void **state)
{
    (void)state;
    assert_string_equal(get("bare").home, "/");
    assert_string_equal(get("bare").shell, "/bin/sh");
    assert_string_equal(get("relative").home, "/");
    assert_string_equal(get("relative").shell, "/bin/sh");
}

static void refused(void **state)
{
    static const char *const bad[] = {
        "nobody", "age",      "agentx",           "short",        "nonum",
        "huge",   "-1",       "4294967295",       "99999999999",  "agent:nogroup",
        "agent:", "agent:zz", "agent:4294967295", "agent:broken", " agent",
    };
    struct user u;

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++) {
        struct err e = ERR_INIT;

        if (user_parse(bad[i], passwd, group, &u, &e) != -EINVAL || !e.msg[0])
            fail_msg("\"%s\" was accepted", bad[i]);
    }
}

static void long_names(void **state)
{
    char spec[300], text[1200];
    struct err e = ERR_INIT;
    struct user u;

    (void)state;
    memset(spec, 'a', sizeof(spec));
    spec[299] = '\0';
    assert_int_equal(user_parse(spec, passwd, group, &u, &e), -EINVAL);
    /* A home that does not fit is as good as none. */
    snprintf(text, sizeof(text), "u:x:1:1::/%s%s:/bin/sh\n", spec, spec);
    assert_int_equal(user_parse("u", text, group, &u, &e), 0);
    assert_string_equal(u.home, "/");
}

static void many_groups(void **state)
{
    char *text = calloc(200, 32);
    struct err e = ERR_INIT;
    struct user u;
    size_t len = 0;

    (void)state;
    assert_non_null(text);
    for (int i = 0; i < 200; i++)
        len += (size_t)sprintf(text + len, "g%d:x:%d:agent\n", i, 5000 + i);
    assert_int_equal(user_parse("agent", passwd, text, &u, &e), 0);
    assert_int_equal(u.ngroups, USER_GROUPS_MAX);
    assert_int_equal(u.groups[USER_GROUPS_MAX - 1], 5000 + USER_GROUPS_MAX - 1);
    free(text);
}

static void empty_files(void **state)
{
    struct err e = ERR_INIT;
    struct user u;

    (void)state;
    assert_int_equal(user_parse("", "", "", &u, &e), 0);
    assert_int_equal(u.uid, 0);
    assert_int_equal(user_parse("root", "", "", &u, &e), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_name),
        cmocka_unit_test(by_number),
        cmocka_unit_test(root_is_the_default),
        cmocka_unit_test(with_group),
        cmocka_unit_test(strange_entries),
        cmocka_unit_test(refused),
        cmocka_unit_test(long_names),
        cmocka_unit_test(many_groups),
        cmocka_unit_test(empty_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
