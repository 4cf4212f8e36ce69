/*
 * Makes resident, before a baseline is taken, what the engine and libc would fault in later: their
 * code, their data, and the first thread's stack as deep as the replay goes. So none of it shows as
 * growth. The allocator's own mappings are left alone. Needs Linux 5.14; where it cannot be done
 * some pages of the engine's show.
 */
#ifndef HEAPTAPE_REPLAYER_WARM_H
#define HEAPTAPE_REPLAYER_WARM_H

void warm_up(void);

#endif
