/* Words to the user from inside the allocator: by write(2) alone, so that nothing here allocates,
 * locks or can be interrupted into a deadlock. */
#ifndef HTMALLOC_MESSAGE_H
#define HTMALLOC_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

/* A line being put together on the caller's stack; what does not fit is cut off. */
struct ht_line {
    char text[400];
    size_t length;
};

void line_text(struct ht_line *line, const char *text);
void line_number(struct ht_line *line, uint64_t number);
void line_hex(struct ht_line *line, uintptr_t number);
void line_write(struct ht_line *line); /* adds the newline, writes to stderr, empties the line */

/* Ends the program because it misused `address` in `operation`: one line on stderr, with what the
 * address lies in where that is known (where.h), then abort(). */
_Noreturn void ht_die_pointer(const char *operation, const void *address, const char *reason);

/* Ends the program because invariant `number` of DESIGN.md does not hold. */
_Noreturn void ht_die_check(int number, const char *condition, const char *file, int at);

#endif
