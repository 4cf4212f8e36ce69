/* Where is my memory? Prints the parts of what is mapped, which add up, and the fullest size class.
 * The same works in a program on libhtmalloc.so and in one that links the archive. */
#include <htmalloc.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    static void *blocks[1000];
    for (int i = 0; i < 1000; i++)
        blocks[i] = memset(ht_malloc(200), 1, 200);
    for (int i = 0; i < 1000; i += 2)
        ht_free(blocks[i]);

    struct ht_stats stats;
    ht_stats(&stats);
    size_t parts = stats.live + stats.internal + stats.free_in_runs + stats.uncarved +
                   stats.cached + stats.dirty + stats.huge_kept + stats.metadata + stats.clean;
    printf("live %zu, free in runs %zu, parts %s what is mapped\n", stats.live, stats.free_in_runs,
           parts == stats.mapped ? "add up to" : "differ from");

    struct ht_class_stats classes[128];
    size_t count = ht_class_stats(classes, 128), fullest = 0;
    for (size_t i = 1; i < count && i < 128; i++)
        if (classes[i].live_blocks > classes[fullest].live_blocks)
            fullest = i;
    printf("most are of %zu bytes: %zu in use, %zu free\n", classes[fullest].block_bytes,
           classes[fullest].live_blocks, classes[fullest].free_blocks);

    for (int i = 1; i < 1000; i += 2)
        ht_free(blocks[i]);
    printf("trim gave something back: %s; the heap is %s\n", ht_trim(0) ? "yes" : "no",
           ht_validate() ? "valid" : "broken");
    return 0;
}
