/*
 * object.h - what a record's object says, where it is a request in the text form of
 * policies/points.h: "file read /a", "connect --host x.org --port 443", "exec /bin/sh -- -c ls".
 *
 * Read word by word, not parsed: an object may have been cut, and a log outlives the language.
 */
#ifndef SANDBOX_AUDIT_OBJECT_H
#define SANDBOX_AUDIT_OBJECT_H

#include <stdbool.h>
#include <stddef.h>

/* One word of the text at *at, without its quotes, cut to the room. False at the end. */
bool object_word(const char **at, char *word, size_t room);

/*
 * The value of a dimension: behind "--name", or the word at position (the kind is 0). False when
 * the object has neither. A position below 0 is never met.
 */
bool object_value(const char *object, const char *name, int position, char *value, size_t room);

/* "name:port" of a connection or request; the port is 443 when it says none. */
bool object_destination(const char *object, char *value, size_t room);

/* What stands behind "--": the rest as it is written; "" when there is nothing. */
const char *object_rest(const char *object);

#endif
