/*
 * serial.h - the transmit half of a 16550, for early kernel messages; nothing can be typed into it.
 *
 * It has no interrupt line, and the DSDT declares none: Linux then polls, a few bytes a tick (1.8
 * KB/s were seen), and user space on the port neither hangs nor fails. A kernel that takes its
 * ports from a table of old (no SERIAL_8250_PNP) insists on interrupt 4 and fails every write with
 * EIO. Output is passed on a line at a time, never waits for its reader, and is cut above a rate:
 * what is lost is counted, never silent (C01).
 */
#ifndef VMM_SERIAL_H
#define VMM_SERIAL_H

#include "base/err.h"
#include "vmm/device.h"

#include <pthread.h>
#include <time.h>

#define SERIAL_LINE 256

struct serial {
    struct device dev;
    int fd;               /* owned; non-blocking */
    uint32_t rate;        /* bytes a second, 0: any */
    pthread_mutex_t lock; /* guards all below; registers are written by any vCPU */
    uint8_t ier, fcr, lcr, mcr, scr, dll, dlm;
    bool thr_empty_news; /* the transmitter became empty and IIR has not said so yet */
    struct timespec filled;
    uint64_t tokens; /* bytes that may pass */
    uint64_t dropped;
    unsigned n;
    char line[SERIAL_LINE];
};

/* Takes fd and makes it non-blocking. */
must_check int serial_init(struct serial *s, int fd, uint32_t bytes_per_s, struct err *e);

/* Passes on an unfinished line; the bytes that did not reach fd so far. */
uint64_t serial_flush(struct serial *s);

/* No vCPU runs any more. What serial_flush has not passed on is lost. */
void serial_fini(struct serial *s);

#endif
