/*
 * files.h - live mounts: a virtio-fs device (virtio 1.2, 5.11) whose queues carrel-files serves.
 *
 * The requests are FUSE's (linux/fuse.h, protocol 7): each begins with a struct fuse_in_header, its
 * answer with a struct fuse_out_header, in host byte order. The machine's process lends
 * carrel-files the guest's memory and the queues (base/vhost.h), and sees none of them.
 */
#ifndef BASE_FILES_H
#define BASE_FILES_H

/* The tag of the device (5.11.4). */
#define FILES_NAME "carrel.files"

/*
 * The most file data in one READ, WRITE or directory listing; the server gives it as max_write and
 * max_pages in its answer to INIT. 64 pages: twice what Linux reads ahead. More would hold up the
 * small requests behind it, and not fit into a queue of 128 without indirect descriptors.
 */
#define FILES_DATA_MAX (256u << 10)

/* With headers, and the two names of a RENAME or a SYMLINK (255 + 4,095 bytes and their NULs are
 * more than a page; they come without data). */
#define FILES_MESSAGE_MAX (FILES_DATA_MAX + 4096u)

/*
 * How long the guest's kernel may believe a name and its attributes. It counts in ticks, the one it
 * is in included: 8 ms at most with ours. So what one call of a tool needs is asked once (Linux
 * asks for the attributes of each directory on the way, and again of what it has just looked up),
 * and what the host changes is seen sooner than a person or a program there could ask about it.
 */
#define FILES_VALID_NS 4000000u

/* Entries of the root: one a live mount. */
#define FILES_MOUNTS_MAX 6u

#endif
