/*
 * request.h - a control request's fields as one struct, judged: known tags only, each once unless
 * it is a list, every value in range. Pure.
 */
#ifndef GUEST_REQUEST_H
#define GUEST_REQUEST_H

#include "base/err.h"
#include "base/mark.h"
#include "base/msg.h"
#include "guest/profile.h"

#define SETUP_SEED_MAX 256u
#define HOSTNAME_BYTES 64u /* utsname(2): 63 and the NUL */
#define GRACE_MS       2000u
#define PATH_BYTES     4096u /* with the NUL; as the kernel takes them */
#define TERMINAL_ROWS  24u
#define TERMINAL_COLS  80u

/* One request; texts point into block. Fields that the type does not know stay zero. */
struct request {
    enum msg_type type;
    char *block; /* owned: argv, envp, the profile's lists, every text */
    char **argv; /* ends in NULL; EXEC has at least one */
    char **envp; /* ends in NULL */
    unsigned argc, envc;
    const char *cwd, *user, *path, *hostname; /* NULL when absent */
    uint32_t flags;                           /* enum msg_flag */
    uint16_t rows, cols;
    uint32_t timeout_ms; /* 0: none */
    uint32_t grace_ms;
    uint64_t time_ns; /* 0: none */
    uint8_t seed[SETUP_SEED_MAX];
    uint32_t seed_len;
    uint32_t pids, files; /* 0: not said */
    uint32_t job;         /* 0: none */
    uint64_t offset;      /* UINT64_MAX: not said */
    bool has_mark;
    uint8_t mark[MARK_BYTES];
    struct profile profile;
};

/* 0, -EINVAL (malformed), -ENOSYS (not a request for a guest), -ENOMEM. */
must_check int request_parse(const struct msg_frame *m, struct request *out, struct err *e);
void request_fini(struct request *r);

#endif
