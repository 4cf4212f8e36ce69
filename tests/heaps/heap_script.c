/*
 * Makes the calls of a script on a textbook allocator and prints where each block went (region and
 * offset, as the picture counts them) and a picture of the heap at the end. The policy and switches
 * come from the environment (TEXTBOOK_POLICY and so on). A line of the script, from standard input:
 *
 *     a = malloc 100            names are single letters
 *     b = memalign 256 100
 *     a = realloc a 5000
 *     free b
 *
 * Blank lines and those that begin with # count for nothing. Exit status 2 at a line that is none.
 * Nothing here uses libc's malloc: brk is the allocator's alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocator/textbook/options.h"
#include "allocator/textbook/region.h"
#include "allocator/textbook/textbook.h"
#include "allocator/textbook/words.h"

static char script[16384];
static char *blocks[26];
static struct words words = {.file = STDOUT_FILENO};

static void tell(const char *line, const char *block)
{
    size_t number = 1;
    const struct region *region = region_first;
    words_text(&words, line);
    for (; region && (block < region_start(region) || block >= region_end(region)); number++)
        region = region->next;
    words_text(&words, "  -> ");
    if (region) {
        words_number(&words, number);
        words_text(&words, "+");
        words_number(&words, (size_t)(block - (const char *)region));
    } else {
        words_text(&words, block ? "a mapping" : "NULL");
    }
    words_text(&words, "\n");
}

static int run(const char *line)
{
    char to, from;
    unsigned long size, align;
    if (sscanf(line, "free %c", &from) == 1) {
        textbook_free(blocks[from - 'a']);
        words_text(&words, line);
        words_text(&words, "\n");
        return 0;
    }
    if (sscanf(line, "%c = malloc %lu", &to, &size) == 2)
        blocks[to - 'a'] = textbook_malloc(size);
    else if (sscanf(line, "%c = memalign %lu %lu", &to, &align, &size) == 3)
        blocks[to - 'a'] = textbook_memalign(align, size);
    else if (sscanf(line, "%c = realloc %c %lu", &to, &from, &size) == 3)
        blocks[to - 'a'] = textbook_realloc(blocks[from - 'a'], size);
    else
        return 2;
    tell(line, blocks[to - 'a']);
    return 0;
}

int main(void)
{
    options_read(environ);
    for (ssize_t got, length = 0;
         (got = read(STDIN_FILENO, script + length, sizeof script - 1 - (size_t)length)) > 0;)
        length += got;
    for (char *line = strtok(script, "\n"); line; line = strtok(NULL, "\n")) {
        if (*line != '#' && run(line) != 0) {
            fprintf(stderr, "heap_script: '%s' is no line of a script\n", line);
            return 2;
        }
    }
    words_text(&words, textbook_check() ? textbook_check() : "");
    words_flush(&words);
    textbook_picture(STDOUT_FILENO, 0);
    return textbook_check() != NULL;
}
