/* init_driver.h - what the files of init_driver share: one guest, and tests that try it. */
#ifndef TESTS_INTEGRATION_INIT_DRIVER_H
#define TESTS_INTEGRATION_INIT_DRIVER_H

#include "tests/integration/guest_client.h"

#define SHELL(text) ((const char *const[]){ "/bin/sh", "-c", text, NULL })

extern struct client *guest;

struct init_test {
    const char *name;
    void (*run)(void);
};

/* The first failure of a test ends it. */
bool expect(bool ok, const char *fmt, ...) printf_like(2, 3);

bool is_exit(const struct client_result *r, uint8_t kind, uint8_t code);

/* Runs a script and compares its output. */
void script(const char *text, const char *user, const char *out);

void setup(void);
void poweroff(void);

/* ---- init_profile.c ---- */

/* With everything at its default. */
void profile_identity(void);
void profile_program(void);
void profile_trees(void);
void own_terminals(void);
void profile_programs(void);
void own_programs(void);
void pinned_programs(void);
void replaced_programs(void);
void profile_filter(void);
void profile_limits(void);
void profile_setuid(void);
void profile_refused(void);
void closed_to_all(void);
void process_limit(void);
void file_limit(void);

/* ---- init_jobs.c ---- */

void daemons(void);
void endless_forks(void);
void ends_of_trees(void);

/* ---- init_profile.c again: other boots ---- */

/* Booted with lsm= and cgroup_disable=pids. */
void missing_layers(void);

/* Booted with carrel.root=ro carrel.tmp=4194304. */
void read_only_root(void);

/* Booted with carrel.overlay=8388608,300. */
void small_layer(void);

#endif
