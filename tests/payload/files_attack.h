/*
 * files_attack.h - what an attacker who has taken over carrel-files would try beside attack.def:
 * the calls that it may make, for what it was not granted.
 *
 * carrel-files-attack is carrel-files but for its requests: where those would begin it opens
 * FILES_ORDER in its first root, makes the attempt with that number, and leaves FILES_RESULT there.
 */
#ifndef TESTS_PAYLOAD_FILES_ATTACK_H
#define TESTS_PAYLOAD_FILES_ATTACK_H

#include "tests/payload/attack.h"

#define FILES_ORDER  "order"  /* a number in ten bytes or less */
#define FILES_BEGUN  "begun"  /* made when it was read */
#define FILES_RESULT "result" /* "RESULT ERRNO" */

enum files_attack {
    FILES_NOTHING = ATTACKS_ALL, /* an attacker who does no harm: the others' measure */
#define ATTACK(name, nr, a, b, c, d) FILES_ATTACK_##name,
#include "tests/payload/files_attack.def"
#undef ATTACK
    FILES_ATTACKS_END,
};

/* Without its walls: the same attempt, by whoever calls. */
long files_attempt(unsigned n, int rw, int ro);
const char *files_attack_name(unsigned n);

#endif
