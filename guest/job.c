/*
 * job.c - see job.h.
 *
 * A job is over when three things happened, in any order: its process was reaped, its status pipe
 * was closed, and its output pipes are at their end. Descendants may hold the output for ever, so
 * after the reap it has DRAIN_MS to end; then what waits in the pipe is sent and the rest is not
 * waited for.
 *
 * A main command outlives its requester: nothing is read from it until another one attaches, who
 * first hears again what the last one may not have taken; and once it is over it stays, for whoever
 * did not hear of it.
 */
#include "guest/job.h"

#include "guest/backlog.h"
#include "guest/ends.h"
#include "guest/inlet.h"
#include "guest/outlet.h"
#include "guest/pty.h"

#include "base/fd.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#define DRAIN_MS 250u
#define KILL_MS  2000u /* from TERM or HUP to KILL */

struct job {
    struct jobs *jobs; /* borrowed */
    struct job *next;  /* owned by the list */
    struct call *call; /* borrowed; NULL: the requester is gone */
    enum msg_type request;
    uint32_t flags, number;
    bool waits;          /* a main command without a requester */
    struct backlog said; /* by a main command */

    pid_t pid;
    struct group *group; /* borrowed; a command's, until it is reaped; else NULL */
    bool reaped;
    int wait_status;
    struct loop_source status; /* owns .fd; the child's struct err, or nothing */
    struct err verdict;
    size_t nverdict; /* bytes of it so far */
    struct outlet out[2];

    struct inlet in;
    bool running; /* output is taken: the program runs, or it is a transfer */

    struct alarm limit; /* the timeout, later the KILL after it */
    struct alarm drain;
    bool drained;
    int ending; /* 0, or the last signal of a timeout or hang-up */
    bool timed_out;
};

static void check_over(struct job *j);

static bool is_command(const struct job *j)
{
    return j->request == MSG_EXEC;
}

/* There is one main command at most. */
static bool is_main(const struct job *j)
{
    return is_command(j) && j->number && (j->flags & (MSG_F_MAIN | MSG_F_HANGUP)) == MSG_F_MAIN;
}

static void status_close(struct job *j)
{
    if (j->status.fd >= 0)
        loop_remove(j->jobs->loop, &j->status);
    fd_closep(&j->status.fd);
}

static void send_signal(struct job *j, int signo)
{
    if (j->reaped)
        return;
    /* Until the child has called setsid there is no such group. */
    if (kill(-j->pid, signo) && errno == ESRCH)
        kill(j->pid, signo);
}

/* All that it started; where there are no cgroups, its process group. */
static void end_tree(struct job *j)
{
    if (!j->group || !group_kill(j->group))
        send_signal(j, SIGKILL);
}

static void release(struct job *j)
{
    if (j->group)
        group_release(j->group);
    j->group = NULL;
}

static void job_free(struct job *j)
{
    for (struct job **p = &j->jobs->first; *p; p = &(*p)->next)
        if (*p == j) {
            *p = j->next;
            j->jobs->count--;
            break;
        }
    alarm_cancel(j->jobs->alarms, &j->limit);
    alarm_cancel(j->jobs->alarms, &j->drain);
    release(j);
    status_close(j);
    inlet_close(&j->in);
    for (int i = 0; i < 2; i++)
        outlet_close(&j->out[i]);
    backlog_fini(&j->said);
    free(j);
}

/* ---- input ---- */

static void input_room(struct inlet *i)
{
    struct job *j = container_of(i, struct job, in);

    if (j->call)
        call_pump(j->call);
}

size_t job_room(const struct job *j)
{
    return inlet_room(&j->in);
}

void job_input(struct job *j, const void *buf, size_t len)
{
    inlet_push(&j->in, buf, len);
}

void job_input_end(struct job *j)
{
    static const uint8_t eof[] = { PTY_EOF };

    /* A terminal has no end; its reader sees one where ^D is typed. */
    if ((j->flags & MSG_F_TTY) && inlet_room(&j->in))
        inlet_push(&j->in, eof, sizeof(eof));
    inlet_end(&j->in);
}

enum msg_type job_input_type(const struct job *j)
{
    return is_command(j) ? MSG_STDIN : MSG_DATA;
}

enum msg_type job_input_end_type(const struct job *j)
{
    return is_command(j) ? MSG_STDIN_EOF : MSG_EOF;
}

/* ---- output ---- */

static void output_ready(struct outlet *o)
{
    struct job *j = o->job;

    outlet_move(o, j->call);
    check_over(j);
}

static void drain_over(struct alarm *a)
{
    struct job *j = container_of(a, struct job, drain);

    if (j->waits || backlog_waits(&j->said))
        return; /* check_over sets it again */
    j->drained = true;
    for (int i = 0; i < 2; i++)
        outlet_drain(&j->out[i], j->call);
    check_over(j);
}

void job_said(struct job *j, enum msg_type type, const void *body, size_t len)
{
    if (is_main(j))
        backlog_add(&j->said, type, body, len);
}

/* As far as there is room. */
static void say_again(struct job *j)
{
    size_t room;

    while (backlog_waits(&j->said) && (room = call_room(j->call)) > 0) {
        struct msg_frame f = backlog_next(&j->said, room);

        call_send(j->call, (enum msg_type)f.type, f.body, f.len);
    }
}

void job_resume(struct job *j)
{
    if (j->waits)
        return;
    say_again(j);
    if (backlog_waits(&j->said))
        return;
    for (int i = 0; i < 2 && j->running; i++)
        outlet_resume(&j->out[i], j->call);
    check_over(j);
}

/* ---- the end ---- */

/* The final frame; false when the stream has no room for it yet. */
static bool send_final(struct job *j)
{
    uint8_t body[2];

    if (call_room(j->call) < CALL_ERROR_MAX)
        return false;
    if (j->verdict.code) {
        call_error(j->call, &j->verdict);
    } else if (is_command(j)) {
        bool by_signal = WIFSIGNALED(j->wait_status);

        body[0] = j->timed_out ? MSG_TIMED_OUT : by_signal ? MSG_SIGNALED : MSG_EXITED;
        body[1] = (uint8_t)(j->timed_out ? j->ending
                            : by_signal  ? WTERMSIG(j->wait_status)
                                         : WEXITSTATUS(j->wait_status));
        call_send(j->call, MSG_EXIT, body, 2);
    } else {
        if (j->request == MSG_GET)
            call_send(j->call, MSG_EOF, NULL, 0);
        call_send(j->call, MSG_DONE, NULL, 0);
    }
    return true;
}

static bool is_over(const struct job *j)
{
    return j->reaped && j->status.fd < 0 && !outlet_is_open(&j->out[0]) &&
           !outlet_is_open(&j->out[1]);
}

bool jobs_busy(const struct jobs *js)
{
    for (const struct job *j = js->first; j; j = j->next)
        if (!j->waits || !is_over(j))
            return true;
    return false;
}

/* Until somebody attaches. */
static void wait_for_requester(struct job *j)
{
    j->call = NULL;
    j->waits = true;
    inlet_close(&j->in);
    for (int i = 0; i < 2; i++)
        outlet_rest(&j->out[i]);
}

static void check_over(struct job *j)
{
    struct call *c = j->call;

    if (!j->reaped || j->status.fd >= 0 || j->waits || backlog_waits(&j->said))
        return;
    if (j->verdict.code && is_command(j)) /* it never ran */
        for (int i = 0; i < 2; i++)
            outlet_close(&j->out[i]);
    if (outlet_is_open(&j->out[0]) || outlet_is_open(&j->out[1])) {
        if (!j->drained && !j->drain.at)
            alarm_set(j->jobs->alarms, &j->drain, DRAIN_MS);
        return;
    }
    if (c && !send_final(j))
        return; /* job_resume comes */
    if (is_main(j))
        wait_for_requester(j);
    else
        job_free(j);
    if (c)
        call_end(c);
}

/* The first frame: there is room. */
static void say_started(struct job *j)
{
    uint8_t pid[4];

    for (int i = 0; i < 4; i++)
        pid[i] = (uint8_t)((uint32_t)j->pid >> 8 * i);
    call_send(j->call, MSG_STARTED, pid, sizeof(pid));
}

/* The status pipe was closed: the program runs, or everything there is to say was said. */
static void status_over(struct job *j)
{
    status_close(j);
    if (j->nverdict < sizeof(j->verdict)) {
        j->verdict = ERR_INIT;
        if (!is_command(j))
            err_set(&j->verdict, EIO, "the transfer's process was killed");
    }
    j->verdict.msg[sizeof(j->verdict.msg) - 1] = '\0';
    if (is_command(j) && !j->verdict.code && j->call)
        say_started(j);
    j->running = !is_command(j) || !j->verdict.code;
    job_resume(j);
}

static void status_ready(struct loop_source *s, uint32_t events)
{
    struct job *j = container_of(s, struct job, status);
    size_t left = sizeof(j->verdict) - j->nverdict;
    uint8_t *to = (uint8_t *)&j->verdict + j->nverdict;
    ssize_t n = left ? read(s->fd, to, left) : 0;

    (void)events;
    if (n > 0)
        j->nverdict += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        status_over(j);
}

/* ---- signals and time ---- */

static void limit_over(struct alarm *a)
{
    struct job *j = container_of(a, struct job, limit);

    if (j->ending) {
        j->ending = SIGKILL;
        if (j->timed_out)
            end_tree(j);
        else
            send_signal(j, SIGKILL); /* who hangs up does not end what was detached before */
        return;
    }
    j->ending = SIGTERM;
    j->timed_out = true;
    alarm_set(j->jobs->alarms, &j->limit, KILL_MS);
    send_signal(j, SIGTERM);
    send_signal(j, SIGCONT);
}

bool job_message(struct job *j, enum msg_type type, const uint8_t *body, uint32_t len)
{
    if (!is_command(j))
        return false;
    if (type == MSG_RESIZE && len == 4) {
        if ((j->flags & MSG_F_TTY) && outlet_is_open(&j->out[0]))
            pty_resize(j->out[0].source.fd, (uint16_t)(body[0] | body[1] << 8),
                       (uint16_t)(body[2] | body[3] << 8));
        return true;
    }
    if (type == MSG_SIGNAL && len == 1 && body[0] >= 1 && body[0] <= 64) {
        if (body[0] == SIGKILL)
            end_tree(j);
        else
            send_signal(j, body[0]);
        return true;
    }
    return false;
}

void job_abandon(struct job *j)
{
    if (is_main(j)) {
        wait_for_requester(j);
        return;
    }
    j->call = NULL;
    inlet_close(&j->in);
    if (!is_command(j)) {
        send_signal(j, SIGKILL);
    } else if ((j->flags & MSG_F_HANGUP) && !j->ending) {
        j->ending = SIGHUP;
        send_signal(j, SIGHUP);
        send_signal(j, SIGCONT);
        alarm_set(j->jobs->alarms, &j->limit, KILL_MS);
    }
    job_resume(j); /* what it still prints is dropped */
}

struct job *job_attach(struct jobs *js, struct call *c, const struct request *r, struct err *e)
{
    struct job *j = js->first;

    while (j && (j->number != r->job || !j->waits))
        j = j->next;
    if (!j) {
        err_set(e, ESRCH, "no main command waits as job %u", r->job);
        return NULL;
    }
    backlog_rewind(&j->said, r->offset);
    j->call = c;
    j->waits = false;
    if (j->status.fd < 0 && !j->verdict.code)
        say_started(j);
    return j;
}

static struct job *find(const struct jobs *js, pid_t pid)
{
    struct job *j = js->first;

    while (j && (j->pid != pid || j->reaped))
        j = j->next;
    return j;
}

void jobs_ending(struct jobs *js, pid_t pid)
{
    struct job *j = find(js, pid);

    /* The zombie still holds the process group's number: the last moment to end all of it. */
    if (j && j->ending)
        kill(-pid, SIGKILL);
    if (j && j->timed_out && j->group)
        (void)group_kill(j->group);
}

void jobs_reaped(struct jobs *js, pid_t pid, int wait_status)
{
    struct job *j = find(js, pid);

    if (!j)
        return;
    j->reaped = true;
    j->wait_status = wait_status;
    alarm_cancel(js->alarms, &j->limit);
    release(j);
    check_over(j);
}

void jobs_end(struct jobs *js, uint32_t job)
{
    struct group *g = group_find(&js->groups, job);

    if (!g || group_kill(g))
        return;
    for (struct job *j = js->first; j; j = j->next)
        if (j->group == g)
            send_signal(j, SIGKILL);
}

void jobs_init(struct jobs *js, struct loop *l, struct alarms *a)
{
    *js = (struct jobs){ .loop = l, .alarms = a, .origin = { -1, -1, NULL } };
    limits_init(&js->limits);
    groups_init(&js->groups, l);
}

void jobs_fini(struct jobs *js)
{
    while (js->first)
        job_free(js->first);
    groups_fini(&js->groups);
}

/* ---- start ---- */

static int join_group(struct job *j, const struct request *r, struct err *e)
{
    struct groups *gs = &j->jobs->groups;

    if (r->type != MSG_EXEC)
        return 0;
    if (gs->dir < 0 && r->job && r->profile.present && !r->profile.loose)
        return err_set(e, EOPNOTSUPP, "this guest's kernel has no cgroup v2");
    return group_new(gs, r->job, &j->group, e);
}

/* Opens the pipes and forks. Output is watched from the next job_resume on. */
static int start(struct job *j, const struct request *r, struct err *e)
{
    struct ends x;
    int err = ends_open(r, &x, e);

    if (err)
        return err;
    inlet_init(&j->in, j->jobs->loop, x.ours.in, input_room);
    outlet_init(&j->out[0], j->jobs->loop, x.ours.out, r->type == MSG_GET ? MSG_DATA : MSG_STDOUT);
    outlet_init(&j->out[1], j->jobs->loop, x.ours.err, MSG_STDERR);
    j->status.fd = x.ours.status;
    err = loop_add(j->jobs->loop, &j->status, EPOLLIN, e);
    if (!err)
        err = join_group(j, r, e);
    if (!err) {
        j->pid = j->group ? group_fork(j->group) : fork();
        if (j->pid < 0)
            err = errno == EAGAIN ? err_set(e, EAGAIN, "no process is left for the command")
                                  : err_sys(e, "fork");
    }
    if (!err && j->pid == 0) {
        if (r->type == MSG_EXEC)
            child_exec(r, &x.childs, &j->jobs->limits, &j->jobs->origin);
        child_transfer(r, &x.childs);
    }
    ends_close(&x.childs);
    if (err)
        return err;
    if (r->timeout_ms)
        alarm_set(j->jobs->alarms, &j->limit, r->timeout_ms);
    j->running = !is_command(j);
    return 0;
}

struct job *job_start(struct jobs *js, struct call *c, const struct request *r, struct err *e)
{
    struct job *j;

    if (js->count >= JOBS_MAX) {
        err_set(e, EAGAIN, "%u commands and transfers are running already", js->count);
        return NULL;
    }
    j = calloc(1, sizeof(*j));
    if (!j) {
        err_set(e, ENOMEM, "no memory for a command");
        return NULL;
    }
    j->jobs = js;
    j->call = c;
    j->request = r->type;
    j->flags = r->flags;
    j->number = r->job;
    if (is_main(j))
        backlog_init(&j->said);
    j->status = (struct loop_source){ -1, status_ready };
    inlet_init(&j->in, js->loop, -1, input_room);
    j->limit.ring = limit_over;
    j->drain.ring = drain_over;
    for (int i = 0; i < 2; i++) {
        outlet_init(&j->out[i], js->loop, -1, MSG_STDOUT);
        j->out[i].job = j;
        j->out[i].ready = output_ready;
    }
    j->next = js->first;
    js->first = j;
    js->count++;
    if (start(j, r, e)) {
        job_free(j);
        return NULL;
    }
    return j;
}
