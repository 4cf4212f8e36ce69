/*
 * What is on disk, to the byte; FORMAT.md is the manual. Everything is little-endian. A file is a
 * file header and then blocks, each with a header of its own; tapes and raw tapes share all of
 * that.
 */
#ifndef HEAPTAPE_TRACES_FORMAT_H
#define HEAPTAPE_TRACES_FORMAT_H

#include <assert.h>
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "structures are written as they lie in memory: little-endian machines only"
#endif

/* As in PNG: a byte with its top bit, and CR LF, so that a text-mode transfer shows itself. */
#define FORMAT_FILE_MAGIC  "\x89HTAPE\r\n"
#define FORMAT_BLOCK_MAGIC "\xf5HTBLOCK"
#define FORMAT_MAGIC_BYTES 8
#define FORMAT_VERSION     1

enum format_file_kind { FORMAT_TAPE = 1, FORMAT_RAW_TAPE = 2 };

struct format_file_header {
    char magic[FORMAT_MAGIC_BYTES];
    uint32_t version; /* FORMAT_VERSION; a reader refuses higher ones */
    uint32_t kind;    /* enum format_file_kind */
    uint32_t flags;   /* 0; a reader ignores those it does not know */
    uint32_t reserved[10];
    uint32_t crc; /* CRC-32C of the 60 bytes before */
};
static_assert(sizeof(struct format_file_header) == 64, "on disk");

/* Numbers are on disk and never change. A reader skips kinds that it does not know. */
enum format_block_kind {
    FORMAT_META = 1,         /* text: key=value lines, what was known at the start */
    FORMAT_EVENTS = 2,       /* events, see struct format_events */
    FORMAT_SAMPLES = 3,      /* struct tape_sample array */
    FORMAT_INDEX = 4,        /* struct format_index and its entries */
    FORMAT_END = 5,          /* struct format_end, then all metadata as in META */
    FORMAT_FOOTER = 6,       /* struct format_footer: the last bytes of a file that was closed */
    FORMAT_RAW_RECORDS = 7,  /* records of one lane */
    FORMAT_RAW_PASS = 8,     /* struct format_raw_pass */
    FORMAT_RAW_SAMPLE = 9,   /* struct format_raw_sample */
    FORMAT_RAW_SITES = 10,   /* call sites, as addresses */
    FORMAT_RAW_OBJECTS = 11, /* what is mapped where */
    FORMAT_SITES = 12,       /* call sites, by name */
    FORMAT_MARKS = 13,       /* the user's marks */
};

struct format_block_header {
    char magic[FORMAT_MAGIC_BYTES];
    uint16_t kind;          /* enum format_block_kind */
    uint16_t encoding;      /* of this kind's payload; blocks with an unknown one are skipped */
    uint32_t lane;          /* RAW_RECORDS: whose; else 0 */
    uint64_t sequence;      /* 0, 1, 2, ... in the file: a hole is a lost block */
    uint64_t first_event;   /* EVENTS: index of the first; RAW_RECORDS: records before this block */
    uint32_t count;         /* events, records, samples or index entries; else 0 */
    uint32_t payload_bytes; /* that follow this header */
    uint32_t unpacked_bytes; /* what they take decoded, a hint for people */
    uint32_t payload_crc;    /* CRC-32C of the payload as it is in the file */
    uint32_t reserved[3];
    uint32_t crc; /* CRC-32C of the 60 bytes before */
};
static_assert(sizeof(struct format_block_header) == 64, "on disk");

/* Bounds, checked before use. A longer payload is damage whatever its checksum says. */
#define FORMAT_PAYLOAD_MAX      (UINT32_C(4) << 20)
#define FORMAT_BLOCK_EVENTS_MAX UINT32_C(262144)
/* RAW_RECORDS: words of 8 bytes (raw_record.h); encoding 1 had struct raw_record instead. */
/* SITES: text, as one zstd frame that unpacks to so many bytes at most. */
#define FORMAT_TEXT_ZSTD    2
#define FORMAT_TEXT_MAX     (UINT32_C(16) << 20)
#define FORMAT_RAW_ENCODING 2
#define FORMAT_META_MAX     (UINT32_C(256) << 10)
#define FORMAT_INDEX_MAX    UINT32_C(1024)
#define FORMAT_SAMPLES_MAX  UINT32_C(4096)
/* SAMPLES: struct tape_sample; encoding 1 had it without its last member. */
#define FORMAT_SAMPLES_ENCODING 2
#define FORMAT_SAMPLE_BYTES_1   32
#define FORMAT_RAW_LANES_MAX    (UINT32_C(1) << 22)

struct format_index_entry {
    uint64_t offset; /* of the EVENTS block's header */
    uint64_t first_event;
    uint64_t time_ns; /* of its first event */
};
static_assert(sizeof(struct format_index_entry) == 24, "on disk");

struct format_index {
    uint64_t previous; /* offset of the INDEX block before this one, 0 = none */
    /* then `count` entries of the EVENTS blocks since that one */
};
static_assert(sizeof(struct format_index) == 8, "on disk");

struct format_end {
    uint64_t events;       /* in a raw tape: records */
    uint64_t peak_objects; /* highest object id */
    uint32_t lanes;
    uint32_t complete; /* 1: the recording was not cut */
    uint64_t duration_ns;
    /* Raw tapes: the first and the last clock pair, for a line through both; else 0. */
    uint64_t first_tsc, first_ns, last_tsc, last_ns;
};
static_assert(sizeof(struct format_end) == 64, "on disk");

struct format_footer {
    uint64_t end_offset;   /* of the END block */
    uint64_t index_offset; /* of the last INDEX block, 0 = none */
};
static_assert(sizeof(struct format_footer) == 16, "on disk");

struct format_mark {
    uint64_t event, time_ns; /* of the first event after it; when */
    uint32_t lane, bytes;    /* of the text that follows */
};
static_assert(sizeof(struct format_mark) == 24, "on disk");

struct format_raw_pass {
    uint64_t tsc; /* every record published before this moment stands before this block */
};
static_assert(sizeof(struct format_raw_pass) == 8, "on disk");

struct format_raw_sample {
    uint64_t tsc, time_ns; /* a moment on both clocks */
    uint64_t resident_bytes, held_bytes;
};
static_assert(sizeof(struct format_raw_sample) == 32, "on disk");

/* ---- the payload of an EVENTS block ------------------------------------------------
 */

#define FORMAT_EVENTS_ENCODING 2
/* Is read and no longer written: had neither FORMAT_BY_TOUCH nor call sites. */
#define FORMAT_EVENTS_ENCODING_1 1

/*
 * A block begins with this, then `columns` times struct format_column, then for each column in that
 * order its `width` plane words, then the planes' bytes in the same order.
 */
struct format_events {
    uint32_t next_id;   /* the highest object id used before this block, plus one */
    uint8_t reference;  /* enum format_reference */
    uint8_t columns;    /* how many follow */
    uint16_t shapes;    /* entries of the dictionary, 1..256 */
    uint64_t time_ns;   /* of the first event */
    uint32_t time_unit; /* ns that clock points count in, at least 1 */
    uint32_t reserved;
};
static_assert(sizeof(struct format_events) == 24, "on disk");

/* What a reference to an object that is there already (free, realloc, ...) says. */
enum format_reference {
    FORMAT_BY_ID = 0,    /* its id */
    FORMAT_BY_AGE = 1,   /* 1 + how many other touches in this block lie between; 0: never touched
                            here, id apart. Encoding 1 alone */
    FORMAT_BY_TOUCH = 2, /* its place in the row (FORMAT.md), counted from the row's end, or as
                            FORMAT_SHAPE_STEP or FORMAT_SHAPE_FAR say. From encoding 2 on */
};

enum format_column_id {
    FORMAT_SHAPE_KINDS = 0, /* the dictionary: one byte, kind | FORMAT_SHAPE_* */
    FORMAT_SHAPE_ALIGNS = 1,
    FORMAT_SHAPE_SIZES = 2,
    FORMAT_SHAPE_REFERENCES = 3,
    FORMAT_TOKENS = 4,      /* one an event: index into the dictionary */
    FORMAT_SIZES = 5,       /* of events whose shape says so */
    FORMAT_REFERENCES = 6,  /* likewise */
    FORMAT_NEW_IDS = 7,     /* ids of allocations that are not as predicted */
    FORMAT_FOREIGN_IDS = 8, /* not FORMAT_BY_ID: ids of objects not touched in this block before */
    FORMAT_LANES = 9,       /* runs: whose */
    FORMAT_LANE_RUNS = 10,  /* runs: how many events, less one */
    FORMAT_CLOCK_EVENTS = 11, /* clock points: events since the one before */
    FORMAT_CLOCK_STEPS = 12,  /* time since then, in units */
    FORMAT_SITE_RANKS = 13,   /* call sites: which guess is right, see codec.h */
    FORMAT_STEPS = 14,        /* FORMAT_BY_TOUCH: of events whose shape says so, zigzag */
    FORMAT_SITE_MISSES = 15,  /* call sites that none was right of */
    FORMAT_COLUMN_IDS = 16
};

#define FORMAT_SHAPE_KIND 0x0f
/* FORMAT_BY_TOUCH: the object is not in the row; the reference is what its id is more
 * than that of the one named so before, zigzag. */
#define FORMAT_SHAPE_FAR  0x10
#define FORMAT_SHAPE_SIZE 0x20 /* the size stands in FORMAT_SIZES */
#define FORMAT_SHAPE_REFERENCE                                                                     \
    0x40 /* the reference in FORMAT_REFERENCES, a new id in FORMAT_NEW_IDS */
/* FORMAT_BY_TOUCH: the reference counts along the row from the place of the object named last,
 * zigzag; apart in FORMAT_STEPS. */
#define FORMAT_SHAPE_STEP 0x80
#define FORMAT_SHAPES_MAX 256
/* References up to this count along the row, those beyond it in touches. */
#define FORMAT_ROW_MAX 16

struct format_column {
    uint8_t id;
    uint8_t width;     /* bytes a value, 0..8; each is a plane. 0: all values are 0 */
    uint8_t transform; /* enum format_transform */
    uint8_t reserved;
    uint32_t count; /* values */
};
static_assert(sizeof(struct format_column) == 8, "on disk");

enum format_transform {
    FORMAT_PLAIN = 0,
    FORMAT_DELTA =
        1 /* difference to the value before (0 before the first), zigzag: 0 -1 1 -2 2 ... */
};

/* A plane word: how the bytes of one plane are stored, and how many stored bytes there are. */
#define FORMAT_PLANE_BYTES UINT32_C(0x00ffffff)
#define FORMAT_PLANE_RAW   UINT32_C(0x00000000)
#define FORMAT_PLANE_ZSTD                                                                          \
    UINT32_C(0x01000000) /* one frame without magic number, size and checksum */
#define FORMAT_PLANE_CONSTANT UINT32_C(0x02000000) /* one byte, stands for all */
#define FORMAT_PLANE_HOW      UINT32_C(0xff000000)

#endif
