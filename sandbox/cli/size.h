/*
 * size.h - amounts as people write them: bytes, times, counts. Pure; nothing is rounded silently.
 */
#ifndef SANDBOX_CLI_SIZE_H
#define SANDBOX_CLI_SIZE_H

#include "base/compiler.h"

#include <stddef.h>
#include <stdint.h>

/*
 * "512M", "1.5G", "64k", "4096": bytes. Units are powers of 1024: b k m g t in either case,
 * followed by nothing, "b" or "ib". 0; -EINVAL: not a size; -ERANGE: does not fit, or the fraction
 * is not a whole number of bytes.
 */
must_check int size_parse(const char *text, uint64_t *bytes);

/*
 * "30s", "1.5m", "2h", "250ms", "10" (seconds): milliseconds that fit 32 bits. As size_parse; time
 * below a millisecond is -ERANGE.
 */
must_check int duration_parse(const char *text, uint32_t *ms);

/* Decimal digits only, min..max. 0, -EINVAL or -ERANGE. */
must_check int count_parse(const char *text, uint32_t min, uint32_t max, uint32_t *out);

/* "61.4 MiB", "512 MiB", "17 B" into buf; returns buf. */
const char *size_text(uint64_t bytes, char *buf, size_t len);

/* "4m12s", "3d2h", "17s" into buf; returns buf. Negative spans are "0s". */
const char *span_text(int64_t ns, char *buf, size_t len);

/* UTC in RFC 3339 with nanoseconds' meaningful digits cut to milliseconds; "" for 0. */
const char *time_text(int64_t ns, char *buf, size_t len);

#endif
