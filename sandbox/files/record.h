/*
 * record.h - all that carrel-files is told: one sealed file, a struct files_record, then the
 * filter's instructions, then the rules (scope.h). Host byte order, both ends from one build.
 */
#ifndef SANDBOX_FILES_RECORD_H
#define SANDBOX_FILES_RECORD_H

#include "base/files.h"

#include <stdint.h>

#define FILES_RECORD_MAGIC   0x52454c46u /* "FLER" */
#define FILES_RECORD_VERSION 2u
#define FILES_FILTER_INSNS   4096u /* BPF_MAXINSNS */

struct files_record {
    uint32_t magic, version;
    uint32_t size;                   /* sizeof(struct files_record) */
    int32_t peer_fd;                 /* the machine's process (base/vhost.h) */
    int32_t report_fd;               /* to the keeper (report.h); -1: none */
    uint32_t uid;                    /* whose the files are in the guest */
    uint32_t nroots;                 /* of the rules' live mounts, in their order */
    int32_t roots[FILES_MOUNTS_MAX]; /* O_PATH */
    uint64_t guest_memory;           /* bytes */
    uint32_t filter_len;             /* instructions; 0: none */
    uint32_t scope_len;              /* bytes */
};

#endif
