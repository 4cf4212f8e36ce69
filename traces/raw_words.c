#include "traces/raw_words.h"

#include <stdbool.h>
#include <string.h>

unsigned raw_words_pack(const struct raw_record *record, uint64_t *words)
{
    unsigned kind = raw_head_kind(record->head), align_log2 = raw_head_align_log2(record->head);
    uint64_t address = raw_head_address(record->head), value = record->value;
    bool is_call = kind >= RAW_MALLOC && kind <= RAW_USABLE_SIZE;
    if (is_call && !align_log2 && raw_word_is_short(address, value)) {
        words[0] = raw_word_short(kind, address, value);
        return 1;
    }
    if ((kind == RAW_STAMP || kind == RAW_SITE) && value <= RAW_WORD_VALUE_MASK) {
        words[0] = raw_word_tagged(kind, value);
        return 1;
    }
    words[0] = raw_word_long(kind, address, align_log2);
    words[1] = value;
    return 2;
}

static struct raw_record unpack_short(uint64_t word)
{
    uint64_t address = (word << 3) & RAW_WORD_ADDRESS_MASK;
    return (struct raw_record){raw_head(raw_word_tag(word), address, 0),
                               (word >> RAW_WORD_SIZE_SHIFT) & RAW_WORD_SIZE_MAX};
}

static uint64_t word_at(const void *words, size_t index)
{
    uint64_t word;
    memcpy(&word, (const char *)words + 8 * index, sizeof word);
    return word;
}

/* How many words the record that begins with this one takes. */
static size_t words_of(uint64_t word)
{
    switch (raw_word_tag(word)) {
    case RAW_LONG:
        return 2;
    case RAW_MARK:
        return 1 + ((word & 0xffff) + 7) / 8;
    default:
        return 1;
    }
}

/* All kinds but the short ones. */
static struct raw_record unpack_rare(const void *words, raw_mark_sink *mark, void *context)
{
    uint64_t word = word_at(words, 0);
    unsigned tag = raw_word_tag(word);
    switch (tag) {
    case RAW_LONG:
        return (struct raw_record){word & RAW_WORD_VALUE_MASK, word_at(words, 1)};
    case RAW_STAMP:
    case RAW_SITE:
        return (struct raw_record){raw_head(tag, 0, 0), word & RAW_WORD_VALUE_MASK};
    case RAW_MARK:
        return (struct raw_record){raw_head(tag, 0, 0),
                                   mark(context, (const char *)words + 8, word & 0xffff)};
    default:
        return (struct raw_record){0, 0};
    }
}

size_t raw_words_first(const void *words, size_t count, struct raw_record *ret_record,
                       raw_mark_sink *mark, void *context)
{
    uint64_t word = word_at(words, 0);
    if (raw_word_tag(word) - 1 < RAW_USABLE_SIZE) {
        *ret_record = unpack_short(word);
        return 1;
    }
    size_t taken = words_of(word);
    if (taken > count)
        return 0;
    *ret_record = unpack_rare(words, mark, context);
    return taken;
}

size_t raw_words_unpack(const void *words, size_t count, struct raw_record *records,
                        raw_mark_sink *mark, void *context)
{
    size_t made = 0, at = 0;
    while (at < count) {
        const char *next = (const char *)words + 8 * at;
        size_t taken = raw_words_first(next, count - at, &records[made], mark, context);
        if (!taken)
            break;
        at += taken;
        made++;
    }
    return made;
}

static void tally_call(struct raw_tally *tally, unsigned kind, uint64_t address, uint64_t size)
{
    if (kind < RAW_MALLOC || kind > RAW_USABLE_SIZE || kind == RAW_REALLOC_BEGIN)
        return;
    tally->events++;
    if (address && kind != RAW_FREE && kind != RAW_USABLE_SIZE)
        tally->bytes += size;
}

void raw_words_tally(struct raw_tally *tally, const uint64_t *words, size_t count,
                     const uint64_t *more, size_t more_count)
{
    for (size_t i = 0; i < count + more_count;) {
        uint64_t word = i < count ? words[i] : more[i - count];
        size_t next = i + 1;
        if (raw_word_tag(word) == RAW_LONG && next < count + more_count)
            tally_call(tally, raw_head_kind(word), raw_head_address(word),
                       next < count ? words[next] : more[next - count]);
        else if (raw_word_tag(word) <= RAW_USABLE_SIZE)
            tally_call(tally, raw_word_tag(word), word & ((UINT64_C(1) << 44) - 1),
                       word >> RAW_WORD_SIZE_SHIFT & RAW_WORD_SIZE_MAX);
        i += words_of(word);
    }
}
