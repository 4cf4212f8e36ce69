/*
 * Text to a file descriptor, put together without the heap and without stdio. Lines are kept back
 * until the buffer is full or words_flush() is called. A write that fails is given up: there is
 * nobody to tell.
 */
#ifndef TEXTBOOK_WORDS_H
#define TEXTBOOK_WORDS_H

#include <stddef.h>

struct words {
    int file;
    size_t length;
    char text[1024];
};

void words_text(struct words *words, const char *text);
void words_number(struct words *words, size_t number);
void words_padded(struct words *words, size_t number, unsigned width); /* right-aligned */
void words_hex(struct words *words, size_t number);
void words_flush(struct words *words);
/* Writes what there is and ends the program without running its exit handlers. */
_Noreturn void words_end_program(struct words *words, int status);
/* "textbook: CALL(ADDRESS): REASON" on stderr, then abort(). */
_Noreturn void words_misuse(const char *call, const void *address, const char *reason);

#endif
