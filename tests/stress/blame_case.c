/*
 * A heap whose pinned pages are known: grow() fills it with short-lived blocks among which pin()
 * keeps one of every SPACING, linger() far fewer, and settle() keeps a dense stretch that nobody is
 * to blame for. Then all short-lived ones are freed; with the argument "die" pin()'s, too. Prints
 * how many pages hold blocks of pin() alone, of linger() alone, and of both, counted from the
 * addresses that malloc gave.
 *
 * With the argument "huge" blocks are larger and kept ones far apart, in stretches of their own,
 * and pages of 2 MiB are counted.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __clang__
#define APART __attribute__((noinline))
#else
#define APART __attribute__((noinline, noclone, noipa))
#endif

#define BLOCKS   120000u /* short-lived ones */
#define BYTES    200u
#define SPACING  60u  /* some 13 KiB */
#define SELDOM   480u /* some 100 KiB */
#define SETTLED  3000u
#define PAGES    (UINT64_C(1) << 16)
#define SMALL    4096u
#define HUGE     (2u << 20)
#define WIDE     16000u /* short-lived blocks of sow(), of WIDE bytes: 94 MiB */
#define WIDES    6144u
#define WIDE_GAP 64u /* one kept of every so many, each 1 MiB */
#define PINNED   1u
#define LINGERED 2u

static void *short_lived[BLOCKS];
static void *volatile kept[BLOCKS / SPACING + BLOCKS / SELDOM + SETTLED + WIDES + 3];
static unsigned kept_count;
static uintptr_t lowest = UINTPTR_MAX;
static struct {
    uintptr_t address;
    unsigned who;
} lives[BLOCKS / SPACING + BLOCKS / SELDOM + 2];
static unsigned live_count;

static void keep(void *block, unsigned bytes, unsigned who)
{
    memset(block, 1, bytes);
    kept[kept_count++] = block;
    if (!who)
        return;
    lives[live_count].address = (uintptr_t)block;
    lives[live_count++].who = who;
    if ((uintptr_t)block < lowest)
        lowest = (uintptr_t)block;
}

static APART void pin(void)
{
    keep(malloc(40), 40, PINNED);
    __asm__ volatile("" ::: "memory");
}

static APART void linger(void)
{
    keep(malloc(24), 24, LINGERED);
    __asm__ volatile("" ::: "memory");
}

static APART void settle(void)
{
    keep(malloc(1000), 1000, 0);
    __asm__ volatile("" ::: "memory");
}

static APART void grow(void)
{
    for (unsigned i = 0; i < BLOCKS; i++) {
        short_lived[i] = malloc(BYTES);
        memset(short_lived[i], 1, BYTES);
        if (i % SPACING == 0)
            pin();
        if (i % SELDOM == SPACING / 2)
            linger();
    }
}

/* pin()'s two thirds, linger()'s sixth, and a sixth that settle() fills again. */
static APART void sow(void)
{
    for (unsigned i = 0; i < WIDES; i++) {
        short_lived[i] = malloc(WIDE);
        memset(short_lived[i], 1, WIDE);
        if (i % WIDE_GAP)
            continue;
        if (i < WIDES / 3 * 2)
            pin();
        else if (i < WIDES / 6 * 5)
            linger();
        else
            settle();
    }
    for (unsigned i = WIDES / 6 * 5; i < WIDES; i++)
        kept[kept_count++] = short_lived[i];
}

static bool was_kept(unsigned index, bool huge)
{
    return huge && index >= WIDES / 6 * 5;
}

/* Prints how many pages of so many bytes hold whose blocks. */
static void count(uintptr_t page_bytes)
{
    static unsigned char on_page[PAGES];
    unsigned counts[4] = {0};
    for (unsigned i = 0; i < live_count; i++) {
        unsigned bytes = lives[i].who == PINNED ? 40 : 24;
        uintptr_t base = lowest / page_bytes;
        uintptr_t first = lives[i].address / page_bytes - base;
        uintptr_t last = (lives[i].address + bytes - 1) / page_bytes - base;
        for (uintptr_t page = first; page <= last && page < PAGES; page++)
            on_page[page] |= (unsigned char)lives[i].who;
    }
    for (unsigned page = 0; page < PAGES; page++)
        counts[on_page[page]]++;
    printf("{\"pinned\": %u, \"lingered\": %u, \"both\": %u}\n", counts[PINNED], counts[LINGERED],
           counts[PINNED | LINGERED]);
}

int main(int argc, char **argv)
{
    bool huge = argc > 1 && !strcmp(argv[1], "huge"), die = argc > 1 && !huge;
    for (unsigned i = 0; i < SETTLED; i++)
        settle();
    if (huge)
        sow();
    else
        grow();
    for (unsigned i = 0; i < BLOCKS; i++)
        if (!was_kept(i, huge))
            free(short_lived[i]);
    for (unsigned i = 0; die && i < live_count; i++)
        if (lives[i].who == PINNED)
            free((void *)lives[i].address);
    count(huge ? HUGE : SMALL);
    return 0;
}
