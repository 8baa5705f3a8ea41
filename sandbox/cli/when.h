/* when.h - moments and ages as people write them. Pure. */
#ifndef SANDBOX_CLI_WHEN_H
#define SANDBOX_CLI_WHEN_H

#include "base/compiler.h"

#include <stdint.h>

/*
 * "2026-11-23", "2026-11-23T15:04:05.678Z" (UTC; "T" may be a space, fraction and "Z" left out), or
 * an age before now: "90s", "15m", "2h", "7d". Nanoseconds since 1970. 0, or -EINVAL.
 */
must_check int when_parse(const char *text, uint64_t now_ns, uint64_t *ns);

/* "90d", "12h", "30m", "10s": whole numbers. 0, -EINVAL or -ERANGE. */
must_check int age_parse(const char *text, uint64_t *ns);

#endif
