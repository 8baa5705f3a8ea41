/*
 * tty.h - the user's terminal: its size, raw mode, and its return to what it was.
 *
 * Whatever ends this process by a signal it can catch, or by exit(), restores the terminal first.
 */
#ifndef SANDBOX_CLI_TTY_H
#define SANDBOX_CLI_TTY_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Puts the terminal fd into raw mode; once a process. */
must_check int tty_raw(int fd, struct err *e);

/* Raw mode again, after the process was stopped and continued. */
void tty_raw_again(void);

/* Back to what it was; async-signal-safe; does nothing when nothing was changed. */
void tty_restore(void);

/* False when fd is no terminal or does not know. */
must_check bool tty_size(int fd, uint16_t *rows, uint16_t *cols);

#define TTY_KEYS_MAX 16

/* "ctrl-p,ctrl-q", "a,ctrl-c", "" (no keys): the bytes and their number, or -EINVAL. */
must_check int tty_parse_keys(const char *text, uint8_t keys[TTY_KEYS_MAX]);

/* Recognises the keys in a stream of input. */
struct tty_keys {
    uint8_t keys[TTY_KEYS_MAX];
    unsigned nkeys; /* 0: none are recognised */
    unsigned matched;
};

/*
 * Passes input through to out, which has room for len + TTY_KEYS_MAX bytes, holding back what may
 * be the beginning of the keys. True when they were all pressed; *used is then what came before.
 */
must_check bool tty_keys_filter(struct tty_keys *k, const uint8_t *in, size_t len, uint8_t *out,
                                size_t *used);

#endif
