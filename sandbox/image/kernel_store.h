/* kernel_store.h - kernel.json and where kernels lie; shared by the kernel's own files. */
#ifndef SANDBOX_IMAGE_KERNEL_STORE_H
#define SANDBOX_IMAGE_KERNEL_STORE_H

#include "sandbox/image/data.h"
#include "sandbox/image/initrd.h"
#include "sandbox/image/kernel.h"

/* kernels/, opened. */
must_check int kernels_open(struct err *e);

/* kernels/NAME, opened. -ENOENT with what to do. */
must_check int kernel_dir(const char *name, struct err *e);

/* vmlinux of a loaded kernel, opened, and what was kept of it. The caller's. */
must_check int kernel_vmlinux(const struct kernel *k, int dir, struct file_id *id, struct err *e);

#define KERNEL_INITRD_PREFIX "initrd-"
#define KERNEL_INITRD_NAME   64

/* The file name of the initrd for the carrel-init that is installed now. */
must_check int kernel_initrd_name(char file[KERNEL_INITRD_NAME], struct err *e);

/* The initrd for the carrel-init that is installed now, opened for reading: made when it is not
 * there yet, in memory when there is no room or no permission to keep it. */
must_check int kernel_initrd(int dir, struct err *e);

/* kernel_add with words of its own about where the kernel came from. */
must_check int kernel_add_from(const char *name, const char *image, const char *modules,
                               const char *source, image_progress *say, void *arg, struct err *e);

/* Makes name the default in kernels/. */
must_check int kernel_point_default(int kernels, const char *name, struct err *e);

#endif
