/*
 * parts.h - what a machine is made of on disk: kernel, initrd and image, opened for its keeper.
 *
 * Finished files are opened here. Where one has to be read whole or made first, carrel-job does
 * that and hands over the descriptors, so that neither this program nor a keeper can parse
 * archives.
 */
#ifndef SANDBOX_CLI_PARTS_H
#define SANDBOX_CLI_PARTS_H

#include "sandbox/client.h"

/* parts_close in either case. */
must_check int parts_open(const struct box_config *cfg, struct client_parts *p, struct err *e);
void parts_close(struct client_parts *p);

/* carrel-job's half: `carrel-job --parts KERNEL IMAGE` (KERNEL "": the default), with a socket as
 * descriptor 3. */
#define PARTS_OPTION "--parts"
#define PARTS_SOCKET 3

struct parts_answer {
    int32_t code; /* 0: three descriptors come with it */
    char msg[240];
};

/* The ways to open them: of finished files, or whatever it takes. */
struct kernel;
struct image;
struct parts_ways {
    int (*kernel)(const struct kernel *k, int *vmlinux, int *initrd, struct err *e);
    int (*image)(const struct image *img, struct err *e);
};

must_check int parts_open_by(const struct parts_ways *w, const char *kernel, const char *image,
                             struct client_parts *p, struct err *e);

/* The exit status. */
int parts_serve(const char *kernel, const char *image);

#endif
