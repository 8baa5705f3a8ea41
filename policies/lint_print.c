/* lint_print.c - findings and rules as text, JSON, SARIF 2.1.0 (OASIS) and a manual page's list. */
#include "policies/lint.h"

#include <string.h>

void findings_print(const struct findings *f, struct text *out)
{
    const struct lint_rule *last = NULL;

    for (uint32_t i = 0; i < f->n; i++) {
        const struct finding *x = &f->v[i];

        if (x->accepted)
            continue;
        text_add(out, "%s:%u:%u: %s%s%s: %s\n", x->file, x->line, x->col,
                 lint_severity_word(x->severity), x->rule ? " " : "", x->rule ? x->id : "",
                 x->text);
        /* Once for several in a row. */
        if (x->rule && x->rule != last)
            text_add(out, "  hint: %s\n", x->rule->remedy);
        last = x->rule;
    }
    if (f->lost)
        text_add(out, "… and %u more\n", f->lost);
}

static void one_json(const struct finding *x, struct text *out)
{
    if (x->accepted) {
        text_add(out, "{\"accepted\":");
        text_json(out, x->accepted);
        text_add(out, ",\"column\":%u,\"file\":", x->col);
    } else {
        text_add(out, "{\"column\":%u,\"file\":", x->col);
    }
    text_json(out, x->file);
    if (x->rule) {
        text_add(out, ",\"hint\":");
        text_json(out, x->rule->remedy);
    }
    text_add(out, ",\"line\":%u,\"message\":", x->line);
    text_json(out, x->text);
    if (x->rule)
        text_add(out, ",\"name\":\"%s\"", x->rule->name);
    text_add(out, ",\"rule\":\"%s\",\"severity\":\"%s\"", x->id, lint_severity_word(x->severity));
    if (x->subject) {
        text_add(out, ",\"subject\":");
        text_json(out, x->subject);
    }
    text_add(out, "}");
}

void findings_json(const struct findings *const *f, uint32_t n, struct text *out)
{
    uint32_t counts[LINT_SEVERITIES] = { 0 }, accepted = 0, seen = 0;

    for (uint32_t i = 0; i < n; i++) {
        for (unsigned s = 0; s < LINT_SEVERITIES; s++)
            counts[s] += f[i]->counts[s];
        accepted += f[i]->accepted;
    }
    text_add(out, "{\"accepted\":%u,\"errors\":%u,\"notes\":%u,\"problems\":[", accepted,
             counts[LINT_ERROR], counts[LINT_NOTE]);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < f[i]->n; k++) {
            text_add(out, "%s", seen++ ? "," : "");
            one_json(&f[i]->v[k], out);
        }
    }
    text_add(out, "],\"warnings\":%u}", counts[LINT_WARNING]);
}

/* A path as a URI reference (RFC 3986): what has a meaning there is encoded. */
static void uri(struct text *out, const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-._~/";

    text_add(out, "\"%s", path[0] == '/' ? "file://" : "");
    for (; *path; path++) {
        if (strchr(plain, *path))
            text_bytes(out, path, 1);
        else
            text_add(out, "%%%02X", (unsigned)(unsigned char)*path);
    }
    text_add(out, "\"");
}

static uint32_t index_of(const struct lint_rule *rule)
{
    uint32_t i = 0;

    while (lint_rule_at(i) != rule)
        i++;
    return i;
}

/* SARIF 2.1.0, 3.27: one result. */
static void result(const struct finding *x, struct text *out)
{
    text_add(out, "{\"ruleId\":\"%s\",", x->id);
    if (x->rule)
        text_add(out, "\"ruleIndex\":%u,", index_of(x->rule));
    text_add(out, "\"level\":\"%s\",\"message\":{\"text\":", lint_severity_word(x->severity));
    text_json(out, x->text);
    text_add(out, "},\"locations\":[{\"physicalLocation\":{\"artifactLocation\":{\"uri\":");
    uri(out, x->file);
    text_add(out, "},\"region\":{\"startLine\":%u,\"startColumn\":%u}}", x->line, x->col);
    if (x->subject) {
        text_add(out, ",\"logicalLocations\":[{\"fullyQualifiedName\":");
        text_json(out, x->subject);
        text_add(out, "}]");
    }
    text_add(out, "}]");
    if (x->subject) {
        text_add(out, ",\"partialFingerprints\":{\"subject/v1\":");
        text_json(out, x->subject);
        text_add(out, "}");
    }
    if (x->accepted) {
        text_add(out, ",\"suppressions\":[{\"kind\":\"external\",\"justification\":");
        text_json(out, x->accepted);
        text_add(out, "}]");
    }
    text_add(out, "}");
}

void findings_sarif(const struct findings *const *f, uint32_t n, const char *version,
                    struct text *out)
{
    const struct lint_rule *r;
    uint32_t seen = 0;

    text_add(out,
             "{\"$schema\":\"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"
             "sarif-schema-2.1.0.json\",\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{"
             "\"name\":\"carrel policy lint\",\"version\":");
    text_json(out, version);
    text_add(out, ",\"rules\":[");
    for (uint32_t i = 0; (r = lint_rule_at(i)); i++) {
        text_add(out,
                 "%s{\"id\":\"%s\",\"name\":\"%s\",\"shortDescription\":{\"text\":", i ? "," : "",
                 r->id, r->name);
        text_json(out, r->says);
        text_add(out, "},\"help\":{\"text\":");
        text_json(out, r->remedy);
        text_add(out, "},\"defaultConfiguration\":{\"level\":\"%s\"}}",
                 lint_severity_word(r->severity));
    }
    text_add(out, "]}},\"columnKind\":\"unicodeCodePoints\",\"results\":[");
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < f[i]->n; k++) {
            text_add(out, "%s", seen++ ? "," : "");
            result(&f[i]->v[k], out);
        }
    }
    text_add(out, "]}]}");
}

void lint_rules_print(struct text *out)
{
    const struct lint_rule *r;

    for (uint32_t i = 0; (r = lint_rule_at(i)); i++)
        text_add(out, "%s  %-7s  %s\n    %s\n    hint: %s\n", r->id,
                 lint_severity_word(r->severity), r->name, r->says, r->remedy);
}

void lint_rules_json(struct text *out)
{
    const struct lint_rule *r;

    text_add(out, "[");
    for (uint32_t i = 0; (r = lint_rule_at(i)); i++) {
        text_add(out, "%s{\"hint\":", i ? "," : "");
        text_json(out, r->remedy);
        text_add(out, ",\"name\":\"%s\",\"rule\":\"%s\",\"says\":", r->name, r->id);
        text_json(out, r->says);
        text_add(out, ",\"severity\":\"%s\"}", lint_severity_word(r->severity));
    }
    text_add(out, "]");
}

void lint_rules_scd(struct text *out)
{
    const struct lint_rule *r;

    for (uint32_t i = 0; (r = lint_rule_at(i)); i++) {
        text_add(out, "*%s* %s, %s\n\t", r->id, r->name, lint_severity_word(r->severity));
        text_scd(out, r->says);
        text_add(out, " ");
        text_scd(out, r->remedy);
        text_add(out, "\n\n");
    }
}
