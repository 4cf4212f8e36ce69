/* Records to words and back, whatever the words say. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"
#include "traces/raw_words.h"

static uint64_t keep_mark(void *context, const char *text, size_t bytes)
{
    snprintf(context, 32, "%.*s", (int)bytes, text);
    return bytes;
}

static void test_records_survive_their_words(void)
{
    const struct raw_record records[] = {
        {raw_head(RAW_MALLOC, 0x7ffffffffff8, 0), 65535},
        {raw_head(RAW_MALLOC, 0x1000, 0), 65536},
        {raw_head(RAW_FREE, 0, 0), 0},
        {raw_head(RAW_FREE, 0x1004, 0), 0},
        {raw_head(RAW_CALLOC, 0x2000, 0), UINT64_MAX},
        {raw_head(RAW_ALIGNED, 0x3000, 12), 64},
        {raw_head(RAW_STAMP, 0, 0), 1},
        {raw_head(RAW_STAMP, 0, 0), UINT64_MAX},
        {raw_head(RAW_SITE, 0, 0), 77},
        {raw_head(RAW_MALLOC, 0xffffffffffff, 0), 8},
        {raw_head(RAW_REALLOC_BEGIN, 0x4000, 0), 9},
        {raw_head(RAW_REALLOC_END, 0, 0), 9},
        {raw_head(RAW_USABLE_SIZE, 0x4008, 0), 0},
    };
    const unsigned expected_words[] = {1, 2, 1, 2, 2, 2, 1, 2, 1, 2, 1, 1, 1};
    enum { COUNT = sizeof records / sizeof *records };
    uint64_t words[2 * COUNT + 8];
    struct raw_record back[2 * COUNT + 8];
    size_t used = 0;
    for (size_t i = 0; i < COUNT; i++) {
        unsigned taken = raw_words_pack(&records[i], words + used);
        CHECK_EQ_U64(taken, expected_words[i]);
        used += taken;
    }
    CHECK_EQ_U64(raw_words_unpack(words, used, back, keep_mark, NULL), COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_EQ_U64(back[i].head, records[i].head);
        CHECK_EQ_U64(back[i].value, records[i].value);
    }
}

static void test_words_that_are_torn_or_unknown(void)
{
    char text[32] = "";
    struct raw_record back[4];
    uint64_t words[4] = {raw_word_tagged(RAW_MARK, 11), 0, 0, raw_word_short(RAW_FREE, 64, 0)};
    memcpy(&words[1], "second part", 11);
    CHECK_EQ_U64(raw_words_unpack(words, 4, back, keep_mark, text), 2);
    CHECK_STR(text, "second part");
    CHECK_EQ_U64(back[0].value, 11);
    CHECK_EQ_U64(raw_head_address(back[1].head), 64);
    CHECK_EQ_U64(raw_words_unpack(words, 2, back, keep_mark, text), 0); /* half a mark */
    words[0] = raw_word_long(RAW_MALLOC, 64, 0);
    CHECK_EQ_U64(raw_words_unpack(words, 1, back, keep_mark, text), 0); /* half a call */
    words[0] = raw_word_tagged(12, 5);
    CHECK_EQ_U64(raw_words_unpack(words, 1, back, keep_mark, text), 1);
    CHECK_EQ_U64(raw_head_kind(back[0].head), RAW_NONE);
}

int main(void)
{
    RUN(test_records_survive_their_words);
    RUN(test_words_that_are_torn_or_unknown);
    return CHECK_MAIN_END();
}
