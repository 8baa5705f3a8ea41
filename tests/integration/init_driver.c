/*
 * init_driver.c - tries a booted guest's carrel-init from the host, over its control port.
 *
 *     init_driver --connect SOCKET     a machine that runs already, its port a listening socket
 *     init_driver --connect SOCKET BOOT
 *                                      booted otherwise: what differs then; see init_driver.h
 *     init_driver CMD [ARG...]         starts the machine; the port is its descriptor 3
 *
 * Prints TAP. The image needs busybox's programs in /bin, a user agent (1000, member of wheel),
 * /workspace and what init_profile.c says. The last test powers the guest off.
 */
#include "tests/integration/init_driver.h"

#include "guest/tar.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB         (1u << 20)
#define MANY        20
#define CONNECT_S   60
#define POWEROFF_MS 30000

struct client *guest;
static const char *socket_path; /* NULL: the port is a socket pair */
static bool failed;

bool expect(bool ok, const char *fmt, ...)
{
    va_list ap;

    if (ok)
        return true;
    failed = true;
    printf("# ");
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
    return false;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

bool is_exit(const struct client_result *r, uint8_t kind, uint8_t code)
{
    return expect(r->started && r->ended && !r->error && r->kind == kind && r->code == code,
                  "started %d ended %d error %u (%s) kind %u code %u out \"%s\" err \"%s\"",
                  r->started, r->ended, r->error, r->text, r->kind, r->code, (char *)r->out,
                  (char *)r->err);
}

void script(const char *text, const char *user, const char *out)
{
    struct client_exec x = { .argv = SHELL(text), .user = user };
    struct client_result r;

    client_run(guest, &x, &r);
    if (is_exit(&r, MSG_EXITED, 0))
        expect(strcmp((char *)r.out, out) == 0, "\"%s\" printed \"%s\", not \"%s\"", text,
               (char *)r.out, out);
    client_result_fini(&r);
}

/* ---- the tests ---- */

void setup(void)
{
    static struct msg_builder b;
    struct timespec t;
    char text[256] = "";

    clock_gettime(CLOCK_REALTIME, &t);
    msg_begin(&b, MSG_SETUP);
    msg_add_text(&b, MSG_HOSTNAME, "quiet-otter");
    msg_add_u64(&b, MSG_TIME, 1800000000ull * 1000000000ull);
    msg_add(&b, MSG_SEED, "0123456789abcdef0123456789abcdef", 32);
    expect(client_simple(guest, &b, text) == 0, "SETUP: %s", text);
    script("chown agent:agent /workspace", NULL, "");
    script("hostname; cat /etc/hostname; grep -c quiet-otter /etc/hosts", NULL,
           "quiet-otter\nquiet-otter\n1\n");
    script("test $(($(date +%s) / 100)) = 18000000 && echo yes", NULL, "yes\n");
}

static void exit_codes(void)
{
    static const struct {
        const char *text;
        uint8_t kind, code;
    } cases[] = {
        { "exit 0", MSG_EXITED, 0 },         { "exit 7", MSG_EXITED, 7 },
        { "exit 255", MSG_EXITED, 255 },     { "kill -9 $$", MSG_SIGNALED, 9 },
        { "kill -15 $$", MSG_SIGNALED, 15 },
    };

    for (size_t i = 0; i < array_len(cases); i++) {
        struct client_exec x = { .argv = SHELL(cases[i].text) };
        struct client_result r;

        client_run(guest, &x, &r);
        is_exit(&r, cases[i].kind, cases[i].code);
        client_result_fini(&r);
    }
}

static void separate_stderr(void)
{
    struct client_exec x = { .argv = SHELL("echo out; echo err >&2; echo out2") };
    struct client_result r;

    client_run(guest, &x, &r);
    is_exit(&r, MSG_EXITED, 0);
    expect(strcmp((char *)r.out, "out\nout2\n") == 0 && strcmp((char *)r.err, "err\n") == 0,
           "\"%s\" and \"%s\"", (char *)r.out, (char *)r.err);
    client_result_fini(&r);
}

/* Pseudo-random bytes, the same each time. */
static uint8_t *noise(size_t len)
{
    uint8_t *p = malloc(len);
    uint64_t x = 88172645463325252ull;

    for (size_t i = 0; p && i < len; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        p[i] = (uint8_t)x;
    }
    return p;
}

static void stdin_to_stdout(void)
{
    const size_t len = 4 * MIB + 12345;
    uint8_t *bytes = noise(len);
    struct client_exec x = { .argv = (const char *const[]){ "cat", NULL },
                             .flags = MSG_F_STDIN,
                             .in = bytes,
                             .in_len = len };
    struct client_result r;
    double t = now();

    client_run(guest, &x, &r);
    is_exit(&r, MSG_EXITED, 0);
    expect(r.out_len == len && memcmp(r.out, bytes, len) == 0, "%zu bytes came back of %zu",
           r.out_len, len);
    printf("# %.1f MB/s each way\n", (double)len / 1e6 / (now() - t));
    client_result_fini(&r);
    free(bytes);
}

static void unread_stdin(void)
{
    uint8_t *bytes = noise(MIB);
    struct client_exec x = { .argv = SHELL("head -c 10 >/dev/null; echo done"),
                             .flags = MSG_F_STDIN,
                             .in = bytes,
                             .in_len = MIB };
    struct client_result r;

    client_run(guest, &x, &r);
    is_exit(&r, MSG_EXITED, 0);
    expect(strcmp((char *)r.out, "done\n") == 0, "\"%s\"", (char *)r.out);
    client_result_fini(&r);
    free(bytes);
}

static void failures_to_start(void)
{
    static const struct {
        const char *argv0, *cwd, *user;
        uint32_t error;
    } cases[] = {
        { "no-such-program", NULL, NULL, ENOENT },
        { "/no/such/program", NULL, NULL, ENOENT },
        { "/etc/passwd", NULL, NULL, EACCES },
        { "/tmp/lacks-interpreter", NULL, NULL, ENOENT },
        { "/tmp/no-program", NULL, NULL, ENOEXEC },
        { "/bin/true", "/no/such/dir", NULL, ENOENT },
        { "/bin/true", NULL, "nobody-known", EINVAL },
        { "/bin/true", NULL, "root:no-group", EINVAL },
        { "/bin/true", "/root-only", "agent", EACCES },
    };

    script("printf '#!/bin/nothing\\n' >/tmp/lacks-interpreter; echo nonsense >/tmp/no-program;"
           "chmod 755 /tmp/lacks-interpreter /tmp/no-program; mkdir -p -m 700 /root-only",
           NULL, "");
    for (size_t i = 0; i < array_len(cases); i++) {
        struct client_exec x = { .argv = (const char *const[]){ cases[i].argv0, NULL },
                                 .cwd = cases[i].cwd,
                                 .user = cases[i].user };
        struct client_result r;

        client_run(guest, &x, &r);
        expect(!r.started && r.ended && r.error == cases[i].error && r.text[0],
               "%s: started %d error %u, not %u (%s)", cases[i].argv0, r.started, r.error,
               cases[i].error, r.text);
        client_result_fini(&r);
    }
}

static void users_and_environment(void)
{
    struct client_exec x = { .argv = (const char *const[]){ "env", NULL },
                             .envp =
                                 (const char *const[]){ "FOO=bar baz", "HOME=/elsewhere", NULL },
                             .user = "agent" };
    struct client_result r;

    script("id -u; id -g; id -G; umask; pwd; echo $HOME", "agent",
           "1000\n1000\n1000 10\n0022\n/\n/home/agent\n");
    script("id -u; id -g; id -G", "agent:tty", "1000\n5\n5\n");
    script("id -u; id -g; echo $HOME", "4242", "4242\n0\n/\n");
    script("id -u; id -g", "4242:4343", "4242\n4343\n");
    script("echo hello >/dev/stdout; echo x >/workspace/f && stat -c %U /workspace/f", "agent",
           "hello\nagent\n");
    client_run(guest, &x, &r);
    is_exit(&r, MSG_EXITED, 0);
    expect(strstr((char *)r.out, "FOO=bar baz\n") && strstr((char *)r.out, "HOME=/elsewhere\n") &&
               strstr((char *)r.out, "USER=agent\n") && strstr((char *)r.out, "PATH=/usr/local/"),
           "environment: %s", (char *)r.out);
    client_result_fini(&r);
}

/* What a tool finds of PID 1: nothing to hold on to (C09). */
static void hidden_init(void)
{
    script("kill -9 1 2>/dev/null || echo denied; cat /proc/1/environ 2>/dev/null || echo denied;"
           "ls -l /proc/1/fd >/dev/null 2>&1 || echo denied",
           "agent", "denied\ndenied\ndenied\n");
    script("kill -9 1; kill -STOP 1; cat /proc/1/mem 2>/dev/null || echo denied;"
           "readlink /proc/1/fd/* >/dev/null || echo denied",
           NULL, "denied\ndenied\n");
    script("ls /proc/self/fd | wc -l", NULL, "4\n"); /* 0, 1, 2 and the directory itself */
    script("grep -c ' /image \\| /layer ' /proc/mounts; ls /dev | grep -E 'v(port|d)'; true", NULL,
           "0\n");
}

static void terminal(void)
{
    struct client_exec x = { .argv = SHELL("tty; stty size; read a; stty size; echo got $a"),
                             .flags = MSG_F_TTY | MSG_F_STDIN,
                             .rows = 33,
                             .cols = 101,
                             .user = "agent" };
    uint32_t id = client_start(guest, &x);
    const uint8_t size[4] = { 44, 0, 77, 0 };
    struct msg_frame f;
    char out[512] = "";
    size_t len = 0;
    bool sent = false;
    int got;

    while ((got = client_recv(guest, id, &f, CLIENT_WAIT_MS)) > 0 && f.type != MSG_EXIT) {
        if (f.type != MSG_STDOUT)
            continue;
        if (len + f.len < sizeof(out))
            memcpy(out + len, f.body, f.len);
        len += f.len;
        if (!sent && strstr(out, "33 101\r\n")) {
            sent = true;
            client_send(guest, id, MSG_RESIZE, size, sizeof(size));
            client_send(guest, id, MSG_STDIN, "hello\n", 6);
        }
    }
    expect(got == 1 && f.len == 2 && f.body[0] == MSG_EXITED && f.body[1] == 0, "no exit");
    expect(strcmp(out, "/dev/pts/0\r\n33 101\r\nhello\r\n44 77\r\ngot hello\r\n") == 0,
           "the terminal said \"%s\"", out);
    expect(client_recv(guest, id, &f, CLIENT_WAIT_MS) == 0, "a frame after the last");
}

static void terminal_keys(void)
{
    struct client_exec x = { .argv = SHELL("trap 'echo caught; exit 3' INT; echo ready;"
                                           "while :; do sleep 0.05; done"),
                             .flags = MSG_F_TTY | MSG_F_STDIN };
    uint32_t id = client_start(guest, &x);
    struct msg_frame f;

    while (client_recv(guest, id, &f, CLIENT_WAIT_MS) > 0 && f.type != MSG_EXIT)
        if (f.type == MSG_STDOUT && f.len >= 5 && memcmp(f.body, "ready", 5) == 0)
            client_send(guest, id, MSG_STDIN, "\x03", 1);
    expect(f.type == MSG_EXIT && f.body[0] == MSG_EXITED && f.body[1] == 3,
           "ctrl-C: frame %u kind %u code %u", f.type, f.body[0], f.body[1]);
    while (client_recv(guest, id, &f, CLIENT_WAIT_MS) > 0)
        ;
}

static void many_at_once(void)
{
    uint32_t ids[MANY];
    char text[MANY][64];

    for (int i = 0; i < MANY; i++) {
        snprintf(text[i], sizeof(text[i]), "read x; echo $x; exit %d", i);
        struct client_exec x = { .argv = SHELL(text[i]), .flags = MSG_F_STDIN };

        ids[i] = client_start(guest, &x);
    }
    /* The last started is the first to be fed: none may wait for another. */
    for (int i = MANY - 1; i >= 0; i--) {
        struct client_exec x = { .flags = MSG_F_STDIN, .in = "word\n", .in_len = 5 };
        struct client_result r;

        client_finish(guest, ids[i], &x, &r);
        is_exit(&r, MSG_EXITED, (uint8_t)i);
        expect(strcmp((char *)r.out, "word\n") == 0, "\"%s\"", (char *)r.out);
        client_result_fini(&r);
    }
}

/* One command whose output is not read must not hold up the others (R11). */
static void unread_output(void)
{
    struct client_exec flood = { .argv = SHELL("yes | head -c 3000000") };
    uint32_t id = client_start(guest, &flood);
    struct client_result r;

    for (int i = 0; i < 3; i++)
        script("echo alive", NULL, "alive\n");
    client_finish(guest, id, &flood, &r);
    is_exit(&r, MSG_EXITED, 0);
    expect(r.out_len == 3000000, "%zu bytes of 3000000", r.out_len);
    client_result_fini(&r);
}

static void timeouts(void)
{
    struct client_exec soft = { .argv = SHELL("sleep 100 & wait"), .timeout_ms = 200 };
    struct client_exec hard = { .argv = SHELL("trap '' TERM; while :; do sleep 1; done"),
                                .timeout_ms = 200 };
    struct client_result r;
    double t = now();

    client_run(guest, &soft, &r);
    is_exit(&r, MSG_TIMED_OUT, SIGTERM);
    client_result_fini(&r);
    client_run(guest, &hard, &r);
    is_exit(&r, MSG_TIMED_OUT, SIGKILL);
    client_result_fini(&r);
    expect(now() - t >= 2.0, "KILL came too early");
    script("ps -o args | grep -c '[s]leep 100'; true", NULL, "0\n");
}

static void signals(void)
{
    struct client_exec x = { .argv = SHELL("trap 'exit 5' USR1; echo ready;"
                                           "while :; do sleep 0.05; done") };
    uint32_t id = client_start(guest, &x);
    const uint8_t usr1 = SIGUSR1;
    struct msg_frame f;

    while (client_recv(guest, id, &f, CLIENT_WAIT_MS) > 0 && f.type != MSG_EXIT)
        if (f.type == MSG_STDOUT)
            client_send(guest, id, MSG_SIGNAL, &usr1, 1);
    expect(f.type == MSG_EXIT && f.body[0] == MSG_EXITED && f.body[1] == 5, "kind %u code %u",
           f.body[0], f.body[1]);
    while (client_recv(guest, id, &f, CLIENT_WAIT_MS) > 0)
        ;
}

/* A descendant keeps the output open: the exit status does not wait for it. */
static void held_output(void)
{
    struct client_exec x = { .argv = SHELL("sleep 60 & echo started; exit 4") };
    struct client_result r;
    double t = now();

    client_run(guest, &x, &r);
    is_exit(&r, MSG_EXITED, 4);
    expect(strcmp((char *)r.out, "started\n") == 0, "\"%s\"", (char *)r.out);
    expect(now() - t < 20, "waited %.1f s for the descendant", now() - t);
    client_result_fini(&r);
    script("killall sleep", NULL, "");
}

static void hangup(void)
{
    struct client_exec x = { .argv = SHELL("echo ready; exec sleep 1001"), .flags = MSG_F_HANGUP };
    struct client_exec y = { .argv = SHELL("echo ready; exec sleep 1002") };
    uint32_t ids[2] = { client_start(guest, &x), client_start(guest, &y) };
    struct msg_frame f;

    for (int i = 0; i < 2; i++) {
        while (client_recv(guest, ids[i], &f, CLIENT_WAIT_MS) > 0 && f.type != MSG_STDOUT)
            ;
        client_reset(guest, ids[i]);
    }
    script("for i in 1 2 3 4 5 6 7 8 9 0; do ps -o args | grep -q '[s]leep 1001' || break;"
           "sleep 0.2; done; ps -o args | grep '[s]leep 100[12]'; killall sleep",
           NULL, "sleep 1002\n");
}

/* Frames that may not come: the stream is lost, the session is not (R04, R06). */
static void wrong_frames(void)
{
    static const uint8_t torn[] = { 2, 0, 0, 0, 255, 255, 255, 255 };
    static struct msg_builder b;
    struct msg_frame f;
    char text[256];
    uint32_t id;

    id = client_open(guest);
    client_send_raw(guest, id, torn, sizeof(torn));
    expect(client_recv(guest, id, &f, CLIENT_WAIT_MS) == 0, "an answer to a torn frame");
    for (int type = MSG_STOP; type <= MSG_WAIT; type++) {
        msg_begin(&b, (enum msg_type)type);
        expect(client_simple(guest, &b, text) == ENOSYS, "request %d: %s", type, text);
    }
    msg_begin(&b, MSG_ATTACH);
    expect(client_simple(guest, &b, text) == EINVAL, "ATTACH to nothing: %s", text);
    msg_begin(&b, MSG_EXEC);
    expect(client_simple(guest, &b, text) == EINVAL, "EXEC without a command: %s", text);
    msg_begin(&b, MSG_EXEC);
    msg_add_text(&b, MSG_ARG, "true");
    msg_add_text(&b, MSG_PATH, "/");
    expect(client_simple(guest, &b, text) == EINVAL, "EXEC with PATH: %s", text);
    script("echo alive", NULL, "alive\n");
}

/* ---- trees ---- */

static const char long_name[] =
    "a-name-that-is-longer-than-the-hundred-bytes-of-a-ustar-header-so-that-it-needs-a-pax-record-"
    "and-then-some-more-0123456789";

/* A small archive made entry by entry. */
struct archive {
    uint8_t *bytes;
    size_t len;
};

static void add(struct archive *a, const void *p, size_t len)
{
    a->bytes = realloc(a->bytes, a->len + len);
    if (!a->bytes)
        exit(1);
    memcpy(a->bytes + a->len, p, len);
    a->len += len;
}

static void add_entry(struct archive *a, enum tar_type type, mode_t mode, const char *path,
                      const char *link, const char *data)
{
    static struct tar_entry t;
    static uint8_t head[TAR_HEADER_MAX];
    static const uint8_t zeros[TAR_BLOCK];

    t.type = type;
    t.mode = mode;
    t.size = strlen(data);
    t.mtime = (struct timespec){ .tv_sec = 1600000000, .tv_nsec = 250000000 };
    snprintf(t.path, sizeof(t.path), "%s", path);
    snprintf(t.link, sizeof(t.link), "%s", link);
    add(a, head, tar_header(&t, head));
    add(a, data, t.size);
    add(a, zeros, tar_padding(t.size));
}

static void end_archive(struct archive *a)
{
    static const uint8_t zeros[2 * TAR_BLOCK];

    add(a, zeros, sizeof(zeros));
}

static void trees(void)
{
    struct archive a = { 0 };
    uint8_t *back;
    char text[256] = "";
    char path[512];
    size_t len;

    script("rm -rf /workspace/*", NULL, ""); /* of an earlier run on the same disk */
    add_entry(&a, TAR_DIR, 0750, "tree", "", "");
    add_entry(&a, TAR_FILE, 0640, "tree/plain", "", "some text\n");
    add_entry(&a, TAR_FILE, 04755, "tree/new\nline \"quoted\" \xc3\xa9 \xff", "", "odd");
    snprintf(path, sizeof(path), "tree/%s", long_name);
    add_entry(&a, TAR_FILE, 0600, path, "", "long");
    add_entry(&a, TAR_SYMLINK, 0777, "tree/link", "/etc/passwd", "");
    add_entry(&a, TAR_HARDLINK, 0640, "tree/hard", "tree/plain", "");
    add_entry(&a, TAR_DIR, 0500, "tree/sub", "", "");
    add_entry(&a, TAR_FILE, 0444, "tree/sub/empty", "", "");
    end_archive(&a);
    expect(client_put(guest, "/workspace", "agent", a.bytes, a.len, text) == 0, "PUT: %s", text);
    free(a.bytes);

    script("cd /workspace/tree && stat -c '%n %a %U %Y' . plain link sub sub/empty", NULL,
           ". 750 agent 1600000000\nplain 640 agent 1600000000\nlink 777 agent 1600000000\n"
           "sub 500 agent 1600000000\nsub/empty 444 agent 1600000000\n");
    script("cd /workspace/tree && readlink link && cat plain && stat -c %h hard && cat a-name* && "
           "stat -c %a new* && cat new*",
           NULL, "/etc/passwd\nsome text\n2\nlong755\nodd");

    expect(client_get(guest, "/workspace/tree", &back, &len, text) == 0, "GET: %s", text);
    expect(len % TAR_BLOCK == 0 && len > 0, "GET gave %zu bytes", len);
    script("mkdir /workspace/again", "agent", "");
    expect(client_put(guest, "/workspace/again", "agent", back, len, text) == 0, "PUT again: %s",
           text);
    free(back);
    script("cd /workspace && diff -r tree again/tree && cd again/tree && stat -c '%n %a %U %Y' . "
           "plain link sub && echo same",
           NULL,
           ". 750 agent 1600000000\nplain 640 agent 1600000000\nlink 777 agent 1600000000\n"
           "sub 500 agent 1600000000\nsame\n");
    expect(client_get(guest, "/no/such", &back, &len, text) == ENOENT && strstr(text, "/no/such"),
           "GET of nothing: %s", text);
    free(back);
}

/* What an archive may not do (F01, F03). */
static void bad_trees(void)
{
    static const struct {
        const char *path, *link;
        enum tar_type type;
        uint32_t error;
    } cases[] = {
        { "/etc/cron", "", TAR_FILE, EPERM },          { "a/../../x", "", TAR_FILE, EPERM },
        { "way/out", "", TAR_FILE, ENOTDIR }, /* way -> /etc, made by the guest */
        { "x", "../etc/passwd", TAR_HARDLINK, EPERM }, { "x", "way/passwd", TAR_HARDLINK, ENOTDIR },
        { "null", "", (enum tar_type)'3', EPERM },     { "fifo", "", (enum tar_type)'6', EPERM },
    };
    char text[256];

    script("mkdir /workspace/bad && ln -s /etc /workspace/bad/way", "agent", "");
    for (size_t i = 0; i < array_len(cases); i++) {
        struct archive a = { 0 };
        uint32_t error;

        add_entry(&a, cases[i].type, 0644, cases[i].path, cases[i].link, "");
        end_archive(&a);
        error = client_put(guest, "/workspace/bad", NULL, a.bytes, a.len, text);
        expect(error == cases[i].error, "%s: error %u, not %u (%s)", cases[i].path, error,
               cases[i].error, text);
        free(a.bytes);
    }
    expect(client_put(guest, "/no/such", NULL, "", 0, text) == ENOENT && strstr(text, "/no/such"),
           "PUT to nowhere: %s", text);
    expect(client_put(guest, "/workspace", NULL, "garbage", 7, text) == EINVAL, "garbage: %s",
           text);
    script("ls -A /workspace/bad; test -e /etc/out || echo clean", NULL, "way\nclean\n");
}

/* What tools find around them. */
static void surroundings(void)
{
    script("cut -d, -f1 /proc/mounts | cut -d' ' -f2- | grep -v '^/proc/'", NULL,
           "/dev devtmpfs rw\n/proc proc rw\n/sys sysfs ro\n/ overlay rw\n/dev/pts devpts rw\n"
           "/run tmpfs rw\n/dev/shm tmpfs rw\n");
    script("stat -c %a /tmp /dev/shm /dev/null /run /; ls -d /modules /init 2>/dev/null; true",
           NULL, "1777\n1777\n666\n755\n755\n");
    script("grep ' /proc/' /proc/mounts | grep -v ' ro,'; grep -c ' /proc/sys ' /proc/mounts", NULL,
           "1\n");
    script("ifconfig lo | grep -c RUNNING; cat /etc/resolv.conf | head -n 1", NULL,
           "1\nnameserver 127.0.0.1\n");
}

static void round_trips(void)
{
    struct client_exec x = { .argv = (const char *const[]){ "/bin/true", NULL } };
    double t = now();

    for (int i = 0; i < 50; i++) {
        struct client_result r;

        client_run(guest, &x, &r);
        is_exit(&r, MSG_EXITED, 0);
        client_result_fini(&r);
    }
    printf("# exec round trip %.2f ms", (now() - t) * 1000 / 50);
    /* The guest's own price of a process, to compare with. */
    t = now();
    script("i=0; while [ $i -lt 50 ]; do /bin/true; i=$((i+1)); done", NULL, "");
    printf(", by a shell in the guest %.2f ms\n", (now() - t) * 1000 / 50);
}

static int connect_to(const char *path)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    double end = now() + CONNECT_S;

    snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
    /* The machine makes the socket some time after it was started. */
    while (connect(fd, (struct sockaddr *)&to, sizeof(to))) {
        if (now() > end) {
            perror(path);
            exit(1);
        }
        (void)poll(NULL, 0, 10);
    }
    return fd;
}

/* The host goes in mid-frame and comes back, before anybody noticed: a new session (R12). */
static void reconnect(void)
{
    struct client_exec x = { .argv = SHELL("exec sleep 1003"), .flags = MSG_F_HANGUP };
    static struct msg_builder b;
    uint8_t mark[MARK_BYTES];
    struct msg_frame f;
    char text[256] = "";

    if (!socket_path) {
        printf("# skipped: the port is a socket pair\n");
        return;
    }
    expect(mark_make(mark), "no mark");
    msg_begin(&b, MSG_SETUP);
    msg_add(&b, MSG_MARK, mark, sizeof(mark));
    expect(client_simple(guest, &b, text) == 0, "the mark is not taken");
    for (int i = 0; i < 20; i++) {
        uint32_t id = client_start(guest, &x);

        expect(client_recv(guest, id, &f, CLIENT_WAIT_MS) == 1 && f.type == MSG_STARTED,
               "session %d is deaf", i);
        id = client_open(guest);
        client_send_raw(guest, id, "\x02\0\0\0\xff\0\0\0half", 12);
        client_free(guest);
        guest = client_new(connect_to(socket_path));
        client_greet(guest, mark);
    }
    script("for i in 1 2 3 4 5 6 7 8 9 0; do ps -o args | grep -q '[s]leep 1003' || break;"
           "sleep 0.2; done; ps -o args | grep '[s]leep 1003' || echo gone",
           NULL, "gone\n");
}

void poweroff(void)
{
    static struct msg_builder b;
    struct client_exec x = { .argv = SHELL("trap 'echo bye; exit 9' TERM; echo ready;"
                                           "while :; do sleep 0.05; done") };
    uint32_t id = client_start(guest, &x);
    struct client_result r;
    struct msg_frame f;
    char text[256] = "";
    double t;

    while (client_recv(guest, id, &f, CLIENT_WAIT_MS) > 0 && f.type != MSG_STDOUT)
        ;
    t = now();
    msg_begin(&b, MSG_POWEROFF);
    msg_add_u32(&b, MSG_GRACE, 5000);
    expect(client_simple(guest, &b, text) == 0, "POWEROFF: %s", text);
    client_finish(guest, id, &x, &r);
    expect(r.ended && r.code == 9 && strcmp((char *)r.out, "bye\n") == 0,
           "the last words were \"%s\", code %u", (char *)r.out, r.code);
    client_result_fini(&r);
    while (now() - t < POWEROFF_MS / 1000.0 && client_pump(guest, 1000))
        ;
    expect(!client_pump(guest, 0), "the machine is still there");
    printf("# power off %.2f s\n", now() - t);
}

static const struct init_test usual[] = {
    { "setup", setup },
    { "exit codes", exit_codes },
    { "stderr apart", separate_stderr },
    { "stdin to stdout, 4 MiB", stdin_to_stdout },
    { "stdin nobody reads", unread_stdin },
    { "commands that cannot start", failures_to_start },
    { "users and environment", users_and_environment },
    { "C09 nothing of PID 1 to hold", hidden_init },
    { "surroundings", surroundings },
    { "terminal", terminal },
    { "terminal: ctrl-C", terminal_keys },
    { "20 at once", many_at_once },
    { "R11 output nobody reads", unread_output },
    { "timeouts", timeouts },
    { "signals", signals },
    { "output held by a descendant", held_output },
    { "hang-up", hangup },
    { "R04 R06 wrong frames", wrong_frames },
    { "trees in and out", trees },
    { "F01 F03 bad trees", bad_trees },
    { "profile: identity and capabilities", profile_identity },
    { "profile: the program", profile_program },
    { "C06 profile: trees", profile_trees },
    { "a terminal of its own", own_terminals },
    { "C06 profile: programs", profile_programs },
    { "profile: filter", profile_filter },
    { "profile: resource limits", profile_limits },
    { "profile: setuid gives nothing", profile_setuid },
    { "profile: refused", profile_refused },
    { "C06 the image's own programs", own_programs },
    { "C06 pinned programs", pinned_programs },
    { "C06 replaced programs", replaced_programs },
    { "C05 C09 closed to all", closed_to_all },
    { "C08 daemons are ended by their command's number", daemons },
    { "C08 endless forks are ended", endless_forks },
    { "timeouts and KILL end trees", ends_of_trees },
    { "C08 processes of all commands", process_limit },
    { "files of all commands", file_limit },
    { "round trips", round_trips },
    { "R12 reconnect in mid-frame", reconnect },
    { "power off", poweroff },
};

static const struct init_test lacking[] = {
    { "setup", setup },
    { "H15 missing layers", missing_layers },
    { "power off", poweroff },
};

static const struct init_test read_only[] = {
    { "read-only root", read_only_root },
    { "C06 the image's own programs", own_programs },
    { "C06 pinned programs", pinned_programs },
    { "power off", poweroff },
};

static const struct init_test small[] = {
    { "small writable layer", small_layer },
    { "power off", poweroff },
};

static const struct boot {
    const char *name;
    const struct init_test *tests;
    size_t n;
} boots[] = {
    { "usual", usual, array_len(usual) },
    { "lacking", lacking, array_len(lacking) },
    { "read-only", read_only, array_len(read_only) },
    { "small", small, array_len(small) },
};

static pid_t start_machine(char **argv, int *fd)
{
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return -1;
    pid = fork();
    if (pid == 0) {
        dup2(pair[1], 3);
        execvp(argv[0], argv);
        perror(argv[0]);
        _exit(127);
    }
    close(pair[1]);
    *fd = pair[0];
    return pid;
}

int main(int argc, char **argv)
{
    unsigned bad = 0;
    double t = now();
    bool connects = argc >= 3 && argc <= 4 && strcmp(argv[1], "--connect") == 0;
    const struct boot *boot = argc == 4 && connects ? NULL : boots;
    pid_t machine = -1;
    int fd;

    for (size_t i = 0; !boot && i < array_len(boots); i++)
        if (strcmp(argv[3], boots[i].name) == 0)
            boot = &boots[i];
    if (argc < 2 || !boot) {
        fprintf(stderr, "usage: %s --connect SOCKET [BOOT] | CMD [ARG...]\n", argv[0]);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (connects) {
        socket_path = argv[2];
        fd = connect_to(socket_path);
    } else {
        machine = start_machine(argv + 1, &fd);
        if (machine < 0) {
            perror("starting the machine");
            return 1;
        }
    }
    guest = client_new(fd);
    printf("1..%zu\n", boot->n);
    for (size_t i = 0; i < boot->n; i++) {
        failed = false;
        boot->tests[i].run();
        printf("%s %zu - %s\n", failed ? "not ok" : "ok", i + 1, boot->tests[i].name);
        bad += failed;
        if (i + 1 < boot->n && !client_pump(guest, 0)) {
            printf("Bail out! The guest is gone.\n");
            bad++;
            break;
        }
        if (i == 0)
            printf("# first answer after %.2f s\n", now() - t);
    }
    client_free(guest);
    if (machine > 0) {
        if (bad)
            kill(machine, SIGKILL);
        waitpid(machine, NULL, 0);
    }
    return bad != 0;
}
