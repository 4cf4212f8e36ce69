#include "words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void words_flush(struct words *words)
{
    int saved = errno;
    for (size_t done = 0; done < words->length;) {
        ssize_t written = write(words->file, words->text + done, words->length - done);
        if (written > 0)
            done += (size_t)written;
        else if (errno != EINTR)
            break;
    }
    words->length = 0;
    errno = saved;
}

void words_text(struct words *words, const char *text)
{
    for (; *text; text++) {
        if (words->length == sizeof words->text)
            words_flush(words);
        words->text[words->length++] = *text;
    }
}

static void digits(struct words *words, size_t number, unsigned base, unsigned width)
{
    char text[32];
    size_t at = sizeof text;
    text[--at] = 0;
    do {
        text[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number);
    while (at > 0 && sizeof text - 1 - at < width)
        text[--at] = ' ';
    words_text(words, text + at);
}

void words_number(struct words *words, size_t number)
{
    digits(words, number, 10, 0);
}

void words_padded(struct words *words, size_t number, unsigned width)
{
    digits(words, number, 10, width);
}

void words_hex(struct words *words, size_t number)
{
    words_text(words, "0x");
    digits(words, number, 16, 0);
}

void words_end_program(struct words *words, int status)
{
    words_flush(words);
    _exit(status);
}

void words_misuse(const char *call, const void *address, const char *reason)
{
    struct words words = {.file = STDERR_FILENO};
    words_text(&words, "textbook: ");
    words_text(&words, call);
    words_text(&words, "(");
    words_hex(&words, (size_t)address);
    words_text(&words, "): ");
    words_text(&words, reason);
    words_text(&words, "\n");
    words_flush(&words);
    abort();
}
