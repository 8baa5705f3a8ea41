/* names.h - the files of a sandbox's volumes, in its directory. */
#ifndef SANDBOX_VOLUME_NAMES_H
#define SANDBOX_VOLUME_NAMES_H

/* With the id of a mount, which is a plain word. */
#define VOLUME_IMAGE "mount-%s.img"
#define VOLUME_DRAFT "mount-%s.new"
#define VOLUME_TREE  "mount-%s.tree"
#define VOLUME_BASE  "mount-%s.base" /* of a memory volume: the version that this is a copy of */
#define VOLUME_NAME  96u             /* bytes that hold one, with the NUL */

/* Lines of "allow|deny|event TAB KIND TAB RULE TAB OBJECT". */
#define VOLUME_NOTES     "mounts.notes"
#define VOLUME_NOTES_MAX (1u << 20)

#endif
