/* alarm.c - see alarm.h. */
#include "guest/alarm.h"

#include "base/fd.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>

#define NS_PER_S  1000000000ull
#define NS_PER_MS 1000000ull

static uint64_t now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* Programs the timer for the earliest alarm. */
static void arm(struct alarms *s)
{
    struct itimerspec when = { 0 };
    uint64_t at = 0;

    for (const struct alarm *a = s->first; a; a = a->next)
        if (!at || a->at < at)
            at = a->at;
    when.it_value.tv_sec = (time_t)(at / NS_PER_S);
    when.it_value.tv_nsec = (long)(at % NS_PER_S);
    timerfd_settime(s->timer.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void take(struct alarms *s, struct alarm *a)
{
    for (struct alarm **p = &s->first; *p; p = &(*p)->next)
        if (*p == a) {
            *p = a->next;
            break;
        }
    a->at = 0;
    a->next = NULL;
}

static void expired(struct loop_source *src, uint32_t events)
{
    struct alarms *s = container_of(src, struct alarms, timer);
    uint64_t count, t = now();
    struct alarm *a;

    (void)events;
    if (read(src->fd, &count, sizeof(count)) < 0)
        return;
    /* A ring may set and cancel any alarm: start over after each. What it sets lies after t. */
    do {
        for (a = s->first; a && a->at > t; a = a->next)
            ;
        if (a) {
            take(s, a);
            a->ring(a);
        }
    } while (a);
    arm(s);
}

int alarms_init(struct alarms *s, struct loop *l, struct err *e)
{
    *s = (struct alarms){ .loop = l };
    s->timer.ready = expired;
    s->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (s->timer.fd < 0)
        return err_sys(e, "timer");
    return loop_add(l, &s->timer, EPOLLIN, e);
}

void alarms_fini(struct alarms *s)
{
    if (s->timer.fd < 0)
        return;
    loop_remove(s->loop, &s->timer);
    fd_closep(&s->timer.fd);
}

void alarm_set(struct alarms *s, struct alarm *a, uint32_t ms)
{
    if (a->at)
        take(s, a);
    a->at = now() + ms * NS_PER_MS + 1;
    a->next = s->first;
    s->first = a;
    arm(s);
}

void alarm_cancel(struct alarms *s, struct alarm *a)
{
    if (!a->at)
        return;
    take(s, a);
    arm(s);
}
