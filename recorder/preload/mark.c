/* What recorder/heaptape.h calls in a recorded program. */
#include <stdbool.h>
#include <string.h>

#include "recorder/preload/lane.h"

__attribute__((visibility("default"))) void heaptape_mark_event(const char *text);
__attribute__((visibility("default"))) void heaptape_mark_event(const char *text)
{
    struct ring_lane *lane = lane_enter();
    if (lane)
        lane_leave(lane_mark(lane, text, strnlen(text, RAW_MARK_BYTES)));
}
