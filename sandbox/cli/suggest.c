/* suggest.c - see suggest.h. */
#include "sandbox/cli/suggest.h"

#include <limits.h>
#include <string.h>

#define WORD_MAX_LEN 63

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;

    return m < c ? m : c;
}

unsigned suggest_distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    unsigned rows[3][WORD_MAX_LEN + 1]; /* of the table: two above, above, this one */

    if (la > WORD_MAX_LEN || lb > WORD_MAX_LEN)
        return UINT_MAX;
    memset(rows, 0, sizeof(rows));
    for (size_t j = 0; j <= lb; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                above2[j - 2] + 1 < row[j])
                row[j] = above2[j - 2] + 1;
        }
    }
    return rows[la % 3][lb];
}

void suggest_offer(const char *word, const char *candidate, const char **best)
{
    unsigned d = suggest_distance(word, candidate);
    size_t len = strlen(word), clen = strlen(candidate);
    size_t longer = len > clen ? len : clen;

    if (d > (longer + 2) / 3)
        return;
    if (!*best || d < suggest_distance(word, *best))
        *best = candidate;
}
