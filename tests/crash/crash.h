/* crash.h - lives of sandboxes that are cut short, and what must be true afterwards. */
#ifndef TESTS_CRASH_H
#define TESTS_CRASH_H

#include <stdbool.h>
#include <stddef.h>

#define CRASH_BYTES 8192u /* of a volume's file, whose content must survive */
#define CRASH_FILE  "mount-work.img"

/* ---- crash_life.c: in a process of its own, as `carrel` would ---- */

enum life { LIFE_EPHEMERAL, LIFE_KEPT, LIVES };

extern const char *const life_names[LIVES];

/* 0, or 1 when it came to an error, which it has told on standard error and cleaned up after;
 * LIFE_ORPHAN when its machine went on without a keeper. */
#define LIFE_ORPHAN 3
int life_run(enum life l);

/* One sandbox, its keeper killed as often as another follows: how long each kill kept a client
 * waiting, in us. */
#define CRASH_KILLS 7u
int life_kills(unsigned us[CRASH_KILLS]);

/* What a volume's file holds at this place. */
unsigned char life_byte(size_t at);

/* ---- crash_check.c ---- */

/* As the next commands would: ends and removes everything, and checks the truth on the way. The
 * number of complaints, each printed with `about`. */
unsigned check_all(const char *root, const char *about, bool audit_may_fail);

/* Mounts of this process, descriptors of it. */
unsigned check_mounts(void);
unsigned check_descriptors(void);

#endif
