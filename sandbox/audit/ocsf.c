/*
 * ocsf.c - records as OCSF events (schema.ocsf.io, version 1.1): one class for all of them, API
 * Activity (class_uid 6003, category 6), because each record is an actor asking for an operation.
 */
#include "sandbox/audit/report.h"

#include <errno.h>
#include <string.h>

static void json(FILE *out, const char *key, const char *s)
{
    fprintf(out, "%s\"", key);
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            fprintf(out, "\\%c", *s);
        else if ((unsigned char)*s < 0x20)
            fprintf(out, "\\u%04x", (unsigned)*s);
        else
            fputc(*s, out);
    }
    fputc('"', out);
}

int report_ocsf(FILE *out, const struct audit_record *r)
{
    /* activity_id 99 = other: our operations are not create/read/update/delete. */
    const bool denied = r->decision == AUDIT_DENY;

    fprintf(out,
            "{\"activity_id\":99,\"category_uid\":6,\"class_uid\":6003,\"type_uid\":600399,"
            "\"severity_id\":%d,\"time\":%llu,\"status_id\":%d,\"action_id\":%d",
            denied ? 3 : 1, (unsigned long long)(r->time_ns / 1000000u), denied ? 2 : 1,
            denied                       ? 2
            : r->decision == AUDIT_ALLOW ? 1
                                         : 99);
    json(out, ",\"activity_name\":", r->kind);
    json(out, ",\"api\":{\"operation\":", r->kind);
    json(out, "},\"actor\":{\"app_name\":", r->actor);
    json(out, "},\"src_endpoint\":{\"name\":", r->sandbox);
    json(out, ",\"uid\":", r->sandbox);
    json(out, "},\"resources\":[{\"name\":", r->object);
    fputs("}],\"metadata\":{\"version\":\"1.1.0\",\"product\":{\"name\":\"Carrel\","
          "\"vendor_name\":\"Carrel\",\"version\":\"" CARREL_VERSION "\"},\"sequence\":",
          out);
    fprintf(out, "%llu", (unsigned long long)r->seq);
    json(out, "},\"policy\":{\"name\":", r->rule);
    json(out, ",\"uid\":", r->policy);
    fprintf(out,
            "},\"unmapped\":{\"bytes\":%llu,\"generation\":%llu,\"grade\":\"%c\",\"mono\":\"%llu\","
            "\"untrusted\":%s}}\n",
            (unsigned long long)r->bytes, (unsigned long long)r->generation, r->grade,
            (unsigned long long)r->mono_ns, r->untrusted ? "true" : "false");
    return ferror(out) ? -(errno ? errno : EIO) : 0;
}
