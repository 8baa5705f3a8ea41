/* limits.c - see limits.h. */
#include "guest/limits.h"

void limits_init(struct limits *l)
{
    *l = (struct limits){ .files = LIMITS_FILES };
}

struct rlimit limits_files(const struct limits *l)
{
    return (struct rlimit){
        .rlim_cur = l->files < LIMITS_FILES_SOFT ? l->files : LIMITS_FILES_SOFT,
        .rlim_max = l->files,
    };
}
