#include "replayer/engine/metadata.h"
#include <stdlib.h>
#include <string.h>
#include "replayer/engine/engine.h"

/* Each is there only where the allocator that was preloaded has it. */
__attribute__((weak)) int mallctl(const char *name, void *old, size_t *old_bytes, void *new_value,
                                  size_t new_bytes);
__attribute__((weak)) void MallocExtension_GetStats(char *text, int bytes);
__attribute__((weak)) size_t heaptape_metadata(void);

static uint64_t told_by_jemalloc(void)
{
    size_t bytes = 0, length = sizeof bytes;
    uint64_t epoch = 1; /* figures are of the last time that this was written */
    if (mallctl("epoch", NULL, NULL, &epoch, sizeof epoch) ||
        mallctl("stats.metadata", &bytes, &length, NULL, 0))
        return ENGINE_UNKNOWN;
    return bytes;
}

/* "MALLOC: +      2752512 (    2.6 MiB) Bytes in malloc metadata" */
static uint64_t told_by_tcmalloc(void)
{
    static char text[8192];
    MallocExtension_GetStats(text, (int)sizeof text);
    const char *words = strstr(text, "Bytes in malloc metadata"), *line = words;
    while (line && line > text && line[-1] != '\n')
        line--;
    const char *number = line ? strpbrk(line, "0123456789") : NULL;
    return number && number < words ? strtoull(number, NULL, 10) : ENGINE_UNKNOWN;
}

uint64_t metadata_told(void)
{
    if (heaptape_metadata)
        return heaptape_metadata();
    if (mallctl)
        return told_by_jemalloc();
    if (MallocExtension_GetStats)
        return told_by_tcmalloc();
    return ENGINE_UNKNOWN;
}
