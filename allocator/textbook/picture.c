#include "picture.h"

#include "large.h"
#include "names.h"
#include "options.h"
#include "words.h"

struct drawing {
    struct words words;
    const struct region *region; /* the last that was begun */
    size_t regions, used, free, bytes;
    unsigned list; /* the last that was begun */
};

static void plural(struct words *words, size_t number, const char *noun)
{
    words_number(words, number);
    words_text(words, noun);
    if (number != 1)
        words_text(words, "s");
}

static size_t number_of(const struct region *region)
{
    size_t number = 1;
    for (const struct region *at = region_first; at && at != region; at = at->next)
        number++;
    return number;
}

static void count(void *context, const struct region *region, const char *start, size_t bytes,
                  size_t usable, bool used)
{
    struct drawing *drawing = context;
    (void)region;
    (void)start;
    (void)bytes;
    (void)usable;
    *(used ? &drawing->used : &drawing->free) += 1;
}

static void heading(struct drawing *drawing, const struct policy *policy)
{
    struct words *words = &drawing->words;
    for (const struct region *region = region_first; region; region = region->next)
        drawing->regions++;
    policy->walk(count, drawing);
    large_walk(count, drawing);
    words_text(words, options.policy);
    words_text(words, ": ");
    plural(words, drawing->regions, " region");
    words_text(words, ", ");
    words_number(words, region_held() + large_held());
    words_text(words, " bytes held, ");
    plural(words, drawing->used, " block");
    words_text(words, " used, ");
    words_number(words, drawing->free);
    words_text(words, " free\n");
}

static void line(void *context, const struct region *region, const char *start, size_t bytes,
                 size_t usable, bool used)
{
    struct drawing *drawing = context;
    struct words *words = &drawing->words;
    const char *name = used ? names_of_block(region, start, bytes, usable) : NULL;
    if (region && region != drawing->region) {
        drawing->region = region;
        words_text(words, "region ");
        words_number(words, number_of(region));
        words_text(words, ": ");
        words_number(words, region->bytes);
        words_text(words, region->mapped ? " bytes from mmap at " : " bytes from brk at ");
        words_hex(words, (size_t)region);
        words_text(words, "\n");
    }
    if (region)
        words_padded(words, (size_t)(start - (const char *)region), 10);
    else
        words_text(words, "     large");
    words_padded(words, bytes, 12);
    words_text(words, used ? "  used" : "  free");
    words_text(words, name ? "  " : "");
    words_text(words, name ? name : "");
    words_text(words, "\n");
}

static const struct region *region_around(const char *address)
{
    const struct region *region = region_first;
    while (region && (address < region_start(region) || address >= region_end(region)))
        region = region->next;
    return region;
}

static void list_name(struct words *words, unsigned list)
{
    words_text(words, "free list");
    if (options.fit == FIT_SEGREGATED || options.fit == FIT_BUDDY) {
        words_text(words, options.fit == FIT_BUDDY ? " of order " : " of class ");
        words_number(words, list);
    }
    words_text(words, ":");
}

/* " REGION+OFFSET (BYTES)" */
static void name_block(struct words *words, const char *start, size_t bytes)
{
    const struct region *region = region_around(start);
    words_text(words, " ");
    words_number(words, number_of(region));
    words_text(words, "+");
    words_number(words, region ? (size_t)(start - (const char *)region) : 0);
    words_text(words, " (");
    words_number(words, bytes);
    words_text(words, ")");
}

static void entry(void *context, unsigned list, const char *start, size_t bytes)
{
    struct drawing *drawing = context;
    if (drawing->list != list + 1) {
        words_text(&drawing->words, drawing->list ? "\n" : "");
        list_name(&drawing->words, list);
        drawing->list = list + 1;
    }
    name_block(&drawing->words, start, bytes);
}

void picture_text(int file, const struct policy *policy)
{
    struct drawing drawing = {.words = {.file = file}};
    heading(&drawing, policy);
    policy->walk(line, &drawing);
    large_walk(line, &drawing);
    policy->walk_free(entry, &drawing);
    words_text(&drawing.words, drawing.list ? "\n" : "");
    words_flush(&drawing.words);
}

/* ---- SVG ---- */

#define WIDTH       1024 /* pixels of a row */
#define ROW         12
#define ROWS_WANTED 64
#define LEFT        16
#define TOP         40
#define LINE        16
#define NAMED       10 /* blocks of a free list that are named */

struct canvas {
    struct words words;
    const struct region *region;
    size_t row_bytes; /* a power of two */
    size_t y;         /* of the region's first row; afterwards of the line of text */
    unsigned list;    /* the last that was begun, and one more */
    size_t named;     /* of its blocks */
};

/* A name may hold what is not text to an SVG. */
static void escaped(struct words *words, const char *name)
{
    for (; *name; name++)
        words_text(words, *name == '<'   ? "&lt;"
                          : *name == '&' ? "&amp;"
                          : *name < ' '  ? "?"
                                         : (char[]){*name, 0});
}

/* What a block's tooltip says. */
struct label {
    size_t offset, bytes;
    const char *name;
};

static void rectangle(struct canvas *canvas, size_t x, size_t y, size_t width, bool used,
                      const struct label *label)
{
    struct words *words = &canvas->words;
    words_text(words, "<rect x=\"");
    words_number(words, LEFT + x);
    words_text(words, "\" y=\"");
    words_number(words, y);
    words_text(words, "\" width=\"");
    words_number(words, width ? width : 1);
    words_text(words, used ? "\" height=\"10\" class=\"used\"><title>"
                           : "\" height=\"10\" class=\"free\"><title>");
    words_number(words, label->offset);
    words_text(words, ": ");
    words_number(words, label->bytes);
    words_text(words, used ? " bytes used" : " bytes free");
    words_text(words, label->name ? ", " : "");
    escaped(words, label->name ? label->name : "");
    words_text(words, "</title></rect>\n");
}

static size_t rows_of(const struct canvas *canvas, const struct region *region)
{
    size_t bytes = (size_t)(region_end(region) - region_start(region));
    return (bytes + canvas->row_bytes - 1) / canvas->row_bytes;
}

static void begin_line(struct canvas *canvas, const char *text)
{
    canvas->y += LINE;
    words_text(&canvas->words, "<text x=\"16\" y=\"");
    words_number(&canvas->words, canvas->y);
    words_text(&canvas->words, "\">");
    words_text(&canvas->words, text);
}

static void begin_region(struct canvas *canvas, const struct region *region)
{
    struct words *words = &canvas->words;
    if (canvas->region)
        canvas->y += rows_of(canvas, canvas->region) * ROW;
    canvas->region = region;
    canvas->y += 2 * ROW;
    words_text(words, "<text x=\"16\" y=\"");
    words_number(words, canvas->y - 4);
    words_text(words, "\">region ");
    words_number(words, number_of(region));
    words_text(words, ": ");
    words_number(words, region->bytes);
    words_text(words, region->mapped ? " bytes from mmap</text>\n" : " bytes from brk</text>\n");
}

/* A block that passes the end of a row goes on in the next. */
static void draw(void *context, const struct region *region, const char *start, size_t bytes,
                 size_t usable, bool used)
{
    struct canvas *canvas = context;
    struct label label = {(size_t)(start - (const char *)region), bytes,
                          used ? names_of_block(region, start, bytes, usable) : NULL};
    size_t at = (size_t)(start - region_start(region)), end = at + bytes;
    if (region != canvas->region)
        begin_region(canvas, region);
    while (at < end) {
        size_t row = at / canvas->row_bytes, stop = (row + 1) * canvas->row_bytes;
        size_t from = at % canvas->row_bytes * WIDTH / canvas->row_bytes;
        stop = stop < end ? stop : end;
        size_t to = from + (stop - at) * WIDTH / canvas->row_bytes;
        rectangle(canvas, from, canvas->y + row * ROW, to - from, used, &label);
        at = stop;
    }
}

static void draw_large(void *context, const struct region *region, const char *start, size_t bytes,
                       size_t usable, bool used)
{
    struct canvas *canvas = context;
    const char *name = used ? names_of_block(region, start, bytes, usable) : NULL;
    begin_line(canvas, used ? "large block: " : "large block, free: ");
    words_number(&canvas->words, bytes);
    words_text(&canvas->words, name ? " bytes, " : " bytes");
    escaped(&canvas->words, name ? name : "");
    words_text(&canvas->words, "</text>\n");
}

static void end_list(struct canvas *canvas)
{
    if (canvas->named > NAMED) {
        words_text(&canvas->words, " and ");
        words_number(&canvas->words, canvas->named - NAMED);
        words_text(&canvas->words, " more");
    }
    words_text(&canvas->words, canvas->list ? "</text>\n" : "");
    canvas->named = 0;
}

static void draw_entry(void *context, unsigned list, const char *start, size_t bytes)
{
    struct canvas *canvas = context;
    if (canvas->list != list + 1) {
        end_list(canvas);
        begin_line(canvas, "");
        list_name(&canvas->words, list);
        canvas->list = list + 1;
    }
    if (canvas->named++ < NAMED)
        name_block(&canvas->words, start, bytes);
}

/* Lists that are empty leave room below. */
static size_t height(const struct canvas *canvas)
{
    struct drawing large = {.words = {.file = -1}};
    size_t rows = 0, lists = options.fit == FIT_BUDDY ? 24 : options.fit == FIT_SEGREGATED ? 10 : 1;
    for (const struct region *region = region_first; region; region = region->next)
        rows += rows_of(canvas, region) + 2;
    large_walk(count, &large);
    return TOP + rows * ROW + (large.used + large.free + lists + 1) * LINE;
}

void picture_svg(int file, const struct policy *policy)
{
    struct canvas canvas = {.words = {.file = file}, .row_bytes = 1024, .y = TOP - ROW};
    struct words *words = &canvas.words;
    while (canvas.row_bytes * ROWS_WANTED < region_held())
        canvas.row_bytes *= 2;
    words_text(words, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1056\" height=\"");
    words_number(words, height(&canvas));
    words_text(words,
               "\">\n<style>text{font:12px sans-serif;fill:#1c1c21}.used{fill:#0072b2;stroke:#fff;"
               "stroke-width:.5}.free{fill:#dedee3;stroke:#fff;stroke-width:.5}</style>\n"
               "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"16\" y=\"20\">");
    words_text(words, options.policy);
    words_text(words, ": ");
    words_number(words, canvas.row_bytes);
    words_text(words, " bytes a row; blue is used, grey is free</text>\n");
    policy->walk(draw, &canvas);
    if (canvas.region)
        canvas.y += rows_of(&canvas, canvas.region) * ROW;
    large_walk(draw_large, &canvas);
    policy->walk_free(draw_entry, &canvas);
    end_list(&canvas);
    words_text(words, "</svg>\n");
    words_flush(words);
}
