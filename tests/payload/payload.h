/*
 * payload.h - tiny guests as tests: machine code in an ELF made in memory, run by the real
 * carrel-vmm on /dev/kvm, judged by its report.
 */
#ifndef TESTS_PAYLOAD_PAYLOAD_H
#define TESTS_PAYLOAD_PAYLOAD_H

#include "base/err.h"
#include "base/launch.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PAYLOAD_AT 0x100000u /* where the code is loaded and entered */

/* Code between two labels, assembled with the test. BITS is 32 (PVH) or 64. */
#define PAYLOAD(name, bits, code)                                                \
    extern const char name[], name##_end[];                                      \
    __asm__(".pushsection .rodata\n.code" #bits "\n" #name ":\n" code "\n" #name \
            "_end:\n.code64\n.popsection\n")

/* Makes the system call filters, as the engine does; NULL: none. A sanitizer makes calls of its
 * own, under any filter. */
extern int (*payload_filters)(const struct vmm_launch *l, struct err *e);

/* A machine about to run. */
struct payload {
    struct vmm_launch l;
    int extra_fd;       /* inherited but not named, or -1 */
    bool bare;          /* no system call filters; payload_init says no */
    const char *vmm;    /* the program below bin/ */
    size_t record_size; /* bytes of the record that are sent */
    /* After payload_start: */
    pid_t pid;
    int report, serial; /* read ends */
};

/* A valid record: 64 MiB, one vCPU, serial to a pipe, this code as kernel (NULL: none). */
void payload_init(struct payload *p, const char *code, const char *end, bool pvh);

/* Replaces the kernel by these bytes. */
void payload_kernel(struct payload *p, const void *elf, size_t len);

void payload_start(struct payload *p);

struct payload_result {
    bool reported;
    struct vmm_report r;
    int status;        /* as waitpid's; the process was killed after ten seconds if need be */
    char serial[4096]; /* terminated */
    size_t serial_len; /* all of it, also what did not fit */
};

/* Reads all output, waits for the end. */
void payload_finish(struct payload *p, struct payload_result *res);

/* All at once. */
struct payload_result payload_run(struct payload *p);

#endif
