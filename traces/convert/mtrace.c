/*
 * glibc's mtrace: "= Start", then one call a line behind where it came from,
 *     @ WHERE + ADDRESS BYTES    malloc, calloc, memalign      @ WHERE - ADDRESS          free
 *     @ WHERE < ADDRESS          realloc, what it was given    @ WHERE > ADDRESS BYTES    and what
 * it gave
 *     @ WHERE ! ADDRESS BYTES    realloc that failed
 * Threads are not told apart: all is one lane. Lines of threads that ran into each other are an
 * error.
 */
#include <string.h>

#include "traces/convert/convert.h"

static bool recognizes(const char *line)
{
    return !strcmp(line, "= Start") || (line[0] == '@' && line[1] == ' ');
}

/* The last call sign between blanks: WHERE may hold any. */
static const char *find_sign(const char *line)
{
    const char *found = NULL;
    for (const char *at = line; *at && at[1]; at++) {
        if ((at == line || at[-1] == ' ') && strchr("+-<>!", *at) && at[1] == ' ')
            found = at;
    }
    return found;
}

static bool address_at(const char **at, uint64_t *ret_address)
{
    *ret_address = 0;
    return convert_number(at, 16, ret_address) || convert_word(at, "(nil)");
}

static const char *take_call(struct convert *convert, char sign, uint64_t address, uint64_t size)
{
    switch (sign) {
    case '+':
        convert_put(convert, 0, RAW_MALLOC, address, size, 0);
        break;
    case '-':
        convert_put(convert, 0, RAW_FREE, address, 0, 0);
        break;
    case '<':
        convert->pending = address + 1;
        break;
    case '>':
        if (!convert->pending)
            return "a realloc ends (>) that did not begin (<)";
        convert_realloc(convert, 0, convert->pending - 1, address, size);
        convert->pending = 0;
        break;
    default:
        convert_realloc(convert, 0, address, 0, size ? size : 1);
        break;
    }
    return NULL;
}

static const char *take_line(struct convert *convert, const char *line)
{
    uint64_t address, size = 0;
    if (line[0] == '=')
        return NULL;
    const char *at = find_sign(line);
    if (!at)
        return "no call in it (+ - < > !)";
    char sign = *at++;
    while (*at == ' ')
        at++;
    if (!address_at(&at, &address))
        return "the address is no hexadecimal number";
    if (strchr("+>!", sign) && !convert_number(&at, 16, &size))
        return "the size is no hexadecimal number";
    return take_call(convert, sign, address, size);
}

const struct convert_format convert_mtrace = {
    "mtrace",
    "glibc mtrace",
    recognizes,
    take_line,
};
