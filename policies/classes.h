/*
 * classes.h - what a text may look like, class by class, and its one canonical spelling.
 */
#ifndef POLICIES_CLASSES_H
#define POLICIES_CLASSES_H

#include "policies/fields.h"

/* NULL and *out (in the arena), or what is wrong with s. */
must_check const char *class_check(struct arena *a, enum text_class c, const char *s,
                                   const char **out);

/* A regular expression (ECMA 262) that accepts at least every text of the class, for editors. */
const char *class_regex(enum text_class c);

/* Reads "a.b.c.d:port" or "[v6]:port". */
struct addr;
must_check const char *listen_parse(const char *s, struct addr *addr, uint64_t *port);

/* Reads "10de:2330" as vendor << 16 | device. */
must_check const char *pci_id_parse(const char *s, uint64_t *out);

#endif
