/* The size classes, every size of them: a class holds what it is asked for, wastes no more than it
 * promises, and grows with the size; runs hold whole numbers of blocks. */
#include "allocator/htmalloc/heap.h"
#include "allocator/htmalloc/run.h"
#include "allocator/htmalloc/sizeclass.h"
#include "tests/unit/check.h"

static void test_every_size(void)
{
    unsigned before = 0;
    for (size_t size = 0; size <= HT_SMALL_MAX; size++) {
        unsigned class = class_of(size);
        if (!CHECK(class < CLASS_COUNT) || !CHECK_LE_U64(size, class_bytes(class)) ||
            !CHECK(class == before || class == before + 1))
            return;
        if (class > 0 && !CHECK(class_bytes(class - 1) < size))
            return; /* a smaller class would have done */
        before = class;
    }
    CHECK_EQ_U64(before, CLASS_COUNT - 1);
}

static void test_waste(void)
{
    for (size_t size = 129; size <= HT_SMALL_MAX; size++) {
        size_t bytes = class_bytes(class_of(size));
        if (!CHECK_LE_U64((bytes - size) * 8, size + 7 * 8)) /* an eighth, rounded up to 16 */
            return;
    }
    for (size_t size = 1; size <= CLASS_LINEAR_MAX; size++) {
        if (!CHECK(class_bytes(class_of(size)) - size < HT_ALIGN))
            return;
    }
}

static void test_classes(void)
{
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        uint32_t bytes = class_bytes(class);
        CHECK_EQ_U64(bytes % HT_ALIGN, 0);
        CHECK_EQ_U64(class_of(bytes), class);
        CHECK_LE_U64(4 * bytes, class_slices(class) * HT_SLICE);
        CHECK_LE_U64(2 * bytes, class_slices_least(class) * HT_SLICE);
        CHECK_LE_U64(class_slices_least(class), class_slices(class));
        CHECK_LE_U64(class_slices(class), 8); /* pages of a run are bits of a word */
        if (class > 0)
            CHECK(class_bytes(class - 1) < bytes);
        if (bytes <= HT_FAST_MAX)
            CHECK_EQ_U64(class_slices(class), 1); /* free() finds the run from the slice alone */
    }
    CHECK_EQ_U64(class_bytes(CLASS_COUNT - 1), HT_SMALL_MAX);
}

static void test_aligned_classes(void)
{
    for (size_t align = HT_ALIGN; align <= HT_SLICE; align *= 2) {
        for (size_t size = 0; size <= HT_SMALL_MAX; size += size < 2048 ? 1 : 97) {
            unsigned class = class_of_aligned(size, align);
            if (class == CLASS_COUNT)
                continue;
            if (!CHECK_LE_U64(size, class_bytes(class)) ||
                !CHECK_EQ_U64(class_bytes(class) % align, 0))
                return;
        }
        CHECK(class_of_aligned(align, align) < CLASS_COUNT);
        CHECK_EQ_U64(class_of_aligned(HT_SMALL_MAX + 1, align), CLASS_COUNT);
    }
}

/* Carves whole runs in plain memory: each block comes out once, inside, and none is missing. */
static void test_carving(void)
{
    static _Alignas(HT_SEGMENT) char segment[2 * HT_SEGMENT];
    struct run *run = (struct run *)segment + 1;
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        run_init(run, &heap_none, class, class_slices(class));
        uint32_t carved = 0;
        while (run_carve(run))
            ;
        for (struct block *block = run->free; block != NULL; block = block->next) {
            carved++;
            if (!CHECK(run_has_block(run, block)) || !CHECK_LE_U64(carved, run_capacity(run)))
                return;
        }
        CHECK_EQ_U64(carved, run_capacity(run));
        CHECK_EQ_U64(carved, run->circulating);
        CHECK_EQ_U64(run_used(run), 0);
        CHECK(!run_has_block(run, slice_base(run) + 8));
        CHECK(!run_has_block(run, slice_base(run) + run_bytes(run)));
    }
}

int main(void)
{
    RUN(test_every_size);
    RUN(test_waste);
    RUN(test_classes);
    RUN(test_aligned_classes);
    RUN(test_carving);
    return CHECK_MAIN_END();
}
