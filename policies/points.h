/*
 * points.h - requests as text: what a person types and reads, what test cases and witnesses are.
 *
 *   http api.github.com:443 POST /repos/x            (short form of a few spaces)
 *   exec /usr/bin/python3 -- -m pytest
 *   file write /workspace/a --bytes 1MiB
 *   mcp gh/get_file path=docs/a
 *   resource memory.max 2GiB
 * In every space: SPACE --DIMENSION VALUE …, lists by repetition.
 */
#ifndef POLICIES_POINTS_H
#define POLICIES_POINTS_H

#include "policies/arena.h"
#include "policies/spaces.h"

/* Words, already split. NULL, or what is wrong; *r borrows from the arena. */
must_check const char *point_parse(struct arena *a, const char *const *words, uint32_t n,
                                   struct request *r);

/* One line: words in single spaces, quoted with "" and \ where needed. */
must_check const char *point_parse_line(struct arena *a, const char *line, struct request *r);

/* The same back; what is at its default is left out. point_parse_line reads it. */
void point_print(const struct request *r, struct text *out);
void point_json(const struct request *r, struct text *out);

/* One dimension's value. */
void value_print(const struct dim *d, const struct value *v, struct text *out);

#endif
