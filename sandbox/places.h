/*
 * places.h - where Carrel's own programs and files are, and where it keeps what it makes.
 *
 * Every path returned is absolute and the caller's to free; NULL means *e is set. Programs and
 * recipes are found relative to the running executable, so that a build tree, an installation under
 * any prefix and a copy of one all work without configuration, and so that no environment variable
 * can put another program in their place.
 */
#ifndef SANDBOX_PLACES_H
#define SANDBOX_PLACES_H

#include "base/err.h"

/* One of Carrel's own programs, e.g. "carrel-init": beside the running executable, or in
 * ../libexec/carrel/ as seen from there. -ENOENT when in neither. */
char *places_program(const char *name, struct err *e);

/* A file that ships with Carrel, named as in the source tree, e.g. "guest/image/base": in
 * ../share/carrel/ as seen from the executable, in the source tree when the executable is one of
 * its build, or in the data directory chosen when Carrel was built. */
char *places_share(const char *path, struct err *e);

/* $CARREL_DATA; as root /var/lib/carrel; $XDG_DATA_HOME/carrel; ~/.local/share/carrel. */
char *places_data_dir(struct err *e);

/* $CARREL_STATE; as root /var/lib/carrel; $XDG_STATE_HOME/carrel; ~/.local/state/carrel. */
char *places_state_dir(struct err *e);

/* "cache" in the data directory: downloads and build results, safe to delete. */
char *places_cache_dir(struct err *e);

/* Makes the directory and what is missing above it, each 0700, and opens it: a descriptor of the
 * caller, or -errno. */
must_check int places_open_dir(const char *path, struct err *e);

#endif
