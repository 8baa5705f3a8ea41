/* Any text as an OCI seccomp profile: refused, or a sound model that can be written and read. */
#include "sandbox/confine/oci.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = ERR_INIT;
    struct oci_profile *p = oci_parse((const char *)data, size, &e), *again;
    struct text t = TEXT_INIT;

    if (!p)
        return 0;
    if (seccomp_check(&p->model, &e))
        abort();
    oci_section(p, &t);
    oci_section_json(p, &t);
    text_fini(&t);
    /* Masks above 2^63 are beyond the reader's JSON. */
    if (!oci_write(&p->model, &t, &e)) {
        again = oci_parse(text_str(&t), t.len, &e);
        if (again && again->model.nrules != p->model.nrules)
            abort();
        oci_free(again);
    }
    text_fini(&t);
    oci_free(p);
    return 0;
}
