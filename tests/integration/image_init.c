/*
 * image_init.c - a first process that only says what it sees: which modules loaded, whether the
 * image mounts, that a file in it can be read through an overlay. The boot test of kernels and
 * images puts it in carrel-init's place, so that it depends on nothing else.
 */
#include "base/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void load_modules(void)
{
    FILE *f = fopen("/modules/order", "r");
    char line[128], path[160];
    int n = 0;

    while (f && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, MODULE_VERITY, strlen(MODULE_VERITY)) == 0)
            continue; /* for a checked image only */
        snprintf(path, sizeof(path), "/modules/%s", line);

        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
            printf("FAILED module %s: %s\n", line, strerror(errno));
        else
            n++;
        if (fd >= 0)
            close(fd);
    }
    if (f)
        fclose(f);
    printf("modules %d\n", n);
}

static int mounted(const char *what, const char *where, const char *type, unsigned long flags,
                   const char *data)
{
    if (mount(what, where, type, flags, data)) {
        printf("FAILED mount %s: %s\n", where, strerror(errno));
        return 0;
    }
    return 1;
}

static void uptime(const char *when)
{
    FILE *f = fopen("/proc/uptime", "r");
    char line[64] = "?";

    if (f && !fgets(line, sizeof(line), f))
        line[0] = '\0';
    if (f)
        fclose(f);
    line[strcspn(line, "\n")] = '\0';
    printf("%s at %s\n", when, line); /* seconds since power-on, and how many of them idle */
}

/* Runs a command of the image in it; its output is the console's. */
static void run_in_root(const char *const argv[])
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        if (chroot("/root") || chdir("/"))
            _exit(126);
        execv(argv[0], (char *const *)argv);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        printf("FAILED command\n");
    else
        printf("exit %d\n", WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (mounted("proc", "/proc", "proc", 0, NULL))
        uptime("init");
    load_modules();
    mounted("dev", "/dev", "devtmpfs", 0, NULL);
    mounted("tmpfs", "/run", "tmpfs", 0, NULL);
    mkdir("/run/image", 0755);
    mkdir("/run/upper", 0755);
    mkdir("/run/work", 0755);
    if (mounted("/dev/vda", "/run/image", "squashfs", MS_RDONLY, NULL) &&
        mounted("overlay", "/root", "overlay", 0,
                "lowerdir=/run/image,upperdir=/run/upper,workdir=/run/work")) {
        /* An unknown word NAME=value on the kernel's command line is init's environment. */
        const char *probe = getenv("PROBE");
        const char *const cmd[] = { "/bin/sh", "-c",
                                    probe ? probe : "echo hello from the image >/f; cat /f", NULL };

        uptime("image");
        run_in_root(cmd);
    }
    uptime("end");
    sync();
    reboot(RB_POWER_OFF);
    return 1;
}
