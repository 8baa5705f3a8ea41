/*
 * problems.h - what is wrong with a document, each with its place: the currency of load and lint.
 */
#ifndef POLICIES_PROBLEMS_H
#define POLICIES_PROBLEMS_H

#include "policies/arena.h"
#include "policies/text.h"

#include <stdint.h>

#define PROBLEMS_MAX 64u /* kept; more are only counted */

enum severity {
    PROBLEM_ERROR,
    PROBLEM_WARNING,
};

struct problem {
    enum severity severity;
    const char *rule; /* "syntax", "key", "value", "layers", … or a lint number; static */
    const char *file;
    uint32_t line, col;
    const char *text;
};

struct problems {
    struct arena arena; /* owned */
    struct problem *v;
    uint32_t n;
    uint32_t errors, warnings;
};

#define PROBLEMS_INIT ((struct problems){ { NULL }, NULL, 0, 0, 0 })

/* file is copied. ps may be NULL when the caller does not care why. */
void problem_add(struct problems *ps, enum severity severity, const char *rule, const char *file,
                 uint32_t line, uint32_t col, const char *fmt, ...) printf_like(7, 8);

/* "file:line:col: error: text", one a line. */
void problems_print(const struct problems *ps, struct text *out);
void problems_json(const struct problems *ps, struct text *out);

void problems_fini(struct problems *ps);

/* The nearest of n words at a distance of at most 2 and less than half of its length, or NULL. */
const char *did_you_mean(const char *word, const char *const *known, size_t n);

#endif
