/* report.h - what carrel-files tells the keeper: a denial, one packet each (SOCK_SEQPACKET). The
 * keeper believes none of it: it asks its own rules again and counts. */
#ifndef SANDBOX_FILES_REPORT_H
#define SANDBOX_FILES_REPORT_H

#include <limits.h>
#include <stdint.h>

#define FILES_REPORT_MAGIC 0x504c4946u /* "FILP" */
#define FILES_RULE_BYTES   96u         /* with the NUL; a longer id is cut */

/* The packet ends with the path's NUL. */
struct files_report {
    uint32_t magic;
    uint32_t op;       /* enum file_op */
    uint32_t withheld; /* denials before this one that were not told */
    char rule[FILES_RULE_BYTES];
    char path[2 * PATH_MAX];
};

/* As many at once, and as many a second after that: a log is not for a guest to fill. */
#define FILES_REPORTS_BURST 64u
#define FILES_REPORTS_RATE  8u

#endif
