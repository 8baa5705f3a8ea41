/* policy_sign.h - what the verbs that sign have in common: whose key, from when to when. */
#ifndef SANDBOX_CLI_POLICY_SIGN_H
#define SANDBOX_CLI_POLICY_SIGN_H

#include "policies/ed25519.h"
#include "sandbox/cli/policy_say.h"

/* --key, read. False: why has been said; *status is the verb's. trust_key_wipe afterwards. */
bool policy_asked_key(struct cli *c, uint8_t key[ED25519_KEY_BYTES], int *status);

/* --from (now when absent) and --expires, a moment or a time (usual when absent). */
bool policy_asked_times(struct cli *c, const char *usual, int64_t *from, int64_t *expires,
                        int *status);

/* --NAME as a number; absent: *out stays. */
bool policy_asked_number(struct cli *c, enum opt_id id, uint64_t *out, int *status);

/* The name and hash of the document that was opened, as written, in the arena. */
bool policy_named(struct cli *c, const struct policy_source *s, struct arena *a, const char **name,
                  const char **sha256, int *status);

/* Loads a grant: NULL when why has been said. */
struct grants;
struct grants *policy_grants(struct cli *c, const char *file, int *status);

/* Writes what was signed, and gives it up; a NULL file is standard output. */
bool policy_put(struct cli *c, const char *file, struct text *t, int *status);

#endif
