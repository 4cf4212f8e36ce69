#include "traces/meta.h"

#include <string.h>

static bool is_key(const char *key, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!((key[i] >= 'a' && key[i] <= 'z') || key[i] == '_' ||
              (key[i] >= '0' && key[i] <= '9')))
            return false;
    }
    return length > 0;
}

bool meta_at(const struct meta *meta, size_t index, const char **ret_key, const char **ret_value)
{
    for (const char *at = meta->text, *end = at + meta->bytes; at < end; index--) {
        const char *value = at + strlen(at) + 1;
        if (!index) {
            *ret_key = at;
            *ret_value = value;
            return true;
        }
        at = value + strlen(value) + 1;
    }
    return false;
}

const char *meta_get(const struct meta *meta, const char *key)
{
    const char *found, *value;
    for (size_t i = 0; meta_at(meta, i, &found, &value); i++) {
        if (!strcmp(found, key))
            return value;
    }
    return NULL;
}

bool meta_set(struct meta *meta, const char *key, const char *value)
{
    size_t key_bytes = strlen(key) + 1, value_bytes = strlen(value) + 1;
    if (!is_key(key, key_bytes - 1))
        return false;
    char *old_value = (char *)meta_get(meta, key);
    size_t old_bytes = old_value ? key_bytes + strlen(old_value) + 1 : 0;
    if (meta->bytes - old_bytes + key_bytes + value_bytes > meta->capacity)
        return false;
    if (old_value) {
        char *old = old_value - key_bytes, *after = old + old_bytes;
        memmove(old, after, (size_t)(meta->text + meta->bytes - after));
        meta->bytes -= old_bytes;
    }
    memcpy(meta->text + meta->bytes, key, key_bytes);
    memcpy(meta->text + meta->bytes + key_bytes, value, value_bytes);
    meta->bytes += key_bytes + value_bytes;
    return true;
}

/* Unescapes into `out`, which holds `bytes` + 1. */
static void unescape(const char *text, size_t bytes, char *out)
{
    for (size_t i = 0; i < bytes; i++) {
        char byte = text[i];
        if (byte == '\\' && i + 1 < bytes)
            byte = text[++i] == 'n' ? '\n' : text[i];
        if (byte)
            *out++ = byte;
    }
    *out = 0;
}

static void parse_line(struct meta *meta, const char *line, size_t bytes)
{
    const char *equals = memchr(line, '=', bytes);
    size_t key_bytes = equals ? (size_t)(equals - line) : 0;
    char key[64];
    if (!key_bytes || key_bytes >= sizeof key || !is_key(line, key_bytes))
        return;
    memcpy(key, line, key_bytes);
    key[key_bytes] = 0;
    /* Unescaped at the free end of the store, moved to its place from there. */
    size_t value_bytes = bytes - key_bytes - 1, needed = value_bytes + 1;
    if (meta->capacity - meta->bytes < 2 * needed + key_bytes + 1)
        return;
    char *value = meta->text + meta->capacity - needed;
    unescape(equals + 1, value_bytes, value);
    meta_set(meta, key, value);
}

void meta_parse(struct meta *meta, const char *text, size_t bytes)
{
    for (const char *end = text + bytes; text < end;) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *line_end = newline ? newline : end;
        parse_line(meta, text, (size_t)(line_end - text));
        text = newline ? newline + 1 : end;
    }
}

size_t meta_format(const struct meta *meta, char *text, size_t capacity)
{
    size_t bytes = 0;
    const char *key, *value;
    for (size_t i = 0; meta_at(meta, i, &key, &value); i++) {
        size_t key_bytes = strlen(key), worst = key_bytes + 2 + 2 * strlen(value);
        if (capacity - bytes < worst)
            continue;
        memcpy(text + bytes, key, key_bytes);
        bytes += key_bytes;
        text[bytes++] = '=';
        for (; *value; value++) {
            if (*value == '\n' || *value == '\\')
                text[bytes++] = '\\';
            text[bytes++] = *value == '\n' ? 'n' : *value;
        }
        text[bytes++] = '\n';
    }
    return bytes;
}
