/*
 * words.h - the fixed vocabularies of the language: each a NULL-terminated list whose order is the
 * value. Where a list is a scale, the strictest word comes first, so "narrower" is "not larger".
 */
#ifndef POLICIES_WORDS_H
#define POLICIES_WORDS_H

#include "policies/bits.h"

#include <stddef.h>

enum { BOOL_FALSE, BOOL_TRUE };
extern const char *const words_bool[];

extern const char *const words_mode[];      /* enforce audit learn */
extern const char *const words_require[];   /* required preferred off */
extern const char *const words_hugepages[]; /* none 2M 1G */
extern const char *const words_deny[];      /* deny */
extern const char *const words_on_full[];   /* error pause */
extern const char *const words_root[];      /* read-only overlay */
extern const char *const words_access[];    /* none ro rw */
extern const char *const words_share[];     /* copy live */
extern const char *const words_memory[];    /* none read append write */
extern const char *const words_symlink[];   /* deny inside allow */
extern const char *const words_grant[];     /* deny allow */
extern const char *const words_export[];    /* none diff all */
extern const char *const words_review[];    /* executable hidden symlink binary large */
extern const char *const words_protocol[];  /* https tls tcp */
extern const char *const words_method[];    /* GET HEAD … */
extern const char *const words_approve[];   /* each once never */
extern const char *const words_broker[];    /* host guest */
extern const char *const words_syscall_base[];
extern const char *const words_attach[]; /* model vhost-user passthrough */
extern const char *const words_vendor[];
extern const char *const words_class[];
extern const char *const words_reset[];   /* flr bus pm */
extern const char *const words_between[]; /* verify reset none */
extern const char *const words_audit[];   /* all decisions denials off */
extern const char *const words_on_fail[]; /* stop pause continue */
extern const char *const words_file_op[];
extern const char *const words_snapshot_op[];

enum { PROTO_HTTPS, PROTO_TLS, PROTO_TCP };
enum { ACCESS_NONE, ACCESS_RO, ACCESS_RW };
enum { SHARE_COPY, SHARE_LIVE };
enum { MEMORY_NONE, MEMORY_READ, MEMORY_APPEND, MEMORY_WRITE };
enum { EXPORT_NONE, EXPORT_DIFF, EXPORT_ALL };
enum { SYMLINK_DENY, SYMLINK_INSIDE, SYMLINK_ALLOW };
enum { ATTACH_MODEL, ATTACH_VHOST_USER, ATTACH_PASSTHROUGH };
enum { BETWEEN_VERIFY, BETWEEN_RESET, BETWEEN_NONE };
enum { ROOT_READ_ONLY, ROOT_OVERLAY };
enum { BROKER_HOST, BROKER_GUEST };
enum { SNAPSHOT_SAVE, SNAPSHOT_RESTORE };
enum { REQUIRE_REQUIRED, REQUIRE_PREFERRED, REQUIRE_OFF };
enum { SYSCALLS_NONE, SYSCALLS_TOOL_DEFAULT, SYSCALLS_ALL };

/* What may be done to a path. */
enum file_op {
    FILE_READ, /* open for reading, list, stat */
    FILE_EXECUTE,
    FILE_WRITE,           /* change bytes or attributes of what exists, truncate */
    FILE_APPEND,          /* add bytes at the end, add a new name in an append-only volume */
    FILE_CREATE,          /* a new file or directory */
    FILE_DELETE,          /* unlink, rmdir, the old name of a rename */
    FILE_SYMLINK_INSIDE,  /* create a symlink that resolves inside the mount */
    FILE_SYMLINK_OUTSIDE, /* … or outside */
    FILE_HARDLINK,
    FILE_DEVICE, /* mknod: device, FIFO, socket */
    FILE_SETUID, /* set a setuid or setgid bit */
    FILE_OPS,
};

/* The index of a word, or -1. */
int word_index(const char *const *words, const char *s);
size_t words_count(const char *const *words);

/* PCI identifiers behind the vendor and class words. At most 4 a word; 0 ends. */
const uint16_t *vendor_ids(uint64_t vendor);

/* The range of 16-bit class codes (base << 8 | sub) of a class word. */
void class_range(uint64_t class_word, uint16_t *lo, uint16_t *hi);

/* Names of system calls (x86-64) and capabilities; -1 and NULL when unknown. */
int syscall_number(const char *name);
const char *syscall_name(unsigned nr);
int capability_number(const char *name);
const char *capability_name(unsigned nr);

/* The calls that a base word stands for. */
void syscall_base(uint64_t word, struct bits *out);

#endif
