/*
 * dump_write.c - the half of dump.h that reads the file system: libext2fs on hostile bytes, in a
 * cage. Whatever it does wrong, it does to its pipe.
 */
#include "sandbox/volume/dump.h"

#include "base/io.h"

#include <ext2fs/ext2fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    ext2_filsys fs;
    int pipe;
    uint64_t limit; /* bytes of the volume */
    uint32_t entries;
    bool failed;
    char path[DUMP_PATH];
    size_t len;
    char buf[256 << 10];
};

struct name {
    struct name *next;
    ext2_ino_t ino;
    char text[256];
};

struct listing {
    struct reader *r;
    struct name *first, **last;
};

static void put(struct reader *r, const void *bytes, size_t len)
{
    if (!r->failed && io_write_full(r->pipe, bytes, len))
        r->failed = true;
}

static int take_name(ext2_ino_t dir, int entry, struct ext2_dir_entry *de, int offset,
                     int blocksize, char *buf, void *arg)
{
    struct listing *l = arg;
    int len = ext2fs_dirent_name_len(de);
    struct name *n;

    (void)dir, (void)entry, (void)offset, (void)blocksize, (void)buf;
    if (de->inode == 0 || len <= 0 || len > 255 || (len == 1 && de->name[0] == '.') ||
        (len == 2 && de->name[0] == '.' && de->name[1] == '.'))
        return 0;
    n = l->r->entries < DUMP_ENTRIES ? calloc(1, sizeof(*n)) : NULL;
    if (!n) {
        l->r->failed = true;
        return DIRENT_ABORT;
    }
    l->r->entries++;
    n->ino = de->inode;
    memcpy(n->text, de->name, (size_t)len);
    *l->last = n;
    l->last = &n->next;
    return 0;
}

static int64_t mtime_of(const struct ext2_inode_large *inode)
{
    int64_t s = (int32_t)inode->i_mtime;

    if (inode->i_extra_isize >= 8) /* up to i_mtime_extra */
        return (s + ((int64_t)(inode->i_mtime_extra & 3) << 32)) * 1000000000 +
               (inode->i_mtime_extra >> 2) % 1000000000;
    return s * 1000000000;
}

static void put_entry(struct reader *r, char kind, const struct ext2_inode_large *inode,
                      const char *link, uint64_t size)
{
    const struct dump_head h = { .magic = DUMP_MAGIC,
                                 .kind = (uint8_t)kind,
                                 .mode = inode->i_mode & 07777,
                                 .nlink = inode->i_links_count,
                                 .path = (uint32_t)r->len,
                                 .link = (uint32_t)strlen(link),
                                 .size = size,
                                 .mtime_ns = mtime_of(inode) };

    put(r, &h, sizeof(h));
    put(r, r->path, r->len);
    put(r, link, h.link);
}

static void read_file(struct reader *r, ext2_ino_t ino, const struct ext2_inode_large *inode)
{
    uint64_t size = EXT2_I_SIZE((const struct ext2_inode *)inode), done = 0;
    ext2_file_t f = NULL;
    uint32_t bad = 0;

    if (size > r->limit) {
        put_entry(r, 'b', inode, "", size);
        return;
    }
    put_entry(r, TREE_FILE, inode, "", size);
    if (ext2fs_file_open(r->fs, ino, 0, &f))
        bad = 1;
    while (done < size && !r->failed) {
        unsigned int got = 0, want = sizeof(r->buf) < size - done ? (unsigned int)sizeof(r->buf)
                                                                  : (unsigned int)(size - done);

        if (bad || ext2fs_file_read(f, r->buf, want, &got) || got == 0) {
            bad = 1; /* the stream has its length already */
            memset(r->buf, 0, sizeof(r->buf));
            got = want;
        }
        put(r, r->buf, got);
        done += got;
    }
    if (f)
        (void)ext2fs_file_close(f);
    put(r, &bad, sizeof(bad));
}

static void read_link(struct reader *r, ext2_ino_t ino, const struct ext2_inode_large *inode)
{
    struct ext2_inode small;
    uint64_t size = EXT2_I_SIZE((const struct ext2_inode *)inode);
    char text[DUMP_PATH] = "";
    ext2_file_t f = NULL;
    unsigned int got = 0;

    memcpy(&small, inode, sizeof(small));
    if (size < sizeof(text) && ext2fs_is_fast_symlink(&small) && size < sizeof(small.i_block)) {
        memcpy(text, small.i_block, size);
    } else if (size < sizeof(text) && ext2fs_file_open(r->fs, ino, 0, &f) == 0) {
        if (ext2fs_file_read(f, text, (unsigned int)size, &got))
            got = 0;
        text[got] = '\0';
        (void)ext2fs_file_close(f);
    }
    put_entry(r, *text ? TREE_LINK : TREE_OTHER, inode, text, 0);
}

static void read_dir(struct reader *r, ext2_ino_t dir, unsigned depth);

/* The depth is limited. NOLINTNEXTLINE(misc-no-recursion) */
static void read_name(struct reader *r, const struct name *n, unsigned depth)
{
    struct ext2_inode_large inode = { 0 };
    size_t len = r->len, more = strlen(n->text);

    if (r->len + more + 2 > sizeof(r->path) ||
        ext2fs_read_inode_full(r->fs, n->ino, (struct ext2_inode *)&inode, sizeof(inode))) {
        r->failed = true;
        return;
    }
    if (r->len)
        r->path[r->len++] = '/';
    memcpy(r->path + r->len, n->text, more);
    r->len += more;
    if (LINUX_S_ISDIR(inode.i_mode)) {
        put_entry(r, TREE_DIR, &inode, "", 0);
        if (depth + 1 >= DUMP_DEPTH)
            r->failed = true;
        else
            read_dir(r, n->ino, depth + 1);
    } else if (LINUX_S_ISREG(inode.i_mode)) {
        read_file(r, n->ino, &inode);
    } else if (LINUX_S_ISLNK(inode.i_mode)) {
        read_link(r, n->ino, &inode);
    } else {
        put_entry(r, TREE_OTHER, &inode, "", 0);
    }
    r->len = len;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void read_dir(struct reader *r, ext2_ino_t dir, unsigned depth)
{
    struct listing l = { r, NULL, &l.first };
    struct name *next;

    if (ext2fs_dir_iterate2(r->fs, dir, 0, NULL, take_name, &l))
        r->failed = true;
    for (struct name *n = l.first; n; n = next) {
        /* What e2fsck makes for orphans is no part of anybody's work. */
        bool skip = depth == 0 && strcmp(n->text, "lost+found") == 0;

        next = n->next;
        if (!skip && !r->failed)
            read_name(r, n, depth);
        free(n);
    }
}

int dump_write(int image, int pipe)
{
    static struct reader r;
    const struct dump_head end = { .magic = DUMP_MAGIC, .kind = 'e' };
    char name[16];

    r.pipe = pipe;
    snprintf(name, sizeof(name), "%d", image);
    if (ext2fs_open(name, EXT2_FLAG_64BITS, 0, 0, unixfd_io_manager, &r.fs))
        return 2;
    r.limit = ext2fs_blocks_count(r.fs->super) * r.fs->blocksize;
    read_dir(&r, EXT2_ROOT_INO, 0);
    put(&r, &end, sizeof(end));
    return r.failed ? 1 : 0;
}
