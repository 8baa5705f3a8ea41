/* detached.h - a file system that is mounted nowhere: reached by its descriptor alone. */
#ifndef GUEST_DETACHED_H
#define GUEST_DETACHED_H

#define DETACHED_NOSUID 0x2u /* MOUNT_ATTR_*, linux/mount.h */
#define DETACHED_NOEXEC 0x8u

/* A new instance; options are name and value in turn, up to a NULL, or NULL. Its root,
 * close-on-exec, the caller's; or -errno. Linux 5.2. */
int detached_mount(const char *type, const char *const *options, unsigned attributes);

#endif
