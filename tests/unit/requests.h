/* requests.h - a request as it comes over the wire, to guest/request.h. */
#ifndef TESTS_UNIT_REQUESTS_H
#define TESTS_UNIT_REQUESTS_H

#include "guest/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct msg_builder b;

/* Parses what is in b. */
static int parse(struct request *r)
{
    struct err e = ERR_INIT;
    struct msg_frame m;
    ssize_t n = msg_seal(&b);
    int err;

    assert_true(n > 0);
    assert_int_equal(msg_parse(b.bytes, (size_t)n, &m), n);
    err = request_parse(&m, r, &e);
    assert_int_equal(err == 0, e.msg[0] == '\0');
    return err;
}

static int refused(void)
{
    struct request r;
    int err = parse(&r);

    if (!err)
        request_fini(&r);
    else
        assert_null(r.block);
    return err;
}

static void begin_exec(void)
{
    msg_begin(&b, MSG_EXEC);
    msg_add_text(&b, MSG_ARG, "ls");
}

#endif
