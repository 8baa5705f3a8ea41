/*
 * volumes.h - what carrel has carrel-job do about a sandbox's volumes: neither it nor a keeper
 * reads or makes file systems.
 */
#ifndef SANDBOX_CLI_VOLUMES_H
#define SANDBOX_CLI_VOLUMES_H

#include "sandbox/cli/cli.h"

#include <stdbool.h>
#include <stdint.h>

/* carrel-job's half: `carrel-job OPTION`, with the sandbox's directory and a pipe for the answer.
 */
#define VOLUMES_PREPARE "--prepare"
#define VOLUMES_CHANGES "--changes"
#define VOLUMES_BOX     3
#define VOLUMES_ANSWER  4

struct volumes_answer {
    int32_t code; /* 0, or an errno */
    uint32_t changes;
    char msg[240], hint[240];
};

/* Does the sandbox's policy give it any? */
bool volumes_wanted(int boxfd);

/* Is there a copy of a memory volume in it that is not adopted yet? */
bool volumes_pending(int boxfd);

/* Makes those that are not there yet. */
must_check int volumes_prepare(struct cli *c, int boxfd, char hint[HINT_MAX], struct err *e);

/* After its end: adopts what it was to remember, and counts how many entries of its workspaces
 * differ from what they were filled with. */
must_check int volumes_changes(struct cli *c, int boxfd, uint32_t *changes, struct err *e);

/* The exit status. */
int volumes_serve(const char *option, bool quiet);

#endif
