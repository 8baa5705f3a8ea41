/* test_guest_backlog.c - what was said last is said again: the same bytes of the same streams. */
#include "guest/backlog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SAID (3u << 20)

/* All that was ever said, and in which stream; its frames' lengths, with headers. */
static uint8_t said[SAID], stream[SAID];
static size_t nsaid, since[SAID]; /* bytes of frames up to the end of the one with this byte */
static size_t frames;

static void say(struct backlog *b, size_t len)
{
    static uint8_t body[MSG_MAX];
    uint8_t type = (uint8_t)(rand() % 2 ? MSG_STDOUT : MSG_STDERR);

    frames += MSG_HEADER + len;
    for (size_t i = 0; i < len; i++) {
        body[i] = said[nsaid + i] = (uint8_t)rand();
        stream[nsaid + i] = type;
        since[nsaid + i] = frames - MSG_HEADER - len; /* where its frame begins */
    }
    nsaid += len;
    backlog_add(b, (enum msg_type)type, body, len);
}

/* From this place on, in pieces of at most `room`; from where on it was said. */
static size_t hear(struct backlog *b, uint64_t place, size_t room)
{
    size_t at = 0, left;

    backlog_rewind(b, place);
    left = place > b->end ? 0 : (size_t)(b->end - (place > b->begin ? place : b->begin));
    at = nsaid - left;
    while (backlog_waits(b)) {
        struct msg_frame f = backlog_next(b, room);

        assert_true(f.len > 0 && f.len <= room);
        assert_memory_equal(f.body, said + at, f.len);
        for (size_t i = 0; i < f.len; i++)
            assert_int_equal(stream[at + i], f.type);
        at += f.len;
    }
    assert_int_equal(at, nsaid);
    return nsaid - left;
}

static void the_last_of_it_is_said_again(void **state)
{
    struct backlog b;

    (void)state;
    backlog_init(&b);
    srand(7);
    while (nsaid + MSG_MAX < SAID) {
        int kind = rand() % 4;

        say(&b, kind == 0 ? MSG_MAX : 1 + (size_t)rand() % (kind == 1 ? 9 : 5000));
        if (rand() % 8)
            continue;
        for (int i = 0; i < 3; i++) {
            size_t place = (size_t)rand() % (nsaid + 1),
                   from = hear(&b, place, 1 + (size_t)rand() % MSG_MAX);

            /* All of a frame that begins within the last BACKLOG_BYTES. */
            if (place < nsaid && frames - since[place] <= BACKLOG_BYTES)
                assert_int_equal(from, place);
            assert_true(from >= place);
        }
        assert_int_equal(hear(&b, nsaid, 1), nsaid);
        assert_int_equal(hear(&b, UINT64_MAX, 1), nsaid);
        (void)hear(&b, 0, MSG_MAX);
        backlog_rewind(&b, nsaid - 1); /* another one comes in the middle */
        assert_true(backlog_waits(&b));
        (void)hear(&b, 0, 100);
    }
    backlog_fini(&b);
}

/* Without memory a command is heard all the same. */
static void nothing_is_kept_without_memory(void **state)
{
    struct backlog b = { 0 };

    (void)state;
    backlog_add(&b, MSG_STDOUT, "x", 1);
    backlog_rewind(&b, 0);
    assert_false(backlog_waits(&b));
    backlog_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_of_it_is_said_again),
        cmocka_unit_test(nothing_is_kept_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
