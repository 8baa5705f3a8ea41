/*
 * init_profile.c - profiles, limits and what is closed to every tool, tried in a guest: part of
 * init_driver. The image has /bin/probe (init_probe.c) and /bin/probe-suid.
 */
#include "tests/integration/init_driver.h"

#include "base/sha256.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define AGENT 1000u

static void add_limit(struct msg_builder *b, uint32_t which, uint64_t value)
{
    uint8_t bytes[16] = { (uint8_t)which };

    for (int i = 0; i < 8; i++)
        bytes[8 + i] = (uint8_t)(value >> 8 * i);
    msg_add(b, MSG_RLIMIT, bytes, sizeof(bytes));
}

/* mkdir fails with ENOTUNIQ (76), sync kills. */
static void add_filter(struct msg_builder *b)
{
    const struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdir, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sync, 2, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTUNIQ),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };

    msg_add(b, MSG_FILTER, program, sizeof(program));
}

static void add_trees(struct msg_builder *b)
{
    msg_add_text(b, MSG_RO, "/");
    msg_add_text(b, MSG_RO, "/not/there");
    msg_add_text(b, MSG_RW, "/tmp");
    msg_add_text(b, MSG_RW, "/workspace");
}

/* Runs a command with the fields that add gives it: its result is the caller's. */
static void run(const char *const *argv, const char *user, uint32_t flags,
                void (*add)(struct msg_builder *b), struct client_result *r)
{
    struct client_exec x = { .argv = argv, .user = user, .flags = flags, .more = add };

    client_run(guest, &x, r);
}

static void prints(const char *text, const char *user, void (*add)(struct msg_builder *b),
                   const char *out)
{
    struct client_result r;

    run(SHELL(text), user, 0, add, &r);
    if (is_exit(&r, MSG_EXITED, 0))
        expect(strcmp((char *)r.out, out) == 0, "\"%s\" printed \"%s\", not \"%s\" (%s)", text,
               (char *)r.out, out, (char *)r.err);
    client_result_fini(&r);
}

static void refused(const char *const *argv, const char *user, uint32_t flags,
                    void (*add)(struct msg_builder *b), uint32_t error, const char *text)
{
    struct client_result r;

    run(argv, user, flags, add, &r);
    expect(!r.started && r.error == error && strstr(r.text, text),
           "started %d, error %u (%s), not %u with \"%s\"", r.started, r.error, r.text, error,
           text);
    client_result_fini(&r);
}

/* ---- one command ---- */

static void add_everything(struct msg_builder *b)
{
    msg_add_u32(b, MSG_UID, AGENT);
    msg_add_u64(b, MSG_CAPS, 1ull << CAP_NET_BIND_SERVICE);
    add_limit(b, RLIMIT_NOFILE, 64);
    add_trees(b);
    add_filter(b);
}

static void add_all_caps(struct msg_builder *b)
{
    msg_add_u64(b, MSG_CAPS, UINT64_MAX);
}

static void add_no_caps(struct msg_builder *b)
{
    msg_add_u64(b, MSG_CAPS, 0);
}

#define STATUS "grep -E '^(Uid|Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):' /proc/self/status"

void profile_identity(void)
{
    prints(STATUS, "agent", add_everything,
           "Uid:\t1000\t1000\t1000\t1000\nCapPrm:\t0000000000000400\nCapEff:\t0000000000000400\n"
           "CapBnd:\t0000000000000400\nCapAmb:\t0000000000000400\nNoNewPrivs:\t1\nSeccomp:\t2\n");
    prints(STATUS, NULL, add_no_caps,
           "Uid:\t0\t0\t0\t0\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
           "CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t0\n");
    /* All, but those that nobody gets: 16-19, 22, 27, 38, 39. */
    prints("grep CapEff /proc/self/status", NULL, add_all_caps, "CapEff:\t0000013ff7b4ffff\n");
    /* Nor, without a profile, 13, 21, 24, 40. */
    script("grep -E 'CapEff|NoNew' /proc/self/status", NULL,
           "CapEff:\t0000003ff694dfff\nNoNewPrivs:\t0\n");
    script("grep -E 'CapEff|CapBnd' /proc/self/status", "agent",
           "CapEff:\t0000000000000000\nCapBnd:\t0000003ff694dfff\n");
}

static void add_program(struct msg_builder *b)
{
    msg_add_text(b, MSG_EXE, "/bin/busybox");
}

static void add_absent(struct msg_builder *b)
{
    msg_add_text(b, MSG_EXE, "/bin/not-there");
}

/* The file that runs is the one that was decided on, whatever argv[0] and PATH say. */
void profile_program(void)
{
    const char *const echo[] = { "echo", "hello", NULL }, *const odd[] = { "/x/cat", "/dev/null",
                                                                           NULL };
    struct client_result r;

    run(echo, "agent", 0, add_program, &r);
    is_exit(&r, MSG_EXITED, 0);
    expect(strcmp((char *)r.out, "hello\n") == 0, "\"%s\"", (char *)r.out);
    client_result_fini(&r);
    run(odd, NULL, 0, add_program, &r);
    is_exit(&r, MSG_EXITED, 0);
    client_result_fini(&r);
    refused(echo, NULL, 0, add_absent, ENOENT, "/bin/not-there");
}

static void add_link(struct msg_builder *b)
{
    msg_add_text(b, MSG_RO, "/");
    msg_add_text(b, MSG_RW, "/workspace/way");
}

static void add_no_tools(struct msg_builder *b)
{
    msg_add_text(b, MSG_RO, "/bin/busybox");
    msg_add_text(b, MSG_RO, "/bin/sh");
    msg_add_text(b, MSG_RW, "/workspace");
}

/* Root, so that nothing but the trees stands in the way. */
void profile_trees(void)
{
    prints("echo x >/etc/x || echo denied; echo y >/tmp/y && echo z >/workspace/z && cat /tmp/y;"
           "rm /etc/passwd || echo denied; mv /tmp/y /workspace/y && cat /workspace/y;"
           "cp /bin/busybox /run/b || echo denied; rm /workspace/y /workspace/z;"
           "cat /etc/hostname >/dev/null && tty >/dev/null; echo x >/proc/self/comm || echo denied",
           NULL, add_trees, "denied\ny\ndenied\ny\ndenied\ndenied\n");
    prints("probe errno truncate /etc/passwd", NULL, add_trees, "13\n");
    script("grep -c agent /etc/passwd", NULL, "1\n");
    /* C06: the same file by other names, and a copy where nothing may be executed. */
    script("mkdir -p /x && cp /bin/probe /x/probe && ln -sf /etc /workspace/way", NULL, "");
    prints("/proc/self/root/x/probe ids 2>/dev/null || echo denied; /x/probe ids || echo denied;"
           "cat /etc/passwd || echo denied",
           NULL, add_no_tools, "denied\ndenied\ndenied\n");
    /* A tool could have made it. */
    refused(SHELL("true"), NULL, 0, add_link, ELOOP, "/workspace/way");
    script("rm -r /x /workspace/way", NULL, "");
}

/* Until it says that; false: it ended. */
static bool hear(uint32_t id, const char *what, char *said, size_t room)
{
    size_t len = strlen(said);
    struct msg_frame f;

    while (!strstr(said, what)) {
        if (client_recv(guest, id, &f, CLIENT_WAIT_MS) != 1 || f.type == MSG_EXIT)
            return false;
        if (f.type != MSG_STDOUT || len + f.len >= room)
            continue;
        memcpy(said + len, f.body, f.len);
        len += f.len;
        said[len] = '\0';
    }
    return true;
}

/* The terminal of one command is no other's, of the same user or of root, by any name; each can
 * still make some. */
void own_terminals(void)
{
    struct client_exec x = { .argv = SHELL("tty; read line; echo got $line"),
                             .flags = MSG_F_TTY | MSG_F_STDIN,
                             .user = "agent",
                             .more = add_trees };
    static const char steal[] = "for f in /dev/pts/0 /proc/[0-9]*/fd/0; do echo stolen >$f; done;"
                                "ls /dev/pts; exec 3<>/dev/ptmx && ls /dev/pts";
    uint32_t id = client_start(guest, &x);
    char said[512] = "";

    expect(hear(id, "/dev/pts/0\r\n", said, sizeof(said)), "the terminal said \"%s\"", said);
    prints(steal, "agent", add_trees, "ptmx\n0\nptmx\n");
    prints(steal, NULL, add_trees, "ptmx\n0\nptmx\n");
    script("ls /dev/pts", NULL, "ptmx\n");
    client_send(guest, id, MSG_STDIN, "hello\n", 6);
    expect(hear(id, "got hello\r\n", said, sizeof(said)), "the terminal said \"%s\"", said);
    expect(strcmp(said, "/dev/pts/0\r\nhello\r\ngot hello\r\n") == 0, "the terminal said \"%s\"",
           said);
    while (hear(id, "nothing more", said, sizeof(said)))
        ;
    /* And none has them all: 60, seven by seven. */
    prints(
        "f() { exec 3<>/dev/ptmx 4<>/dev/ptmx 5<>/dev/ptmx 6<>/dev/ptmx 7<>/dev/ptmx 8<>/dev/ptmx"
        " 9<>/dev/ptmx; echo $1; (f $(($1 + 7))); }; f 7; true",
        "agent", add_trees, "7\n14\n21\n28\n35\n42\n49\n56\n");
}

static void add_once(struct msg_builder *b)
{
    msg_add_text(b, MSG_EXE, "/bin/probe");
    msg_add_text(b, MSG_RO, "/");
    msg_add_text(b, MSG_RW, "/tmp");
    msg_add_text(b, MSG_RUN, "/bin/probe");
}

static void add_itself(struct msg_builder *b)
{
    add_once(b);
    msg_add_u64(b, MSG_CAPS, ~0ull & ~(1ull << CAP_SYS_ADMIN));
}

static void add_two(struct msg_builder *b)
{
    add_itself(b);
    msg_add_text(b, MSG_RUN, "/b?n/busy*");
}

static void starts(const char *in, uint32_t flags, void (*add)(struct msg_builder *b),
                   const char *which)
{
    struct client_result r;

    run((const char *const[]){ "probe", "start", in, NULL }, NULL, flags, add, &r);
    is_exit(&r, MSG_EXITED, 0);
    expect(strcmp((char *)r.out, which) == 0, "\"%s\" worked, not \"%s\"", (char *)r.out, which);
    client_result_fini(&r);
    script("rm -f /tmp/link /tmp/copy /tmp/script /run/link /run/copy /run/script", NULL, "");
}

/* C06, as root: the same program by another name, a copy, an interpreter's argument, memory. */
void profile_programs(void)
{
    starts("/tmp", MSG_F_ONCE, add_once, ".\n");
    starts("/tmp", MSG_F_ONCE | MSG_F_OWN, add_once, ".\n");
    starts("/tmp", MSG_F_OWN, add_itself, "itself .\n");
    starts("/tmp", 0, add_itself, "itself .\n");
    starts("/tmp", 0, add_two, "name proc-root symlink descriptor itself .\n");
    /* An overlay has files without a name since Linux 6.3. */
    starts("/run", 0, NULL,
           "name proc-root symlink copy script descriptor memory memory-name no-name "
           "itself .\n");
}

static void add_shell(struct msg_builder *b)
{
    msg_add_text(b, MSG_EXE, "/bin/sh");
    msg_add_text(b, MSG_RO, "/bin/busybox");
    msg_add_text(b, MSG_RW, "/tmp");
}

static void add_script(struct msg_builder *b)
{
    msg_add_text(b, MSG_EXE, "/bin/script");
    msg_add_text(b, MSG_RO, "/");
    msg_add_text(b, MSG_RUN, "/bin/script");
}

/* What the image's own program sees of itself: the names that it has anyway, under any identity and
 * in its trees or not. A script has its own. */
void own_programs(void)
{
    struct client_result r;

    run(SHELL("readlink /proc/$$/exe; cat /proc/$$/comm; echo $0"), "agent", MSG_F_OWN, add_shell,
        &r);
    is_exit(&r, MSG_EXITED, 0);
    expect(strcmp((char *)r.out, "/bin/busybox\nbusybox\n/bin/sh\n") == 0, "\"%s\"", (char *)r.out);
    client_result_fini(&r);
    run((const char *const[]){ "script", "x", NULL }, "agent", MSG_F_OWN, add_script, &r);
    is_exit(&r, MSG_EXITED, 0);
    expect(strcmp((char *)r.out, "/bin/script x\n") == 0, "\"%s\"", (char *)r.out);
    client_result_fini(&r);
}

static uint8_t hash[SHA256_BYTES];
static bool spare; /* in the list, not what is executed */

static void add_pinned(struct msg_builder *b)
{
    uint8_t probe[SHA256_BYTES + 10];

    memcpy(probe, hash, SHA256_BYTES);
    memcpy(probe + SHA256_BYTES, "/bin/probe", 10);
    msg_add_text(b, MSG_EXE, spare ? "/bin/sh" : "/bin/probe");
    if (!spare)
        msg_add(b, MSG_SHA256, hash, sizeof(hash));
    msg_add_text(b, MSG_RO, "/");
    msg_add_text(b, MSG_RUN, "/bin/sh");
    msg_add(b, MSG_RUN_SHA256, probe, sizeof(probe));
}

/* As the guest's own sha256sum has it. */
static void hash_of(const char *path)
{
    char text[64];
    struct client_result r;

    snprintf(text, sizeof(text), "sha256sum %s", path);
    run(SHELL(text), NULL, 0, NULL, &r);
    is_exit(&r, MSG_EXITED, 0);
    for (unsigned i = 0; i < SHA256_BYTES; i++) {
        char two[3] = { (char)r.out[2ul * i], (char)r.out[2ul * i + 1], '\0' };

        hash[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    client_result_fini(&r);
}

/* exec.sha256, of what is executed and of what that starts. */
void pinned_programs(void)
{
    const char *const ids[] = { "probe", "ids", NULL };
    struct client_result r;

    hash_of("/bin/probe");
    spare = false;
    run(ids, "agent", MSG_F_OWN, add_pinned, &r);
    is_exit(&r, MSG_EXITED, 0);
    client_result_fini(&r);
    spare = true;
    prints("/bin/probe ids", "agent", add_pinned, "1000 1000\n");
    hash[7] ^= 1;
    prints("/bin/probe ids 2>/dev/null || echo denied", "agent", add_pinned, "denied\n");
    spare = false;
    refused(ids, "agent", MSG_F_OWN, add_pinned, EACCES, "is not what the policy pins");
}

static const char *named;

static void add_named(struct msg_builder *b)
{
    msg_add_text(b, MSG_EXE, named);
    msg_add_text(b, MSG_RO, "/");
    msg_add_text(b, MSG_RUN, named);
    msg_add_text(b, MSG_RUN, "/bin/probe");
    msg_add_text(b, MSG_RUN, "/bin/probe-suid");
}

/* Everything may be executed, and still the program is the one that is named. */
static void add_exe(struct msg_builder *b)
{
    msg_add_text(b, MSG_EXE, named);
}

/* C06: a file that root in the guest has put where a rule names one is not the one it names. */
void replaced_programs(void)
{
    static const char *const bad[] = { "/bin/new", "/bin/cat", "/bin/cut/x", "/bin/date", "/n/x" };
    const char *const ids[] = { "probe", "ids", NULL };

    script("cp /bin/probe /bin/new; rm /bin/cat; ln -s probe /bin/cat; rm /bin/cut; mkdir /bin/cut;"
           "cp /bin/probe /bin/cut/x; rm /bin/date; cp /bin/probe /bin/date; ln -s /bin /n;"
           "cp /bin/probe /n/x",
           NULL, "");
    for (size_t i = 0; i < array_len(bad); i++) {
        named = bad[i];
        refused(ids, NULL, MSG_F_OWN, add_named, EACCES, "not the image's");
        refused(ids, NULL, MSG_F_OWN, add_exe, EACCES, "not the image's");
    }
    named = "/bin/sh";                             /* a link of the image's own */
    script("chmod u-s /bin/probe-suid", NULL, ""); /* the layer has it from then on */
    prints("/bin/probe ids; /bin/probe-suid ids 2>/dev/null || echo denied", "agent", add_named,
           "1000 1000\ndenied\n");
    script("rm -r /bin/new /bin/cat /bin/cut /bin/date /bin/x /n; chmod u+s /bin/probe-suid;"
           "for a in cat cut date; do ln -s busybox /bin/$a; done",
           NULL, "");
}

void profile_filter(void)
{
    struct client_result r;

    prints("probe errno mkdir /tmp/d; echo $?; sync; echo $?", "agent", add_filter, "76\n0\n159\n");
    run((const char *const[]){ "sync", NULL }, "agent", 0, add_filter, &r);
    is_exit(&r, MSG_SIGNALED, SIGSYS);
    client_result_fini(&r);
}

static void add_limits(struct msg_builder *b)
{
    add_limit(b, RLIMIT_NOFILE, 32);
    add_limit(b, RLIMIT_FSIZE, 8192);
    add_limit(b, RLIMIT_CPU, 1);
    add_limit(b, RLIMIT_NPROC, 7);
}

void profile_limits(void)
{
    struct client_result r;

    prints("ulimit -n; ulimit -Hn; ulimit -t; ulimit -c; ulimit -n 64 2>/dev/null || echo denied;"
           "probe files",
           NULL, add_limits, "32\n32\n1\n0\ndenied\n32\n");
    prints("probe fork 20 | cut -d' ' -f1 | grep -cx '[1-6]'", "agent", add_limits, "1\n");
    run(SHELL("head -c 9000 /dev/zero >/tmp/big; echo $?; stat -c %s /tmp/big; rm /tmp/big"), NULL,
        0, add_limits, &r);
    is_exit(&r, MSG_EXITED, 0);
    expect(strstr((char *)r.out, "\n8192\n"), "\"%s\"", (char *)r.out);
    client_result_fini(&r);
    run(SHELL("while :; do :; done"), NULL, 0, add_limits, &r);
    expect(r.ended && r.kind == MSG_SIGNALED && (r.code == SIGXCPU || r.code == SIGKILL),
           "kind %u code %u", r.kind, r.code);
    client_result_fini(&r);
}

static void add_uid(struct msg_builder *b)
{
    msg_add_u32(b, MSG_UID, AGENT);
}

/* What a setuid program gives: its owner's rights without a profile, with one nothing. */
void profile_setuid(void)
{
    script("probe-suid ids", "agent", "1000 0\n");
    prints("probe-suid ids", "agent", add_uid, "1000 1000\n");
}

static void add_bad_filter(struct msg_builder *b)
{
    const struct sock_filter no_end = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);

    msg_add(b, MSG_FILTER, &no_end, sizeof(no_end));
}

static void add_high_limit(struct msg_builder *b)
{
    add_limit(b, RLIMIT_NICE, 1ull << 63);
    add_limit(b, RLIMIT_NOFILE, 1u << 30);
}

void profile_refused(void)
{
    refused(SHELL("true"), NULL, 0, add_uid, EPERM, "not 1000");
    script("cp /etc/passwd /tmp/passwd; sed -i s/1000:1000/0:0/ /etc/passwd", NULL, "");
    refused(SHELL("true"), "agent", 0, add_uid, EPERM, "not 1000");
    script("cat /tmp/passwd >/etc/passwd; rm /tmp/passwd", NULL, "");
    prints("id -u", "agent", add_uid, "1000\n");
    refused(SHELL("true"), NULL, MSG_F_LOOSE, add_bad_filter, EINVAL, "seccomp");
    prints("ulimit -n", NULL, add_high_limit, "524288\n"); /* no more than all have */
}

/* ---- every command ---- */

/* What a command without a profile could open; of the keyrings an empty one of its own is left. */
static void closed_to(const char *user, bool show)
{
    struct client_exec x = { .argv = (const char *const[]){ "probe", "closed", NULL },
                             .user = user };
    struct client_result r;
    const char *out;

    client_run(guest, &x, &r);
    is_exit(&r, MSG_EXITED, 0);
    out = (char *)r.out;
    if (strncmp(out, "open: io_uring\n", 15) == 0) {
        /* Only a filter closes it there. */
        printf("#   io_uring is open to %s: no switch before Linux 6.6\n", user ? user : "root");
        script("test -e /proc/sys/kernel/io_uring_disabled || echo none", NULL, "none\n");
        out += 15;
    }
    expect(strcmp(out, "done\n") == 0, "%s: %s", user ? user : "root", out);
    for (char *line = strtok((char *)r.err, "\n"); show && line; line = strtok(NULL, "\n"))
        printf("#   %s\n", line);
    client_result_fini(&r);
}

/* C05, C09, C10: without any profile. */
void closed_to_all(void)
{
    closed_to(NULL, true);
    closed_to("agent", false);
    script("for s in HUP INT QUIT USR1 USR2 TERM STOP KILL 38; do kill -$s 1; done; poweroff;"
           "sleep 0.3; echo alive; cat /proc/sys/kernel/modprobe 2>/dev/null | tr -d '\\n';"
           "cat /proc/sys/user/max_user_namespaces",
           NULL, "alive\n0\n");
}

static void limit_processes(uint32_t n, uint32_t files)
{
    static struct msg_builder b;
    char text[256] = "";

    msg_begin(&b, MSG_SETUP);
    if (n)
        msg_add_u32(&b, MSG_PIDS, n);
    if (files)
        msg_add_u32(&b, MSG_FILES, files);
    expect(client_simple(guest, &b, text) == 0, "SETUP: %s", text);
}

/* How many processes a command may make; it goes on until it may not, or has made 300. */
static int forks(const char *user)
{
    struct client_exec x = { .argv = (const char *const[]){ "probe", "fork", "300", NULL },
                             .user = user };
    struct client_result r;
    int n = -1;

    client_run(guest, &x, &r);
    if (is_exit(&r, MSG_EXITED, 0))
        n = (int)strtol((char *)r.out, NULL, 10);
    client_result_fini(&r);
    return n;
}

/* C08: all commands together, root's too; carrel-init's own work goes on. */
void process_limit(void)
{
    struct client_exec hold = { .argv = (const char *const[]){ "probe", "hold", "300", NULL },
                                .flags = MSG_F_STDIN };
    uint8_t *tar;
    size_t len;
    char text[256];
    struct msg_frame f;
    struct client_result r;
    uint32_t id;
    int n;

    limit_processes(40, 0);
    n = forks(NULL);
    expect(n == 39, "%d processes and their parent of 40", n);
    n = forks("agent");
    expect(n == 39, "%d processes and their parent of 40 for a user", n);
    id = client_start(guest, &hold);
    while (client_recv(guest, id, &f, CLIENT_WAIT_MS) > 0 && f.type != MSG_STDOUT)
        ;
    refused(SHELL("true"), NULL, 0, NULL, EAGAIN, "no process");
    expect(client_get(guest, "/etc/passwd", &tar, &len, text) == 0 && len > 0, "GET: %s", text);
    free(tar);
    client_finish(guest, id, &hold, &r);
    expect(r.ended && r.kind == MSG_EXITED && r.code == 0, "kind %u code %u", r.kind, r.code);
    client_result_fini(&r);
    script("ls /sys/fs/cgroup; grep -c cgroup /proc/mounts; true", NULL, "0\n");
    limit_processes(10, 0);
    n = forks(NULL);
    expect(n == 9, "%d processes and their parent of 10", n);
    limit_processes(UINT32_MAX, 0);
    n = forks(NULL);
    expect(n == 300, "%d processes without a limit", n);
}

void file_limit(void)
{
    limit_processes(0, 200);
    script("ulimit -n; ulimit -Hn; probe files; ulimit -Hn 300 2>/dev/null || echo denied", NULL,
           "200\n200\n200\ndenied\n");
    limit_processes(0, 5000);
    script("ulimit -n; ulimit -Hn", "agent", "1024\n5000\n");
    limit_processes(0, 524288);
}

/* ---- other boots ---- */

void missing_layers(void)
{
    int n;

    refused(SHELL("true"), NULL, 0, add_trees, EOPNOTSUPP, "Landlock");
    {
        struct client_result r;

        run(SHELL("echo x >/etc/x && id -u"), NULL, MSG_F_LOOSE, add_trees, &r);
        is_exit(&r, MSG_EXITED, 0);
        expect(strcmp((char *)r.out, "0\n") == 0, "\"%s\"", (char *)r.out);
        client_result_fini(&r);
    }
    prints(STATUS " | grep NoNew", NULL, add_filter, "NoNewPrivs:\t1\n");
    /* kernel.threads-max: the kernel's own come and go, so the number is not exact. */
    limit_processes(40, 0);
    n = forks(NULL);
    expect(n >= 30 && n < 80, "%d processes of about 40", n);
    limit_processes(100, 0);
    n = forks("agent");
    expect(n >= 90 && n < 140, "%d processes of about 100", n);
    script("cat /proc/sys/kernel/threads-max >/dev/null && echo yes", NULL, "yes\n");
}

void read_only_root(void)
{
    script("cut -d, -f1 /proc/mounts | cut -d' ' -f2- | head -n 8", NULL,
           "/dev devtmpfs rw\n/proc proc rw\n/sys sysfs ro\n/ squashfs ro\n/dev/pts devpts rw\n"
           "/run tmpfs rw\n/dev/shm tmpfs rw\n/tmp tmpfs rw\n");
    script("echo x 2>/dev/null >/etc/x || echo denied; touch /x 2>/dev/null || echo denied;"
           "mount -o remount,rw / 2>/dev/null || echo denied",
           NULL, "denied\ndenied\ndenied\n");
    script("for d in /tmp /dev/shm; do head -c 5000000 /dev/zero >$d/f; stat -c %s $d/f; rm $d/f;"
           "stat -c %a $d; done 2>/dev/null",
           "agent", "4194304\n1777\n4194304\n1777\n");
    script("cp /bin/probe /tmp/p && /tmp/p ids && rm /tmp/p; cat /etc/passwd | head -n 1", "agent",
           "1000 1000\nroot:x:0:0:root:/root:/bin/sh\n");
}

void small_layer(void)
{
    script("head -c 9000000 /dev/zero >/big; s=$(stat -c %s /big); test $s -ge 7000000 &&"
           "test $s -le 8388608 && echo full; rm /big; head -c 9000000 /dev/zero >/tmp/big ||"
           "echo full; rm /tmp/big",
           NULL, "full\nfull\n");
    script(
        "mkdir /many; i=0; while [ $i -lt 400 ] && echo >/many/$i; do i=$((i+1)); done 2>/dev/null;"
        "test $i -ge 200 && test $i -lt 300 && echo full; rm -r /many; echo x >/y && cat /y",
        NULL, "full\nx\n");
}
