#define ZSTD_STATIC_LINKING_ONLY
#include "traces/codec.h"

#include <string.h>
#include <zstd.h>

#include "traces/planes.h"

enum { EVENTS_MAX = FORMAT_BLOCK_EVENTS_MAX };

/* What a shape's kind does with objects. */
enum does { DOES_ALLOCATE, DOES_USE, DOES_FREE, DOES_NOTHING };

struct shape {
    uint64_t size, size_mask; /* mask: all ones where the size stands in its column */
    uint32_t reference;       /* FORMAT_BY_TOUCH: what is added, see named_by_touch() */
    uint8_t kind, align_log2, does;
    uint8_t has_size, has_reference; /* 1: in its column */
    uint8_t how;                     /* 0, FORMAT_SHAPE_FAR or FORMAT_SHAPE_STEP */
    uint8_t reserved[6];
};
static_assert(sizeof(struct shape) == 32, "indexed by a shift");

struct touch {
    uint32_t id, next, before;
};

struct decoder {
    ZSTD_DCtx *zstd;
    uint32_t count, done; /* events of the block */
    uint32_t counts[FORMAT_COLUMN_IDS];
    uint32_t next_id;
    uint32_t run, run_end; /* the lane run at hand and the event index where it ends */
    uint32_t point;        /* the clock point to come */
    uint64_t time_ns;
    uint32_t size_at, reference_at, new_at, foreign_at, site_at; /* cursors */
    uint32_t site_miss_at, step_at;
    uint32_t place, before, far; /* the touch whose object was named last, what stood before it in
                                 the row; the far object named last */
    uint32_t freed, touched;     /* how many are in these arrays */
    enum format_reference reference;
    bool bad;
    struct shape shapes[FORMAT_SHAPES_MAX];
    uint64_t shape_sizes[FORMAT_SHAPES_MAX];
    uint32_t shape_references[FORMAT_SHAPES_MAX];
    uint8_t shape_kinds[FORMAT_SHAPES_MAX], shape_aligns[FORMAT_SHAPES_MAX];
    /* Columns; one value more than the most, so that a cursor at the end may still be read. */
    uint8_t tokens[EVENTS_MAX + 1], site_ranks[EVENTS_MAX + 1];
    uint64_t sizes[EVENTS_MAX + 1];
    uint32_t references[EVENTS_MAX + 1], new_ids[EVENTS_MAX + 1], foreign_ids[EVENTS_MAX + 1];
    uint32_t lanes[EVENTS_MAX + 1], lane_runs[EVENTS_MAX + 1];
    uint32_t steps[EVENTS_MAX + 1], site_misses[EVENTS_MAX + 1];
    struct codec_sites sites;
    uint32_t clock_events[EVENTS_MAX + 1]; /* event index of the point, once begun */
    uint64_t clock_steps[EVENTS_MAX + 1];  /* time of the point, once begun */
    uint32_t freed_ids[EVENTS_MAX];
    /* By touch, counted from 1: its object, and the row of those that live; [0]: the row's ends. */
    struct touch touches[EVENTS_MAX + 1];
    uint8_t planes[8][EVENTS_MAX];
};

/* Where a column goes: values of 1, 4 or 8 bytes, and how many may be there at most. */
struct place {
    size_t offset;
    uint8_t bytes;
    uint32_t most;
};
#define PLACE(field, bytes, most)                                                                  \
    {                                                                                              \
        offsetof(struct decoder, field), bytes, most                                               \
    }
static const struct place places[FORMAT_COLUMN_IDS] = {
    [FORMAT_SHAPE_KINDS] = PLACE(shape_kinds, 1, FORMAT_SHAPES_MAX),
    [FORMAT_SHAPE_ALIGNS] = PLACE(shape_aligns, 1, FORMAT_SHAPES_MAX),
    [FORMAT_SHAPE_SIZES] = PLACE(shape_sizes, 8, FORMAT_SHAPES_MAX),
    [FORMAT_SHAPE_REFERENCES] = PLACE(shape_references, 4, FORMAT_SHAPES_MAX),
    [FORMAT_TOKENS] = PLACE(tokens, 1, EVENTS_MAX),
    [FORMAT_SIZES] = PLACE(sizes, 8, EVENTS_MAX),
    [FORMAT_REFERENCES] = PLACE(references, 4, EVENTS_MAX),
    [FORMAT_NEW_IDS] = PLACE(new_ids, 4, EVENTS_MAX),
    [FORMAT_FOREIGN_IDS] = PLACE(foreign_ids, 4, EVENTS_MAX),
    [FORMAT_LANES] = PLACE(lanes, 4, EVENTS_MAX),
    [FORMAT_LANE_RUNS] = PLACE(lane_runs, 4, EVENTS_MAX),
    [FORMAT_CLOCK_EVENTS] = PLACE(clock_events, 4, EVENTS_MAX),
    [FORMAT_CLOCK_STEPS] = PLACE(clock_steps, 8, EVENTS_MAX),
    [FORMAT_SITE_RANKS] = PLACE(site_ranks, 1, EVENTS_MAX),
    [FORMAT_SITE_MISSES] = PLACE(site_misses, 4, EVENTS_MAX),
    [FORMAT_STEPS] = PLACE(steps, 4, EVENTS_MAX),
};

static size_t round_up(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

size_t decoder_bytes(void)
{
    return round_up(sizeof(struct decoder)) + ZSTD_estimateDCtxSize();
}

struct decoder *decoder_init(void *memory)
{
    struct decoder *decoder = memory;
    void *workspace = (char *)memory + round_up(sizeof *decoder);
    decoder->zstd = ZSTD_initStaticDCtx(workspace, ZSTD_estimateDCtxSize());
    if (!decoder->zstd ||
        ZSTD_isError(ZSTD_DCtx_setParameter(decoder->zstd, ZSTD_d_format, ZSTD_f_zstd1_magicless)))
        return NULL;
    return decoder;
}

static enum tape_status inconsistent(const char *what, struct tape_error *error)
{
    return tape_error_set(error, TAPE_DAMAGED, UINT64_MAX, "a block of events makes no sense: %s",
                          what);
}

/* ---- columns -----------------------------------------------------------------------------------
 */

static bool decode_column(struct decoder *decoder, const struct format_column *column,
                          const uint32_t *words, struct bytes *data)
{
    const struct place *place = &places[column->id];
    void *out = (char *)decoder + place->offset;
    uint32_t count = column->count;
    if (column->width == 0) {
        memset(out, 0, (size_t)count * place->bytes);
        return true;
    }
    for (unsigned plane = 0; plane < column->width; plane++) {
        uint8_t *to = place->bytes == 1 ? out : decoder->planes[plane];
        if (!plane_decode(decoder->zstd, words[plane], data, to, count))
            return false;
    }
    if (place->bytes == 4)
        join_planes_32(out, decoder->planes, column->width, count);
    else if (place->bytes == 8)
        join_planes_64(out, decoder->planes, column->width, count);
    if (column->transform == FORMAT_DELTA && place->bytes == 4)
        undo_delta_32(out, count);
    else if (column->transform == FORMAT_DELTA && place->bytes == 8)
        undo_delta_64(out, count);
    return column->transform <= (place->bytes == 1 ? FORMAT_PLAIN : FORMAT_DELTA);
}

static bool decode_columns(struct decoder *decoder, unsigned ids, unsigned columns,
                           struct bytes payload)
{
    const unsigned char *heads = bytes_take(&payload, columns * sizeof(struct format_column));
    struct bytes words = payload;
    size_t planes = 0;
    for (unsigned i = 0; heads && i < columns; i++)
        planes += heads[i * sizeof(struct format_column) + offsetof(struct format_column, width)];
    struct bytes data = payload;
    if (!heads || !bytes_take(&data, planes * sizeof(uint32_t)))
        return false;
    uint32_t seen = 0;
    memset(decoder->counts, 0, sizeof decoder->counts);
    for (unsigned i = 0; i < columns; i++) {
        struct format_column column;
        memcpy(&column, heads + i * sizeof column, sizeof column);
        if (column.id >= ids || (seen >> column.id & 1) || column.width > places[column.id].bytes ||
            column.count > places[column.id].most)
            return false;
        seen |= UINT32_C(1) << column.id;
        uint32_t plane_words[8];
        const unsigned char *at = bytes_take(&words, column.width * sizeof *plane_words);
        memcpy(plane_words, at, column.width * sizeof *plane_words);
        if (!decode_column(decoder, &column, plane_words, &data))
            return false;
        decoder->counts[column.id] = column.count;
    }
    return data.left == 0;
}

/* ---- taking a block in -------------------------------------------------------------------------
 */

static uint32_t undo_zigzag(uint32_t value)
{
    return value >> 1 ^ (0 - (value & 1));
}

static bool make_shapes(struct decoder *decoder, unsigned count, enum format_reference reference)
{
    if (decoder->counts[FORMAT_SHAPE_KINDS] != count)
        return false;
    const uint32_t *counts = decoder->counts;
    for (unsigned i = 0; i < count; i++) {
        unsigned flags = decoder->shape_kinds[i], kind = flags & FORMAT_SHAPE_KIND;
        unsigned how = flags & (FORMAT_SHAPE_FAR | FORMAT_SHAPE_STEP);
        uint32_t value = i < counts[FORMAT_SHAPE_REFERENCES] ? decoder->shape_references[i] : 0;
        if (how && (reference != FORMAT_BY_TOUCH || !codec_refers(kind) ||
                    how == (FORMAT_SHAPE_FAR | FORMAT_SHAPE_STEP)))
            return false;
        if (reference == FORMAT_BY_TOUCH && codec_refers(kind))
            value = how ? undo_zigzag(value) : value;
        if (kind == 0 || kind >= TAPE_EVENT_KIND_LIMIT)
            return false;
        bool has_size = flags & FORMAT_SHAPE_SIZE, has_reference = flags & FORMAT_SHAPE_REFERENCE;
        bool allocates = tape_kind_allocates(kind), refers = codec_refers(kind);
        if ((has_size && !codec_has_size(kind)) || (has_reference && !allocates && !refers))
            return false;
        decoder->shapes[i] = (struct shape){
            .size = i < counts[FORMAT_SHAPE_SIZES] && !has_size ? decoder->shape_sizes[i] : 0,
            .size_mask = has_size ? ~UINT64_C(0) : 0,
            .reference = value,
            .kind = (uint8_t)kind,
            .align_log2 = i < counts[FORMAT_SHAPE_ALIGNS] ? decoder->shape_aligns[i] & 63 : 0,
            .does = allocates               ? DOES_ALLOCATE
                    : tape_kind_frees(kind) ? DOES_FREE
                    : refers                ? DOES_USE
                                            : DOES_NOTHING,
            .has_size = has_size,
            .has_reference = has_reference,
            .how = (uint8_t)how,
        };
    }
    return true;
}

/* Of `sites` events that may have a call site: all do or none does. */
static bool sites_fit(const struct decoder *decoder, uint32_t sites)
{
    uint32_t ranks = decoder->counts[FORMAT_SITE_RANKS], misses = 0;
    for (uint32_t i = 0; i < ranks; i++)
        misses += decoder->site_ranks[i] >= CODEC_SITE_MISS;
    return (ranks == 0 || ranks == sites) && misses == decoder->counts[FORMAT_SITE_MISSES];
}

/* Counts what the tokens will take from the columns, so that the loop over events need not look. */
static bool tokens_fit(const struct decoder *decoder, unsigned shapes)
{
    uint32_t uses[2][256] = {{0}}, sizes = 0, new_ids = 0, sites = 0;
    uint32_t references = 0, steps = 0, far = 0;
    if (decoder->counts[FORMAT_TOKENS] != decoder->count)
        return false;
    for (uint32_t i = 0; i < decoder->count; i++)
        uses[i & 1][decoder->tokens[i]]++;
    for (unsigned i = 0; i < 256; i++) {
        uint32_t used = uses[0][i] + uses[1][i];
        const struct shape *shape = &decoder->shapes[i];
        if (!used)
            continue;
        if (i >= shapes)
            return false;
        sizes += shape->has_size ? used : 0;
        sites += codec_has_site(shape->kind) ? used : 0;
        if (!shape->has_reference)
            continue;
        *(shape->does == DOES_ALLOCATE      ? &new_ids
          : shape->how == FORMAT_SHAPE_STEP ? &steps
          : shape->how == FORMAT_SHAPE_FAR  ? &far
                                            : &references) += used;
    }
    return sizes == decoder->counts[FORMAT_SIZES] && sites_fit(decoder, sites) &&
           references == decoder->counts[FORMAT_REFERENCES] &&
           steps == decoder->counts[FORMAT_STEPS] && far <= decoder->counts[FORMAT_FOREIGN_IDS] &&
           new_ids == decoder->counts[FORMAT_NEW_IDS];
}

static bool runs_fit(const struct decoder *decoder)
{
    uint64_t events = 0;
    uint32_t runs = decoder->counts[FORMAT_LANES];
    for (uint32_t i = 0; i < runs; i++)
        events += (uint64_t)decoder->lane_runs[i] + 1;
    return decoder->counts[FORMAT_LANE_RUNS] == runs && events == decoder->count;
}

/* From steps to event indices and times. */
static bool make_clock(struct decoder *decoder, uint64_t time_ns, uint32_t unit)
{
    uint32_t points = decoder->counts[FORMAT_CLOCK_EVENTS];
    uint64_t event = 0;
    if (decoder->counts[FORMAT_CLOCK_STEPS] != points || unit == 0)
        return false;
    for (uint32_t i = 0; i < points; i++) {
        uint64_t step;
        event += decoder->clock_events[i];
        if (event >= decoder->count ||
            __builtin_mul_overflow(decoder->clock_steps[i], unit, &step) ||
            __builtin_add_overflow(time_ns, step, &time_ns))
            return false;
        decoder->clock_events[i] = (uint32_t)event;
        decoder->clock_steps[i] = time_ns;
    }
    /* One beyond the last is read: never reached. */
    decoder->clock_events[points] = UINT32_MAX;
    return true;
}

enum tape_status decoder_begin(struct decoder *decoder, unsigned encoding,
                               const unsigned char *payload, size_t bytes, uint32_t count,
                               struct tape_error *error)
{
    struct format_events head;
    struct bytes rest = {payload, bytes};
    const unsigned char *at = bytes_take(&rest, sizeof head);
    decoder->count = decoder->done = 0; /* until all is well */
    if (!at || count == 0 || count > EVENTS_MAX)
        return inconsistent("its length", error);
    memcpy(&head, at, sizeof head);
    bool old = encoding == FORMAT_EVENTS_ENCODING_1;
    if (head.reference > (old ? FORMAT_BY_AGE : FORMAT_BY_TOUCH) || head.shapes == 0 ||
        head.shapes > FORMAT_SHAPES_MAX)
        return inconsistent("its head", error);
    if (!decode_columns(decoder, old ? FORMAT_SITE_RANKS : FORMAT_COLUMN_IDS, head.columns, rest))
        return inconsistent("a column", error);
    decoder->count = count;
    bool fits = make_shapes(decoder, head.shapes, head.reference) &&
                tokens_fit(decoder, head.shapes) && runs_fit(decoder) &&
                make_clock(decoder, head.time_ns, head.time_unit);
    if (!fits) {
        decoder->count = 0;
        return inconsistent("its columns do not fit together", error);
    }
    decoder->next_id = head.next_id;
    decoder->reference = head.reference;
    decoder->time_ns = head.time_ns;
    decoder->run = decoder->point = decoder->freed = decoder->touched = 0;
    decoder->size_at = decoder->reference_at = decoder->new_at = decoder->foreign_at = 0;
    decoder->run_end = decoder->lane_runs[0] + 1;
    decoder->bad = false;
    decoder->site_at = decoder->site_miss_at = decoder->step_at = 0;
    decoder->place = decoder->before = decoder->far = 0;
    decoder->touches[0] = (struct touch){0};
    if (decoder->counts[FORMAT_SITE_RANKS])
        memset(&decoder->sites, 0, sizeof decoder->sites);
    return TAPE_OK;
}

/* ---- giving events out -------------------------------------------------------------------------
 */

static inline uint32_t new_id(struct decoder *decoder, const struct shape *shape)
{
    uint32_t id;
    if (shape->has_reference)
        id = decoder->new_ids[decoder->new_at++];
    else if (decoder->freed)
        id = decoder->freed_ids[--decoder->freed];
    else
        id = decoder->next_id;
    if (id >= decoder->next_id)
        decoder->next_id = id + 1;
    decoder->bad |= id == 0;
    return id;
}

/* Puts an object at the end of the row. */
static inline void append(struct decoder *decoder, uint32_t id)
{
    uint32_t touch = ++decoder->touched, last = decoder->touches[0].before;
    decoder->touches[touch] = (struct touch){id, 0, last};
    decoder->touches[last].next = decoder->touches[0].before = touch;
}

/* Counts along the row. It ends nowhere: 0 follows its end, and its beginning follows 0. */
static inline uint32_t ahead(const struct decoder *decoder, uint32_t touch, uint32_t count)
{
    while (--count)
        touch = decoder->touches[touch].next;
    return touch;
}
static inline uint32_t back(const struct decoder *decoder, uint32_t touch, uint32_t count)
{
    while (--count)
        touch = decoder->touches[touch].before;
    return touch;
}

static inline uint32_t stepped_touch(const struct decoder *decoder, uint32_t step)
{
    if (step - 1 < FORMAT_ROW_MAX)
        return ahead(decoder, decoder->touches[decoder->before].next, step);
    if (0 - step - 1 < FORMAT_ROW_MAX)
        return back(decoder, decoder->before, 0 - step);
    return decoder->place + step;
}

static inline uint32_t aged_touch(const struct decoder *decoder, uint32_t age)
{
    if (age - 1 < FORMAT_ROW_MAX)
        return back(decoder, decoder->touches[0].before, age);
    return decoder->touched + 1 - age;
}

/*
 * The object that a shape names by touch; it leaves the row. Whatever nonsense a payload makes of
 * the row, its links are touches that there have been.
 */
static inline uint32_t named_by_touch(struct decoder *decoder, const struct shape *shape)
{
    uint32_t value = shape->reference, touch;
    if (shape->how == FORMAT_SHAPE_FAR) {
        value += decoder->far;
        if (shape->has_reference)
            value = decoder->foreign_ids[decoder->foreign_at++];
        return decoder->far = value;
    }
    if (shape->how == FORMAT_SHAPE_STEP) {
        if (shape->has_reference)
            value = undo_zigzag(decoder->steps[decoder->step_at++]);
        touch = stepped_touch(decoder, value);
    } else {
        if (shape->has_reference)
            value = decoder->references[decoder->reference_at++];
        touch = aged_touch(decoder, value);
    }
    if (touch - 1 >= decoder->touched) {
        decoder->bad = true;
        return TAPE_NO_OBJECT;
    }
    const struct touch named = decoder->touches[touch];
    decoder->touches[named.before].next = named.next;
    decoder->touches[named.next].before = named.before;
    decoder->place = touch;
    decoder->before = named.before;
    return named.id;
}

static inline uint32_t referred_id(struct decoder *decoder, const struct shape *shape,
                                   enum format_reference how)
{
    if (how == FORMAT_BY_TOUCH)
        return named_by_touch(decoder, shape);
    uint32_t value = shape->reference;
    if (shape->has_reference)
        value = decoder->references[decoder->reference_at++];
    if (how == FORMAT_BY_ID)
        return value;
    if (value && value <= decoder->touched)
        return decoder->touches[decoder->touched - value + 1].id;
    if (value == 0 && decoder->foreign_at < decoder->counts[FORMAT_FOREIGN_IDS])
        return decoder->foreign_ids[decoder->foreign_at++];
    decoder->bad = true;
    return TAPE_NO_OBJECT;
}

static inline void note_touch(struct decoder *decoder, uint32_t id, enum format_reference how)
{
    if (how == FORMAT_BY_TOUCH)
        append(decoder, id);
    else if (how == FORMAT_BY_AGE)
        decoder->touches[++decoder->touched].id = id;
}

/* A stretch of events of one lane and one time. Inlined for each kind of reference. */
static inline __attribute__((always_inline)) void decode_stretch(struct decoder *decoder,
                                                                 struct tape_event *events,
                                                                 uint32_t count,
                                                                 enum format_reference how)
{
    const uint8_t *tokens = decoder->tokens + decoder->done;
    const uint32_t lane = decoder->lanes[decoder->run];
    const uint64_t time_ns = decoder->time_ns;
    for (uint32_t i = 0; i < count; i++) {
        const struct shape *shape = &decoder->shapes[tokens[i]];
        uint32_t id = TAPE_NO_OBJECT;
        if (shape->does == DOES_ALLOCATE) {
            id = new_id(decoder, shape);
            note_touch(decoder, id, how);
        } else if (shape->does == DOES_FREE) {
            id = referred_id(decoder, shape, how);
            decoder->bad |= id == 0;
            decoder->freed_ids[decoder->freed++] = id;
        } else if (shape->does == DOES_USE) {
            id = referred_id(decoder, shape, how);
            decoder->bad |= id == 0 && shape->kind == TAPE_REALLOC;
            note_touch(decoder, id, how);
        }
        uint64_t size = shape->size | (decoder->sizes[decoder->size_at] & shape->size_mask);
        decoder->size_at += shape->has_size;
        events[i] = (struct tape_event){.size = size,
                                        .time_ns = time_ns,
                                        .object = id,
                                        .lane = lane,
                                        .kind = shape->kind,
                                        .align_log2 = shape->align_log2};
    }
    decoder->done += count;
}

static __attribute__((noinline)) void
decode_stretch_by_age(struct decoder *decoder, struct tape_event *events, uint32_t count)
{
    decode_stretch(decoder, events, count, FORMAT_BY_AGE);
}

static __attribute__((noinline)) void
decode_stretch_by_id(struct decoder *decoder, struct tape_event *events, uint32_t count)
{
    decode_stretch(decoder, events, count, FORMAT_BY_ID);
}

static __attribute__((noinline)) void
decode_stretch_by_touch(struct decoder *decoder, struct tape_event *events, uint32_t count)
{
    decode_stretch(decoder, events, count, FORMAT_BY_TOUCH);
}

/* Apart from the rest, since few tapes have them. */
static void decode_sites(struct decoder *decoder, struct tape_event *events, size_t count)
{
    struct codec_sites *sites = &decoder->sites;
    const uint8_t *tokens = decoder->tokens + decoder->done - count;
    for (size_t i = 0; i < count; i++) {
        if (!codec_has_site(events[i].kind))
            continue;
        uint32_t guesses[CODEC_SITE_GUESSES];
        uint32_t *next = codec_guess_site(sites, tokens[i], guesses);
        uint8_t rank = decoder->site_ranks[decoder->site_at++];
        events[i].site = rank < CODEC_SITE_GUESSES ? guesses[rank]
                                                   : decoder->site_misses[decoder->site_miss_at++];
        codec_learn_site(sites, next, tokens[i], events[i].site);
    }
}

enum tape_status decoder_next(struct decoder *decoder, struct tape_event *events, size_t capacity,
                              size_t *ret_count, struct tape_error *error)
{
    size_t given = 0;
    while (given < capacity && decoder->done < decoder->count) {
        while (decoder->clock_events[decoder->point] == decoder->done)
            decoder->time_ns = decoder->clock_steps[decoder->point++];
        if (decoder->run_end == decoder->done)
            decoder->run_end += decoder->lane_runs[++decoder->run] + 1;
        uint32_t until = decoder->run_end;
        if (decoder->clock_events[decoder->point] < until)
            until = decoder->clock_events[decoder->point];
        uint32_t count = until - decoder->done;
        if (count > capacity - given)
            count = (uint32_t)(capacity - given);
        if (decoder->reference == FORMAT_BY_TOUCH)
            decode_stretch_by_touch(decoder, events + given, count);
        else if (decoder->reference == FORMAT_BY_AGE)
            decode_stretch_by_age(decoder, events + given, count);
        else
            decode_stretch_by_id(decoder, events + given, count);
        given += count;
    }
    *ret_count = given;
    if (decoder->counts[FORMAT_SITE_RANKS])
        decode_sites(decoder, events, given);
    if (decoder->bad) {
        *ret_count = 0;
        decoder->count = decoder->done = 0;
        return inconsistent("an event names no object", error);
    }
    return TAPE_OK;
}
