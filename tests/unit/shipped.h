/* shipped.h - the policies that ship, for tests of all of them. */
#ifndef TESTS_UNIT_SHIPPED_H
#define TESTS_UNIT_SHIPPED_H

#include <stddef.h>

/* policies/library/NAME SUFFIX (".yaml", ".cases.yaml", ".lint"), to be freed; NULL if there is
 * none. */
char *shipped_file(const char *name, const char *suffix, size_t *n);

/* Calls see for each policy; returns how many there are. */
unsigned shipped_each(void (*see)(const char *name, void *ctx), void *ctx);

#endif
