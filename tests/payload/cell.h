/*
 * cell.h - a guest in a jail, started as the engine does, for tests of carrel-launch itself.
 */
#ifndef TESTS_PAYLOAD_CELL_H
#define TESTS_PAYLOAD_CELL_H

#include "sandbox/engine/jail.h"
#include "sandbox/engine/spawn.h"
#include "tests/payload/payload.h"

#define CELL_UID 0x7fff0000u /* as root; free or not: nothing here depends on it */

struct cell {
    struct payload p;
    struct jail jail;
    struct engine_run run;
    int record;
    int dir; /* -1: none */
    struct spawn s;
    char path[4096], number[12], name[24];
    char *argv[3];
};

/* Everything but the process. No cgroup is given, and none is asked for. bare: no filters. */
void cell_open(struct cell *c, const char *program, const char *code, const char *end, bool bare);

/* The program gets this directory too, to be read; fd is taken. */
void cell_give(struct cell *c, int fd);

/* Closes what the process has by now. */
void cell_handed_over(struct cell *c);

/* All that came on the report's pipe, and the end of the process. */
void cell_finish(struct cell *c, struct vmm_report *r, bool *reported, int *status);

#endif
