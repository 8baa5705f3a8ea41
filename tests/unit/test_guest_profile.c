/*
 * Profiles as carrel-init takes them: what guest/request.h makes of their fields, and what
 * guest/profile.h makes of a process. The latter in children, as root, on whatever kernel runs the
 * tests; a layer that it lacks is said and passed over.
 */
#include "guest/programs.h"
#include "tests/unit/requests.h"

#include "base/fd.h"
#include "base/landlock.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define AGENT 4242u

static void add_limit(uint32_t which, uint32_t zero, uint64_t value)
{
    uint8_t bytes[16];

    for (int i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(which >> 8 * i);
        bytes[4 + i] = (uint8_t)(zero >> 8 * i);
    }
    for (int i = 0; i < 8; i++)
        bytes[8 + i] = (uint8_t)(value >> 8 * i);
    msg_add(&b, MSG_RLIMIT, bytes, sizeof(bytes));
}

/* ---- fields ---- */

static void everything(void **state)
{
    const struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct request r;

    (void)state;
    begin_exec();
    msg_add_text(&b, MSG_EXE, "/usr/bin/ls");
    msg_add_text(&b, MSG_RW, "/tmp");
    add_limit(7, 0, 64);
    msg_add_u32(&b, MSG_UID, 1000);
    msg_add_text(&b, MSG_RO, "/usr");
    msg_add_u64(&b, MSG_CAPS, 0x1ffffffffffull);
    msg_add(&b, MSG_FILTER, &allow, sizeof(allow));
    add_limit(0, 0, UINT64_MAX);
    msg_add_text(&b, MSG_RO, "/lib");
    msg_add_text(&b, MSG_USER, "agent");
    msg_add_u32(&b, MSG_FLAGS, MSG_F_LOOSE);
    msg_add_text(&b, MSG_ENV, "A=1");
    assert_int_equal(parse(&r), 0);
    assert_true(r.profile.present && r.profile.has_uid && r.profile.has_caps && r.profile.loose);
    assert_string_equal(r.argv[0], "ls");
    assert_null(r.argv[1]);
    assert_string_equal(r.envp[0], "A=1");
    assert_null(r.envp[1]);
    assert_string_equal(r.profile.exe, "/usr/bin/ls");
    assert_int_equal(r.profile.uid, 1000);
    assert_int_equal(r.profile.caps, 0x1ffffffffffull);
    assert_int_equal(r.profile.nlimits, 2);
    assert_int_equal(r.profile.limits[0].which, 7);
    assert_int_equal(r.profile.limits[0].value, 64);
    assert_int_equal(r.profile.limits[1].which, 0);
    assert_int_equal(r.profile.limits[1].value, UINT64_MAX);
    assert_int_equal(r.profile.nro, 2);
    assert_string_equal(r.profile.ro[0], "/usr");
    assert_string_equal(r.profile.ro[1], "/lib");
    assert_int_equal(r.profile.nrw, 1);
    assert_string_equal(r.profile.rw[0], "/tmp");
    assert_int_equal(r.profile.nfilter, 1);
    assert_memory_equal(r.profile.filter, &allow, sizeof(allow));
    request_fini(&r);
}

static void pins(void **state)
{
    uint8_t hash[SHA256_BYTES + 8] = { 1, 2, 0, 3 };
    struct request r;

    (void)state;
    memcpy(hash + SHA256_BYTES, "/bin/cc", 8);
    begin_exec();
    msg_add(&b, MSG_SHA256, hash, SHA256_BYTES);
    msg_add_text(&b, MSG_EXE, "/usr/bin/ls");
    msg_add_text(&b, MSG_RUN, "/bin/as");
    msg_add(&b, MSG_RUN_SHA256, hash, SHA256_BYTES + 7);
    msg_add(&b, MSG_RUN_SHA256, hash, SHA256_BYTES + 5);
    msg_add_u32(&b, MSG_FLAGS, MSG_F_OWN);
    assert_int_equal(parse(&r), 0);
    assert_true(r.profile.present && r.profile.own);
    assert_memory_equal(r.profile.sha256, hash, SHA256_BYTES);
    assert_int_equal(r.profile.nrun, 3);
    assert_string_equal(r.profile.run[0].path, "/bin/as");
    assert_null(r.profile.run[0].sha256);
    assert_string_equal(r.profile.run[1].path, "/bin/cc");
    assert_memory_equal(r.profile.run[1].sha256, hash, SHA256_BYTES);
    assert_string_equal(r.profile.run[2].path, "/bin/");
    request_fini(&r);
    for (uint32_t len = 0; len < sizeof(hash); len++) {
        begin_exec();
        msg_add_text(&b, MSG_EXE, "/usr/bin/ls");
        msg_add(&b, MSG_SHA256, hash, len);
        assert_int_equal(parse(&r), len == SHA256_BYTES ? 0 : -EINVAL);
        request_fini(&r);
        begin_exec();
        msg_add(&b, MSG_RUN_SHA256, hash, len);
        assert_int_equal(parse(&r), len > SHA256_BYTES ? 0 : -EINVAL);
        request_fini(&r);
    }
    begin_exec();
    msg_add(&b, MSG_RUN_SHA256, hash, sizeof(hash));
    assert_int_equal(parse(&r), -EINVAL);
    hash[SHA256_BYTES] = 'b';
    begin_exec();
    msg_add(&b, MSG_RUN_SHA256, hash, SHA256_BYTES + 7);
    assert_int_equal(parse(&r), -EINVAL);
    for (const char *c = "*?"; *c; c++) { /* of which nothing would be hashed */
        const uint8_t pattern[] = { '/', 'b', '/', (uint8_t)*c };

        memcpy(hash + SHA256_BYTES, pattern, sizeof(pattern));
        begin_exec();
        msg_add(&b, MSG_RUN_SHA256, hash, SHA256_BYTES + sizeof(pattern));
        assert_int_equal(parse(&r), -EINVAL);
    }
    /* What is not named has neither hash nor origin. */
    begin_exec();
    msg_add(&b, MSG_SHA256, hash, SHA256_BYTES);
    assert_int_equal(parse(&r), -EINVAL);
    begin_exec();
    msg_add_u32(&b, MSG_FLAGS, MSG_F_OWN);
    assert_int_equal(parse(&r), -EINVAL);
}

/* Each field alone makes a profile; none of them, none. */
static void presence(void **state)
{
    static const uint8_t nop[8] = { 0x06 };
    struct request r;

    (void)state;
    for (int tag = MSG_EXE; tag <= MSG_FILTER; tag++) {
        begin_exec();
        if (tag == MSG_UID)
            msg_add_u32(&b, MSG_UID, 0);
        else if (tag == MSG_CAPS)
            msg_add_u64(&b, MSG_CAPS, 0);
        else if (tag == MSG_RLIMIT)
            add_limit(1, 0, 0);
        else if (tag == MSG_FILTER)
            msg_add(&b, MSG_FILTER, nop, sizeof(nop));
        else
            msg_add_text(&b, (enum msg_tag)tag, "/");
        assert_int_equal(parse(&r), 0);
        assert_true(r.profile.present);
        assert_int_equal(r.profile.has_uid, tag == MSG_UID);
        assert_int_equal(r.profile.has_caps, tag == MSG_CAPS);
        assert_false(r.profile.loose);
        request_fini(&r);
    }
    begin_exec();
    msg_add_u32(&b, MSG_FLAGS, MSG_F_LOOSE);
    assert_int_equal(parse(&r), 0);
    assert_false(r.profile.present);
    request_fini(&r);
}

static void twice(void **state)
{
    static const uint8_t nop[8] = { 0x06 };

    (void)state;
    for (int i = 0; i < 5; i++) {
        begin_exec();
        for (int n = 0; n < 2; n++) {
            if (i == 0)
                msg_add_text(&b, MSG_EXE, "/bin/ls");
            else if (i == 1)
                msg_add_u32(&b, MSG_UID, 7);
            else if (i == 2)
                msg_add_u64(&b, MSG_CAPS, 7);
            else if (i == 3)
                msg_add(&b, MSG_FILTER, nop, sizeof(nop));
            else
                add_limit(3, 0, 1u << 20);
        }
        assert_int_equal(refused(), -EINVAL);
    }
    for (int i = 0; i < 2; i++) {
        msg_begin(&b, MSG_SETUP);
        msg_add_u32(&b, i ? MSG_PIDS : MSG_FILES, 100);
        msg_add_u32(&b, i ? MSG_PIDS : MSG_FILES, 100);
        assert_int_equal(refused(), -EINVAL);
    }
}

/* Every length that is not the field's. */
static void lengths(void **state)
{
    static const struct {
        enum msg_type type;
        enum msg_tag tag;
        size_t len;
    } fixed[] = {
        { MSG_EXEC, MSG_UID, 4 },   { MSG_EXEC, MSG_CAPS, 8 },   { MSG_EXEC, MSG_RLIMIT, 16 },
        { MSG_SETUP, MSG_PIDS, 4 }, { MSG_SETUP, MSG_FILES, 4 },
    };
    uint8_t bytes[64] = { 1 };

    (void)state;
    for (size_t i = 0; i < array_len(fixed); i++)
        for (size_t len = 0; len <= sizeof(bytes); len++) {
            msg_begin(&b, fixed[i].type);
            if (fixed[i].type == MSG_EXEC)
                msg_add_text(&b, MSG_ARG, "ls");
            msg_add(&b, fixed[i].tag, bytes, len);
            assert_int_equal(refused(), len == fixed[i].len ? 0 : -EINVAL);
        }
}

static void p12_filter_size(void **state)
{
    static uint8_t bytes[8 * (MSG_FILTER_MAX + 1)];
    struct request r;

    (void)state;
    for (size_t len = 0; len <= 33; len++) {
        begin_exec();
        msg_add(&b, MSG_FILTER, bytes, len);
        assert_int_equal(refused(), len && len % 8 == 0 ? 0 : -EINVAL);
    }
    memset(bytes, 0x5a, sizeof(bytes));
    begin_exec();
    msg_add(&b, MSG_FILTER, bytes, 8 * (size_t)MSG_FILTER_MAX);
    assert_int_equal(parse(&r), 0);
    assert_int_equal(r.profile.nfilter, MSG_FILTER_MAX);
    assert_memory_equal(r.profile.filter, bytes, 8 * (size_t)MSG_FILTER_MAX);
    request_fini(&r);
    begin_exec();
    msg_add(&b, MSG_FILTER, bytes, 8 * (size_t)(MSG_FILTER_MAX + 1));
    assert_int_equal(refused(), -EINVAL);
}

static void values(void **state)
{
    (void)state;
    begin_exec();
    add_limit(15, 0, 1);
    assert_int_equal(refused(), 0);
    begin_exec();
    add_limit(16, 0, 1);
    assert_int_equal(refused(), -EINVAL);
    begin_exec();
    add_limit(1u << 31, 0, 1);
    assert_int_equal(refused(), -EINVAL);
    begin_exec();
    add_limit(7, 1, 1);
    assert_int_equal(refused(), -EINVAL);
    begin_exec();
    msg_add_u32(&b, MSG_UID, UINT32_MAX); /* "unchanged" to the kernel */
    assert_int_equal(refused(), -EINVAL);
    msg_begin(&b, MSG_SETUP);
    msg_add_u32(&b, MSG_PIDS, 0);
    assert_int_equal(refused(), -EINVAL);
    msg_begin(&b, MSG_SETUP);
    msg_add_u32(&b, MSG_FILES, 0);
    assert_int_equal(refused(), -EINVAL);
}

static void paths(void **state)
{
    static const enum msg_tag tags[] = { MSG_EXE, MSG_RO, MSG_RW };
    char longest[PATH_BYTES];

    (void)state;
    memset(longest, 'x', sizeof(longest));
    longest[0] = '/';
    for (size_t i = 0; i < array_len(tags); i++) {
        begin_exec();
        msg_add_text(&b, tags[i], "");
        assert_int_equal(refused(), -EINVAL);
        begin_exec();
        msg_add_text(&b, tags[i], "usr");
        assert_int_equal(refused(), -EINVAL);
        begin_exec();
        msg_add(&b, tags[i], "/a\0b", 4);
        assert_int_equal(refused(), -EINVAL);
        begin_exec();
        msg_add(&b, tags[i], longest, PATH_BYTES - 1);
        assert_int_equal(refused(), 0);
        begin_exec();
        msg_add(&b, tags[i], longest, PATH_BYTES);
        assert_int_equal(refused(), -ENAMETOOLONG);
    }
}

/* R04: each field in its own request only. */
static void r04_out_of_place(void **state)
{
    static const enum msg_type types[] = { MSG_SETUP, MSG_EXEC, MSG_PUT, MSG_GET, MSG_POWEROFF };
    static const uint8_t nop[8] = { 0x06 };

    (void)state;
    for (size_t i = 0; i < array_len(types); i++)
        for (int tag = MSG_EXE; tag <= MSG_RUN; tag++) {
            bool mine = types[i] == (tag == MSG_PIDS || tag == MSG_FILES ? MSG_SETUP : MSG_EXEC);

            msg_begin(&b, types[i]);
            if (types[i] == MSG_EXEC)
                msg_add_text(&b, MSG_ARG, "ls");
            if (types[i] == MSG_PUT || types[i] == MSG_GET)
                msg_add_text(&b, MSG_PATH, "/tmp");
            if (tag == MSG_UID || (tag >= MSG_PIDS && tag <= MSG_JOB))
                msg_add_u32(&b, (enum msg_tag)tag, 7);
            else if (tag == MSG_CAPS || tag == MSG_FILTER)
                msg_add(&b, (enum msg_tag)tag, nop, 8);
            else if (tag == MSG_RLIMIT)
                add_limit(7, 0, 7);
            else
                msg_add_text(&b, (enum msg_tag)tag, "/");
            assert_int_equal(refused(), mine ? 0 : -EINVAL);
        }
    msg_begin(&b, MSG_PUT);
    msg_add_text(&b, MSG_PATH, "/");
    msg_add_u32(&b, MSG_FLAGS, MSG_F_LOOSE);
    assert_int_equal(refused(), -EINVAL);
}

/* As many trees as a message holds, and every kind of list at once: the block has room for all. */
static void as_many_as_fit(void **state)
{
    struct request r;
    unsigned n = 0;

    (void)state;
    begin_exec();
    for (; b.len + 64 <= MSG_MAX; n++) {
        msg_add_text(&b, MSG_RO, "/");
        msg_add_text(&b, MSG_RW, "/");
        msg_add_text(&b, MSG_ENV, "A=");
    }
    add_limit(1, 0, 1);
    assert_int_equal(parse(&r), 0);
    assert_int_equal(r.profile.nro, n);
    assert_int_equal(r.profile.nrw, n);
    assert_int_equal(r.envc, n);
    assert_string_equal(r.profile.ro[n - 1], "/");
    assert_string_equal(r.profile.rw[n - 1], "/");
    assert_int_equal(r.profile.limits[0].which, 1);
    request_fini(&r);
}

/* Each list has room of its own. */
static void lists_of_different_length(void **state)
{
    static const enum msg_tag tags[] = { MSG_ARG, MSG_ENV, MSG_RO, MSG_RW };
    struct request r;

    (void)state;
    for (size_t i = 0; i < array_len(tags); i++) {
        begin_exec();
        for (int n = 0; n < 500; n++)
            msg_add_text(&b, tags[i], tags[i] == MSG_ENV ? "A=" : "/");
        msg_add_text(&b, MSG_CWD, "/cwd");
        assert_int_equal(parse(&r), 0);
        assert_int_equal(r.argc, tags[i] == MSG_ARG ? 501 : 1);
        assert_int_equal(r.envc, tags[i] == MSG_ENV ? 500 : 0);
        assert_int_equal(r.profile.nro, tags[i] == MSG_RO ? 500 : 0);
        assert_int_equal(r.profile.nrw, tags[i] == MSG_RW ? 500 : 0);
        for (int n = 0; n < 500; n++)
            assert_string_equal(tags[i] == MSG_ARG   ? r.argv[1 + n]
                                : tags[i] == MSG_ENV ? r.envp[n]
                                : tags[i] == MSG_RO  ? r.profile.ro[n]
                                                     : r.profile.rw[n],
                                tags[i] == MSG_ENV ? "A=" : "/");
        assert_string_equal(r.argv[0], "ls");
        assert_string_equal(r.cwd, "/cwd");
        assert_null(r.argv[r.argc]);
        assert_null(r.envp[r.envc]);
        request_fini(&r);
    }
}

/* ---- what becomes of a process ---- */

static char dir[] = "/tmp/carrel-profile-XXXXXX"; /* with ro/, rw/, rw/f and ro/f */

static int make_dir(void **state)
{
    char cmd[256];

    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(
        cmd, sizeof(cmd),
        "chmod 777 %1$s; cd %1$s && mkdir -m 777 ro rw && echo text >ro/f && echo text >rw/f &&"
        "chmod 666 ro/f rw/f && ln -s rw link && cp /bin/true rw/true",
        dir);
    return system(cmd); // NOLINT(cert-env33-c): a fixed command in a test
}

static int drop_dir(void **state)
{
    char cmd[64];

    (void)state;
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    return system(cmd); // NOLINT(cert-env33-c)
}

static const char *in_dir(const char *name)
{
    static char path[8][64];
    static unsigned turn;

    turn = (turn + 1) % 8;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
    return path[turn];
}

/* In the child: everything that child_exec does before execve. */
static const struct origin nowhere = { -1, -1, NULL };

static int confine(const struct profile *p, uid_t uid, struct err *e)
{
    const struct user u = { .uid = uid, .gid = uid };
    struct limits all;
    int ruleset, err;

    limits_init(&all);
    all.files = 100;
    err = landlock_make(p, &nowhere, &PROGRAM_NONE, &ruleset, e);
    if (!err)
        err = programs_prepare(p, e);
    if (!err)
        err = profile_limits(p, &all, e);
    if (!err)
        err = profile_identity(p, &u, e);
    if (!err)
        err = landlock_apply(p, ruleset, e);
    if (!err)
        err = programs_close(p, e);
    return err ? err : profile_filter(p, e);
}

/* Runs it in a child: what it answered, negative: the signal that ended it. */
static int in_child(int (*run)(void *arg), void *arg)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(run(arg));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void need_root(void)
{
    if (geteuid() != 0) {
        print_message("skipped: needs root\n");
        skip();
    }
}

/* The value of a line of /proc/self/status, as the kernel prints it. */
static bool status_is(const char *name, const char *value)
{
    char line[256];
    bool same = false;
    FILE *f = fopen("/proc/self/status", "re");

    while (f && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            same = strcmp(line + strlen(name) + 2, value) == 0;
    }
    if (f)
        fclose(f);
    return same;
}

#define TRY(cond)                                                                          \
    do {                                                                                   \
        if (!(cond)) {                                                                     \
            fprintf(stderr, "line %d: %s: errno %d, %s\n", __LINE__, #cond, errno, e.msg); \
            return 1;                                                                      \
        }                                                                                  \
    } while (0)

/* A status page that can be asked again from inside, in a program that execve started. */
static int exec_status(const char *expect)
{
    execl("/bin/sh", "sh", "-c", expect, (char *)NULL);
    return 9;
}

/* What a command is before execve still has PID 1's descriptors, and may already have a root's
 * capabilities: root of another command looks at /proc/PID/fd and into its memory (C05). */
static int as_unseen_root(void *arg)
{
    struct profile p = { .present = true, .has_uid = true, .has_caps = true };
    struct err e = ERR_INIT;

    (void)arg;
    TRY(confine(&p, 0, &e) == 0);
    TRY(prctl(PR_GET_DUMPABLE) == 0);
    return 0;
}

static void c05_nobody_looks_into_what_becomes_a_command(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(in_child(as_unseen_root, NULL), 0);
}

/* An overlay as a guest's root, with a volume in it. The image has what it runs. */
static int make_root(struct origin *o)
{
    static struct cmdline volumes = { .mounts = { { .target = "/run" } }, .nmounts = 1 };
    char options[256];

    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", dir, "tmpfs", 0, NULL) || chdir(dir))
        return -1;
    if (system( // NOLINT(cert-env33-c)
            "mkdir -p image/bin image/run image/proc upper work root &&"
            "cp -L --parents $(ldd /bin/true | grep -o '/[^ ]*') image && cd image/bin &&"
            "cp /bin/true tool && cp /bin/false other && ln -s tool link &&"
            "printf '#!/bin/tool\\n' >script && chmod +x script"))
        return -1;
    snprintf(options, sizeof(options), "lowerdir=%1$s/image,upperdir=%1$s/upper,workdir=%1$s/work",
             dir);
    if (mount("overlay", "root", "overlay", 0, options) ||
        mount("tmpfs", "root/run", "tmpfs", 0, NULL) ||
        mount("/proc", "root/proc", NULL, MS_BIND | MS_REC, NULL))
        return -1;
    o->image = (int)syscall(SYS_open_tree, AT_FDCWD, "image", 1 /* OPEN_TREE_CLONE */ | O_CLOEXEC);
    o->upper = open("upper", O_PATH | O_DIRECTORY | O_CLOEXEC);
    o->mounts = &volumes;
    if (system( // NOLINT(cert-env33-c)
            "cp /bin/true root/run/mine && mkdir root/run/bin && cp /bin/true root/run/bin/x"))
        return -1;
    return o->image < 0 || chroot("root") || chdir("/") ? -1 : 0;
}

/* What origin_open says of a path; of the image's own it finds the file. */
static int origin_says(const struct origin *o, const char *path)
{
    struct program p;
    int err = origin_open(o, path, &p, NULL);

    if (!err && (strncmp(path, "/run/", 5) == 0) != (p.own < 0))
        err = 1;
    origin_close(&p);
    return err;
}

static int in_a_root(void *arg)
{
    struct origin o;
    struct err e = ERR_INIT;

    (void)arg;
    if (make_root(&o))
        return 77;
    TRY(origin_says(&o, "/bin/tool") == 0 && origin_says(&o, "/bin/link") == 0);
    TRY(origin_says(&o, "/run/mine") == 0 && origin_says(&o, "/bin/none") == -ENOENT);
    TRY(unlink("/bin/other") == 0 && symlink("tool", "/bin/other") == 0);
    TRY(origin_says(&o, "/bin/other") == -EACCES);
    /* Out of the image, to where nothing is the image's. */
    TRY(unlink("/bin/tool") == 0 && symlink("/run/mine", "/bin/tool") == 0);
    TRY(origin_says(&o, "/bin/tool") == -EACCES && origin_says(&o, "/bin/link") == -EACCES);
    TRY(symlink("/run/bin", "/sbin") == 0 && origin_says(&o, "/sbin/x") == -EACCES);
    return 0;
}

/* What is mounted where the image has a program, or anywhere but at a volume's own target. */
static int mounted_over(void *arg)
{
    struct origin o;
    struct err e = ERR_INIT;

    (void)arg;
    if (make_root(&o))
        return 77;
    TRY(mount("/run/mine", "/bin/tool", NULL, MS_BIND, NULL) == 0);
    TRY(origin_says(&o, "/bin/tool") == -EACCES && origin_says(&o, "/bin/other") == 0);
    TRY(mkdir("/elsewhere", 0755) == 0 && mount("/run", "/elsewhere", NULL, MS_BIND, NULL) == 0);
    TRY(origin_says(&o, "/elsewhere/mine") == -EACCES && origin_says(&o, "/run/mine") == 0);
    TRY(mount("/run/bin", "/bin", NULL, MS_BIND, NULL) == 0);
    TRY(origin_says(&o, "/bin/x") == -EACCES);
    /* Without a layer the root is the image, and still may be mounted over. */
    o.upper = -1;
    TRY(origin_says(&o, "/bin/x") == -EACCES && origin_says(&o, "/run/mine") == 0);
    return 0;
}

static uint8_t *hash_of(const char *path)
{
    static uint8_t out[SHA256_BYTES];
    static char bytes[1 << 20];
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, bytes, sizeof(bytes));
    struct sha256 s;

    sha256_init(&s);
    sha256_add(&s, bytes, (size_t)n);
    sha256_end(&s, out);
    return out;
}

/* Executes what a check has found: its exit status. */
static int executes(const struct profile *p, const struct program *exe)
{
    char at[PROGRAMS_AT];
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (!programs_fix(p, exe, at, NULL))
            execve(at, (char *[]){ (char *)"x", NULL }, environ); // NOLINT
        _exit(99);
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* /bin/true was looked at; since then /bin/false has its name, or its bytes. */
static int replaced_since(void *arg)
{
    struct profile p = { .present = true, .own = true, .exe = "/bin/tool" };
    struct program exe, script;
    struct err e = ERR_INIT;
    struct origin o;

    (void)arg;
    if (make_root(&o))
        return 77;
    TRY(programs_check(&p, &o, &exe, &e) == 0 && executes(&p, &exe) == 0);
    TRY(rename("/bin/other", "/bin/tool") == 0 && executes(&p, &exe) == 0);
    origin_close(&exe);
    TRY(programs_check(&p, &o, &exe, &e) == -EACCES && strstr(e.msg, "not the image's"));
    /* A script is executed by its name, unless it is pinned; its interpreter was replaced. */
    p.exe = "/bin/script";
    TRY(programs_check(&p, &o, &script, &e) == -EACCES && strstr(e.msg, "its interpreter"));
    return 0;
}

static int scripts(void *arg)
{
    struct profile p = { .present = true, .own = true, .exe = "/bin/script" };
    char at[PROGRAMS_AT] = "x";
    struct err e = ERR_INIT;
    struct program exe;
    struct origin o;

    (void)arg;
    if (make_root(&o))
        return 77;
    TRY(programs_check(&p, &o, &exe, &e) == 0);
    TRY(programs_fix(&p, &exe, at, &e) == 0 && !*at);
    TRY(fcntl(exe.dir, F_GETFD) == FD_CLOEXEC);
    origin_close(&exe);
    p.sha256 = hash_of("/bin/script");
    TRY(programs_check(&p, &o, &exe, &e) == 0 && executes(&p, &exe) == 0);
    TRY(programs_fix(&p, &exe, at, &e) == 0 && strstr(at, "/script"));
    TRY(fcntl(exe.dir, F_GETFD) == 0);
    return 0;
}

static int pinned(void *arg)
{
    uint8_t *hash = hash_of("/bin/true");
    struct profile p = { .present = true, .exe = "/bin/link", .sha256 = hash };
    struct program exe;
    struct err e = ERR_INIT;
    struct origin o;

    (void)arg;
    if (make_root(&o))
        return 77;
    TRY(programs_check(&p, &o, &exe, &e) == 0 && executes(&p, &exe) == 0);
    TRY(rename("/bin/other", "/bin/tool") == 0 && executes(&p, &exe) == 0);
    TRY(programs_check(&p, &o, &exe, &e) == -EACCES);
    TRY(unlink("/bin/link") == 0 && programs_check(&p, &o, &exe, &e) == -ENOENT);
    /* No volume's, whatever it holds; and nobody's where the image is not known. */
    p.exe = "/run/mine";
    TRY(programs_check(&p, &o, &exe, &e) == -EACCES && strstr(e.msg, "pinned"));
    TRY(programs_check(&p, &nowhere, &exe, &e) == -EACCES && strstr(e.msg, "pinned"));
    return 0;
}

static int pinned_to_another(void *arg)
{
    uint8_t *hash = hash_of("/bin/true");
    struct profile p = { .present = true, .exe = "/bin/tool", .sha256 = hash };
    struct program exe;
    struct err e = ERR_INIT;
    struct origin o;

    (void)arg;
    if (make_root(&o))
        return 77;
    for (unsigned bit = 0; bit < 8 * SHA256_BYTES; bit++) {
        hash[bit / 8] ^= (uint8_t)(1 << bit % 8);
        TRY(programs_check(&p, &o, &exe, &e) == -EACCES && strstr(e.msg, "its sha256 is"));
        TRY(exe.own < 0 && exe.dir < 0);
        hash[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    TRY(programs_check(&p, &o, &exe, &e) == 0);
    return 0;
}

static void in_root(int (*run)(void *arg))
{
    int verdict;

    need_root();
    verdict = in_child(run, NULL);
    if (verdict == 77) {
        print_message("skipped: no overlay can be mounted here\n");
        skip();
    }
    assert_int_equal(verdict, 0);
}

/* C06: a link that leads from the image's name into another mount is what the sandbox has put
 * there. */
static void c06_a_link_out_of_the_image_is_not_the_images(void **state)
{
    (void)state;
    in_root(in_a_root);
}

static void c06_what_is_mounted_over_the_image_is_not_the_images(void **state)
{
    (void)state;
    in_root(mounted_over);
}

/* C06: root in the guest is quick, but what is executed is what was looked at. */
static void c06_what_was_looked_at_is_what_is_executed(void **state)
{
    (void)state;
    in_root(replaced_since);
    in_root(scripts);
}

static void c06_a_pinned_program_has_its_hash(void **state)
{
    (void)state;
    in_root(pinned);
    in_root(pinned_to_another);
}

static int as_agent(void *arg)
{
    struct profile p = { .present = true, .has_uid = true, .uid = AGENT, .has_caps = true };
    struct err e = ERR_INIT;

    (void)arg;
    TRY(confine(&p, AGENT, &e) == 0);
    TRY(getuid() == AGENT && getgid() == AGENT && geteuid() == AGENT && getgroups(0, NULL) == 0);
    TRY(status_is("NoNewPrivs", "1"));
    TRY(status_is("CapEff", "0000000000000000") && status_is("CapPrm", "0000000000000000") &&
        status_is("CapBnd", "0000000000000000") && status_is("CapInh", "0000000000000000") &&
        status_is("CapAmb", "0000000000000000"));
    TRY(prctl(PR_GET_SECUREBITS) == 0xe3); /* noroot, no ambient raise, keep_caps locked off */
    return exec_status("grep -q 'CapEff:.0000000000000000' /proc/self/status");
}

static void no_capabilities(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(in_child(as_agent, NULL), 0);
}

static int with_caps(void *arg)
{
    uid_t uid = *(uid_t *)arg;
    struct profile p = {
        .present = true,
        .has_caps = true,
        .caps = 1ull << CAP_NET_BIND_SERVICE | 1ull << CAP_KILL | 1ull << CAP_SYS_MODULE |
                1ull << CAP_MKNOD | 1ull << 63,
    };
    struct err e = ERR_INIT;

    TRY(confine(&p, uid, &e) == 0);
    TRY(status_is("CapBnd", "0000000000000420") && status_is("CapPrm", "0000000000000420"));
    return exec_status("grep -q 'CapEff:.0000000000000420' /proc/self/status &&"
                       "grep -q 'CapPrm:.0000000000000420' /proc/self/status &&"
                       "grep -q 'CapBnd:.0000000000000420' /proc/self/status");
}

/* They are there after execve, for root and for others; those that nobody gets are not. */
static void some_capabilities(void **state)
{
    uid_t agent = AGENT, root = 0;

    (void)state;
    need_root();
    assert_int_equal(in_child(with_caps, &agent), 0);
    assert_int_equal(in_child(with_caps, &root), 0);
}

static int without_profile(void *arg)
{
    const uint64_t gone = 1ull << CAP_SYS_MODULE | 1ull << CAP_SYS_RAWIO | 1ull << CAP_SYS_PTRACE |
                          1ull << CAP_SYS_BOOT | 1ull << CAP_MKNOD | 1ull << 38 | 1ull << 39 |
                          1ull << 40 | 1ull << CAP_SYS_ADMIN | 1ull << CAP_SYS_RESOURCE |
                          1ull << CAP_NET_RAW;
    struct profile p = { 0 };
    struct err e = ERR_INIT;

    (void)arg;
    TRY(confine(&p, 0, &e) == 0);
    for (int c = 0; c <= 40; c++)
        TRY(prctl(PR_CAPBSET_READ, c) == !(gone >> c & 1) || c == CAP_SYS_RESOURCE);
    TRY(prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE) == 0);
    TRY(status_is("NoNewPrivs", "0"));
    return 0;
}

static void c09_withheld_from_all(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(in_child(without_profile, NULL), 0);
}

static int wrong_uid(void *arg)
{
    struct profile p = { .present = true, .has_uid = true, .uid = AGENT };
    struct err e = ERR_INIT;

    (void)arg;
    TRY(confine(&p, 0, &e) == -EPERM && strstr(e.msg, "4242"));
    TRY(confine(&p, AGENT + 1, &e) == -EPERM);
    p.uid = 0;
    TRY(confine(&p, AGENT, &e) == -EPERM);
    return 0;
}

static void other_uid_refused(void **state)
{
    (void)state;
    assert_int_equal(in_child(wrong_uid, NULL), 0);
}

static int limits_hold(void *arg)
{
    struct profile_limit some[] = { { RLIMIT_NOFILE, 50 }, { RLIMIT_FSIZE, 4096 } };
    struct profile p = { .present = true, .limits = some, .nlimits = 2 };
    struct err e = ERR_INIT;
    struct rlimit r;
    int fd;

    (void)arg;
    signal(SIGXFSZ, SIG_IGN);
    TRY(confine(&p, AGENT, &e) == 0);
    TRY(getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur == 50 && r.rlim_max == 50);
    TRY(getrlimit(RLIMIT_FSIZE, &r) == 0 && r.rlim_cur == 4096 && r.rlim_max == 4096);
    TRY(getrlimit(RLIMIT_CORE, &r) == 0 && r.rlim_cur == 0);
    fd = open(in_dir("rw/big"), O_RDWR | O_CREAT, 0600);
    TRY(fd >= 0 && ftruncate(fd, 4096) == 0 && ftruncate(fd, 4097) != 0 && errno == EFBIG);
    return 0;
}

/* A profile does not go beyond what all commands have. */
static int limits_narrow(void *arg)
{
    struct profile_limit more = { RLIMIT_NOFILE, 200 };
    struct profile p = { .present = true, .limits = &more, .nlimits = 1 };
    struct err e = ERR_INIT;
    struct rlimit r;

    (void)arg;
    TRY(confine(&p, AGENT, &e) == 0);
    TRY(getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur == 100 && r.rlim_max == 100);
    return 0;
}

static int limits_refused(void *arg)
{
    struct profile_limit more = { RLIMIT_NOFILE, 1u << 30 }; /* above fs.nr_open */
    struct profile p = { .present = true, .limits = &more, .nlimits = 1 };
    struct limits all = { .files = UINT32_MAX };
    struct err e = ERR_INIT;

    (void)arg;
    TRY(profile_limits(&p, &all, &e) == -EPERM && strstr(e.msg, "resource limit 7"));
    return 0;
}

static void limits(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(in_child(limits_hold, NULL), 0);
    assert_int_equal(in_child(limits_narrow, NULL), 0);
    assert_int_equal(in_child(limits_refused, NULL), 0);
}

/* ---- trees ---- */

static void need_landlock(void)
{
    need_root();
    if (!landlock_version()) {
        print_message("skipped: this kernel has no Landlock\n");
        skip();
    }
}

static int opens(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0644);

    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static int only_read(void)
{
    struct err e = ERR_INIT;

    TRY(opens(in_dir("ro/f"), O_RDONLY) == 0 && opens(in_dir("rw/f"), O_RDWR) == 0);
    TRY(opens(in_dir("ro/f"), O_WRONLY) == EACCES);
    TRY(opens(in_dir("ro/f"), O_RDONLY | O_TRUNC) == EACCES);
    TRY(truncate(in_dir("ro/f"), 1) && errno == EACCES);
    TRY(opens(in_dir("ro/new"), O_WRONLY | O_CREAT) == EACCES);
    TRY(opens(in_dir("other"), O_WRONLY | O_CREAT) == EACCES);
    TRY(unlink(in_dir("ro/f")) && errno == EACCES);
    TRY(rename(in_dir("rw/f"), in_dir("ro/g")) && (errno == EACCES || errno == EXDEV));
    TRY(mkdir(in_dir("ro/d"), 0755) && errno == EACCES);
    TRY(opens("/etc/passwd", O_RDONLY) == EACCES && opens("/etc", O_RDONLY) == EACCES);
    return 0;
}

static int also_changed(void)
{
    struct err e = ERR_INIT;

    TRY(opens(in_dir("rw/new"), O_WRONLY | O_CREAT) == 0 && mkdir(in_dir("rw/d"), 0755) == 0);
    TRY(symlink("x", in_dir("rw/l")) == 0 && mkfifo(in_dir("rw/p"), 0600) == 0);
    if (landlock_version() >= 2)
        TRY(rename(in_dir("rw/new"), in_dir("rw/d/new")) == 0 && unlink(in_dir("rw/d/new")) == 0);
    if (landlock_version() >= 3)
        TRY(truncate(in_dir("rw/f"), 1) == 0);
    TRY(mknod(in_dir("rw/b"), S_IFBLK | 0600, 0x700) && errno == EACCES);
    TRY(unlink(in_dir("rw/l")) == 0 && unlink(in_dir("rw/p")) == 0 && rmdir(in_dir("rw/d")) == 0);
    return 0;
}

/* What every program needs. */
static int implied(void)
{
    struct err e = ERR_INIT;
    int fd;

    TRY(opens("/dev/null", O_RDWR) == 0 && opens("/dev/zero", O_RDONLY) == 0);
    TRY(opens("/dev/urandom", O_RDONLY) == 0 && opens("/proc/self/status", O_RDONLY) == 0);
    TRY(opens("/proc/self/comm", O_WRONLY) == EACCES);
    TRY(opens("/dev", O_RDONLY) == EACCES);
    fd = open("/dev/ptmx", O_RDWR);
    TRY(fd >= 0 || errno == ENOENT || errno == ENODEV);
    return 0;
}

static int trees_hold(void *arg)
{
    const char *ro[] = { in_dir("ro"), "/usr", "/lib", "/lib64", "/bin", in_dir("missing") };
    const char *rw[] = { in_dir("rw"), in_dir("nor-this") };
    struct profile p = { .present = true, .ro = ro, .nro = 6, .rw = rw, .nrw = 2 };
    struct err e = ERR_INIT;

    (void)arg;
    TRY(confine(&p, 0, &e) == 0);
    TRY(only_read() == 0 && also_changed() == 0 && implied() == 0);
    return exec_status("echo x >/dev/null && ls / 2>/dev/null && exit 1; exec /usr/bin/env true");
}

static void trees(void **state)
{
    (void)state;
    need_landlock();
    assert_int_equal(in_child(trees_hold, NULL), 0);
}

/* "/" to read and one place to write, which is how most tools will run. */
static int root_readable(void *arg)
{
    const char *ro[] = { "/" }, *rw[] = { in_dir("rw") };
    struct profile p = { .present = true, .ro = ro, .nro = 1, .rw = rw, .nrw = 1 };
    struct err e = ERR_INIT;

    (void)arg;
    TRY(confine(&p, 0, &e) == 0);
    TRY(opens("/etc/passwd", O_RDONLY) == 0 && opens("/etc/passwd", O_WRONLY) == EACCES);
    TRY(opens(in_dir("x"), O_CREAT | O_WRONLY) == EACCES);
    if (chdir(in_dir("rw")))
        return 8;
    return exec_status("echo a >a && cat a >b && rm a b && ! (echo x >../x) 2>/dev/null");
}

static void root_to_read(void **state)
{
    (void)state;
    need_landlock();
    assert_int_equal(in_child(root_readable, NULL), 0);
}

/* Programs that open much, where they are installed. */
static int runs_program(void *arg)
{
    const char *ro[] = { "/" }, *rw[] = { in_dir("rw") };
    struct profile p = {
        .present = true, .has_caps = true, .ro = ro, .nro = 1, .rw = rw, .nrw = 1
    };
    struct err e = ERR_INIT;

    TRY(confine(&p, AGENT, &e) == 0);
    TRY(setenv("HOME", in_dir("rw"), 1) == 0 && setenv("TMPDIR", in_dir("rw"), 1) == 0);
    if (chdir(in_dir("rw")))
        return 8;
    return exec_status(arg);
}

static void programs(void **state)
{
    static char git[] =
        "test -x /usr/bin/git || exit 0; git init -q t && cd t && echo a >a && git add a &&"
        "git -c user.name=a -c user.email=a@b commit -qm a && git gc -q && git log | grep -q "
        "Author";
    static char python[] =
        "test -x /usr/bin/python3 || exit 0; /usr/bin/python3 -c 'import tempfile, subprocess,"
        " json; f = tempfile.NamedTemporaryFile(); f.write(b\"x\");"
        " subprocess.run([\"true\"], check=True); open(\"db\", \"w\").write(\"{}\")'";

    (void)state;
    need_landlock();
    assert_int_equal(in_child(runs_program, git), 0);
    assert_int_equal(in_child(runs_program, python), 0);
}

static int tree_errors(void *arg)
{
    const char *link[] = { in_dir("link") }, *file[] = { in_dir("rw/f") },
               *below[] = { in_dir("rw/f/x") };
    struct profile p = { .present = true, .rw = link, .nrw = 1 };
    struct err e = ERR_INIT;
    int fd = -1;

    (void)arg;
    TRY(landlock_make(&p, &nowhere, &PROGRAM_NONE, &fd, &e) == -ELOOP && fd == -1 &&
        strstr(e.msg, "/link"));
    p = (struct profile){ .present = true, .ro = below, .nro = 1 };
    TRY(landlock_make(&p, &nowhere, &PROGRAM_NONE, &fd, &e) == -ENOTDIR && fd == -1);
    p = (struct profile){ .present = true, .ro = link, .nro = 1 };
    TRY(landlock_make(&p, &nowhere, &PROGRAM_NONE, &fd, &e) == 0 && fd >= 0 &&
        fcntl(fd, F_GETFD) == FD_CLOEXEC);
    /* A single file may be a tree, too. */
    p = (struct profile){ .present = true, .rw = file, .nrw = 1 };
    TRY(confine(&p, 0, &e) == 0);
    TRY(opens(in_dir("rw/f"), O_RDWR) == 0 && opens(in_dir("rw/true"), O_RDONLY) == EACCES);
    /* No tree, no view. */
    p = (struct profile){ .present = true };
    TRY(landlock_make(&p, &nowhere, &PROGRAM_NONE, &fd, &e) == 0 && fd == -1);
    return 0;
}

static char sh[] = "sh", dash_c[] = "-c";

/* A path whose address is like the one that passes, in one half. */
static bool passes_at(uintptr_t page, uintptr_t offset)
{
    char *at =
        mmap((void *)page, 4096, PROT_READ | PROT_WRITE, /* NOLINT(performance-no-int-to-ptr) */
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    char *argv[] = { NULL };

    if (at == MAP_FAILED) /* a sanitizer lives there */
        return false;
    memcpy(at + offset, "/not/there", sizeof("/not/there"));
    return !execve(at + offset, argv, environ) || errno != EPERM;
}

/* C06: on the command's own, with a loader, where programs have one. */
static int runs_once(void *arg)
{
    static char script[] =
        "/bin/true 2>/dev/null && exit 1; exec 2>/dev/null; (exec /bin/sh -c :) && exit 2;"
        "for l in /lib64/ld-linux-x86-64.so.2 /lib/ld-musl-x86_64.so.1; do"
        "  $l /bin/true && exit 3; done; exit 42";
    const char *ro[] = { "/" }, *rw[] = { in_dir("rw") };
    struct profile p = {
        .present = true, .has_caps = true, .ro = ro, .nro = 1, .rw = rw, .nrw = 1, .once = true
    };
    struct err e = ERR_INIT;

    (void)arg;
    TRY(confine(&p, AGENT, &e) == 0);
    TRY(execl("/bin/sh", "sh", "-c", script, (char *)NULL) && errno == EPERM);
    TRY(!passes_at(0x10000000, 16) && !passes_at(0x100000000, 16) && !passes_at(0x100000, 0));
    TRY(programs_exec(&p, "/not/there", (char *[]){ NULL }, environ) == ENOENT);
    return programs_exec(&p, "/bin/sh", (char *[]){ sh, dash_c, script, NULL }, environ);
}

/* Those of the list, and what the kernel needs to start them. */
static int runs_some(void *arg)
{
    static char script[] =
        "/usr/bin/env -i /bin/sh -c 'exit 0' || exit 1; exec 2>/dev/null; /bin/true && exit 2;"
        "/proc/self/root/bin/true && exit 3; cp /bin/true . && exit 4;"
        "while read -r x; do printf '%s\n' \"$x\"; done </dev/null; exit 42";
    const char *ro[] = { "/" }, *rw[] = { in_dir("rw") };
    struct profile_program run[] = { { "/usr/bin/en?", NULL },
                                     { "/not/there", NULL },
                                     { "/bin/sh", NULL },
                                     { "/bin/true", (const uint8_t[SHA256_BYTES]){ 0 } } };
    struct profile p = { .present = true,
                         .has_caps = true,
                         .ro = ro,
                         .nro = 1,
                         .rw = rw,
                         .nrw = 1,
                         .run = run,
                         .nrun = 4 };
    struct err e = ERR_INIT;

    (void)arg;
    TRY(confine(&p, AGENT, &e) == 0);
    TRY(syscall(SYS_memfd_create, "x", 0u) < 0 && errno == EPERM);
    return programs_exec(&p, "/bin/sh", (char *[]){ sh, dash_c, script, NULL }, environ);
}

static void c06_programs(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(in_child(runs_once, NULL), 42);
    need_landlock();
    assert_int_equal(in_child(runs_some, NULL), 42);
}

static void has_interpreter(const void *bytes, size_t len, const char *expect)
{
    char path[PROGRAMS_PATH] = "untouched";
    int fd = open(in_dir("rw"), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    programs_interpreter(fd, path);
    assert_string_equal(path, expect);
    close(fd);
}

/* The kernel takes as many headers as fill a page, and from wherever they are. */
static void in_a_last_header_far_away(Elf64_Ehdr h)
{
    const Elf64_Phdr last = { .p_type = PT_INTERP, .p_offset = 5ul << 30, .p_filesz = 7 };
    char path[PROGRAMS_PATH] = "untouched";
    int fd = open(in_dir("rw"), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    h.e_phnum = 4096 / sizeof(last);
    h.e_phoff = 3ul << 30;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, &h, sizeof(h)), sizeof(h));
    assert_int_equal(
        pwrite(fd, &last, sizeof(last), (off_t)(h.e_phoff + (h.e_phnum - 1u) * sizeof(last))),
        sizeof(last));
    assert_int_equal(pwrite(fd, "/ld.so", 7, (off_t)last.p_offset), 7);
    programs_interpreter(fd, path);
    assert_string_equal(path, "/ld.so");
    close(fd);
}

/* What a tool may have written is read here with root's rights: bounded, whatever it says. */
static void interpreters(void **state)
{
    struct {
        Elf64_Ehdr h;
        Elf64_Phdr ph[2];
        char path[5000];
    } x = { .h = { .e_ident = ELFMAG,
                   .e_phoff = sizeof(x.h),
                   .e_phnum = 2,
                   .e_phentsize = sizeof(x.ph[0]) },
            .ph = { { .p_type = PT_LOAD },
                    { .p_type = PT_INTERP, .p_offset = offsetof(typeof(x), path), .p_filesz = 7 } },
            .path = "/ld.so" };
    char script[300] = "#!/bin/sh";

    (void)state;
    x.h.e_ident[EI_CLASS] = ELFCLASS64;
    has_interpreter(&x, sizeof(x), "/ld.so");
    x.ph[1].p_filesz = 4; /* no NUL of its own */
    has_interpreter(&x, sizeof(x), "/ld");
    for (unsigned i = 0; i < 7; i++) {
        typeof(x) bad = x;

        if (i == 0)
            bad.ph[1].p_filesz = 5000;
        else if (i == 1)
            bad.ph[1].p_filesz = UINT64_MAX;
        else if (i == 2)
            bad.ph[1].p_offset = UINT64_MAX - 3;
        else if (i == 3)
            bad.h.e_phoff = UINT64_MAX - 55;
        else if (i == 4)
            bad.h.e_phentsize = 0;
        else if (i == 5)
            bad.path[0] = 'l'; /* below wherever */
        else
            bad.ph[1].p_filesz = 0;
        has_interpreter(&bad, sizeof(bad), "");
    }
    in_a_last_header_far_away(x.h);
    x.h.e_phnum = UINT16_MAX;
    x.ph[1].p_type = PT_LOAD;
    has_interpreter(&x, sizeof(x), "");
    has_interpreter(script, 9, "/bin/sh");
    has_interpreter("#! \t/bin/sh -eu\n", 17, "/bin/sh");
    has_interpreter("#!sh\n", 5, "");
    has_interpreter("#!/x\n/y", 7, "/x");
    memset(script + 3, 'a', sizeof(script) - 3); /* longer than the kernel reads */
    script[2] = '/';
    has_interpreter(script, sizeof(script), "");
    has_interpreter("#!", 2, "");
    has_interpreter("", 0, "");
}

static void strange_trees(void **state)
{
    (void)state;
    need_landlock();
    assert_int_equal(in_child(tree_errors, NULL), 0);
}

/* ---- system calls ---- */

/* mkdir fails with ENOTUNIQ, sync kills. */
static struct sock_filter program[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdir, 2, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sync, 2, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTUNIQ),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};

static int filtered(void *arg)
{
    struct profile p = { .present = true, .filter = program, .nfilter = array_len(program) };
    struct err e = ERR_INIT;

    TRY(confine(&p, AGENT, &e) == 0);
    TRY(status_is("Seccomp", "2") && status_is("NoNewPrivs", "1"));
    TRY(mkdir(in_dir("rw/d"), 0755) && errno == ENOTUNIQ);
    if (arg)
        sync();
    return 0;
}

static int bad_filter(void *arg)
{
    struct sock_filter no_end = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
    struct profile p = { .present = true, .loose = true, .filter = &no_end, .nfilter = 1 };
    struct err e = ERR_INIT;

    (void)arg;
    TRY(confine(&p, AGENT, &e) == -EINVAL && strstr(e.msg, "seccomp"));
    return 0;
}

static void system_calls(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(in_child(filtered, NULL), 0);
    assert_int_equal(in_child(filtered, &b), -SIGSYS);
    assert_int_equal(in_child(bad_filter, NULL), 0);
}

/* A kernel without a layer, played by a filter that makes its call unknown. */
struct lack {
    uint32_t call;
    bool loose;
};

static int lacking(void *arg)
{
    const struct lack *l = arg;
    struct sock_filter lacks[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, l->call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const char *ro[] = { "/usr" };
    struct profile p = { .present = true, .loose = l->loose };
    struct err e = ERR_INIT;
    const struct profile strict = { 0 };

    if (l->call == SYS_seccomp) {
        p.filter = program;
        p.nfilter = array_len(program);
    } else {
        p.ro = ro;
        p.nro = 1;
    }
    TRY(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    TRY(profile_seccomp(&strict, lacks, array_len(lacks), &e) == 0);
    if (l->loose) {
        TRY(confine(&p, AGENT, &e) == 0);
        TRY(getuid() == AGENT && opens("/etc/passwd", O_RDONLY) == 0);
    } else {
        TRY(confine(&p, AGENT, &e) == -EOPNOTSUPP);
        TRY(strstr(e.msg, l->call == SYS_seccomp ? "seccomp" : "Landlock"));
    }
    return 0;
}

static void h15_missing_layers(void **state)
{
    (void)state;
    need_root();
    for (int i = 0; i < 4; i++) {
        struct lack l = { i & 1 ? SYS_seccomp : SYS_landlock_create_ruleset, i & 2 };

        assert_int_equal(in_child(lacking, &l), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything),
        cmocka_unit_test(pins),
        cmocka_unit_test(presence),
        cmocka_unit_test(twice),
        cmocka_unit_test(lengths),
        cmocka_unit_test(p12_filter_size),
        cmocka_unit_test(values),
        cmocka_unit_test(paths),
        cmocka_unit_test(r04_out_of_place),
        cmocka_unit_test(as_many_as_fit),
        cmocka_unit_test(lists_of_different_length),
        cmocka_unit_test(no_capabilities),
        cmocka_unit_test(c05_nobody_looks_into_what_becomes_a_command),
        cmocka_unit_test(c06_a_link_out_of_the_image_is_not_the_images),
        cmocka_unit_test(c06_what_is_mounted_over_the_image_is_not_the_images),
        cmocka_unit_test(c06_what_was_looked_at_is_what_is_executed),
        cmocka_unit_test(c06_a_pinned_program_has_its_hash),
        cmocka_unit_test(some_capabilities),
        cmocka_unit_test(c09_withheld_from_all),
        cmocka_unit_test(other_uid_refused),
        cmocka_unit_test(limits),
        cmocka_unit_test(trees),
        cmocka_unit_test(root_to_read),
        cmocka_unit_test(programs),
        cmocka_unit_test(c06_programs),
        cmocka_unit_test(interpreters),
        cmocka_unit_test(strange_trees),
        cmocka_unit_test(system_calls),
        cmocka_unit_test(h15_missing_layers),
    };

    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
