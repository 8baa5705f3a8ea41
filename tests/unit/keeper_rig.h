/*
 * keeper_rig.h - a sandbox in the hands of a keeper, whose machine is fake_machine.h, and clients
 * that expect things of it. Whatever is not as expected fails the test.
 */
#ifndef TESTS_UNIT_KEEPER_RIG_H
#define TESTS_UNIT_KEEPER_RIG_H

#include "sandbox/client.h"
#include "sandbox/guard/dossier.h"
#include "sandbox/keeper/keeper.h"
#include "tests/unit/fake_machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

extern struct rig {
    char root[64]; /* the state directory */
    struct store *store;
    struct box_config cfg;
    uint64_t disk_bytes;
    const char *policy; /* NULL: everything is allowed */
    bool cannot_lock;   /* its keeper finds no lock-down, and must not have read from the guest */
    int box;            /* the sandbox's directory; -1 before rig_start */
    pid_t holder;       /* 0: there is none, or not any more */
    pid_t keeper;       /* its child */
    int done;           /* a byte comes when the keeper has ended in order */
    struct msg_builder out;
    struct msg_frame in; /* what the last expect got */
    struct err err;
} rig;

int rig_setup(void **state);
int rig_teardown(void **state);

/* A test with a rig of its own. */
#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

/* A new sandbox without a keeper. */
void rig_make(bool ephemeral, const char *argv0);

/* Starts the keeper of a new sandbox; argv0 NULL: the main command will be sent, or never. */
void rig_start(bool ephemeral, const char *argv0, bool await_main);

/* Puts rig.policy, or one of everything the fake guest knows and no user but root, where a keeper
 * finds it: DOSSIER_FILE or DOSSIER_NEXT. */
void keep_policy_as(const char *file);

/* Clients; the caller ends each with hang_up, or with an expect_ that says so. */
struct client *dial(void);
void hang_up(struct client *c);
struct client *request(enum msg_type type); /* begun in rig.out, not sent */
struct client *ask(enum msg_type type);
struct client *exec_it(const char *what, uint32_t flags);
struct client *exec_started(const char *what, uint32_t flags);

void expect(struct client *c, enum msg_type type);
void expect_exit(struct client *c, int kind, int code);
void expect_close(struct client *c);             /* hangs up */
struct box_state expect_ended(struct client *c); /* hangs up */

/* The keeper has gone, in order, and its engine with it. */
void expect_gone(void);

#endif
