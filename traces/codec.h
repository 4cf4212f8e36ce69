/*
 * Events to the payload of an EVENTS block and back (FORMAT.md, "Events"). Each block is encoded
 * for itself. The decoder uses memory given to it and makes no heap call; the encoder belongs to
 * the writer and does.
 */
#ifndef HEAPTAPE_TRACES_CODEC_H
#define HEAPTAPE_TRACES_CODEC_H

#include <stddef.h>
#include "traces/error.h"
#include "traces/event.h"
#include "traces/format.h"

/* ---- decoding ----------------------------------------------------------------------------------
 */

struct decoder;

/* Bytes of zeroed, page aligned memory that a decoder needs; most of it is only touched by odd
 * blocks. */
size_t decoder_bytes(void);
/* Makes a decoder in `memory`; NULL where libzstd does not accept it. Nothing to end. */
struct decoder *decoder_init(void *memory);
/*
 * Takes a payload in, of a known encoding: afterwards it is no longer needed. TAPE_OK or
 * TAPE_DAMAGED (why in *error; offset is the caller's to add).
 */
enum tape_status decoder_begin(struct decoder *decoder, unsigned encoding,
                               const unsigned char *payload, size_t bytes, uint32_t count,
                               struct tape_error *error);
/*
 * Up to `capacity` further events; *ret_count 0 at the end. TAPE_DAMAGED where what the payload
 * says cannot be: the rest of the block is given up.
 */
enum tape_status decoder_next(struct decoder *decoder, struct tape_event *events, size_t capacity,
                              size_t *ret_count, struct tape_error *error);

/* ---- encoding ----------------------------------------------------------------------------------
 */

struct encoder;

#define CODEC_LEVEL_DEFAULT 6
#define CODEC_EVENTS_ALWAYS 65536

/* NULL: no memory. level 0 = default. */
struct encoder *encoder_new(int level);
void encoder_free(struct encoder *encoder);
/*
 * Encodes `count` (1..FORMAT_BLOCK_EVENTS_MAX) events into the encoder's own buffer, which holds
 * until the next call; the encoding is FORMAT_EVENTS_ENCODING. The encoder remembers the highest id
 * seen and which kind of reference paid off lately; both are hints. Fields that a kind does not
 * have are left out. 0 bytes: libzstd failed, or the payload is beyond FORMAT_PAYLOAD_MAX, which
 * cannot be for up to CODEC_EVENTS_ALWAYS events.
 */
size_t encoder_block(struct encoder *encoder, const struct tape_event *events, uint32_t count,
                     const unsigned char **ret_payload);

/* Which fields a kind has. */
static inline bool codec_has_size(unsigned kind)
{
    return (kind >= TAPE_MALLOC && kind <= TAPE_REALLOC) || kind == TAPE_FAILED;
}
/* Names an object that is there already. */
static inline bool codec_refers(unsigned kind)
{
    return (kind >= TAPE_REALLOC && kind <= TAPE_FREE) || kind == TAPE_USABLE_SIZE;
}
/* Has a call site, where the tape knows any. */
static inline bool codec_has_site(unsigned kind)
{
    return tape_kind_allocates(kind) || kind == TAPE_REALLOC;
}

/*
 * What encoder and decoder both know of the call sites in a block so far; an event's site is told
 * as one of the guesses that follow from it, or else apart.
 */
struct codec_sites {
    uint32_t before, highest; /* the site before; so far: they are numbered as they appear */
    uint32_t by_token[FORMAT_SHAPES_MAX];
    uint32_t next[16384][2]; /* what followed a site and token last, and before that */
};
enum {
    CODEC_SITE_NEXT,
    CODEC_SITE_OTHER,
    CODEC_SITE_NEW,
    CODEC_SITE_TOKEN,
    CODEC_SITE_GUESSES,
    CODEC_SITE_MISS = CODEC_SITE_GUESSES
};

static inline uint32_t *codec_guess_site(struct codec_sites *sites, uint8_t token,
                                         uint32_t guesses[CODEC_SITE_GUESSES])
{
    uint32_t context = sites->before * UINT32_C(0x9e3779b1) + token * UINT32_C(0x85ebca6b);
    uint32_t *next = sites->next[context >> 18];
    guesses[CODEC_SITE_NEXT] = next[0];
    guesses[CODEC_SITE_OTHER] = next[1];
    guesses[CODEC_SITE_NEW] = sites->highest + 1;
    guesses[CODEC_SITE_TOKEN] = sites->by_token[token];
    return next;
}

/* `next` is what codec_guess_site() gave. */
static inline void codec_learn_site(struct codec_sites *sites, uint32_t *next, uint8_t token,
                                    uint32_t site)
{
    if (next[0] != site) {
        next[1] = next[0];
        next[0] = site;
    }
    sites->before = sites->by_token[token] = site;
    if (site > sites->highest)
        sites->highest = site;
}

#endif
