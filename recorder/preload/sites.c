#include "recorder/preload/sites.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "recorder/preload/next.h"
#include "recorder/preload/state.h"
#include "recorder/preload/syscalls.h"
#include "recorder/preload/unwind.h"

static struct ring_sites *table;
static uint64_t main_end; /* an address at the end of the main thread's stack */
static uint32_t depth;

/* ---- functions whose frames do not count -------------------------------------------------------
 */

enum { PASSED_OVER_MAX = 32, FUNCTION_BYTES = 64 };
static struct {
    uint64_t begin, bytes;
} passed_over[PASSED_OVER_MAX];
static _Atomic uint32_t passed_over_count;

void sites_pass_over(const void *function)
{
    Dl_info info;
    const Elf64_Sym *symbol = NULL;
    uint64_t bytes = FUNCTION_BYTES;
    if (dladdr1(function, &info, (void **)&symbol, RTLD_DL_SYMENT) && symbol && symbol->st_size)
        bytes = symbol->st_size;
    uint32_t at = atomic_load(&passed_over_count);
    if (at == PASSED_OVER_MAX)
        return;
    passed_over[at].begin = (uint64_t)(uintptr_t)function;
    passed_over[at].bytes = bytes;
    atomic_store_explicit(&passed_over_count, at + 1, memory_order_release);
}

static bool is_passed_over(uint64_t pc)
{
    if (next_is_ours((const void *)(uintptr_t)pc))
        return true;
    uint32_t count = atomic_load_explicit(&passed_over_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++)
        if (pc - 1 - passed_over[i].begin < passed_over[i].bytes)
            return true;
    return false;
}

/* ---- objects -----------------------------------------------------------------------------------
 */

static bool is_known_object(uint64_t pc)
{
    uint32_t count = atomic_load_explicit(&table->object_count, memory_order_acquire);
    for (uint32_t i = 0; i < count && i < RING_OBJECTS; i++)
        if (pc - table->object[i].begin < table->object[i].end - table->object[i].begin)
            return true;
    return false;
}

/* Two threads may add the same one: it stands there twice then. */
static void note_object(uint64_t pc)
{
    struct dl_find_object found;
    if (is_known_object(pc) || _dl_find_object((void *)(uintptr_t)pc, &found))
        return;
    uint32_t at = atomic_fetch_add(&table->objects_claimed, 1);
    if (at >= RING_OBJECTS)
        return;
    struct ring_object *object = &table->object[at];
    const char *path = found.dlfo_link_map->l_name;
    if (path && path[0])
        strncpy(object->path, path, sizeof object->path - 1);
    else
        raw_readlink("/proc/self/exe", object->path, sizeof object->path - 1);
    object->bias = found.dlfo_link_map->l_addr;
    object->begin = (uint64_t)(uintptr_t)found.dlfo_map_start;
    atomic_store_explicit(&object->end, (uint64_t)(uintptr_t)found.dlfo_map_end,
                          memory_order_release);
    /* Counted in order, so that the collector sees whole ones only; a laggard is shown by whoever
     * comes after it. */
    for (uint32_t count = atomic_load(&table->object_count);
         count < RING_OBJECTS &&
         atomic_load_explicit(&table->object[count].end, memory_order_acquire);
         count++)
        atomic_compare_exchange_strong(&table->object_count, &(uint32_t){count}, count + 1);
}

/* ---- the table ---------------------------------------------------------------------------------
 */

static uint64_t *stack_of(uint32_t number)
{
    return ring_sites_stack(table, depth, number);
}

/* Writes a new site. Returns its number, 0 where there is no more room. */
static uint32_t add_site(const uint64_t *frames, unsigned count)
{
    uint32_t number = atomic_fetch_add(&table->claimed, 1) + 1;
    if (number > ring_sites_capacity(depth)) {
        atomic_store(&table->claimed, ring_sites_capacity(depth));
        atomic_fetch_add(&table->lost, 1);
        return 0;
    }
    for (unsigned i = 0; i < count; i++)
        note_object(frames[i]);
    uint64_t *stack = stack_of(number);
    memcpy(stack + 1, frames, count * sizeof *frames);
    __atomic_store_n(&stack[0], count, __ATOMIC_RELEASE);
    return number;
}

/* The number of a slot that somebody else took a moment ago. */
static uint32_t wait_for_number(struct ring_site_slot *slot)
{
    for (unsigned i = 0; i < 10000; i++) {
        uint32_t number = atomic_load_explicit(&slot->number, memory_order_acquire);
        if (number)
            return number;
        __builtin_ia32_pause();
    }
    return 0; /* we interrupted it, or it was killed */
}

/* `count` 0: only looks, and gives 0 where there is none. */
static uint32_t number_of(uint64_t hash, const uint64_t *frames, unsigned count)
{
    for (uint64_t at = hash >> 40, i = 0; i < 64; at++, i++) {
        struct ring_site_slot *slot = &table->slot[at & (RING_SITE_SLOTS - 1)];
        uint64_t found = atomic_load_explicit(&slot->hash, memory_order_relaxed);
        if (likely(found == hash)) {
            uint32_t number = atomic_load_explicit(&slot->number, memory_order_acquire);
            return likely(number) ? number : wait_for_number(slot);
        }
        if (found)
            continue;
        if (!count)
            return 0;
        if (atomic_compare_exchange_strong(&slot->hash, &found, hash)) {
            uint32_t number = add_site(frames, count);
            atomic_store_explicit(&slot->number, number, memory_order_release);
            return number;
        }
        if (found == hash)
            return wait_for_number(slot);
    }
    return 0;
}

/* ---- walking -----------------------------------------------------------------------------------
 */

/*
 * The end of the thread's own stack: glibc keeps a thread's control block at its top, and the
 * kernel leaves things at the top of the main thread's. A stack of any other kind (sigaltstack,
 * coroutines) is not known to be readable further up, so only our own frames are left there.
 */
static uint64_t stack_end(uint64_t sp)
{
    const uint64_t far = UINT64_C(1) << 30;
    uint64_t thread_end = (uint64_t)(uintptr_t)__builtin_thread_pointer();
    if (main_end - sp < far)
        return main_end;
    return thread_end - sp < far ? thread_end : 0;
}

enum { HASH_BEGIN = 1 };

static inline uint64_t mix(uint64_t hash, uint64_t pc)
{
    hash = (hash ^ pc) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static __attribute__((noinline)) uint32_t walk(void)
{
    uint64_t frames[RING_SITE_DEPTH_MAX], hash = HASH_BEGIN;
    struct unwind_cursor cursor;
    unsigned count = 0;
    __asm__ volatile("lea 0(%%rip), %0\n\tmov %%rsp, %1\n\tmov %%rbp, %2"
                     : "=r"(cursor.pc), "=r"(cursor.sp), "=r"(cursor.bp));
    uint64_t end = stack_end(cursor.sp);
    /* Our own frames, and the one above them, are there whatever the stack. */
    cursor.end = end ? end : cursor.sp + 4096;
    while (count < depth && unwind_step(&cursor)) {
        if (!count && is_passed_over(cursor.pc))
            continue;
        frames[count++] = cursor.pc;
        hash = mix(hash, cursor.pc);
        if (!end)
            break;
    }
    return count ? number_of(hash ? hash : 1, frames, count) : 0;
}

uint32_t sites_here(const void *caller)
{
    /* One frame is nearly always known already, and need not be walked to. */
    uint32_t number = 0;
    if (depth == 1)
        number = number_of(mix(HASH_BEGIN, (uint64_t)(uintptr_t)caller), NULL, 0);
    return number ? number : walk();
}

void sites_begin(struct ring_sites *new_table, uint32_t new_depth)
{
    table = new_table;
    depth = new_depth;
    main_end = getauxval(AT_RANDOM); /* the kernel puts it above all frames */
    if (table)
        table->depth = new_depth;
}
