#include "policies/schema.h"

#include "policies/classes.h"

#include <inttypes.h>
#include <string.h>

static const char *type_name(const struct field *f)
{
    static const char *const names[] = {
        [F_BOOL] = "true or false",
        [F_ENUM] = "word",
        [F_COUNT] = "count",
        [F_BYTES] = "size",
        [F_TIME] = "time",
        [F_PERCENT] = "percentage",
        [F_RATE] = "rate",
        [F_SET] = "set of words",
        [F_BITS] = "set of names",
        [F_TEXT] = "text",
        [F_TEXTS] = "list of texts",
        [F_PORTS] = "list of ports",
        [F_PAIRS] = "map of texts",
        [F_ARGV] = "list of arguments",
        [F_MATCHERS] = "map of argument patterns",
        [F_OBJECT] = "map",
        [F_LIST] = "list of maps",
    };

    return names[f->type];
}

static const char *combine_name(const struct field *f)
{
    static const char *const names[] = {
        [C_OWN] = "each layer its own", [C_LEAST] = "the smaller",  [C_MOST] = "the larger",
        [C_MEET] = "what both have",    [C_UNION] = "what any has", [C_SAME] = "unchanged",
        [C_PARTS] = "key by key",       [C_BY_ID] = "entry by id",
    };

    return names[f->combine];
}

static void number_schema(const struct field *f, struct text *out)
{
    static const char *const patterns[] = {
        [F_BYTES] = "^(0|[1-9][0-9]*)(B|KiB|MiB|GiB|TiB)$",
        [F_TIME] = "^(0|[1-9][0-9]*)(ms|s|m|h|d)$",
        [F_PERCENT] = "^(0|[1-9][0-9]*)%$",
        [F_RATE] = "^(0|[1-9][0-9]*)/(s|m|h|d)$",
    };

    if (f->type == F_BOOL) {
        text_add(out, "\"type\":\"boolean\"");
    } else if (f->type == F_COUNT) {
        text_add(out,
                 "\"anyOf\":[{\"maximum\":%" PRIu64 ",\"minimum\":%" PRIu64
                 ",\"type\":\"integer\"},{\"pattern\":\"^(0|[1-9][0-9]*)[kMG]?",
                 f->max, f->min);
        if (f->unit)
            text_add(out, "( %s)?", f->unit);
        text_add(out, "$\",\"type\":\"string\"}]");
    } else {
        text_add(out, "\"pattern\":\"%s\",\"type\":\"string\"", patterns[f->type]);
    }
}

static void words_schema(const struct field *f, struct text *out)
{
    text_add(out, "\"enum\":[");
    for (size_t i = 0; f->words[i]; i++) {
        text_add(out, "%s", i ? "," : "");
        text_json(out, f->words[i]);
    }
    text_add(out, "]");
}

static void regex_schema(const struct field *f, struct text *out)
{
    text_add(out, "\"pattern\":");
    text_json(out, class_regex(f->text_class));
    text_add(out, ",\"type\":\"string\"");
}

static void table_schema(const struct table *t, struct text *out);

#define TOKEN_REF "{\"$ref\":\"#/$defs/token\"}"

/* The tables are a tree of at most five levels. NOLINTNEXTLINE(misc-no-recursion) */
static void field_schema(const struct field *f, struct text *out)
{
    text_add(out, "{\"description\":");
    text_json(out, f->says);
    text_add(out, ",");
    switch (f->type) {
    case F_ENUM: words_schema(f, out); break;
    case F_SET:
        text_add(out, "\"items\":{");
        words_schema(f, out);
        text_add(out, "},\"type\":\"array\",\"uniqueItems\":true");
        break;
    case F_BITS:
        text_add(out, "\"items\":{\"enum\":[");
        for (unsigned i = 0, n = 0; i < BITS_MAX; i++)
            if (f->bits->name(i))
                text_add(out, "%s\"%s\"", n++ ? "," : "", f->bits->name(i));
        text_add(out, "]},\"type\":\"array\",\"uniqueItems\":true");
        break;
    case F_TEXT: regex_schema(f, out); break;
    case F_TEXTS:
        text_add(out, "\"items\":{");
        regex_schema(f, out);
        text_add(out, "},\"type\":\"array\",\"uniqueItems\":true");
        break;
    case F_PORTS:
        text_add(out,
                 "\"items\":{\"anyOf\":[{\"maximum\":65535,\"minimum\":1,\"type\":\"integer\"},"
                 "{\"pattern\":\"^[0-9]+(\\\\.\\\\.[0-9]+)?$\",\"type\":\"string\"}]},"
                 "\"type\":\"array\"");
        break;
    case F_PAIRS:
        text_add(out, "\"additionalProperties\":{\"type\":[\"string\",\"number\",\"boolean\"]},"
                      "\"type\":\"object\"");
        break;
    case F_ARGV: text_add(out, "\"items\":" TOKEN_REF ",\"type\":\"array\""); break;
    case F_MATCHERS:
        text_add(out, "\"additionalProperties\":" TOKEN_REF ",\"minProperties\":1,"
                      "\"type\":\"object\"");
        break;
    case F_OBJECT: table_schema(f->table, out); break;
    case F_LIST:
        text_add(out, "\"items\":{");
        if (f->table->shorthand) {
            text_add(out, "\"anyOf\":[{\"type\":\"string\"},{");
            table_schema(f->table, out);
            text_add(out, "}]},\"type\":\"array\"");
        } else {
            table_schema(f->table, out);
            text_add(out, "},\"type\":\"array\"");
        }
        break;
    default: number_schema(f, out); break;
    }
    text_add(out, "}");
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void table_schema(const struct table *t, struct text *out)
{
    text_add(out, "\"additionalProperties\":false,\"properties\":{");
    for (uint32_t i = 0; i < t->n; i++) {
        text_add(out, "%s\"%s\":", i ? "," : "", t->fields[i].key);
        field_schema(&t->fields[i], out);
    }
    text_add(out, "},\"type\":\"object\"");
    if (field_index(t, "id") >= 0)
        text_add(out, ",\"required\":[\"id\"]");
}

void schema_json(struct text *out)
{
    text_add(out,
             "{\"$defs\":{\"token\":{\"anyOf\":[{\"type\":[\"string\",\"number\",\"boolean\"]},"
             "{\"additionalProperties\":false,\"properties\":{\"enum\":{\"type\":\"array\"},"
             "\"prefix\":{},\"max\":{\"type\":\"integer\"},\"any\":{\"additionalProperties\":"
             "false,\"properties\":{\"count\":{},\"max\":{\"type\":\"integer\"}},\"type\":"
             "\"object\"}},\"type\":\"object\"}]}},\"$schema\":"
             "\"https://json-schema.org/draft/2020-12/schema\","
             "\"title\":\"Carrel policy\",\"required\":[\"carrel\",\"name\"],");
    table_schema(&policy_table, out);
    text_add(out, "}\n");
}

static void range_text(const struct field *f, struct text *out)
{
    if (f->type == F_ENUM || f->type == F_SET) {
        for (size_t i = 0; f->words[i]; i++)
            text_add(out, "%s%s", i ? ", " : "", f->words[i]);
    } else if (field_is_number(f) && f->type != F_BOOL) {
        field_print_number(f, f->min, out);
        text_add(out, " to ");
        field_print_number(f, f->max, out);
    }
}

static void default_text(const struct field *f, struct text *out)
{
    if (f->required)
        text_add(out, "none, required");
    else if (field_is_number(f))
        field_print_number(f, f->def, out);
    else if (f->def_text)
        text_add(out, "%s", f->def_text);
    else if (f->type == F_SET && f->def)
        for (unsigned i = 0, n = 0; f->words[i]; i++)
            text_add(out, "%s%s", f->def >> i & 1 ? (n++ ? ", " : "") : "",
                     f->def >> i & 1 ? f->words[i] : "");
    else
        text_add(out, "none");
}

typedef void row_fn(const char *path, const struct field *f, struct text *out);

/* NOLINTNEXTLINE(misc-no-recursion) */
static void walk(const struct table *t, const char *prefix, row_fn *row, struct text *out)
{
    for (uint32_t i = 0; i < t->n; i++) {
        const struct field *f = &t->fields[i];
        char path[160];
        struct text p = text_fixed(path, sizeof(path));

        text_add(&p, "%s%s%s", prefix, *prefix ? "." : "", f->key);
        row(path, f, out);
        if (f->table)
            walk(f->table, path, row, out);
    }
}

static void describe(const struct field *f, struct text *out)
{
    char buf[512];
    struct text t = text_fixed(buf, sizeof(buf));

    text_add(out, "%s", type_name(f));
    range_text(f, &t);
    if (t.len)
        text_add(out, " (%s)", buf);
    t = text_fixed(buf, sizeof(buf));
    default_text(f, &t);
    if (!f->table)
        text_add(out, "; default: %s", buf);
    text_add(out, "; layers: %s; grade %c", combine_name(f), f->grade);
}

static void markdown_row(const char *path, const struct field *f, struct text *out)
{
    text_add(out, "- `%s`: %s ", path, f->says);
    describe(f, out);
    text_add(out, ".\n");
}

static void scd_row(const char *path, const struct field *f, struct text *out)
{
    struct text t = TEXT_INIT;

    /* A heading for each part of the document. */
    if (f->table && !strchr(path, '.'))
        text_add(out, "## %s\n\n", path);
    describe(f, &t);
    text_add(out, "*");
    text_scd(out, path);
    text_add(out, "*\n\t");
    text_scd(out, f->says);
    text_add(out, " ");
    text_scd(out, text_str(&t));
    text_add(out, ".\n\n");
    text_fini(&t);
}

void schema_markdown(struct text *out)
{
    walk(&policy_table, "", markdown_row, out);
}

void schema_scd(struct text *out)
{
    walk(&policy_table, "", scd_row, out);
}

bool schema_explain(const char *path, struct text *out)
{
    const struct field *f = field_by_path(path);

    if (!f)
        return false;
    text_add(out, "%s\n%s\n", path, f->says);
    describe(f, out);
    text_add(out, "\n");
    return true;
}
