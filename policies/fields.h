/*
 * fields.h - the field table: what every key of the language is. The parser, the defaults, the
 * canonical form, composition, the JSON Schema and the reference all read it; nothing else knows
 * keys.
 */
#ifndef POLICIES_FIELDS_H
#define POLICIES_FIELDS_H

#include "policies/policy.h"
#include "policies/units.h"

enum field_type {
    F_BOOL,  /* uint64_t; words_bool */
    F_ENUM,  /* uint64_t: index of a word */
    F_COUNT, /* uint64_t, as the next four */
    F_BYTES,
    F_TIME,
    F_PERCENT,
    F_RATE,
    F_SET,      /* uint64_t: bit per word */
    F_BITS,     /* struct bits */
    F_TEXT,     /* const char *, NULL when absent */
    F_TEXTS,    /* struct texts, sorted, no two alike */
    F_PORTS,    /* struct ranges */
    F_PAIRS,    /* struct pairs */
    F_ARGV,     /* struct argv_pattern */
    F_MATCHERS, /* struct matchers */
    F_OBJECT,   /* a struct that begins with struct object */
    F_LIST,     /* struct list of such structs */
};

/* How a layer and the layer above it become one. */
enum combine {
    C_OWN,   /* each layer has its own; not a grant */
    C_LEAST, /* the smaller number is the narrower one */
    C_MOST,  /* the larger number is the narrower one */
    C_MEET,  /* sets intersect */
    C_UNION, /* denials unite */
    C_SAME,  /* a child may repeat it, not change it */
    C_PARTS, /* by its fields */
    C_BY_ID, /* a child refines the entry with the same id */
};

enum text_class {
    TEXT_LINE,
    TEXT_ID,
    TEXT_NAME,
    TEXT_REF,
    TEXT_DIGEST,
    TEXT_PIN,
    TEXT_DIR,
    TEXT_EXEC,
    TEXT_REL_GLOB,
    TEXT_HTTP_GLOB,
    TEXT_NAME_GLOB,
    TEXT_ENV,
    TEXT_HOST,
    TEXT_CIDR,
    TEXT_LISTEN,
    TEXT_SOURCE,
    TEXT_FILE,
    TEXT_HEADER,
    TEXT_FORMAT,
    TEXT_URL,
    TEXT_PCI_ID,
};

/* A vocabulary of F_BITS. */
struct bit_names {
    const char *what;
    int (*number)(const char *name);
    const char *(*name)(unsigned nr);
};

struct table;

struct field {
    const char *key;
    enum field_type type;
    enum combine combine;
    char grade; /* 'H', 'G' or 'A' (design: who enforces it) */
    bool required;
    uint16_t offset;          /* in the struct of its table */
    uint16_t text_class;      /* F_TEXT, F_TEXTS */
    uint64_t min, max;        /* numbers, in base units */
    uint64_t def;             /* numbers, words, sets */
    const char *def_text;     /* F_TEXT, F_TEXTS (one), F_PORTS: as written; or NULL */
    const char *const *words; /* F_ENUM, F_BOOL, F_SET */
    const struct bit_names *bits;
    const struct table *table; /* F_OBJECT, F_LIST */
    const char *unit;          /* a word that may follow a count */
    const char *says;          /* one sentence */
};

struct table {
    const char *name;
    const char *shorthand; /* a plain word stands for this one key; or NULL */
    const struct field *fields;
    uint32_t n;
    size_t size;
};

extern const struct table policy_table;

static inline bool field_is_number(const struct field *f)
{
    return f->type <= F_RATE;
}

static inline bool object_has(const struct object *o, uint32_t i)
{
    return o->has >> i & 1;
}

/* The field with this key, or -1. */
int field_index(const struct table *t, const char *key);

/* The table of the map or list at a dotted path, or NULL; the field itself, or NULL. */
const struct table *table_by_path(const char *path);
const struct field *field_by_path(const char *path);

/* The member that a field describes. */
void *field_of(const struct field *f, void *object);
const void *field_in(const struct field *f, const void *object);

/* The unit of a numeric field. */
enum unit field_unit(const struct field *f);

/* A number as a person reads it: 1GiB, enforce, true. */
void field_print_number(const struct field *f, uint64_t v, struct text *out);

/* Reads such a number back. NULL, or what would have been right. */
must_check const char *field_parse_number(const struct field *f, const char *s, struct text *why,
                                          uint64_t *out);

/* Puts the defaults in. o->at is made; has is 0. */
void object_init(struct arena *a, const struct table *t, void *object);

#endif
