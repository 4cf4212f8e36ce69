#include "traces/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

size_t text_utf8(const char *text, uint32_t *ret_character)
{
    const unsigned char *byte = (const unsigned char *)text;
    if (byte[0] < 0x80) {
        *ret_character = byte[0];
        return 1;
    }
    size_t length = byte[0] >= 0xf0 ? 4 : byte[0] >= 0xe0 ? 3 : 2;
    if (byte[0] < 0xc2 || byte[0] > 0xf4)
        return 0;
    uint32_t character = byte[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (byte[i] & 0x3f);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (character < least[length] || character > 0x10ffff ||
        (character >= 0xd800 && character < 0xe000))
        return 0;
    *ret_character = character;
    return length;
}

static void json_ascii(FILE *out, unsigned char byte)
{
    static const char letters[] = "btnvfr"; /* 8..13 */
    if (byte == '"' || byte == '\\')
        fprintf(out, "\\%c", byte);
    else if (byte >= 8 && byte <= 13 && byte != 11)
        fprintf(out, "\\%c", letters[byte - 8]);
    else if (byte < 0x20 || byte == 0x7f)
        fprintf(out, "\\u%04x", byte);
    else
        fputc(byte, out);
}

void text_write_json(FILE *out, const char *text)
{
    fputc('"', out);
    while (*text) {
        uint32_t character;
        size_t length = text_utf8(text, &character);
        if (!length) {
            fputs("\\ufffd", out);
            text++;
        } else if (length == 1) {
            json_ascii(out, (unsigned char)*text++);
        } else {
            fwrite(text, 1, length, out);
            text += length;
        }
    }
    fputc('"', out);
}

void text_write_csv(FILE *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

size_t text_columns(const char *text)
{
    size_t columns = 0;
    for (; *text; text++)
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    return columns;
}

char *text_printable(const char *text)
{
    char *shown = malloc(4 * strlen(text) + 1), *out = shown;
    if (!shown)
        return NULL;
    while (*text) {
        uint32_t character;
        size_t length = text_utf8(text, &character);
        bool control = !length || character < 0x20 || (character >= 0x7f && character < 0xa0);
        if (!control) {
            memcpy(out, text, length);
            out += length;
        } else if (*text == '\n' || *text == '\t') {
            out += sprintf(out, *text == '\n' ? "\\n" : "\\t");
        } else {
            length = length ? length : 1;
            for (size_t i = 0; i < length; i++)
                out += sprintf(out, "\\x%02x", (unsigned char)text[i]);
        }
        text += length;
    }
    *out = 0;
    return shown;
}
