/*
 * monitor.h - QEMU's monitor (QMP) as far as we listen: why did the machine stop? Pure.
 */
#ifndef SANDBOX_ENGINE_MONITOR_H
#define SANDBOX_ENGINE_MONITOR_H

#include "sandbox/engine/engine.h"

/* What has to be said before it tells anything. */
#define MONITOR_HELLO "{\"execute\":\"qmp_capabilities\"}\n"

/* Takes bytes as they arrive: lines of JSON, of which only SHUTDOWN and GUEST_PANICKED matter.
 * A line longer than the buffer is skipped. */
void monitor_feed(struct engine_words *w, const char *bytes, size_t len);

#endif
