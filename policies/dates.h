/* dates.h - moments in documents: "2026-11-23T15:02:06Z" and nothing else, as seconds of Unix time.
 */
#ifndef POLICIES_DATES_H
#define POLICIES_DATES_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>

#define DATE_TEXT 21u                     /* with the NUL */
#define DATE_MAX  ((int64_t)253402300799) /* 9999-12-31T23:59:59Z */

/* From 1970 to 9999; no leap seconds. */
must_check bool date_parse(const char *s, int64_t *out);

/* Of a moment from 0 to DATE_MAX; others are shown as the nearer of the two. */
void date_print(int64_t t, char out[DATE_TEXT]);

#endif
