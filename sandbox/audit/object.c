/* object.c - see object.h. */
#include "sandbox/audit/object.h"

#include "base/compiler.h"
#include "sandbox/audit/record.h"

#include <stdio.h>
#include <string.h>

static int nibble(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One character inside quotes: \" \\ and \xhh. NUL ends texts, so \x00 stays as it is written. */
static char unquoted(const char **p)
{
    const char *s = *p;
    int high = s[0] == '\\' && s[1] == 'x' ? nibble(s[2]) : -1;
    int low = high >= 0 ? nibble(s[3]) : -1;

    if (low >= 0 && (high || low)) {
        *p = s + 4;
        return (char)((unsigned)high << 4 | (unsigned)low);
    }
    if (*s == '\\' && s[1])
        s++;
    *p = s + 1;
    return *s;
}

bool object_word(const char **at, char *word, size_t room)
{
    const char *p = *at + strspn(*at, " ");
    bool quoted = false;
    size_t n = 0;

    if (!*p)
        return false;
    while (*p && (quoted || *p != ' ')) {
        char c = *p;

        if (c == '"') {
            quoted = !quoted;
            p++;
            continue;
        }
        if (quoted)
            c = unquoted(&p);
        else
            p++;
        if (n + 1 < room)
            word[n++] = c;
    }
    word[n] = '\0';
    *at = p;
    return true;
}

bool object_value(const char *object, const char *name, int position, char *value, size_t room)
{
    char word[AUDIT_OBJECT_MAX];
    int nth = 0;

    while (object_word(&object, word, sizeof(word)) && strcmp(word, "--") != 0) {
        if (word[0] == '-' && word[1] == '-') {
            bool found = strcmp(word + 2, name) == 0;

            if (!object_word(&object, word, sizeof(word)))
                return false;
            if (!found)
                continue;
        } else if (nth++ != position) {
            continue;
        }
        if (strlen(word) >= room)
            word[room - 1] = '\0';
        memcpy(value, word, strlen(word) + 1);
        return true;
    }
    return false;
}

bool object_destination(const char *object, char *value, size_t room)
{
    char host[AUDIT_OBJECT_MAX], port[8] = "443";
    const char *colon;

    if (!object_value(object, "host", 1, host, sizeof(host)))
        return false;
    colon = strrchr(host, ':');
    if (colon && colon[1] && !strchr(colon, ']')) {
        snprintf(value, room, "%s", host);
        return true;
    }
    if (!object_value(object, "port", -1, port, sizeof(port)))
        memcpy(port, "443", sizeof("443"));
    snprintf(value, room, "%s:%s", host, port);
    return true;
}

const char *object_rest(const char *object)
{
    char word[AUDIT_OBJECT_MAX];

    while (object_word(&object, word, sizeof(word)))
        if (strcmp(word, "--") == 0)
            return object + strspn(object, " ");
    return "";
}
