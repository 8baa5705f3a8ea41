/* notes.c - see notes.h. */
#include "policies/notes.h"

#include <string.h>

#define DASH       "\xe2\x80\x94 "
#define NUMBER_MAX ((UINT64_C(1) << 53) - 1)

static bool plain(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)p[i] < ' ' && p[i] != '\n') || p[i] == 0x7f)
            return false;
    return true;
}

/* "— KEY SIGNATURE\n", which has one length. */
#define LINE_LEN (strlen(DASH) + (ED25519_KEY_TEXT - 1) + 1 + (ED25519_SIG_TEXT - 1) + 1)

static bool signature(const char *p, struct note_signature *out)
{
    char key[ED25519_KEY_TEXT], sig[ED25519_SIG_TEXT];

    p += strlen(DASH);
    memcpy(key, p, sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    p += sizeof(key) - 1;
    memcpy(sig, p + 1, sizeof(sig) - 1);
    sig[sizeof(sig) - 1] = '\0';
    return p[0] == ' ' && p[sizeof(sig)] == '\n' && ed25519_key_parse(key, out->key) &&
           ed25519_sig_parse(sig, out->sig);
}

static bool has_key(const struct note *n, const uint8_t key[ED25519_KEY_BYTES])
{
    for (uint32_t i = 0; i < n->n; i++)
        if (memcmp(n->v[i].key, key, ED25519_KEY_BYTES) == 0)
            return true;
    return false;
}

const char *note_parse(const char **at, const char *end, struct note *out)
{
    const char *gap = memmem(*at, (size_t)(end - *at), "\n\n", 2), *p;

    if (!gap || gap == *at)
        return "no empty line between what is signed and its signatures";
    *out = (struct note){ .text = *at, .len = (size_t)(gap + 1 - *at) };
    if (out->len > NOTE_BYTES_MAX)
        return "longer than 64 KiB";
    if (!plain(out->text, out->len))
        return "a control byte";
    for (p = gap + 2; (size_t)(end - p) >= LINE_LEN && memcmp(p, DASH, strlen(DASH)) == 0;
         p += LINE_LEN) {
        struct note_signature s;

        if (out->n == NOTE_SIGNATURES_MAX)
            return "more than 16 signatures";
        if (!signature(p, &s))
            return "a signature line that is not \"\xe2\x80\x94 ed25519:KEY SIGNATURE\"";
        if (has_key(out, s.key))
            return "two signatures of one key";
        out->v[out->n++] = s;
    }
    if (!out->n)
        return "no signature below the empty line";
    *at = p;
    return NULL;
}

void note_print(const struct note *n, struct text *out)
{
    text_bytes(out, n->text, n->len);
    text_add(out, "\n");
    for (uint32_t i = 0; i < n->n; i++) {
        char key[ED25519_KEY_TEXT], sig[ED25519_SIG_TEXT];

        ed25519_key_print(n->v[i].key, key);
        ed25519_sig_print(n->v[i].sig, sig);
        text_add(out, DASH "%s %s\n", key, sig);
    }
}

bool note_verify(const struct note *n, uint32_t i)
{
    return ed25519_verify(n->v[i].key, n->text, n->len, n->v[i].sig);
}

bool note_sign(struct note *n, const uint8_t private_key[ED25519_KEY_BYTES])
{
    struct note_signature s = { .key = { 0 } };
    uint32_t at = 0;

    ed25519_public(private_key, s.key);
    ed25519_sign(private_key, n->text, n->len, s.sig);
    while (at < n->n && memcmp(n->v[at].key, s.key, ED25519_KEY_BYTES) != 0)
        at++;
    if (at == NOTE_SIGNATURES_MAX)
        return false;
    n->v[at] = s;
    n->n += at == n->n;
    return true;
}

const char *note_line(struct note_lines *l, struct arena *a, const char *word)
{
    size_t n = strlen(word);
    const char *nl = memchr(l->p, '\n', (size_t)(l->end - l->p));
    const char *rest;

    if (!nl || (size_t)(nl - l->p) <= n || memcmp(l->p, word, n) != 0 || l->p[n] != ' ')
        return NULL;
    rest = arena_copy(a, l->p + n + 1, (size_t)(nl - l->p) - n - 1);
    l->p = nl + 1;
    return rest;
}

bool note_number(const char *s, uint64_t *out)
{
    uint64_t v = 0;

    if (*s < '1' || *s > '9')
        return false;
    for (; *s >= '0' && *s <= '9' && v <= NUMBER_MAX; s++)
        v = 10 * v + (uint64_t)(*s - '0');
    *out = v;
    return !*s && v <= NUMBER_MAX;
}
