/*
 * files.h - how file requests travel between the guest's kernel and carrel-files.
 *
 * A byte stream of raw FUSE messages (linux/fuse.h, protocol 7): towards the server each begins
 * with a struct fuse_in_header, back from it with a struct fuse_out_header; `len` is the length of
 * the whole message, host byte order. Whoever carries the stream (carrel-vmm's virtio-fs device, or
 * carrel-init's relay over a port) changes no byte, and both ends check len before they wait for
 * the rest: one that is out of bounds is the end of the stream, as nothing after it can be found.
 */
#ifndef BASE_FILES_H
#define BASE_FILES_H

/* The virtio-serial port, and the tag of the virtio-fs device (virtio 1.2, 5.11.4). */
#define FILES_NAME "carrel.files"

/*
 * The most file data in one READ, WRITE or directory listing; the server gives it as max_write and
 * max_pages in its answer to INIT. 64 pages: twice what Linux reads ahead, and eight writes of a
 * port, which takes 32 KiB each. More saves nothing that can be measured over a port, and holds up
 * the small requests behind it.
 */
#define FILES_DATA_MAX (256u << 10)

/* With headers, and the two names of a RENAME or a SYMLINK (255 + 4,095 bytes and their NULs are
 * more than a page; they come without data). Linux wants 4,096 bytes beside max_write of whoever
 * reads /dev/fuse. */
#define FILES_MESSAGE_MAX (FILES_DATA_MAX + 4096u)

#define FILES_REQUEST_MIN 40u /* sizeof(struct fuse_in_header) */
#define FILES_REPLY_MIN   16u /* sizeof(struct fuse_out_header) */

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
