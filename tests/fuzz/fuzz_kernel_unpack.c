/* fuzz_kernel_unpack.c - any bytes as a kernel, and as a kernel module. */
#include "sandbox/image/kernel.h"
#include "sandbox/image/kernel_elf.h"
#include "sandbox/image/kernel_modules.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    void *out = NULL;
    size_t out_len = 0;
    bool pvh;
    char version[129], *deps = NULL;

    if (kernel_unpack(data, len, 1 << 20, &out, &out_len, NULL) == 0) {
        if (out_len > 1 << 20 || kernel_check_elf(out, out_len, &pvh, NULL) != 0)
            abort();
        kernel_find_version(out, out_len, version, sizeof(version));
        free(out);
    }
    kernel_find_version(data, len, version, sizeof(version));
    if (modinfo_parse(data, len, &deps, NULL) == 0)
        free(deps);
    return 0;
}
