/* call.c - see call.h. */
#include "guest/call.h"

#include "guest/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct call *call_new(struct control *c, uint32_t id)
{
    struct call *call = calloc(1, sizeof(*call));

    if (call) {
        call->control = c;
        call->id = id;
    }
    return call;
}

void call_free(struct call *c)
{
    if (c->job)
        job_abandon(c->job);
    free(c->request_body);
    free(c);
}

/* ---- what a job says ---- */

size_t call_room(const struct call *c)
{
    size_t room = yamux_writable(c->control->mux, c->id);

    if (room <= MSG_HEADER)
        return 0;
    room -= MSG_HEADER;
    return room < MSG_MAX ? room : MSG_MAX;
}

void call_send(struct call *c, enum msg_type type, const void *body, size_t len)
{
    uint8_t head[MSG_HEADER];

    msg_header(head, type, (uint32_t)len);
    if (yamux_write(c->control->mux, c->id, head, sizeof(head)) != (ssize_t)sizeof(head) ||
        (len && yamux_write(c->control->mux, c->id, body, len) != (ssize_t)len))
        c->state = CALL_BROKEN; /* no memory: a torn frame must not be followed by another */
}

void call_end(struct call *c)
{
    c->job = NULL;
    if (c->state == CALL_BROKEN)
        return;
    c->state = CALL_ENDED;
    yamux_close(c->control->mux, c->id);
}

void call_error(struct call *c, const struct err *e)
{
    uint8_t body[CALL_ERROR_MAX];
    size_t len = strnlen(e->msg, sizeof(e->msg));

    for (int i = 0; i < 4; i++)
        body[i] = (uint8_t)((uint32_t)e->code >> 8 * i);
    for (size_t i = 0; i < len; i++)
        body[4 + i] = (uint8_t)((uint8_t)e->msg[i] < ' ' || e->msg[i] == 0x7f ? '?' : e->msg[i]);
    call_send(c, MSG_ERROR, body, 4 + len);
}

static void send_error(struct call *c, const struct err *e)
{
    call_error(c, e);
    call_end(c);
}

/* ---- requests ---- */

static void send_done(struct call *c)
{
    call_send(c, MSG_DONE, NULL, 0);
    call_end(c);
}

static void listen_to_jobs(struct call *c)
{
    struct err e = ERR_INIT;

    for (const struct call *k = c->control->calls; k; k = k->next)
        if (k->state == CALL_LISTENS)
            err_set(&e, EBUSY, "somebody listens already");
    if (e.code)
        send_error(c, &e);
    else
        c->state = CALL_LISTENS;
}

bool call_gone(struct call *c, uint32_t job)
{
    uint8_t body[4];

    if (call_room(c) < sizeof(body))
        return false;
    for (int i = 0; i < 4; i++)
        body[i] = (uint8_t)(job >> 8 * i);
    call_send(c, MSG_GONE, body, sizeof(body));
    return true;
}

/* END: also of a job that is gone already, or was never there; both are answered. */
static bool end_job(struct call *c)
{
    const uint8_t *b = c->message;
    uint32_t job = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;

    if (c->head[0] != MSG_END || c->nbody != 4 || !job)
        return false;
    if (group_find(&c->control->jobs.groups, job))
        jobs_end(&c->control->jobs, job);
    else
        return call_gone(c, job);
    return true;
}

static void dispatch(struct call *c, const struct request *r)
{
    const struct control_host *host = c->control->host;
    struct err e = ERR_INIT;

    c->request = r->type;
    switch (r->type) {
    case MSG_SETUP:
        if (host->setup(host->arg, r, &e)) {
            send_error(c, &e);
            break;
        }
        if (r->has_mark)
            control_set_mark(c->control, r->mark);
        send_done(c);
        break;
    case MSG_POWEROFF:
        send_done(c);
        host->poweroff(host->arg, r->grace_ms);
        break;
    case MSG_JOBS: listen_to_jobs(c); break;
    case MSG_ATTACH:
        c->job = job_attach(&c->control->jobs, c, r, &e);
        if (c->job)
            c->state = CALL_JOB;
        else
            send_error(c, &e);
        break;
    default:
        if (c->control->closing)
            err_set(&e, ESHUTDOWN, "the guest is powering off");
        else
            c->job = job_start(&c->control->jobs, c, r, &e);
        if (c->job)
            c->state = CALL_JOB;
        else
            send_error(c, &e);
    }
}

static void take_request(struct call *c)
{
    struct msg_frame m = { .type = c->head[0], .len = c->nbody, .body = c->request_body };
    struct err e = ERR_INIT;
    struct request r;

    if (request_parse(&m, &r, &e)) {
        send_error(c, &e);
    } else {
        dispatch(c, &r);
        request_fini(&r);
    }
    free(c->request_body);
    c->request_body = NULL;
}

/* ---- frames ---- */

/* Is the frame that is coming in one whose body goes to the job, piece by piece? */
static bool is_input(const struct call *c)
{
    return c->state == CALL_JOB && c->head[0] == job_input_type(c->job);
}

static bool is_input_end(const struct call *c)
{
    return c->state == CALL_JOB && c->head[0] == job_input_end_type(c->job);
}

/* Judges a header that is complete. false: nothing like this may come now. */
static bool take_head(struct call *c)
{
    const uint8_t *h = c->head;
    struct msg_frame m;

    if (msg_parse(h, MSG_HEADER, &m) < 0)
        return false;
    c->left = h[4] | (uint32_t)h[5] << 8 | (uint32_t)h[6] << 16; /* MSG_MAX has 17 bits */
    c->nbody = 0;
    if (c->state == CALL_REQUEST) {
        c->request_body = malloc((size_t)c->left + 1);
        return c->request_body != NULL;
    }
    return is_input(c) || c->left <= (is_input_end(c) ? 0 : CALL_MESSAGE_MAX);
}

/* A frame is complete. */
static bool take_frame(struct call *c)
{
    c->nhead = 0;
    if (c->state == CALL_REQUEST) {
        take_request(c);
        return true;
    }
    if (is_input(c))
        return true;
    if (is_input_end(c)) {
        c->input_over = true;
        job_input_end(c->job);
        return true;
    }
    if (c->state == CALL_LISTENS)
        return end_job(c);
    return job_message(c->job, (enum msg_type)c->head[0], c->message, c->nbody);
}

/* Moves bytes of the body to where they belong; false when none came or none can be taken. */
static bool take_body(struct call *c)
{
    static uint8_t piece[INLET_BYTES];
    bool input = is_input(c);
    uint8_t *to = input                      ? piece
                  : c->state == CALL_REQUEST ? c->request_body + c->nbody
                                             : c->message + c->nbody;
    size_t want = c->left;
    ssize_t n;

    if (input && want > job_room(c->job))
        want = job_room(c->job);
    n = want ? yamux_read(c->control->mux, c->id, to, want) : 0;
    if (n <= 0)
        return false;
    if (input)
        job_input(c->job, piece, (size_t)n);
    c->left -= (uint32_t)n;
    c->nbody += (uint32_t)n;
    return true;
}

/* One step through what has arrived; false when there is nothing more to do now. */
static bool step(struct call *c)
{
    ssize_t n;

    if (c->nhead < MSG_HEADER) {
        n = yamux_read(c->control->mux, c->id, c->head + c->nhead, MSG_HEADER - c->nhead);
        if (n <= 0)
            return false;
        c->nhead += (uint32_t)n;
        if (c->nhead == MSG_HEADER && !take_head(c))
            c->state = CALL_BROKEN;
        return true;
    }
    if (c->left)
        return take_body(c);
    if (is_input_end(c) && job_room(c->job) == 0)
        return false;
    if (!take_frame(c))
        c->state = CALL_BROKEN;
    return true;
}

/* The host will send no more. For a transfer in, without its last frame, that is a failure; a
 * command has just seen the end of its input. */
static void take_eof(struct call *c)
{
    if (c->state == CALL_JOB && job_room(c->job) == 0)
        return; /* first what waits, perhaps with a last frame behind it */
    if (c->state != CALL_JOB || (c->request == MSG_PUT && !c->input_over) || c->nhead) {
        c->state = CALL_BROKEN;
    } else if (!c->input_over) {
        c->input_over = true;
        job_input_end(c->job);
    }
}

void call_pump(struct call *c)
{
    static uint8_t scrap[4096];

    while (c->state == CALL_REQUEST || c->state == CALL_JOB || c->state == CALL_LISTENS)
        if (!step(c))
            break;
    if (c->state == CALL_ENDED)
        while (yamux_read(c->control->mux, c->id, scrap, sizeof(scrap)) > 0)
            ;
    else if (c->state != CALL_BROKEN && yamux_at_eof(c->control->mux, c->id))
        take_eof(c);
}

/* Once both sides have closed it, a stream may be gone before we look again. */
static bool is_gone(const struct call *c)
{
    uint8_t none;

    return yamux_read(c->control->mux, c->id, &none, 0) == -ENOENT;
}

bool call_sweep(struct call *c)
{
    if (c->state == CALL_JOB)
        job_resume(c->job);
    if (c->state == CALL_ENDED) {
        call_pump(c);
        return is_gone(c) || yamux_at_eof(c->control->mux, c->id);
    }
    if (c->state == CALL_BROKEN)
        yamux_reset(c->control->mux, c->id);
    return c->state == CALL_BROKEN;
}
