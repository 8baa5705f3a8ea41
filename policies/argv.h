/*
 * argv.h - patterns over argument lists: a fixed word, one of several, a prefix, any{count, max}.
 *
 * A pattern is a small automaton over arguments: an argument is one symbol, so quoting tricks do
 * not exist. Its states are counted when it is parsed (ARGV_STATES_MAX for one command).
 */
#ifndef POLICIES_ARGV_H
#define POLICIES_ARGV_H

#include "policies/arena.h"

#include <stdbool.h>

#define ARGV_STATES_MAX 4096u
#define ARGV_MAX        1024u /* arguments in one request */
#define ARG_BYTES_MAX   4096u /* bytes of one argument, when a pattern does not say less */

enum token_kind {
    TOKEN_WORDS,  /* one of these */
    TOKEN_PREFIX, /* begins so; at most max bytes in all */
    TOKEN_ANY,    /* lo to hi arguments of at most max bytes each */
};

struct texts {
    const char **v;
    uint32_t n;
};

struct token {
    enum token_kind kind;
    struct texts words; /* sorted; TOKEN_PREFIX: one */
    uint32_t lo, hi;    /* TOKEN_ANY */
    uint32_t max;
};

struct argv_pattern {
    struct token *v;
    uint32_t n;
};

struct args {
    const char *const *v; /* terminated strings, without argv[0] */
    uint32_t n;
};

/* Does one argument match one step of a token? */
bool token_matches(const struct token *t, const char *arg, size_t len);

/* The whole list. */
bool argv_matches(const struct argv_pattern *p, const struct args *args);

/* Anywhere in the list: the reading of deny. */
bool argv_contains(const struct argv_pattern *p, const struct args *args);

/* States of the automaton of a pattern. */
uint32_t argv_states(const struct argv_pattern *p);

#endif
