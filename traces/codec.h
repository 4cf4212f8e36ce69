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

/* NULL: no memory. level 0 = default. */
struct encoder *encoder_new(int level);
void encoder_free(struct encoder *encoder);
/*
 * Encodes `count` (1..FORMAT_BLOCK_EVENTS_MAX) events into the encoder's own buffer, which holds
 * until the next call; *ret_encoding is what its block's header says. The encoder remembers the
 * highest id seen and which kind of reference paid off lately; both are hints. Fields that a kind
 * does not have are left out. 0 bytes: libzstd failed.
 */
size_t encoder_block(struct encoder *encoder, const struct tape_event *events, uint32_t count,
                     const unsigned char **ret_payload, uint16_t *ret_encoding);

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
 * A call site is predicted from the site before it in the block and the event's token: what
 * followed them last. Encoder and decoder keep the same table.
 */
struct codec_sites {
    uint32_t before;
    uint32_t next[4096];
};
static inline uint32_t *codec_predicted_site(struct codec_sites *sites, uint8_t token)
{
    uint32_t context = sites->before * UINT32_C(0x9e3779b1) + token * UINT32_C(0x85ebca6b);
    return &sites->next[context >> 20];
}

#endif
