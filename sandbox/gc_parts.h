/* gc_parts.h - the parts of gc_run, each for one kind of thing. */
#ifndef SANDBOX_GC_PARTS_H
#define SANDBOX_GC_PARTS_H

#include "sandbox/gc.h"

#define GC_REST_S 600 /* a file that its maker does not name is given this long */

/* err 0: done, or would be. Else it was kept, and e says why. */
void gc_tell(struct gc *g, const char *kind, const char *what, const char *did, int err,
             const struct err *e);

/* gc.c: "NAME.PID.tmp" of a process that is gone, or that has let it lie for GC_REST_S. */
bool gc_is_orphan(int dir, const char *name);
/* Nobody has written it for GC_REST_S. */
bool gc_has_rested(int dir, const char *name);
/* Such files in a directory; where is its name for people. */
void gc_files(struct gc *g, int dirfd, const char *where);

/* gc_box.c */
void gc_boxes(struct gc *g);
void gc_halves(struct gc *g);
void gc_names(struct gc *g);

/* gc_host.c */
typedef void gc_one(struct gc *g, int dirfd, const char *where, const char *name);
/* A directory's entries, if there is such a directory; where is its name for people. */
void gc_each(struct gc *g, int dirfd, const char *path, const char *where, gc_one *one);
void gc_cgroups(struct gc *g);
void gc_uids(struct gc *g, int state);
void gc_cache(struct gc *g);
void gc_logs(struct gc *g, const char *state);

/* gc_volume.c */
void gc_volumes(struct gc *g, int state);

#endif
