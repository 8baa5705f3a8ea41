/*
 * The control server of carrel-init without a machine: guest_core serves a socket in a child
 * process, as whoever runs the test; the parent is its host. What only PID 1 may do is recorded in
 * shared memory instead of done.
 */
#include "guest/control.h"
#include "guest/outlet.h"
#include "guest/reaper.h"
#include "tests/integration/guest_client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SHELL(text) ((const char *const[]){ "/bin/sh", "-c", text, NULL })

/* What the server did, told to the parent. */
static volatile struct record {
    unsigned setups, poweroffs, sessions;
    uint32_t grace_ms;
    uint64_t time_ns;
    char hostname[HOSTNAME_BYTES];
    char why[128];
    bool refuse_setup;
} * record;

static pid_t server;
static struct client *host;
static int sessions[2]; /* the parent sends one socket for each session over this pair */

/* ---- the server ---- */

static struct {
    struct loop loop;
    struct alarms alarms;
    struct control control;
    struct reaper reaper;
    int port;
} guest;

static int note_setup(void *arg, const struct request *r, struct err *e)
{
    (void)arg;
    if (record->refuse_setup)
        return err_set(e, EPERM, "no clock here");
    record->setups++;
    record->time_ns = r->time_ns;
    strcpy((char *)record->hostname, r->hostname ? r->hostname : "");
    return 0;
}

static void note_poweroff(void *arg, uint32_t grace_ms)
{
    (void)arg;
    record->poweroffs++;
    record->grace_ms = grace_ms;
    control_refuse(&guest.control);
}

/* The next session's socket, or the end of the server. */
static void next_session(void)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec iov = { &byte, 1 };
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    int last = guest.port;

    if (recvmsg(sessions[1], &m, MSG_CMSG_CLOEXEC) != 1)
        exit(0);
    memcpy(&guest.port, CMSG_DATA(&control.head), sizeof(int));
    record->sessions++;
    if (control_attach(&guest.control, guest.port, NULL))
        exit(3);
    if (last >= 0)
        close(last);
}

static void note_lost(void *arg, const char *why)
{
    (void)arg;
    snprintf((char *)record->why, sizeof(record->why), "%s", why);
    next_session();
}

static _Noreturn void serve(void)
{
    static const struct control_host ops = {
        .setup = note_setup,
        .poweroff = note_poweroff,
        .lost = note_lost,
    };
    struct err e = ERR_INIT;

    guest.port = -1;
    if (loop_init(&guest.loop, &e) || alarms_init(&guest.alarms, &guest.loop, &e))
        exit(2);
    control_init(&guest.control, &guest.loop, &guest.alarms, &ops);
    if (reaper_init(&guest.reaper, &guest.loop, &guest.control.jobs, &e))
        exit(2);
    next_session();
    while (loop_once(&guest.loop, -1, &e) == 0)
        control_settle(&guest.control);
    exit(4);
}

/* ---- the host ---- */

static void connect_session(void)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    char byte = 'x';
    struct iovec iov = { &byte, 1 };
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    control.head = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
    memcpy(CMSG_DATA(&control.head), &pair[1], sizeof(int));
    assert_int_equal(sendmsg(sessions[0], &m, 0), 1);
    close(pair[1]);
    host = client_new(pair[0]);
}

static int start_server(void **state)
{
    (void)state;
    memset((void *)record, 0, sizeof(*record));
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sessions))
        return -1;
    server = fork();
    if (server == 0) {
        close(sessions[0]);
        serve();
    }
    close(sessions[1]);
    connect_session();
    return server > 0 ? 0 : -1;
}

static int stop_server(void **state)
{
    int status = 0;

    (void)state;
    close(sessions[0]); /* no further session */
    client_free(host);
    if (waitpid(server, &status, 0) != server)
        return -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static unsigned open_descriptors(void)
{
    char path[64];
    unsigned n = 0;
    DIR *d;

    snprintf(path, sizeof(path), "/proc/%d/fd", server);
    d = opendir(path);
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* Processor time that the server has used. */
static long cpu_ticks(void)
{
    long user = 0, system = 0;
    char path[64];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", server);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld",
                            &user, &system),
                     2);
    fclose(f);
    return user + system;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct client_result run(const struct client_exec *x)
{
    struct client_result r;

    client_run(host, x, &r);
    return r;
}

/* Runs a script and compares its standard output and exit status. */
static void script(const char *text, const char *out, int code)
{
    struct client_result r = run(&(struct client_exec){ .argv = SHELL(text) });

    assert_true(r.started);
    assert_int_equal(r.error, 0);
    assert_int_equal(r.kind, MSG_EXITED);
    assert_int_equal(r.code, code);
    assert_string_equal((char *)r.out, out);
    client_result_fini(&r);
}

/* ---- tests ---- */

static void exit_status(void **state)
{
    struct client_result r;

    (void)state;
    script("exit 0", "", 0);
    script("exit 42", "", 42);
    script("echo out; exit 255", "out\n", 255);
    r = run(&(struct client_exec){ .argv = SHELL("kill -9 $$") });
    assert_true(r.ended);
    assert_int_equal(r.kind, MSG_SIGNALED);
    assert_int_equal(r.code, SIGKILL);
    client_result_fini(&r);
}

static void streams(void **state)
{
    static char big[3 << 20];
    struct client_result r;

    (void)state;
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)(i * 7 + i / 251);
    r = run(&(struct client_exec){ .argv = SHELL("echo to-err >&2; cat; echo end >&2"),
                                   .flags = MSG_F_STDIN,
                                   .in = big,
                                   .in_len = sizeof(big) });
    assert_int_equal(r.out_len, sizeof(big));
    assert_memory_equal(r.out, big, sizeof(big));
    assert_string_equal((char *)r.err, "to-err\nend\n");
    client_result_fini(&r);
    /* Without MSG_F_STDIN there is an end at once. */
    script("cat; echo done", "done\n", 0);
    /* Input that nobody reads is dropped. */
    r = run(&(struct client_exec){ .argv = SHELL("exec <&-; sleep 0.1; echo closed"),
                                   .flags = MSG_F_STDIN,
                                   .in = big,
                                   .in_len = sizeof(big) });
    assert_string_equal((char *)r.out, "closed\n");
    client_result_fini(&r);
}

static void environment(void **state)
{
    struct client_result r =
        run(&(struct client_exec){ .argv = (const char *const[]){ "env", NULL },
                                   .envp = (const char *const[]){ "A=b c", "SHELL=mine", NULL } });

    (void)state;
    assert_non_null(strstr((char *)r.out, "A=b c\n"));
    assert_non_null(strstr((char *)r.out, "SHELL=mine\n"));
    assert_non_null(strstr((char *)r.out, "PATH=/usr/local/sbin:"));
    assert_non_null(strstr((char *)r.out, "HOME=/"));
    assert_null(strstr((char *)r.out, "TERM="));
    client_result_fini(&r);
    script("umask; pwd; ls /proc/self/fd | wc -l", "0022\n/\n4\n", 0);
    /* Signals are as a shell expects them: nothing blocked, nothing ignored. */
    script("grep -E '^Sig(Blk|Ign)' /proc/self/status | cut -f2",
           "0000000000000000\n0000000000000000\n", 0);
}

static void not_started(void **state)
{
    static const struct {
        const char *name, *cwd, *user;
        uint32_t error;
    } cases[] = {
        { "no-such-program-anywhere", NULL, NULL, ENOENT },
        { "/no/such/program", NULL, NULL, ENOENT },
        { "/etc/passwd", NULL, NULL, EACCES },
        { "/dev/null", NULL, NULL, EACCES },
        { "/bin/true", "/no/such/dir", NULL, ENOENT },
        { "/bin/true", "/etc/passwd", NULL, ENOTDIR },
        { "/bin/true", NULL, "no-such-user", EINVAL },
        { "/no/such\n\033[2Jprogram\177", NULL, NULL, ENOENT },
        { "/bin/true", "/no\tdir", NULL, ENOENT },
        { "/bin/true", NULL, "no\nuser", EINVAL },
    };

    (void)state;
    for (size_t i = 0; i < array_len(cases); i++) {
        struct client_result r =
            run(&(struct client_exec){ .argv = (const char *const[]){ cases[i].name, NULL },
                                       .cwd = cases[i].cwd,
                                       .user = cases[i].user });

        assert_false(r.started);
        assert_int_equal(r.error, cases[i].error);
        assert_true(strlen(r.text) > 5);
        for (const char *c = r.text; *c; c++) /* the keeper refuses an answer with any other */
            assert_true((unsigned char)*c >= ' ' && *c != 0x7f);
        client_result_fini(&r);
    }
}

/* PATH is searched as execvp does: a directory without the right to it is remembered, a program
 * without a magic number is not given to a shell. */
static void path_search(void **state)
{
    char top[] = "/tmp/carrel-path-XXXXXX", path[128], other[128], env[512];
    struct client_result r;
    int fd;

    (void)state;
    assert_non_null(mkdtemp(top));
    snprintf(path, sizeof(path), "%s/prog", top);
    fd = open(path, O_WRONLY | O_CREAT, 0755);
    assert_int_equal(write(fd, "echo no shell\n", 14), 14);
    close(fd);
    snprintf(env, sizeof(env), "PATH=/no/such:/etc/passwd:%s", top);
    struct client_exec x = { .argv = (const char *const[]){ "prog", NULL },
                             .envp = (const char *const[]){ env, NULL } };

    r = run(&x);
    assert_int_equal(r.error, ENOEXEC);
    client_result_fini(&r);
    assert_int_equal(chmod(path, 0644), 0);
    r = run(&x);
    assert_int_equal(r.error, EACCES);
    client_result_fini(&r);
    /* What may not be run does not hide what may. */
    snprintf(env, sizeof(env), "PATH=%s:/bin:/usr/bin", top);
    snprintf(other, sizeof(other), "%s/true", top);
    assert_int_equal(rename(path, other), 0);
    x.argv = (const char *const[]){ "true", NULL };
    r = run(&x);
    assert_int_equal(r.error, 0);
    assert_int_equal(r.code, 0);
    client_result_fini(&r);
    unlink(other);
    rmdir(top);
}

static void other_user(void **state)
{
    struct client_result r;

    (void)state;
    if (geteuid() != 0)
        skip();
    r = run(&(struct client_exec){
        .argv = SHELL("id -u; id -g; id -G; echo again >/proc/self/fd/1; echo $HOME; "
                      "grep CapEff /proc/self/status | cut -f2"),
        .user = "4321:1234" });
    assert_string_equal((char *)r.out, "4321\n1234\n1234\nagain\n/\n0000000000000000\n");
    client_result_fini(&r);
}

static void few_files(struct msg_builder *b)
{
    const uint8_t limit[16] = { 7 /* RLIMIT_NOFILE */, [8] = 12 };

    msg_add(b, MSG_RLIMIT, limit, sizeof(limit));
    msg_add_text(b, MSG_RO, "/");
    msg_add_text(b, MSG_RW, "/tmp");
    msg_add_u64(b, MSG_CAPS, 0);
    msg_add_u32(b, MSG_UID, 4321);
}

/* A limit lower than what the server itself has open is the command's, not its preparation's. */
static void profile_beside_others(void **state)
{
    struct client_exec held = { .argv = (const char *const[]){ "cat", NULL },
                                .flags = MSG_F_STDIN };
    struct client_result r;
    struct msg_frame f;
    uint32_t ids[8];

    (void)state;
    if (geteuid() != 0)
        skip();
    for (size_t i = 0; i < array_len(ids); i++) {
        ids[i] = client_start(host, &held);
        assert_int_equal(client_recv(host, ids[i], &f, CLIENT_WAIT_MS), 1);
    }
    assert_true(open_descriptors() > 32);
    r = run(&(struct client_exec){ .argv = SHELL("ulimit -n; id -u; grep -E 'CapEff|NoNew' "
                                                 "/proc/self/status"),
                                   .user = "4321:1234",
                                   .flags = MSG_F_LOOSE,
                                   .more = few_files });
    assert_int_equal(r.error, 0);
    assert_string_equal((char *)r.out, "12\n4321\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n");
    client_result_fini(&r);
    for (size_t i = 0; i < array_len(ids); i++)
        client_reset(host, ids[i]);
}

/* The program that was decided on, not the one that argv[0] names. */
static void exe(struct msg_builder *b)
{
    msg_add_text(b, MSG_EXE, "/bin/sh");
}

static void decided_program(void **state)
{
    struct client_result r;

    (void)state;
    r = run(&(struct client_exec){
        .argv = (const char *const[]){ "/bin/false", "-c", "echo $0", NULL }, .more = exe });
    assert_string_equal((char *)r.out, "/bin/false\n");
    client_result_fini(&r);
}

static void terminal(void **state)
{
    struct client_exec x = { .argv = SHELL("stty size; test -t 0 -a -t 1 -a -t 2 && echo tty; "
                                           "echo $TERM; read a; stty size; echo got $a; cat"),
                             .flags = MSG_F_TTY | MSG_F_STDIN,
                             .rows = 33,
                             .cols = 101 };
    uint32_t id = client_start(host, &x);
    const uint8_t size[4] = { 44, 0, 77, 0 };
    struct msg_frame f;
    char out[512] = "";
    size_t len = 0;
    int got, step = 0;

    (void)state;
    while ((got = client_recv(host, id, &f, CLIENT_WAIT_MS)) > 0 && f.type != MSG_EXIT) {
        if (f.type != MSG_STDOUT)
            continue;
        assert_true(len + f.len < sizeof(out));
        memcpy(out + len, f.body, f.len);
        len += f.len;
        out[len] = '\0';
        if (step == 0 && strstr(out, "xterm\r\n")) {
            step = 1;
            client_send(host, id, MSG_RESIZE, size, sizeof(size));
            client_send(host, id, MSG_STDIN, "hello\n", 6);
        } else if (step == 1 && strstr(out, "got hello\r\n")) {
            step = 2;
            client_send(host, id, MSG_STDIN_EOF, NULL, 0); /* as if ^D were typed */
        }
    }
    assert_int_equal(got, 1);
    assert_int_equal(f.body[0], MSG_EXITED);
    assert_string_equal(out, "33 101\r\ntty\r\nxterm\r\nhello\r\n44 77\r\ngot hello\r\n");
    assert_int_equal(client_recv(host, id, &f, CLIENT_WAIT_MS), 0);
}

/* ^D comes after all that was typed, however long the reader takes. */
static void terminal_end_of_input(void **state)
{
    static char lines[240000];
    struct client_result r;

    (void)state;
    for (size_t i = 0; i < sizeof(lines); i++)
        lines[i] = i % 60 == 59 ? '\n' : 'x';
    r = run(&(struct client_exec){ .argv = SHELL("stty -echo; sleep 0.3; wc -c"),
                                   .flags = MSG_F_TTY | MSG_F_STDIN,
                                   .in = lines,
                                   .in_len = sizeof(lines) });
    assert_non_null(strstr((char *)r.out, "240000"));
    assert_int_equal(r.code, 0);
    client_result_fini(&r);
}

static void terminal_hangup(void **state)
{
    struct client_exec x = { .argv = SHELL("echo $$; trap '' HUP TERM; while :; do sleep 1; done"),
                             .flags = MSG_F_TTY | MSG_F_HANGUP };
    uint32_t id = client_start(host, &x);
    struct msg_frame f;
    pid_t pid;

    (void)state;
    do
        assert_int_equal(client_recv(host, id, &f, CLIENT_WAIT_MS), 1);
    while (f.type != MSG_STDOUT);
    pid = (pid_t)strtol((const char *)f.body, NULL, 10);
    assert_true(pid > 1);
    client_reset(host, id);
    for (int i = 0; i < 500 && kill(pid, 0) == 0; i++)
        (void)client_pump(host, 10);
    assert_int_equal(kill(pid, 0), -1); /* the KILL after the HUP */
}

static void timeout(void **state)
{
    double t = now();
    struct client_result r = run(&(struct client_exec){
        .argv = SHELL(
            "trap '' TERM; (trap '' TERM; sleep 77) & echo $!; wait; while :; do sleep 1; done"),
        .timeout_ms = 100 });
    pid_t child = (pid_t)strtol((char *)r.out, NULL, 10);

    (void)state;
    assert_int_equal(r.kind, MSG_TIMED_OUT);
    assert_int_equal(r.code, SIGKILL);
    assert_true(now() - t >= 2.0);
    assert_true(child > 1);
    /* The whole group went, not only its leader. */
    for (int i = 0; i < 300 && kill(child, 0) == 0; i++)
        (void)client_pump(host, 10);
    assert_int_equal(kill(child, 0), -1);
    client_result_fini(&r);

    r = run(&(struct client_exec){ .argv = SHELL("sleep 60"), .timeout_ms = 100 });
    assert_int_equal(r.kind, MSG_TIMED_OUT);
    assert_int_equal(r.code, SIGTERM);
    client_result_fini(&r);
    /* The leader goes at TERM; what it leaves behind does not stay. */
    r = run(&(struct client_exec){
        .argv = SHELL("(trap '' TERM; echo $$; exec sleep 77) & sleep 0.1; echo $!; wait"),
        .timeout_ms = 300 });
    assert_int_equal(r.kind, MSG_TIMED_OUT);
    assert_int_equal(r.code, SIGTERM);
    child = (pid_t)strtol(strchr((char *)r.out, '\n') + 1, NULL, 10);
    assert_true(child > 1);
    for (int i = 0; i < 300 && kill(child, 0) == 0; i++)
        (void)client_pump(host, 10);
    assert_int_equal(kill(child, 0), -1);
    client_result_fini(&r);
    /* One that ends in time is not touched. */
    r = run(&(struct client_exec){ .argv = SHELL("exit 3"), .timeout_ms = 60000 });
    assert_int_equal(r.kind, MSG_EXITED);
    assert_int_equal(r.code, 3);
    client_result_fini(&r);
}

static void signals(void **state)
{
    struct client_exec x = { .argv = SHELL("trap 'exit 9' USR1; echo ready; "
                                           "while :; do sleep 0.02; done") };
    uint32_t id = client_start(host, &x);
    const uint8_t usr1 = SIGUSR1;
    struct msg_frame f;

    (void)state;
    while (client_recv(host, id, &f, CLIENT_WAIT_MS) > 0 && f.type != MSG_EXIT)
        if (f.type == MSG_STDOUT)
            client_send(host, id, MSG_SIGNAL, &usr1, 1);
    assert_int_equal(f.body[0], MSG_EXITED);
    assert_int_equal(f.body[1], 9);
    assert_int_equal(client_recv(host, id, &f, CLIENT_WAIT_MS), 0);
}

static void held_output(void **state)
{
    double t = now();
    struct client_result r = run(&(struct client_exec){
        .argv = SHELL("(sleep 0.05; echo late; exec sleep 30) & echo $! >&2; exit 6") });

    (void)state;
    assert_int_equal(r.code, 6);
    assert_string_equal((char *)r.out, "late\n");
    assert_true(now() - t < 10);
    assert_int_equal(kill((pid_t)strtol((char *)r.err, NULL, 10), SIGKILL), 0);
    client_result_fini(&r);
}

/* As above, but a descendant that never stops writing. */
static void flooded_output(void **state)
{
    struct client_result r =
        run(&(struct client_exec){ .argv = SHELL("yes & echo $! >&2; exit 6") });

    (void)state;
    assert_int_equal(r.code, 6);
    assert_int_equal(kill((pid_t)strtol((char *)r.err, NULL, 10), SIGKILL), 0);
    client_result_fini(&r);
}

/* The last read of an outlet whose source never ends. */
static void endless_outlet(void **state)
{
    struct err e = ERR_INIT;
    struct outlet o;
    struct loop l;

    (void)state;
    assert_int_equal(loop_init(&l, &e), 0);
    outlet_init(&o, &l, open("/dev/random", O_RDONLY | O_NONBLOCK | O_CLOEXEC), MSG_STDOUT);
    outlet_resume(&o, NULL);
    assert_true(o.watched);
    outlet_drain(&o, NULL);
    assert_false(outlet_is_open(&o));
    loop_fini(&l);
}

static void r11_unread_output(void **state)
{
    struct client_exec flood = { .argv = SHELL("head -c 2000000 /dev/zero") };
    uint32_t id = client_start(host, &flood);
    struct client_result r;
    long ticks;

    (void)state;
    for (int i = 0; i < 5; i++)
        script("echo alive", "alive\n", 0);
    /* Nor does the server turn in circles over it. */
    for (double t = now(); now() - t < 0.5;)
        (void)client_pump(host, 100);
    ticks = cpu_ticks();
    for (double t = now(); now() - t < 0.5;)
        (void)client_pump(host, 100);
    assert_true(cpu_ticks() - ticks < 10);
    client_finish(host, id, &flood, &r);
    assert_int_equal(r.out_len, 2000000);
    assert_int_equal(r.code, 0);
    client_result_fini(&r);
}

/* A process of its own, as a reaper takes every child and changes the signal mask. */
static _Noreturn void reap_many(void)
{
    enum { MANY = 300 };
    struct loop loop;
    struct jobs jobs = { 0 };
    struct reaper r;
    struct err e = ERR_INIT;
    pid_t pid[MANY];
    siginfo_t info;
    int rounds = 0;

    if (loop_init(&loop, &e) || reaper_init(&r, &loop, &jobs, &e))
        _exit(10);
    for (int i = 0; i < MANY; i++) {
        pid[i] = fork();
        if (pid[i] == 0)
            _exit(0);
    }
    for (int i = 0; i < MANY; i++)
        if (waitid(P_PID, (id_t)pid[i], &info, WEXITED | WNOWAIT))
            _exit(11);
    reaper_collect(&r);
    if (r.childless)
        _exit(12); /* all at once: nothing else was served meanwhile */
    while (!r.childless && rounds++ < MANY)
        if (loop_once(&loop, 5000, &e))
            _exit(13);
    _exit(r.childless ? 0 : 14);
}

static void c08_endless_forks_are_reaped_in_turns(void **state)
{
    int status;
    pid_t pid = fork();

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0)
        reap_many();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void as_many_as_there_may_be(void **state)
{
    uint32_t ids[JOBS_MAX + 1];
    struct client_exec x = { .argv = SHELL("read a; exit $a"), .flags = MSG_F_STDIN };
    struct client_result r;

    (void)state;
    for (unsigned i = 0; i <= JOBS_MAX; i++)
        ids[i] = client_start(host, &x);
    client_finish(host, ids[JOBS_MAX], &x, &r);
    assert_int_equal(r.error, EAGAIN);
    client_result_fini(&r);
    for (unsigned i = JOBS_MAX; i-- > 0;) {
        char word[16];

        snprintf(word, sizeof(word), "%u\n", i);
        x.in = word;
        x.in_len = strlen(word);
        client_finish(host, ids[i], &x, &r);
        assert_int_equal(r.code, i);
        client_result_fini(&r);
    }
    script("echo room again", "room again\n", 0);
}

static void requests_to_pid_1(void **state)
{
    static struct msg_builder b;
    char text[256] = "";

    (void)state;
    msg_begin(&b, MSG_SETUP);
    msg_add_text(&b, MSG_HOSTNAME, "otter");
    msg_add_u64(&b, MSG_TIME, 12345);
    assert_int_equal(client_simple(host, &b, text), 0);
    assert_int_equal(record->setups, 1);
    assert_int_equal(record->time_ns, 12345);
    assert_string_equal((const char *)record->hostname, "otter");
    record->refuse_setup = true;
    msg_begin(&b, MSG_SETUP);
    assert_int_equal(client_simple(host, &b, text), EPERM);
    assert_string_equal(text, "no clock here");

    msg_begin(&b, MSG_POWEROFF);
    msg_add_u32(&b, MSG_GRACE, 77);
    assert_int_equal(client_simple(host, &b, text), 0);
    assert_int_equal(record->poweroffs, 1);
    assert_int_equal(record->grace_ms, 77);

    struct client_result r = run(&(struct client_exec){ .argv = SHELL("exit 0") });

    assert_int_equal(r.error, ESHUTDOWN);
    client_result_fini(&r);
}

/* ---- jobs, on a kernel without cgroups: what the command itself leaves is all there is ---- */

static uint32_t job_number;

static void add_job(struct msg_builder *b)
{
    msg_add_u32(b, MSG_JOB, job_number);
}

static void add_confined_job(struct msg_builder *b)
{
    msg_add_u32(b, MSG_JOB, job_number);
    msg_add_u64(b, MSG_CAPS, 0);
}

static uint32_t listen_to_jobs(void)
{
    static struct msg_builder b;
    uint32_t id = client_open(host);

    msg_begin(&b, MSG_JOBS);
    client_request(host, id, &b);
    return id;
}

static uint32_t start_job(uint32_t job, const char *text)
{
    job_number = job;
    return client_start(host, &(struct client_exec){ .argv = SHELL(text), .more = add_job });
}

static uint32_t next_gone(uint32_t jobs)
{
    struct msg_frame f;

    assert_int_equal(client_recv(host, jobs, &f, CLIENT_WAIT_MS), 1);
    assert_int_equal(f.type, MSG_GONE);
    assert_int_equal(f.len, 4);
    return f.body[0] | (uint32_t)f.body[1] << 8 | (uint32_t)f.body[2] << 16 |
           (uint32_t)f.body[3] << 24;
}

static void jobs_are_told_of(void **state)
{
    const struct client_exec none = { 0 };
    uint32_t jobs = listen_to_jobs(), id;
    const uint8_t end[4] = { 0x78, 0x56, 0x34, 0x12 };
    struct client_result r;
    struct msg_frame f;

    (void)state;
    client_finish(host, start_job(7, "exit 3"), &none, &r);
    assert_int_equal(r.code, 3);
    client_result_fini(&r);
    assert_int_equal(next_gone(jobs), 7);
    /* One that could not start, and one that goes on under its number. */
    id = start_job(0x12345678, "echo ready; exec sleep 60");
    assert_int_equal(client_recv(host, id, &f, CLIENT_WAIT_MS), 1); /* STARTED */
    client_finish(host, start_job(0x12345678, "true"), &none, &r);
    assert_int_equal(r.error, EINVAL);
    client_result_fini(&r);
    assert_int_equal(client_recv(host, jobs, &f, 50), -ETIMEDOUT);
    client_send(host, jobs, MSG_END, end, sizeof(end));
    assert_int_equal(next_gone(jobs), 0x12345678);
    client_finish(host, id, &none, &r);
    assert_int_equal(r.kind, MSG_SIGNALED);
    assert_int_equal(r.code, SIGKILL);
    client_result_fini(&r);
    client_send(host, jobs, MSG_END, end, sizeof(end));
    assert_int_equal(next_gone(jobs), 0x12345678);
    /* Nobody listens: it is forgotten, and the number is free. */
    client_reset(host, jobs);
    for (int i = 0; i < 2; i++) {
        client_finish(host, start_job(9, "exit 0"), &none, &r);
        assert_int_equal(r.error, 0);
        client_result_fini(&r);
    }
}

/* ---- a main command and its requesters ---- */

static uint32_t attach_from(uint32_t job, uint64_t offset)
{
    static struct msg_builder b;
    uint32_t id = client_open(host);

    msg_begin(&b, MSG_ATTACH);
    msg_add_u32(&b, MSG_JOB, job);
    msg_add_u64(&b, MSG_OFFSET, offset);
    client_request(host, id, &b);
    return id;
}

static uint32_t attach(uint32_t job)
{
    return attach_from(job, UINT64_MAX);
}

static uint32_t start_main(uint32_t job, const char *text, uint32_t more)
{
    job_number = job;
    return client_start(
        host,
        &(struct client_exec){ .argv = SHELL(text), .flags = MSG_F_MAIN | more, .more = add_job });
}

static void expect_frame(uint32_t id, uint8_t type, const char *body)
{
    struct msg_frame f;

    assert_int_equal(client_recv(host, id, &f, CLIENT_WAIT_MS), 1);
    assert_int_equal(f.type, type);
    if (body) {
        assert_int_equal(f.len, strlen(body));
        assert_memory_equal(f.body, body, f.len);
    }
}

static void lose_session(void)
{
    client_free(host);
    connect_session();
}

/* H03: what it says while nobody listens waits, and so does it, when its pipe is full. */
static void h03_a_main_command_outlives_its_session(void **state)
{
    const struct client_exec none = { 0 };
    struct client_result r;
    char gate[64], text[256];
    uint32_t id;
    int fd;

    (void)state;
    snprintf(gate, sizeof(gate), "/tmp/carrel-gate.%d", getpid());
    assert_int_equal(mkfifo(gate, 0600), 0);
    snprintf(text, sizeof(text),
             "echo one; read x <%s; i=0; while [ $i -lt 40000 ]; do echo $i; i=$((i+1)); done; "
             "exit 5",
             gate);
    id = start_main(3, text, 0);
    expect_frame(id, MSG_STARTED, NULL);
    expect_frame(id, MSG_STDOUT, "one\n");
    lose_session();
    script("echo others", "others\n", 0);
    fd = open(gate, O_WRONLY | O_CLOEXEC);   /* once somebody reads there */
    assert_int_equal(write(fd, "\n", 1), 1); /* 228,890 bytes: more than a pipe holds */
    script("sleep 0.2", "", 0);              /* it may well begin to print meanwhile */
    lose_session();                          /* once more, with nobody attached */
    client_finish(host, attach(4), &none, &r);
    assert_int_equal(r.error, ESRCH);
    client_result_fini(&r);
    client_finish(host, attach(3), &none, &r);
    assert_true(r.started);
    assert_int_equal(r.kind, MSG_EXITED);
    assert_int_equal(r.code, 5);
    assert_int_equal(r.out_len, 228890);
    assert_memory_equal(r.out, "0\n1\n2\n", 6);
    assert_string_equal((char *)r.out + r.out_len - 6, "39999\n");
    client_result_fini(&r);
    close(fd);
    unlink(gate);
}

/* Its end is told to whoever asks: the last one may have died with it unread. */
static void h03_the_end_is_told_again(void **state)
{
    const struct client_exec none = { 0 };
    struct client_result r;
    char text[256] = "";
    static struct msg_builder b;

    (void)state;
    for (int i = 0; i < 3; i++) {
        client_finish(host, i ? attach(3) : start_main(3, "kill -9 $$", 0), &none, &r);
        assert_true(r.started);
        assert_int_equal(r.kind, MSG_SIGNALED);
        assert_int_equal(r.code, SIGKILL);
        client_result_fini(&r);
        if (i == 1)
            lose_session();
    }
    msg_begin(&b, MSG_POWEROFF);
    assert_int_equal(client_simple(host, &b, text), 0);
}

/* Takes frames of a main command's output until there are so many bytes of it, or its end. */
static bool take_output(uint32_t id, uint64_t upto, uint8_t *out[2], uint64_t *taken)
{
    struct msg_frame f;

    while (*taken < upto) {
        assert_int_equal(client_recv(host, id, &f, CLIENT_WAIT_MS), 1);
        if (f.type == MSG_EXIT) {
            assert_int_equal(f.body[1], 5);
            return true;
        }
        if (f.type == MSG_STARTED)
            continue;
        assert_true(f.type == MSG_STDOUT || f.type == MSG_STDERR);
        memcpy(out[f.type == MSG_STDERR], f.body, f.len);
        out[f.type == MSG_STDERR] += f.len;
        *taken += f.len;
    }
    return false;
}

/* H03: what a host took from the wire and did not keep is said again, as far as a window reaches:
 * of one that says both kinds of output without a pause nothing is lost, wherever it is cut. */
static void h03_what_was_not_taken_is_said_again(void **state)
{
    static uint8_t out[4 << 20], err[4 << 20];
    static char wanted[4 << 20];
    uint8_t *to[2] = { out, err };
    uint64_t taken = 0;
    size_t n = 0;
    uint32_t id = start_main(3, "(seq 200000 499999 >&2) & seq 200000 499999; wait; exit 5", 0);

    (void)state;
    srand(11);
    while (!take_output(id, taken + (uint64_t)(rand() % 300000), to, &taken)) {
        (void)client_pump(host, 1 + rand() % 3); /* comes, and is not taken */
        lose_session();
        id = attach_from(3, taken);
    }
    for (int i = 200000; i < 500000; i++)
        n += (size_t)sprintf(wanted + n, "%d\n", i);
    assert_int_equal(to[0] - out, n);
    assert_int_equal(to[1] - err, n);
    assert_memory_equal(out, wanted, n);
    assert_memory_equal(err, wanted, n);
    /* Its end was told; all the same, from a place that is long gone, and from one not yet said. */
    lose_session();
    id = attach_from(3, 0);
    assert_true(take_output(id, UINT64_MAX, (uint8_t *[]){ out, err }, &(uint64_t){ 0 }));
    lose_session();
    id = attach_from(3, taken + 1000);
    taken = 0;
    assert_true(take_output(id, UINT64_MAX, (uint8_t *[]){ out, err }, &taken));
    assert_int_equal(taken, 0);
}

/* One that hangs up does not wait, nor does one that is attached to have two requesters. */
static void h03_who_is_not_waited_for(void **state)
{
    const struct client_exec none = { 0 };
    struct client_result r;
    uint32_t id;

    (void)state;
    id = start_main(5, "trap 'exit 1' HUP; echo up; while :; do sleep 0.01; done", MSG_F_HANGUP);
    expect_frame(id, MSG_STARTED, NULL);
    expect_frame(id, MSG_STDOUT, "up\n");
    lose_session();
    client_finish(host, attach(5), &none, &r);
    assert_int_equal(r.error, ESRCH);
    client_result_fini(&r);
    id = start_main(6, "exec sleep 60", 0);
    expect_frame(id, MSG_STARTED, NULL);
    client_finish(host, attach(6), &none, &r);
    assert_int_equal(r.error, ESRCH);
    client_result_fini(&r);
    client_send(host, id, MSG_SIGNAL, (const uint8_t[]){ SIGKILL }, 1);
    client_finish(host, id, &none, &r);
    assert_int_equal(r.code, SIGKILL);
    client_result_fini(&r);
}

/* Another host on the same descriptor, of whom nobody tells. */
static void replace_host(const uint8_t mark[MARK_BYTES])
{
    struct client *next = client_new(client_leave(host));

    client_greet(next, mark);
    host = next;
}

/* H03: hosts that follow one another on a port that never closes: whatever one had begun, in either
 * direction, the next one's session has nothing of it. */
static void h03_hosts_that_nobody_announces(void **state)
{
    const struct client_exec none = { 0 };
    uint8_t mark[MARK_BYTES], block[5000];
    struct client_result r;
    char text[256] = "";
    static struct msg_builder b;
    uint32_t id, main;

    (void)state;
    assert_true(mark_make(mark));
    memset(block, mark[0], sizeof(block));
    msg_begin(&b, MSG_SETUP);
    msg_add(&b, MSG_MARK, mark, sizeof(mark));
    assert_int_equal(client_simple(host, &b, text), 0);
    main = start_main(3, "trap '' HUP; while :; do echo 0123456789; done", 0);
    expect_frame(main, MSG_STARTED, NULL);
    for (int i = 0; i < 50; i++) {
        id = client_start(
            host, &(struct client_exec){ .argv = SHELL("cat; exit 9"), .flags = MSG_F_STDIN });
        expect_frame(id, MSG_STARTED, NULL);
        client_send(host, id, MSG_STDIN, block, sizeof(block));
        client_send_raw(host, id, mark, (size_t)i % MARK_BYTES); /* as if it began to greet */
        client_cut(host, id, (unsigned)i);
        replace_host(mark);
        script("echo alive", "alive\n", 0);
        main = attach(3);
        expect_frame(main, MSG_STARTED, NULL);
    }
    client_send(host, main, MSG_SIGNAL, (const uint8_t[]){ SIGKILL }, 1);
    client_finish(host, main, &none, &r);
    assert_int_equal(r.code, SIGKILL);
    client_result_fini(&r);
    assert_int_equal(record->sessions, 1);
    /* Closed and opened again, as a port is, it still begins with the mark. */
    client_free(host);
    connect_session();
    client_greet(host, mark);
    script("echo alive", "alive\n", 0);
}

/* Without the mark nobody is heard, and what is like it is not it. */
static void h03_who_does_not_know_the_mark(void **state)
{
    uint8_t mark[MARK_BYTES], near[2 * MARK_BYTES];
    char text[256] = "";
    static struct msg_builder b;
    struct pollfd p = { .events = POLLIN };

    (void)state;
    assert_true(mark_make(mark));
    msg_begin(&b, MSG_SETUP);
    msg_add(&b, MSG_MARK, mark, sizeof(mark));
    assert_int_equal(client_simple(host, &b, text), 0);
    client_free(host);
    connect_session();
    memcpy(near, mark, MARK_BYTES);
    memcpy(near + MARK_BYTES, mark, MARK_BYTES);
    near[MARK_BYTES - 1] ^= 0x80;
    near[2 * MARK_BYTES - 1] ^= 0x80;
    p.fd = client_leave(host);
    assert_int_equal(write(p.fd, near, sizeof(near)), sizeof(near));
    assert_int_equal(poll(&p, 1, 200), 0);
    host = client_new(p.fd);
    client_greet(host, mark);
    script("echo alive", "alive\n", 0);
    assert_int_equal(record->sessions, 2);
}

/* H15: what it leaves behind could not be ended. */
static void h15_a_confined_job_needs_a_cgroup(void **state)
{
    struct client_exec x = { .argv = SHELL("exit 4"), .more = add_confined_job };
    uint32_t jobs = listen_to_jobs();
    struct client_result r;

    (void)state;
    job_number = 1;
    r = run(&x);
    assert_false(r.started);
    assert_int_equal(r.error, EOPNOTSUPP);
    assert_non_null(strstr(r.text, "cgroup v2"));
    client_result_fini(&r);
    x.flags = MSG_F_LOOSE;
    r = run(&x);
    if (geteuid() == 0) {
        assert_int_equal(r.error, 0);
        assert_int_equal(r.code, 4);
    }
    client_result_fini(&r);
    assert_int_equal(next_gone(jobs), 1);
}

static void r04_jobs_out_of_place(void **state)
{
    static const struct {
        uint8_t type, len, body[8];
    } bad[] = {
        { MSG_END, 3, { 1 } },  { MSG_END, 5, { 1 } },   { MSG_END, 4, { 0 } },
        { MSG_GONE, 4, { 1 } }, { MSG_STDIN, 1, { 0 } }, { MSG_SIGNAL, 1, { 9 } },
    };
    static struct msg_builder b;
    struct msg_frame f;
    char text[256] = "";
    uint32_t jobs = listen_to_jobs();

    (void)state;
    msg_begin(&b, MSG_JOBS);
    assert_int_equal(client_simple(host, &b, text), EBUSY);
    client_reset(host, jobs);
    for (size_t i = 0; i < array_len(bad); i++) {
        jobs = listen_to_jobs();
        client_send(host, jobs, (enum msg_type)bad[i].type, bad[i].body, bad[i].len);
        assert_int_equal(client_recv(host, jobs, &f, CLIENT_WAIT_MS), 0);
    }
    script("echo alive", "alive\n", 0);
}

/* R11: as many as there may be, until the host has heard of some. */
static void r11_a_host_that_does_not_listen(void **state)
{
    struct group *g[GROUPS_MAX], *more;
    struct groups gs;

    (void)state;
    groups_init(&gs, NULL);
    for (uint32_t i = 0; i < GROUPS_MAX; i++)
        assert_int_equal(group_new(&gs, i + 1, &g[i], NULL), 0);
    assert_int_equal(group_new(&gs, 0, &more, NULL), -EAGAIN);
    assert_null(groups_empty(&gs));
    group_release(g[7]);
    assert_int_equal(group_new(&gs, 0, &more, NULL), -EAGAIN);
    assert_ptr_equal(groups_empty(&gs), g[7]);
    group_free(g[7]);
    assert_null(groups_empty(&gs));
    assert_int_equal(group_new(&gs, 0, &more, NULL), 0);
    group_release(more); /* of which nobody needs to hear */
    assert_int_equal(gs.count, GROUPS_MAX - 1);
    groups_fini(&gs);
}

/* R04, R06: a stream with a frame out of place is lost, the session is not. */
static void r04_frames_out_of_place(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        { "\2\0\0\0\377\377\377\377", 8 }, /* longer than any frame */
        { "\0\0\0\0\0\0\0\0", 8 },         /* no type */
        { "\2\1\0\0\0\0\0\0", 8 },         /* reserved byte */
        { "\2\0\0\1\0\0\0\0", 8 },
    };
    static struct msg_builder b;
    const struct client_exec x = { .argv = SHELL("sleep 60"), .flags = MSG_F_HANGUP };
    static const uint8_t after[] = { MSG_EXEC, MSG_DATA, MSG_EOF, MSG_DONE, MSG_STDOUT, 200 };
    struct msg_frame f;
    uint32_t id;
    char text[256];

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++) {
        id = client_open(host);
        client_send_raw(host, id, bad[i].bytes, bad[i].len);
        assert_int_equal(client_recv(host, id, &f, CLIENT_WAIT_MS), 0);
    }
    /* During a command. */
    for (size_t i = 0; i < array_len(after); i++) {
        id = client_start(host, &x);
        assert_int_equal(client_recv(host, id, &f, CLIENT_WAIT_MS), 1);
        assert_int_equal(f.type, MSG_STARTED);
        client_send(host, id, (enum msg_type)after[i], "x", 1);
        assert_int_equal(client_recv(host, id, &f, CLIENT_WAIT_MS), 0);
    }
    id = client_start(host, &x);
    client_send(host, id, MSG_SIGNAL, "\101", 1); /* 65: no such signal */
    while (client_recv(host, id, &f, CLIENT_WAIT_MS) > 0)
        assert_int_equal(f.type, MSG_STARTED);
    /* An answer is no request. */
    msg_begin(&b, MSG_EXIT);
    assert_int_equal(client_simple(host, &b, text), ENOSYS);
    /* Half a request, then the end. */
    id = client_open(host);
    client_send_raw(host, id, "\2\0\0\0\20\0\0\0half", 12);
    client_close(host, id);
    assert_int_equal(client_recv(host, id, &f, CLIENT_WAIT_MS), 0);
    script("echo alive", "alive\n", 0);
}

/* A broken yamux frame ends the session, its commands and nothing else (R10 is yamux's own). */
static void broken_session(void **state)
{
    const struct client_exec x = { .argv = SHELL("exec sleep 60"), .flags = MSG_F_HANGUP };
    uint32_t id = client_start(host, &x);
    struct msg_frame f;
    uint32_t pid;

    (void)state;
    assert_int_equal(client_recv(host, id, &f, CLIENT_WAIT_MS), 1);
    pid = f.body[0] | (uint32_t)f.body[1] << 8 | (uint32_t)f.body[2] << 16;
    client_free(host);
    connect_session();
    for (int i = 0; i < 500 && kill((pid_t)pid, 0) == 0; i++)
        (void)client_pump(host, 10);
    assert_int_equal(kill((pid_t)pid, 0), -1);
    assert_string_equal((const char *)record->why, "");
}

/* R12: sessions that end in mid-frame leave nothing behind. */
static void r12_sessions(void **state)
{
    struct client_exec x = { .argv = SHELL("read a"), .flags = MSG_F_STDIN };
    unsigned before = 0;

    (void)state;
    for (int i = 0; i < 300; i++) {
        uint32_t id = client_start(host, &x);
        struct msg_frame f;

        assert_int_equal(client_recv(host, id, &f, CLIENT_WAIT_MS), 1);
        id = client_open(host);
        client_send_raw(host, id, "\2\0\0\0\20\0\0\0half", 12);
        (void)client_pump(host, 0);
        client_free(host);
        connect_session();
        if (i == 10) {
            script("echo alive", "alive\n", 0);
            before = open_descriptors();
        }
    }
    script("echo alive", "alive\n", 0);
    assert_int_equal(record->sessions, 301);
    /* The last commands may still be on their way out. */
    for (int i = 0; i < 200 && open_descriptors() > before; i++)
        (void)client_pump(host, 10);
    assert_true(open_descriptors() <= before);
}

static void streams_left_open(void **state)
{
    struct client_exec x = { .argv = SHELL("exit 0") };
    struct msg_frame f;

    (void)state;
    /* Finished calls whose host side stays open must not use up the streams. */
    for (unsigned i = 0; i < 100; i++) {
        uint32_t id = client_start(host, &x);

        do
            assert_int_equal(client_recv(host, id, &f, CLIENT_WAIT_MS), 1);
        while (f.type != MSG_EXIT);
    }
}

static void transfers(void **state)
{
    char top[] = "/tmp/carrel-put-XXXXXX", path[256], text[256] = "";
    static struct msg_builder b;
    struct client_result r;
    struct msg_frame f;
    uint8_t *tar;
    size_t len;
    uint32_t id;

    (void)state;
    assert_non_null(mkdtemp(top));
    snprintf(path, sizeof(path),
             "mkdir %s/a %s/b; cd %s/a; head -c 1000000 /dev/urandom >f; "
             "ln -s f l; mkdir d",
             top, top, top);
    script(path, "", 0);
    snprintf(path, sizeof(path), "%s/a", top);
    assert_int_equal(client_get(host, path, &tar, &len, text), 0);
    snprintf(path, sizeof(path), "%s/b", top);
    assert_int_equal(client_put(host, path, NULL, tar, len, text), 0);
    snprintf(path, sizeof(path), "diff -r %s/a %s/b/a && echo same", top, top);
    script(path, "same\n", 0);

    /* An archive cut short, by its length and by a stream that just ends. */
    snprintf(path, sizeof(path), "%s/b", top);
    assert_int_equal(client_put(host, path, NULL, tar, len / 2, text), EINVAL);
    free(tar);
    id = client_open(host);
    msg_begin(&b, MSG_PUT);
    msg_add_text(&b, MSG_PATH, path);
    client_request(host, id, &b);
    client_close(host, id);
    assert_int_equal(client_recv(host, id, &f, CLIENT_WAIT_MS), 0);
    assert_int_equal(client_put(host, "/no/such/dir", NULL, "", 0, text), ENOENT);
    assert_non_null(strstr(text, "/no/such/dir"));
    assert_int_equal(client_get(host, "/no/such/dir", &tar, &len, text), ENOENT);
    free(tar);
    snprintf(path, sizeof(path), "rm -r %s", top);
    r = run(&(struct client_exec){ .argv = SHELL(path) });
    client_result_fini(&r);
}

/* A transfer ends when its requester goes. */
static void abandoned_transfer(void **state)
{
    static struct msg_builder b;
    unsigned before;
    uint32_t id;

    (void)state;
    script("echo ready", "ready\n", 0);
    before = open_descriptors();
    id = client_open(host);
    msg_begin(&b, MSG_GET);
    msg_add_text(&b, MSG_PATH, "/usr");
    client_request(host, id, &b);
    for (int i = 0; i < 20; i++)
        (void)client_pump(host, 10);
    client_reset(host, id);
    for (int i = 0; i < 500 && open_descriptors() > before; i++)
        (void)client_pump(host, 10);
    assert_int_equal(open_descriptors(), before);
    script("echo alive", "alive\n", 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start_server, stop_server)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(exit_status),
        TEST(streams),
        TEST(environment),
        TEST(not_started),
        TEST(path_search),
        TEST(other_user),
        TEST(profile_beside_others),
        TEST(decided_program),
        TEST(terminal),
        TEST(terminal_end_of_input),
        TEST(terminal_hangup),
        TEST(timeout),
        TEST(signals),
        TEST(held_output),
        TEST(flooded_output),
        cmocka_unit_test(endless_outlet),
        TEST(r11_unread_output),
        TEST(c08_endless_forks_are_reaped_in_turns),
        TEST(as_many_as_there_may_be),
        TEST(requests_to_pid_1),
        TEST(jobs_are_told_of),
        TEST(h03_a_main_command_outlives_its_session),
        TEST(h03_the_end_is_told_again),
        TEST(h03_what_was_not_taken_is_said_again),
        TEST(h03_who_is_not_waited_for),
        TEST(h03_hosts_that_nobody_announces),
        TEST(h03_who_does_not_know_the_mark),
        TEST(h15_a_confined_job_needs_a_cgroup),
        TEST(r04_jobs_out_of_place),
        cmocka_unit_test(r11_a_host_that_does_not_listen),
        TEST(r04_frames_out_of_place),
        TEST(broken_session),
        TEST(r12_sessions),
        TEST(streams_left_open),
        TEST(transfers),
        TEST(abandoned_transfer),
    };

    signal(SIGPIPE, SIG_IGN);
    record = mmap(NULL, sizeof(*record), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (record == MAP_FAILED)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
