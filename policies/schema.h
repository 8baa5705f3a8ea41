/*
 * schema.h - the field table for editors and readers: JSON Schema, a reference in Markdown or for
 * a manual page, the explanation of one key.
 */
#ifndef POLICIES_SCHEMA_H
#define POLICIES_SCHEMA_H

#include "policies/fields.h"

/* JSON Schema 2020-12. It accepts every document that policy_parse accepts; the reverse holds for
 * keys. */
void schema_json(struct text *out);

/* Every key: path, type, range, default, grade, how layers combine, one sentence. */
void schema_markdown(struct text *out);

/* The same as the list of a manual page's source, scdoc(5). */
void schema_scd(struct text *out);

/* The key at a dotted path such as "network.allow.ports"; false when there is none. */
bool schema_explain(const char *path, struct text *out);

#endif
