/* tell.h - what is printed about an image or kernel that was just made or chosen. */
#ifndef SANDBOX_CLI_TELL_H
#define SANDBOX_CLI_TELL_H

#include "sandbox/cli/cli.h"

/* Each returns the verb's exit status. */
int tell_image(struct cli *c, const char *name);
int tell_kernel(struct cli *c, const char *name); /* NULL: the default */

/* An image as JSON, a new reference. */
struct image;
json_t *tell_image_object(const struct image *img);

#endif
