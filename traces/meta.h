/*
 * Metadata: "key=value" lines. In a value a backslash stands as "\\" and a newline as "\n"; keys
 * are [a-z_]+. On disk it ends without NUL; in memory it is kept unescaped as NUL-ended strings.
 */
#ifndef HEAPTAPE_TRACES_META_H
#define HEAPTAPE_TRACES_META_H

#include <stdbool.h>
#include <stddef.h>

struct meta {
    char *text; /* "key\0value\0" again and again; the caller's memory */
    size_t bytes, capacity;
};

/* Sets a value, in place of one that was there. False (nothing changed) where it does not fit or is
 * no key. */
bool meta_set(struct meta *meta, const char *key, const char *value);
/* The value, NULL where the key is absent. Valid until the next change. */
const char *meta_get(const struct meta *meta, const char *key);
/* The n-th pair; false beyond the last. */
bool meta_at(const struct meta *meta, size_t index, const char **ret_key, const char **ret_value);
/* Adds what stands on disk; lines that are none are left out. Never trusts `text`. */
void meta_parse(struct meta *meta, const char *text, size_t bytes);
/* The disk form. Returns its length, at most `capacity`: pairs that do not fit are left out. */
size_t meta_format(const struct meta *meta, char *text, size_t capacity);

#endif
