/* suggest.h - "did you mean": the nearest of a few known words. Pure. */
#ifndef SANDBOX_CLI_SUGGEST_H
#define SANDBOX_CLI_SUGGEST_H

#include <stddef.h>

/* Insertions, deletions, replacements and swaps of neighbours that lead from a to b; words longer
 * than 63 bytes are infinitely far apart. */
unsigned suggest_distance(const char *a, const char *b);

/* Keeps in *best the nearer of *best (may be NULL) and candidate, if near enough to word to be a
 * slip of the hand: at most one in three letters wrong. */
void suggest_offer(const char *word, const char *candidate, const char **best);

#endif
