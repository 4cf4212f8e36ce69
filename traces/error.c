#include "traces/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Bytes of files find their way into messages: one line of printable text, whatever they were. */
static void keep_to_one_line(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
    }
}

enum tape_status tape_error_set(struct tape_error *error, enum tape_status status, uint64_t offset,
                                const char *format, ...)
{
    if (!error)
        return status;
    error->status = status;
    error->offset = offset;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    keep_to_one_line(error->message);
    return status;
}

void tape_error_add(struct tape_error *error, const char *format, ...)
{
    if (!error)
        return;
    char whole[sizeof error->message];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(whole, sizeof whole, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof whole - 3)
        return;
    size_t room = sizeof whole - (size_t)length - 3, tail = strnlen(error->message, room);
    memcpy(whole + length, ": ", 2);
    memcpy(whole + length + 2, error->message, tail);
    whole[(size_t)length + 2 + tail] = 0;
    memcpy(error->message, whole, sizeof whole);
    keep_to_one_line(error->message);
}

enum heaptape_exit tape_exit_status(enum tape_status status)
{
    switch (status) {
    case TAPE_OK:
    case TAPE_END:
        return HEAPTAPE_EXIT_OK;
    case TAPE_BAD_INPUT:
    case TAPE_DAMAGED:
        return HEAPTAPE_EXIT_BAD_INPUT;
    case TAPE_SYSTEM:
    case TAPE_NO_MEMORY:
        break;
    }
    return HEAPTAPE_EXIT_ENVIRONMENT;
}
