/* denial.c - see denial.h. */
#include "sandbox/cli/denial.h"

#include <errno.h>

int denial_read(const struct msg_frame *f, char hint[HINT_MAX], struct err *e)
{
    json_t *o = json_loadb((const char *)f->body, f->len, JSON_REJECT_DUPLICATES, NULL);
    const char *rule = json_string_value(json_object_get(o, "rule"));
    const char *place = json_string_value(json_object_get(o, "place"));
    const char *reason = json_string_value(json_object_get(o, "reason"));
    const char *help = json_string_value(json_object_get(o, "hint"));

    if (rule && place && reason && help) {
        err_set(e, EACCES, "denied by %s (%s): %s", rule, place, reason);
        snprintf(hint, HINT_MAX, "%s", help);
    } else {
        err_set(e, EBADMSG, "the keeper sent a malformed denial");
    }
    json_decref(o);
    return -e->code;
}
