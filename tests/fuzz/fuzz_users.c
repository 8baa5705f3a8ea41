/* fuzz_users.c - any text as a user's name, passwd and group, separated by NULs. */
#include "guest/users.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 3);
    const char *passwd, *group;
    struct err e = ERR_INIT;
    struct user u;

    if (!text)
        return 0;
    if (size)
        memcpy(text, data, size);
    passwd = text + strlen(text) + 1;
    group = passwd > text + size ? "" : passwd + strlen(passwd) + 1;
    if (group > text + size + 2)
        group = "";
    if (passwd > text + size + 2)
        passwd = "";
    if (user_parse(text, passwd, group, &u, &e) == 0)
        if (u.ngroups > USER_GROUPS_MAX || u.home[0] != '/' || u.shell[0] != '/' ||
            u.uid == (uid_t)-1 || u.gid == (gid_t)-1)
            abort();
    free(text);
    return 0;
}
