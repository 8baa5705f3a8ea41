/* image_driver.c - the kernel and image jobs from a command line, for tests that need nothing else
 * of Carrel. Prints what it found; progress and errors on standard error. */
#include "sandbox/image/image.h"
#include "sandbox/image/kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void say(void *arg, const char *line)
{
    (void)arg;
    fprintf(stderr, "%s\n", line);
}

/* Where a descriptor leads, for a program that takes paths. */
static void print_path(int fd)
{
    char link[64], path[4096];
    ssize_t n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    printf("%.*s\n", (int)(n > 0 ? n : 0), path);
    close(fd);
}

static int open_kernel(const char *name, struct err *e)
{
    struct kernel k;
    int vmlinux = -1, initrd = -1;
    int err = kernel_load(name, &k, e);

    if (!err)
        err = kernel_open(&k, &vmlinux, &initrd, e);
    kernel_fini(&k);
    if (!err) {
        print_path(vmlinux);
        print_path(initrd);
    }
    return err;
}

static int open_image(const char *name, struct err *e)
{
    struct image img;
    int err = image_load(name, &img, e);
    int fd = err ? err : image_open(&img, true, e);

    if (fd >= 0) {
        printf("%s\n", img.digest);
        print_path(fd);
    }
    image_fini(&img);
    return fd < 0 ? fd : 0;
}

int main(int argc, char **argv)
{
    struct err e = ERR_INIT;
    const char *verb = argc > 2 ? argv[1] : "";
    const char *third = argc > 3 ? argv[3] : NULL, *fourth = argc > 4 ? argv[4] : NULL;
    int err;

    if (strcmp(verb, "kernel-add") == 0 && third)
        err = kernel_add(argv[2], third, fourth, say, NULL, &e);
    else if (strcmp(verb, "kernel-fetch") == 0)
        err = kernel_fetch(argv[2], third, say, NULL, &e);
    else if (strcmp(verb, "kernel-open") == 0)
        err = open_kernel(argv[2], &e);
    else if (strcmp(verb, "image-import") == 0 && third)
        err = image_import(argv[2], third, &(struct import_options){ 0 }, say, NULL, &e);
    else if (strcmp(verb, "image-build") == 0)
        err = image_build(argv[2], third != NULL, say, NULL, &e);
    else if (strcmp(verb, "image-open") == 0)
        err = open_image(argv[2], &e);
    else
        return 2;
    if (err)
        fprintf(stderr, "image_driver: %s\n", e.msg);
    return err ? 1 : 0;
}
