/*
 * Text of unknown origin made safe to print: names and arguments on a tape are any bytes but NUL.
 */
#ifndef HEAPTAPE_TRACES_TEXT_H
#define HEAPTAPE_TRACES_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Length of the valid UTF-8 character at `text` (1..4), 0 where the bytes are none. Reads no
 * further than the first byte that does not fit, so a NUL ends it.
 */
size_t text_utf8(const char *text, uint32_t *ret_character);
/* A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void text_write_json(FILE *out, const char *text);
/* A CSV field, quoted where it needs to be. */
void text_write_csv(FILE *out, const char *text);
/* Columns on a terminal, counting one a character. */
size_t text_columns(const char *text);
/* A heap copy without control characters (shown as \n, \x1b, ...), so no terminal obeys it. NULL:
 * no memory. */
char *text_printable(const char *text);

#endif
