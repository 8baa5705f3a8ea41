/* tty.c - see tty.h. */
#include "sandbox/cli/tty.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

/* What the handlers need: a signal handler has no argument. Written before changed is. */
static struct termios original;
static int terminal = -1;
static volatile sig_atomic_t changed;

void tty_restore(void)
{
    if (!changed)
        return;
    changed = 0;

    int kept = errno;

    tcsetattr(terminal, TCSANOW, &original);
    errno = kept;
}

/* A crash must not leave the user with a terminal that does not echo. */
static void on_crash(int signo)
{
    tty_restore();
    signal(signo, SIG_DFL);
    raise(signo);
}

static int set_raw(void)
{
    struct termios raw = original;

    cfmakeraw(&raw);
    return tcsetattr(terminal, TCSANOW, &raw);
}

int tty_raw(int fd, struct err *e)
{
    static const int crashes[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS };
    struct sigaction sa = { .sa_handler = on_crash };

    if (tcgetattr(fd, &original))
        return err_sys(e, "terminal");
    terminal = fd;
    for (size_t i = 0; i < array_len(crashes); i++)
        sigaction(crashes[i], &sa, NULL);
    if (atexit(tty_restore))
        return err_set(e, ENOMEM, "terminal: out of memory");
    changed = 1;
    if (set_raw()) {
        changed = 0;
        return err_sys(e, "terminal: raw mode");
    }
    return 0;
}

void tty_raw_again(void)
{
    if (changed)
        (void)set_raw();
}

bool tty_size(int fd, uint16_t *rows, uint16_t *cols)
{
    struct winsize w;

    if (ioctl(fd, TIOCGWINSZ, &w) || w.ws_row == 0 || w.ws_col == 0)
        return false;
    *rows = w.ws_row;
    *cols = w.ws_col;
    return true;
}

/* One key of the list, len bytes of text: its byte, or -EINVAL. */
static int parse_key(const char *text, size_t len)
{
    static const char prefix[] = "ctrl-";

    if (len == 1 && *text > ' ' && *text < 0x7f)
        return *text;
    if (len != sizeof(prefix) || memcmp(text, prefix, sizeof(prefix) - 1) != 0)
        return -EINVAL;

    char c = text[len - 1];

    if (c >= 'a' && c <= 'z')
        c = (char)(c - 'a' + 'A');
    if (c < '@' || c > '_')
        return -EINVAL;
    return c - '@';
}

int tty_parse_keys(const char *text, uint8_t keys[TTY_KEYS_MAX])
{
    int n = 0;

    if (*text == '\0')
        return 0;
    for (;;) {
        size_t len = strcspn(text, ",");
        int key = parse_key(text, len);

        if (key < 0 || n == TTY_KEYS_MAX)
            return -EINVAL;
        keys[n++] = (uint8_t)key;
        text += len;
        if (*text == '\0')
            return n;
        text++;
    }
}

bool tty_keys_filter(struct tty_keys *k, const uint8_t *in, size_t len, uint8_t *out, size_t *used)
{
    *used = 0;
    for (size_t i = 0; i < len; i++) {
        if (k->nkeys && in[i] == k->keys[k->matched]) {
            if (++k->matched == k->nkeys) {
                k->matched = 0;
                return true;
            }
            continue;
        }

        /* Not the keys after all. What was held goes out, but its end may begin them anew. */
        unsigned held = k->matched;

        k->matched = 0;
        for (unsigned h = 0; h < held; h++)
            out[(*used)++] = k->keys[h];
        if (held) {
            i--; /* this byte again, from the start of the keys */
            continue;
        }
        out[(*used)++] = in[i];
    }
    return false;
}
