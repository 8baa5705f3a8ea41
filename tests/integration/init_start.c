/*
 * init_start.c - every way to have a program executed that a tool might think of (C06): part of
 * init_probe. "probe start DIR" names those that worked; the program is busybox, as true.
 */
#include "tests/integration/init_start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "/bin/busybox"

static const char *dir;
static char arg0[] = "true", nothing[] = "nothing";
static char *const as_true[] = { arg0, NULL }, *const as_nothing[] = { arg0, nothing, NULL };

static const char *in_dir(const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

/* Fills fd with the program. */
static int copy(int fd)
{
    static char buf[65536];
    int from = open(PROGRAM, O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;

    while (fd >= 0 && from >= 0 && (n = read(from, buf, sizeof(buf))) > 0)
        if (write(fd, buf, (size_t)n) != n)
            return -1;
    return n || fd < 0 || from < 0 ? -1 : fd;
}

/* What was open to be written cannot be executed. */
static int reopened(int fd)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY);
}

static void by_name(void)
{
    execv(PROGRAM, as_true);
}

static void by_proc_root(void)
{
    execv("/proc/self/root" PROGRAM, as_true);
}

static void by_symlink(void)
{
    (void)!symlink(PROGRAM, in_dir("link"));
    execv(in_dir("link"), as_true);
}

static void by_copy(void)
{
    int fd = copy(open(in_dir("copy"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755));

    if (fd >= 0)
        close(fd);
    execv(in_dir("copy"), as_true);
}

static void by_script(void)
{
    static const char text[] = "#!" PROGRAM " true\n";
    int fd = open(in_dir("script"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

    if (fd >= 0 && write(fd, text, sizeof(text) - 1) > 0)
        close(fd);
    execv(in_dir("script"), as_true);
}

static void by_descriptor(void)
{
    int fd = open(PROGRAM, O_PATH | O_CLOEXEC);

    syscall(SYS_execveat, fd, "", as_true, environ, AT_EMPTY_PATH);
}

static void by_memory(void)
{
    int fd = copy((int)syscall(SYS_memfd_create, "x", 0u));

    syscall(SYS_execveat, reopened(fd), "", as_true, environ, AT_EMPTY_PATH);
}

static void by_memory_name(void)
{
    int fd = copy((int)syscall(SYS_memfd_create, "x", 0u));
    char path[32];

    fd = reopened(fd);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    execv(path, as_true);
}

static void by_no_name(void)
{
    int fd = copy(open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0755)), again = reopened(fd);

    if (fd >= 0)
        close(fd);
    syscall(SYS_execveat, again, "", as_true, environ, AT_EMPTY_PATH);
}

static void by_itself(void)
{
    execv("/proc/self/exe", as_nothing);
}

/* Where carrel-init had put the path of this program. */
static void by_page_0(void)
{
    volatile uintptr_t at = 16;
    char *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    if (page != MAP_FAILED)
        memcpy((char *)at, PROGRAM, sizeof(PROGRAM)); /* NOLINT(performance-no-int-to-ptr) */
    syscall(SYS_execve, at, as_true, environ);
}

static const struct {
    const char *name;
    void (*run)(void);
} ways[] = {
    { "name", by_name },     { "proc-root", by_proc_root },     { "symlink", by_symlink },
    { "copy", by_copy },     { "script", by_script },           { "descriptor", by_descriptor },
    { "memory", by_memory }, { "memory-name", by_memory_name }, { "no-name", by_no_name },
    { "itself", by_itself }, { "page-0", by_page_0 },
};

int start_programs(const char *in)
{
    dir = in;
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        int status = -1;
        pid_t pid = fork();

        if (pid == 0) {
            ways[i].run();
            _exit(100);
        }
        if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
            printf("%s ", ways[i].name);
    }
    puts(".");
    return 0;
}
