/* ext4.c - see ext4.h. mke2fs makes it, libext2fs fills it. */
#include "sandbox/volume/ext4.h"

#include "base/fd.h"

#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define NS_PER_S 1000000000

uint64_t ext4_bytes(uint64_t quota)
{
    return quota - quota % EXT4_BLOCK;
}

/* ---- making ---- */

/* assume_storage_prezeroed: a sparse file is, so nothing needs writing, neither now nor by the
 * guest's kernel later. */
static _Noreturn void become_mke2fs(int fd, uint64_t inodes, uint32_t uid)
{
    char name[] = "mke2fs", quiet[] = "-qF", type[] = "-text4", none[] = "-m0", block[] = "-b4096",
         features[] = "-O^resize_inode", option[] = "-E", count[32], path[32], extended[160],
         env_path[] = "PATH=/usr/sbin:/sbin:/usr/bin:/bin";
    char *const argv[] = { name,  quiet,  type,     none, block, features,
                           count, option, extended, path, NULL };
    char *const env[] = { env_path, NULL };
    static const char *const where[] = { "/usr/sbin/mke2fs", "/sbin/mke2fs" };
    sigset_t nothing;

    sigemptyset(&nothing);
    sigprocmask(SIG_SETMASK, &nothing, NULL);
    dup2(2, 1);
    fcntl(fd, F_SETFD, 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    snprintf(count, sizeof(count), "-N%llu", (unsigned long long)inodes);
    snprintf(extended, sizeof(extended),
             "lazy_itable_init=0,assume_storage_prezeroed=1,nodiscard,root_owner=%u:%u", uid, uid);
    for (size_t i = 0; i < array_len(where); i++)
        execve(where[i], argv, env);
    _exit(errno == ENOENT ? 127 : 126);
}

#define RESERVED  10u /* inodes in front of the first that a file gets; the root is one of them */
#define PER_BLOCK 16u /* inodes of 256 bytes; a group has whole blocks of them */
#define PER_GROUP 32768u /* blocks: one block of bits */

/*
 * How many inodes the format gets, for `wanted` that are free: as many in each group. What is too
 * many has to fit into the first group (see reserve). Where it does not, because there are very
 * many groups, there are fewer than wanted; but never less than one block of them a group.
 */
static uint64_t count_for(uint64_t bytes, uint64_t wanted)
{
    uint64_t groups = (bytes / EXT4_BLOCK + PER_GROUP - 1) / PER_GROUP;
    uint64_t each = (wanted + RESERVED + groups - 1) / groups;

    each += (PER_BLOCK - each % PER_BLOCK) % PER_BLOCK;
    if (each * groups - RESERVED - wanted > each - RESERVED - 1 && each > PER_BLOCK)
        each -= PER_BLOCK;
    return each * groups;
}

/* libext2fs' codes: its own, or an errno. */
static int failed(errcode_t code, const char *what, struct err *e)
{
    if (code == EXT2_ET_BLOCK_ALLOC_FAIL || code == EXT2_ET_INODE_ALLOC_FAIL)
        return err_set(e, EDQUOT, "the volume is full");
    if (code > 0 && code < 4096)
        return err_set(e, (int)code, "%s: %s", what, strerror((int)code));
    return err_set(e, EIO, "%s: libext2fs error %ld", what, code);
}

/* What e2fsck would put orphans into is nothing a guest should find in its workspace; e2fsck makes
 * it again if it ever needs it. */
static errcode_t remove_lost_and_found(ext2_filsys fs)
{
    static const char name[] = "lost+found";
    struct ext2_inode inode;
    ext2_ino_t ino;
    errcode_t code = ext2fs_lookup(fs, EXT2_ROOT_INO, name, sizeof(name) - 1, NULL, &ino);

    if (!code)
        code = ext2fs_unlink(fs, EXT2_ROOT_INO, name, ino, 0);
    if (!code)
        code = ext2fs_read_inode(fs, ino, &inode);
    if (!code)
        code = ext2fs_punch(fs, ino, &inode, NULL, 0, ~0ull);
    if (code)
        return code;
    inode.i_links_count = 0;
    inode.i_dtime = (uint32_t)time(NULL); /* a small number would be a link of the orphan list */
    ext2fs_inode_alloc_stats2(fs, ino, -1, 1);
    code = ext2fs_write_inode(fs, ino, &inode);
    if (!code)
        code = ext2fs_read_inode(fs, EXT2_ROOT_INO, &inode);
    inode.i_links_count--;
    return code ? code : ext2fs_write_inode(fs, EXT2_ROOT_INO, &inode);
}

/*
 * What the format rounds up is taken away again, so that a quota is the number of files there can
 * be and not a little less than that: the first inode that a file may get (s_first_ino) is put
 * behind those that are too many, and these are in use, as the reserved ones in front of it always
 * are.
 */
static errcode_t reserve(ext2_filsys fs, uint64_t wanted)
{
    struct ext2_inode_large nothing = { 0 };
    uint32_t first = EXT2_FIRST_INODE(fs->super), end = fs->super->s_inodes_per_group;
    errcode_t code = 0;

    /* The first of them was lost+found; the others are as empty as mke2fs leaves its own. */
    if (fs->super->s_free_inodes_count > wanted)
        code = ext2fs_write_inode_full(fs, first, (struct ext2_inode *)&nothing, sizeof(nothing));
    for (; fs->super->s_free_inodes_count > wanted && first < end; first++)
        ext2fs_inode_alloc_stats2(fs, first, +1, 0);
    fs->super->s_first_ino = first;
    ext2fs_mark_super_dirty(fs);
    return code;
}

static int open_fs(int fd, ext2_filsys *fs, struct err *e)
{
    char path[32];
    errcode_t code;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    code = ext2fs_open(path, EXT2_FLAG_RW | EXT2_FLAG_64BITS, 0, 0, unix_io_manager, fs);
    if (!code)
        code = ext2fs_read_bitmaps(*fs);
    return code ? failed(code, "opening a new volume", e) : 0;
}

/* After mke2fs: nothing in it, and as many inodes as were wanted. */
static int finish_making(int fd, uint64_t inodes, struct err *e)
{
    ext2_filsys fs = NULL;
    errcode_t code;
    int err = open_fs(fd, &fs, e);

    if (!err) {
        code = remove_lost_and_found(fs);
        if (!code)
            code = reserve(fs, inodes);
        if (!code)
            code = ext2fs_close_free(&fs);
        err = code ? failed(code, "making a volume", e) : 0;
    }
    if (fs)
        ext2fs_free(fs);
    return err;
}

int ext4_make(int fd, uint64_t bytes, uint64_t inodes, uint32_t uid, char hint[240], struct err *e)
{
    int status;
    pid_t pid;

    if (bytes < EXT4_LEAST)
        return err_set(e, EINVAL, "a volume has at least %u MiB", EXT4_LEAST >> 20);
    if (ftruncate(fd, 0) || ftruncate(fd, (off_t)bytes))
        return err_sys(e, "making a volume");
    pid = fork();
    if (pid < 0)
        return err_sys(e, "mke2fs");
    if (pid == 0)
        become_mke2fs(fd, count_for(bytes, inodes), uid);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(e, "mke2fs");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return finish_making(fd, inodes, e);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        snprintf(hint, 240, "sudo apt-get install e2fsprogs");
        return err_set(e, ENOENT, "mke2fs is not installed");
    }
    return err_set(e, EIO, "a volume of %llu bytes for %llu files could not be made",
                   (unsigned long long)bytes, (unsigned long long)inodes);
}

/* ---- filling ---- */

struct ext4 {
    ext2_filsys fs;
    int fd; /* borrowed */
    ext2_ino_t ino;
    ext2_file_t file; /* being written; NULL: none */
};

struct ext4 *ext4_open(int fd, struct err *e)
{
    struct ext4 *x = calloc(1, sizeof(*x));

    if (!x) {
        err_set(e, ENOMEM, "out of memory");
        return NULL;
    }
    x->fd = fd;
    if (!open_fs(fd, &x->fs, e))
        return x;
    ext4_drop(x);
    return NULL;
}

void ext4_drop(struct ext4 *x)
{
    if (!x)
        return;
    if (x->file)
        (void)ext2fs_file_close(x->file);
    if (x->fs)
        ext2fs_free(x->fs);
    free(x);
}

int ext4_close(struct ext4 *x, struct err *e)
{
    errcode_t code = ext2fs_close_free(&x->fs);
    int err = code ? failed(code, "writing a volume", e) : 0;

    if (!err && fsync(x->fd))
        err = err_sys(e, "writing a volume");
    x->fs = NULL;
    ext4_drop(x);
    return err;
}

static void set_time(uint32_t *low, uint32_t *extra, int64_t ns)
{
    int64_t s = ns / NS_PER_S, rest = ns % NS_PER_S;

    if (rest < 0) {
        rest += NS_PER_S;
        s--;
    }
    /* Two more bits of the seconds: until 2446. */
    *low = (uint32_t)s;
    *extra = (uint32_t)rest << 2 | (uint32_t)((s - (int32_t)s) >> 32 & 3);
}

static void set_attr(struct ext2_inode_large *inode, uint32_t type, const struct ext4_attr *a)
{
    inode->i_mode = (uint16_t)(type | (a->mode & 01777));
    inode->i_uid = inode->i_gid = (uint16_t)a->uid;
    inode->osd2.linux2.l_i_uid_high = inode->osd2.linux2.l_i_gid_high = (uint16_t)(a->uid >> 16);
    inode->i_extra_isize = sizeof(*inode) - EXT2_GOOD_OLD_INODE_SIZE;
    set_time(&inode->i_mtime, &inode->i_mtime_extra, a->mtime_ns);
    set_time(&inode->i_ctime, &inode->i_ctime_extra, a->mtime_ns);
    set_time(&inode->i_atime, &inode->i_atime_extra, a->mtime_ns);
    set_time(&inode->i_crtime, &inode->i_crtime_extra, a->mtime_ns);
}

/* A directory that is full grows. */
static errcode_t enter(struct ext4 *x, uint32_t dir, const char *name, ext2_ino_t ino, int type)
{
    errcode_t code = ext2fs_link(x->fs, dir, name, ino, type);

    if (code != EXT2_ET_DIR_NO_SPACE)
        return code;
    code = ext2fs_expand_dir(x->fs, dir);
    return code ? code : ext2fs_link(x->fs, dir, name, ino, type);
}

static errcode_t change_attr(struct ext4 *x, ext2_ino_t ino, uint32_t type,
                             const struct ext4_attr *a)
{
    struct ext2_inode_large inode = { 0 };
    errcode_t code = ext2fs_read_inode_full(x->fs, ino, (struct ext2_inode *)&inode, sizeof(inode));

    if (code)
        return code;
    set_attr(&inode, type, a);
    return ext2fs_write_inode_full(x->fs, ino, (struct ext2_inode *)&inode, sizeof(inode));
}

int ext4_mkdir(struct ext4 *x, uint32_t dir, const char *name, const struct ext4_attr *a,
               uint32_t *made, struct err *e)
{
    ext2_ino_t ino;
    errcode_t code = ext2fs_new_inode(x->fs, dir, LINUX_S_IFDIR | 0755, NULL, &ino);

    if (!code)
        code = ext2fs_mkdir(x->fs, dir, ino, NULL);
    if (!code)
        code = enter(x, dir, name, ino, EXT2_FT_DIR);
    if (!code)
        code = change_attr(x, ino, LINUX_S_IFDIR, a);
    *made = ino;
    return code ? failed(code, name, e) : 0;
}

int ext4_link(struct ext4 *x, uint32_t dir, const char *name, const char *target,
              const struct ext4_attr *a, struct err *e)
{
    struct ext4_attr all = *a;
    ext2_ino_t ino;
    errcode_t code = ext2fs_new_inode(x->fs, dir, LINUX_S_IFLNK | 0777, NULL, &ino);

    all.mode = 0777;
    if (!code)
        code = ext2fs_symlink(x->fs, dir, ino, NULL, target);
    if (!code)
        code = enter(x, dir, name, ino, EXT2_FT_SYMLINK);
    if (!code)
        code = change_attr(x, ino, LINUX_S_IFLNK, &all);
    return code ? failed(code, name, e) : 0;
}

int ext4_create(struct ext4 *x, uint32_t dir, const char *name, const struct ext4_attr *a,
                struct err *e)
{
    struct ext2_inode_large inode = { .i_links_count = 1 };
    errcode_t code = ext2fs_new_inode(x->fs, dir, LINUX_S_IFREG | 0644, NULL, &x->ino);
    ext2_extent_handle_t extents;

    if (!code)
        code = enter(x, dir, name, x->ino, EXT2_FT_REG_FILE);
    if (code)
        return failed(code, name, e);
    ext2fs_inode_alloc_stats2(x->fs, x->ino, +1, 0);
    set_attr(&inode, LINUX_S_IFREG, a);
    inode.i_flags = EXT4_EXTENTS_FL;
    code = ext2fs_extent_open2(x->fs, x->ino, (struct ext2_inode *)&inode, &extents);
    if (!code) {
        ext2fs_extent_free(extents);
        code = ext2fs_write_inode_full(x->fs, x->ino, (struct ext2_inode *)&inode, sizeof(inode));
    }
    if (!code)
        code = ext2fs_file_open(x->fs, x->ino, EXT2_FILE_WRITE, &x->file);
    return code ? failed(code, name, e) : 0;
}

int ext4_write(struct ext4 *x, const void *buf, size_t len, struct err *e)
{
    const char *p = buf;

    while (len) {
        unsigned int wrote = 0, want = len > (1u << 20) ? 1u << 20 : (unsigned int)len;
        errcode_t code = ext2fs_file_write(x->file, p, want, &wrote);

        if (code)
            return failed(code, "writing", e);
        p += wrote;
        len -= wrote;
    }
    return 0;
}

int ext4_finish(struct ext4 *x, struct err *e)
{
    errcode_t code = ext2fs_file_close(x->file);

    x->file = NULL;
    return code ? failed(code, "writing", e) : 0;
}
