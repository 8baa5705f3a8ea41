/* store_dirs.h - the opened state directory, shared by the store's own files. */
#ifndef SANDBOX_STORE_DIRS_H
#define SANDBOX_STORE_DIRS_H

#include "sandbox/store.h"

#include <dirent.h>

#define BOX_CLIENT "client"

struct store {
    int boxes;        /* owned: sandboxes/ */
    int names;        /* owned: names/; an exclusive flock on it orders every change of a name */
    int born, client; /* owned: the sandbox made last, and the lock on its "client"; -1: none */
};

/* Opens sandboxes/ID. -ENOENT when there is no such sandbox. */
must_check int store_open_box(struct store *s, const char *id, struct err *e);

/* True for a whole id or the beginning of one. */
bool store_is_id(const char *s);

/* Removes the name, with NULL each, if it (still) leads to this id. */
void store_drop_name(struct store *s, const char *name, const char *id);

/* Opens a directory under sandboxes/ ("." itself) for readdir; NULL with errno. */
DIR *store_open_list(struct store *s, const char *dir);

/* One change of names at a time, and no sandbox is made or vanishes meanwhile; released by closing
 * the descriptor. */
must_check int store_lock_names(struct store *s, struct err *e);

/* True for the name of a directory that is being made or deleted: ".ID". */
bool store_is_half(const char *name);

/* Deletes a directory of plain files under sandboxes/, and it. */
must_check int store_delete_tree(struct store *s, const char *dir, struct err *e);

/* 1: nobody goes on with the sandbox in this directory, as far as can be seen without its lock. */
must_check int store_needs_mending(int dir, const char *id, struct err *e);

/* With its lock held by this process: the sandbox vanishes, then its files go. */
must_check int store_remove_locked(struct store *s, const char *id, int dir, struct err *e);

#endif
