/*
 * output.h - what a command of the guest prints, on our standard output and error: as it is, or
 * with --json as a stream of objects, one a line.
 */
#ifndef SANDBOX_CLI_OUTPUT_H
#define SANDBOX_CLI_OUTPUT_H

#include "sandbox/cli/cli.h"

#include <stdint.h>

enum output_stream { OUTPUT_OUT, OUTPUT_ERR };

struct output {
    struct cli *c;
    void (*interrupted)(void *arg); /* called when a signal broke a write; the write goes on */
    void *arg;
    bool broken; /* nobody reads: all further output is dropped */
    int error;   /* errno of a write that failed for another reason, 0 */
    struct {
        uint8_t held[4]; /* JSON: the beginning of a UTF-8 sequence */
        size_t nheld;
    } streams[2];
};

void output_init(struct output *o, struct cli *c, void (*interrupted)(void *), void *arg);
void output_started(struct output *o, const char *name);
void output_write(struct output *o, enum output_stream stream, const void *bytes, size_t len);
void output_end(struct output *o);

#endif
