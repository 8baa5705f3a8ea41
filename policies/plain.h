/*
 * plain.h - the common part of YAML, read in one pass: block maps and lists, flow maps and lists,
 * words, quoted texts without escapes, comments, in ASCII. It never guesses: at the first thing
 * that is not plainly of that kind it gives up, and the whole document is read by libyaml, which
 * also words every error.
 */
#ifndef POLICIES_PLAIN_H
#define POLICIES_PLAIN_H

#include "policies/yaml.h"

/* The tree that yaml_parse would make, or NULL: not plain. len is at most YAML_BYTES_MAX. */
const struct node *plain_parse(struct arena *a, const char *text, size_t len);

#endif
