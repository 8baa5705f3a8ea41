/*
 * msg.h - the messages of the control protocol: framing and fields, pure.
 *
 * Spoken twice with the same framing: carrel (client) <-> carrel-keeper on a Unix socket, and
 * keeper <-> carrel-init, one yamux stream a request, on the port "carrel.control". A frame is
 *
 *     u8 type | u8 0 | u16 0 | u32 length (little-endian) | length bytes
 *
 * with length at most MSG_MAX; anything else ends the connection. A request payload is a sequence
 * of fields, { u16 tag | u16 0 | u32 length | bytes }, each tag known for that request, in any
 * order, repeated only where "list" is said. docs/PROTOCOL.md tells the story.
 */
#ifndef BASE_MSG_H
#define BASE_MSG_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MSG_HEADER 8u
#define MSG_MAX    65536u /* bytes of payload */

enum msg_type {
    /* Requests, the first frame of a conversation. */
    MSG_SETUP = 1, /* keeper->init: HOSTNAME, TIME, SEED, PIDS, FILES, MARK; answered DONE */
    MSG_EXEC = 2,  /* ARG list, ENV list, CWD, USER, FLAGS, ROWS, COLS, TIMEOUT; a profile */
    MSG_PUT = 3, /* PATH, USER, FLAGS: unpack the tar that follows (DATA…, EOF); answered DONE */
    MSG_GET = 4, /* PATH: the file or tree comes as a tar (DATA…, EOF), then DONE */
    MSG_POWEROFF = 5, /* GRACE: end every process, sync, power off; answered DONE */
    MSG_STOP = 6,     /* client->keeper: GRACE; answered ENDED */
    MSG_KILL = 7,     /* client->keeper: SIGNO to the main command, or the machine; answered DONE */
    MSG_STATUS = 8,   /* client->keeper: answered STATE */
    MSG_WAIT = 9,     /* client->keeper: answered ENDED when the sandbox has ended */
    /* client->keeper: FLAGS; joins the main command's session. keeper->init: JOB, OFFSET; goes on
     * with a main command where the last session left it, as EXEC */
    MSG_ATTACH = 10,
    MSG_POLICY = 11, /* client->keeper: another policy waits in policy.next.json; answered DONE */
    MSG_JOBS = 12,   /* keeper->init, one a session: END to it, GONE from it, no last frame */

    /* During a session or transfer, requester to answerer. */
    MSG_STDIN = 32, /* bytes */
    MSG_STDIN_EOF = 33,
    MSG_RESIZE = 34, /* u16 rows, u16 columns */
    MSG_SIGNAL = 35, /* u8 signal number, 1..64 */
    MSG_DATA = 36,   /* tar bytes, either direction */
    MSG_EOF = 37,    /* end of the tar, either direction */
    MSG_END = 38,    /* on JOBS: u32 job; every process that it started is killed; answered GONE */

    /* Answerer to requester. */
    MSG_STARTED = 64, /* u32 pid in the guest; the program is running */
    MSG_STDOUT = 65,  /* bytes; with a terminal, all output */
    MSG_STDERR = 66,
    MSG_EXIT = 67,   /* u8 enum msg_exit, u8 exit status or signal number */
    MSG_DONE = 68,   /* the request succeeded; nothing follows */
    MSG_ERROR = 69,  /* u32 errno (Linux numbers), then text; nothing follows */
    MSG_STATE = 70,  /* JSON text of state.json */
    MSG_ENDED = 71,  /* JSON text of the final state.json; nothing follows */
    MSG_DENIED = 72, /* keeper->client: the policy said no: its denial as JSON; ENDED may follow */
    MSG_GONE = 73,   /* on JOBS: u32 job, of which no process is left */
};

enum msg_exit { MSG_EXITED = 0, MSG_SIGNALED = 1, MSG_TIMED_OUT = 2 };

enum msg_tag {
    MSG_ARG = 1,       /* list; the first is looked up in PATH when it has no slash */
    MSG_ENV = 2,       /* list; NAME=value */
    MSG_CWD = 3,       /* absolute path */
    MSG_USER = 4,      /* name or uid, optionally :group or :gid, as in the guest's /etc/passwd */
    MSG_FLAGS = 5,     /* u32, enum msg_flag */
    MSG_ROWS = 6,      /* u16 */
    MSG_COLS = 7,      /* u16 */
    MSG_TIMEOUT = 8,   /* u32 milliseconds; then TERM, 2 s later KILL; exit kind TIMED_OUT */
    MSG_PATH = 9,      /* absolute path in the guest */
    MSG_HOSTNAME = 10, /* */
    MSG_TIME = 11,     /* u64 nanoseconds since 1970 UTC */
    MSG_SEED = 12,     /* up to 256 bytes of entropy */
    MSG_GRACE = 13,    /* u32 milliseconds between TERM and KILL */
    MSG_SIGNO = 14,    /* u32 */

    /* keeper->init only: from a client they are refused. Up to FILTER, and from RUN on: an EXEC's
       profile. */
    MSG_EXE = 15,    /* absolute path of the program: no search, argv[0] stays ARG's first */
    MSG_UID = 16,    /* u32: what USER must resolve to, else EPERM */
    MSG_CAPS = 17,   /* u64 bit set: the capabilities the command may have; absent: untouched */
    MSG_RLIMIT = 18, /* list; u32 RLIMIT_* (Linux x86-64), u32 0, u64 value, soft and hard */
    MSG_RO = 19,     /* list; absolute path of a tree that may be read and executed */
    MSG_RW = 20,     /* list; absolute path of a tree that may also be changed */
    MSG_FILTER = 21, /* seccomp program: struct sock_filter (8 bytes), 1 to MSG_FILTER_MAX */
    MSG_PIDS = 22,   /* SETUP: u32, most processes and threads of all commands together */
    MSG_FILES = 23,  /* SETUP: u32, RLIMIT_NOFILE of every command: hard; soft at most 1024 */
    MSG_JOB = 24,    /* EXEC, ATTACH: u32, not 0: what the keeper calls this command on JOBS */
    MSG_RUN =
        25, /* list; EXEC: a file that may be executed, or a pattern over files; see PROTOCOL */
    MSG_SHA256 = 26,     /* 32 bytes: of the content of EXE, which is the image's, else EACCES */
    MSG_RUN_SHA256 = 27, /* list; EXEC: 32 bytes as above, then as RUN: a file with this content */
    MSG_MARK = 28,       /* SETUP: 32 bytes (mark.h), with which every later session begins */
    MSG_OFFSET = 29,     /* ATTACH: u64, bytes of its output that were taken before; absent: all */
};

#define MSG_FILTER_MAX 4096u /* BPF_MAXINSNS, <linux/bpf_common.h> */

enum msg_flag {
    MSG_F_TTY = 1u << 0,    /* EXEC: a pseudo-terminal of ROWS x COLS */
    MSG_F_STDIN = 1u << 1,  /* EXEC: stdin will be sent; otherwise it is /dev/null */
    MSG_F_MAIN = 1u << 2,   /* EXEC: the sandbox ends with this command. To init, without HANGUP:
                               it waits for ATTACH when the requester goes, and afterwards */
    MSG_F_NOBODY = 1u << 3, /* PUT: owner of what is made is USER, not what the tar says */
    MSG_F_HANGUP = 1u << 4, /* EXEC: the command gets HUP, then KILL, when the requester goes */
    MSG_F_LOOSE = 1u << 5,  /* EXEC, keeper->init: a layer this guest kernel lacks is left out;
                               without it the EXEC is refused (EOPNOTSUPP) and names the layer */
    MSG_F_ONCE = 1u << 6,   /* EXEC, keeper->init: once it runs, it executes nothing more */
    MSG_F_OWN = 1u << 7,    /* EXEC, keeper->init: EXE is the image's own, else EACCES */
};

/* ---- one frame ---- */

struct msg_frame {
    uint8_t type;
    uint32_t len;
    const uint8_t *body; /* borrowed from the buffer that was parsed */
};

/*
 * Looks for a frame at the start of buf: its whole size when it is there, 0 when more bytes are
 * needed, -EBADMSG when no frame can begin like this.
 */
must_check ssize_t msg_parse(const void *buf, size_t len, struct msg_frame *f);

/* Writes the 8 bytes that precede a payload of len (at most MSG_MAX) bytes. */
void msg_header(uint8_t out[MSG_HEADER], enum msg_type type, uint32_t len);

/* ---- fields ---- */

struct msg_field {
    uint16_t tag;
    uint32_t len;
    const uint8_t *at; /* borrowed */
};

/*
 * Walks the fields of a payload; *pos starts at 0. 1: *f is the next one; 0: the end; -EBADMSG: the
 * payload is malformed. ARG, ENV, CWD, USER, PATH, HOSTNAME, EXE, RO, RW and RUN are refused when
 * they hold a NUL.
 */
must_check int msg_next_field(const struct msg_frame *m, uint32_t *pos, struct msg_field *f);

/* Integer fields: false when the length is not the integer's. */
must_check bool msg_field_u16(const struct msg_field *f, uint16_t *out);
must_check bool msg_field_u32(const struct msg_field *f, uint32_t *out);
must_check bool msg_field_u64(const struct msg_field *f, uint64_t *out);

/* ---- building ---- */

/* A request under construction. Overflow is sticky: check msg_seal. */
struct msg_builder {
    uint32_t len; /* payload so far */
    bool overflow;
    uint8_t bytes[MSG_HEADER + MSG_MAX];
};

void msg_begin(struct msg_builder *b, enum msg_type type);
void msg_add(struct msg_builder *b, enum msg_tag tag, const void *bytes, size_t len);
void msg_add_text(struct msg_builder *b, enum msg_tag tag, const char *text);
void msg_add_u16(struct msg_builder *b, enum msg_tag tag, uint16_t v);
void msg_add_u32(struct msg_builder *b, enum msg_tag tag, uint32_t v);
void msg_add_u64(struct msg_builder *b, enum msg_tag tag, uint64_t v);

/* Finishes the frame: its size in b->bytes, or -E2BIG when it did not fit. */
must_check ssize_t msg_seal(struct msg_builder *b);

#endif
