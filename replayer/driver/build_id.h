/* The linker's fingerprint of a file: tells two builds apart that call themselves the same. */
#ifndef HEAPTAPE_REPLAYER_DRIVER_BUILD_ID_H
#define HEAPTAPE_REPLAYER_DRIVER_BUILD_ID_H

/* 40 hexadecimal digits as a rule, at most; "" where the file has none or cannot be read. Returns
 * text. */
#define BUILD_ID_BYTES 65
const char *build_id(const char *path, char text[BUILD_ID_BYTES]);

#endif
