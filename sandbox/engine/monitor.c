/* monitor.c - see monitor.h. */
#include "sandbox/engine/monitor.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* QMP's ShutdownCause -> our words. */
static const struct {
    const char *cause, *reason;
} causes[] = {
    { "guest-shutdown", "poweroff" }, { "guest-reset", "reboot" },
    { "guest-panic", "panic" },       { "host-signal", "stopped" },
    { "host-qmp-quit", "stopped" },   { "subsystem-reset", "reboot" },
};

static void learn(struct engine_words *w, const json_t *line)
{
    const char *event = json_string_value(json_object_get(line, "event"));
    const char *cause = json_string_value(json_object_get(json_object_get(line, "data"), "reason"));

    if (!event || !strcmp(w->reason, "panic")) /* what follows a panic is not the cause */
        return;
    if (!strcmp(event, "GUEST_PANICKED"))
        snprintf(w->reason, sizeof(w->reason), "panic");
    if (strcmp(event, "SHUTDOWN") != 0 || !cause)
        return;
    for (size_t i = 0; i < array_len(causes); i++)
        if (!strcmp(cause, causes[i].cause))
            snprintf(w->reason, sizeof(w->reason), "%s", causes[i].reason);
}

/* One whole line; anything that is not JSON is not for us. */
static void take_line(struct engine_words *w, const char *text, size_t len)
{
    json_t *line = json_loadb(text, len, 0, NULL);

    if (line)
        learn(w, line);
    json_decref(line);
}

void monitor_feed(struct engine_words *w, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n') {
            if (w->have < sizeof(w->bytes))
                take_line(w, w->bytes, w->have);
            w->have = 0;
        } else if (w->have < sizeof(w->bytes)) {
            w->bytes[w->have++] = bytes[i];
        }
    }
}
