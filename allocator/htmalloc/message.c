#include "message.h"

#include "where.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void line_text(struct ht_line *line, const char *text)
{
    size_t room = sizeof line->text - 1 - line->length;
    size_t length = strlen(text);
    if (length > room)
        length = room;
    memcpy(line->text + line->length, text, length);
    line->length += length;
}

static void line_digits(struct ht_line *line, uint64_t number, unsigned base)
{
    char digits[24];
    size_t at = sizeof digits;
    digits[--at] = '\0';
    do {
        digits[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    line_text(line, digits + at);
}

void line_number(struct ht_line *line, uint64_t number)
{
    line_digits(line, number, 10);
}

void line_hex(struct ht_line *line, uintptr_t number)
{
    line_text(line, "0x");
    line_digits(line, number, 16);
}

void line_write(struct ht_line *line)
{
    int saved = errno;
    line->text[line->length++] = '\n';
    const char *at = line->text;
    while (line->length > 0) {
        ssize_t written = write(STDERR_FILENO, at, line->length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            break;
        at += written;
        line->length -= (size_t)written;
    }
    line->length = 0;
    errno = saved;
}

void ht_die_pointer(const char *operation, const void *address, const char *reason)
{
    struct ht_line line = {.length = 0};
    line_text(&line, "htmalloc: ");
    line_text(&line, operation);
    line_text(&line, "(");
    line_hex(&line, (uintptr_t)address);
    line_text(&line, "): ");
    line_text(&line, reason);
    line_where(&line, address);
    line_write(&line);
    abort();
}

void ht_die_check(int number, const char *condition, const char *file, int at)
{
    struct ht_line line = {.length = 0};
    line_text(&line, "htmalloc: invariant ");
    line_number(&line, (uint64_t)number);
    line_text(&line, " broken: ");
    line_text(&line, condition);
    line_text(&line, " at ");
    line_text(&line, file);
    line_text(&line, ":");
    line_number(&line, (uint64_t)at);
    line_write(&line);
    abort();
}
