/*
 * canon.h - the one canonical form: JSON with sorted keys and no spaces (RFC 8785), base units,
 * sets sorted, only what the document says. It is what is hashed, pinned, signed and compared.
 */
#ifndef POLICIES_CANON_H
#define POLICIES_CANON_H

#include "policies/fields.h"

#define POLICY_HASH_HEX 65u

/* Reads back as a document with the same canonical form. */
void policy_canonical(const struct policy *p, struct text *out);

/* One object of a table, as in the canonical form. */
void object_canonical(const struct table *t, const void *object, struct text *out);

/* One field's value; human writes quantities as a person would. */
void field_json(const struct field *f, const void *object, bool human, struct text *out);

/* SHA-256 of the canonical form, in hexadecimal. */
void policy_hash(const struct policy *p, char out[POLICY_HASH_HEX]);

/* As much for a person: every field, defaults too, in the order of the table; text. */
void policy_show(const struct policy *p, struct text *out);

/* As a document: only what it says itself. Reads back with the same canonical form. */
void policy_write(const struct policy *p, struct text *out);

#endif
