/* Reading JSON that others wrote (hyperfine, our own results), by cJSON. */
#ifndef HEAPTAPE_REPLAYER_DRIVER_JSON_FILE_H
#define HEAPTAPE_REPLAYER_DRIVER_JSON_FILE_H

#include <cjson/cJSON.h>

/* The object in the file; free with cJSON_Delete(). Ends the tool: 4 unreadable, 3 not JSON. */
cJSON *json_file_read(const char *path);
/* The number under `key`, NAN where there is none. */
double json_number(const cJSON *object, const char *key);

#endif
