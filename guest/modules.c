/* modules.c - see modules.h. */
#include "guest/modules.h"

#include "guest/kmsg.h"

#include "base/fd.h"
#include "base/io.h"
#include "base/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define ORDER_MAX       65536u
#define COMPRESSED_FILE 4u /* MODULE_INIT_COMPRESSED_FILE, linux/module.h */

static void load(const char *name, const char *params)
{
    size_t len = strlen(name);
    unsigned flags = len > 3 && strcmp(name + len - 3, ".ko") == 0 ? 0 : COMPRESSED_FILE;
    char path[512];
    auto_fd int fd = -1;

    snprintf(path, sizeof(path), "%s%s", name[0] == '/' ? "" : "/modules/", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || syscall(SYS_finit_module, fd, params, flags))
        if (errno != EEXIST) /* built in, or loaded already */
            kmsg(KMSG_WARNING, "module %s: %s", name, strerror(errno));
}

void modules_load(bool verity)
{
    struct err why = ERR_INIT;
    size_t len;
    char *order = io_load(AT_FDCWD, "/modules/order", ORDER_MAX, &len, &why);
    char *rest = order, *line;

    if (!order) {
        if (why.code != ENOENT)
            kmsg(KMSG_WARNING, "%s", why.msg);
        return;
    }
    while ((line = strsep(&rest, "\n"))) {
        char *params = strchr(line, ' ');

        if (strncmp(line, MODULE_VERITY, strlen(MODULE_VERITY)) == 0) {
            if (!verity)
                continue;
            line += strlen(MODULE_VERITY);
        }
        if (params)
            *params++ = '\0';
        if (*line && *line != '#')
            load(line, params ? params : "");
    }
    free(order);
}
