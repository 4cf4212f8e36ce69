/*
 * Blocks of a file, tape and raw tape alike: reading them front to back with resynchronisation
 * after damage, and appending them. No heap: the reader's window and the writer's buffer are the
 * caller's memory. An input or an output belongs to one thread.
 */
#ifndef HEAPTAPE_TRACES_BLOCK_H
#define HEAPTAPE_TRACES_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include "traces/error.h"
#include "traces/format.h"

/* ---- reading -----------------------------------------------------------------------------------
 */

/* A window needs room for the largest block, and some more so that it is not moved at every block.
 */
#define BLOCK_WINDOW_BYTES ((size_t)FORMAT_PAYLOAD_MAX + (size_t)(512 << 10))

struct block_input {
    int fd;
    bool seekable;
    bool ended;                 /* read(2) has given 0 */
    enum format_file_kind kind; /* from the file header; 0 where that is damaged */
    uint64_t file_bytes;        /* 0 where not seekable */
    unsigned char *window;      /* BLOCK_WINDOW_BYTES */
    size_t begin, end;          /* unread bytes in the window */
    uint64_t offset;            /* of window[begin] in the file */
    uint64_t next_sequence;     /* of the block to come */
    uint64_t damage;            /* pieces of damage met so far */
    /* Blocks of this kind are passed over: where the input can seek, their payloads are not even
     * read, so what is damaged in them is not found. 0: none are. */
    unsigned pass_over;
    /* At the end of what is there: may more come? Waits if so. NULL: no. `file_bytes` then grows
     * with the file and is never less than `offset`. */
    bool (*more)(void *context);
    void *more_context;
};

struct block {
    struct format_block_header header;
    const unsigned char *payload; /* in the window, until the next block_next() */
    uint64_t offset;              /* of its header */
};

/*
 * Opens PATH and checks that it is a file of ours; `window` is used until block_input_close(). A
 * damaged file header is no failure where a block follows: block_next() reports it first.
 */
enum tape_status block_input_open(struct block_input *input, const char *path,
                                  unsigned char *window, struct tape_error *error);
void block_input_close(struct block_input *input);
/*
 * The next sound block, of any kind: TAPE_OK, TAPE_END at the end of the file, TAPE_DAMAGED once
 * for each stretch that was skipped (go on), TAPE_SYSTEM.
 */
enum tape_status block_next(struct block_input *input, struct block *ret_block,
                            struct tape_error *error);
/* Continues at `offset`; TAPE_SYSTEM where the input cannot seek. Sequence numbers start anew from
 * there. */
enum tape_status block_seek(struct block_input *input, uint64_t offset, struct tape_error *error);
/*
 * Looks at the block at `offset` without moving the input, payload into `buffer` (of `capacity`
 * bytes). False for anything wrong: what is found this way is only ever a short cut.
 */
bool block_peek(const struct block_input *input, uint64_t offset, struct block *ret_block,
                unsigned char *buffer, size_t capacity);
/* The END block by way of the footer, likewise. */
bool block_peek_end(const struct block_input *input, struct block *ret_block,
                    struct format_footer *ret_footer, unsigned char *buffer, size_t capacity);

/* ---- writing -----------------------------------------------------------------------------------
 */

struct block_output {
    int fd;
    uint64_t offset; /* bytes written */
    uint64_t sequence;
    struct tape_error error; /* the first failure; everything afterwards fails with it */
    char path[256];          /* for messages, cut short where longer */
};

/* Creates or truncates PATH and writes the file header. */
enum tape_status block_output_open(struct block_output *output, const char *path,
                                   enum format_file_kind kind, struct tape_error *error);
/* The same with its first block, the metadata; nothing stays open where one of the two fails. */
enum tape_status block_output_begin(struct block_output *output, const char *path,
                                    enum format_file_kind kind, const void *meta, size_t meta_bytes,
                                    struct tape_error *error);
/*
 * Appends a block: kind, encoding, lane, first_event, count and unpacked_bytes are the caller's,
 * the rest is filled here. Nothing is buffered: on return the bytes are the kernel's.
 */
enum tape_status block_append(struct block_output *output, struct format_block_header header,
                              const void *payload, size_t bytes, struct tape_error *error);
/* The same with a payload in two pieces. */
enum tape_status block_append_both(struct block_output *output, struct format_block_header header,
                                   const void *payload, size_t bytes, const void *more,
                                   size_t more_bytes, struct tape_error *error);
/* Closes; the first error of all, close(2)'s included. */
enum tape_status block_output_close(struct block_output *output, struct tape_error *error);

#endif
