/* page.h - what a page of HTML is written with: others' text made harmless, amounts for people. */
#ifndef SANDBOX_AUDIT_PAGE_H
#define SANDBOX_AUDIT_PAGE_H

#include <stdint.h>
#include <stdio.h>

/* HTML text and attribute values: no markup, and control characters are spelled out. */
void page_text(FILE *out, const char *s);

/* UTC, to the millisecond. */
void page_time(FILE *out, uint64_t ns);

/* "850 ms", "4.2 min" */
void page_span(FILE *out, uint64_t ns);
void page_bytes(FILE *out, uint64_t n);

/* Digits in groups of three. */
void page_count(FILE *out, uint64_t n);

#endif
