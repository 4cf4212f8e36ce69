#include "replayer/driver/json_file.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "traces/cli.h"

#define FILE_MAX ((size_t)1 << 30)

cJSON *json_file_read(const char *path)
{
    struct stat info;
    FILE *file = fopen(path, "re");
    if (!file || fstat(fileno(file), &info) < 0)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot read %s: %s", path, strerror(errno));
    size_t bytes = (size_t)info.st_size < FILE_MAX ? (size_t)info.st_size : FILE_MAX;
    char *text = malloc(bytes + 1);
    if (!text)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    text[fread(text, 1, bytes, file)] = 0;
    fclose(file);
    cJSON *json = cJSON_Parse(text);
    free(text);
    if (!cJSON_IsObject(json))
        cli_die(HEAPTAPE_EXIT_BAD_INPUT, "%s: is torn or not JSON; make it again", path);
    return json;
}

double json_number(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItem(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}
