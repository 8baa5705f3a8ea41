/* store_dirs.h - the opened state directory, shared by the store's own files. */
#ifndef SANDBOX_STORE_DIRS_H
#define SANDBOX_STORE_DIRS_H

#include "sandbox/store.h"

#include <dirent.h>

struct store {
    int boxes; /* owned: sandboxes/ */
    int names; /* owned: names/; an exclusive flock on it orders every change of a name */
};

/* Opens sandboxes/ID. -ENOENT when there is no such sandbox. */
must_check int store_open_box(struct store *s, const char *id, struct err *e);

/* True for a whole id or the beginning of one. */
bool store_is_id(const char *s);

/* Removes the name if it (still) leads to this id. */
void store_drop_name(struct store *s, const char *name, const char *id);

/* Opens a directory under sandboxes/ ("." itself) for readdir; NULL with errno. */
DIR *store_open_list(struct store *s, const char *dir);

/* Deletes a directory of plain files under sandboxes/, and it. */
must_check int store_delete_tree(struct store *s, const char *dir, struct err *e);

/* With its lock held by this process: the sandbox vanishes, then its files go. */
must_check int store_remove_locked(struct store *s, const char *id, int dir, struct err *e);

#endif
