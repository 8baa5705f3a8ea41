/*
 * server.h - the FUSE server of one sandbox: what it holds, and its operations by file.
 *
 * One thread, one request after the other, in the order they came. Each operation takes its
 * arguments off the message, asks the policy about the path that its own node table makes, and
 * acts below a descriptor of the mount's root. Names are resolved by the kernel without leaving
 * that root and without following a link (F01, F02); one that was swapped meanwhile is an error.
 */
#ifndef SANDBOX_FILES_SERVER_H
#define SANDBOX_FILES_SERVER_H

#include "base/files.h"
#include "policies/decide.h"
#include "policies/policy.h"
#include "policies/words.h"
#include "sandbox/files/handles.h"
#include "sandbox/files/message.h"
#include "sandbox/files/nodes.h"

#include <sys/stat.h>

#define PLACE_BYTES (2 * PATH_MAX)

/* What the sandbox may add to a tree: what it added less what it removed, never below 0. Each name
 * counts as an inode, of which a file may have several. */
struct usage {
    uint64_t bytes, inodes;
    uint64_t max_bytes, max_inodes;
};

struct live {
    const char *id, *target; /* borrowed from the rules */
    const struct mount *rules;
    int root; /* owned, O_PATH */
    bool writable;
    struct usage usage;
};

struct reporter {
    int fd;            /* owned: to the keeper; -1: none */
    int64_t refilled;  /* ms */
    uint32_t tokens;   /* reports that may go at once */
    uint32_t withheld; /* since the last that went */
};

struct server {
    struct live live[FILES_MOUNTS_MAX];
    unsigned nlive;
    struct ruleset *rules; /* borrowed, outlives it */
    uint64_t guest_memory; /* bytes, at most */
    uint32_t uid;          /* whose the files are in the guest */
    struct nodes nodes;
    struct handles handles;
    struct reporter reporter;
    bool greeted; /* INIT was answered */
};

/* With live, rules and uid given: each mount's root is looked at. */
must_check int server_init(struct server *s, uint32_t nodes_max);
/* Closes all that was opened, the roots too. */
void server_fini(struct server *s);

/* An answer: an error, or len bytes, in data (FILES_DATA_MAX of them at most) or in_place. */
struct answer {
    int error;
    size_t len;
    uint8_t *data;
    /* Where the guest wants all that comes behind the header: for what goes there uncopied. */
    struct iovec *place;
    unsigned nplace;
    size_t room; /* bytes there */
    bool in_place;
};

/* All of a success's answer: 0. */
int answer_with(struct answer *a, const void *bytes, size_t len);

/* One request; a has data and place set, the rest 0. False: it has no answer. */
must_check bool server_handle(struct server *s, struct message *m, struct answer *a);

/* ---- place.c: entries and how they are reached ---- */

/* An entry of a mount: by its node, or by a name in the directory of a node. */
struct place {
    struct live *live;
    char full[PLACE_BYTES]; /* as the policy knows it */
    const char *rel;        /* the same below the mount's root; "" is that root */
    const char *name;       /* the last component, in rel; "" for the root */
};

/* -ENOENT, -ESTALE, -ENOTDIR, -ENAMETOOLONG; the session's root is no place: -EACCES. */
must_check int place_of(struct server *s, uint64_t node, struct place *p);
must_check int place_in(struct server *s, uint64_t dir, const char *name, struct place *p);
/* In the directory of the message's node, by the name that is its last argument. */
must_check int place_named(struct server *s, struct message *m, struct place *p);

/* Opens it below the mount's root, close-on-exec: -ELOOP where a link was found on the way (with
 * O_PATH | O_NOFOLLOW the last component may be one). */
must_check int place_open(const struct place *p, int flags, mode_t mode);
/* The directory that holds it, as a path only. */
must_check int place_parent(const struct place *p);

/* ---- judge.c: the policy ---- */

/* -EACCES, and the keeper is told. */
must_check int judge(struct server *s, const struct place *p, enum file_op op);
/* The same for what is to be no directory there (decide_leaf). */
must_check int judge_leaf(struct server *s, const struct place *p, enum file_op op);
must_check int judge_rename(struct server *s, const struct place *from, const struct place *to,
                            bool dir);
/* Without telling anybody: may it be seen? */
bool judge_visible(struct server *s, const struct place *p);

/* ---- usage.c ---- */

/* -EDQUOT: it is not charged. */
must_check int usage_add(struct usage *u, uint64_t bytes, uint64_t inodes);
void usage_take_back(struct usage *u, uint64_t bytes, uint64_t inodes);

/* ---- report.c ---- */

void report_denial(struct reporter *r, enum file_op op, const char *rule, const char *path);

/* ---- attr.c ---- */

must_check int attr_read(int fd, struct stat *x);
/* An inode number of the host as the guest sees it: no two of different mounts are equal. */
uint64_t attr_ino(const struct server *s, const struct live *l, uint64_t ino);
void attr_fill(const struct server *s, const struct live *l, const struct stat *x,
               struct fuse_attr *out);
/* What a guest is told of a node, good for FILES_VALID_NS. */
void entry_fill(struct server *s, const struct live *l, uint32_t id, const struct stat *x,
                struct fuse_entry_out *out);
/* The entry that was looked up: a node for it. */
must_check int entry_enter(struct server *s, uint64_t dir, const struct place *p,
                           const struct stat *x, struct fuse_entry_out *out);

int op_getattr(struct server *s, struct message *m, struct answer *a);
int op_setattr(struct server *s, struct message *m, struct answer *a);
int op_statfs(struct server *s, struct message *m, struct answer *a);

/* ---- names.c, moves.c ---- */

int op_lookup(struct server *s, struct message *m, struct answer *a);
int op_forget(struct server *s, struct message *m, struct answer *a);
int op_batch_forget(struct server *s, struct message *m, struct answer *a);
int op_readlink(struct server *s, struct message *m, struct answer *a);
int op_symlink(struct server *s, struct message *m, struct answer *a);
int op_mkdir(struct server *s, struct message *m, struct answer *a);
int op_mknod(struct server *s, struct message *m, struct answer *a);
int op_unlink(struct server *s, struct message *m, struct answer *a);
int op_rmdir(struct server *s, struct message *m, struct answer *a);
int op_rename(struct server *s, struct message *m, struct answer *a);
int op_rename2(struct server *s, struct message *m, struct answer *a);
int op_link(struct server *s, struct message *m, struct answer *a);

/* Looks at what is there now, gives it a node, and answers with it. */
must_check int answer_entry(struct server *s, uint64_t dir, const struct place *p,
                            struct answer *a);

/* What is about to lose this name: credited now, or with the last handle. */
struct parting {
    bool known, last;
    uint64_t ino, bytes;
};
struct parting part(const struct place *p, int parent);
void parted(struct server *s, struct live *l, const struct parting *was);

/* ---- climb.c: links.symlink where a name moves; parent holds from ---- */

/* A directory: -EXDEV, when a link in it would lead out of the mount, or there is too much to look
 * at. Who moves it copies it then, and each link is judged. */
must_check int climb_dir(const struct place *from, const struct place *to, int parent);
/* No directory: -EACCES, when it is a link that would, and the keeper is told. */
must_check int climb_link(struct server *s, const struct place *from, const struct place *to,
                          int parent);

/* ---- data.c ---- */

int op_open(struct server *s, struct message *m, struct answer *a);
int op_create(struct server *s, struct message *m, struct answer *a);
int op_read(struct server *s, struct message *m, struct answer *a);
int op_write(struct server *s, struct message *m, struct answer *a);
int op_release(struct server *s, struct message *m, struct answer *a);
int op_releasedir(struct server *s, struct message *m, struct answer *a);
int op_fsync(struct server *s, struct message *m, struct answer *a);
int op_fsyncdir(struct server *s, struct message *m, struct answer *a);
int op_fallocate(struct server *s, struct message *m, struct answer *a);
int op_lseek(struct server *s, struct message *m, struct answer *a);
int op_copy(struct server *s, struct message *m, struct answer *a);
/* What open(2) is asked for on the host, of what the guest asks for. */
int data_host_flags(uint32_t flags);
/* The descriptor, which is taken, becomes a handle of the node; a regular file only. */
must_check int data_keep(struct server *s, struct live *l, int *fd, uint32_t node, uint32_t flags,
                         struct fuse_open_out *out);
/* What nobody else has open and has no name is credited. */
void data_close(struct server *s, struct handle *h);
/* A file gets this length: what it grows by is charged first. */
must_check int data_truncate(struct live *l, int fd, uint64_t size);

/* ---- nameless.c ---- */

int op_tmpfile(struct server *s, struct message *m, struct answer *a);
/* A node that is gone gets a name, if its file never had one. */
must_check int nameless_link(struct server *s, uint32_t node, uint64_t to_dir,
                             const struct place *to);

/* ---- list.c ---- */

int op_opendir(struct server *s, struct message *m, struct answer *a);
int op_readdir(struct server *s, struct message *m, struct answer *a);

#endif
