#define ZSTD_STATIC_LINKING_ONLY
#include "traces/codec.h"

#include <math.h>
#include <sys/mman.h>
#include <string.h>
#include <zstd.h>

#include "traces/referrer.h"
#include "traces/shapes.h"

enum {
    EVENTS_MAX = FORMAT_BLOCK_EVENTS_MAX,
    /* Where references do not repeat much, both kinds are tried on every so manieth block; the
       better one is used until then. */
    TRY_EVERY = 8,
    /* Tokens are most of a real program's tape: they get a little more effort than the rest. */
    TOKENS_LEVEL_MORE = 3,
    /* From so many events in its first block on the encoder's memory is worth huge pages: touching
     * it for the first time took longer than encoding. */
    EVENTS_MANY = 65536,
};

/* Columns as values, before they are stored. */
struct columns {
    uint8_t tokens[EVENTS_MAX], site_ranks[EVENTS_MAX];
    uint64_t sizes[EVENTS_MAX];
    uint32_t references[EVENTS_MAX], new_ids[EVENTS_MAX], foreign_ids[EVENTS_MAX];
    uint32_t lanes[EVENTS_MAX], lane_runs[EVENTS_MAX];
    uint32_t clock_events[EVENTS_MAX];
    uint64_t clock_steps[EVENTS_MAX];
    uint32_t steps[EVENTS_MAX], site_misses[EVENTS_MAX];
    uint32_t counts[FORMAT_COLUMN_IDS];
};

struct encoder {
    ZSTD_CCtx *zstd, *quick, *tokens; /* at the level asked for, at the quickest, at a higher one */
    uint32_t next_id;                 /* the highest id so far, plus one */
    uint64_t blocks;
    enum format_reference reference; /* the better one when both were tried last */
    struct referrer referrer;
    struct shape_counter shapes;
    struct shape_key keys[EVENTS_MAX]; /* what each event is */
    uint32_t freed_ids[EVENTS_MAX];
    struct columns columns;
    struct codec_sites sites;
    uint8_t planes[8][EVENTS_MAX];
    uint64_t differences[EVENTS_MAX];
    unsigned char delta_try[FORMAT_PAYLOAD_MAX];
    unsigned char payloads[2][FORMAT_PAYLOAD_MAX];
};

/* Frames without magic number, size and checksum: the block has all of that. */
static ZSTD_CCtx *new_context(int level)
{
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    if (!zstd ||
        ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_format, ZSTD_f_zstd1_magicless)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, 0)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 0)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, level))) {
        ZSTD_freeCCtx(zstd);
        return NULL;
    }
    return zstd;
}

struct encoder *encoder_new(int level)
{
    struct encoder *encoder = mmap(NULL, sizeof *encoder, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (encoder == MAP_FAILED)
        return NULL;
    level = level ? level : CODEC_LEVEL_DEFAULT;
    encoder->zstd = new_context(level);
    encoder->tokens = new_context(level + TOKENS_LEVEL_MORE);
    encoder->quick = new_context(1);
    encoder->next_id = 1;
    encoder->reference = FORMAT_BY_TOUCH;
    if (!encoder->zstd || !encoder->quick || !encoder->tokens) {
        encoder_free(encoder);
        return NULL;
    }
    return encoder;
}

void encoder_free(struct encoder *encoder)
{
    if (!encoder)
        return;
    ZSTD_freeCCtx(encoder->zstd);
    ZSTD_freeCCtx(encoder->quick);
    ZSTD_freeCCtx(encoder->tokens);
    munmap(encoder, sizeof *encoder);
}

/* ---- from values to bytes ----------------------------------------------------------------------
 */

struct sink {
    unsigned char *bytes;
    size_t used;
    bool failed;
};

static void put(struct sink *sink, const void *data, size_t bytes)
{
    if (bytes > FORMAT_PAYLOAD_MAX - sink->used) {
        sink->failed = true;
        return;
    }
    memcpy(sink->bytes + sink->used, data, bytes);
    sink->used += bytes;
}

/* Bytes that a perfect code for single bytes would take: what there is to gain without finding
 * matches. */
static double entropy_bytes(const uint8_t *plane, uint32_t count)
{
    uint32_t uses[2][256] = {{0}};
    double bits = 0;
    for (uint32_t i = 0; i < count; i++)
        uses[i & 1][plane[i]]++;
    for (unsigned i = 0; i < 256; i++) {
        double both = (double)uses[0][i] + uses[1][i];
        if (both > 0)
            bits += both * log2((double)count / both);
    }
    return bits / 8;
}

/* No larger than raw: zstd fails where its output does not fit. 0: it does not help. */
static size_t compress(ZSTD_CCtx *zstd, const uint8_t *plane, uint32_t count, struct sink *sink)
{
    size_t room = FORMAT_PAYLOAD_MAX - sink->used, limit = count - 1;
    size_t bytes =
        ZSTD_compress2(zstd, sink->bytes + sink->used, limit < room ? limit : room, plane, count);
    return ZSTD_isError(bytes) ? 0 : bytes;
}

/* Stores one plane in the shortest of the three ways; returns its plane word. */
static uint32_t put_plane(struct encoder *encoder, ZSTD_CCtx *zstd, const uint8_t *plane,
                          uint32_t count, struct sink *sink)
{
    if (!memcmp(plane, plane + 1, count - 1)) {
        put(sink, plane, 1);
        return FORMAT_PLANE_CONSTANT | 1;
    }
    /* Random bytes take the longest: where a quick look finds no matches a thorough one is not
     * tried. */
    size_t bytes = 0;
    if (count >= 4096) {
        double entropy = entropy_bytes(plane, count);
        bytes = compress(encoder->quick, plane, count, sink);
        if ((double)(bytes ? bytes : count) < 0.97 * entropy)
            bytes = compress(zstd, plane, count, sink);
    } else {
        bytes = compress(zstd, plane, count, sink);
    }
    if (bytes) {
        sink->used += bytes;
        return FORMAT_PLANE_ZSTD | (uint32_t)bytes;
    }
    put(sink, plane, count);
    return FORMAT_PLANE_RAW | count;
}

static unsigned width_of(uint64_t all_bits)
{
    return all_bits ? (unsigned)(64 - __builtin_clzll(all_bits) + 7) / 8 : 0;
}

static uint64_t zigzag_64(uint64_t difference)
{
    return difference << 1 ^ (0 - (difference >> 63));
}

static void as_delta_32(uint32_t *out, const uint32_t *values, uint32_t count)
{
    for (uint32_t i = 0, before = 0; i < count; before = values[i++])
        out[i] = zigzag_32(values[i] - before);
}

static void as_delta_64(uint64_t *out, const uint64_t *values, uint32_t count)
{
    uint64_t before = 0;
    for (uint32_t i = 0; i < count; before = values[i++])
        out[i] = zigzag_64(values[i] - before);
}

/* Splits a column of 4 or 8 byte values in planes; returns their number. */
static unsigned split(struct encoder *encoder, const void *values, unsigned bytes, uint32_t count)
{
    const uint32_t *narrow = values;
    const uint64_t *wide = values;
    uint64_t all_bits = 0;
    for (uint32_t i = 0; i < count; i++)
        all_bits |= bytes == 8 ? wide[i] : narrow[i];
    unsigned width = width_of(all_bits);
    for (unsigned plane = 0; plane < width; plane++) {
        uint8_t *out = encoder->planes[plane];
        for (uint32_t i = 0; i < count; i++)
            out[i] = (uint8_t)((bytes == 8 ? wide[i] : narrow[i]) >> (8 * plane));
    }
    return width;
}

/* One column in `sink`: plane words first, then planes, so that the caller can place them apart. */
struct stored_column {
    struct format_column head;
    uint32_t words[8];
    size_t data, data_bytes; /* in the sink */
};

static void store_as(struct encoder *encoder, const void *values, unsigned bytes, uint32_t count,
                     bool delta, struct sink *sink, struct stored_column *stored)
{
    stored->head.transform = delta ? FORMAT_DELTA : FORMAT_PLAIN;
    stored->head.count = count;
    stored->data = sink->used;
    if (delta && bytes == 8)
        as_delta_64((uint64_t *)encoder->differences, values, count);
    else if (delta)
        as_delta_32((uint32_t *)encoder->differences, values, count);
    if (delta)
        values = encoder->differences;
    if (bytes == 1) { /* is its own plane */
        stored->head.width = 1;
        stored->words[0] = put_plane(encoder, encoder->tokens, values, count, sink);
    } else {
        stored->head.width = (uint8_t)split(encoder, values, bytes, count);
        for (unsigned plane = 0; plane < stored->head.width; plane++)
            stored->words[plane] =
                put_plane(encoder, encoder->zstd, encoder->planes[plane], count, sink);
    }
    stored->data_bytes = sink->used - stored->data;
}

/* Plain, or as differences where `may_delta` and that is shorter. */
static void store(struct encoder *encoder, enum format_column_id id, const void *values,
                  unsigned bytes, uint32_t count, bool may_delta, struct sink *sink,
                  struct stored_column *stored)
{
    *stored = (struct stored_column){.head.id = (uint8_t)id};
    store_as(encoder, values, bytes, count, false, sink, stored);
    if (!may_delta || stored->data_bytes < 64)
        return;
    struct sink other = {encoder->delta_try, 0, false};
    struct stored_column delta = {.head.id = (uint8_t)id};
    store_as(encoder, values, bytes, count, true, &other, &delta);
    if (delta.data_bytes >= stored->data_bytes || other.failed)
        return;
    sink->used = stored->data;
    delta.data = stored->data;
    put(sink, other.bytes, other.used);
    *stored = delta;
}

/* ---- what each event is ------------------------------------------------------------------------
 */

static void key_allocation(uint32_t id, struct encoder *encoder, uint32_t *freed, uint32_t *next_id,
                           struct shape_key *key)
{
    uint32_t predicted = *freed ? encoder->freed_ids[*freed - 1] : *next_id;
    if (id == predicted)
        *freed -= *freed != 0;
    else
        key->reference = id;
    if (id >= *next_id)
        *next_id = id + 1;
}

/* Fills encoder->keys, but for what is chosen once all is known; mirrors what the decoder will know
 * at each event. */
static uint32_t note_keys(struct encoder *encoder, const struct tape_event *events, uint32_t count,
                          enum format_reference how)
{
    uint32_t freed = 0, next_id = encoder->next_id;
    bool by_touch = how == FORMAT_BY_TOUCH;
    for (uint32_t i = 0; i < count; i++) {
        const struct tape_event *event = &events[i];
        struct shape_key *key = &encoder->keys[i];
        *key = (struct shape_key){.kind = event->kind};
        key->size = codec_has_size(event->kind) ? event->size : 0;
        key->align_log2 = event->kind == TAPE_ALIGNED ? event->align_log2 & 63 : 0;
        if (tape_kind_allocates(event->kind))
            key_allocation(event->object, encoder, &freed, &next_id, key);
        else if (!codec_refers(event->kind))
            continue;
        else if (by_touch)
            referrer_name(&encoder->referrer, i, event->object, tape_kind_frees(event->kind));
        else
            key->reference = event->object;
        if (tape_kind_frees(event->kind))
            encoder->freed_ids[freed++] = event->object;
        else if (by_touch && tape_kind_allocates(event->kind))
            referrer_allocate(&encoder->referrer, event->object);
    }
    return next_id;
}

static uint32_t make_keys(struct encoder *encoder, const struct tape_event *events, uint32_t count,
                          enum format_reference how)
{
    if (how == FORMAT_BY_TOUCH)
        referrer_begin(&encoder->referrer);
    uint32_t next_id = note_keys(encoder, events, count, how);
    for (uint32_t i = 0; how == FORMAT_BY_TOUCH && i < count; i++) {
        if (codec_refers(events[i].kind))
            referrer_choose(&encoder->referrer, i, &encoder->keys[i]);
    }
    return next_id;
}

/* ---- columns -----------------------------------------------------------------------------------
 */

/* What an event's shape leaves to the columns of references. */
static void put_reference(struct encoder *encoder, uint32_t event, uint32_t object)
{
    struct columns *columns = &encoder->columns;
    const struct shape_key *key = &encoder->keys[event];
    if (tape_kind_allocates(key->kind))
        columns->new_ids[columns->counts[FORMAT_NEW_IDS]++] = key->reference;
    else if (key->how == FORMAT_SHAPE_STEP)
        columns->steps[columns->counts[FORMAT_STEPS]++] = key->reference;
    else if (key->how == FORMAT_SHAPE_FAR)
        columns->foreign_ids[columns->counts[FORMAT_FOREIGN_IDS]++] = object;
    else
        columns->references[columns->counts[FORMAT_REFERENCES]++] = key->reference;
}

static void make_value_columns(struct encoder *encoder, const struct tape_event *events,
                               uint32_t count)
{
    struct columns *columns = &encoder->columns;
    memset(columns->counts, 0, sizeof columns->counts);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t flags = encoder->shapes.flags[columns->tokens[i]];
        if (flags & FORMAT_SHAPE_SIZE)
            columns->sizes[columns->counts[FORMAT_SIZES]++] = encoder->keys[i].size;
        if (flags & FORMAT_SHAPE_REFERENCE)
            put_reference(encoder, i, events[i].object);
    }
    columns->counts[FORMAT_TOKENS] = count;
}

/* None where no event has a call site. */
static void make_site_columns(struct encoder *encoder, const struct tape_event *events,
                              uint32_t count)
{
    struct columns *columns = &encoder->columns;
    struct codec_sites *sites = &encoder->sites;
    uint32_t ranks = 0, misses = 0, all = 0;
    memset(sites, 0, sizeof *sites);
    for (uint32_t i = 0; i < count; i++) {
        if (!codec_has_site(events[i].kind))
            continue;
        uint32_t site = events[i].site < UINT32_MAX ? events[i].site : 0;
        uint32_t guesses[CODEC_SITE_GUESSES];
        uint32_t *next = codec_guess_site(sites, columns->tokens[i], guesses);
        uint8_t rank = 0;
        while (rank < CODEC_SITE_GUESSES && guesses[rank] != site)
            rank++;
        columns->site_ranks[ranks++] = rank;
        if (rank == CODEC_SITE_MISS)
            columns->site_misses[misses++] = site;
        codec_learn_site(sites, next, columns->tokens[i], site);
        all |= site;
    }
    columns->counts[FORMAT_SITE_RANKS] = all ? ranks : 0;
    columns->counts[FORMAT_SITE_MISSES] = all ? misses : 0;
}

/* Lane runs and clock points. Returns the clock's unit: what all steps are a multiple of, or 1. */
static uint32_t make_run_columns(struct columns *columns, const struct tape_event *events,
                                 uint32_t count)
{
    uint32_t runs = 0, points = 0, run_begin = 0, point_event = 0;
    uint64_t time_ns = events[0].time_ns, step;
    bool micros = true;
    for (uint32_t i = 0; i < count; i++) {
        if (i + 1 == count || events[i + 1].lane != events[i].lane) {
            columns->lanes[runs] = events[i].lane;
            columns->lane_runs[runs++] = i - run_begin;
            run_begin = i + 1;
        }
        if (events[i].time_ns <= time_ns) /* time never decreases: less is taken as the same */
            continue;
        step = events[i].time_ns - time_ns;
        time_ns = events[i].time_ns;
        micros &= step % 1000 == 0;
        columns->clock_steps[points] = step;
        columns->clock_events[points++] = i - point_event;
        point_event = i;
    }
    for (uint32_t i = 0; micros && i < points; i++)
        columns->clock_steps[i] /= 1000;
    columns->counts[FORMAT_LANES] = columns->counts[FORMAT_LANE_RUNS] = runs;
    columns->counts[FORMAT_CLOCK_EVENTS] = columns->counts[FORMAT_CLOCK_STEPS] = points;
    return micros ? 1000 : 1;
}

/* Stores all columns behind a head that is known by now. Returns the payload's length, 0 on
 * failure. */
static size_t assemble(struct encoder *encoder, struct format_events head, unsigned char *payload)
{
    const struct columns *columns = &encoder->columns;
    const struct shape_counter *shapes = &encoder->shapes;
    const uint32_t count = shapes->count;
    const struct {
        const void *values;
        uint8_t bytes;
        bool may_delta;
        uint32_t count;
    } all[FORMAT_COLUMN_IDS] = {
        [FORMAT_SHAPE_KINDS] = {shapes->flags, 1, false, count},
        [FORMAT_SHAPE_ALIGNS] = {shapes->aligns, 1, false, count},
        [FORMAT_SHAPE_SIZES] = {shapes->sizes, 8, true, count},
        [FORMAT_SHAPE_REFERENCES] = {shapes->references, 4, true, count},
        [FORMAT_TOKENS] = {columns->tokens, 1, false, columns->counts[FORMAT_TOKENS]},
        [FORMAT_SIZES] = {columns->sizes, 8, false, columns->counts[FORMAT_SIZES]},
        [FORMAT_REFERENCES] = {columns->references, 4, head.reference == FORMAT_BY_ID,
                               columns->counts[FORMAT_REFERENCES]},
        [FORMAT_NEW_IDS] = {columns->new_ids, 4, true, columns->counts[FORMAT_NEW_IDS]},
        [FORMAT_FOREIGN_IDS] = {columns->foreign_ids, 4, true, columns->counts[FORMAT_FOREIGN_IDS]},
        [FORMAT_LANES] = {columns->lanes, 4, false, columns->counts[FORMAT_LANES]},
        [FORMAT_LANE_RUNS] = {columns->lane_runs, 4, false, columns->counts[FORMAT_LANE_RUNS]},
        [FORMAT_CLOCK_EVENTS] = {columns->clock_events, 4, false,
                                 columns->counts[FORMAT_CLOCK_EVENTS]},
        [FORMAT_CLOCK_STEPS] = {columns->clock_steps, 8, false,
                                columns->counts[FORMAT_CLOCK_STEPS]},
        [FORMAT_SITE_RANKS] = {columns->site_ranks, 1, false, columns->counts[FORMAT_SITE_RANKS]},
        [FORMAT_SITE_MISSES] = {columns->site_misses, 4, false,
                                columns->counts[FORMAT_SITE_MISSES]},
        [FORMAT_STEPS] = {columns->steps, 4, false, columns->counts[FORMAT_STEPS]},
    };
    struct stored_column stored[FORMAT_COLUMN_IDS];
    unsigned kept = 0;
    struct sink data = {payload, 0, false};
    /* The heads in front are not known yet: the most that they take is left free, then closed up.
     */
    const size_t reserve =
        sizeof head + FORMAT_COLUMN_IDS * (sizeof(struct format_column) + sizeof stored->words);
    data.used = reserve;
    for (unsigned id = 0; id < FORMAT_COLUMN_IDS; id++) {
        if (!all[id].count)
            continue;
        store(encoder, id, all[id].values, all[id].bytes, all[id].count, all[id].may_delta, &data,
              &stored[kept]);
        kept++;
    }
    head.columns = (uint8_t)kept;
    head.shapes = (uint16_t)count;
    struct sink front = {payload, 0, false};
    put(&front, &head, sizeof head);
    for (unsigned i = 0; i < kept; i++)
        put(&front, &stored[i].head, sizeof stored[i].head);
    for (unsigned i = 0; i < kept; i++)
        put(&front, stored[i].words, stored[i].head.width * sizeof *stored[i].words);
    memmove(payload + front.used, payload + reserve, data.used - reserve);
    return data.failed ? 0 : front.used + data.used - reserve;
}

static size_t encode_as(struct encoder *encoder, const struct tape_event *events, uint32_t count,
                        enum format_reference how, uint32_t *ret_next_id, unsigned char *payload)
{
    *ret_next_id = make_keys(encoder, events, count, how);
    shapes_choose(&encoder->shapes, encoder->keys, count, encoder->columns.tokens);
    make_value_columns(encoder, events, count);
    make_site_columns(encoder, events, count);
    struct format_events head = {
        .next_id = encoder->next_id, .reference = (uint8_t)how, .time_ns = events[0].time_ns};
    head.time_unit = make_run_columns(&encoder->columns, events, count);
    return assemble(encoder, head, payload);
}

/* Whether most references are told one by one, as where the program picks its objects at random:
 * then plain ids may be shorter. */
static bool references_scatter(const struct encoder *encoder, uint32_t events)
{
    const uint32_t *counts = encoder->columns.counts;
    return counts[FORMAT_REFERENCES] + counts[FORMAT_STEPS] + counts[FORMAT_FOREIGN_IDS] >
           events / 8;
}

size_t encoder_block(struct encoder *encoder, const struct tape_event *events, uint32_t count,
                     const unsigned char **ret_payload)
{
    uint32_t next_id;
    enum format_reference how = encoder->reference;
    if (!encoder->blocks && count >= EVENTS_MANY)
        madvise(encoder, sizeof *encoder, MADV_HUGEPAGE);
    size_t bytes = encode_as(encoder, events, count, how, &next_id, encoder->payloads[0]);
    *ret_payload = encoder->payloads[0];
    if (bytes && encoder->blocks++ % TRY_EVERY == 0 && references_scatter(encoder, count)) {
        enum format_reference other = how == FORMAT_BY_ID ? FORMAT_BY_TOUCH : FORMAT_BY_ID;
        size_t tried = encode_as(encoder, events, count, other, &next_id, encoder->payloads[1]);
        if (tried && tried < bytes) {
            encoder->reference = other;
            *ret_payload = encoder->payloads[1];
            bytes = tried;
        }
    }
    if (bytes)
        encoder->next_id = next_id;
    return bytes;
}
