/* inside.h - does a symbolic link stay inside its mount? By its text alone, in the guest's names.
 */
#ifndef SANDBOX_VOLUME_INSIDE_H
#define SANDBOX_VOLUME_INSIDE_H

#include <stdbool.h>

/* A link at path (below the mount) with this text, for a mount that the guest sees at target. It
 * stays so with any links around it that are inside, too, and in a deeper place. */
bool link_inside(const char *target, const char *path, const char *link);

#endif
