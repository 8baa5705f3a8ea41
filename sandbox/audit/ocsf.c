/*
 * ocsf.c - records as OCSF events (schema.ocsf.io, version 1.1.0).
 *
 *     exec                 Process Activity 1007: Launch
 *     file                 File System Activity 1001: Create, Read, Update, Delete, Rename
 *     connect dial http    Network Activity 4001: Open, Traffic, Refuse
 *     all else             API Activity 6003: an actor asked for an operation
 *
 * HTTP requests are not HTTP Activity (4002): that class requires the response, which a decision
 * does not have. Required attributes and constraints are those of the schema; what has no place
 * in it is under "unmapped".
 */
#include "sandbox/audit/object.h"
#include "sandbox/audit/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { OCSF_OTHER = 99 };

static void escaped(FILE *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            fprintf(out, "\\%c", *s);
        else if ((unsigned char)*s < 0x20)
            fprintf(out, "\\u%04x", (unsigned)*s);
        else
            fputc(*s, out);
    }
}

static void json(FILE *out, const char *key, const char *s)
{
    fprintf(out, "%s\"", key);
    escaped(out, s);
    fputc('"', out);
}

static bool is_kind(const struct audit_record *r, const char *word)
{
    size_t n = strlen(word);

    return !strncmp(r->kind, word, n) && (!r->kind[n] || r->kind[n] == '.');
}

static void classify(FILE *out, const struct audit_record *r, unsigned class, unsigned activity)
{
    const bool denied = r->decision == AUDIT_DENY;

    fprintf(out,
            "{\"activity_id\":%u,\"category_uid\":%u,\"class_uid\":%u,\"type_uid\":%u,"
            "\"severity_id\":%d,\"time\":%llu,\"status_id\":%d",
            activity, class / 1000, class, class * 100 + activity, denied ? 3 : 1,
            (unsigned long long)(r->time_ns / 1000000u), denied ? 2 : 1);
    json(out, ",\"activity_name\":", r->kind);
    json(out, ",\"message\":", r->object);
}

/* The outcome of a security control: of its profile, which API Activity does not take. */
static void outcome(FILE *out, const struct audit_record *r)
{
    int id = r->decision == AUDIT_DENY ? 2 : r->decision == AUDIT_ALLOW ? 1 : 0;

    fprintf(out, ",\"action_id\":%d,\"disposition_id\":%d", id, id);
}

static void machine(FILE *out, const char *key, const struct audit_record *r)
{
    fprintf(out, ",\"%s\":{\"type_id\":6", key); /* virtual */
    json(out, ",\"uid\":", r->sandbox);
    fputc('}', out);
}

static void actor(FILE *out, const struct audit_record *r)
{
    json(out, ",\"actor\":{\"user\":{\"name\":", r->actor);
    fputs("}}", out);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}

static void file_object(FILE *out, const char *path)
{
    json(out, "{\"type_id\":0,\"name\":", base_name(path));
    json(out, ",\"path\":", path);
    fputc('}', out);
}

static void process(FILE *out, const struct audit_record *r)
{
    const char *rest = object_rest(r->object);
    char path[AUDIT_OBJECT_MAX];

    if (!object_value(r->object, "path", 1, path, sizeof(path)))
        memcpy(path, r->object, sizeof(path));
    classify(out, r, 1007, 1);
    outcome(out, r);
    actor(out, r);
    machine(out, "device", r);
    /* A request has no pid; its record is unique. */
    json(out, ",\"process\":{\"name\":", base_name(path));
    fputs(",\"uid\":\"", out);
    escaped(out, r->sandbox);
    fprintf(out, "#%llu\",\"cmd_line\":\"", (unsigned long long)r->seq);
    escaped(out, path);
    if (*rest)
        fputc(' ', out);
    escaped(out, rest);
    fputs("\",\"file\":", out);
    file_object(out, path);
    fputc('}', out);
}

static void file(FILE *out, const struct audit_record *r)
{
    static const struct {
        const char *op;
        unsigned activity;
    } ops[] = { { "create", 1 }, { "read", 2 }, { "write", 3 }, { "append", 3 }, { "delete", 4 } };
    char op[32], path[AUDIT_OBJECT_MAX];
    unsigned activity = OCSF_OTHER;

    if (!object_value(r->object, "op", 1, op, sizeof(op)))
        memcpy(op, "read", sizeof("read")); /* what it is unless it says so */
    for (size_t i = 0; i < array_len(ops); i++)
        if (!strcmp(op, ops[i].op))
            activity = ops[i].activity;
    if (!object_value(r->object, "path", 2, path, sizeof(path)))
        memcpy(path, r->object, sizeof(path));
    classify(out, r, 1001, activity);
    outcome(out, r);
    actor(out, r);
    machine(out, "device", r);
    fputs(",\"file\":", out);
    file_object(out, path);
}

/* True unless there is no destination in it. */
static bool network(FILE *out, const struct audit_record *r)
{
    const bool http = is_kind(r, "http"), denied = r->decision == AUDIT_DENY;
    char to[AUDIT_OBJECT_MAX], path[AUDIT_OBJECT_MAX];
    char *port;

    if (!object_destination(r->object, to, sizeof(to)))
        return false;
    port = strrchr(to, ':');
    *port++ = '\0';
    classify(out, r, 4001, denied ? 5 : http ? 6 : 1);
    outcome(out, r);
    actor(out, r);
    machine(out, "src_endpoint", r);
    json(out, ",\"dst_endpoint\":{\"hostname\":", to);
    if (*port && strlen(port) <= 5 && strspn(port, "0123456789") == strlen(port))
        fprintf(out, ",\"port\":%ld", strtol(port, NULL, 10));
    fprintf(out, "},\"traffic\":{\"bytes\":%llu}", (unsigned long long)r->bytes);
    if (http && object_value(r->object, "path", 3, path, sizeof(path))) {
        json(out, ",\"url\":{\"hostname\":", to);
        json(out, ",\"path\":", path);
        fputc('}', out);
    }
    return true;
}

static void api(FILE *out, const struct audit_record *r)
{
    classify(out, r, 6003, OCSF_OTHER);
    actor(out, r);
    json(out, ",\"api\":{\"operation\":", r->kind);
    fputc('}', out);
    machine(out, "src_endpoint", r);
    json(out, ",\"resources\":[{\"name\":", r->object);
    fputs("}]", out);
}

int report_ocsf(FILE *out, const struct audit_record *r)
{
    /* An event is nobody's request: what happened to the machine, or to the log. */
    const bool asked = r->decision != AUDIT_EVENT;
    bool control = true;

    if (asked && is_kind(r, "exec"))
        process(out, r);
    else if (asked && is_kind(r, "file"))
        file(out, r);
    else if (!(asked && (is_kind(r, "connect") || is_kind(r, "dial") || is_kind(r, "http")) &&
               network(out, r))) {
        api(out, r);
        control = false;
    }
    fprintf(out,
            ",\"metadata\":{\"version\":\"1.1.0\",\"profiles\":[%s],\"product\":{\"name\":"
            "\"Carrel\",\"vendor_name\":\"Carrel\",\"version\":\"" CARREL_VERSION
            "\"},\"log_name\":\"carrel-audit\",\"sequence\":%llu}",
            control ? "\"security_control\",\"host\"" : "", (unsigned long long)r->seq);
    fprintf(out, ",\"unmapped\":{\"bytes\":%llu,\"decision\":\"%s\",\"generation\":%llu",
            (unsigned long long)r->bytes, audit_decision_name(r->decision),
            (unsigned long long)r->generation);
    json(out, ",\"grade\":", (const char[]){ r->grade, '\0' });
    fprintf(out, ",\"mono\":\"%llu\"", (unsigned long long)r->mono_ns);
    json(out, ",\"policy\":", r->policy);
    json(out, ",\"rule\":", r->rule);
    fprintf(out, ",\"untrusted\":%s}}\n", r->untrusted ? "true" : "false");
    return ferror(out) ? -(errno ? errno : EIO) : 0;
}
