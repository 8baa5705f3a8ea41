/* test_engine_parts.c - the engines without machines: words, lines, records, sentences. */
#include "base/fd.h"
#include "base/launch.h"
#include "sandbox/engine/cmdline.h"
#include "sandbox/engine/connect.h"
#include "sandbox/engine/engine.h"
#include "sandbox/engine/monitor.h"
#include "sandbox/engine/probe.h"
#include "sandbox/engine/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

static struct err e;

/* Each way that /dev/kvm can fail has its own sentence and its own remedy. */
static void every_failure_of_kvm_is_explained(void **s)
{
    static const struct kvm_facts cases[] = {
        { .error = ENOENT, .cpu_can = true },
        { .error = ENOENT, .in_vm = true },
        { .error = ENOENT },
        { .error = EACCES, .group = "kvm", .group_may = true },
        { .error = EACCES, .group = "kvm", .group_may = true, .in_group_file = true },
        { .error = EACCES, .group = "kvm", .group_may = true, .in_group_now = true },
        { .error = EACCES, .group = "" },
        { .error = ENODEV },
        { .error = EBUSY, .opened = true },
        { .error = EMFILE },
    };
    static const char *const remedies[] = {
        "modprobe",   "nested virtualization",
        "firmware",   "usermod -aG kvm",
        "newgrp kvm", "container",
        "udev",       "modprobe",
        "dmesg",      "dmesg",
    };
    char hint[array_len(cases)][240], text[array_len(cases)][240];

    (void)s;
    for (size_t i = 0; i < array_len(cases); i++) {
        e = ERR_INIT;
        assert_true(kvm_explain(&cases[i], hint[i], &e) < 0);
        assert_non_null(strstr(e.msg, "/dev/kvm"));
        assert_non_null(strstr(hint[i], remedies[i]));
        assert_null(strstr(hint[i], "666")); /* the wrong advice that is given everywhere */
        snprintf(text[i], sizeof(text[i]), "%s", e.msg);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(text[i], text[j]);
    }
}

static void the_command_line(void **s)
{
    struct engine_spec spec = { .console_fd = -1, .disk_fd = -1 };
    char line[VMM_CMDLINE_MAX], big[VMM_CMDLINE_MAX];

    (void)s;
    assert_int_equal(cmdline_make(&spec, line, &e), 0);
    assert_non_null(strstr(line, " carrel.overlay=tmpfs"));
    assert_non_null(strstr(line, " 8250.nr_uarts=0"));
    assert_null(strstr(line, "console="));
    spec.console_fd = spec.disk_fd = 3;
    spec.cmdline_extra = "carrel.trace";
    assert_int_equal(cmdline_make(&spec, line, &e), 0);
    assert_non_null(strstr(line, "console=ttyS0 carrel.overlay=vdb carrel.trace"));
    assert_null(strstr(line, "carrel.live"));
    spec.live[0] = (struct engine_live){ .id = "src", .target = "/work" };
    spec.live[1] = (struct engine_live){ .id = "doc", .target = "/a b", .readonly = true };
    spec.nlive = 2;
    assert_int_equal(cmdline_make(&spec, line, &e), 0);
    assert_non_null(strstr(line, " carrel.live=src,rw,/work carrel.live=doc,ro,/a%20b"));
    assert_null(strstr(line, "verity"));
    spec.nlive = 0;
    spec.verity_blocks = 20000;
    spec.verity_root = "00ff";
    assert_int_equal(cmdline_make(&spec, line, &e), 0);
    assert_non_null(strstr(line, " carrel.verity=20000,00ff"));
    spec.cmdline_extra = "a\nb";
    assert_int_equal(cmdline_make(&spec, line, &e), -EINVAL); /* l05 */
    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    spec.cmdline_extra = big;
    assert_int_equal(cmdline_make(&spec, line, &e), -E2BIG);
}

/* Every way to cut the monitor's words into pieces gives the same reason. */
static void the_monitor_says_why(void **s)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        { "{\"QMP\": {}}\r\n{\"return\": {}}\r\n{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": "
          "true, "
          "\"reason\": \"guest-shutdown\"}}\r\n",
          "poweroff" },
        { "{\"event\":\"SHUTDOWN\",\"data\":{\"reason\":\"guest-reset\"}}\n", "reboot" },
        { "{\"event\":\"SHUTDOWN\",\"data\":{\"reason\":\"host-signal\"}}\n", "stopped" },
        { "{\"event\":\"GUEST_PANICKED\",\"data\":{\"action\":\"poweroff\"}}\n"
          "{\"event\":\"SHUTDOWN\",\"data\":{\"reason\":\"guest-reset\"}}\n",
          "panic" },
        { "{\"event\":\"SHUTDOWN\",\"data\":{\"reason\":\"novel\"}}\n", "" },
        { "not json\n\n[]\n{\"event\":7}\n{\"event\":\"SHUTDOWN\"}\n", "" },
        { "{\"event\":\"SHUTDOWN\",\"data\":{\"reason\":\"guest-reset\"}}", "" }, /* no line yet */
    };

    (void)s;
    for (size_t i = 0; i < array_len(cases); i++) {
        for (size_t step = 1; step <= strlen(cases[i].text); step++) {
            struct engine_words w = { 0 };

            for (size_t at = 0; at < strlen(cases[i].text); at += step) {
                size_t left = strlen(cases[i].text) - at;

                monitor_feed(&w, cases[i].text + at, left < step ? left : step);
            }
            assert_string_equal(w.reason, cases[i].reason);
        }
    }
}

static void a_monitor_line_without_end(void **s)
{
    static const char last[] = "\n{\"event\":\"SHUTDOWN\",\"data\":{\"reason\":\"guest-reset\"}}\n";
    struct engine_words w = { 0 };

    (void)s;
    for (int i = 0; i < 100000; i++)
        monitor_feed(&w, "{\"event\":", 9);
    assert_true(w.have <= sizeof(w.bytes));
    monitor_feed(&w, last, sizeof(last) - 1);
    assert_string_equal(w.reason, "reboot");
}

/* Ends a child in the given way, for a wait status that is real. */
static int status_of(int code, int signo)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (signo)
            raise(signo);
        _exit(code);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void reports_of_the_vmm(void **s)
{
    static const struct {
        uint32_t reason;
        const char *word;
    } cases[] = {
        { VMM_POWEROFF, "poweroff" },
        { VMM_REBOOT, "reboot" },
        { VMM_TRIPLE_FAULT, "triple-fault" },
        { VMM_PANIC, "panic" },
        { VMM_TERMINATED, "stopped" },
        { VMM_KVM_ERROR, "vmm-crash" },
        { VMM_REFUSED, "refused" },
        { VMM_HOST_ERROR, "vmm-crash" },
        { 99, "vmm-crash" },
    };
    struct engine_end end;

    (void)s;
    for (size_t i = 0; i < array_len(cases); i++) {
        struct vmm_report r = {
            VMM_LAUNCH_MAGIC, VMM_LAUNCH_VERSION, cases[i].reason, 0, 0, 0, ""
        };
        struct engine_run run;
        int p[2];

        engine_run_init(&run);
        assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
        run.report_fd = p[0];
        memset(r.text, 'x', sizeof(r.text)); /* not terminated */
        assert_int_equal(write(p[1], &r, 10), 10);
        assert_true(engine_kvm.report(&run)); /* half of it */
        assert_int_equal(write(p[1], (char *)&r + 10, sizeof(r) - 10), sizeof(r) - 10);
        close(p[1]);
        engine_kvm.end(&run, status_of(0, 0), &end);
        assert_string_equal(end.reason, cases[i].word);
        assert_int_equal(strlen(end.text), sizeof(r.text) - 1);
        engine_run_fini(&run);
    }
}

/* h16: which call it was, by name. */
static void h16_a_forbidden_call_is_named(void **s)
{
    struct vmm_report r = { VMM_LAUNCH_MAGIC, VMM_LAUNCH_VERSION, VMM_FORBIDDEN, 0, 0, 41, "it" };
    struct engine_run run;
    struct engine_end end;
    int p[2];

    (void)s;
    for (int i = 0; i < 2; i++) {
        engine_run_init(&run);
        assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
        run.report_fd = p[0];
        r.detail = i ? UINT64_MAX : 41;
        assert_int_equal(write(p[1], &r, sizeof(r)), sizeof(r));
        close(p[1]);
        engine_kvm.end(&run, status_of(1, 0), &end);
        assert_string_equal(end.reason, "forbidden");
        assert_string_equal(end.text, i ? "it" : "it: socket");
        engine_run_fini(&run);
    }
}

/* h02: no report is an answer as well. */
static void h02_a_vmm_that_says_nothing(void **s)
{
    struct engine_run run;
    struct engine_end end;
    int p[2];

    (void)s;
    engine_run_init(&run);
    assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
    run.report_fd = p[0];
    close(p[1]);
    engine_kvm.end(&run, status_of(0, SIGKILL), &end);
    assert_string_equal(end.reason, "vmm-crash");
    assert_non_null(strstr(end.text, "signal 9"));
    engine_kvm.end(&run, status_of(3, 0), &end);
    assert_non_null(strstr(end.text, "status 3"));
    engine_run_fini(&run);

    struct vmm_report wrong = { .magic = 1, .version = VMM_LAUNCH_VERSION, .reason = VMM_POWEROFF };

    engine_run_init(&run);
    memcpy(run.words.bytes, &wrong, sizeof(wrong));
    run.words.have = sizeof(wrong);
    engine_kvm.end(&run, status_of(0, 0), &end);
    assert_string_equal(end.reason, "vmm-crash");
}

static void ends_of_qemu(void **s)
{
    struct engine_run run;
    struct engine_end end;

    (void)s;
    engine_run_init(&run);
    engine_qemu.end(&run, status_of(1, 0), &end);
    assert_string_equal(end.reason, "refused");
    engine_qemu.end(&run, status_of(0, 0), &end);
    assert_string_equal(end.reason, "vmm-crash");
    snprintf(run.words.reason, sizeof(run.words.reason), "poweroff");
    engine_qemu.end(&run, status_of(0, 0), &end);
    assert_string_equal(end.reason, "poweroff");
    engine_qemu.end(&run, status_of(0, SIGKILL), &end);
    assert_string_equal(end.reason, "vmm-crash");
}

static void only_known_engines_have_names(void **s)
{
    char why[240], hint[240];

    (void)s;
    assert_null(engine_choose("xen", why, hint, &e));
    assert_int_equal(e.code, EINVAL);
    assert_non_null(strstr(hint, "qemu"));
}

static void spawn_shell(struct spawn *sp, char shell[PATH_MAX], char *const *argv)
{
    spawn_init(sp);
    assert_non_null(realpath("/bin/sh", shell)); /* links are refused */
    sp->path = shell;
    sp->argv = argv;
}

/* h01: programs that somebody else could have put there. */
static void h01_programs_of_strangers_are_refused(void **s)
{
    char dir[] = "/tmp/carrel-program.XXXXXX", path[64], other[64], name[] = "x";
    char *argv[] = { name, NULL };
    struct engine_run run;
    struct spawn sp;

    (void)s;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/program", dir);
    snprintf(other, sizeof(other), "%s/other", dir);
    spawn_init(&sp);
    sp.path = path;
    sp.argv = argv;
    engine_run_init(&run);
    assert_int_equal(spawn_gated(&sp, &run, &e), -ENOENT);
    assert_int_equal(mkfifo(path, 0755), 0);
    assert_int_equal(spawn_gated(&sp, &run, &e), -EACCES);
    unlink(path);
    close(open(other, O_CREAT | O_WRONLY, 0755));
    assert_int_equal(symlink(other, path), 0);
    assert_int_equal(spawn_gated(&sp, &run, &e), -ELOOP);
    unlink(path);
    assert_int_equal(rename(other, path), 0);
    assert_int_equal(chmod(path, 0775), 0);
    assert_int_equal(spawn_gated(&sp, &run, &e), -EACCES);
    assert_int_equal(chmod(path, 0757), 0);
    assert_int_equal(spawn_gated(&sp, &run, &e), -EACCES);
    assert_int_equal(chmod(path, 0755), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 12345, 0), 0);
        assert_int_equal(spawn_gated(&sp, &run, &e), -EACCES);
    }
    assert_int_equal(run.pid, 0);
    unlink(path);
    rmdir(dir);
}

/* h02: no engine runs that nobody has written down: when its starter dies first, it ends. */
static void h02_a_gate_that_never_opens(void **s)
{
    char sh[] = "sh", c[] = "-c", cmd[] = "echo ran >&2";
    char *argv[] = { sh, c, cmd, NULL };
    char shell[PATH_MAX];
    struct spawn sp;
    struct engine_run run;
    char text[16] = "";
    int p[2], status;

    (void)s;
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    spawn_shell(&sp, shell, argv);
    sp.log_fd = p[1];
    engine_run_init(&run);
    assert_int_equal(spawn_gated(&sp, &run, &e), 0);
    fd_closep(&run.gate_fd); /* as when the keeper dies */
    assert_int_equal(waitpid(run.pid, &status, 0), run.pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    engine_run_fini(&run);

    engine_run_init(&run);
    assert_int_equal(spawn_gated(&sp, &run, &e), 0);
    assert_int_equal(waitpid(run.pid, &status, WNOHANG), 0);
    assert_int_equal(engine_release(&run, &e), 0);
    assert_int_equal(waitpid(run.pid, &status, 0), run.pid);
    engine_run_fini(&run);
    close(p[1]);
    assert_int_equal(read(p[0], text, sizeof(text) - 1), 4); /* once: the first never ran */
    assert_string_equal(text, "ran\n");
    assert_int_equal(read(p[0], text, 1), 0);
    close(p[0]);
}

/* h03: an engine that runs ends with whoever started it, however that ends. */
static void h03_nobody_outlives_its_keeper(void **s)
{
    char sh[] = "sh", c[] = "-c", cmd[] = "echo ran >&2; exec sleep 1000";
    char *argv[] = { sh, c, cmd, NULL };
    char shell[PATH_MAX], text[8];
    int p[2], status;
    struct pollfd end;
    pid_t keeper;

    (void)s;
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    keeper = fork();
    assert_true(keeper >= 0);
    if (keeper == 0) {
        struct engine_run run;
        struct spawn sp;

        spawn_shell(&sp, shell, argv);
        sp.log_fd = p[1];
        engine_run_init(&run);
        if (spawn_gated(&sp, &run, &e) || engine_release(&run, &e))
            _exit(1);
        pause();
    }
    close(p[1]);
    assert_int_equal(read(p[0], text, sizeof(text)), 4); /* it runs */
    assert_int_equal(kill(keeper, SIGKILL), 0);
    assert_int_equal(waitpid(keeper, &status, 0), keeper);
    end = (struct pollfd){ .fd = p[0], .events = POLLIN };
    assert_int_equal(poll(&end, 1, 10000), 1); /* nobody has the pipe's other end any more */
    assert_int_equal(read(p[0], text, sizeof(text)), 0);
    close(p[0]);
}

/* Exactly the descriptors that were named are inherited, under their own numbers. */
static void descriptors_are_inherited_by_name(void **s)
{
    char sh[] = "sh", c[] = "-c", cmd[96];
    char *argv[] = { sh, c, cmd, NULL };
    char shell[PATH_MAX];
    struct spawn sp;
    int given = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int secret = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct engine_run run;
    int status;

    (void)s;
    spawn_shell(&sp, shell, argv);
    sp.log_fd = 2;
    snprintf(cmd, sizeof(cmd), "test -e /proc/self/fd/%d && ! test -e /proc/self/fd/%d", given,
             secret);
    assert_int_equal(spawn_keep(&sp, given, JAIL_CHR), given);
    assert_int_equal(spawn_keep(&sp, -1, JAIL_CHR), -1);
    assert_int_equal(sp.nkeep, 1);
    engine_run_init(&run);
    assert_int_equal(spawn_gated(&sp, &run, &e), 0);
    assert_int_equal(engine_release(&run, &e), 0);
    assert_int_equal(waitpid(run.pid, &status, 0), run.pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    engine_run_fini(&run);
    close(given);
    close(secret);
}

/* The probe answers within its limit, whatever /dev/kvm is here, and twice the same. */
static void the_probe_is_quick(void **s)
{
    enum kvm_speed speed = KVM_SLOW, again = KVM_SLOW;
    char hint[240], dir[] = "/tmp/carrel-probe.XXXXXX", cmd[64];
    double mips = -1, more = -1;
    struct timespec a, b;

    (void)s;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(setenv("CARREL_DATA", dir, 1), 0);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);

    int err = kvm_probe(&speed, &mips, hint, &e);

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    assert_true((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 200);
    if (err) {
        assert_true(hint[0] != '\0');
    } else {
        assert_int_equal(kvm_probe(&again, &more, hint, &e), 0);
        assert_int_equal(speed, again);
        assert_int_equal(speed == KVM_NATIVE, mips >= 50);
        assert_true(speed == KVM_NATIVE || hint[0] != '\0');
    }
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    assert_int_equal(system(cmd), 0); /* NOLINT(cert-env33-c): a directory of our own */
}

/* h03: connections that wait where an engine accepts, in their order, and nobody else's. */
static void connections_that_are_accepted(void **state)
{
    char dir[] = "/tmp/carrel-connect.XXXXXX";
    int ours[3] = { -1, -1, -1 }, theirs[3] = { -1, -1, -1 }, at, got;

    (void)state;
    assert_non_null(mkdtemp(dir));
    at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(close(openat(at, "port.sock", O_CREAT | O_CLOEXEC, 0600)),
                     0); /* left behind */
    assert_int_equal(connect_listener(at, ours, theirs, 3, &e), 0);
    assert_int_equal(rmdir(dir), 0); /* nobody finds the way there */
    assert_true(theirs[1] == -1 && theirs[2] == -1);
    for (char i = 0; i < 3; i++) {
        char byte = 0;

        assert_int_equal(write(ours[(int)i], &i, 1), 1);
        got = accept4(theirs[0], NULL, NULL, SOCK_CLOEXEC);
        assert_int_equal(read(got, &byte, 1), 1);
        assert_int_equal(byte, i);
        close(got);
        close(ours[(int)i]);
    }
    close(theirs[0]);
    ours[0] = -1; /* the directory is gone */
    theirs[0] = -1;
    assert_true(connect_listener(at, ours, theirs, 1, &e) < 0);
    close(theirs[0]);
    close(at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_failure_of_kvm_is_explained),
        cmocka_unit_test(the_command_line),
        cmocka_unit_test(the_monitor_says_why),
        cmocka_unit_test(a_monitor_line_without_end),
        cmocka_unit_test(reports_of_the_vmm),
        cmocka_unit_test(h16_a_forbidden_call_is_named),
        cmocka_unit_test(h02_a_vmm_that_says_nothing),
        cmocka_unit_test(ends_of_qemu),
        cmocka_unit_test(only_known_engines_have_names),
        cmocka_unit_test(h01_programs_of_strangers_are_refused),
        cmocka_unit_test(h02_a_gate_that_never_opens),
        cmocka_unit_test(h03_nobody_outlives_its_keeper),
        cmocka_unit_test(descriptors_are_inherited_by_name),
        cmocka_unit_test(the_probe_is_quick),
        cmocka_unit_test(connections_that_are_accepted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
