/* words.h - names that people can say and type: "quiet-otter". */
#ifndef SANDBOX_WORDS_H
#define SANDBOX_WORDS_H

#include <stdint.h>

/* One of 4096 two-word names, chosen by the low twelve bits of random. */
void words_name(uint32_t random, char out[24]);

#endif
