#include "analysis/lanes.h"

#include "analysis/grow.h"

struct lane_stats *lane_table_get(struct lane_table *table, uint32_t lane)
{
    if (lane >= table->capacity) {
        size_t count = grow_count(table->capacity, lane, 64);
        void *grown = table->lanes;
        if (!grow_table(&grown, table->capacity * sizeof(struct lane_stats),
                        count * sizeof(struct lane_stats)))
            return NULL;
        table->lanes = grown;
        table->capacity = count;
    }
    if (lane >= table->count)
        table->count = (size_t)lane + 1;
    return &table->lanes[lane];
}

void lane_table_end(struct lane_table *table)
{
    grow_free(table->lanes, table->capacity * sizeof(struct lane_stats));
    *table = (struct lane_table){0};
}
