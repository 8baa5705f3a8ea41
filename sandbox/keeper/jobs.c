/*
 * jobs.c - commands by number. A command that ended may have left processes behind; they are the
 * command's as far as the policy goes, and end when it is no longer allowed.
 */
#include "sandbox/keeper/keeper.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define END_MS 5000 /* a guest needs milliseconds to kill what is in a cgroup */

static uint32_t number_of(const uint8_t *b)
{
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

struct job *job_new(struct keeper *k, struct msg_builder *b, struct err *e)
{
    struct job *j = NULL;

    for (size_t i = 0; i < KEEPER_JOBS && !j; i++)
        if (k->jobs[i].id == 0)
            j = &k->jobs[i];
    if (!j) {
        err_set(e, EAGAIN, "%u commands run, or have left something behind", KEEPER_JOBS);
        return NULL;
    }
    if (++k->last_job == 0) {
        k->last_job--; /* four thousand million were enough */
        err_set(e, EAGAIN, "no more commands: their numbers are used up");
        return NULL;
    }
    *j = (struct job){ .k = k,
                       .id = k->last_job,
                       .asked = strdup(guard_asked(k->guard)),
                       .held = strdup(guard_held(k->guard)) };
    k->kept->last_job = k->last_job;
    k->kept->jobs[j - k->jobs] = j->id;
    if (!j->asked || !j->held) {
        job_free(j);
        err_set(e, ENOMEM, "out of memory");
        return NULL;
    }
    msg_add_u32(b, MSG_JOB, j->id);
    return j;
}

void job_free(struct job *j)
{
    free(j->asked);
    free(j->held);
    if (j->k)
        j->k->kept->jobs[j - j->k->jobs] = 0;
    *j = (struct job){ 0 };
}

static void note_end(struct job *j, const char *of, const char *why)
{
    char text[512];

    snprintf(text, sizeof(text), "job %u%s: %s", j->id, of, why);
    guard_note(j->k->guard, "exec.end", text);
    keeper_log(j->k, "ended: %s", text);
}

static void settle(struct job *j)
{
    if (j->gone && !j->session)
        job_free(j);
}

void jobs_gone(struct keeper *k, const struct msg_frame *gone)
{
    uint32_t id = number_of(gone->body);

    for (size_t i = 0; i < KEEPER_JOBS && id; i++) {
        struct job *j = &k->jobs[i];

        if (j->id != id)
            continue;
        j->gone = true;
        j->end_due = 0;
        settle(j);
        return;
    } /* R06: unknown, or forgotten */
}

/* The guest answers that it is gone, also if it never heard of it. */
static void ask_to_end(struct job *j)
{
    const uint8_t id[4] = { (uint8_t)j->id, (uint8_t)(j->id >> 8), (uint8_t)(j->id >> 16),
                            (uint8_t)(j->id >> 24) };
    const struct msg_frame f = { .type = MSG_END, .len = sizeof(id), .body = id };

    j->gone = false; /* to be said again: it was said of a command that runs, or not at all */
    if (j->k->roster && !session_send(j->k->roster, &f))
        keeper_log(j->k, "job %u: the guest takes nothing now", j->id);
}

/* What does not reach the guest is not answered in time, and that has consequences enough. */
static void tell_to_end(struct job *j)
{
    j->end_due = keeper_now() + keeper_setting("CARREL_END_MS", END_MS);
    ask_to_end(j);
}

/*
 * What never ran left nothing, and the guest may not have a number for it. Whose client went before
 * it began may run all the same, or the guest never hears of it: only the guest can tell, and what
 * the policy has denied meanwhile has to end.
 */
void job_left(struct job *j, const struct msg_frame *last)
{
    bool began = j->session->talk.started, refused = last && last->type == MSG_ERROR;

    j->session = NULL;
    if (!began && refused)
        j->gone = true;
    else if (!began && j->denied)
        tell_to_end(j);
    else if (!began)
        ask_to_end(j);
    settle(j);
}

void job_started(struct job *j)
{
    if (j->denied)
        tell_to_end(j);
}

/* Where the main command stands in the books. Its number is struck out when all of it has ended,
 * which may have been before anybody wrote down how. */
static size_t place_of_main(const struct kept *kept)
{
    size_t at = 0, i = 0;

    while (i < KEEPER_JOBS && kept->jobs[i] != kept->main_job)
        i++;
    if (i < KEEPER_JOBS)
        return i;
    while (at < KEEPER_JOBS - 1 && kept->jobs[at])
        at++;
    return at; /* with no place free they are forged, and lose one */
}

static void adopt_main(struct keeper *k, struct session *main)
{
    struct kept *kept = k->kept;
    struct job *j = &k->jobs[place_of_main(kept)];

    *j = (struct job){ .k = k,
                       .id = kept->main_job,
                       .session = main,
                       .asked = strndup(kept->asked, KEPT_TEXT),
                       .held = strndup(kept->held, KEPT_TEXT) };
    kept->jobs[j - k->jobs] = j->id;
    main->job = j;
}

void jobs_adopt(struct keeper *k, struct session *main)
{
    const struct kept *kept = k->kept;

    k->last_job = kept->last_job;
    if (main)
        adopt_main(k, main);
    for (size_t i = 0; i < KEEPER_JOBS; i++) {
        struct job *j = &k->jobs[i];

        if (!kept->jobs[i] || j->id)
            continue;
        *j = (struct job){ .k = k, .id = kept->jobs[i], .denied = true };
        note_end(j, "", "its keeper was killed");
        tell_to_end(j);
    }
}

/* The command is not there yet: the guest would not know what to end. */
static bool is_coming(const struct job *j)
{
    return j->session && !j->session->talk.started;
}

static void end(struct job *j, const char *why)
{
    struct keeper *k = j->k;

    note_end(j, j->session ? "" : ", what its command left behind", why);
    j->denied = true;
    if (!is_coming(j)) {
        tell_to_end(j);
    } else if (j->session == k->main) {
        keeper_reason(k, "stopped", "the policy in force now denies its command");
        keeper_event(k, LIFE_STOP);
    }
}

void jobs_decide_again(struct keeper *k)
{
    for (size_t i = 0; i < KEEPER_JOBS; i++) {
        struct job *j = &k->jobs[i];
        struct err why = ERR_INIT;

        if (j->id && !j->denied && !guard_still(k->guard, j->asked, j->held, &why))
            end(j, why.msg);
    }
}

int64_t jobs_tick(struct keeper *k, int64_t now)
{
    int64_t next = INT64_MAX;

    for (size_t i = 0; i < KEEPER_JOBS; i++) {
        struct job *j = &k->jobs[i];

        if (!j->id || !j->end_due)
            continue;
        if (j->end_due > now) {
            next = j->end_due < next ? j->end_due : next;
            continue;
        }
        j->end_due = 0;
        keeper_reason(k, "watchdog", "the guest does not end what the policy denies");
        keeper_event(k, LIFE_KILL);
    }
    return next;
}

void jobs_fini(struct keeper *k)
{
    for (size_t i = 0; i < KEEPER_JOBS; i++)
        job_free(&k->jobs[i]);
}
