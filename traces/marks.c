#include "traces/marks.h"

#include <string.h>

#include "traces/format.h"

void tape_marks_each(const struct tape_extra *extra,
                     void (*callback)(const struct tape_mark *mark, void *context), void *context)
{
    const char *at = extra->payload;
    size_t left = extra->kind == FORMAT_MARKS && extra->encoding == 1 ? extra->bytes : 0;
    struct format_mark head;
    while (left >= sizeof head) {
        memcpy(&head, at, sizeof head);
        at += sizeof head;
        left -= sizeof head;
        if (head.bytes > left)
            return;
        struct tape_mark mark = {head.event, head.time_ns, head.lane, head.bytes, at};
        callback(&mark, context);
        at += head.bytes;
        left -= head.bytes;
    }
}
