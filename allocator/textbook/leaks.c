#include "leaks.h"

#include <dlfcn.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "block.h"
#include "large.h"
#include "names.h"
#include "options.h"
#include "words.h"

#define SITES 1024 /* a power of two; what comes from more is told as one sum */
#define TOLD  20

struct site {
    const void *address; /* NULL: a free entry */
    size_t blocks, bytes;
};

static struct site sites[SITES], others;
static const struct policy *walked;

static struct site *site_of(const void *address)
{
    size_t at = (uintptr_t)address * UINT64_C(0x9E3779B97F4A7C15) >> 54;
    for (size_t tries = 0; tries < SITES; tries++, at++) {
        struct site *site = &sites[at % SITES];
        if (!site->address)
            site->address = address;
        if (site->address == address)
            return site;
    }
    return &others;
}

/* The site is the last word before the block's end, or before its footer. */
static void count(void *context, const struct region *region, const char *start, size_t bytes,
                  size_t usable, bool used)
{
    size_t footer = region && walked == &heap_policy ? TAG_BYTES : 0;
    const char *end = start + bytes - footer;
    const void *address;
    (void)context;
    if (!used)
        return;
    memcpy(&address, end - SITE_BYTES, sizeof address);
    struct site *site = site_of(address);
    site->blocks++;
    site->bytes += usable - SITE_BYTES;
}

static void sum(struct words *words, size_t blocks, size_t bytes)
{
    words_number(words, blocks);
    words_text(words, blocks == 1 ? " block of " : " blocks of ");
    words_number(words, bytes);
    words_text(words, " bytes ");
}

/* "FUNCTION in FILE+OFFSET": the offset is what addr2line takes. */
static void name(struct words *words, const void *address)
{
    Dl_info info = {0};
    if (!dladdr(address, &info) || !info.dli_fname) {
        words_hex(words, (size_t)address);
        return;
    }
    if (info.dli_sname) {
        words_text(words, info.dli_sname);
        words_text(words, " in ");
    }
    words_text(words, info.dli_fname);
    words_text(words, "+");
    words_hex(words, (size_t)((const char *)address - (const char *)info.dli_fbase));
}

static struct site *largest(void)
{
    struct site *most = NULL;
    for (size_t i = 0; i < SITES; i++)
        if (sites[i].blocks && (!most || sites[i].bytes > most->bytes))
            most = &sites[i];
    return most;
}

static void tell_sites(struct words *words)
{
    struct site *site;
    walked->walk(count, NULL);
    large_walk(count, NULL);
    for (int i = 0; i < TOLD && (site = largest()); i++) {
        words_text(words, "textbook:   ");
        sum(words, site->blocks, site->bytes);
        words_text(words, "from ");
        name(words, site->address);
        words_text(words, "\n");
        site->blocks = 0;
    }
    for (; (site = largest()); site->blocks = 0) {
        others.blocks += site->blocks;
        others.bytes += site->bytes;
    }
    if (others.blocks) {
        words_text(words, "textbook:   ");
        sum(words, others.blocks, others.bytes);
        words_text(words, "from elsewhere\n");
    }
}

/* The first of them; the others are told as a number. */
static void tell_name(void *context, const void *payload, const char *name)
{
    static size_t told;
    (void)payload;
    if (++told == TOLD + 1) {
        words_text(context, "textbook:   and ");
        words_number(context, names_count - TOLD);
        words_text(context, " more with names\n");
    }
    if (told > TOLD)
        return;
    words_text(context, "textbook:   a block called ");
    words_text(context, name);
    words_text(context, "\n");
}

void leaks_tell(const struct policy *policy, const struct textbook_stats *stats)
{
    struct words words = {.file = STDERR_FILENO};
    words_text(&words, "textbook: ");
    sum(&words, stats->live_blocks, stats->live_bytes);
    words_text(&words, "not freed at exit\n");
    walked = policy;
    names_walk(tell_name, &words);
    if (options.leaks == LEAKS_SITES)
        tell_sites(&words);
    words_flush(&words);
}
