/*
 * own.h - who frees a text and closes a directory, as fd.h says of descriptors.
 *
 * auto_str, auto_dir: this scope owns it and is done with it on every way out. A variable set to
 * NULL owns nothing, so that is how ownership leaves the scope. JSON has jansson's json_auto_t.
 */
#ifndef BASE_OWN_H
#define BASE_OWN_H

#include "base/compiler.h"

#include <dirent.h>
#include <stdlib.h>

static inline void own_free(char **text)
{
    free(*text);
}

static inline void own_closedir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

#define auto_str cleanup_with(own_free)
#define auto_dir cleanup_with(own_closedir)

#endif
